//! What a refused request gets: a problem document (RFC 9457), whatever it asked for.
//!
//! ```json
//! {"type":"/problems/unknown-bus","title":"Unknown bus","status":404,"detail":"there is no bus `shpo`; …"}
//! ```
//!
//! # Invariants
//!
//! - HTTP statuses of refusals are chosen in [`Kind::status`] and nowhere else.
//! - `detail` names the thing and the mend.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bus::ruleset::Diagnostic;
use bus::{ArchiveError, IngestError, Refusal, ReplayError, SearchError, StateError, StopError};
use event::JsonError;
use serde_json::value::RawValue;

use super::split::SplitError;
use crate::load::Rejection;

/// Seconds after which a sender who was turned away may come again.
const RETRY_AFTER_SECONDS: u16 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    NotFound,
    UnknownBus,
    UnknownRule,
    MethodNotAllowed,
    UnsupportedMediaType,
    BodyTooLarge,
    BodyTooSlow,
    BodyIncomplete,
    MalformedBody,
    NoEvent,
    TooManyEvents,
    EventRefused,
    EventsRefused,
    EventTooLarge,
    BadParameter,
    BadRequest,
    Conflict,
    KeyReused,
    Unauthorized,
    Forbidden,
    PluginRefused,
    RulesRefused,
    Overloaded,
    Unavailable,
    NotReady,
    Internal,
}

#[derive(Debug)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
    /// The results of all entries, as a JSON array.
    entries: Option<Box<RawValue>>,
    /// How many of the first entries need not be sent again.
    done: Option<usize>,
    /// What is wrong with rules, and the same for people.
    diagnostics: Option<(Vec<Diagnostic>, String)>,
}

impl Kind {
    /// The one place where a refusal becomes a number.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::NotFound | Self::UnknownBus | Self::UnknownRule => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooLarge | Self::TooManyEvents | Self::EventTooLarge => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BodyIncomplete
            | Self::MalformedBody
            | Self::NoEvent
            | Self::EventRefused
            | Self::EventsRefused
            | Self::BadParameter
            | Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Conflict => StatusCode::CONFLICT,
            Self::KeyReused | Self::PluginRefused | Self::RulesRefused => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Overloaded | Self::Unavailable | Self::NotReady => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The last part of `type`, and the value of the metrics' label.
    pub(crate) fn slug(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::UnknownBus => "unknown-bus",
            Self::UnknownRule => "unknown-rule",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::BodyTooLarge => "body-too-large",
            Self::BodyTooSlow => "body-too-slow",
            Self::BodyIncomplete => "body-incomplete",
            Self::MalformedBody => "malformed-body",
            Self::NoEvent => "no-event",
            Self::TooManyEvents => "too-many-events",
            Self::EventRefused => "event-refused",
            Self::EventsRefused => "events-refused",
            Self::EventTooLarge => "event-too-large",
            Self::BadParameter => "bad-parameter",
            Self::BadRequest => "bad-request",
            Self::Conflict => "conflict",
            Self::KeyReused => "key-reused",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::PluginRefused => "plugin-refused",
            Self::RulesRefused => "rules-refused",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::NotReady => "not-ready",
            Self::Internal => "internal",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::NotFound => "Not found",
            Self::UnknownBus => "Unknown bus",
            Self::UnknownRule => "Unknown rule",
            Self::MethodNotAllowed => "Method not allowed",
            Self::UnsupportedMediaType => "Unsupported media type",
            Self::BodyTooLarge => "Body too large",
            Self::BodyTooSlow => "Body too slow",
            Self::BodyIncomplete => "Body incomplete",
            Self::MalformedBody => "Malformed body",
            Self::NoEvent => "No event",
            Self::TooManyEvents => "Too many events",
            Self::EventRefused => "Event refused",
            Self::EventsRefused => "All events refused",
            Self::EventTooLarge => "Event too large",
            Self::BadParameter => "Bad parameter",
            Self::BadRequest => "Bad request",
            Self::Conflict => "Conflict",
            Self::KeyReused => "Idempotency key used for something else",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::PluginRefused => "Plugin refused",
            Self::RulesRefused => "Rules refused",
            Self::Overloaded => "Overloaded",
            Self::Unavailable => "Unavailable",
            Self::NotReady => "Not ready",
            Self::Internal => "Internal error",
        }
    }

    pub(crate) fn problem(self, detail: impl Into<String>) -> Problem {
        Problem { kind: self, detail: detail.into(), entries: None, done: None, diagnostics: None }
    }
}

