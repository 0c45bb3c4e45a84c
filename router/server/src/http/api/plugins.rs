//! `/api/v1/plugins`: lines and versions of what is in service, and another one in its place.
//!
//! # Invariants
//!
//! - What changes a plugin takes the token of the configuration; without one there, nobody can.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use bus::plugin::Level;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{body, drain, named, query};
use crate::http::body::Bounds;
use crate::http::error::{Kind, Problem};
use crate::http::{App, json, pieces, shown};
use crate::plugins::intake::{Change, Refusal, users};
use crate::plugins::lines::Follower;
use crate::plugins::versions::Version;

const FILE_BYTES_MAX: usize = 64 << 20;
const NAME_CHARS_MAX: usize = 100;
/// A follower hears something at least so often, and so does whatever stands between.
const BEAT: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogQuery {
    plugin: Option<String>,
    level: Option<String>,
    #[serde(default)]
    follow: bool,
}

/// Lines as NDJSON, the oldest first; a blank line now and then says that the connection lives.
pub(in crate::http) async fn logs(
    State(app): State<Arc<App>>,
    uri: Uri,
) -> Result<Response, Problem> {
    let asked: LogQuery = query(&uri)?;
    let level = level(asked.level.as_deref().unwrap_or("info"))?;
    if let Some(name) = &asked.plugin
        && !app.board.read().plugins.iter().any(|status| status.name == *name)
    {
        return Err(unknown(&app, name));
    }
    let follower = app.desk.lines.follow(asked.plugin, level);
    let stop = app.desk.stop.clone();
    let is_followed = asked.follow;
    let next = move |mut follower: Follower| {
        let mut stop = stop.clone();
        async move {
            loop {
                let lines = follower.take().lines;
                if !lines.is_empty() {
                    let mut text = Vec::new();
                    for line in &lines {
                        serde_json::to_writer(&mut text, &**line)?;
                        text.push(b'\n');
                    }
                    return Ok::<_, serde_json::Error>(Some((Bytes::from(text), follower)));
                }
                if !is_followed {
                    return Ok(None);
                }
                tokio::select! {
                    biased;
                    _ = stop.wait_for(|stop| *stop) => return Ok(None),
                    () = follower.wait() => (),
                    () = tokio::time::sleep(BEAT) => {
                        return Ok(Some((Bytes::from_static(b"\n"), follower)));
                    }
                }
            }
        }
    };
    let mut response = Response::new(pieces::body(follower, next));
    let lines = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, lines);
    Ok(response)
}

fn level(text: &str) -> Result<Level, Problem> {
    let all = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error];
    all.into_iter().find(|level| level.name() == text).ok_or_else(|| {
        let text = shown(text);
        Kind::BadParameter
            .problem(format!("`level`: `{text}` is none of trace, debug, info, warn, error"))
    })
}

type Name = Result<Path<String>, PathRejection>;

/// The answer to a change.
#[derive(Serialize)]
struct Done {
    name: String,
    version: Option<String>,
    digest: Option<String>,
    generation: u64,
    changed: bool,
    /// The rules that name it.
    rules: Vec<String>,
}

pub(in crate::http) async fn put(
    State(app): State<Arc<App>>,
    name: Name,
    request: Request,
) -> Result<Response, Problem> {
    let (head, mut body) = request.into_parts();
    let read = async {
        authorize(&app, &head.headers)?;
        let name = plugin_name(name)?;
        let bounds = Bounds { bytes_max: FILE_BYTES_MAX, time_max: app.body_time };
        Ok((name, app.budget.read(&mut body, bounds).await?))
    };
    let (name, held) = match read.await {
        Ok(read) => read,
        Err(problem) => {
            drain(&mut body, &head.headers).await;
            return Err(problem);
        }
    };
    let bytes = held.bytes.clone();
    change(&app, &name, Change::Put { name: name.clone(), bytes }).await
}

pub(in crate::http) async fn remove(
    State(app): State<Arc<App>>,
    name: Name,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    authorize(&app, &headers)?;
    let name = plugin_name(name)?;
    change(&app, &name, Change::Remove { name: name.clone() }).await
}

