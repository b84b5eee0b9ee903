//! A bounded queue of lines and its writer thread.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::mem::take;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The maximum number of queued lines, not counting as many that the thread has taken but not written yet.
const LINES_MAX: usize = 2048;

/// A queue in front of a writer that may block or fail.
pub(super) struct Queue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    has_changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<String>,
    is_writing: bool,
    /// The number of lost lines that have not been reported yet.
    dropped: u64,
}

impl Queue {
    /// Starts the thread that writes to `output`. After lines were dropped, it also writes the line that `report` returns
    /// for their number.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(super) fn start(
        output: impl Write + Send + 'static,
        report: impl Fn(u64) -> String + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let writer = shared.clone();
        thread::Builder::new().name("log".into()).spawn(move || writer.write(output, report))?;
        Ok(Self(shared))
    }

    /// Appends a line, or drops it if too many wait. Never waits for the writer.
    pub(super) fn push(&self, line: String) {
        let mut state = self.0.lock();
        if state.waiting.len() < LINES_MAX {
            state.waiting.push_back(line);
        } else {
            state.dropped += 1;
        }
        drop(state);
        self.0.has_changed.notify_all();
    }

    /// Waits until all lines are written, up to `timeout`.
    pub(super) fn flush(&self, timeout: Duration) {
        let is_busy = |state: &mut State| state.is_writing || !state.waiting.is_empty();
        let _ = self.0.has_changed.wait_timeout_while(self.0.lock(), timeout, is_busy);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, mut output: impl Write, report: impl Fn(u64) -> String) {
        // One call for each line: what else is written to the same pipe goes before or after it.
        let mut write = |line: &str| output.write_all(format!("{line}\n").as_bytes()).is_ok();
        let mut state = self.lock();
        loop {
            state.is_writing = false;
            self.has_changed.notify_all();
            let is_idle = |state: &mut State| state.waiting.is_empty();
            state = self.has_changed.wait_while(state, is_idle).unwrap_or_else(PoisonError::into_inner);
            state.is_writing = true;
            let (lines, dropped) = (take(&mut state.waiting), take(&mut state.dropped));
            drop(state);
            // The dropped lines are newer than those that waited.
            let mut lost = lines.iter().filter(|line| !write(line)).count() as u64;
            if lost + dropped > 0 && !write(&report(lost + dropped)) {
                lost += dropped;
            } else {
                lost = 0;
            }
            state = self.lock();
            state.dropped += lost;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Fails or waits as the test tells it to, and keeps what it wrote.
    struct Output {
        results: Receiver<bool>,
        written: Sender<String>,
    }

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !self.results.recv().unwrap_or(true) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let _ = self.written.send(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn start() -> (Queue, Sender<bool>, Receiver<String>) {
        let ((allow, results), (written, lines)) = (channel(), channel());
        let queue = Queue::start(Output { results, written }, |count| format!("{count} dropped")).unwrap();
        (queue, allow, lines)
    }

    #[test]
    fn what_a_stalled_writer_cannot_take_is_dropped_and_counted() {
        let (queue, allow, lines) = start();
        queue.push("first".to_owned());
        // The thread may have taken the first line or not.
        let pushed = 2 * LINES_MAX + 9;
        (0..pushed).for_each(|number| queue.push(number.to_string()));
        drop(allow);
        queue.flush(Duration::from_secs(60));
        queue.push("last".to_owned());
        queue.flush(Duration::from_secs(60));
        drop(queue);
        let lines: Vec<String> = lines.try_iter().collect();
        let dropped: usize = lines.iter().find_map(|line| line.strip_suffix(" dropped\n")?.parse().ok()).unwrap();
        assert_eq!(lines.len() + dropped, pushed + 3, "with the report");
        assert!(dropped >= pushed - 2 * LINES_MAX, "{dropped}");
        assert_eq!((lines[0].as_str(), lines[1].as_str()), ("first\n", "0\n"));
    }

    #[test]
    fn what_cannot_be_written_is_reported_when_it_can() {
        let (queue, allow, lines) = start();
        // Two lines, each with a report that fails as well.
        for line in ["one", "two"] {
            queue.push(line.to_owned());
            (0..2).for_each(|_| allow.send(false).unwrap());
            queue.flush(Duration::from_secs(60));
        }
        drop(allow);
        queue.push("three".to_owned());
        queue.flush(Duration::from_secs(60));
        assert_eq!(lines.try_iter().collect::<String>(), "three\n2 dropped\n");
    }
}
