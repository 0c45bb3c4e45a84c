//! `POST /` with `X-Amz-Target: AWSEvents.PutEvents`: events as AWS's tools and SDKs send them.
//!
//! ```text
//! {"Entries":[{"Source":…,"DetailType":…,"Detail":"{…}"}]}
//! 200 {"FailedEntryCount":1,"Entries":[{"EventId":"…"},{"ErrorCode":"…","ErrorMessage":"…"}]}
//! 400 {"__type":"ValidationException","message":"…"}
//! ```
//!
//! # Invariants
//!
//! - **durable**: the answer leaves only after `Router::ingest` has returned, which is after the sync.
//! - The answer has as many entries as the request, in its order.
//! - An entry for a bus that is not there is refused; AWS takes it and loses the event.
//!
//! # Not here
//!
//! - The other operations, and signatures: whether a request is signed, and by whom, is not looked at.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bus::Refusal;
use bytes::Bytes;
use event::eventbridge::{self, Fault, RequestError};
use serde::Serialize;

use super::body::{Bounds, Incoming, drain};
use super::error::{Kind, Problem};
use super::ingest::DEFAULT_BUS;
use super::{App, shown};

pub(super) const TARGET: &str = "x-amz-target";
const OPERATION: &str = "AWSEvents.PutEvents";
const MEDIA: &str = "application/x-amz-json-1.1";

/// Why nothing of a request was taken.
#[derive(Debug)]
struct Refused {
    kind: Kind,
    status: StatusCode,
    code: &'static str,
    message: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    failed_entry_count: usize,
    entries: Vec<Fate>,
}

/// What became of one entry.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Fate {
    #[serde(rename_all = "PascalCase")]
    Taken { event_id: String },
    #[serde(rename_all = "PascalCase")]
    Failed { error_code: &'static str, error_message: String },
}

/// Entries for one bus, with their places in the request.
struct Group {
    bus: String,
    places: Vec<usize>,
    entries: Vec<Bytes>,
}

pub(super) async fn answer(app: &App, headers: &HeaderMap, body: &mut impl Incoming) -> Response {
    let _under_way = app.metrics.begin();
    let started = app.clock.monotonic();
    let response = match take(app, headers, body).await {
        Ok(answer) => response(StatusCode::OK, &answer),
        Err(refused) => {
            drain(body, headers).await;
            refused.into_response()
        }
    };
    app.metrics.answered(app.clock.monotonic().saturating_sub(started));
    response
}

async fn take(app: &App, headers: &HeaderMap, body: &mut impl Incoming) -> Result<Answer, Refused> {
    let target = headers.get(TARGET).map(|value| String::from_utf8_lossy(value.as_bytes()));
    if target.as_deref() != Some(OPERATION) {
        return Err(Refused::unknown(&target.unwrap_or_default()));
    }
    let bounds = Bounds { bytes_max: app.limits.body_bytes, time_max: app.body_time };
    let held = app.budget.read(body, bounds).await.map_err(Refused::of)?;
    // The body is no event: each of its entries has the event's limits when it is taken.
    let limits = event::Limits { event_bytes_max: usize::MAX, ..app.limits.of_events() };
    let (groups, mut fates) = sorted(&eventbridge::entries(&held.bytes, &limits)?);
    let mut unavailable = None;
    for group in groups {
        if let Err(reason) = put(app, group, &mut fates).await {
            unavailable = Some(reason);
        }
    }
    let fates: Vec<Fate> = fates.into_iter().flatten().collect();
    let failed = |fate: &&Fate| matches!(fate, Fate::Failed { .. });
    let is_our_fault =
        |fate: &Fate| matches!(fate, Fate::Failed { error_code, .. } if *error_code == INTERNAL);
    match unavailable {
        Some(reason) if fates.iter().all(is_our_fault) => Err(Refused {
            kind: Kind::Unavailable,
            status: StatusCode::INTERNAL_SERVER_ERROR,
            code: "InternalException",
            message: reason,
        }),
        _ => Ok(Answer { failed_entry_count: fates.iter().filter(failed).count(), entries: fates }),
    }
}

/// What AWS's documentation says may be sent again.
const INTERNAL: &str = "InternalFailure";

/// The entries that can be read, by bus; of the others what is wrong with them.
fn sorted(entries: &[&serde_json::value::RawValue]) -> (Vec<Group>, Vec<Option<Fate>>) {
    let mut groups: Vec<Group> = Vec::new();
    let mut fates = Vec::with_capacity(entries.len());
    for (place, entry) in entries.iter().enumerate() {
        let put = match eventbridge::entry_of(entry.get()) {
            Ok(put) => put,
            Err(fault) => {
                fates.push(Some(fault.into()));
                continue;
            }
        };
        fates.push(None);
        let bus = put.bus.unwrap_or_else(|| DEFAULT_BUS.to_owned());
        match groups.iter_mut().find(|group| group.bus == bus) {
            Some(group) => {
                group.places.push(place);
                group.entries.push(put.entry.into());
            }
            None => {
                groups.push(Group { bus, places: vec![place], entries: vec![put.entry.into()] })
            }
        }
    }
    (groups, fates)
}

