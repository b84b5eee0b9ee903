//! How patient the host is with a guest's statements, which depends on who waits for the guest.

use std::time::Duration;

/// How long a guest's statements may take.
#[derive(Clone, Copy)]
pub struct Limits {
    /// How long a statement waits for another writer before it fails with "database is locked".
    pub wait: Duration,
    /// How long a statement may run; `None` for as long as it takes.
    pub run: Option<Duration>,
}

impl Limits {
    /// Somebody waits for the reply. Reads run on the threads of the guests: none may keep one.
    pub const REQUEST: Self = Self { wait: Duration::from_secs(5), run: Some(Duration::from_secs(30)) };
    /// A command that gives up half-way helps nobody: a migration may rebuild a large table in one statement, and should
    /// outwait whatever another program does to the file. Whoever has had enough of it ends the program.
    pub const COMMAND: Self = Self { wait: Duration::from_secs(60), run: None };
}