impl Problem {
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// Every entry of a list was refused; `entries` says why, in order.
    pub(crate) fn all_refused(entries: Box<RawValue>) -> Self {
        let detail =
            "none of the events was taken; `entries` says why, in the order they were sent";
        Self { entries: Some(entries), ..Kind::EventsRefused.problem(detail) }
    }

    /// The rules do not run with what was sent, or as they lie there.
    pub(crate) fn rejected(kind: Kind, rejection: &Rejection) -> Self {
        let detail = format!("{}; nothing was changed", rejection.message);
        let diagnostics = Some((rejection.diagnostics.clone(), rejection.render(false)));
        Self { diagnostics, ..kind.problem(detail) }
    }

    /// Rules that were sent do not compile.
    pub(crate) fn rules_refused(rejection: &Rejection) -> Self {
        let diagnostics = Some((rejection.diagnostics.clone(), rejection.render(false)));
        Self { diagnostics, ..Kind::RulesRefused.problem(rejection.message.clone()) }
    }

    /// The only event of a request was refused.
    pub(crate) fn refused(refusal: &Refusal) -> Self {
        let kind = match refusal {
            Refusal::Entry(error) => match error.json() {
                Some(JsonError::TooLarge { .. }) => Kind::EventTooLarge,
                Some(JsonError::Syntax { .. } | JsonError::NotUtf8 { .. }) => Kind::MalformedBody,
                Some(JsonError::TooDeep { .. }) | None => Kind::EventRefused,
            },
            Refusal::KeyReused { .. } => Kind::KeyReused,
        };
        kind.problem(refusal.to_string())
    }
}

impl From<SplitError> for Problem {
    fn from(error: SplitError) -> Self {
        let kind = match error {
            SplitError::Empty => Kind::NoEvent,
            SplitError::TooMany { .. } => Kind::TooManyEvents,
            SplitError::NotUtf8 { .. } | SplitError::Array { .. } => Kind::MalformedBody,
        };
        kind.problem(error.to_string())
    }
}

impl From<IngestError> for Problem {
    fn from(error: IngestError) -> Self {
        let (kind, done) = match error {
            IngestError::UnknownBus { .. } => (Kind::UnknownBus, None),
            IngestError::Unavailable { .. } => (Kind::Unavailable, None),
            IngestError::Partly { done, .. } => (Kind::Unavailable, Some(done)),
        };
        Self { done, ..kind.problem(error.to_string()) }
    }
}

impl From<SearchError> for Problem {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Bus(error) => error.into(),
            SearchError::Journal(error) => Kind::Internal.problem(error.to_string()),
        }
    }
}

impl From<StateError> for Problem {
    fn from(error: StateError) -> Self {
        if error.is_full() {
            return Kind::Unavailable.problem(
                "the disk is full: the state cannot be written; make room on the data folder's disk",
            );
        }
        if error.may_pass() {
            return Kind::Unavailable
                .problem(format!("{error}: nothing was changed; `slipswitch status` says more"));
        }
        Kind::Internal.problem(error.to_string())
    }
}

impl From<StopError> for Problem {
    fn from(error: StopError) -> Self {
        match error {
            StopError::Unknown { .. } => Kind::NotFound.problem(error.to_string()),
            StopError::State(error) => error.into(),
        }
    }
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        let kind = match error {
            ReplayError::State(error) => return error.into(),
            ReplayError::UnknownBus { .. } => Kind::UnknownBus,
            ReplayError::UnknownRule { .. } | ReplayError::UnknownTarget { .. } => {
                Kind::UnknownRule
            }
            ReplayError::Unknown { .. } | ReplayError::UnknownArchive { .. } => Kind::NotFound,
            ReplayError::NameTaken { .. } | ReplayError::NotNow { .. } => Kind::Conflict,
            ReplayError::NoRules { .. }
            | ReplayError::EmptySpan { .. }
            | ReplayError::Ahead { .. }
            | ReplayError::OtherBus { .. }
            | ReplayError::BadRate { .. }
            | ReplayError::BadConcurrency { .. }
            | ReplayError::BadName { .. } => Kind::BadRequest,
            ReplayError::Journal { .. } => Kind::Internal,
        };
        kind.problem(error.to_string())
    }
}

