//! `GET /api/v1/connections`.
//!
//! # Not here
//!
//! - Secrets: a connection is its name, its kind and how it is taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use bus::delivery::ConnectionStatus;
use bus::ruleset::{RuleSet, TargetKind};
use serde::Serialize;

use crate::http::{App, json};

#[derive(Serialize)]
#[serde(untagged)]
enum View {
    Known {
        #[serde(flatten)]
        status: ConnectionStatus,
        used_by: Vec<String>,
    },
    /// A rule names it, and the configuration does not.
    Missing { name: String, kind: Option<&'static str>, state: &'static str, used_by: Vec<String> },
}

pub(in crate::http) async fn connections(State(app): State<Arc<App>>) -> Response {
    let mut users = users(&app.router.rules());
    let mut views: Vec<View> = Vec::new();
    for status in app.connections.list() {
        let used_by = users.remove(&status.name).unwrap_or_default();
        views.push(View::Known { status, used_by });
    }
    let missing = users.into_iter();
    views.extend(missing.map(|(name, used_by)| View::Missing {
        name,
        kind: None,
        state: "missing",
        used_by,
    }));
    json(&views)
}

/// The targets that go over each connection, as `bus/rule/target`.
fn users(rules: &RuleSet) -> BTreeMap<String, Vec<String>> {
    let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for rule in rules.rules() {
        for target in &rule.targets {
            if let TargetKind::Http(http) = &target.kind
                && let Some(connection) = &http.connection
            {
                let user = format!("{}/{}/{}", rule.bus, rule.name, target.id);
                users.entry(connection.clone()).or_default().push(user);
            }
        }
    }
    users
}
