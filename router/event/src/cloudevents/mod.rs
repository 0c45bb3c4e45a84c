//! CloudEvents 1.0, as events come in and go out again.
//!
//! ```text
//! id, source, time          the keys of the same name
//! type                      detail-type
//! data, a JSON object       detail
//! every other attribute     cloudevents: {"specversion":"1.0","subject":…,"tenant":…}
//! other data                detail is {}, and in `cloudevents` stands "data", "data_base64", or "no-data":true
//! slipswitchresources, slipswitchaccount, slipswitchregion, slipswitchkey
//!                           resources (as JSON text), account, region, idempotency-key
//! ```
//!
//! The attributes have a key of their own in the envelope, and none in `detail`: so the bytes of `data` are those of
//! `detail`, no attribute can be taken for the sender's data, and a pattern for either dialect reads the same `detail`.
//! `no-data` is no name an attribute may have.
//!
//! # Invariants
//!
//! - Values are copied as they stand in the text: numbers, escapes, order of keys.
//! - [`event_of`] is the way back of [`entry_of`]: nothing is lost but attributes that are null, which are unset.
//! - Any bytes: an answer, never a panic.
//!
//! # Not here
//!
//! - Events in other formats (Avro, XML, Protobuf).
//! - Headers of HTTP: the server gives their names and values to [`binary::entry_of`].

mod back;
pub mod binary;

use std::borrow::Cow;

pub use back::event_of;

use crate::entry::kind_of;
use crate::envelope::unquote;
use crate::json::{JsonError, Limits, check_bounds};
use crate::members::{given_twice, members, put, quoted, shown};
use crate::time::{TimeError, Timestamp};

/// Marks an event that has no data at all, which is not the same as an empty object.
const NO_DATA: &str = "no-data";
const VERSION: &str = "1.0";

/// Attributes that carry a key of the envelope which CloudEvents does not know.
const OURS: [(&str, &str); 3] = [
    ("slipswitchaccount", "account"),
    ("slipswitchregion", "region"),
    ("slipswitchkey", "idempotency-key"),
];
const RESOURCES: &str = "slipswitchresources";

/// Why something is no CloudEvent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudEventError {
    #[error(transparent)]
    Json(#[from] JsonError),

    #[error(
        "a CloudEvent is a JSON object with `specversion`, `id`, `source` and `type`, and this is {found}"
    )]
    NotAnObject { found: &'static str },

    #[error(
        "`{attribute}` is missing; a CloudEvent needs `specversion`, `id`, `source` and `type`"
    )]
    Missing { attribute: &'static str },

    #[error("`{attribute}` must be {expected}, and is {found}")]
    WrongType { attribute: String, expected: &'static str, found: &'static str },

    #[error("`{attribute}` must not be empty")]
    Empty { attribute: String },

    #[error("`{attribute}` is given twice")]
    Twice { attribute: String },

    #[error(
        "`{attribute}` is no name of an attribute: it is made of a to z and 0 to 9; put what is yours into `data`"
    )]
    Name { attribute: String },

    #[error("`specversion` is {found}, and only \"1.0\" is known")]
    Version { found: String },

    #[error("`time`: {0}")]
    Time(#[from] TimeError),

    #[error("`{RESOURCES}` holds no JSON: {reason}; write an array of strings as text")]
    Resources { reason: String },

    #[error("`data` and `data_base64` are both given; an event has one of them")]
    TwoData,

    #[error("`data_base64` is not base64")]
    NotBase64,

    #[error("the data is said to be {media} and is {reason}; name its type in `content-type`")]
    Data { media: String, reason: JsonError },

    #[error("the value of `{attribute}` is not UTF-8; percent-encode it")]
    NotText { attribute: String },
}

