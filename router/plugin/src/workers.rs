//! Threads that run blocking jobs for async callers.
//!
//! # Invariants
//!
//! - bounded: at most `queue_max` jobs wait; whoever brings one more waits for room.
//! - A job that panics takes its caller along, not the thread.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::{mpsc, oneshot};

type Job = Box<dyn FnOnce() + Send>;

#[derive(Clone)]
pub(crate) struct Workers {
    jobs: mpsc::Sender<Job>,
}

impl Workers {
    /// The threads end when the last handle is gone and the queue is empty.
    pub(crate) fn start(count: usize, queue_max: usize) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>(queue_max.max(1));
        let queue = Arc::new(Mutex::new(queue));
        for index in 0..count.max(1) {
            let queue = Arc::clone(&queue);
            let body = move || {
                while let Some(job) = next(&queue) {
                    job();
                }
            };
            thread::Builder::new().name(format!("plugin-{index}")).spawn(body)?;
        }
        Ok(Self { jobs })
    }

    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let (answer, answered) = oneshot::channel();
        let job = move || {
            // Nobody waits any more: the caller was cancelled, and the job's result is for nobody.
            drop(answer.send(catch_unwind(AssertUnwindSafe(job))));
        };
        if self.jobs.send(Box::new(job)).await.is_err() {
            unreachable!("the threads end only after every sender is gone");
        }
        match answered.await {
            Ok(Ok(value)) => value,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => {
                unreachable!("a job always answers, and no job is dropped while a sender exists")
            }
        }
    }
}

fn next(queue: &Mutex<mpsc::Receiver<Job>>) -> Option<Job> {
    // One thread waits for a job and the others wait for their turn to wait.
    queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
}
