//! `GET /api/v1/status`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use bus::PluginStatus;
use event::Timestamp;
use serde::Serialize;

use crate::http::probe::weak_buses;
use crate::http::{App, json};
use crate::reload::{Generation, LastError};

#[derive(Serialize)]
struct Overview {
    version: &'static str,
    started_at: Timestamp,
    uptime_seconds: u64,
    generation: Generation,
    last_error: Option<LastError>,
    plugins: Vec<PluginStatus>,
    /// Buses that acknowledge events before they are synced.
    weakened: Vec<serde_json::Value>,
    router: bus::Status,
}

pub(in crate::http) async fn status(State(app): State<Arc<App>>) -> Response {
    let reloads = app.board.read();
    json(&Overview {
        version: env!("CARGO_PKG_VERSION"),
        started_at: app.started_at,
        uptime_seconds: app.clock.monotonic().as_secs(),
        generation: reloads.generation,
        last_error: reloads.last_error,
        plugins: reloads.plugins,
        weakened: weak_buses(&app.router.weakened()),
        router: app.router.status(),
    })
}
