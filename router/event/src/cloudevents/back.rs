//! The way back: the CloudEvent that an entry is.

use super::{CloudEventError, NO_DATA, OURS, RESOURCES, VERSION};
use crate::entry::{EntryError, RawEntry};
use crate::members::{given_twice, members, put, quoted};

/// The CloudEvent, in JSON, that an entry of the plain form is. `id` is for one that names none.
///
/// # Errors
///
/// When `entry` is none, or has `detail` and other data at once.
pub fn event_of(entry: &str, id: &str) -> Result<String, EntryError> {
    let raw = RawEntry::parse(entry)?;
    if let Some(wrong) = raw.wrong {
        return Err(wrong);
    }
    let required = |key, value: Option<&'_ serde_json::value::RawValue>| {
        value.map(|value| value.get().to_owned()).ok_or(EntryError::Missing { key })
    };
    let detail = required("detail", raw.detail)?;
    let mut event = String::new();
    put(&mut event, "specversion", &quoted(VERSION));
    put(&mut event, "id", raw.id.map_or(quoted(id).as_str(), |id| id.get()));
    put(&mut event, "source", &required("source", raw.source)?);
    put(&mut event, "type", &required("detail-type", raw.detail_type)?);
    if let Some(time) = raw.time {
        put(&mut event, "time", time.get());
    }
    for ((attribute, _), value) in OURS.iter().zip([raw.account, raw.region, raw.idempotency_key]) {
        if let Some(value) = value {
            put(&mut event, attribute, value.get());
        }
    }
    if let Some(resources) = raw.resources {
        put(&mut event, RESOURCES, &quoted(resources.get()));
    }
    let attributes = raw.cloudevents.map_or("{}", |object| object.get());
    let is_apart = put_attributes(&mut event, attributes)?;
    let has_detail = detail.bytes().any(|byte| !b"{} \t\r\n".contains(&byte));
    match is_apart {
        true if has_detail => {
            return Err(EntryError::WrongType {
                key: "detail",
                expected: "empty where `cloudevents` says what the data is",
                found: "not",
            });
        }
        true => (),
        false => put(&mut event, "data", &detail),
    }
    Ok(format!("{{{event}}}"))
}

/// Appends what stands in `cloudevents`; whether the data is there, or is said to be none.
fn put_attributes(event: &mut String, attributes: &str) -> Result<bool, EntryError> {
    let found = members(attributes)?;
    if let Some(name) = given_twice(&found) {
        return Err(CloudEventError::Twice { attribute: name.to_owned() }.into());
    }
    let mut is_apart = false;
    for (name, value) in found {
        match name.as_ref() {
            "specversion" => (),
            NO_DATA => is_apart = true,
            "id" | "source" | "type" | "time" => {
                return Err(CloudEventError::Twice { attribute: name.into_owned() }.into());
            }
            _ => {
                is_apart |= ["data", "data_base64"].contains(&name.as_ref());
                put(event, &name, value.get());
            }
        }
    }
    Ok(is_apart)
}
