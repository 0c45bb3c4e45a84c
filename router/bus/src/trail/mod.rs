//! The delivery log: every attempt, with its answer, so that any event can be asked what became of it.
//!
//! ```text
//! attempts ──▶ queue ──▶ one task, a few times a second ──▶ data/attempts/ (a chain without syncs)
//! ```
//!
//! # Invariants
//!
//! - **nothing silent**: an attempt is in the queue before its outcome is written down.
//! - An attempt never waits for the log, and never fails because of it. When the queue is full, the
//!   writing down of outcomes waits; when the disk does not take the log, it is counted and given up.
//! - bounded: the queue by `queued_max` and what is attempted until outcomes are written down; the log
//!   by its age and its bytes.
//!
//! # Not here
//!
//! - Durability: the last second may be missing after a crash. What is owed stands elsewhere.

mod fate;
mod line;
mod log;
mod origin;
mod payloads;
mod places;
mod search;
mod standing;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::{Interval, MissedTickBehavior};

pub use fate::{DeliveryFate, DeliveryState, Fate, NearlyMatched, Place, Unreadable};
pub use line::{AttemptRecord, AttemptResult};
pub(crate) use line::{Line, Sent};
pub(crate) use log::Log;
pub use origin::Origin;
pub use payloads::{DeliveryPayload, PayloadMade};
pub use search::{EventSearch, FoundEvent, FoundEvents, SearchError};
pub(crate) use standing::stop;

use crate::core::Core;

/// Attempts after which the log is written before its time.
const BATCH: usize = 4096;
/// How often what was begun is written at least.
const WRITE_EVERY: Duration = Duration::from_millis(500);
/// How many turns of writing lie between two looks at what is too old.
const EXPIRE_EVERY: u32 = 120;

/// How much of the past the delivery log keeps.
#[derive(Debug, Clone)]
pub struct DeliveryLog {
    pub age: Duration,
    /// On disk.
    pub bytes: u64,
    /// Attempts that wait to be written; beyond, outcomes are not written down until they are.
    pub queued_max: usize,
}

impl Default for DeliveryLog {
    fn default() -> Self {
        Self { age: Duration::from_secs(7 * 86_400), bytes: 1 << 30, queued_max: 100_000 }
    }
}

/// What the delivery log says of itself.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DeliveryLogStatus {
    pub attempts: u64,
    pub segments: usize,
    /// On disk.
    pub bytes: u64,
    /// Attempts that wait to be written.
    pub queued: usize,
    /// Attempts since the start of the process that the disk did not take.
    pub lost: u64,
    /// Why the log is not written now, if it is not.
    pub stopped: Option<String>,
}

pub(crate) struct Trail {
    /// None when it could not be opened.
    log: Option<Arc<Log>>,
    queued_max: usize,
    queue: Mutex<Vec<Line>>,
    /// The queue has a batch.
    filled: Notify,
    /// The queue has room again.
    emptied: Notify,
    /// Held by who writes, so that lines stay in order.
    writing: tokio::sync::Mutex<()>,
    lost: AtomicU64,
    stopped: Mutex<Option<String>>,
}

impl Trail {
    /// `log`: or why there is none.
    pub(crate) fn new(options: &DeliveryLog, log: Result<Log, String>) -> Self {
        let (log, stopped) = match log {
            Ok(log) => (Some(Arc::new(log)), None),
            Err(reason) => (None, Some(reason)),
        };
        Self {
            log,
            queued_max: options.queued_max.max(1),
            queue: Mutex::default(),
            filled: Notify::new(),
            emptied: Notify::new(),
            writing: tokio::sync::Mutex::default(),
            lost: AtomicU64::new(0),
            stopped: Mutex::new(stopped),
        }
    }

    /// Puts an attempt down. It takes a moment, and never waits.
    pub(crate) fn attempt(&self, line: Line) {
        if self.log.is_none() {
            return;
        }
        let queued = {
            let mut queue = self.queue();
            queue.push(line);
            queue.len()
        };
        if queued == BATCH {
            self.filled.notify_one();
        }
    }

