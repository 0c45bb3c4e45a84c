//! Reading a request's body within bounds of size, time and shared memory.
//!
//! # Invariants
//!
//! - **bounded**: a body has a size and a time; all bodies together have a size ([`Budget`]).
//! - A body counts as what has come of it: who promises much and sends little takes no room from others.
//! - A body that comes in one piece is not copied.
//! - Who is refused for his body's size can read the answer: what he still sends is read and thrown away,
//!   up to a bound, instead of resetting the connection under him.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use axum::body::HttpBody;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::{Kind, Problem};

/// A body that comes in: hyper's own, or the one that axum wraps around it.
pub(crate) trait Incoming: HttpBody<Data = Bytes, Error: Display> + Unpin + Send {}

impl<B: HttpBody<Data = Bytes, Error: Display> + Unpin + Send> Incoming for B {}

/// The grain in which the shared memory is counted.
const GRAIN: usize = 1024;

/// How much is thrown away of a body that was refused.
const DRAIN_BYTES_MAX: usize = 64 << 20;
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

/// The bytes that all bodies may hold at one moment.
#[derive(Clone)]
pub(crate) struct Budget(Arc<Semaphore>);

/// A body and its share of the budget, which it gives back when it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    _share: OwnedSemaphorePermit,
}

#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) bytes_max: usize,
    pub(crate) time_max: Duration,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.div_ceil(GRAIN).min(Semaphore::MAX_PERMITS))))
    }

    fn take(&self, grains: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let grains = u32::try_from(grains).unwrap_or(u32::MAX);
        Arc::clone(&self.0).try_acquire_many_owned(grains).map_err(|_full| {
            Kind::Overloaded.problem("too many bodies are being stored at this moment; send again")
        })
    }

    /// Lets a share grow to what `bytes` take. Small pieces fill a grain before the next one is taken.
    fn cover(&self, share: &mut OwnedSemaphorePermit, bytes: usize) -> Result<(), Problem> {
        let missing = bytes.div_ceil(GRAIN).saturating_sub(share.num_permits());
        share.merge(self.take(missing)?);
        Ok(())
    }

    /// Reads the whole body.
    pub(crate) async fn read(
        &self,
        body: &mut impl Incoming,
        bounds: Bounds,
    ) -> Result<Held, Problem> {
        let read = self.read_pieces(body, bounds.bytes_max);
        match tokio::time::timeout(bounds.time_max, read).await {
            Ok(result) => result,
            Err(_elapsed) => Err(Kind::BodyTooSlow.problem(format!(
                "the body was not complete after {} seconds",
                bounds.time_max.as_secs()
            ))),
        }
    }

    async fn read_pieces(&self, body: &mut impl Incoming, max: usize) -> Result<Held, Problem> {
        let declared = body.size_hint().exact();
        if declared.is_some_and(|len| !usize::try_from(len).is_ok_and(|len| len <= max)) {
            return Err(too_large(max));
        }
        let mut share = self.take(0)?;
        let mut first = Bytes::new();
        let mut whole = BytesMut::new();
        let mut len = 0;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|error| incomplete(&error))?.into_data() else {
                continue; // Trailers.
            };
            len += data.len();
            if max < len {
                return Err(too_large(max));
            }
            self.cover(&mut share, len)?;
            if first.is_empty() {
                first = data;
                continue;
            }
            if whole.is_empty() {
                whole.reserve(len);
                whole.extend_from_slice(&first);
            }
            whole.extend_from_slice(&data);
        }
        let bytes = if whole.is_empty() { first } else { whole.freeze() };
        Ok(Held { bytes, _share: share })
    }
}

