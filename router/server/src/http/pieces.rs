//! An answer that is made piece by piece, as fast as it is read.
//!
//! # Invariants
//!
//! - The next piece is made when the one before has left: nothing is gathered.
//! - A failure in the middle breaks the connection off: a reader never takes a part for the whole.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::Frame;

/// The body out of what `next` makes of one state after the other, until it makes none.
pub(super) fn body<S, N, F, E>(first: S, next: N) -> Body
where
    N: Fn(S) -> F + Send + Unpin + 'static,
    F: Future<Output = Result<Option<(Bytes, S)>, E>> + Send + 'static,
    S: 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let pending = Some(Box::pin(next(first)));
    Body::new(Pieces { next, pending })
}

struct Pieces<N, F> {
    next: N,
    pending: Option<Pin<Box<F>>>,
}

impl<S, N, F, E> HttpBody for Pieces<N, F>
where
    N: Fn(S) -> F + Unpin,
    F: Future<Output = Result<Option<(Bytes, S)>, E>>,
{
    type Data = Bytes;
    type Error = E;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        loop {
            let Some(pending) = self.pending.as_mut() else { return Poll::Ready(None) };
            let made = ready!(pending.as_mut().poll(context));
            self.pending = None;
            match made {
                Ok(None) => return Poll::Ready(None),
                Err(error) => return Poll::Ready(Some(Err(error))),
                Ok(Some((piece, state))) => {
                    self.pending = Some(Box::pin((self.next)(state)));
                    if !piece.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(piece))));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Error;

    use super::*;

    #[tokio::test]
    async fn pieces_follow_each_other_and_empty_ones_are_passed_over() {
        let next = |number: u32| async move {
            let text = if number == 1 { String::new() } else { number.to_string() };
            Ok::<_, Error>((number < 4).then_some((Bytes::from(text), number + 1)))
        };
        let all = axum::body::to_bytes(body(0, next), 100).await.unwrap();
        assert_eq!(all, "023");
    }

    #[tokio::test]
    async fn a_failure_ends_the_body_as_a_failure() {
        let next = |number: u32| async move {
            if number == 2 {
                Err(Error::other("broken"))
            } else {
                Ok(Some((Bytes::from("x"), number + 1)))
            }
        };
        assert!(axum::body::to_bytes(body(0, next), 100).await.is_err());
    }
}
