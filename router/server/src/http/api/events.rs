//! `/api/v1/events`: what is in the journal, and what became of it.
//!
//! ```text
//! GET /events?…          a page of events, newest first or oldest first
//! GET /events/{id}       what became of one
//! ```
//!
//! A client that goes away ends the looking.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use bus::{EventSearch, Fate, Unreadable};
use serde::Deserialize;

use super::{pattern_text, query, span};
use crate::http::error::{Kind, Problem};
use crate::http::{App, json, shown};

const PAGE_DEFAULT: usize = 100;
const PAGE_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SearchQuery {
    bus: Option<String>,
    since: Option<String>,
    until: Option<String>,
    pattern: Option<String>,
    order: Option<Order>,
    after: Option<u64>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Newest,
    Oldest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventQuery {
    bus: Option<String>,
    #[serde(default)]
    payloads: bool,
}

pub(in crate::http) async fn events(
    State(app): State<Arc<App>>,
    uri: Uri,
) -> Result<Response, Problem> {
    let asked: SearchQuery = query(&uri)?;
    let limit = asked.limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        let detail = format!("`limit` is {limit}; use a number from 1 to {PAGE_MAX}");
        return Err(Kind::BadParameter.problem(detail));
    }
    if let Some(bus) = asked.bus.as_deref().filter(|bus| !app.router.has_bus(bus)) {
        return Err(app.unknown_bus(bus));
    }
    let (since, until) = span(asked.since.as_deref(), asked.until.as_deref(), Kind::BadParameter)?;
    let search = EventSearch {
        bus: asked.bus,
        since,
        until,
        pattern: asked.pattern.as_deref().map(pattern_text).transpose()?,
        is_oldest_first: matches!(asked.order, Some(Order::Oldest)),
        after: asked.after,
        limit,
    };
    Ok(json(&app.router.search(search).await?))
}

pub(in crate::http) async fn event(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|rejection| Kind::NotFound.problem(rejection.body_text()))?;
    let EventQuery { bus, payloads } = query(&uri)?;
    if let Some(bus) = bus.as_deref().filter(|bus| !app.router.has_bus(bus)) {
        return Err(app.unknown_bus(bus));
    }
    let mut fate = fate(&app, &id, bus.as_deref()).await?;
    if payloads {
        app.router.add_payloads(&mut fate).await;
    }
    Ok(json(&fate))
}

/// What became of the events of an id, of which there is one at least.
pub(super) async fn fate(app: &App, id: &str, bus: Option<&str>) -> Result<Fate, Problem> {
    // Counted first: what is synced meanwhile is found.
    let unsynced = app.router.journal_stats().unsynced_records;
    let mut fate = app.router.fate(id, bus).await?;
    if fate.places.is_empty() && is_uuid_in_capitals(id) {
        // Ids of the router's own making are small; some tools show them in capitals.
        fate = app.router.fate(&id.to_ascii_lowercase(), bus).await?;
    }
    if fate.places.is_empty() {
        let id = shown(id);
        let why = why_not(&fate, unsynced);
        return Err(Kind::NotFound.problem(format!("there is no event `{id}`: {why}")));
    }
    Ok(fate)
}

fn why_not(fate: &Fate, unsynced: u64) -> String {
    let mend = "stop the router and let `slipswitch journal repair` mend it as far as it can, or restore the file";
    if let Some(Unreadable { bus, offset }) = fate.unreadable.first() {
        return format!(
            "it was taken in on bus `{bus}` at offset {offset}, but the sealed segment is damaged there; {mend}"
        );
    }
    let why = if fate.complete {
        "it was never taken in, or the journal no longer keeps it"
    } else {
        "not all of the journal was looked at; look for it by time and pattern"
    };
    let why = match unsynced {
        0 => why.to_owned(),
        unsynced => format!(
            "{why}, or it is one of the {unsynced} events that are acknowledged and not synced yet: look again in a moment"
        ),
    };
    match fate.damaged {
        0 => why,
        damaged => format!(
            "{why}, or it is one of the {damaged} events in damaged sealed segments; {mend}"
        ),
    }
}

fn is_uuid_in_capitals(id: &str) -> bool {
    let is_uuid = id.len() == 36
        && id.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    is_uuid && id.bytes().any(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_is_not_found_may_not_be_synced_yet() {
        let fate = Fate {
            id: "e-1".to_owned(),
            places: Vec::new(),
            complete: true,
            damaged: 0,
            unreadable: Vec::new(),
            rules: String::new(),
        };
        let never = "it was never taken in, or the journal no longer keeps it";
        assert_eq!(why_not(&fate, 0), never);
        let more =
            "one of the 2 events that are acknowledged and not synced yet: look again in a moment";
        assert_eq!(why_not(&fate, 2), format!("{never}, or it is {more}"));
    }
}
