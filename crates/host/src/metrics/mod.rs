//! The metrics of a server, for Prometheus.
//!
//! Threads add to atomic numbers, without locks and, but for the first request of a kind, without allocations. What
//! others count anyway, such as connections, is read when the metrics are asked for.

pub(crate) mod exposition;
mod histogram;
mod process;
mod requests;
mod storage;

use std::sync::Arc;

use anyhow::Result;

use exposition::{Exposition, labels};
pub(crate) use histogram::Histogram;
use histogram::{Family, REQUEST_BOUNDS, STORAGE_BOUNDS};
pub use requests::Outcomes;
pub(crate) use requests::{Requests, RouteIndex};
pub(crate) use storage::{Operation, Operations, Statement, Statements};

/// The measurements of a host.
pub(crate) struct Metrics {
    pub(crate) requests: Requests,
    outcomes: Vec<Outcomes>,
    statements: Family,
    write_waits: Family,
    operations: Family,
    outgoing: Family,
}

/// The durations of the requests that one component sends, by result.
pub(crate) struct OutgoingDurations {
    pub(crate) answered: Arc<Histogram>,
    pub(crate) failed: Arc<Histogram>,
    pub(crate) denied: Arc<Histogram>,
}

impl Metrics {
    /// Measures requests by the paths of `routes`.
    ///
    /// # Errors
    /// A path is malformed, or matches the same as another.
    pub(crate) fn new<'a>(routes: impl Iterator<Item = &'a String>, outcomes: Vec<Outcomes>) -> Result<Self> {
        Ok(Self {
            requests: Requests::new(routes)?,
            outcomes,
            statements: Family::new(
                "lanterne_database_statement_duration_seconds",
                "SQL statements by component, database and kind, including the wait for other writers. Kind commit: the end \
                 of a transaction that writes.",
                STORAGE_BOUNDS,
            ),
            write_waits: Family::new(
                "lanterne_database_write_wait_seconds",
                "How long writers of this process waited for each other before a transaction or a statement that writes.",
                STORAGE_BOUNDS,
            ),
            operations: Family::new(
                "lanterne_key_value_operation_duration_seconds",
                "Operations on key-value stores by component and operation, including the wait for others.",
                STORAGE_BOUNDS,
            ),
            outgoing: Family::new(
                "lanterne_outgoing_request_duration_seconds",
                "HTTP requests that components send, by component and result: answered (with any status), failed, or denied \
                 by the manifest.",
                REQUEST_BOUNDS,
            ),
        })
    }

    pub(crate) fn statements(&self, component: &str, database: &str) -> Statements {
        let (component, database) = (("component", component), ("database", database));
        let of_kind = |kind| self.statements.member(&[component, database, ("kind", kind)]);
        Statements {
            reads: of_kind("read"),
            writes: of_kind("write"),
            commits: of_kind("commit"),
            write_wait: self.write_waits.member(&[component, database]),
        }
    }

    pub(crate) fn operations(&self, component: &str) -> Operations {
        let of = |(_, name)| self.operations.member(&[("component", component), ("operation", name)]);
        Operations(Operation::ALL.map(of))
    }

    pub(crate) fn outgoing(&self, component: &str) -> OutgoingDurations {
        let of_result = |result| self.outgoing.member(&[("component", component), ("result", result)]);
        OutgoingDurations { answered: of_result("answered"), failed: of_result("failed"), denied: of_result("denied") }
    }

    /// Writes all measurements, and those of the process.
    pub(crate) fn write(&self, text: &mut Exposition) {
        let name = "lanterne_build_info";
        text.family(name, exposition::Kind::Gauge, "The version of the program; the value is always 1.");
        text.sample(name, &labels(&[("version", env!("CARGO_PKG_VERSION"))]), 1);
        self.requests.write(text);
        for outcomes in &self.outcomes {
            self.requests.write_outcomes(text, outcomes);
        }
        for family in [&self.statements, &self.write_waits, &self.operations, &self.outgoing] {
            family.write(text);
        }
        process::write(text);
    }
}
