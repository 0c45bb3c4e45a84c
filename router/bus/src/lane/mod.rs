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
//! - Waiting, sending, reading: `drive` and `read` do them, for all lanes. All of the rest is
//!   synchronous and takes the time as a value.

mod drive;
mod feed;
mod gate;
mod inner;
mod read;
mod ready;
mod versions;
mod waiting;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use event::{Event, Timestamp};
use journal::Offset;

pub(crate) use drive::run;
pub(crate) use inner::{Finished, Inner, Part, Work};
pub(crate) use ready::Ready;

pub(crate) use versions::{Written, then};

use read::Reader;

use crate::key::Key;
use crate::routes::Route;
use crate::state::{Change, Postponed, Stopped, Subscription};

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
    /// Events of one order run one at a time. Found out when its turn comes.
    pub order: Option<u64>,
}

/// What a lane may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub queue_max: usize,
    pub queue_bytes_max: usize,
    pub postponed_max: usize,
    pub window_max: u64,
    /// Where the target does not say it itself.
    pub concurrency: usize,
    /// The same of a replay, which keeps the order unless somebody asked for more.
    pub replaying: usize,
}

/// One reading of the clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub wall: Timestamp,
    /// Never steps back.
    pub steady: Duration,
}

pub(crate) struct Lane {
    pub(crate) key: Key,
    /// Tells lanes apart, and orders them by age.
    number: u64,
    inner: Mutex<Inner>,
    /// Where the own reader stands, as long as it goes on at once.
    reader: Mutex<Option<Reader>>,
    /// Whether it is in the queue of the ready ones.
    is_ready: AtomicBool,
    /// Whether it waits for room among the works under way.
    is_crowded: AtomicBool,
    /// Whether it waits for its plugins to have room.
    waits_for_room: AtomicBool,
    ready: Arc<Ready>,
}

impl Lane {
    /// A lane over what was written down. `dispatched` is where the dispatcher goes on.
    pub(crate) fn new(
        stored: Subscription,
        route: Arc<Route>,
        bounds: Bounds,
        dispatched: Offset,
        ready: &Arc<Ready>,
    ) -> Arc<Self> {
        let key = stored.key.clone();
        let inner = Mutex::new(Inner::new(stored, route, bounds, dispatched));
        Arc::new(Self {
            key,
            number: ready.number(),
            inner,
            reader: Mutex::default(),
            is_ready: AtomicBool::new(false),
            is_crowded: AtomicBool::new(false),
            waits_for_room: AtomicBool::new(false),
            ready: Arc::clone(ready),
        })
    }

    /// The state, for a short look or step. Never held over an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the driver look at this lane soon.
    pub(crate) fn wake(self: &Arc<Self>) {
        if !self.is_ready.swap(true, Ordering::AcqRel) {
            self.ready.push(Arc::clone(self));
        }
    }

    /// Called by the dispatcher for an event that the rule matched.
    pub(crate) fn offer(self: &Arc<Self>, owed: impl FnOnce() -> Owed, offset: Offset) {
        let is_new = self.lock().offer(owed, offset);
        if is_new {
            self.wake();
        }
    }

    /// The next snapshot of the rules has this target, too.
    pub(crate) fn adopt(self: &Arc<Self>, route: Arc<Route>, position: Offset) {
        self.lock().adopt(route, position);
        self.wake();
    }

    /// The rule or target is gone: what is owed below `until` is still tried, once, as the target
    /// takes it.
    pub(crate) fn retire(self: &Arc<Self>, until: Offset, now: Timestamp) {
        self.lock().retire(until, now);
        self.wake();
    }

    /// Ends what has had no rule since then, and has a target that takes nothing. See
    /// [`Inner::give_up`].
    pub(crate) fn give_up(&self, since: Timestamp) -> Option<u64> {
        self.lock().give_up(since)
    }

    /// Undoes [`Lane::give_up`].
    pub(crate) fn go_on(self: &Arc<Self>) {
        self.lock().go_on();
        self.wake();
    }

    /// Takes deliveries back that a redrive has written down as postponed.
    pub(crate) fn resume(self: &Arc<Self>, waiting: Vec<Postponed>) {
        self.lock().resume(waiting);
        self.wake();
    }

    /// Starts nothing more until it is told to go on; what is under way ends.
    pub(crate) fn pause(self: &Arc<Self>, paused: Option<Stopped>) {
        self.lock().pause(paused);
        self.wake();
    }

    /// The target of a replay is paused, or no longer.
    pub(crate) fn pause_target(self: &Arc<Self>, paused: Option<Stopped>) {
        self.lock().pause_target(paused);
        self.wake();
    }

    /// Has an open circuit probe at once. False when none is open.
    pub(crate) fn probe_now(self: &Arc<Self>, now: Timestamp) -> bool {
        let probes = self.lock().probe_now(now);
        self.wake();
        probes
    }

    /// Its replay is cancelled: it ends with what is under way.
    pub(crate) fn cancel(self: &Arc<Self>, stopped: Stopped) {
        self.lock().cancel(stopped);
        self.wake();
    }

    /// Whether the target has said it is gone. Nothing is sent until somebody says that it is not.
    pub(crate) fn disable(self: &Arc<Self>, disabled: Option<Stopped>) {
        self.lock().disable(disabled);
        self.wake();
    }

    /// How many attempts a second, instead of what the rule says.
    pub(crate) fn set_rate(self: &Arc<Self>, rate: Option<f64>) {
        self.lock().set_rate(rate);
        self.wake();
    }

    pub(crate) fn take_change(&self, dispatched: Offset, is_forced: Forced) -> Option<Change> {
        self.lock().take_change(dispatched, is_forced)
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
