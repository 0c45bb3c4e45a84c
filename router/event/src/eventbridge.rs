//! Amazon EventBridge's `PutEvents`, as events come in and go out again.
//!
//! ```text
//! {"Entries":[{"Source":…,"DetailType":…,"Detail":"{…}","EventBusName":…,"Time":…,"Resources":[…],"TraceHeader":…}]}
//! ```
//!
//! `Source`, `DetailType`, `Time` and `Resources` become the keys of the envelope; `Detail` is JSON as text, and that
//! text, byte for byte, is `detail`. `TraceHeader` is checked and left behind: it is no part of the event at AWS either.
//!
//! # Invariants
//!
//! - What a fault says is what AWS says, where it is known what that is.
//! - Any bytes: an answer, never a panic.
//!
//! # Not here
//!
//! - Which buses there are, and the limits of an event: entries go the way of all others.

use serde_json::value::RawValue;

use crate::entry::{EntryError, RawEntry, kind_of};
use crate::envelope::unquote;
use crate::json::{JsonError, Limits, check_bounds};
use crate::members::{given_twice, members, put, quoted, shown};
use crate::time::Timestamp;

/// Entries of one request.
pub const ENTRIES_MAX: usize = 10;

/// The years 1 to 9999, in seconds since 1970.
const SECONDS: std::ops::RangeInclusive<f64> = -62_135_596_800.0..=253_402_300_799.0;

/// Why a request is refused whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error(transparent)]
    Json(#[from] JsonError),

    #[error("the body must be an object with `Entries`, and is {found}")]
    NotAnObject { found: &'static str },

    #[error("`{name}` is no member of PutEvents here; it has `Entries`")]
    Unknown { name: String },

    #[error("`Entries` must be an array, and is {found}")]
    NotAnArray { found: &'static str },

    #[error(
        "1 validation error detected: Value null at 'entries' failed to satisfy constraint: Member must not be null"
    )]
    Missing,

    #[error(
        "1 validation error detected: Value '[]' at 'entries' failed to satisfy constraint: \
         Member must have length greater than or equal to 1"
    )]
    Empty,

    /// AWS writes all the entries out where this says how many there are.
    #[error(
        "1 validation error detected: Value '[{entries} entries]' at 'entries' failed to satisfy constraint: \
         Member must have length less than or equal to {ENTRIES_MAX}"
    )]
    TooMany { entries: usize },
}

/// Why one entry is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("Parameter {parameter} is not valid. Reason: {parameter} is a required argument.")]
    Required { parameter: &'static str },

    #[error("Parameter {parameter} is not valid. Reason: {reason}.")]
    Invalid { parameter: String, reason: String },

    #[error("Detail is malformed.")]
    MalformedDetail,
}

impl Fault {
    /// `ErrorCode` of the answer.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Required { .. } | Self::Invalid { .. } => "InvalidArgument",
            Self::MalformedDetail => "MalformedDetail",
        }
    }
}

/// An entry of the plain form, and the bus that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// None: the default bus.
    pub bus: Option<String>,
    pub entry: String,
}

/// The texts of the entries in the body of a request.
///
/// # Errors
///
/// What is wrong with the request as a whole.
pub fn entries<'a>(body: &'a [u8], limits: &Limits) -> Result<Vec<&'a RawValue>, RequestError> {
    let text = check_bounds(body, limits)?.trim_ascii();
    if !text.is_empty() && !text.starts_with('{') {
        serde_json::from_str::<serde::de::IgnoredAny>(text)
            .map_err(|error| JsonError::syntax(&error))?;
        return Err(RequestError::NotAnObject { found: kind_of(text) });
    }
    let members = members(text)?;
    if let Some((name, _)) = members.iter().find(|(name, _)| name != "Entries") {
        return Err(RequestError::Unknown { name: shown(name) });
    }
    let list = match members.as_slice() {
        [] => return Err(RequestError::Missing),
        [(_, list)] => list.get(),
        [..] => return Err(RequestError::Unknown { name: "Entries (twice)".to_owned() }),
    };
    match kind_of(list) {
        "an array" => (),
        "null" => return Err(RequestError::Missing),
        found => return Err(RequestError::NotAnArray { found }),
    }
    let entries: Vec<&RawValue> =
        serde_json::from_str(list).map_err(|error| JsonError::syntax(&error))?;
    match entries.len() {
        0 => Err(RequestError::Empty),
        1..=ENTRIES_MAX => Ok(entries),
        entries => Err(RequestError::TooMany { entries }),
    }
}

