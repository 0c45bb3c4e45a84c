//! `POST /api/v1/rules/diff`: what other rules would have done.
//!
//! ```text
//! {"progress":{"events":81920,"of":1000000}}        a few times a second
//! {"result":{…}}                                    or {"error":"…"}, and the end
//! ```
//!
//! # Invariants
//!
//! - Nothing is sent and nothing is changed.
//! - A client that goes away ends the work.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bus::ruleset::SourceFile;
use bus::{CompareError, CompareRules, ComparedRules, Watch};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{body_within, pattern, span};
use crate::http::error::{Kind, Problem};
use crate::http::{App, pieces};
use crate::trial::Tried;

/// All rule files together.
const BODY_BYTES_MAX: usize = 32 << 20;
/// Examples of each kind and subscription.
const EXAMPLES_DEFAULT: usize = 3;
const EXAMPLES_MAX: usize = 100;
/// Between two lines of progress.
const BEAT: Duration = Duration::from_millis(250);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DiffRequest {
    files: Vec<File>,
    bus: Option<String>,
    archive: Option<String>,
    since: Option<String>,
    until: Option<String>,
    pattern: Option<Value>,
    limit: Option<u64>,
    examples: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    path: String,
    text: String,
}

/// The last line.
#[derive(Serialize)]
struct Answer<'a> {
    generation: u64,
    rules_running: usize,
    rules_candidate: usize,
    #[serde(flatten)]
    compared: &'a ComparedRules,
    tests: Tests<'a>,
}

#[derive(Serialize)]
struct Tests<'a> {
    passed: usize,
    failed: usize,
    #[serde(skip_serializing_if = "str::is_empty")]
    rendered: &'a str,
}

type Compared = Result<ComparedRules, CompareError>;

/// A comparison under way.
struct Comparing {
    work: Pin<Box<dyn Future<Output = Compared> + Send>>,
    watch: Waited,
    app: Arc<App>,
    tried: Tried,
}

/// As long as it lives, somebody waits.
struct Waited(Arc<Watch>);

impl Drop for Waited {
    fn drop(&mut self) {
        self.0.leave();
    }
}

pub(in crate::http) async fn diff(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let mut asked: DiffRequest = body_within(&app, request, BODY_BYTES_MAX).await?;
    if !app.router.has_begun() {
        return Err(app.not_begun());
    }
    let files = std::mem::take(&mut asked.files);
    let ask = asked.read(&app)?;
    let turn = app.trial.turn().ok_or_else(|| {
        Kind::Overloaded
            .problem("another comparison of rules is under way; ask again when it is done")
    })?;
    let tried = compile(&app, files).await?;
    let watch = Waited(Arc::new(Watch::holding(turn)));
    let work = {
        let (router, rules) = (app.router.clone(), Arc::clone(&tried.rules));
        let watch = Arc::clone(&watch.0);
        Box::pin(async move { router.compare(rules, ask, watch).await })
    };
    let first = Some(Comparing { work, watch, app, tried });
    let next = |comparing: Option<Comparing>| async move {
        let Some(mut comparing) = comparing else { return Ok(None) };
        tokio::select! {
            biased;
            compared = &mut comparing.work => {
                Ok::<_, serde_json::Error>(Some((comparing.last(compared)?, None)))
            }
            () = tokio::time::sleep(BEAT) => Ok(Some((comparing.progress(), Some(comparing)))),
        }
    };
    let mut response = Response::new(pieces::body(first, next));
    let lines = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, lines);
    Ok(response)
}

async fn compile(app: &Arc<App>, files: Vec<File>) -> Result<Tried, Problem> {
    let compiling = {
        let (app, running) = (Arc::clone(app), app.router.rules());
        let files = files.into_iter().map(|File { path, text }| SourceFile { path, text });
        let files = files.collect();
        tokio::task::spawn_blocking(move || app.trial.compile(files, &running))
    };
    let tried = compiling.await.expect("a panic ends the process");
    tried.map_err(|rejection| Problem::rules_refused(&rejection))
}

impl DiffRequest {
    fn read(self, app: &App) -> Result<CompareRules, Problem> {
        let Self { bus, archive, since, until, pattern: wanted, limit, examples, .. } = self;
        if let Some(bus) = bus.as_deref().filter(|bus| !app.router.has_bus(bus)) {
            return Err(app.unknown_bus(bus));
        }
        if let Some(archive) = &archive {
            app.router.archive(archive)?;
        }
        let (since, until) = span(since.as_deref(), until.as_deref(), Kind::BadRequest)?;
        let examples = examples.unwrap_or(EXAMPLES_DEFAULT);
        if EXAMPLES_MAX < examples {
            let detail = format!("`examples` is {examples}; use a number up to {EXAMPLES_MAX}");
            return Err(Kind::BadRequest.problem(detail));
        }
        let pattern = wanted.map(|value| pattern(&value, Kind::BadRequest)).transpose()?;
        Ok(CompareRules { bus, archive, since, until, pattern, limit, examples })
    }
}

impl Comparing {
    fn progress(&self) -> Bytes {
        let (events, of) = self.watch.0.progress();
        Bytes::from(format!("{{\"progress\":{{\"events\":{events},\"of\":{of}}}}}\n"))
    }

    fn last(&self, compared: Compared) -> Result<Bytes, serde_json::Error> {
        let mut line = match compared {
            Ok(compared) => {
                let Tried { rules, tests_passed, failures, rendered } = &self.tried;
                let tests = Tests { passed: *tests_passed, failed: failures.len(), rendered };
                let answer = Answer {
                    generation: self.app.board.read().generation.number,
                    rules_running: self.app.router.rules().rules().len(),
                    rules_candidate: rules.rules().len(),
                    compared: &compared,
                    tests,
                };
                serde_json::to_vec(&serde_json::json!({ "result": answer }))?
            }
            Err(error) => serde_json::to_vec(&serde_json::json!({ "error": error.to_string() }))?,
        };
        line.push(b'\n');
        Ok(Bytes::from(line))
    }
}
