//! `/api/v1/replays`: starting them, and how far they are.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bus::StartReplay;
use serde::Deserialize;

use super::{body, time};
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
    since: String,
    until: Option<String>,
    #[serde(default)]
    rules: Vec<String>,
}

pub(in crate::http) async fn start_replay(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let asked: ReplayRequest = body(&app, request).await?;
    let bus = asked.bus.unwrap_or_else(|| "default".to_owned());
    if !app.router.has_bus(&bus) {
        return Err(app.unknown_bus(&bus));
    }
    let since = time("since", &asked.since)?;
    let until = asked.until.map(|until| time("until", &until)).transpose()?;
    if until.is_some_and(|until| until <= since) {
        return Err(Kind::BadRequest.problem("`until` is not after `since`: nothing lies between"));
    }
    let start = StartReplay { name: asked.name, bus, since, until, rules: asked.rules };
    let replay = app.router.start_replay(start).await?;
    Ok((StatusCode::CREATED, json(&replay)).into_response())
}