/// Reads one entry of a request.
///
/// # Errors
///
/// The first fault, in AWS's words where it has some.
pub fn entry_of(json: &str) -> Result<Put, Fault> {
    let members = match kind_of(json) {
        "an object" => members(json).map_err(|error| invalid("Entry", error.to_string()))?,
        found => return Err(invalid("Entry", format!("it must be an object, and is {found}"))),
    };
    if let Some(name) = given_twice(&members) {
        return Err(invalid(name, "it is given twice".to_owned()));
    }
    let (mut bus, mut detail, mut entry) = (None, None, String::new());
    let mut seen = Vec::new();
    for (name, value) in members.iter().filter(|(_, value)| value.get() != "null") {
        let text = || text(name, value);
        match name.as_ref() {
            "Source" if text()?.is_empty() => continue,
            "DetailType" if text()?.is_empty() => continue,
            "Detail" if text()?.is_empty() => continue,
            "Source" => put(&mut entry, "source", value.get()),
            "DetailType" => put(&mut entry, "detail-type", value.get()),
            "Detail" => detail = Some(text()?),
            "EventBusName" => bus = Some(bus_name(&text()?)?),
            "Time" => put(&mut entry, "time", &time(value.get())?),
            "Resources" => put(&mut entry, "resources", value.get()),
            "TraceHeader" => drop(text()?),
            _ => return Err(invalid(name, "it is no member of an entry".to_owned())),
        }
        seen.push(name.as_ref());
    }
    for parameter in ["Source", "DetailType", "Detail"] {
        if !seen.contains(&parameter) {
            return Err(Fault::Required { parameter });
        }
    }
    let detail = detail.unwrap_or_default();
    let is_object = detail.trim_ascii_start().starts_with('{');
    if !is_object || serde_json::from_str::<&RawValue>(&detail).is_err() {
        return Err(Fault::MalformedDetail);
    }
    Ok(Put { bus, entry: format!(r#"{{{entry},"detail":{}}}"#, detail.trim_ascii()) })
}

/// An entry of the plain form as one of `PutEvents`, with the keys for which that has no place.
///
/// # Errors
///
/// When `entry` is none.
pub fn put_of(entry: &str, bus: &str) -> Result<(String, Vec<&'static str>), EntryError> {
    let raw = RawEntry::parse(entry)?;
    if let Some(wrong) = raw.wrong {
        return Err(wrong);
    }
    let required = |key, value: Option<&'_ RawValue>| {
        value.map(|value| value.get().to_owned()).ok_or(EntryError::Missing { key })
    };
    let mut text = String::new();
    put(&mut text, "Source", &required("source", raw.source)?);
    put(&mut text, "DetailType", &required("detail-type", raw.detail_type)?);
    put(&mut text, "Detail", &quoted(&required("detail", raw.detail)?));
    put(&mut text, "EventBusName", &quoted(bus));
    if let Some(time) = raw.time {
        let millis = Timestamp::parse(&unquote(time.get()).unwrap_or_default())?.as_millis();
        let sign = if millis < 0 { "-" } else { "" };
        let (seconds, millis) = (millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000);
        put(&mut text, "Time", &format!("{sign}{seconds}.{millis:03}"));
    }
    if let Some(resources) = raw.resources {
        put(&mut text, "Resources", resources.get());
    }
    let placeless = [
        ("id", raw.id),
        ("account", raw.account),
        ("region", raw.region),
        ("cloudevents", raw.cloudevents),
        ("idempotency-key", raw.idempotency_key),
    ];
    let lost = placeless.into_iter().filter(|(_, value)| value.is_some()).map(|(key, _)| key);
    Ok((format!("{{{text}}}"), lost.collect()))
}

fn invalid(parameter: &str, reason: String) -> Fault {
    Fault::Invalid { parameter: shown(parameter), reason }
}

fn text<'a>(name: &str, value: &'a RawValue) -> Result<std::borrow::Cow<'a, str>, Fault> {
    unquote(value.get()).filter(|_| value.get().starts_with('"')).ok_or_else(|| {
        invalid(name, format!("it must be a string, and is {}", kind_of(value.get())))
    })
}

/// The bus of a name, or of an ARN such as `arn:aws:events:eu-west-1:123456789012:event-bus/shop`.
fn bus_name(text: &str) -> Result<String, Fault> {
    let name = match text.strip_prefix("arn:") {
        None => Some(text),
        Some(_) => text.split_once(":event-bus/").map(|(_, name)| name),
    };
    match name.filter(|name| !name.is_empty()) {
        Some(name) => Ok(name.to_owned()),
        None => {
            let reason = "it is a bus's name, or an ARN that ends in :event-bus/NAME".to_owned();
            Err(invalid("EventBusName", reason))
        }
    }
}

/// Seconds since 1970, as AWS's tools write them, or RFC 3339 text; a JSON string of the latter.
fn time(json: &str) -> Result<String, Fault> {
    let wrong =
        || invalid("Time", "it is seconds since 1970 as a number, or an RFC 3339 text".to_owned());
    if json.starts_with('"') {
        let text = unquote(json).ok_or_else(wrong)?;
        Timestamp::parse(&text).map_err(|_error| wrong())?;
        return Ok(json.to_owned());
    }
    let seconds = json.parse::<f64>().ok().filter(|seconds| SECONDS.contains(seconds));
    let millis = (seconds.ok_or_else(wrong)? * 1000.0).round();
    #[expect(clippy::cast_possible_truncation, reason = "a whole number within the range above")]
    let time = Timestamp::from_millis(millis as i64);
    Ok(quoted(&time.to_string()))
}
