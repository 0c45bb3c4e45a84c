//! What waits to be written.
//!
//! # Invariants
//!
//! - bounded: batches beyond `queue_bytes_max`, waiting and in flight, wait outside for room, in
//!   order of arrival.
//! - Groups are taken in the order of their batches. The last group is open: it takes batches until
//!   it is full or taken.
//! - A group of nothing but acknowledged appends waits until it is due, until much has gathered, or
//!   until somebody waits for the room that it takes. A group that somebody waits for does not wait.
//! - After `stop` no batch gets in, and every batch inside has its result.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Semaphore;

use crate::{
    AppendError,
    group::{Batch, Durability, Group, Receipt},
    options::Monotonic,
};

pub(crate) struct Queue {
    state: Mutex<State>,
    work: Condvar,
    /// A permit per byte.
    room: Semaphore,
    capacity: usize,
    group_bytes_max: usize,
    monotonic: Monotonic,
    /// Records that are acknowledged and not yet synced.
    unsynced: AtomicU64,
}

struct State {
    groups: VecDeque<Group>,
    phase: Phase,
    /// Somebody waits for room.
    is_pressed: bool,
}

#[derive(Clone)]
enum Phase {
    Open,
    /// What is inside is still written.
    Closing,
    Stopped(Arc<str>),
}

impl Queue {
    pub(crate) fn new(capacity: usize, group_bytes_max: usize, monotonic: Monotonic) -> Self {
        let state = State { groups: VecDeque::new(), phase: Phase::Open, is_pressed: false };
        Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            room: Semaphore::new(capacity),
            capacity,
            group_bytes_max,
            monotonic,
            unsynced: AtomicU64::new(0),
        }
    }

    /// Waits for room, then puts the batch in. Dropping the future before it ends leaves nothing
    /// behind; between getting room and getting in, nothing is awaited.
    pub(crate) async fn push(&self, batch: Batch<'_>) -> Result<Receipt, AppendError> {
        let cost = u32::try_from(batch.cost())
            .expect("a batch is no larger than a group, which is less than 4 GiB");
        let room = match self.room.try_acquire_many(cost) {
            Ok(room) => room,
            Err(_full_or_closed) => {
                self.lock().is_pressed = true;
                self.work.notify_one();
                let acquired = self.room.acquire_many(cost).await;
                acquired.map_err(|_closed| self.stopped())?
            }
        };
        let mut state = self.lock();
        if !matches!(state.phase, Phase::Open) {
            drop(state);
            return Err(self.stopped());
        }
        if batch.durability != Durability::Synced {
            self.unsynced.fetch_add(batch.payloads.len() as u64, Ordering::Relaxed);
        }
        let receipt = state.add(batch, self.group_bytes_max);
        room.forget(); // `release` gives it back.
        drop(state);
        self.work.notify_one();
        Ok(receipt)
    }

    /// The next group; waits for one. `None` when the queue is closed and empty, or has stopped.
    pub(crate) fn next(&self) -> Option<Group> {
        let mut state = self.lock();
        loop {
            match state.take((self.monotonic)(), self.much()) {
                Taken::Group(group) => return Some(*group),
                Taken::Nothing if !matches!(state.phase, Phase::Open) => return None,
                Taken::Nothing => {
                    state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                Taken::NotBefore(wait) => {
                    let waited = self.work.wait_timeout(state, wait);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    /// So much is written though it is not due: it would not be quicker with more.
    fn much(&self) -> usize {
        self.group_bytes_max / 2
    }

    /// The next group, if there is one that is due.
    pub(crate) fn try_next(&self) -> Option<Group> {
        match self.lock().take((self.monotonic)(), self.much()) {
            Taken::Group(group) => Some(*group),
            Taken::Nothing | Taken::NotBefore(_) => None,
        }
    }

    /// A group that had this cost, and so many records that were acknowledged before, is done with.
    pub(crate) fn release(&self, cost: usize, weak_records: u32) {
        self.unsynced.fetch_sub(weak_records.into(), Ordering::Relaxed);
        self.room.add_permits(cost);
    }

    /// Records that are acknowledged and not yet synced.
    pub(crate) fn unsynced(&self) -> u64 {
        self.unsynced.load(Ordering::Relaxed)
    }

    /// Lets nothing more in.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Open) {
            state.phase = Phase::Closing;
        }
        drop(state);
        self.room.close();
        self.work.notify_all();
    }

    /// Lets nothing more in, and refuses what is inside; says how many records of it were
    /// acknowledged. The first reason stays.
    pub(crate) fn stop(&self, reason: Arc<str>) -> u64 {
        let mut lost = 0;
        let mut state = self.lock();
        if !matches!(state.phase, Phase::Stopped(_)) {
            state.phase = Phase::Stopped(Arc::clone(&reason));
        }
        for group in state.groups.drain(..) {
            lost += u64::from(group.weak_records);
            group.resolve(Err(AppendError::Stopped { reason: Arc::clone(&reason) }));
        }
        drop(state);
        self.unsynced.fetch_sub(lost, Ordering::Relaxed);
        self.room.close();
        self.work.notify_all();
        lost
    }

    /// Why it has stopped.
    pub(crate) fn stop_reason(&self) -> Option<Arc<str>> {
        match &self.lock().phase {
            Phase::Stopped(reason) => Some(Arc::clone(reason)),
            Phase::Open | Phase::Closing => None,
        }
    }

    /// Bytes waiting and in flight.
    pub(crate) fn bytes(&self) -> usize {
        self.capacity.saturating_sub(self.room.available_permits())
    }

    pub(crate) fn stopped(&self) -> AppendError {
        AppendError::Stopped { reason: self.stop_reason().unwrap_or_else(|| CLOSED.into()) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What there is to be done.
enum Taken {
    Group(Box<Group>),
    /// The next group has so long.
    NotBefore(Duration),
    Nothing,
}

impl State {
    fn take(&mut self, now: Duration, much: usize) -> Taken {
        let Some(first) = self.groups.front() else { return Taken::Nothing };
        let is_last = self.groups.len() == 1;
        if let Some(due) = first.due
            && is_last
            && matches!(self.phase, Phase::Open)
            && !self.is_pressed
            && first.cost < much
            && now < due
        {
            return Taken::NotBefore(due.saturating_sub(now));
        }
        self.is_pressed = false;
        self.groups.pop_front().map_or(Taken::Nothing, |group| Taken::Group(Box::new(group)))
    }

    fn add(&mut self, batch: Batch<'_>, group_bytes_max: usize) -> Receipt {
        let batch = match self.groups.back_mut() {
            None => batch,
            Some(last) => match last.add(batch, group_bytes_max) {
                Ok(receipt) => return receipt,
                Err(batch) => batch,
            },
        };
        let mut group = Group::default();
        let receipt = group
            .add(batch, group_bytes_max)
            .expect("an empty group holds any batch that was checked");
        self.groups.push_back(group);
        receipt
    }
}

/// The reason for stopping that is none.
pub(crate) const CLOSED: &str = "it was closed";
