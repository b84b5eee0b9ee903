//! What Linux reports about a process.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// The unit of processor times in `/proc`, which is the same on all common architectures.
const TICKS_PER_SECOND: u32 = 100;

/// A running process.
#[derive(Clone, Copy, PartialEq)]
pub struct Process(pub u32);

impl Process {
    /// Returns the process and its running descendants.
    ///
    /// # Errors
    /// The system has no `/proc`.
    pub fn tree(self) -> Result<Vec<Self>> {
        let mut parents = Vec::new();
        for entry in fs::read_dir("/proc").context("/proc")? {
            // A process may end at any time.
            if let Ok(id) = entry?.file_name().to_string_lossy().parse()
                && let Ok([parent, ..]) = Self(id).stat()
            {
                parents.push((Self(id), Self(parent)));
            }
        }
        let mut tree = vec![self];
        let mut next = 0;
        while let Some(&process) = tree.get(next) {
            tree.extend(parents.iter().filter(|(_, parent)| *parent == process).map(|(child, _)| *child));
            next += 1;
        }
        Ok(tree)
    }

    /// Returns the memory in use, in bytes.
    ///
    /// # Errors
    /// The process has ended.
    pub fn resident_bytes(self) -> Result<u64> {
        self.status_bytes("VmRSS:")
    }

    /// Returns the most memory that has been in use so far, in bytes.
    ///
    /// # Errors
    /// The process has ended.
    pub fn resident_peak_bytes(self) -> Result<u64> {
        self.status_bytes("VmHWM:")
    }

    /// Returns the number of open file descriptors.
    ///
    /// # Errors
    /// The process has ended.
    pub fn descriptors(self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.0))?.count())
    }

    /// Returns the processor time used so far, by all threads, in user mode and in the kernel.
    ///
    /// # Errors
    /// The process has ended.
    pub fn processor_time(self) -> Result<Duration> {
        let [_, user, system] = self.stat()?;
        Ok(Duration::from_secs(1) * (user + system) / TICKS_PER_SECOND)
    }

    /// Returns the parent, and the ticks in user mode and in the kernel.
    fn stat(self) -> Result<[u32; 3]> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // The name, in parentheses, may contain spaces.
        let (_, fields) = stat.rsplit_once(')').context("a stat line has a name")?;
        let field = |index| fields.split_whitespace().nth(index).and_then(|field| field.parse().ok());
        Ok([field(1), field(11), field(12)].map(Option::unwrap_or_default))
    }

    fn status_bytes(self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|rest| rest.split_whitespace().next()).context("a process has memory")?;
        Ok(kib.parse::<u64>()? << 10)
    }
}
