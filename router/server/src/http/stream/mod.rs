//! `GET /buses/{bus}/stream` and `GET /stream`: events as they come, until the reader or the router ends it.
//!
//! ```text
//! source      bus::Follower    a place in the journal: no queue stands between it and the reader
//! here        whom to serve, from where, for how long, and why no longer
//! encoding    sse              server-sent events
//! ```
//!
//! # Invariants
//!
//! - The next events are read from the journal when the ones before have left: who reads slowly is behind, and memory
//!   holds one piece of his.
//! - **bounded**: so many streams at once; one whose reader takes nothing for so long is ended.
//! - A stream ends with the router's listening: it does not hold up a stop.
//! - It says why it ends, whenever the reader can still hear it.

mod sse;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use bus::{Begin, Follow, FollowEnd, FollowError, Follower};
use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tracing::debug;

use super::api::{pattern_text, query, time};
use super::error::{Kind, Problem};
use super::patience::Patience;
use super::{App, pieces, shown};

/// A reader hears something at least so often, and so does whatever stands between.
const BEAT: Duration = Duration::from_secs(15);

/// Streams that may be open, and how long one waits for its reader.
pub(crate) struct Streams {
    seats: Arc<Semaphore>,
    seats_max: usize,
    stalled_max: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamQuery {
    pattern: Option<String>,
    since: Option<String>,
    after: Option<String>,
    matched: Option<bool>,
}

/// Why a stream ends, in a word for programs and a sentence for people.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Stopping,
    Slow { seconds: u64 },
    Expired { from: u64, first: u64 },
    Unreadable { detail: String },
}

/// An open stream.
struct Stream {
    app: Arc<App>,
    follower: Follower,
    stop: watch::Receiver<bool>,
    stage: Stage,
    /// When the last piece was given away.
    given_at: Duration,
    _seat: OwnedSemaphorePermit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    Open,
    Ended,
}

impl Streams {
    pub(crate) fn new(seats_max: usize, stalled_max: Duration) -> Self {
        Self { seats: Arc::new(Semaphore::new(seats_max)), seats_max, stalled_max }
    }

    fn seat(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.seats).try_acquire_owned().map_err(|_full| {
            let max = self.seats_max;
            Kind::Overloaded.problem(format!(
                "{max} streams are open, as many as `http.streams` of the configuration allows: end one, or ask again \
                 later"
            ))
        })
    }
}

pub(super) async fn of_bus(
    State(app): State<Arc<App>>,
    bus: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let Path(bus) = bus.map_err(|rejection| Kind::NotFound.problem(rejection.body_text()))?;
    if !app.router.has_bus(&bus) {
        return Err(app.unknown_bus(&bus));
    }
    open(app, Some(bus), request.into_parts().0).await
}

pub(super) async fn of_all(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    open(app, None, request.into_parts().0).await
}

async fn open(app: Arc<App>, bus: Option<String>, request: Parts) -> Result<Response, Problem> {
    let asked: StreamQuery = query(&request.uri)?;
    let follow = Follow {
        bus,
        begin: begin(&asked, &request.headers)?,
        pattern: asked.pattern.as_deref().map(pattern_text).transpose()?,
        names_rules: asked.matched.unwrap_or(true),
    };
    let seat = app.streams.seat()?;
    let follower = app.router.follow(follow).await?;
    if let Some(patience) = request.extensions.get::<Patience>() {
        // Twice: who reads on before that hears why it ends.
        patience.set(app.streams.stalled_max * 2);
    }
    let (stop, given_at) = (app.desk.stop.clone(), app.clock.monotonic());
    let stream = Stream { app, follower, stop, stage: Stage::New, given_at, _seat: seat };
    let mut response = Response::new(pieces::body(stream, Stream::next));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // The limit on waiting belongs to this answer, not to what would follow on the connection.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    // nginx would gather what comes until it has a page of it.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// `Last-Event-ID` is what a reader that comes back says by itself: it goes before what its address says.
fn begin(asked: &StreamQuery, headers: &HeaderMap) -> Result<Begin, Problem> {
    if let Some(last) = headers.get("last-event-id") {
        let last = last.to_str().unwrap_or("?");
        return after("the header `last-event-id`", last);
    }
    match (&asked.after, &asked.since) {
        (Some(_), Some(_)) => Err(Kind::BadParameter
            .problem("`after` and `since` both say where to begin; give one of them")),
        (Some(offset), None) => after("`after`", offset),
        (None, Some(since)) => Ok(Begin::Since(time("since", since, Kind::BadParameter)?)),
        (None, None) => Ok(Begin::Now),
    }
}

/// Behind an offset; -1 is before the first.
fn after(key: &str, text: &str) -> Result<Begin, Problem> {
    if text.trim() == "-1" {
        return Ok(Begin::First);
    }
    text.trim().parse().map(Begin::After).map_err(|_no_number| {
        let text = shown(text);
        Kind::BadParameter.problem(format!(
            "{key}: `{text}` is no offset; it is the `id` of an event of this stream, a whole number, or -1 for all \
             that is kept"
        ))
    })
}

impl From<FollowError> for Problem {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Bus(error) => error.into(),
            FollowError::Journal(_) => Kind::Internal.problem(error.to_string()),
            FollowError::Ahead { .. } => Kind::BadParameter.problem(error.to_string()),
        }
    }
}

