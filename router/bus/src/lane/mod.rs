//! The lane of one subscription: what waits, what runs, what is done, and what must be written down.
//!
//! ```text
//!             offer (dispatcher)                   next                   finish
//! Live:   ───────────────▶ queue ─────────────────▶ open ──▶ delivered, dropped, dead
//! Behind: caught_up (own reader) ─▶ queue            │              ▲
//!                                                    └─▶ postponed ─┘   (due: next)
//! ```
//!
//! # Invariants
//!
//! - Every matched offset at or above the start is handed out by `next` exactly once in the life of
//!   the lane, whoever brings it: the dispatcher while live, the own reader while behind.
//! - `settled` never passes an offset that is queued or open; what is postponed is in the same
//!   change as the `settled` that passes it.
//! - Nothing here grows without a limit: the queue has one, and `next` hands out nothing while too
//!   much is postponed or done above the oldest open offset.
//!
//! # Not here
//!
//! - Waiting, sending, reading: `task` does them. All of this is synchronous and takes the time as
//!   a value.

mod inner;
mod task;
mod versions;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use event::{Event, Timestamp};
use journal::Offset;
use tokio::sync::Notify;

pub(crate) use inner::{Inner, Work};
pub(crate) use task::run;

use crate::key::Key;
use crate::routes::Route;
use crate::state::{Change, Postponed, Subscription};

/// An event that a subscription is owed.
#[derive(Debug, Clone)]
pub(crate) struct Owed {
    pub offset: Offset,
    pub event: Event,
    pub hops: u8,
    /// When the journal took it.
    pub ingested: Timestamp,
    /// The version of the rule that matched it.
    pub route: Arc<Route>,
}

/// What a lane may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub queue_max: usize,
    pub postponed_max: usize,
    pub window_max: u64,
}

pub(crate) struct Lane {
    pub(crate) key: Key,
    inner: Mutex<Inner>,
    pub(crate) wake: Notify,
}

impl Lane {
    /// A lane over what was written down. `dispatched` is where the dispatcher goes on.
    pub(crate) fn new(
        stored: Subscription,
        route: Arc<Route>,
        bounds: Bounds,
        dispatched: Offset,
    ) -> Arc<Self> {
        let key = stored.key.clone();
        let inner = Mutex::new(Inner::new(stored, route, bounds, dispatched));
        Arc::new(Self { key, inner, wake: Notify::new() })
    }

    /// The state, for a short look or step. Never held over an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called by the dispatcher for an event that the rule matched.
    pub(crate) fn offer(&self, owed: impl FnOnce() -> Owed, offset: Offset) {
        if self.lock().offer(owed, offset) {
            self.wake.notify_one();
        }
    }

    /// The next snapshot of the rules has this target, too. True when the lane needs a task.
    pub(crate) fn adopt(&self, route: Arc<Route>, position: Offset) -> bool {
        let needs_task = self.lock().adopt(route, position);
        self.wake.notify_one();
        needs_task
    }

    /// The rule or target is gone: what is owed below `until` is still tried, once.
    pub(crate) fn retire(&self, until: Offset, now: Timestamp) {
        self.lock().retire(until, now);
        self.wake.notify_one();
    }

    /// Takes deliveries back that a redrive has written down as postponed.
    pub(crate) fn resume(&self, waiting: Vec<Postponed>) {
        self.lock().resume(waiting);
        self.wake.notify_one();
    }

    pub(crate) fn take_change(&self, dispatched: Offset, is_forced: Forced) -> Option<Change> {
        self.lock().take_change(dispatched, is_forced)
    }

    /// How long until the next postponed delivery is due.
    pub(crate) fn due_in(&self, now: Timestamp) -> Option<Duration> {
        self.lock().next_due().map(|due| due.since(now))
    }
}

/// Whether a change is wanted even when only `settled` moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forced {
    Yes,
    No,
}

#[cfg(test)]
mod tests;
