//! The state of a connection, and when its client last made progress.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

/// What a connection is waiting for: the client, except in [`Phase::Working`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The next request.
    Idle,
    /// The rest of a request.
    Receiving,
    /// The response of the component.
    Working,
    /// The client to read the rest of the response.
    Sending,
}

/// The activity of one connection.
pub(crate) struct Activity {
    state: Mutex<State>,
    cut: Notify,
}

/// A snapshot of an [`Activity`].
#[derive(Clone, Copy)]
pub(crate) struct State {
    pub(crate) phase: Phase,
    /// When the client last sent or read bytes, or the phase began.
    pub(crate) since: Instant,
    /// The bytes in memory for the response being sent.
    pub(crate) response_size: usize,
}

impl Activity {
    pub(crate) fn new() -> Self {
        let state = State { phase: Phase::Idle, since: Instant::now(), response_size: 0 };
        Self { state: Mutex::new(state), cut: Notify::new() }
    }

    pub(crate) fn state(&self) -> State {
        *self.lock()
    }

    /// Records that the client sent part of a request.
    pub(crate) fn received(&self) {
        self.progress(Phase::Receiving);
    }

    /// Records that the socket accepted part of a response.
    pub(crate) fn sent(&self) {
        self.progress(Phase::Sending);
    }

    /// Records that the socket accepted the whole response.
    pub(crate) fn flushed(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Sending {
            *state = State { phase: Phase::Idle, since: Instant::now(), response_size: 0 };
        }
    }

    /// Records that the head of a request is complete.
    pub(crate) fn begin_request(&self) {
        self.enter(Phase::Receiving, 0);
    }

    /// Records that the request is complete.
    pub(crate) fn begin_work(&self) {
        self.enter(Phase::Working, 0);
    }

    /// Records that a response of `size` bytes is ready to be sent.
    pub(crate) fn begin_response(&self, size: usize) {
        self.enter(Phase::Sending, size);
    }

    /// Closes the connection immediately.
    pub(crate) fn cut(&self) {
        self.cut.notify_one();
    }

    /// Waits for [`Self::cut`].
    pub(crate) async fn is_cut(&self) {
        self.cut.notified().await;
    }

    fn enter(&self, phase: Phase, response_size: usize) {
        *self.lock() = State { phase, since: Instant::now(), response_size };
    }

    /// Records progress by the client. An idle connection enters `phase`.
    fn progress(&self, phase: Phase) {
        let mut state = self.lock();
        state.since = Instant::now();
        if state.phase == Phase::Idle {
            state.phase = phase;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