impl From<ArchiveError> for Problem {
    fn from(error: ArchiveError) -> Self {
        let kind = match error {
            ArchiveError::State(error) => return error.into(),
            ArchiveError::UnknownBus { .. } => Kind::UnknownBus,
            ArchiveError::Unknown { .. } => Kind::NotFound,
            ArchiveError::NameTaken { .. }
            | ArchiveError::Unlisted { .. }
            | ArchiveError::TooMany
            | ArchiveError::Replaying { .. } => Kind::Conflict,
            ArchiveError::BadName { .. }
            | ArchiveError::BadRetention { .. }
            | ArchiveError::BadDescription { .. } => Kind::BadRequest,
            ArchiveError::Disk { .. } | ArchiveError::Unsealed { .. } => Kind::Internal,
        };
        kind.problem(error.to_string())
    }
}

#[derive(serde::Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    done: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnostics: Option<&'a [Diagnostic]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rendered: Option<&'a str>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.kind.status();
        let document = Document {
            r#type: format!("/problems/{}", self.kind.slug()),
            title: self.kind.title(),
            status: status.as_u16(),
            detail: &self.detail,
            done: self.done,
            entries: self.entries.as_deref(),
            diagnostics: self.diagnostics.as_ref().map(|(diagnostics, _)| diagnostics.as_slice()),
            rendered: self.diagnostics.as_ref().map(|(_, rendered)| rendered.as_str()),
        };
        let body = serde_json::to_vec(&document).expect("texts and numbers are JSON");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // What was refused is counted by its kind where the answer leaves.
        response.extensions_mut().insert(self.kind);
        response
    }
}

#[cfg(test)]
mod tests {
    use event::EntryError;

    use super::*;

    async fn body(problem: Problem) -> String {
        let bytes = axum::body::to_bytes(problem.into_response().into_body(), 1 << 16).await;
        String::from_utf8(bytes.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_problem_is_a_document_with_type_title_status_and_detail() {
        let problem = Kind::UnknownBus.problem("there is no bus `a\"b`");
        let document = r#"{"type":"/problems/unknown-bus","title":"Unknown bus","status":404,"detail":"there is no bus `a\"b`"}"#;
        assert_eq!(body(problem).await, document);
    }

    #[tokio::test]
    async fn what_need_not_be_sent_again_is_counted() {
        let reason = "the disk is full".to_owned();
        let text =
            body(IngestError::Partly { stored: 2, done: 3, entries: 9, reason }.into()).await;
        assert!(text.ends_with(r#"a fault of their own","done":3}"#), "{text}");
    }

    #[tokio::test]
    async fn refused_entries_are_listed() {
        let entries = RawValue::from_string(r#"[{"error":"x"}]"#.to_owned()).unwrap();
        let text = body(Problem::all_refused(entries)).await;
        assert!(text.ends_with(r#","entries":[{"error":"x"}]}"#), "{text}");
    }

    #[test]
    fn who_is_turned_away_for_a_while_is_told_when_to_come_again() {
        let headers = |kind: Kind| kind.problem("").into_response().headers().clone();
        assert!(headers(Kind::Overloaded).contains_key("retry-after"));
        assert!(!headers(Kind::EventRefused).contains_key("retry-after"));
        assert_eq!(headers(Kind::NotFound)["content-type"], "application/problem+json");
    }

    #[test]
    fn a_lone_event_is_refused_by_what_is_wrong_with_it() {
        let json = |error| Problem::refused(&Refusal::Entry(EntryError::Json(error))).kind();
        assert_eq!(json(JsonError::TooLarge { bytes: 2, max: 1 }), Kind::EventTooLarge);
        assert_eq!(json(JsonError::NotUtf8 { offset: 0 }), Kind::MalformedBody);
        assert_eq!(json(JsonError::TooDeep { offset: 0, max: 1 }), Kind::EventRefused);
        let missing = EntryError::Missing { key: "source" };
        assert_eq!(Problem::refused(&missing.into()).kind(), Kind::EventRefused);
    }
}
