//! The lanes that have something to do, each at most once, in the order they came; and how many
//! works may be under way in all.
//!
//! # Invariants
//!
//! - A lane that is woken is looked at afterwards, however often it is woken.
//! - **no neighbour**: a lane may have as many works under way as there is room left for others, so
//!   that however many lanes are stuck, one that has nothing under way finds room.
//! - Whoever was refused for want of room is looked at again when a work ends.

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
        }
    }

    pub(super) fn ended(&self) {
        self.in_flight.fetch_sub(1, Ordering::AcqRel);
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
