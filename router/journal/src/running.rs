//! What does a journal's work: two threads, or in simulations nobody but who asks.
//!
//! # Invariants
//!
//! - The folder's lock is freed last, when nothing writes any more.

use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle},
};

use crate::{
    Options,
    commit::{self, Shared},
    disk::Lock,
    writer::Writer,
};

pub(crate) enum Running {
    Threads { committing: JoinHandle<()>, preparing: JoinHandle<()>, lock: Lock },
    Inline(Box<Inline>),
}

pub(crate) struct Inline {
    /// `None` once it has failed.
    writer: Option<Writer>,
    lock: Lock,
}

impl Running {
    pub(crate) fn start(
        shared: &Arc<Shared>,
        writer: Writer,
        options: &Options,
        lock: Lock,
    ) -> io::Result<Self> {
        if options.inline {
            return Ok(Self::Inline(Box::new(Inline { writer: Some(writer), lock })));
        }
        let committer = Arc::clone(shared);
        let committing = thread::Builder::new()
            .name("journal-commit".to_owned())
            .spawn(move || commit::run(&committer, writer))?;
        let preparer = Arc::clone(shared);
        let preparing = thread::Builder::new()
            .name("journal-prepare".to_owned())
            .spawn(move || preparer.spares.run())
            .inspect_err(|_error| shared.queue.close())?;
        Ok(Self::Threads { committing, preparing, lock })
    }

    /// Makes durable what was taken, and ends.
    pub(crate) fn end(self, shared: &Shared) {
        shared.queue.close();
        match self {
            Self::Threads { committing, preparing, lock } => {
                // A thread that panicked has said so in the queue's reason for stopping.
                let committing = committing.join();
                shared.spares.close();
                let preparing = preparing.join();
                if committing.is_err() || preparing.is_err() {
                    tracing::error!("a thread of the journal has died");
                }
                drop(lock);
            }
            Self::Inline(mut inline) => {
                while inline.commit(shared) {}
                drop(commit::End(shared));
                drop(inline.lock);
            }
        }
    }

    pub(crate) fn turn(&mut self, shared: &Shared) -> bool {
        match self {
            Self::Threads { .. } => false,
            Self::Inline(inline) => {
                inline.commit(shared) || (inline.writer.is_some() && shared.spares.prepare_inline())
            }
        }
    }
}

impl Inline {
    /// False when nothing has gathered.
    fn commit(&mut self, shared: &Shared) -> bool {
        let Some(writer) = &mut self.writer else { return false };
        let Some(group) = shared.queue.try_next() else { return false };
        shared.commit(group, writer, &mut || shared.spares.take_inline());
        if shared.queue.stop_reason().is_some() {
            self.writer = None;
            drop(commit::End(shared));
        }
        true
    }
}
