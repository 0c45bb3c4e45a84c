//! `/api/v1/replays`: starting them, how far they are, and stopping them.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bus::StartReplay;
use serde::Deserialize;
use serde_json::Value;

use super::{body, named, pattern, query, time};
use crate::http::error::{Kind, Problem};
use crate::http::{App, json};

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
        let since = time("since", &self.since)?;
        let until = self.until.map(|until| time("until", &until)).transpose()?;
        if until.is_some_and(|until| until <= since) {
            return Err(
                Kind::BadRequest.problem("`until` is not after `since`: nothing lies between")
            );
        }
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
    if mode.dry_run {
        return Ok(json(&app.router.estimate_replay(start).await?));
    }
    let replay = app.router.start_replay(start).await?;
    Ok((StatusCode::CREATED, json(&replay)).into_response())
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
