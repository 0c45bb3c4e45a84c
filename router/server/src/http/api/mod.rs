//! `/api/v1/…`: what the command line needs, one file per resource.

pub(super) mod archives;
pub(super) mod connections;
pub(super) mod dead_letters;
pub(super) mod events;
pub(super) mod explain;
pub(super) mod plugin_list;
pub(super) mod plugins;
pub(super) mod reload;
pub(super) mod replays;
pub(super) mod rules;
pub(super) mod rules_diff;
pub(super) mod sent_rules;
pub(super) mod status;
pub(super) mod subscriptions;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, Request};
use axum::http::Uri;
use bus::Selection;
use event::Timestamp;
use serde::de::DeserializeOwned;

use super::App;
use super::body::{Bounds, drain};
use super::error::{Kind, Problem};

const BODY_BYTES_MAX: usize = 1 << 20;

/// What a path names.
fn named(name: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    let Path(name) = name.map_err(|rejection| Kind::NotFound.problem(rejection.body_text()))?;
    Ok(name)
}

/// `bad` is how a mistake is called here.
pub(super) fn time(key: &str, text: &str, bad: Kind) -> Result<Timestamp, Problem> {
    Timestamp::parse(text).map_err(|error| bad.problem(format!("`{key}`: {error}")))
}

/// The ends of a span; it must hold something.
fn span(
    since: Option<&str>,
    until: Option<&str>,
    bad: Kind,
) -> Result<(Option<Timestamp>, Option<Timestamp>), Problem> {
    let at = |key, text: Option<&str>| text.map(|text| time(key, text, bad)).transpose();
    let (since, until) = (at("since", since)?, at("until", until)?);
    if since.zip(until).is_some_and(|(since, until)| until <= since) {
        return Err(bad.problem("`until` is not after `since`: nothing lies between"));
    }
    Ok((since, until))
}

/// A pattern in a query.
pub(super) fn pattern_text(text: &str) -> Result<Selection, Problem> {
    Selection::parse(text).map_err(|error| {
        let (message, at, mend) = (error.message, error.span.start, error.mend);
        Kind::BadParameter.problem(format!("`pattern`: {message} (byte {at}); {mend}"))
    })
}

/// A pattern as an object, or, with its numbers as they are written, as the text of one.
fn pattern(value: &serde_json::Value, bad: Kind) -> Result<Selection, Problem> {
    let text = match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Selection::parse(&text).map_err(|error| {
        let (at, message, mend) = (error.span.start, error.message, error.mend);
        bad.problem(format!("`pattern`, at byte {at}: {message}; {mend}"))
    })
}

pub(super) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let query = Query::try_from_uri(uri)
        .map_err(|rejection| Kind::BadParameter.problem(query_mistake(&rejection.body_text())))?;
    Ok(query.0)
}

/// What is wrong with a query, without the words of those who read it for us.
fn query_mistake(text: &str) -> String {
    let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(text);
    let text = text
        .replace("invalid digit found in string", "not a whole number")
        .replace("cannot parse integer from empty string", "empty; use a whole number")
        .replace("number too large to fit in target type", "too large a number")
        .replace("provided string was not `true` or `false`", "neither `true` nor `false`");
    format!("the query: {text}")
}

/// Reads a body of JSON, whatever its content type says.
async fn body<T: DeserializeOwned>(app: &App, request: Request) -> Result<T, Problem> {
    body_within(app, request, BODY_BYTES_MAX).await
}

/// As [`body`], of up to so many bytes.
async fn body_within<T: DeserializeOwned>(
    app: &App,
    request: Request,
    bytes_max: usize,
) -> Result<T, Problem> {
    let (head, mut body) = request.into_parts();
    let bounds = Bounds { bytes_max, time_max: app.body_time };
    let read = read(app, &mut body, bounds).await;
    if read.is_err() {
        drain(&mut body, &head.headers).await;
    }
    read
}

async fn read<T: DeserializeOwned>(
    app: &App,
    body: &mut Body,
    bounds: Bounds,
) -> Result<T, Problem> {
    let held = app.budget.read(body, bounds).await?;
    serde_json::from_slice(&held.bytes).map_err(|error| {
        let kind = if error.is_data() { Kind::BadRequest } else { Kind::MalformedBody };
        kind.problem(format!("the body: {error}"))
    })
}
