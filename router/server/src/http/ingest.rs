//! `POST /events` and `POST /buses/{bus}/events`: events come in.
//!
//! # Invariants
//!
//! - **durable**: the answer leaves only after `Router::ingest` has returned, which is after the sync.
//! - The answer lists the entries in the order they were sent.
//! - An `Idempotency-Key` is either used or refused, never passed over.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bus::{IngestError, Refusal, Taken};
use event::IdempotencyKey;
use serde_json::value::RawValue;

use super::App;
use super::body::{Bounds, Incoming, drain};
use super::dialect::{self, Found, media};
use super::error::{Kind, Problem};

type Outcomes = Vec<Result<Taken, Refusal>>;

const IDEMPOTENCY_KEY: &str = "idempotency-key";

pub(super) const DEFAULT_BUS: &str = "default";

pub(crate) async fn into_default(State(app): State<Arc<App>>, request: Request) -> Response {
    let (head, mut body) = request.into_parts();
    ingest(&app, DEFAULT_BUS, &head.headers, &mut body).await
}

pub(crate) async fn into_named(
    State(app): State<Arc<App>>,
    bus: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let (head, mut body) = request.into_parts();
    match bus {
        Ok(Path(bus)) => ingest(&app, &bus, &head.headers, &mut body).await,
        Err(rejection) => Kind::NotFound.problem(rejection.body_text()).into_response(),
    }
}

pub(super) async fn ingest(
    app: &App,
    bus: &str,
    headers: &HeaderMap,
    body: &mut impl Incoming,
) -> Response {
    let _under_way = app.metrics.begin();
    let started = app.clock.monotonic();
    let response = match take(app, bus, headers, body).await {
        Ok(response) => response,
        Err(problem) => {
            drain(body, headers).await;
            problem.into_response()
        }
    };
    app.metrics.answered(app.clock.monotonic().saturating_sub(started));
    response
}

async fn take(
    app: &App,
    bus: &str,
    headers: &HeaderMap,
    body: &mut impl Incoming,
) -> Result<Response, Problem> {
    if !app.router.has_bus(bus) {
        return Err(app.unknown_bus(bus));
    }
    let media = media(headers)?;
    let key = key(headers)?;
    let bounds = Bounds { bytes_max: app.limits.body_bytes, time_max: app.body_time };
    let held = app.budget.read(body, bounds).await?;
    let limits = (app.limits.body_events, app.limits.of_events());
    let found = dialect::read((headers, &held.bytes), media, limits.0, &limits.1)?;
    let (entries, alone, unread) = found.into_parts();
    let outcomes = app.router.ingest_once(bus, entries, key).await;
    if let Err(IngestError::Partly { stored, .. }) = &outcomes {
        app.metrics.ingested(bus, *stored, 0, 0);
    }
    let outcomes = Found::explain(unread, outcomes?);
    answer(app, bus, &outcomes, alone)
}

/// The key of the request, bare or as a quoted string, which is how the IETF's draft writes it.
fn key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let bad = |why: String| Kind::BadRequest.problem(format!("header {IDEMPOTENCY_KEY}: {why}"));
    if values.next().is_some() {
        return Err(bad("it is there more than once; send one".to_owned()));
    }
    // What is not ASCII is no key, whatever it says.
    let text = String::from_utf8_lossy(value.as_bytes());
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(&text);
    IdempotencyKey::new(bare).map(Some).map_err(|error| bad(error.to_string()))
}

fn answer(app: &App, bus: &str, outcomes: &Outcomes, alone: bool) -> Result<Response, Problem> {
    let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let refused = outcomes.len() - accepted;
    let duplicates = outcomes.iter().flatten().filter(|taken| taken.is_duplicate).count();
    app.metrics.ingested(bus, accepted - duplicates, refused, duplicates);
    match outcomes.as_slice() {
        [Err(error)] if alone => return Err(Problem::refused(error)),
        _ if accepted == 0 => {
            let entries = String::from_utf8(entries(outcomes)).expect("JSON is text");
            let entries = RawValue::from_string(entries).expect("the array was just written");
            return Err(Problem::all_refused(entries));
        }
        _ => (),
    }
    let mut body = format!(r#"{{"accepted":{accepted},"refused":{refused},"#).into_bytes();
    if 0 < duplicates {
        body.extend_from_slice(format!(r#""duplicates":{duplicates},"#).as_bytes());
    }
    body.extend_from_slice(br#""entries":"#);
    body.extend_from_slice(&entries(outcomes));
    body.push(b'}');
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::ACCEPTED;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

/// `[{"id":"…"},{"id":"…","duplicate":true},{"error":"…"}]`
fn entries(outcomes: &Outcomes) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 + outcomes.len() * 48);
    out.push(b'[');
    for (index, outcome) in outcomes.iter().enumerate() {
        if 0 < index {
            out.push(b',');
        }
        let written = match outcome {
            Ok(Taken { id, is_duplicate }) => {
                out.extend_from_slice(br#"{"id":"#);
                let written = serde_json::to_writer(&mut out, id);
                if *is_duplicate {
                    out.extend_from_slice(br#","duplicate":true"#);
                }
                written
            }
            Err(error) => {
                out.extend_from_slice(br#"{"error":"#);
                serde_json::to_writer(&mut out, &error.to_string())
            }
        };
        written.expect("a text fits into memory");
        out.push(b'}');
    }
    out.push(b']');
    out
}

#[cfg(test)]
mod tests {
    use event::EntryError;

    use super::*;

    #[test]
    fn a_key_comes_bare_or_quoted_once_and_visible() {
        let read = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("idempotency-key", HeaderValue::from_static(value));
            }
            key(&headers).map(|key| key.map(|key| key.as_str().to_owned()))
        };
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&["k-1"]).unwrap().as_deref(), Some("k-1"));
        assert_eq!(read(&["\"k-1\""]).unwrap().as_deref(), Some("k-1"));
        for bad in [&["a", "a"][..], &[""], &["\"\""], &["a b"]] {
            assert_eq!(read(bad).unwrap_err().kind(), Kind::BadRequest, "{bad:?}");
        }
    }

    #[test]
    fn outcomes_are_written_in_order_and_quoted() {
        let outcomes = vec![
            Ok(Taken { id: "a\"b".to_owned(), is_duplicate: false }),
            Err(EntryError::Empty { key: "source" }.into()),
            Ok(Taken { id: "c".to_owned(), is_duplicate: true }),
        ];
        assert_eq!(
            String::from_utf8(entries(&outcomes)).unwrap(),
            r#"[{"id":"a\"b"},{"error":"`source` must not be empty"},{"id":"c","duplicate":true}]"#
        );
        assert_eq!(entries(&Vec::new()), b"[]");
    }
}
