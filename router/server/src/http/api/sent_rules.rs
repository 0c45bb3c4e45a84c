//! `/api/v1/buses/{bus}/rules/{name}`: one rule, and rules that somebody sends.
//!
//! # Invariants
//!
//! - Of a rule from a file no text is shown: files may hold what is nobody's business. What was sent is shown as it was.

use std::path::Path as FilePath;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::rules::RuleView;
use super::{BODY_BYTES_MAX, drain};
use crate::folder::{RULE_FILE_BYTES_MAX, read_bounded};
use crate::http::body::Bounds;
use crate::http::error::{Kind, Problem};
use crate::http::{App, json, shown};
use crate::owed::Owed;
use crate::sent_rules::{Change, Refusal, RuleName, Taken};

type Place = Result<Path<(String, String)>, PathRejection>;

/// The answer to a change.
#[derive(Serialize)]
struct Done<'a> {
    bus: &'a str,
    name: &'a str,
    generation: u64,
    changed: bool,
    /// Whether there was no such rule before.
    created: bool,
    /// Where the rule stands that runs now; none when it is gone.
    path: Option<&'a str>,
    removed: Vec<Owed>,
}

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    rule: RuleView<'a>,
    /// As it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

pub(in crate::http) async fn show(
    State(app): State<Arc<App>>,
    place: Place,
) -> Result<Response, Problem> {
    let name = rule_name(place)?;
    let set = app.router.rules();
    let on = set.on(name.bus());
    let found = on.and_then(|on| on.rules().iter().find(|it| it.name == name.name()));
    let Some(rule) = found else { return Err(unknown(&app, &name)) };
    let text = if app.desk.sent.holds(&rule.path) {
        let path = rule.path.clone();
        let reading = tokio::task::spawn_blocking(move || {
            read_bounded(FilePath::new(&path), RULE_FILE_BYTES_MAX)
        });
        let bytes = reading.await.expect("a panic ends the process").map_err(|error| {
            Kind::Internal.problem(format!("the rule cannot be read back: {error}"))
        })?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    } else {
        None
    };
    Ok(json(&Whole { rule: RuleView::of(rule, &app.desk.sent), text }))
}

pub(in crate::http) async fn put(
    State(app): State<Arc<App>>,
    place: Place,
    request: Request,
) -> Result<Response, Problem> {
    let (head, mut body) = request.into_parts();
    let read = async {
        let name = rule_name(place)?;
        let bounds = Bounds { bytes_max: BODY_BYTES_MAX, time_max: app.body_time };
        let held = app.budget.read(&mut body, bounds).await?;
        let text = String::from_utf8(held.bytes.to_vec()).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            Kind::MalformedBody
                .problem(format!("the body is no text: byte {at} begins no character of UTF-8"))
        })?;
        Ok((name, text))
    };
    match read.await {
        Ok((name, text)) => change(&app, name, Change::Put { text }).await,
        Err(problem) => {
            drain(&mut body, &head.headers).await;
            Err(problem)
        }
    }
}

pub(in crate::http) async fn remove(
    State(app): State<Arc<App>>,
    place: Place,
) -> Result<Response, Problem> {
    change(&app, rule_name(place)?, Change::Remove).await
}

pub(in crate::http) async fn enable(
    State(app): State<Arc<App>>,
    place: Place,
) -> Result<Response, Problem> {
    change(&app, rule_name(place)?, Change::Switch { is_enabled: true }).await
}

pub(in crate::http) async fn disable(
    State(app): State<Arc<App>>,
    place: Place,
) -> Result<Response, Problem> {
    change(&app, rule_name(place)?, Change::Switch { is_enabled: false }).await
}

async fn change(app: &App, rule: RuleName, change: Change) -> Result<Response, Problem> {
    if !app.router.has_begun() {
        return Err(app.not_begun());
    }
    let is_put = matches!(change, Change::Put { .. });
    let taken = app.desk.intake.change_rule(rule.clone(), change).await;
    let Taken { generation, is_new, is_created, removed } =
        taken.map_err(|refusal| refused(app, &rule, refusal))?;
    let created = is_put && is_created;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let (bus, name) = (rule.bus(), rule.name());
    let set = app.router.rules();
    let on = set.on(bus);
    let found = on.and_then(|on| on.rules().iter().find(|it| it.name == name));
    let path = found.map(|it| it.path.as_str());
    let done = Done { bus, name, generation, changed: is_new, created, path, removed };
    Ok((status, json(&done)).into_response())
}

fn refused(app: &App, rule: &RuleName, refusal: Refusal) -> Problem {
    let words = format!("{refusal}; nothing was changed");
    match refusal {
        Refusal::Rejected(rejection) => Problem::rejected(Kind::RulesRefused, &rejection),
        Refusal::OfFile { .. } | Refusal::TooMany => Kind::Conflict.problem(words),
        Refusal::Unknown { .. } => unknown(app, rule),
        Refusal::Another { .. } | Refusal::NotSwitched => Kind::BadRequest.problem(words),
        Refusal::Disk(_) => Kind::Internal.problem(words),
        Refusal::NotSwapped(_) | Refusal::Stopping => Kind::Unavailable.problem(words),
    }
}

fn rule_name(place: Place) -> Result<RuleName, Problem> {
    let Path((bus, name)) =
        place.map_err(|rejection| Kind::NotFound.problem(rejection.body_text()))?;
    let words = format!("`{}` on the bus `{}`", shown(&name), shown(&bus));
    RuleName::parse(bus, name).ok_or_else(|| {
        Kind::BadRequest.problem(format!(
            "there can be no rule {words}: the names of buses and rules have 1 to 64 letters (A to Z, a to z), digits, \
             dots, hyphens and underscores"
        ))
    })
}

fn unknown(app: &App, rule: &RuleName) -> Problem {
    if !app.router.has_bus(rule.bus()) {
        return app.unknown_bus(rule.bus());
    }
    let set = app.router.rules();
    let of_name = set.rules().iter().filter(|it| it.name == rule.name());
    let elsewhere: Vec<String> = of_name.map(|it| format!("`{}`", it.bus)).collect();
    if !elsewhere.is_empty() {
        let (name, bus, elsewhere) = (rule.name(), rule.bus(), elsewhere.join(", "));
        return Kind::UnknownRule.problem(format!(
            "there is no rule `{name}` on the bus `{bus}`; there is one on {elsewhere}"
        ));
    }
    let on = set.on(rule.bus());
    let known: Vec<&str> =
        on.map_or_else(Vec::new, |on| on.rules().iter().map(|it| it.name.as_str()).collect());
    if known.is_empty() {
        let (name, bus) = (rule.name(), rule.bus());
        return Kind::UnknownRule
            .problem(format!("there is no rule `{name}` on the bus `{bus}`, which has none"));
    }
    App::unknown_rule(rule.name(), &known)
}
