//! The HTTP surface: one router, its state, and what every answer has in common.
//!
//! ```text
//! POST /events                    events to the bus `default`       ingest
//! POST /buses/{bus}/events        events to a bus                   ingest
//! POST /  with x-amz-target       events as AWS's SDKs send them    put_events
//! GET  /stream                    events as they come, of all buses stream
//! GET  /buses/{bus}/stream        the same, of one                 stream
//! GET  /healthz  /readyz          for supervisors and balancers     probe
//! GET  /metrics                   for Prometheus                    probe
//! …    /api/v1/…                  for the command line              api
//! ```
//!
//! # Invariants
//!
//! - Every refusal is a problem document (but to AWS's SDKs, which know only their own), and is counted.
//!
//! # Not here
//!
//! - Authentication: this version has none but for changing plugins, and says so when it listens to more than this
//!   machine.

mod alarm;
mod api;
mod body;
mod dialect;
mod error;
mod front;
mod ingest;
mod listen;
mod patience;
mod pieces;
mod probe;
mod put_events;
mod split;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use bus::Clock;
use bus::delivery::Connections;
use event::Timestamp;

use crate::config;
use crate::metrics::Metrics;
use crate::plugins::Desk;
use crate::reload::Board;
use crate::trial::Trial;

pub(crate) use body::Budget;
use error::{Kind, Problem};
pub(crate) use front::Front;
pub(crate) use listen::{ListenError, Listener, finish, serve};
pub(crate) use stream::Streams;

const SHOWN_CHARS_MAX: usize = 200;
/// Of all the rules, so many are named when one is not there.
const RULES_NAMED_MAX: usize = 20;

/// What answering a request takes.
pub(crate) struct App {
    pub(crate) router: bus::Router,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    pub(crate) board: Arc<Board>,
    pub(crate) limits: config::Limits,
    pub(crate) body_time: Duration,
    pub(crate) budget: Budget,
    pub(crate) started_at: Timestamp,
    pub(crate) connections: Connections,
    pub(crate) desk: Desk,
    pub(crate) trial: Trial,
    pub(crate) streams: Streams,
}

impl App {
    /// For what asks before there are rules.
    fn not_begun(&self) -> Problem {
        let reason = self.router.ready().err().unwrap_or_default();
        Kind::NotReady.problem(format!("{reason}; ask again later"))
    }

    fn unknown_bus(&self, bus: &str) -> Problem {
        if !self.router.has_begun() {
            return self.not_begun(); // A rule may name it.
        }
        let known = self.router.buses();
        let bus = &shown(bus);
        let words: Vec<&str> = known.iter().map(String::as_str).collect();
        let mend = match config::nearest(bus, &words) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!(
                "the buses are {}; name it in slipswitch.yaml or in a rule",
                words.join(", ")
            ),
        };
        Kind::UnknownBus.problem(format!("there is no bus `{bus}`; {mend}"))
    }

    fn unknown_rule(rule: &str, known: &[&str]) -> Problem {
        let rule = shown(rule);
        let mend = match config::nearest(&rule, known) {
            Some(word) => format!("did you mean `{word}`?"),
            None if known.is_empty() => "there is none".to_owned(),
            None => {
                let named = known.iter().take(RULES_NAMED_MAX).copied().collect::<Vec<_>>();
                let more = if named.len() < known.len() { " and others" } else { "" };
                format!("there are: {}{more}", named.join(", "))
            }
        };
        Kind::UnknownRule.problem(format!("there is no rule `{rule}`; {mend}"))
    }
}

