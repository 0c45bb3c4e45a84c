//! `GET /api/v1/rules`.
//!
//! # Not here
//!
//! - Secrets: a target is shown by its kind and by its URL without user, password and query.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use bus::ruleset::{Rule, Target, TargetKind};
use serde::Serialize;

use crate::http::{App, json};
use crate::sent_rules::SentFolder;

#[derive(Serialize)]
pub(super) struct RuleView<'a> {
    name: &'a str,
    bus: &'a str,
    description: Option<&'a str>,
    enabled: bool,
    /// Who it belongs to: a file of the folder of rules, or whoever sent it.
    from: From,
    path: &'a str,
    line: usize,
    targets: Vec<TargetView<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum From {
    File,
    Interface,
}

#[derive(Serialize)]
struct TargetView<'a> {
    id: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bus: Option<&'a str>,
}

pub(in crate::http) async fn rules(State(app): State<Arc<App>>) -> Response {
    let set = app.router.rules();
    let views: Vec<RuleView<'_>> =
        set.rules().iter().map(|rule| RuleView::of(rule, &app.desk.sent)).collect();
    json(&views)
}

impl<'a> RuleView<'a> {
    pub(super) fn of(rule: &'a Rule, sent: &SentFolder) -> Self {
        Self {
            from: if sent.holds(&rule.path) { From::Interface } else { From::File },
            name: &rule.name,
            bus: &rule.bus,
            description: rule.description.as_deref(),
            enabled: rule.enabled,
            path: &rule.path,
            line: rule.line,
            targets: rule.targets.iter().map(|target| TargetView::of(target)).collect(),
        }
    }
}

impl<'a> TargetView<'a> {
    fn of(target: &'a Target) -> Self {
        let kind = target.kind.name();
        let (id, connection) = (&target.id, None);
        let blank = Self { id, kind, url: None, connection, file: None, bus: None };
        match &target.kind {
            TargetKind::Http(http) => Self {
                url: Some(shown_url(&http.url_shown)),
                connection: http.connection.as_deref(),
                ..blank
            },
            TargetKind::Log(log) => Self { file: log.file.as_deref(), ..blank },
            TargetKind::Bus(bus) => Self { bus: Some(&bus.bus), ..blank },
        }
    }
}

/// The URL of a rule file without what may be secret in it. One with a `${…}` holds the value's name only.
fn shown_url(url: &str) -> String {
    if url.contains("${") {
        return url.to_owned();
    }
    bus::delivery::shown_url(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        for (url, shown) in [
            ("http://a:b@host:1/p/q?token=x#f", "http://host:1/p/q"),
            ("http://host?token=x", "http://host"),
            ("https://a@b@host/x@y", "https://host/x@y"),
            ("${CRM:-http://a/b?c}", "${CRM:-http://a/b?c}"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(shown_url(url), shown);
        }
    }
}
