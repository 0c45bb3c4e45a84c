//! What waits to be written.
//!
//! # Invariants
//!
//! - bounded: batches beyond `queue_bytes_max`, waiting and in flight, wait outside for room, in
//!   order of arrival.
//! - Groups are taken in the order of their batches. The last group is open: it takes batches until
//!   it is full or taken.
//! - After `stop` no batch gets in, and every batch inside has its result.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Semaphore;

use crate::{
    AppendError,
    group::{Batch, Group, Receipt},
};

pub(crate) struct Queue {
    state: Mutex<State>,
    work: Condvar,
    /// A permit per byte.
    room: Semaphore,
    capacity: usize,
    group_bytes_max: usize,
}

struct State {
    groups: VecDeque<Group>,
    phase: Phase,
}

#[derive(Clone)]
enum Phase {
    Open,
    /// What is inside is still written.
    Closing,
    Stopped(Arc<str>),
}

impl Queue {
    pub(crate) fn new(capacity: usize, group_bytes_max: usize) -> Self {
        Self {
            state: Mutex::new(State { groups: VecDeque::new(), phase: Phase::Open }),
            work: Condvar::new(),
            room: Semaphore::new(capacity),
            capacity,
            group_bytes_max,
        }
    }

    /// Waits for room, then puts the batch in. Dropping the future before it ends leaves nothing
    /// behind; between getting room and getting in, nothing is awaited.
    pub(crate) async fn push(&self, batch: Batch<'_>) -> Result<Receipt, AppendError> {
        let cost = u32::try_from(batch.cost())
            .expect("a batch is no larger than a group, which is less than 4 GiB");
        let Ok(room) = self.room.acquire_many(cost).await else { return Err(self.stopped()) };

        let mut state = self.lock();
        if !matches!(state.phase, Phase::Open) {
            drop(state);
            return Err(self.stopped());
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
            if let Some(group) = state.groups.pop_front() {
                return Some(group);
            }
            if !matches!(state.phase, Phase::Open) {
                return None;
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The next group, if there is one.
    pub(crate) fn try_next(&self) -> Option<Group> {
        self.lock().groups.pop_front()
    }

    /// The group that had this cost is done with.
    pub(crate) fn release(&self, cost: usize) {
        self.room.add_permits(cost);
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

    /// Lets nothing more in, and refuses what is inside. The first reason stays.
    pub(crate) fn stop(&self, reason: Arc<str>) {
        let mut state = self.lock();
        if !matches!(state.phase, Phase::Stopped(_)) {
            state.phase = Phase::Stopped(Arc::clone(&reason));
        }
        for group in state.groups.drain(..) {
            group.resolve(Err(AppendError::Stopped { reason: Arc::clone(&reason) }));
        }
        drop(state);
        self.room.close();
        self.work.notify_all();
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

impl State {
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
