//! A router's stream of events, over as many connections as it takes.
//!
//! # Invariants
//!
//! - Each event comes once, in order, over restarts of the router, too: a new connection goes on behind the last id.
//! - What was there at the first try and is not any more is waited for; what was never there is an error.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Method, header::HeaderValue};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Client, REFUSAL_BYTES_MAX, with_query};
use crate::failure::{Exit, Failure};
use crate::output::{complain, count};
use crate::problem::Problem;
use crate::sse::{Message, Parser};

/// Between two tries to reach a router that was there.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// A router says something every 15 seconds: one that is silent for so long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// For the headers of the answer.
const OPEN_WAIT_MAX: Duration = Duration::from_secs(20);

/// An event as the stream tells it.
#[derive(Debug, Deserialize)]
pub(crate) struct Told {
    pub(crate) bus: String,
    pub(crate) offset: u64,
    pub(crate) taken_at: String,
    pub(crate) event: Box<RawValue>,
    #[serde(default)]
    pub(crate) matched: Vec<Matched>,
    /// All of it, as it came.
    #[serde(skip)]
    pub(crate) text: String,
}

/// A rule that matches, and its targets.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Matched {
    pub(crate) rule: String,
    pub(crate) targets: Vec<String>,
}

/// The last word of a stream.
#[derive(Deserialize)]
struct End {
    reason: String,
    #[serde(default)]
    missed: u64,
    next: Option<u64>,
    #[serde(default)]
    detail: String,
}

/// The stream, and where it is.
pub(crate) struct Live<'a> {
    client: &'a Client,
    path: String,
    query: Vec<(&'static str, String)>,
    /// Behind which to go on.
    last: Option<String>,
    open: Option<Open>,
    has_been_open: bool,
    /// That it is gone was said.
    is_loss_said: bool,
}

struct Open {
    body: Incoming,
    parser: Parser,
    messages: std::vec::IntoIter<Message>,
}

/// Why a try has failed.
enum Missing {
    /// It may be there soon.
    Yet(Failure),
    /// The place is not in the journal that is there now.
    Place,
    Never(Failure),
}

impl Client {
    /// The events of a bus, or of all.
    pub(crate) fn live(&self, bus: Option<&str>, query: Vec<(&'static str, String)>) -> Live<'_> {
        let path = match bus {
            Some(bus) => format!("/buses/{}/stream", super::escaped(bus)),
            None => "/stream".to_owned(),
        };
        let (client, last, open) = (self, None, None);
        Live { client, path, query, last, open, has_been_open: false, is_loss_said: false }
    }

    /// Waits for what is made of this client's streams and of signals.
    pub(crate) fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }
}

impl Live<'_> {
    /// Opens the stream. What is wrong with the request is told here.
    pub(crate) async fn open(&mut self) -> Result<(), Failure> {
        match self.connect().await {
            Ok(()) => Ok(()),
            Err(Missing::Yet(failure) | Missing::Never(failure)) => Err(failure),
            Err(Missing::Place) => Err(Failure::failed("the router knows no such place")),
        }
    }

    /// The next event, however long it takes to come.
    ///
    /// Whoever stops waiting misses nothing: what has come stays.
    pub(crate) async fn next(&mut self) -> Result<Told, Failure> {
        loop {
            let Some(open) = &mut self.open else {
                self.come_back().await?;
                continue;
            };
            let Some(message) = open.messages.next() else {
                let piece = tokio::time::timeout(SILENCE_MAX, open.body.frame()).await;
                let fed = match piece {
                    Ok(Some(Ok(frame))) => match frame.into_data() {
                        Ok(bytes) => open.parser.feed(&bytes).ok(),
                        Err(_trailers) => Some(Vec::new()),
                    },
                    Ok(Some(Err(_)) | None) | Err(_) => None,
                };
                match fed {
                    Some(messages) => open.messages = messages.into_iter(),
                    None => self.lose(),
                }
                continue;
            };
            if let Some(id) = &message.id {
                self.last = Some(id.clone());
            }
            match message.kind.as_str() {
                "event" => return told(message.data),
                "end" => self.end(&message.data)?,
                _ => (),
            }
        }
    }

    fn lose(&mut self) {
        self.open = None;
        if !std::mem::replace(&mut self.is_loss_said, true) {
            let base = &self.client.base;
            complain(&format!("the router at {base} is gone; waiting until it is back"));
        }
    }

    fn end(&mut self, data: &str) -> Result<(), Failure> {
        let end: End = serde_json::from_str(data).map_err(|error| foreign(&error))?;
        match end.reason.as_str() {
            "expired" => {
                let missed = count(end.missed, "event");
                complain(&format!("up to {missed} had expired before they could be read"));
                self.last = end.next.map(|next| match next.checked_sub(1) {
                    Some(before) => before.to_string(),
                    None => "-1".to_owned(),
                });
                self.open = None;
            }
            "slow" => self.open = None, // Our reader had put us aside, and is back.
            "unreadable" => return Err(Failure::failed(end.detail)),
            _ => self.lose(),
        }
        Ok(())
    }

    async fn come_back(&mut self) -> Result<(), Failure> {
        loop {
            match self.connect().await {
                Ok(()) => {
                    if std::mem::take(&mut self.is_loss_said) {
                        complain("the router is back");
                    }
                    return Ok(());
                }
                Err(Missing::Yet(_)) => tokio::time::sleep(AGAIN_AFTER).await,
                Err(Missing::Place) => {
                    complain("the router has another journal now: going on with what comes");
                    self.last = None;
                    self.query.retain(|(name, _)| *name != "since");
                }
                Err(Missing::Never(failure)) => return Err(failure),
            }
        }
    }

    async fn connect(&mut self) -> Result<(), Missing> {
        let path = with_query(&self.path, &self.query);
        let mut request = self.client.request(Method::GET, &path, None).map_err(Missing::Never)?;
        if let Some(last) = &self.last {
            let place = HeaderValue::from_str(last).map_err(|error| {
                Missing::Never(Failure::failed(format!("the router's id {last:?}: {error}")))
            })?;
            request.headers_mut().insert("last-event-id", place);
        }
        let answering = tokio::time::timeout(OPEN_WAIT_MAX, self.client.pool.request(request));
        let response = match answering.await {
            Err(_elapsed) => return Err(Missing::Yet(self.client.silent(OPEN_WAIT_MAX))),
            Ok(Err(error)) => return Err(Missing::Yet(self.client.unreachable(&error))),
            Ok(Ok(response)) => response,
        };
        let status = response.status().as_u16();
        if status == 200 {
            let (parser, messages) = (Parser::default(), Vec::new().into_iter());
            self.open = Some(Open { body: response.into_body(), parser, messages });
            self.has_been_open = true;
            return Ok(());
        }
        let limited = http_body_util::Limited::new(response.into_body(), REFUSAL_BYTES_MAX);
        let body = limited.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let failure = Problem::read(status, &body).failure();
        Err(match status {
            503 => Missing::Yet(failure),
            400 if self.has_been_open && self.last.is_some() => Missing::Place,
            _ => Missing::Never(failure),
        })
    }
}

fn told(text: String) -> Result<Told, Failure> {
    let told: Told = serde_json::from_str(&text).map_err(|error| foreign(&error))?;
    Ok(Told { text, ..told })
}

fn foreign(error: &serde_json::Error) -> Failure {
    let message = format!("the router's stream says what this command cannot read: {error}");
    Failure::new(Exit::Failed, message)
}
