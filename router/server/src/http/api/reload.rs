//! `POST /api/v1/reload`: what lies in the folders, now.
//!
//! # Invariants
//!
//! - The answer comes when the new rules run, or are refused; it says which.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use crate::asked::{ReloadError, Reloaded};
use crate::http::error::{Kind, Problem};
use crate::http::{App, json};
use crate::owed::Owed;

#[derive(Serialize)]
struct Done {
    generation: u64,
    changed: bool,
    rules: usize,
    files: usize,
    tests: usize,
    removed: Vec<Owed>,
}

pub(in crate::http) async fn reload(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let reloaded = app.desk.intake.reload().await.map_err(refused)?;
    let Reloaded { generation, is_new, rules, files, tests, removed } = reloaded;
    Ok(json(&Done { generation, changed: is_new, rules, files, tests, removed }))
}

fn refused(error: ReloadError) -> Problem {
    match &error {
        ReloadError::Rejected(rejection) => Problem::rejected(Kind::RulesRefused, rejection),
        ReloadError::NotSwapped(_) | ReloadError::Stopping => {
            Kind::Unavailable.problem(error.to_string())
        }
    }
}
