//! The lanes that have something to do, each at most once, in the order they came; and how many
//! works may be under way in all.
//!
//! # Invariants
//!
//! - A lane that is woken is looked at afterwards, however often it is woken.
//! - **no neighbour**: a lane may have as many works under way as there is room left for others, so
//!   that however many lanes are stuck, one that has nothing under way finds room.
//! - Whoever was refused for want of room is looked at again when a work ends: one after the other, until
//!   one starts something.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Lane;

pub(crate) struct Ready {
    queues: Mutex<Queues>,
    pushed: Notify,
    numbers: AtomicU64,
    /// Works under way, of all lanes.
    in_flight: AtomicUsize,
    in_flight_max: usize,
    /// Crowded lanes that may still be looked at because a work ended.
    chances: AtomicUsize,
}

#[derive(Default)]
struct Queues {
    ready: VecDeque<Arc<Lane>>,
    /// Lanes that found no room for another work.
    crowded: VecDeque<Arc<Lane>>,
}

impl Ready {
    pub(crate) fn new(in_flight_max: usize) -> Arc<Self> {
        Arc::new(Self {
            queues: Mutex::default(),
            pushed: Notify::new(),
            numbers: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            in_flight_max,
            chances: AtomicUsize::new(0),
        })
    }

    pub(super) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Called by [`Lane::wake`], which sees to it that a lane is in here once.
    pub(super) fn push(&self, lane: Arc<Lane>) {
        self.queues().ready.push_back(lane);
        self.pushed.notify_one();
    }

    pub(super) fn pop(&self) -> Option<Arc<Lane>> {
        self.queues().ready.pop_front()
    }

    /// Has the driver come back at once.
    pub(super) fn again(&self) {
        self.pushed.notify_one();
    }

    pub(super) async fn wait(&self) {
        self.pushed.notified().await;
    }

    /// Room for one more work of a lane that has `running` under way.
    pub(super) fn has_room(&self, running: usize) -> bool {
        let taken = self.in_flight.load(Ordering::Acquire);
        running < self.in_flight_max.saturating_sub(taken)
    }

    pub(super) fn began(&self) {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
    }

    /// Has the lane looked at again when there is more room.
    pub(super) fn crowd(&self, lane: Arc<Lane>) {
        if lane.is_crowded.swap(true, Ordering::AcqRel) {
            return;
        }
        self.queues().crowded.push_back(lane);
        // The last work may have ended just now.
        if self.in_flight.load(Ordering::Acquire) == 0 {
            self.admit();
        } else {
            self.pass_on();
        }
    }

    /// A lane that was let in has started nothing: perhaps the next one can.
    pub(super) fn pass_on(&self) {
        let one_less = |chances: usize| chances.checked_sub(1);
        let has_room = self.in_flight.load(Ordering::Acquire) < self.in_flight_max;
        let (order, chances) = (Ordering::AcqRel, &self.chances);
        if has_room && chances.fetch_update(order, Ordering::Acquire, one_less).is_ok() {
            self.admit();
        }
    }

    pub(super) fn ended(&self) {
        self.in_flight.fetch_sub(1, Ordering::AcqRel);
        let others = self.queues().crowded.len().saturating_sub(1);
        // Each of them once at most: two that have too much under way would let each other in for ever.
        self.chances.store(others, Ordering::Release);
        self.admit();
    }

    fn admit(&self) {
        let first = self.queues().crowded.pop_front();
        if let Some(lane) = first {
            lane.is_crowded.store(false, Ordering::Release);
            lane.wake();
        }
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use journal::Offset;

    use super::*;
    use crate::key::Key;
    use crate::lane::Bounds;
    use crate::state::Subscription;
    use crate::testing;

    fn lane(ready: &Arc<Ready>, target: &str) -> Arc<Lane> {
        let bounds = Bounds {
            queue_max: 1,
            queue_bytes_max: 1,
            postponed_max: 1,
            window_max: 1,
            concurrency: 1,
            replaying: 1,
        };
        let stored = Subscription::new(Key::live("default", "rule", target), Offset::new(0));
        Lane::new(stored, testing::route(), bounds, Offset::new(0), ready)
    }

    /// As the driver does: looks at the lane that is let in, which has `running` works under way.
    fn look(ready: &Arc<Ready>, running: impl Fn(&Lane) -> usize) -> Option<String> {
        let lane = ready.pop()?;
        lane.is_ready.store(false, Ordering::Release);
        let name = lane.key.target.as_ref().to_owned();
        if ready.has_room(running(&lane)) {
            ready.began();
        } else {
            ready.crowd(lane);
        }
        Some(name)
    }

    #[test]
    fn room_that_the_first_may_not_take_is_for_the_next_at_once() {
        let ready = Ready::new(4);
        for _ in 0..4 {
            ready.began();
        }
        for target in ["slow", "slower", "idle"] {
            ready.crowd(lane(&ready, target));
        }
        let running = |lane: &Lane| if &*lane.key.target == "idle" { 0 } else { 2 };
        ready.ended();
        let looked: Vec<_> = std::iter::from_fn(|| look(&ready, running)).take(9).collect();
        assert_eq!(looked, ["slow", "slower", "idle"], "each once, until one takes it");
        ready.ended();
        let looked: Vec<_> = std::iter::from_fn(|| look(&ready, running)).take(9).collect();
        assert_eq!(looked, ["slow", "slower"], "nobody goes round for ever");
    }
}
