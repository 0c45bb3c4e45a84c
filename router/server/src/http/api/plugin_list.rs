//! `GET /api/v1/plugins`: what is in service, who uses it, and how it does.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use bus::plugin::Tally;
use bus::ruleset::Rule;
use bus::{CircuitStatus, PluginStatus, SubscriptionStatus};
use serde::Serialize;

use crate::http::{App, json};
use crate::plugins::intake::users;
use crate::reload::{LastError, Reloads};

#[derive(Serialize)]
struct View<'a> {
    #[serde(flatten)]
    status: &'a PluginStatus,
    /// The rules that name it, also as a shadow or a canary.
    rules: Vec<&'a str>,
    events: u64,
    errors: u64,
    faults: u64,
    cpu_ms: u64,
    last_fault: Option<String>,
    /// Another file of it lies in the folder, and was refused with the rules there.
    refused: bool,
    /// Of the subscriptions of these rules, those that give their plugins nothing but probes now.
    open_circuits: Vec<Open<'a>>,
}

#[derive(Serialize)]
struct Open<'a> {
    bus: &'a str,
    rule: &'a str,
    target: &'a str,
    replay: Option<&'a str>,
    #[serde(flatten)]
    circuit: &'a CircuitStatus,
    fault: Option<&'a str>,
}

pub(in crate::http) async fn plugins(State(app): State<Arc<App>>) -> Response {
    let rules = app.router.rules();
    let Reloads { plugins, last_error, .. } = app.board.read();
    let subscriptions = app.router.status().subscriptions;
    let open: Vec<&SubscriptionStatus> =
        subscriptions.iter().filter(|one| one.plugins.state != "closed").collect();
    let view = |status| {
        View::of(
            status,
            &users(&rules, status.name.as_str()),
            &open,
            app.desk.host.tally(&status.name),
            last_error.as_ref(),
        )
    };
    let views: Vec<View<'_>> = plugins.iter().map(view).collect();
    json(&views)
}

impl<'a> View<'a> {
    fn of(
        status: &'a PluginStatus,
        rules: &[&'a Rule],
        open: &[&'a SubscriptionStatus],
        tally: Tally,
        last_error: Option<&LastError>,
    ) -> Self {
        let is_theirs = |one: &&&SubscriptionStatus| {
            rules.iter().any(|rule| rule.bus == one.bus && rule.name == one.rule)
        };
        let open = open.iter().filter(is_theirs).map(|one| Open {
            bus: &one.bus,
            rule: &one.rule,
            target: &one.target,
            replay: one.replay.as_deref(),
            circuit: &one.plugins,
            fault: one.plugin_fault.as_deref(),
        });
        let Tally { events, errors, faults, cpu, last_fault } = tally;
        Self {
            status,
            rules: rules.iter().map(|rule| rule.name.as_str()).collect(),
            events,
            errors,
            faults,
            cpu_ms: u64::try_from(cpu.as_millis()).unwrap_or(u64::MAX),
            last_fault,
            refused: last_error.is_some_and(|error| error.refuses(status)),
            open_circuits: open.collect(),
        }
    }
}
