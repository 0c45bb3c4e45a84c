//! The jobs of one queue, and how they are run.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::schedule::News;
use super::{Done, Usage};

/// What a thread needs of a queue.
pub(super) trait Serve: Send + Sync {
    fn name(&self) -> &str;

    /// Runs the next `jobs`. How many it left, which are the next again.
    fn serve(&self, jobs: usize) -> usize;

    /// What a turn took.
    fn spent(&self, cpu: Duration, news: News);
}

/// What a panicking job said.
pub(super) type Panic = String;

pub(super) struct Job<J, R> {
    pub job: J,
    /// None when nobody waits for it.
    pub answer: Option<oneshot::Sender<Result<R, Panic>>>,
    pub room: OwnedSemaphorePermit,
}

impl<J, R> Job<J, R> {
    /// Whether its caller has gone.
    fn is_left(&self) -> bool {
        self.answer.as_ref().is_some_and(oneshot::Sender::is_closed)
    }
}

type Run<J, R> = Box<dyn Fn(Vec<J>) -> Vec<Done<J, R>> + Send + Sync>;

pub(super) struct Work<J, R> {
    name: String,
    waiting: Mutex<VecDeque<Job<J, R>>>,
    run: Run<J, R>,
    jobs: AtomicU64,
    cpu_nanos: AtomicU64,
    is_slow: AtomicBool,
}

impl<J, R> Work<J, R> {
    pub(super) fn new(name: String, run: Run<J, R>) -> Self {
        let (jobs, cpu_nanos) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { name, waiting: Mutex::default(), run, jobs, cpu_nanos, is_slow: false.into() }
    }

    pub(super) fn push(&self, job: Job<J, R>) {
        self.lock().push_back(job);
    }

    pub(super) fn totals(&self) -> Usage {
        Usage {
            jobs: self.jobs.load(Ordering::Relaxed),
            cpu: Duration::from_nanos(self.cpu_nanos.load(Ordering::Relaxed)),
            is_slow: self.is_slow.load(Ordering::Relaxed),
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Job<J, R>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J: Send, R: Send> Serve for Work<J, R> {
    fn name(&self) -> &str {
        &self.name
    }

    fn serve(&self, jobs: usize) -> usize {
        let taken: Vec<Job<J, R>> = {
            let mut waiting = self.lock();
            let end = jobs.min(waiting.len());
            waiting.drain(..end).collect()
        };
        let (mut inputs, mut callers) = (Vec::new(), Vec::new());
        // Whose caller has gone is for nobody.
        for Job { job, answer, room } in taken.into_iter().filter(|job| !job.is_left()) {
            inputs.push(job);
            callers.push((answer, room));
        }
        if inputs.is_empty() {
            return 0;
        }
        let count = |jobs: usize| u64::try_from(jobs).unwrap_or(u64::MAX);
        self.jobs.fetch_add(count(inputs.len()), Ordering::Relaxed);
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.run)(inputs)));
        let outcome = outcome.map_err(|panic| words(&*panic)).and_then(|results| {
            let (got, wanted) = (results.len(), callers.len());
            (got == wanted).then_some(results).ok_or(format!("{got} results of {wanted} jobs"))
        });
        let mut left = Vec::new();
        match outcome {
            Ok(results) => {
                for ((answer, room), result) in callers.into_iter().zip(results) {
                    let result = match result {
                        Done::With(result) => result,
                        Done::Not(job) => {
                            left.push(Job { job, answer, room });
                            continue;
                        }
                    };
                    drop(room); // Before its caller brings the next one.
                    // It may have gone meanwhile.
                    if let Some(answer) = answer {
                        drop(answer.send(Ok(result)));
                    }
                }
            }
            Err(words) => {
                let answers = callers.into_iter().filter_map(|(answer, _)| answer);
                answers.for_each(|answer| drop(answer.send(Err(words.clone()))));
            }
        }
        let count_left = left.len();
        if count_left > 0 {
            self.jobs.fetch_sub(count(count_left), Ordering::Relaxed);
            let mut waiting = self.lock();
            left.into_iter().rev().for_each(|job| waiting.push_front(job));
        }
        count_left
    }

    fn spent(&self, cpu: Duration, news: News) {
        let nanos = u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX);
        self.cpu_nanos.fetch_add(nanos, Ordering::Relaxed);
        match news {
            News::None => (),
            News::NowSlow => self.is_slow.store(true, Ordering::Relaxed),
            News::NowQuick => self.is_slow.store(false, Ordering::Relaxed),
        }
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> Panic {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a plugin job panicked".to_owned())
}