impl From<FollowEnd> for End {
    fn from(end: FollowEnd) -> Self {
        match end {
            FollowEnd::Expired { from, first } => Self::Expired { from, first },
            FollowEnd::Unreadable { .. } => Self::Unreadable { detail: end.to_string() },
        }
    }
}

impl Stream {
    /// The next piece of the answer. It is asked for when the reader has room for it.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, std::convert::Infallible> {
        let stalled = self.app.clock.monotonic().saturating_sub(self.given_at);
        let piece = match self.stage {
            Stage::Ended => return Ok(None),
            Stage::New => {
                self.stage = Stage::Open;
                sse::greeting(self.follower.position())
            }
            Stage::Open if self.app.streams.stalled_max <= stalled => {
                self.end(&End::Slow { seconds: stalled.as_secs() })
            }
            Stage::Open => self.read().await,
        };
        self.given_at = self.app.clock.monotonic();
        Ok(Some((piece, self)))
    }

    /// Events when there are some, a sign of life when there are none for long.
    async fn read(&mut self) -> Bytes {
        let (begun, mut stop) = (self.app.clock.monotonic(), self.stop.clone());
        loop {
            let taken = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return self.end(&End::Stopping),
                taken = self.follower.take() => taken,
            };
            let left = BEAT.saturating_sub(self.app.clock.monotonic().saturating_sub(begun));
            match taken {
                Ok(Some(events)) if !events.is_empty() => return sse::events(&events),
                Ok(Some(_)) if !left.is_zero() => (), // Looking through a long past.
                Ok(None) if !left.is_zero() => tokio::select! {
                    biased;
                    _ = stop.wait_for(|stop| *stop) => return self.end(&End::Stopping),
                    () = self.follower.wait() => (),
                    () = tokio::time::sleep(left) => return sse::beat(self.follower.position()),
                },
                Ok(_) => return sse::beat(self.follower.position()),
                Err(end) => return self.end(&end.into()),
            }
        }
    }

    fn end(&mut self, end: &End) -> Bytes {
        debug!(reason = end.word(), position = self.follower.position(), "a stream ends");
        self.stage = Stage::Ended;
        sse::end(end)
    }
}

impl End {
    fn word(&self) -> &'static str {
        match self {
            Self::Stopping => "stopping",
            Self::Slow { .. } => "slow",
            Self::Expired { .. } => "expired",
            Self::Unreadable { .. } => "unreadable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn began(after: Option<&str>, since: Option<&str>, last: Option<&'static str>) -> String {
        let asked = StreamQuery {
            pattern: None,
            since: since.map(str::to_owned),
            after: after.map(str::to_owned),
            matched: None,
        };
        let mut headers = HeaderMap::new();
        if let Some(last) = last {
            headers.insert("last-event-id", HeaderValue::from_static(last));
        }
        match begin(&asked, &headers) {
            Ok(begin) => format!("{begin:?}"),
            Err(problem) => format!("{:?}", problem.kind()),
        }
    }

    #[test]
    fn a_stream_begins_where_its_reader_left_off_before_what_the_address_says() {
        assert_eq!(began(None, None, None), "Now");
        assert_eq!(began(Some("7"), None, None), "After(7)");
        assert_eq!(began(Some("-1"), None, None), "First");
        assert_eq!(began(Some("7"), Some("nonsense"), Some("9")), "After(9)");
        assert!(began(None, Some("2026-11-23T08:00:00Z"), None).starts_with("Since("));
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for (after, since, last) in [
            (Some("x"), None, None),
            (Some("-2"), None, None),
            (Some("18446744073709551616"), None, None),
            (None, Some("yesterday"), None),
            (Some("1"), Some("2026-11-23T08:00:00Z"), None),
            (None, None, Some("")),
            (None, None, Some("1 2")),
        ] {
            assert_eq!(began(after, since, last), "BadParameter", "{after:?} {since:?} {last:?}");
        }
    }
}
