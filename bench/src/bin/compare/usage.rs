//! What processes use, from `/proc` (Linux).

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::param::{clock_ticks_per_second, page_size};

/// What a process has used, or processes together.
#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Processor time, in user mode and in the kernel.
    pub(crate) cpu: Duration,
    /// Resident memory in bytes.
    pub(crate) resident: u64,
}

/// A line of `/proc/PID/stat`.
struct Stat {
    parent: u32,
    usage: Usage,
}

/// Returns what the process has used.
///
/// # Errors
/// It has ended, or the system has no `/proc`.
pub(crate) fn usage(id: u32) -> Result<Usage> {
    Ok(stat(id)?.usage)
}

/// Returns what the process and its running descendants have used.
///
/// # Errors
/// The system has no `/proc`.
pub(crate) fn tree_usage(root: u32) -> Result<Usage> {
    let mut stats = Vec::new();
    for entry in fs::read_dir("/proc").context("/proc")? {
        let name = entry?.file_name();
        // A process may end at any time.
        if let Some(id) = name.to_str().and_then(|name| name.parse().ok())
            && let Ok(stat) = stat(id)
        {
            stats.push((id, stat));
        }
    }
    let mut ids = vec![root];
    let mut next = 0;
    while let Some(&parent) = ids.get(next) {
        ids.extend(stats.iter().filter(|(_, stat)| stat.parent == parent).map(|(id, _)| *id));
        next += 1;
    }
    let usages = stats.iter().filter(|(id, _)| ids.contains(id)).map(|(_, stat)| stat.usage);
    Ok(usages.fold(Usage::default(), |sum, usage| Usage {
        cpu: sum.cpu + usage.cpu,
        resident: sum.resident + usage.resident,
    }))
}

fn stat(id: u32) -> Result<Stat> {
    let path = format!("/proc/{id}/stat");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    // The second field, the name in parentheses, may contain blanks. The state, field 3, follows it.
    let fields: Vec<&str> = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let field = |number: usize| -> Result<u64> {
        let text = fields.get(number - 3).with_context(|| format!("{path}: no field {number}"))?;
        text.parse().with_context(|| format!("{path}: field {number}"))
    };
    let seconds = (field(14)? + field(15)?) as f64 / clock_ticks_per_second() as f64;
    let usage = Usage { cpu: Duration::from_secs_f64(seconds), resident: field(24)? * page_size() as u64 };
    Ok(Stat { parent: u32::try_from(field(4)?)?, usage })
}