/// Reads and throws away what is left of a body that was refused, unless its sender waits to be told to go on.
pub(crate) async fn drain(body: &mut impl Incoming, headers: &HeaderMap) {
    if headers.contains_key(header::EXPECT) {
        return;
    }
    let mut left = DRAIN_BYTES_MAX;
    let throw_away = async {
        while let Some(Ok(frame)) = body.frame().await {
            let len = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(len) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    // Too slow is as good as done: the answer goes out either way.
    tokio::time::timeout(DRAIN_TIME_MAX, throw_away).await.unwrap_or(());
}

fn too_large(max: usize) -> Problem {
    let detail = format!("a body may have {max} bytes; send the events in several requests");
    Kind::BodyTooLarge.problem(detail)
}

fn incomplete(error: &impl Display) -> Problem {
    Kind::BodyIncomplete.problem(format!("the body ended early: {error}; nothing of it was taken"))
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use axum::body::Body;
    use hyper::body::Frame;

    use super::*;

    const BOUNDS: Bounds = Bounds { bytes_max: 5000, time_max: Duration::from_secs(60) };

    /// A body of unknown size that comes in pieces.
    struct Pieces(std::slice::Iter<'static, &'static str>);

    impl HttpBody for Pieces {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            let next = self.0.next();
            Poll::Ready(next.map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes())))))
        }
    }

    fn pieces(pieces: &'static [&'static str]) -> Body {
        Body::new(Pieces(pieces.iter()))
    }

    #[tokio::test]
    async fn a_body_in_one_piece_is_not_copied_and_pieces_are_joined() {
        let bytes = Bytes::from_static(b"abc");
        let held = Budget::new(5000).read(&mut Body::from(bytes.clone()), BOUNDS).await.unwrap();
        assert_eq!(held.bytes.as_ptr(), bytes.as_ptr());

        let held =
            Budget::new(5000).read(&mut pieces(&["ab", "", "c", "de"]), BOUNDS).await.unwrap();
        assert_eq!(held.bytes, "abcde");
    }

    #[tokio::test]
    async fn a_body_over_the_bound_is_refused_whether_or_not_it_says_its_size() {
        let budget = Budget::new(1 << 20);
        let bounds = Bounds { bytes_max: 4, ..BOUNDS };
        let told = budget.read(&mut Body::from("abcde"), bounds).await.unwrap_err();
        let untold = budget.read(&mut pieces(&["ab", "cde"]), bounds).await.unwrap_err();
        assert_eq!([told.kind(), untold.kind()], [Kind::BodyTooLarge; 2]);
        assert!(budget.read(&mut pieces(&["ab", "cd"]), bounds).await.is_ok());
    }

    #[tokio::test]
    async fn the_budget_is_shared_and_given_back() {
        let budget = Budget::new(2048);
        let one = budget.read(&mut Body::from(vec![b'a'; 1500]), BOUNDS).await.unwrap();
        let refused = budget.read(&mut Body::from("b"), BOUNDS).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Overloaded);
        drop(one);
        assert!(budget.read(&mut Body::from("b"), BOUNDS).await.is_ok());
    }

    /// A body of 5000 bytes of which one has come.
    struct Promise(bool);

    impl HttpBody for Promise {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            if std::mem::replace(&mut self.0, true) {
                return Poll::Pending;
            }
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"a")))))
        }

        fn size_hint(&self) -> hyper::body::SizeHint {
            hyper::body::SizeHint::with_exact(5000)
        }
    }

    #[tokio::test]
    async fn a_body_takes_room_for_what_came_not_for_what_it_promised() {
        let budget = Budget::new(5 * GRAIN);
        let mut promises = [0; 4].map(|_| Body::new(Promise(false)));
        let mut reads = Vec::new();
        for body in &mut promises {
            let mut read = Box::pin(budget.read(body, BOUNDS));
            let polled = std::future::poll_fn(|context| Poll::Ready(read.as_mut().poll(context)));
            assert!(polled.await.is_pending());
            reads.push(read);
        }
        assert!(budget.read(&mut Body::from("b"), BOUNDS).await.is_ok());
        let full = budget.read(&mut Body::from(vec![b'a'; 1025]), BOUNDS).await.unwrap_err();
        assert_eq!(full.kind(), Kind::Overloaded);
        drop(reads);
        assert_eq!(budget.0.available_permits(), 5);
    }

    #[tokio::test]
    async fn small_pieces_fill_a_grain() {
        let budget = Budget::new(GRAIN);
        let held = budget.read(&mut pieces(&["a", "b", "c"]), BOUNDS).await.unwrap();
        assert_eq!(held.bytes, "abc");
    }
}