/// The entry that a CloudEvent in JSON is, as [`Entry::read`](crate::Entry::read) takes it.
///
/// # Errors
///
/// The first thing that is wrong with `json`, in words for its sender.
pub fn entry_of(json: &[u8], limits: &Limits) -> Result<String, CloudEventError> {
    let text = check_bounds(json, limits)?.trim_ascii();
    if !text.is_empty() && !text.starts_with('{') {
        serde_json::from_str::<serde::de::IgnoredAny>(text)
            .map_err(|error| JsonError::syntax(&error))?;
        return Err(CloudEventError::NotAnObject { found: kind_of(text) });
    }
    let members = members(text)?;
    if let Some(name) = given_twice(&members) {
        return Err(CloudEventError::Twice { attribute: shown(name) });
    }
    let mut draft = Draft { attributes: Vec::new(), data: Data::None };
    for (name, value) in members {
        match (name.as_ref(), value.get()) {
            ("data", json) => draft.add(Data::Json(json.into()))?,
            (_, "null") => (), // Unset.
            ("data_base64", json) => draft.add(Data::Base64(json.into()))?,
            (_, json) => draft.attributes.push((name, json.into())),
        }
    }
    draft.entry()
}

/// A CloudEvent's parts, each as JSON.
struct Draft<'a> {
    attributes: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    data: Data<'a>,
}

enum Data<'a> {
    None,
    Json(Cow<'a, str>),
    Base64(Cow<'a, str>),
}

impl<'a> Draft<'a> {
    fn add(&mut self, data: Data<'a>) -> Result<(), CloudEventError> {
        match self.data {
            Data::None => self.data = data,
            Data::Json(_) | Data::Base64(_) => return Err(CloudEventError::TwoData),
        }
        Ok(())
    }

    fn entry(self) -> Result<String, CloudEventError> {
        for attribute in ["specversion", "id", "source", "type"] {
            if !self.attributes.iter().any(|(name, _)| name == attribute) {
                return Err(CloudEventError::Missing { attribute });
            }
        }
        let (mut entry, mut rest) = (String::new(), String::new());
        for (name, json) in &self.attributes {
            check(name, json)?;
            let ours = OURS.iter().find(|(attribute, _)| attribute == name);
            match (name.as_ref(), ours) {
                ("id" | "source" | "time", _) => put(&mut entry, name, json),
                ("type", _) => put(&mut entry, "detail-type", json),
                (_, Some((_, key))) => put(&mut entry, key, json),
                (RESOURCES, None) => put(&mut entry, "resources", &resources(json)?),
                (_, None) => put(&mut rest, name, json),
            }
        }
        let mut detail: &str = "{}";
        match &self.data {
            Data::Json(json) if json.starts_with('{') => detail = json,
            Data::Json(json) => put(&mut rest, "data", json),
            Data::Base64(json) if is_base64(json) => put(&mut rest, "data_base64", json),
            Data::Base64(_) => return Err(CloudEventError::NotBase64),
            Data::None => put(&mut rest, NO_DATA, "true"),
        }
        Ok(format!(r#"{{{entry},"cloudevents":{{{rest}}},"detail":{detail}}}"#))
    }
}

/// Whether the attribute is one, and has a value that it may have.
fn check(name: &str, json: &str) -> Result<(), CloudEventError> {
    if name.is_empty()
        || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    {
        return Err(CloudEventError::Name { attribute: shown(name) });
    }
    let wrong = |expected| {
        let (attribute, found) = (shown(name), kind_of(json));
        Err(CloudEventError::WrongType { attribute, expected, found })
    };
    let is_text = json.starts_with('"');
    let is_known = ["specversion", "id", "source", "type", "time", "subject"].contains(&name)
        || ["dataschema", "datacontenttype", RESOURCES].contains(&name)
        || OURS.iter().any(|(attribute, _)| *attribute == name);
    if is_known && !is_text {
        return wrong("a string");
    }
    if json.starts_with(['{', '[']) {
        return wrong("a string, a number or a boolean");
    }
    if is_known && json == r#""""# {
        return Err(CloudEventError::Empty { attribute: name.to_owned() });
    }
    match name {
        "specversion" if unquote(json).as_deref() != Some(VERSION) => {
            Err(CloudEventError::Version { found: shown(json) })
        }
        "time" => {
            Timestamp::parse(&unquote(json).unwrap_or_default())?;
            Ok(())
        }
        _ => Ok(()),
    }
}

fn resources(json: &str) -> Result<String, CloudEventError> {
    let text = unquote(json).unwrap_or_default().into_owned();
    match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(CloudEventError::Resources { reason: error.to_string() }),
    }
}

/// A JSON string of base64 with its padding (RFC 4648, section 4).
fn is_base64(json: &str) -> bool {
    let Some(text) = unquote(json).filter(|_| json.starts_with('"')) else { return false };
    let digits = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - digits.len() <= 2
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
}
