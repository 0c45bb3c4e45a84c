//! Small answers for people, supervisors and Prometheus.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::App;
use super::error::{Kind, Problem};

const ROOT: &str = concat!(
    "slipswitch ",
    env!("CARGO_PKG_VERSION"),
    "

POST /events                 send events: one JSON object, an array, or one a line
POST /buses/{bus}/events     the same, to a bus by name; both take CloudEvents, too
POST /                       PutEvents, as AWS's SDKs send it
GET  /buses/{bus}/stream     events as they come (server-sent events); GET /stream: of all buses
GET  /api/v1/status          what runs, and how far it has come
GET  /api/v1/events          what was taken in; /api/v1/events/{id}: what became of it
GET  /api/v1/rules           GET, PUT, DELETE /api/v1/buses/{bus}/rules/{name}; POST .../enable, disable
GET  /api/v1/subscriptions   POST /api/v1/subscriptions/{bus}/{rule}/{target}/pause, resume, enable
GET  /api/v1/dead-letters    POST /api/v1/dead-letters/redrive, purge; GET .../count, export
GET  /api/v1/replays         POST /api/v1/replays; DELETE /api/v1/replays/{name}
GET  /api/v1/archives        POST /api/v1/archives; PATCH, DELETE /api/v1/archives/{name}
GET  /api/v1/plugins         PUT, DELETE /api/v1/plugins/{name}; POST .../rollback; GET .../versions; GET /api/v1/plugin-logs
GET  /healthz  /readyz  /metrics
"
);

pub(super) async fn root() -> &'static str {
    ROOT
}

pub(super) async fn healthz() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], r#"{"status":"ok"}"#).into_response()
}

pub(super) async fn readyz(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    match app.router.ready() {
        Ok(()) => Ok(super::json(&readiness(&app.router.weakened()))),
        Err(reason) => Err(Kind::NotReady.problem(reason)),
    }
}

/// Says which buses acknowledge events before they are synced.
fn readiness(weakened: &[(String, Duration)]) -> serde_json::Value {
    if weakened.is_empty() {
        return serde_json::json!({ "status": "ready" });
    }
    serde_json::json!({ "status": "ready", "weakened": weak_buses(weakened) })
}

/// Each with what it promises instead.
pub(super) fn weak_buses(weakened: &[(String, Duration)]) -> Vec<serde_json::Value> {
    let buses = weakened.iter().map(|(bus, within)| {
        let interval_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        serde_json::json!({ "bus": bus, "durability": "interval", "interval_ms": interval_ms })
    });
    buses.collect()
}

pub(super) async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let text = app
        .metrics
        .scrape()
        .map_err(|error| Kind::Internal.problem(format!("write metrics: {error}")))?;
    let openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, openmetrics)], text).into_response())
}
