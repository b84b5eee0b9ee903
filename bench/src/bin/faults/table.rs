//! The printed table, and the bounds of its columns.

use std::time::Duration;

use anyhow::Result;

use crate::fixture::Outcome;

const HEALTHZ_P99_MAX: Duration = Duration::from_millis(50);
const BACK_AFTER_MAX: Duration = Duration::from_secs(5);
const COLUMNS: [&str; 8] = [
    "fault",
    "acknowledged writes",
    "lost",
    "double refreshes",
    "`/healthz` p99 ms",
    "back after s",
    "memory MiB",
    "replies and others",
];

/// A table, which is printed line by line.
pub(crate) struct Table {
    is_markdown: bool,
    broken: Vec<String>,
}

impl Table {
    /// Prints the head.
    pub(crate) fn begin(is_markdown: bool) -> Self {
        let table = Self { is_markdown, broken: Vec::new() };
        table.print(&COLUMNS.map(str::to_owned));
        if is_markdown {
            println!("|{}", " --- |".repeat(COLUMNS.len()));
        }
        table
    }

    /// Prints the line of a fault.
    pub(crate) fn add(&mut self, fault: &str, outcome: Result<Option<Outcome>>) {
        let mut line = [const { String::new() }; COLUMNS.len()];
        fault.clone_into(&mut line[0]);
        match outcome {
            Ok(Some(mut outcome)) => {
                outcome.judge_bounds();
                line[1] = outcome.verdict.acknowledged.to_string();
                line[2] = outcome.verdict.lost.to_string();
                line[3] = outcome.verdict.double_refreshes.to_string();
                line[4] =
                    outcome.healthz_p99.map_or_else(String::new, |time| format!("{:.1}", time.as_secs_f64() * 1e3));
                line[5] = format!("{:.2}", outcome.back_after.as_secs_f64());
                line[6] = (outcome.peak_memory >> 20).to_string();
                line[7] = outcome.notes.join("; ");
                self.broken.extend(outcome.broken.iter().map(|broken| format!("{fault}: {broken}")));
            }
            Ok(None) => "not possible here".clone_into(&mut line[7]),
            Err(error) => {
                "failed".clone_into(&mut line[7]);
                self.broken.push(format!("{fault}: {error:#}"));
            }
        }
        self.print(&line);
    }

    /// Prints which bounds were broken, and returns whether none was.
    pub(crate) fn end(self) -> bool {
        println!();
        for broken in &self.broken {
            println!("BROKEN  {broken}");
        }
        if self.broken.is_empty() {
            println!(
                "All bounds hold: nothing lost, no double refresh, `/healthz` p99 below {} ms, service back within {} s.",
                HEALTHZ_P99_MAX.as_millis(),
                BACK_AFTER_MAX.as_secs()
            );
        }
        self.broken.is_empty()
    }

    fn print(&self, line: &[String; COLUMNS.len()]) {
        if self.is_markdown {
            println!("| {} |", line.join(" | "));
        } else {
            let [fault, acknowledged, lost, double, p99, back, memory, notes] = line;
            println!(
                "{fault:<52} {acknowledged:>19} {lost:>5} {double:>16} {p99:>17} {back:>12} {memory:>10}  {notes}"
            );
        }
    }
}

impl Outcome {
    fn judge_bounds(&mut self) {
        let (lost, double) = (self.verdict.lost, self.verdict.double_refreshes);
        self.expect(lost == 0, || format!("{lost} acknowledged writes are lost"));
        self.expect(double == 0, || format!("{double} refresh tokens have two successors"));
        let (p99, back_after) = (self.healthz_p99.unwrap_or_default(), self.back_after);
        self.expect(p99 < HEALTHZ_P99_MAX, || format!("/healthz has a p99 of {p99:.1?}"));
        self.expect(back_after <= BACK_AFTER_MAX, || format!("the service is back only after {back_after:.2?}"));
    }
}
