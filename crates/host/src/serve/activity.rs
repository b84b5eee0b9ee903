//! What a connection is doing, and since when its client has not moved.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

/// What a connection waits for. Only in [`Phase::Working`] it is not the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The next request.
    Idle,
    /// The rest of a request.
    Receiving,
    /// The response of the component.
    Working,
    /// The client, which has not taken the whole response.
    Sending,
}

/// The activity of one connection.
pub(crate) struct Activity {
    state: Mutex<State>,
    cut: Notify,
}

/// A moment of an [`Activity`].
#[derive(Clone, Copy)]
pub(crate) struct State {
    pub(crate) phase: Phase,
    /// When the client last sent or took something, or the phase began.
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

    /// The client has sent a part of a request.
    pub(crate) fn received(&self) {
        self.progress(Phase::Receiving);
    }

    /// The client, or the system for it, has taken a part of a response.
    pub(crate) fn sent(&self) {
        self.progress(Phase::Sending);
    }

    /// The client, or the system for it, has taken the whole response.
    pub(crate) fn flushed(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Sending {
            *state = State { phase: Phase::Idle, since: Instant::now(), response_size: 0 };
        }
    }

    /// The head of a request is complete.
    pub(crate) fn begin_request(&self) {
        self.enter(Phase::Receiving, 0);
    }

    /// The request is complete.
    pub(crate) fn begin_work(&self) {
        self.enter(Phase::Working, 0);
    }

    /// The response is complete, and has `size` bytes.
    pub(crate) fn begin_response(&self, size: usize) {
        self.enter(Phase::Sending, size);
    }

    /// Makes the connection end at once.
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

    /// Notes that the client moved; an idle connection is then in `phase`.
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
