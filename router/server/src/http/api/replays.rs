//! `/api/v1/replays`: starting them, how far they are, and stopping them.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bus::ruleset::Rule;
use bus::{ReplayError, StartReplay};
use serde::Deserialize;
use serde_json::Value;

use super::{body, named, pattern, query, span, time};
use crate::config::nearest;
use crate::http::error::{Kind, Problem};
use crate::http::{App, json, shown};

pub(in crate::http) async fn replays(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    Ok(json(&app.router.replays().await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplayRequest {
    name: Option<String>,
    bus: Option<String>,
    archive: Option<String>,
    since: String,
    until: Option<String>,
    #[serde(default)]
    rules: Vec<String>,
    #[serde(default)]
    targets: Vec<String>,
    pattern: Option<Value>,
    rate: Option<f64>,
    concurrency: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mode {
    #[serde(default)]
    dry_run: bool,
}

impl ReplayRequest {
    fn read(self, app: &App) -> Result<StartReplay, Problem> {
        // An archive knows whose it is.
        let of_archive = || {
            let archive = self.archive.as_deref().and_then(|name| app.router.archive(name).ok());
            archive.map(|archive| archive.bus.as_ref().to_owned())
        };
        let bus = self.bus.clone().or_else(of_archive).unwrap_or_else(|| "default".to_owned());
        if !app.router.has_bus(&bus) {
            return Err(app.unknown_bus(&bus));
        }
        let since = time("since", &self.since, Kind::BadRequest)?;
        let (_since, until) = span(Some(&self.since), self.until.as_deref(), Kind::BadRequest)?;
        Ok(StartReplay {
            name: self.name,
            archive: self.archive,
            until,
            rules: self.rules,
            targets: self.targets,
            pattern: self.pattern.map(|value| pattern(&value, Kind::BadRequest)).transpose()?,
            rate: self.rate,
            concurrency: self.concurrency.unwrap_or(1),
            ..StartReplay::new(bus, since)
        })
    }
}

pub(in crate::http) async fn start_replay(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let mode: Mode = query(request.uri())?;
    let asked: ReplayRequest = body(&app, request).await?;
    let start = asked.read(&app)?;
    let refused = |error| refused(&app, error);
    if mode.dry_run {
        return Ok(json(&app.router.estimate_replay(start).await.map_err(refused)?));
    }
    let replay = app.router.start_replay(start).await.map_err(refused)?;
    Ok((StatusCode::CREATED, json(&replay)).into_response())
}

/// Who names no bus means `default`: what is on another one is told with its bus.
fn refused(app: &App, error: ReplayError) -> Problem {
    let (name, on) = match &error {
        ReplayError::UnknownRule { rule, bus, .. } => (rule, bus),
        ReplayError::UnknownTarget { target, bus, .. } => (target, bus),
        _ => return error.into(),
    };
    let rules = app.router.rules();
    let (rule, target) = match name.split_once('/') {
        Some((rule, target)) => (rule, Some(target)),
        None => (name.as_str(), None),
    };
    let has = |one: &Rule| target.is_none_or(|id| one.targets.iter().any(|target| target.id == id));
    let on_others = rules.rules().iter().filter(|one| one.bus != *on && one.enabled);
    let mut buses: Vec<&str> =
        on_others.filter(|one| one.name == rule && has(one)).map(|one| one.bus.as_str()).collect();
    buses.sort_unstable();
    buses.dedup();
    let what = if target.is_some() { "target" } else { "rule" };
    let mend = match *buses {
        [] => match near(&error, name) {
            Some(word) => format!("did you mean `{word}`?"),
            None => return error.into(),
        },
        [bus] => format!("bus `{bus}` has it: name that bus"),
        _ => format!("the buses {} have it: name one", buses.join(", ")),
    };
    let name = shown(name);
    Kind::UnknownRule.problem(format!("there is no enabled {what} `{name}` on bus `{on}`; {mend}"))
}

fn near<'a>(error: &'a ReplayError, name: &str) -> Option<&'a str> {
    let (ReplayError::UnknownRule { known, .. } | ReplayError::UnknownTarget { known, .. }) = error
    else {
        return None;
    };
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    nearest(name, &known)
}

type Name = Result<Path<String>, PathRejection>;

pub(in crate::http) async fn replay(
    State(app): State<Arc<App>>,
    name: Name,
) -> Result<Response, Problem> {
    Ok(json(&app.router.replay(&named(name)?).await?))
}

pub(in crate::http) async fn pause(
    State(app): State<Arc<App>>,
    name: Name,
) -> Result<Response, Problem> {
    Ok(json(&app.router.pause_replay(&named(name)?).await?))
}

pub(in crate::http) async fn resume(
    State(app): State<Arc<App>>,
    name: Name,
) -> Result<Response, Problem> {
    Ok(json(&app.router.resume_replay(&named(name)?).await?))
}

pub(in crate::http) async fn cancel(
    State(app): State<Arc<App>>,
    name: Name,
) -> Result<Response, Problem> {
    Ok(json(&app.router.cancel_replay(&named(name)?).await?))
}

pub(in crate::http) async fn remove(
    State(app): State<Arc<App>>,
    name: Name,
) -> Result<Response, Problem> {
    app.router.remove_replay(&named(name)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