/// All routes over one state.
fn routes(app: Arc<App>) -> axum::Router {
    axum::Router::new()
        .route("/", get(probe::root))
        .route("/events", post(ingest::into_default))
        .route("/buses/{bus}/events", post(ingest::into_named))
        .route("/buses/{bus}/stream", get(stream::of_bus))
        .route("/stream", get(stream::of_all))
        .route("/healthz", get(probe::healthz))
        .route("/readyz", get(probe::readyz))
        .route("/metrics", get(probe::metrics))
        .route("/api/v1/events", get(api::events::events))
        .route("/api/v1/events/{id}", get(api::events::event))
        .route("/api/v1/explain", post(api::explain::explain_event))
        .route("/api/v1/status", get(api::status::status))
        .route("/api/v1/rules", get(api::rules::rules))
        .route("/api/v1/rules/diff", post(api::rules_diff::diff))
        .route(
            "/api/v1/buses/{bus}/rules/{name}",
            get(api::sent_rules::show).put(api::sent_rules::put).delete(api::sent_rules::remove),
        )
        .route("/api/v1/buses/{bus}/rules/{name}/enable", post(api::sent_rules::enable))
        .route("/api/v1/buses/{bus}/rules/{name}/disable", post(api::sent_rules::disable))
        .route("/api/v1/reload", post(api::reload::reload))
        .route("/api/v1/connections", get(api::connections::connections))
        .route("/api/v1/plugins", get(api::plugin_list::plugins))
        .route("/api/v1/plugins/{name}", put(api::plugins::put).delete(api::plugins::remove))
        .route("/api/v1/plugins/{name}/versions", get(api::plugins::versions))
        .route("/api/v1/plugins/{name}/rollback", post(api::plugins::rollback))
        .route("/api/v1/plugin-logs", get(api::plugins::logs))
        .route("/api/v1/dead-letters", get(api::dead_letters::dead_letters))
        .route("/api/v1/dead-letters/count", get(api::dead_letters::count))
        .route("/api/v1/dead-letters/export", get(api::dead_letters::export::export))
        .route("/api/v1/dead-letters/redrive", post(api::dead_letters::act::redrive))
        .route("/api/v1/dead-letters/purge", post(api::dead_letters::act::purge))
        .route("/api/v1/dead-letters/{id}", get(api::dead_letters::dead_letter))
        .route("/api/v1/replays", get(api::replays::replays).post(api::replays::start_replay))
        .route("/api/v1/subscriptions", get(api::subscriptions::subscriptions))
        .route("/api/v1/subscriptions/{bus}/{rule}/{target}/pause", post(api::subscriptions::pause))
        .route(
            "/api/v1/subscriptions/{bus}/{rule}/{target}/resume",
            post(api::subscriptions::resume),
        )
        .route(
            "/api/v1/subscriptions/{bus}/{rule}/{target}/enable",
            post(api::subscriptions::enable),
        )
        .route("/api/v1/replays/{name}", get(api::replays::replay).delete(api::replays::remove))
        .route("/api/v1/replays/{name}/pause", post(api::replays::pause))
        .route("/api/v1/replays/{name}/resume", post(api::replays::resume))
        .route("/api/v1/replays/{name}/cancel", post(api::replays::cancel))
        .route("/api/v1/archives", get(api::archives::archives).post(api::archives::create))
        .route(
            "/api/v1/archives/{name}",
            get(api::archives::archive).patch(api::archives::change).delete(api::archives::remove),
        )
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(axum::middleware::map_response_with_state(Arc::clone(&app), count_refusals))
        .with_state(app)
}

async fn not_found(request: Request) -> Problem {
    let path = shown(request.uri().path());
    Kind::NotFound.problem(format!("there is nothing at {path}; `GET /` says what there is"))
}

async fn method_not_allowed(request: Request) -> Problem {
    let (method, path) = (shown(request.method().as_str()), shown(request.uri().path()));
    Kind::MethodNotAllowed
        .problem(format!("{path} does not take {method}; the header `allow` says what it takes"))
}

/// What a client sent, no longer than anybody reads.
fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).collect()
}

async fn count_refusals(State(app): State<Arc<App>>, response: Response) -> Response {
    count_refusal(&app, &response);
    response
}

fn count_refusal(app: &App, response: &Response) {
    if let Some(kind) = response.extensions().get::<Kind>() {
        app.metrics.refused(kind.slug());
    }
}

/// JSON as a response.
fn json(value: &impl serde::Serialize) -> Response {
    axum::Json(value).into_response()
}
