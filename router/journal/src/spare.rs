//! The next segment, prepared by a thread of its own before it is needed.
//!
//! # Invariants
//!
//! - One spare is kept ready. Whoever takes it waits only when it is not ready yet, or when
//!   preparing has failed: then for one more try.
//! - A failed try changes nothing and is made again, after a second or when a segment is needed.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::segment::{Recipe, Segment};

const RETRY: Duration = Duration::from_secs(1);

pub(crate) struct Spares {
    state: Mutex<State>,
    changed: Condvar,
    closing: AtomicBool,
}

struct State {
    ready: VecDeque<Arc<Segment>>,
    next_epoch: u64,
    /// Tries that have ended.
    tries: u64,
    /// How the last try failed.
    failed: Option<Arc<str>>,
    /// Somebody waits for a segment.
    wanted: bool,
    /// Bytes of the segments that were made, for the statistics.
    made_bytes: u64,
    made: usize,
}

impl Spares {
    pub(crate) fn new(ready: Vec<Arc<Segment>>, next_epoch: u64) -> Self {
        let state = State {
            ready: ready.into(),
            next_epoch,
            tries: 0,
            failed: None,
            wanted: false,
            made_bytes: 0,
            made: 0,
        };
        Self { state: Mutex::new(state), changed: Condvar::new(), closing: AtomicBool::new(false) }
    }

    /// The next segment in order of epochs, or why there is none.
    pub(crate) fn take(&self) -> Result<Arc<Segment>, Arc<str>> {
        let mut state = self.lock();
        let tries = state.tries;
        loop {
            if let Some(segment) = state.ready.pop_front() {
                state.wanted = false;
                self.changed.notify_all();
                return Ok(segment);
            }
            if self.closing.load(Ordering::Relaxed) {
                return Err("the journal is closing".into());
            }
            // The try that is under way when we come counts: it has seen the disk as it is now.
            if tries < state.tries
                && let Some(reason) = &state.failed
            {
                return Err(Arc::clone(reason));
            }
            state.wanted = true;
            self.changed.notify_all();
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The same without a thread that prepares: what is missing is made now.
    pub(crate) fn take_inline(&self, recipe: &Recipe) -> Result<Arc<Segment>, Arc<str>> {
        if self.lock().ready.is_empty() {
            self.prepare_inline(recipe);
        }
        let mut state = self.lock();
        let reason = state.failed.clone();
        state.ready.pop_front().ok_or_else(|| reason.unwrap_or_else(|| "there is none".into()))
    }

    /// Makes a spare when there is none; false when there is one already, or still none.
    pub(crate) fn prepare_inline(&self, recipe: &Recipe) -> bool {
        let mut state = self.lock();
        if !state.ready.is_empty() {
            return false;
        }
        let made = recipe.prepare(state.next_epoch, &self.closing);
        state.end_try(made, recipe);
        !state.ready.is_empty()
    }

    /// Prepares segments until [`Spares::close`].
    pub(crate) fn run(&self, recipe: &Recipe) {
        let mut state = self.lock();
        while !self.closing.load(Ordering::Relaxed) {
            if !state.ready.is_empty() {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else if state.failed.is_some() && !state.wanted {
                let waited =
                    self.changed.wait_timeout(state, RETRY).unwrap_or_else(PoisonError::into_inner);
                state = waited.0;
                state.wanted |= waited.1.timed_out();
            } else {
                let epoch = state.next_epoch;
                drop(state);
                let made = recipe.prepare(epoch, &self.closing);
                state = self.lock();
                state.end_try(made, recipe);
                self.changed.notify_all();
            }
        }
        self.changed.notify_all();
    }

    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        drop(self.lock()); // Nobody is now between looking at `closing` and waiting.
        self.changed.notify_all();
    }

    /// Why there is no segment ready, when the last try has failed.
    pub(crate) fn failure(&self) -> Option<Arc<str>> {
        self.lock().failed.clone()
    }

    /// How many segments were made, and their bytes.
    pub(crate) fn made(&self) -> (usize, u64) {
        let state = self.lock();
        (state.made, state.made_bytes)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end_try(&mut self, made: io::Result<Arc<Segment>>, recipe: &Recipe) {
        self.tries += 1;
        self.wanted = false;
        match made {
            Ok(segment) => {
                if self.failed.take().is_some() {
                    tracing::info!("journal has room again");
                }
                self.next_epoch += 1;
                self.made += 1;
                self.made_bytes += segment.size;
                self.ready.push_back(segment);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => {
                if self.failed.is_none() {
                    tracing::warn!(%error, "journal segment not prepared: appends will be refused");
                }
                let folder = recipe.disk.path("");
                let reason = format!(
                    "prepare the next segment in {}: {error}; make room on that disk",
                    folder.display()
                );
                self.failed = Some(reason.into());
            }
        }
    }
}
