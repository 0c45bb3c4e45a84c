//! `/api/v1/…`: what the command line needs.
//!
//! # Not here
//!
//! - Secrets: a target is shown by its kind and by its URL without user, password and query.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bus::ruleset::{Rule, Target, TargetKind};
use bus::{DeadLetterFilter, PluginStatus, Redrive, StartReplay};
use event::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::body::{Bounds, drain};
use super::error::{Kind, Problem};
use super::{App, json};
use crate::reload::{Generation, LastError};

const BODY_BYTES_MAX: usize = 1 << 20;
const PAGE_DEFAULT: usize = 100;
const PAGE_MAX: usize = 1000;

#[derive(Serialize)]
struct Overview {
    version: &'static str,
    started_at: Timestamp,
    uptime_seconds: u64,
    generation: Generation,
    last_error: Option<LastError>,
    plugins: Vec<PluginStatus>,
    router: bus::Status,
}

pub(super) async fn status(State(app): State<Arc<App>>) -> Response {
    let reloads = app.board.read();
    json(&Overview {
        version: env!("CARGO_PKG_VERSION"),
        started_at: app.started_at,
        uptime_seconds: app.clock.monotonic().as_secs(),
        generation: reloads.generation,
        last_error: reloads.last_error,
        plugins: reloads.plugins,
        router: app.router.status(),
    })
}

#[derive(Serialize)]
struct RuleView<'a> {
    name: &'a str,
    bus: &'a str,
    description: Option<&'a str>,
    enabled: bool,
    path: &'a str,
    line: usize,
    targets: Vec<TargetView<'a>>,
}

#[derive(Serialize)]
struct TargetView<'a> {
    id: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bus: Option<&'a str>,
}

pub(super) async fn rules(State(app): State<Arc<App>>) -> Response {
    let set = app.router.rules();
    let views: Vec<RuleView<'_>> = set.rules().iter().map(|rule| RuleView::of(rule)).collect();
    json(&views)
}

impl<'a> RuleView<'a> {
    fn of(rule: &'a Rule) -> Self {
        Self {
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
        let blank = Self { id: &target.id, kind, url: None, file: None, bus: None };
        match &target.kind {
            TargetKind::Http(http) => Self { url: Some(shown_url(&http.url_shown)), ..blank },
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
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = plain.split_once("://") else { return plain.to_owned() };
    let (host, path) = match rest.split_once('/') {
        Some((host, path)) => (host, Some(path)),
        None => (rest, None),
    };
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    match path {
        Some(path) => format!("{scheme}://{host}/{path}"),
        None => format!("{scheme}://{host}"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeadLetterQuery {
    bus: Option<String>,
    rule: Option<String>,
    target: Option<String>,
    before: Option<i64>,
    limit: Option<usize>,
}

pub(super) async fn dead_letters(
    State(app): State<Arc<App>>,
    uri: Uri,
) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Page<T> {
        items: Vec<T>,
        next: Option<i64>,
    }

    let query: DeadLetterQuery = query(&uri)?;
    let limit = query.limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        let detail = format!("`limit` is {limit}; use a number from 1 to {PAGE_MAX}");
        return Err(Kind::BadParameter.problem(detail));
    }
    let filter = DeadLetterFilter {
        bus: query.bus,
        rule: query.rule,
        target: query.target,
        before: query.before,
        limit,
    };
    let items = app.router.dead_letters(filter).await?;
    let next = if items.len() < limit { None } else { items.last().map(|last| last.id) };
    Ok(json(&Page { items, next }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RedriveRequest {
    ids: Option<Vec<i64>>,
    #[serde(default)]
    all: bool,
    bus: Option<String>,
    rule: Option<String>,
    target: Option<String>,
}

impl RedriveRequest {
    fn which(self) -> Result<Redrive, Problem> {
        let narrowed = self.bus.is_some() || self.rule.is_some() || self.target.is_some();
        match self.ids {
            Some(_) if self.all || narrowed => {
                Err(Kind::BadRequest.problem("`ids` names them one by one: leave `all`, `bus`, `rule` and `target` away"))
            }
            Some(ids) => Ok(Redrive::Ids(ids)),
            None if self.all => Ok(Redrive::Matching(DeadLetterFilter {
                bus: self.bus,
                rule: self.rule,
                target: self.target,
                before: None,
                limit: usize::MAX,
            })),
            None => Err(Kind::BadRequest
                .problem("say which: {\"ids\":[…]}, or {\"all\":true} with `bus`, `rule` or `target` to narrow it")),
        }
    }
}

pub(super) async fn redrive(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Refused {
        id: i64,
        reason: String,
    }

    #[derive(Serialize)]
    struct Answer {
        redriven: usize,
        refused: Vec<Refused>,
    }

    let asked: RedriveRequest = body(&app, request).await?;
    let done = app.router.redrive(asked.which()?).await?;
    let refused = done.refused.into_iter().map(|(id, reason)| Refused { id, reason }).collect();
    Ok(json(&Answer { redriven: done.redriven, refused }))
}

pub(super) async fn replays(State(app): State<Arc<App>>) -> Result<Response, Problem> {
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

pub(super) async fn start_replay(
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

fn time(key: &str, text: &str) -> Result<Timestamp, Problem> {
    Timestamp::parse(text).map_err(|error| Kind::BadRequest.problem(format!("`{key}`: {error}")))
}

fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let query = Query::try_from_uri(uri)
        .map_err(|rejection| Kind::BadParameter.problem(rejection.body_text()))?;
    Ok(query.0)
}

/// Reads a body of JSON, whatever its content type says.
async fn body<T: DeserializeOwned>(app: &App, request: Request) -> Result<T, Problem> {
    let (head, mut body) = request.into_parts();
    let read = read(app, &mut body).await;
    if read.is_err() {
        drain(&mut body, &head.headers).await;
    }
    read
}

async fn read<T: DeserializeOwned>(app: &App, body: &mut Body) -> Result<T, Problem> {
    let bounds = Bounds { bytes_max: BODY_BYTES_MAX, time_max: app.body_time };
    let held = app.budget.read(body, bounds).await?;
    serde_json::from_slice(&held.bytes).map_err(|error| {
        let kind = if error.is_data() { Kind::BadRequest } else { Kind::MalformedBody };
        kind.problem(format!("the body: {error}"))
    })
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

    #[test]
    fn a_redrive_says_which_or_is_refused() {
        let which = |text| serde_json::from_str::<RedriveRequest>(text).unwrap().which();
        assert!(matches!(which(r#"{"ids":[1,2]}"#), Ok(Redrive::Ids(ids)) if ids == [1, 2]));
        assert!(matches!(which(r#"{"all":true,"rule":"r"}"#), Ok(Redrive::Matching(_))));
        for bad in ["{}", r#"{"rule":"r"}"#, r#"{"all":false}"#, r#"{"ids":[1],"all":true}"#] {
            assert_eq!(which(bad).map(|_| ()).unwrap_err().kind(), Kind::BadRequest, "{bad}");
        }
    }
}
