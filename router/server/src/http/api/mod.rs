//! `/api/v1/…`: what the command line needs, one file per resource.

pub(super) mod archives;
pub(super) mod dead_letters;
pub(super) mod events;
pub(super) mod replays;
pub(super) mod rules;
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

fn time(key: &str, text: &str) -> Result<Timestamp, Problem> {
    Timestamp::parse(text).map_err(|error| Kind::BadRequest.problem(format!("`{key}`: {error}")))
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

fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let query = Query::try_from_uri(uri)
        .map_err(|rejection| Kind::BadParameter.problem(rejection.body_text()))?;
    Ok(query.0)
}

/// Reads a body of JSON, whatever its content type says.
async fn body<T: DeserializeOwned>(app: &App, request: Request) -> Result<T, Problem> {
    let (head, mut body) = request.into_parts();
    let read = read(app, &mut body).await;
    if read.is_err() {
        drain(&mut body, &head.headers).await;
    }
    read
}

async fn read<T: DeserializeOwned>(app: &App, body: &mut Body) -> Result<T, Problem> {
    let bounds = Bounds { bytes_max: BODY_BYTES_MAX, time_max: app.body_time };
    let held = app.budget.read(body, bounds).await?;
    serde_json::from_slice(&held.bytes).map_err(|error| {
        let kind = if error.is_data() { Kind::BadRequest } else { Kind::MalformedBody };
        kind.problem(format!("the body: {error}"))
    })
}
