//! What becomes of a group, and who waits for it.
//!
//! One commit answers hundreds of appends. Each waits at its group alone, so that a commit wakes
//! those that it answers and nobody else; they wait by a waker in a list, not by a channel each.
//!
//! The commit thread wakes one, and that one wakes the others from where it runs: inside of an
//! async runtime a wake-up is a push to a queue of its own thread, outside it is a lock that all
//! threads want. `benches/appenders.rs` measured half the processor time per append of waiting at
//! one channel for all, and of waking all from the commit thread.
//!
//! # Invariants
//!
//! - A result is there before a waiter is woken, and whoever begins to wait after it sees it: both
//!   happen under one lock.
//! - Nobody is forgotten: who was woken first wakes the others when it is polled, or dropped.
//! - bounded: a group has a waker per append at most.

use std::{
    mem,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll, Waker},
};

use crate::{AppendError, Offset};

/// The offset of the group's first record, or why there is none.
type Settled = Result<Offset, AppendError>;

#[derive(Debug, Default)]
pub(crate) struct Outcome {
    settled: OnceLock<Settled>,
    waiting: Mutex<Vec<Option<Waker>>>,
}

impl Outcome {
    /// Settles it and wakes one waiter, who wakes the others.
    pub(crate) fn settle(&self, result: Settled) {
        let first = {
            let mut waiting = self.lock();
            let is_first = self.settled.set(result).is_ok();
            debug_assert!(is_first, "it is settled once");
            waiting.iter_mut().find_map(Option::take)
        };
        if let Some(waker) = first {
            waker.wake();
        }
    }

    /// Wakes whoever waits for what is settled.
    pub(crate) fn wake_others(&self) {
        let waiting = mem::take(&mut *self.lock());
        waiting.into_iter().flatten().for_each(Waker::wake);
    }

    pub(crate) fn get(&self) -> Option<&Settled> {
        self.settled.get()
    }

    /// The result, or a promise to wake. `place` is the waiter's place in the list, `None` at first.
    pub(crate) fn poll(&self, place: &mut Option<usize>, context: &Context<'_>) -> Poll<&Settled> {
        if let Some(settled) = self.settled.get() {
            return Poll::Ready(settled);
        }
        let mut waiting = self.lock();
        if let Some(settled) = self.settled.get() {
            return Poll::Ready(settled);
        }
        match place {
            None => {
                *place = Some(waiting.len());
                waiting.push(Some(context.waker().clone()));
            }
            Some(place) => match &mut waiting[*place] {
                Some(waker) => waker.clone_from(context.waker()),
                empty => *empty = Some(context.waker().clone()),
            },
        }
        Poll::Pending
    }

    /// The waiter at this place has gone.
    pub(crate) fn leave(&self, place: usize) {
        let mut waiting = self.lock();
        if let Some(waker) = waiting.get_mut(place) {
            *waker = None;
        }
        drop(waiting);
        if self.settled.get().is_some() {
            self.wake_others();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<Waker>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
