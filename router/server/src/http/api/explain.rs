//! `POST /api/v1/explain`: why the running rules match an event, or do not, and what they make of it.
//!
//! ```text
//! {"event": {…}, "bus": "shop", "rule": "big-orders"}        an event as it is sent
//! {"id": "…", "rule": "big-orders"}                          one that is in the journal, with what became of it
//! ```
//!
//! Nothing is sent, and nothing is counted.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use bus::ruleset::{Purpose, RuleSet};
use bytes::Bytes;
use event::{Entry, Event, Stamp, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::body;
use crate::explain::{ExplainError, Explained, Question, explain};
use crate::http::error::{Kind, Problem};
use crate::http::{App, json, shown};

const BUS_DEFAULT: &str = "default";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    event: Option<Box<RawValue>>,
    id: Option<String>,
    bus: Option<String>,
    rule: Option<String>,
}

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    explained: Explained,
    event: Box<RawValue>,
    /// Of an event of the journal: the last place where it was taken in, and what became of it there.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<bus::Place>,
    /// The digest of the running rules, as the attempts of `place` have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    rules_digest: Option<String>,
}

pub(in crate::http) async fn explain_event(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let asked: Asked = body(&app, request).await?;
    if let Some(bus) = asked.bus.as_deref().filter(|bus| !app.router.has_bus(bus)) {
        return Err(app.unknown_bus(bus));
    }
    let rules = app.router.rules();
    let found = match (&asked.event, &asked.id) {
        (Some(event), None) => given(&app, &rules, event, &asked)?,
        (None, Some(id)) => kept(&app, id, asked.bus.as_deref()).await?,
        _ => {
            let detail = "the body needs either `event` or `id`";
            return Err(Kind::BadRequest.problem(detail));
        }
    };
    let Found { bus, event, ingested, place, digest } = found;
    let text = RawValue::from_string(event.json().to_owned()).expect("an event is JSON");
    let looking = tokio::task::spawn_blocking(move || {
        let (rule, purpose) = (asked.rule.as_deref(), Purpose::Look);
        let question = Question { bus: &bus, event: &event, ingested, rule, purpose };
        explain(&rules, question, &Vec::new)
    });
    let explained = looking.await.expect("an explanation does not panic");
    let explained = explained.map_err(|error| match error {
        ExplainError::UnknownRule(words) => Kind::UnknownRule.problem(words),
        no_rules @ ExplainError::NoRules { .. } => Kind::UnknownRule.problem(no_rules.to_string()),
    })?;
    Ok(json(&Answer { explained, event: text, place, rules_digest: digest }))
}

struct Found {
    bus: String,
    event: Event,
    ingested: Timestamp,
    place: Option<bus::Place>,
    digest: Option<String>,
}

fn given(app: &App, rules: &RuleSet, event: &RawValue, asked: &Asked) -> Result<Found, Problem> {
    let now = app.clock.now();
    let id = "00000000-0000-0000-0000-000000000000";
    let stamp = Stamp { id, time: now, account: "000000000000", region: "local" };
    let entry = Entry::read(event.get().as_bytes(), &app.limits.of_events(), &stamp);
    let entry = entry.map_err(|error| Kind::BadRequest.problem(format!("`event`: {error}")))?;
    let of_rule = || {
        let rule = rules.rules().iter().find(|rule| Some(&*rule.name) == asked.rule.as_deref());
        rule.map_or(BUS_DEFAULT, |rule| &rule.bus).to_owned()
    };
    let bus = asked.bus.clone().unwrap_or_else(of_rule);
    Ok(Found { bus, event: entry.event, ingested: now, place: None, digest: None })
}

async fn kept(app: &App, id: &str, bus: Option<&str>) -> Result<Found, Problem> {
    let fate = super::events::fate(app, id, bus).await?;
    let digest = Some(fate.rules);
    let place = fate.places.into_iter().next_back();
    let place = place
        .ok_or_else(|| Kind::NotFound.problem(format!("there is no event `{}`", shown(id))))?;
    let text = Bytes::from(place.event.event.get().to_owned());
    let event = Event::read(text).map_err(|error| {
        Kind::NotFound.problem(format!("the event `{}` cannot be read: {error}", shown(id)))
    })?;
    let (bus, ingested) = (place.event.bus.clone(), place.event.taken_at);
    Ok(Found { bus, event, ingested, place: Some(place), digest })
}
