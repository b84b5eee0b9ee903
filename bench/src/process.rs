//! What Linux reports about a process.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// The unit of processor times in `/proc`, which is the same on all common architectures.
const TICKS_PER_SECOND: u32 = 100;

/// A running process.
#[derive(Clone, Copy)]
pub struct Process(pub u32);

impl Process {
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

    /// Returns the processor time used so far, by all threads.
    ///
    /// # Errors
    /// The process has ended.
    pub fn processor_time(self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // The name, in parentheses, may contain spaces. After it, user and system time are the 12th and 13th fields.
        let (_, fields) = stat.rsplit_once(')').context("a stat line has a name")?;
        let ticks: u32 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
        Ok(Duration::from_secs(1) * ticks / TICKS_PER_SECOND)
    }

    fn status_bytes(self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|rest| rest.split_whitespace().next()).context("a process has memory")?;
        Ok(kib.parse::<u64>()? << 10)
    }
}
