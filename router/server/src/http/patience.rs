//! How long a connection waits for a peer that takes nothing of what is written to it.
//!
//! An answer that has an end waits for its reader as long as he likes: he may have put it aside. A stream has none; its
//! answer sets a limit here, and a connection beyond it is closed as if it had broken.
//!
//! # Invariants
//!
//! - A connection without a limit costs nothing but a look at a number when a write has to wait.
//! - The time counts from the first write that had to wait, and ends with the first byte that is taken.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// The limit of one connection. Cheap to clone; none at first.
#[derive(Clone, Default)]
pub(super) struct Patience(Arc<AtomicU64>);

impl Patience {
    pub(super) fn set(&self, limit: Duration) {
        let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        self.0.store(millis.max(1), Ordering::Relaxed);
    }

    /// Makes a limit no longer than this; where there is none, there stays none.
    pub(super) fn shorten(&self, limit: Duration) {
        if self.get().is_some_and(|now| limit < now) {
            self.set(limit);
        }
    }

    fn get(&self) -> Option<Duration> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            millis => Some(Duration::from_millis(millis)),
        }
    }
}

/// A connection that waits no longer than its patience.
pub(super) struct Patient<S> {
    inner: S,
    patience: Patience,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S> Patient<S> {
    pub(super) fn new(inner: S, patience: Patience) -> Self {
        Self { inner, patience, waiting: None }
    }

    /// What a write has come to: an error when it has waited too long.
    fn judge<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let Some(limit) = self.patience.get() else { return Poll::Pending };
        let (since, sleep) = self
            .waiting
            .get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(limit))));
        let deadline = *since + limit;
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep
            .as_mut()
            .poll(context)
            .map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "its reader takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.judge(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, bytes);
        self.judge(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_for_the_time_is_given_up() {
        let (ours, _theirs) = duplex(4);
        let patience = Patience::default();
        patience.set(LIMIT);
        let mut patient = Patient::new(ours, patience);
        let begun = Instant::now();
        let error = patient.write_all(b"more than four").await.unwrap_err();
        assert_eq!((error.kind(), begun.elapsed()), (io::ErrorKind::TimedOut, LIMIT));
    }

    #[tokio::test(start_paused = true)]
    async fn each_byte_that_is_taken_begins_the_time_anew() {
        let (ours, mut theirs) = duplex(1);
        let patience = Patience::default();
        patience.set(LIMIT);
        let mut patient = Patient::new(ours, patience);
        let slowly = async {
            let mut byte = [0];
            for _ in 0..4 {
                tokio::time::sleep(LIMIT / 2).await;
                theirs.read_exact(&mut byte).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(patient.write_all(b"four"), slowly);
        written.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_can_be_shortened_while_a_write_waits_and_no_limit_stays_none() {
        let patience = Patience::default();
        patience.shorten(LIMIT);
        assert_eq!(patience.get(), None);

        let (ours, _theirs) = duplex(1);
        patience.set(LIMIT);
        let mut patient = Patient::new(ours, patience.clone());
        let begun = Instant::now();
        let mut writing = std::pin::pin!(patient.write_all(b"four"));
        let waiting = tokio::time::timeout(LIMIT / 10, writing.as_mut()).await;
        assert!(waiting.is_err());
        patience.shorten(LIMIT / 5);
        writing.await.unwrap_err();
        assert_eq!(begun.elapsed(), LIMIT / 5);
    }
}
