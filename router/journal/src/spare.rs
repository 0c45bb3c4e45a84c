//! The next segment, prepared by a thread of its own before it is needed: a free one that is used
//! again, or a new one.
//!
//! # Invariants
//!
//! - A free segment is used again when nobody reads it any more: nobody else has a handle to it.
//! - bounded: [`FREE_MAX`] free segments wait to be used again, the others are removed.
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

use crate::{
    layout,
    segment::{Recipe, Segment},
};

const RETRY: Duration = Duration::from_secs(1);
/// Free segments that are kept.
const FREE_MAX: usize = 2;

pub(crate) struct Spares {
    recipe: Recipe,
    state: Mutex<State>,
    changed: Condvar,
    closing: AtomicBool,
}

struct State {
    ready: VecDeque<Arc<Segment>>,
    /// Sealed whole. They still have the names of their last epochs.
    free: Vec<Arc<Segment>>,
    next_epoch: u64,
    /// Tries that have ended.
    tries: u64,
    /// How the last try failed.
    failed: Option<Arc<str>>,
    /// Somebody waits for a segment.
    wanted: bool,
    files: Files,
}

/// The segment files that there are.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Files {
    pub(crate) count: usize,
    pub(crate) bytes: u64,
    /// Segments that were used again since the start.
    pub(crate) reused: u64,
}

impl Spares {
    pub(crate) fn new(
        recipe: Recipe,
        ready: Vec<Arc<Segment>>,
        next_epoch: u64,
        files: Files,
    ) -> Self {
        let state = State {
            ready: ready.into(),
            free: Vec::new(),
            next_epoch,
            tries: 0,
            failed: None,
            wanted: false,
            files,
        };
        Self {
            recipe,
            state: Mutex::new(state),
            changed: Condvar::new(),
            closing: AtomicBool::new(false),
        }
    }

    /// Takes segments that are sealed whole. `store` must say so durably.
    pub(crate) fn free(&self, segments: Vec<Arc<Segment>>) {
        let mut surplus = Vec::new();
        {
            let mut state = self.lock();
            state.free.extend(segments);
            state.free.retain(|segment| {
                let is_kept = segment.size == self.recipe.size;
                if !is_kept {
                    surplus.push(Arc::clone(segment));
                }
                is_kept
            });
            while FREE_MAX < state.free.len() {
                surplus.push(state.free.remove(0));
            }
            state.files.count -= surplus.len();
            state.files.bytes -= surplus.iter().map(|segment| segment.size).sum::<u64>();
            // A full disk may have made room now.
            state.wanted |= state.failed.is_some();
        }
        for segment in surplus {
            // Who reads it reads on: the file goes with the last handle.
            self.recipe.remove(&layout::segment_name(segment.epoch));
        }
        self.changed.notify_all();
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
    pub(crate) fn take_inline(&self) -> Result<Arc<Segment>, Arc<str>> {
        if self.lock().ready.is_empty() {
            self.prepare_inline();
        }
        let mut state = self.lock();
        let reason = state.failed.clone();
        state.ready.pop_front().ok_or_else(|| reason.unwrap_or_else(|| "there is none".into()))
    }

    /// Makes a spare when there is none; false when there is one already, or still none.
    pub(crate) fn prepare_inline(&self) -> bool {
        let mut state = self.lock();
        if !state.ready.is_empty() {
            return false;
        }
        let (epoch, free) = (state.next_epoch, state.take_free());
        drop(state);
        self.prepare(epoch, free);
        !self.lock().ready.is_empty()
    }

    /// Makes the segment of this epoch, of a free one if there is one.
    fn prepare(&self, epoch: u64, free: Option<Arc<Segment>>) {
        let is_new = free.is_none();
        let made = match free {
            Some(free) => self.recipe.reuse(&free, epoch),
            None => self.recipe.prepare(epoch, &self.closing),
        };
        self.lock().end_try(made, is_new, &self.recipe);
    }

    /// Prepares segments until [`Spares::close`].
    pub(crate) fn run(&self) {
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
                let (epoch, free) = (state.next_epoch, state.take_free());
                drop(state);
                self.prepare(epoch, free);
                state = self.lock();
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

    pub(crate) fn files(&self) -> Files {
        self.lock().files
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A free segment that nobody reads.
    fn take_free(&mut self) -> Option<Arc<Segment>> {
        // Handles come from the log, which has none of it any more: a last one stays the last.
        let unread = self.free.iter().position(|segment| Arc::strong_count(segment) == 1);
        unread.map(|index| self.free.remove(index))
    }

    fn end_try(&mut self, made: io::Result<Arc<Segment>>, is_new: bool, recipe: &Recipe) {
        self.tries += 1;
        self.wanted = false;
        match made {
            Ok(segment) => {
                if self.failed.take().is_some() {
                    tracing::info!("journal has room again");
                }
                self.next_epoch += 1;
                if is_new {
                    self.files.count += 1;
                    self.files.bytes += segment.size;
                } else {
                    self.files.reused += 1;
                }
                self.ready.push_back(segment);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => {
                if !is_new {
                    // It was removed, because nobody knows what it is now.
                    self.files.count -= 1;
                    self.files.bytes -= recipe.size;
                }
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
