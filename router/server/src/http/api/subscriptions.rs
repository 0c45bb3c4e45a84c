//! `/api/v1/subscriptions/…`: stopping the deliveries to a target, and letting them go on.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use bus::{Key, LetGo};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body;
use crate::http::error::Problem;
use crate::http::{self, App};

/// A subscription by its names.
type Names = Path<(String, String, String)>;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PauseRequest {
    #[serde(default)]
    reason: String,
}

pub(in crate::http) async fn subscriptions(State(app): State<Arc<App>>) -> Response {
    http::json(&app.router.status().subscriptions)
}

pub(in crate::http) async fn pause(
    State(app): State<Arc<App>>,
    Path((bus, rule, target)): Names,
    request: Request,
) -> Result<Response, Problem> {
    let asked: PauseRequest = body(&app, request).await?;
    let paused = app.router.pause(&Key::live(&bus, &rule, &target), &asked.reason).await?;
    Ok(http::json(&json!({ "paused": paused })))
}

pub(in crate::http) async fn resume(
    State(app): State<Arc<App>>,
    Path((bus, rule, target)): Names,
) -> Result<Response, Problem> {
    let LetGo { was_stopped, probes } = app.router.resume(&Key::live(&bus, &rule, &target)).await?;
    Ok(http::json(&json!({ "paused": Value::Null, "was_paused": was_stopped, "probes": probes })))
}

pub(in crate::http) async fn enable(
    State(app): State<Arc<App>>,
    Path((bus, rule, target)): Names,
) -> Result<Response, Problem> {
    let LetGo { was_stopped, probes } = app.router.enable(&Key::live(&bus, &rule, &target)).await?;
    Ok(http::json(
        &json!({ "disabled": Value::Null, "was_disabled": was_stopped, "probes": probes }),
    ))
}
