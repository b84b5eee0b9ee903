//! The latency of databases and key-value stores, by component.

use std::sync::Arc;
use std::time::Instant;

use crate::metrics::histogram::{Histogram, Timer};

/// The statements of one component on one database.
pub(crate) struct Statements {
    pub(super) reads: Arc<Histogram>,
    pub(super) writes: Arc<Histogram>,
    pub(super) commits: Arc<Histogram>,
    /// How long writers waited for their turn.
    pub(crate) write_wait: Arc<Histogram>,
}

/// What a statement does.
#[derive(Clone, Copy)]
pub(crate) enum Statement {
    Read,
    Write,
    /// The end of a transaction that holds the write lock.
    Commit,
}

/// A statement that is being measured. Dropping it ends the measurement; one whose kind is not known is not counted.
pub(crate) struct StatementTimer<'a> {
    start: Instant,
    statements: &'a Statements,
    pub(crate) kind: Option<Statement>,
}

impl Statements {
    /// Begins to measure a statement.
    pub(crate) fn start(&self) -> StatementTimer<'_> {
        StatementTimer { start: Instant::now(), statements: self, kind: None }
    }
}

impl Drop for StatementTimer<'_> {
    fn drop(&mut self) {
        let histogram = match self.kind {
            Some(Statement::Read) => &self.statements.reads,
            Some(Statement::Write) => &self.statements.writes,
            Some(Statement::Commit) => &self.statements.commits,
            None => return,
        };
        histogram.observe(self.start.elapsed());
    }
}

/// An operation on a key-value store.
#[derive(Clone, Copy)]
pub(crate) enum Operation {
    Get,
    Set,
    Delete,
    List,
}

impl Operation {
    pub(super) const ALL: [(Self, &str); 4] =
        [(Self::Get, "get"), (Self::Set, "set"), (Self::Delete, "delete"), (Self::List, "list")];
}

/// The operations of one component on key-value stores.
pub(crate) struct Operations(pub(super) [Arc<Histogram>; Operation::ALL.len()]);

impl Operations {
    /// Measures an operation until the result is dropped.
    pub(crate) fn start(&self, operation: Operation) -> Timer<'_> {
        self.0[operation as usize].start()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_listed_in_order() {
        for (index, (operation, _)) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation as usize, index);
        }
    }
}