    /// Waits until the queue has room.
    pub(crate) async fn room(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.queue().len() < self.queued_max {
                return;
            }
            self.filled.notify_one();
            emptied.await;
        }
    }

    pub(crate) fn status(&self) -> DeliveryLogStatus {
        let log = self.log.as_ref().map(|log| log.stats()).unwrap_or_default();
        DeliveryLogStatus {
            attempts: log.records,
            segments: log.segments,
            bytes: log.bytes,
            queued: self.queue().len(),
            lost: self.lost.load(Ordering::Relaxed),
            stopped: self.stopped().clone(),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Vec<Line>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> MutexGuard<'_, Option<String>> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what was not taken, and says once why, and once that it is over.
    fn written(&self, lost: usize, trouble: Option<String>) {
        self.lost.fetch_add(u64::try_from(lost).unwrap_or(u64::MAX), Ordering::Relaxed);
        let mut stopped = self.stopped();
        match (&*stopped, &trouble) {
            (None, Some(reason)) => {
                tracing::warn!(%reason, "the delivery log cannot be written: attempts are not recorded; deliveries go on");
            }
            (Some(_), None) => tracing::info!("the delivery log is written again"),
            _ => (),
        }
        *stopped = trouble;
    }
}

/// Writes the log until the router stops; the rest is the shutdown's.
pub(crate) async fn run(core: Arc<Core>) {
    let (mut turn, mut times) = (0_u32, times());
    while !core.stop.is_cancelled() {
        let wholly = tokio::select! {
            biased;
            () = core.stop.cancelled() => return,
            wholly = due(&mut times, &core.trail.filled) => wholly,
        };
        core.write_trail(wholly).await;
        if wholly == Wholly::Yes {
            turn = turn.wrapping_add(1);
            if turn.is_multiple_of(EXPIRE_EVERY) {
                core.expire_trail().await;
            }
        }
    }
}

/// When the log is written in any case; the first time after a while.
fn times() -> Interval {
    let mut times = tokio::time::interval(WRITE_EVERY);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    times.reset();
    times
}

/// Waits until the log is to be written. However fast the queue fills, the time comes.
async fn due(times: &mut Interval, filled: &Notify) -> Wholly {
    tokio::select! {
        biased;
        _ = times.tick() => Wholly::Yes,
        () = filled.notified() => Wholly::No,
    }
}

/// Whether a block that is not full is written, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wholly {
    Yes,
    No,
}

impl Core {
    /// Moves the queue into the log.
    pub(crate) async fn write_trail(&self, wholly: Wholly) {
        let Some(log) = self.trail.log.clone() else { return };
        let _turn = self.trail.writing.lock().await;
        let lines = std::mem::take(&mut *self.trail.queue());
        self.trail.emptied.notify_waiters();
        let (lost, trouble) = self.outside.blocking(move || log.write(&lines, wholly)).await;
        self.trail.written(lost, trouble);
    }

    /// Writes the last lines of this process. What the disk does not take now is lost.
    pub(crate) async fn close_trail(&self) {
        self.write_trail(Wholly::Yes).await;
        let lost = self.trail.log.as_ref().map_or(0, |log| log.unwritten());
        if 0 < lost {
            self.trail.lost.fetch_add(u64::try_from(lost).unwrap_or(u64::MAX), Ordering::Relaxed);
            tracing::warn!(
                lost,
                "the last attempts are not recorded: the delivery log could not be written before the stop"
            );
        }
    }

    async fn expire_trail(&self) {
        let Some(log) = self.trail.log.clone() else { return };
        let (now, keep) = (self.clock.now(), self.options.delivery_log.clone());
        self.outside.blocking(move || log.expire(&keep, now)).await;
    }
}

#[cfg(test)]
mod tests;