/// Takes in what is for one bus. An error is why the journal could not take it; the fates say so, too.
async fn put(app: &App, group: Group, fates: &mut [Option<Fate>]) -> Result<(), String> {
    let Group { bus, places, entries } = group;
    let mut settle = |place: usize, fate: Fate| {
        if let Some(slot) = fates.get_mut(place) {
            *slot = Some(fate);
        }
    };
    if !app.router.has_bus(&bus) {
        let (error_code, error_message) = if app.router.has_begun() {
            ("ResourceNotFoundException", format!("Event bus {} does not exist.", shown(&bus)))
        } else {
            (
                INTERNAL,
                "the router has no rules yet, and one may name this bus; send again".to_owned(),
            )
        };
        for place in places {
            settle(place, Fate::Failed { error_code, error_message: error_message.clone() });
        }
        return Ok(());
    }
    let outcomes = match app.router.ingest_once(&bus, entries, None).await {
        Ok(outcomes) => outcomes,
        Err(error) => {
            if let bus::IngestError::Partly { stored, .. } = &error {
                app.metrics.ingested(&bus, *stored, 0, 0);
            }
            for place in places {
                let error_message = error.to_string();
                settle(place, Fate::Failed { error_code: INTERNAL, error_message });
            }
            return Err(error.to_string());
        }
    };
    let (all, repeats) = (outcomes.len(), outcomes.iter().flatten().filter(|one| one.is_duplicate));
    let (accepted, repeats) = (outcomes.iter().flatten().count(), repeats.count());
    app.metrics.ingested(&bus, accepted - repeats, all - accepted, repeats);
    for (place, outcome) in places.into_iter().zip(outcomes) {
        settle(
            place,
            match outcome {
                Ok(taken) => Fate::Taken { event_id: taken.id },
                Err(refusal) => refusal.into(),
            },
        );
    }
    Ok(())
}

impl From<Fault> for Fate {
    fn from(fault: Fault) -> Self {
        Self::Failed { error_code: fault.code(), error_message: fault.to_string() }
    }
}

impl From<Refusal> for Fate {
    fn from(refusal: Refusal) -> Self {
        Self::Failed { error_code: "InvalidArgument", error_message: refusal.to_string() }
    }
}

impl From<RequestError> for Refused {
    fn from(error: RequestError) -> Self {
        let (kind, code) = match error {
            RequestError::Json(_)
            | RequestError::NotAnObject { .. }
            | RequestError::NotAnArray { .. } => (Kind::MalformedBody, "SerializationException"),
            RequestError::Missing | RequestError::Empty => (Kind::NoEvent, "ValidationException"),
            RequestError::TooMany { .. } => (Kind::TooManyEvents, "ValidationException"),
            RequestError::Unknown { .. } => (Kind::BadRequest, "ValidationException"),
        };
        Self { kind, status: StatusCode::BAD_REQUEST, code, message: error.to_string() }
    }
}

impl Refused {
    fn unknown(target: &str) -> Self {
        Self {
            kind: Kind::NotFound,
            status: StatusCode::BAD_REQUEST,
            code: "UnknownOperationException",
            message: format!(
                "{} is no operation of this version: it has {OPERATION} alone; buses and rules are made in files",
                shown(target)
            ),
        }
    }

    /// What is wrong with a body before it is read.
    fn of(problem: Problem) -> Self {
        let kind = problem.kind();
        let (status, code, message) = match kind {
            Kind::BodyTooLarge => (
                StatusCode::BAD_REQUEST,
                "ValidationException",
                "Total size of the entries in the request is over the limit.".to_owned(),
            ),
            Kind::Overloaded => {
                (StatusCode::BAD_REQUEST, "ThrottlingException", problem.detail().to_owned())
            }
            _ => (kind.status(), "RequestTimeout", problem.detail().to_owned()),
        };
        Self { kind, status, code, message }
    }

    fn into_response(self) -> Response {
        let document = serde_json::json!({ "__type": self.code, "message": self.message });
        let mut response = response(self.status, &document);
        // What was refused is counted by its kind where the answer leaves.
        response.extensions_mut().insert(self.kind);
        response
    }
}

fn response(status: StatusCode, document: &impl Serialize) -> Response {
    let body = serde_json::to_vec(document).expect("texts and numbers are JSON");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA));
    let id = HeaderValue::try_from(request_id()).expect("hexadecimal digits are a header");
    headers.insert("x-amzn-requestid", id);
    response
}

/// Random: SDKs show it, nobody here remembers it.
fn request_id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}
