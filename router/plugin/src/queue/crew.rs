//! The threads that plugins run on: quick ones, and slow ones of low priority for what takes long.
//!
//! # Invariants
//!
//! - A plugin that spins takes what the others leave: its thread yields to theirs.
//! - A turn that is over leaves the rest of its jobs at the front of their queue.
//! - The threads end with the last handle, after the turn they are in.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::schedule::{Kind, News, QueueId, Schedule};
use super::turn::{self, Clocks};
use super::{nice, work::Serve};

/// How much lower the priority of a slow thread is: where both want the same core, it gets a fifteenth of what a quick
/// one gets.
const SLOW_NICE: i32 = 12;

/// The handle to the threads; they end with the last one.
pub(crate) struct Crew {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    quick: Condvar,
    slow: Condvar,
    clocks: Clocks,
}

#[derive(Default)]
struct State {
    schedule: Schedule,
    queues: std::collections::BTreeMap<QueueId, Arc<dyn Serve>>,
    is_over: bool,
}

impl Crew {
    /// So many threads of each kind.
    pub(crate) fn start(threads: usize) -> io::Result<Arc<Self>> {
        Self::start_with(threads, Clocks::SYSTEM)
    }

    pub(super) fn start_with(threads: usize, clocks: Clocks) -> io::Result<Arc<Self>> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            quick: Condvar::new(),
            slow: Condvar::new(),
            clocks,
        });
        let crew = Arc::new(Self { shared: Arc::clone(&shared) });
        for index in 0..threads.max(1) {
            for (kind, name) in [(Kind::Quick, "plugin"), (Kind::Slow, "plugin-slow")] {
                let shared = Arc::clone(&shared);
                let body = move || shared.serve(kind);
                thread::Builder::new().name(format!("{name}-{index}")).spawn(body)?;
            }
        }
        Ok(crew)
    }

    pub(super) fn add(&self, bounds: (usize, usize), queue: Arc<dyn Serve>) -> QueueId {
        let mut state = self.shared.lock();
        let id = state.schedule.add(bounds);
        state.queues.insert(id, queue);
        id
    }

    pub(super) fn remove(&self, id: QueueId) {
        let mut state = self.shared.lock();
        state.schedule.remove(id);
        let removed = state.queues.remove(&id);
        drop(state);
        drop(removed); // With its jobs, whose ends may do anything.
    }

    /// A queue has one more job.
    pub(super) fn push(&self, id: QueueId) {
        let kind = self.shared.lock().schedule.push(id);
        if let Some(kind) = kind {
            self.shared.ring(kind);
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.quick.notify_all();
        self.shared.slow.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bell(&self, kind: Kind) -> &Condvar {
        match kind {
            Kind::Quick => &self.quick,
            Kind::Slow => &self.slow,
        }
    }

    fn ring(&self, kind: Kind) {
        self.bell(kind).notify_one();
    }

    /// The life of a thread.
    fn serve(&self, kind: Kind) {
        if kind == Kind::Slow {
            nice::step_back(SLOW_NICE);
        }
        let mut state = self.lock();
        while !state.is_over {
            let Some(turn) = state.schedule.pick(kind) else {
                state = self.bell(kind).wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let Some(queue) = state.queues.get(&turn.queue).map(Arc::clone) else { continue };
            // What is left is for another thread.
            let is_more = state.schedule.has_turn(kind);
            drop(state);
            if is_more {
                self.ring(kind);
            }
            let (left, cpu) = turn::within(self.clocks, || queue.serve(turn.jobs));
            state = self.lock();
            let news = state.schedule.served(&turn, left, cpu);
            let others = [Kind::Quick, Kind::Slow].map(|kind| state.schedule.has_turn(kind));
            drop(state);
            queue.spent(cpu, news);
            say(queue.name(), news, cpu);
            drop(queue);
            for (other, has_turn) in [Kind::Quick, Kind::Slow].into_iter().zip(others) {
                if has_turn && other != kind {
                    self.ring(other);
                }
            }
            state = self.lock();
        }
    }
}

fn say(queue: &str, news: News, cpu: Duration) {
    match news {
        News::None => (),
        News::NowSlow => {
            tracing::warn!(
                queue,
                ?cpu,
                "its plugin calls take long: they run on a thread of low priority, one at a time, until they are short again"
            );
        }
        News::NowQuick => tracing::info!(queue, "its plugin calls are short again"),
    }
}
