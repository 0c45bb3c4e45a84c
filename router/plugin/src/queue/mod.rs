//! Queues of blocking jobs for async callers, which share the plugin threads fairly.
//!
//! ```text
//! admit ─▶ waiting jobs of a queue ─▶ a turn: up to 64 together, on the thread that comes first ─▶ answers
//! ```
//!
//! # Invariants
//!
//! - bounded: each queue has room for so many jobs, waiting or running; whoever brings one more waits for room.
//! - **no neighbour**: queues share the threads by the CPU time they use, see [`schedule`].
//! - A job that its turn has not come to keeps its place and its room, and is run in the next one.
//! - A job whose caller has gone before its turn is not run. A panic is its callers', not the thread's.

mod crew;
mod nice;
mod schedule;
mod turn;
mod work;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

pub(crate) use crew::Crew;
pub use nice::step_back;
use schedule::QueueId;
pub use turn::turn_is_over;
use work::{Job, Work};

/// The bounds of one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueOptions {
    /// Jobs that are run together.
    pub batch_max: usize,
    /// Jobs that wait or run.
    pub jobs_max: usize,
    /// Threads that serve it at once.
    pub turns_max: usize,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self { batch_max: 64, jobs_max: 128, turns_max: usize::MAX }
    }
}

/// What a turn did with a job.
#[derive(Debug)]
pub enum Done<J, R> {
    With(R),
    /// The turn was over before: see [`turn_is_over`].
    Not(J),
}

/// What a queue has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub jobs: u64,
    pub cpu: Duration,
    /// Whether its jobs take so long that they run at low priority.
    pub is_slow: bool,
}

/// Jobs of one kind, done in turn with those of other queues. Cheap to clone; the queue ends with the last handle.
pub struct Queue<J, R> {
    inner: Arc<Inner<J, R>>,
}

struct Inner<J, R> {
    id: QueueId,
    crew: Arc<Crew>,
    work: Arc<Work<J, R>>,
    room: Arc<Semaphore>,
    jobs_max: usize,
}

/// Room for one job.
pub struct Admission<J, R> {
    queue: Queue<J, R>,
    room: OwnedSemaphorePermit,
}

impl<J: Send + 'static, R: Send + 'static> Queue<J, R> {
    /// `run` gets the jobs of a turn and says of each, in their order, what became of it. Of those that it is given it
    /// has to do one at least.
    pub(crate) fn new(
        crew: &Arc<Crew>,
        name: &str,
        options: QueueOptions,
        run: impl Fn(Vec<J>) -> Vec<Done<J, R>> + Send + Sync + 'static,
    ) -> Self {
        let work = Arc::new(Work::new(name.to_owned(), Box::new(run)));
        let served: Arc<dyn work::Serve> = Arc::<Work<J, R>>::clone(&work);
        let id = crew.add((options.batch_max, options.turns_max), served);
        let jobs_max = options.jobs_max.max(1);
        let room = Arc::new(Semaphore::new(jobs_max));
        Self { inner: Arc::new(Inner { id, crew: Arc::clone(crew), work, room, jobs_max }) }
    }

    /// Waits for room for one job.
    pub async fn admit(&self) -> Admission<J, R> {
        let room = Arc::clone(&self.inner.room).acquire_owned().await;
        Admission { queue: self.clone(), room: room.expect("it is never closed") }
    }

    /// Room for one job, if there is.
    pub fn try_admit(&self) -> Option<Admission<J, R>> {
        let room = Arc::clone(&self.inner.room).try_acquire_owned().ok()?;
        Some(Admission { queue: self.clone(), room })
    }

    /// Room for so many jobs, if there is for all of them: for as many as the queue holds, at most.
    pub fn try_admit_many(&self, jobs: usize) -> Option<Vec<Admission<J, R>>> {
        let jobs = self.inner.at_most(jobs);
        let mut room = Arc::clone(&self.inner.room).try_acquire_many_owned(jobs).ok()?;
        let one = |room| Admission { queue: self.clone(), room };
        Some(std::iter::from_fn(|| room.split(1)).map(one).collect())
    }

    /// Waits until there is room for so many jobs. It may be gone again when somebody comes to take it.
    pub async fn wait_for_room(&self, jobs: usize) {
        let room = Arc::clone(&self.inner.room).acquire_many_owned(self.inner.at_most(jobs)).await;
        drop(room.expect("it is never closed"));
    }
}

impl<J, R> Inner<J, R> {
    fn at_most(&self, jobs: usize) -> u32 {
        u32::try_from(jobs.min(self.jobs_max)).unwrap_or(u32::MAX)
    }
}

impl<J, R> Queue<J, R> {
    /// What its jobs have used so far.
    pub fn spent(&self) -> Usage {
        self.inner.work.totals()
    }
}

impl<J, R> Admission<J, R> {
    /// Has a job run in its turn; nobody waits for what comes of it.
    pub fn leave(self, job: J) {
        let Self { queue, room } = self;
        queue.inner.work.push(Job { job, answer: None, room });
        queue.inner.crew.push(queue.inner.id);
    }

    /// Runs a job in its turn.
    ///
    /// # Panics
    ///
    /// When a job of its turn does.
    pub async fn run(self, job: J) -> R {
        let Self { queue, room } = self;
        let (answer, answered) = oneshot::channel();
        queue.inner.work.push(Job { job, answer: Some(answer), room });
        queue.inner.crew.push(queue.inner.id);
        match answered.await {
            Ok(Ok(result)) => result,
            Ok(Err(words)) => panic!("{words}"),
            Err(_) => unreachable!("a job is dropped without an answer only when its caller is"),
        }
    }
}

impl<J, R> Clone for Queue<J, R> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<J, R> Drop for Inner<J, R> {
    fn drop(&mut self) {
        self.crew.remove(self.id);
    }
}

impl<J, R> std::fmt::Debug for Queue<J, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("id", &self.inner.id).finish_non_exhaustive()
    }
}

impl<J, R> std::fmt::Debug for Admission<J, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admission").field("queue", &self.queue).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
