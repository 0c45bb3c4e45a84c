//! `GET /api/v1/dead-letters/export`: all that a filter leaves, one a line, newest first.
//!
//! # Invariants
//!
//! - **bounded**: a page of letters is in memory at a time, however many there are.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, Uri, header};
use axum::response::Response;
use bus::{DeadLetterFilter, StateError};
use bytes::Bytes;
use serde::Deserialize;

use super::filter::{Filter, Rest, nothing_else};
use crate::http::App;
use crate::http::api::query;
use crate::http::error::{Kind, Problem};
use crate::http::pieces;

/// Letters that become one piece of the answer.
const PIECE: usize = 32;

#[derive(Deserialize)]
struct ExportQuery {
    #[serde(flatten)]
    filter: Filter,
    #[serde(flatten)]
    rest: Rest,
}

pub(in crate::http) async fn export(
    State(app): State<Arc<App>>,
    uri: Uri,
) -> Result<Response, Problem> {
    let ExportQuery { filter, rest } = query(&uri)?;
    nothing_else(&rest, Kind::BadParameter)?;
    let filter = filter.read(&app, Kind::BadParameter).await?;
    let filter = DeadLetterFilter { limit: PIECE, ..filter };
    let next = move |filter: Option<DeadLetterFilter>| {
        let app = Arc::clone(&app);
        async move {
            let Some(filter) = filter else { return Ok(None) };
            piece(&app, filter).await.map(Some)
        }
    };
    let mut response = Response::new(pieces::body(Some(filter), next));
    let lines = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, lines);
    Ok(response)
}

async fn piece(
    app: &App,
    filter: DeadLetterFilter,
) -> Result<(Bytes, Option<DeadLetterFilter>), StateError> {
    let page = app.router.dead_letters(filter.clone()).await?;
    let mut lines = Vec::new();
    for letter in &page.items {
        serde_json::to_writer(&mut lines, letter).expect("texts and numbers are JSON");
        lines.push(b'\n');
    }
    let next = page.next.map(|before| DeadLetterFilter { before: Some(before), ..filter });
    Ok((Bytes::from(lines), next))
}