/// The versions that are kept, the newest first.
pub(in crate::http) async fn versions(
    State(app): State<Arc<App>>,
    name: Name,
) -> Result<Response, Problem> {
    let name = plugin_name(name)?;
    let mut versions = kept(&app, &name).await;
    if versions.is_empty() {
        return Err(unknown(&app, &name));
    }
    versions.reverse();
    Ok(json(&versions))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RollbackRequest {
    /// Its beginning is enough; none: the version before this one.
    digest: Option<String>,
}

pub(in crate::http) async fn rollback(
    State(app): State<Arc<App>>,
    name: Name,
    request: Request,
) -> Result<Response, Problem> {
    authorize(&app, request.headers())?;
    let name = plugin_name(name)?;
    let RollbackRequest { digest } = body(&app, request).await?;
    let versions = kept(&app, &name).await;
    if versions.is_empty() {
        return Err(unknown(&app, &name));
    }
    let chosen = choose(&versions, digest.as_deref())?.digest.clone();
    let (store, of) = (app.desk.versions.clone(), name.clone());
    let reading = tokio::task::spawn_blocking(move || store.read(&of, &chosen));
    let bytes = reading.await.expect("a panic ends the process").map_err(|error| {
        Kind::Internal.problem(format!("the version of `{name}` cannot be read back: {error}"))
    })?;
    change(&app, &name, Change::Put { name: name.clone(), bytes: bytes.into() }).await
}

fn choose<'a>(versions: &'a [Version], digest: Option<&str>) -> Result<&'a Version, Problem> {
    let mend = "`slipswitch plugin versions NAME` lists them";
    let Some(digest) = digest else {
        let mut earlier = versions.iter().rev().filter(|version| version.until.is_some());
        return earlier.next().ok_or_else(|| {
            Kind::Conflict
                .problem("there is no earlier version: none was in service before this one")
        });
    };
    let mut found = versions.iter().filter(|version| version.digest.starts_with(digest));
    match (found.next(), found.next()) {
        _ if digest.is_empty() => {
            Err(Kind::BadRequest.problem(format!("`digest` is empty; {mend}")))
        }
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => {
            let digest = shown(digest);
            Err(Kind::Conflict.problem(format!("several digests begin with `{digest}`; {mend}")))
        }
        (None, _) => {
            let digest = shown(digest);
            Err(Kind::NotFound
                .problem(format!("no version that is kept begins with `{digest}`; {mend}")))
        }
    }
}

async fn kept(app: &App, name: &str) -> Vec<Version> {
    let (store, name) = (app.desk.versions.clone(), name.to_owned());
    let listing = tokio::task::spawn_blocking(move || store.list(&name));
    listing.await.expect("a panic ends the process")
}

async fn change(app: &App, name: &str, change: Change) -> Result<Response, Problem> {
    let taken = app.desk.intake.change_plugin(change).await.map_err(refused)?;
    let rules = app.router.rules();
    let done = Done {
        name: name.to_owned(),
        rules: users(&rules, name).into_iter().map(|rule| rule.name.clone()).collect(),
        version: taken.version,
        digest: taken.digest,
        generation: taken.generation,
        changed: taken.is_new,
    };
    Ok(json(&done).into_response())
}

fn refused(refusal: Refusal) -> Problem {
    let words = format!("{refusal}; nothing was changed");
    match refusal {
        Refusal::Rejected(rejection) => Problem::rejected(Kind::PluginRefused, &rejection),
        Refusal::NoPlugin(_) => Kind::PluginRefused.problem(words),
        Refusal::Unknown { .. } => Kind::NotFound.problem(words),
        Refusal::InUse { .. } => Kind::Conflict.problem(words),
        Refusal::Disk(_) => Kind::Internal.problem(words),
        Refusal::NotSwapped(_) | Refusal::Stopping => Kind::Unavailable.problem(words),
    }
}

/// The token of the configuration, as `authorization: Bearer …`.
fn authorize(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(token) = &app.desk.upload_token else {
        return Err(Kind::Forbidden.problem(
            "plugins are not changed over HTTP: this router has no token for it; give it one with \
             `plugin: { upload_token: ${file:PATH} }` in slipswitch.yaml, or put the file into its folder of plugins",
        ));
    };
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = sent.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    match bearer {
        Some(sent) if token.is(sent) => Ok(()),
        Some(_) => Err(Kind::Unauthorized.problem("this is not the router's token")),
        None => Err(Kind::Unauthorized.problem(
            "this takes the router's token: send `authorization: Bearer TOKEN`, or set SLIPSWITCH_TOKEN for the command \
             line",
        )),
    }
}

fn plugin_name(name: Name) -> Result<String, Problem> {
    let name = named(name)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.is_empty()
        || NAME_CHARS_MAX < name.len()
        || name.starts_with('.')
        || !name.chars().all(is_plain)
    {
        let name = shown(&name);
        return Err(Kind::BadRequest.problem(format!(
            "`{name}` is no name for a plugin: use 1 to {NAME_CHARS_MAX} letters, digits, `.`, `-` and `_`, and no `.` first"
        )));
    }
    Ok(name)
}

fn unknown(app: &App, name: &str) -> Problem {
    let plugins = app.board.read().plugins;
    let known: Vec<&str> = plugins.iter().map(|status| status.name.as_str()).collect();
    let name = shown(name);
    let mend = match crate::config::nearest(&name, &known) {
        Some(word) => format!("did you mean `{word}`?"),
        None if known.is_empty() => "there is none".to_owned(),
        None => format!("there are: {}", known.join(", ")),
    };
    Kind::NotFound.problem(format!("there is no plugin `{name}`; {mend}"))
}
