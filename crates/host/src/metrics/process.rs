//! The standard `process_*` metrics of Prometheus client libraries, on Linux.

use std::fs;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, getrlimit};

use crate::metrics::exposition::{Exposition, Kind};

/// Writes the metrics of the process from `/proc`; none on systems without it.
pub(super) fn write(text: &mut Exposition) {
    if let Some(status) = fs::read_to_string("/proc/self/status").ok().as_deref() {
        for (field, name, help) in [
            ("VmRSS:", "process_resident_memory_bytes", "Resident memory size in bytes."),
            ("VmSize:", "process_virtual_memory_bytes", "Virtual memory size in bytes."),
        ] {
            if let Some(kib) = kib(status, field) {
                text.gauge(name, help, kib * 1024);
            }
        }
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        // One of them is the directory itself.
        text.gauge("process_open_fds", "Number of open file descriptors.", files.count().saturating_sub(1));
    }
    if let Some(limit) = getrlimit(Resource::Nofile).current {
        text.gauge("process_max_fds", "Maximum number of open file descriptors.", limit);
    }
    let Some(times) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Times::parse) else { return };
    let seconds = |ticks: u64| ticks as f64 / clock_ticks_per_second() as f64;
    let name = "process_cpu_seconds_total";
    text.family(name, Kind::Counter, "Total user and system CPU time spent in seconds.");
    text.sample(name, "", seconds(times.cpu));
    if let Some(boot) = fs::read_to_string("/proc/stat").ok().as_deref().and_then(boot_time) {
        let help = "Start time of the process since unix epoch in seconds.";
        text.gauge("process_start_time_seconds", help, boot as f64 + seconds(times.start));
    }
}

/// Times in `/proc/self/stat`, in clock ticks.
#[derive(Debug, PartialEq, Eq)]
struct Times {
    cpu: u64,
    /// Since the system started.
    start: u64,
}

impl Times {
    fn parse(stat: &str) -> Option<Self> {
        // The second field is the name of the program, which may contain anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self { cpu: field(14)? + field(15)?, start: field(22)? })
    }
}

/// Returns a value of `/proc/self/status`, in KiB.
fn kib(status: &str, field: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(field))?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}

/// Returns when the system started, in seconds since 1970.
fn boot_time(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_proc_are_parsed() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 50 25 0 0 20 0 5 0 4242 1000 200 18446744073709551615";
        assert_eq!(Times::parse(stat), Some(Times { cpu: 75, start: 4242 }));
        assert_eq!(Times::parse("7 (a"), None);
        let status = "Name:\tlanterne\nVmSize:\t  2048 kB\nVmRSS:\t    12 kB\n";
        assert_eq!(
            (kib(status, "VmSize:"), kib(status, "VmRSS:"), kib(status, "VmHWM:")),
            (Some(2048), Some(12), None)
        );
        assert_eq!(boot_time("cpu 1 2\nbtime 1700000000\n"), Some(1_700_000_000));
    }
}
