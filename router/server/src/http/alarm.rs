//! A connection's timer: one entry among the runtime's timers, however many deadlines come and go.
//!
//! hyper sets a deadline for the headers of every request and drops it when they are there, which is nearly
//! always at once. The runtime's timers are shared by all connections, behind a lock; the entry of a
//! connection therefore stays where it is when a deadline goes, and moves on only when it is reached.
//!
//! # Invariants
//!
//! - A deadline is never reported before its time, and at most as late as the runtime's timers are.
//! - A connection waits for one deadline at a time.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// The entry; none before the first deadline is waited for.
type Entry = Option<Pin<Box<tokio::time::Sleep>>>;

#[derive(Default)]
pub(super) struct Alarm(Arc<Mutex<Entry>>);

struct Until {
    deadline: tokio::time::Instant,
    entry: Arc<Mutex<Entry>>,
}

impl Timer for Alarm {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Until { deadline: deadline.into(), entry: Arc::clone(&self.0) })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

impl Sleep for Until {}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        let mut entry = self.entry.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entry.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if deadline < entry.deadline() {
            entry.as_mut().reset(deadline);
        }
        loop {
            ready!(entry.as_mut().poll(context));
            if deadline <= entry.deadline() {
                return Poll::Ready(());
            }
            // It was that of an earlier deadline, which is gone.
            entry.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_deadline_is_kept_whatever_the_one_before_it_was() {
        let alarm = Alarm::default();
        let started = tokio::time::Instant::now();
        let after = |seconds| started.into_std() + Duration::from_secs(seconds);
        // One that is given up, a later one, an earlier one, and one that has passed.
        let mut dropped = alarm.sleep_until(after(10));
        assert!(polled(&mut dropped).await.is_pending());
        drop(dropped);
        for (deadline, expected) in [(20, 20), (30, 30), (25, 30)] {
            alarm.sleep_until(after(deadline)).await;
            assert_eq!(started.elapsed().as_secs(), expected);
        }
        let mut late = alarm.sleep_until(after(500));
        assert!(polled(&mut late).await.is_pending());
        drop(late);
        alarm.sleep_until(after(40)).await;
        assert_eq!(started.elapsed().as_secs(), 40);
    }

    /// One poll.
    async fn polled(sleep: &mut Pin<Box<dyn Sleep>>) -> Poll<()> {
        std::future::poll_fn(|context| Poll::Ready(sleep.as_mut().poll(context))).await
    }
}
