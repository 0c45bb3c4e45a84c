//! What `send` adds to the events itself: one made of options, ids, and idempotency keys.

use serde_json::value::RawValue;
use uuid::Builder;

use crate::failure::Failure;

/// One event made of options. The detail's own bytes stay as they were typed.
pub(super) fn composed(
    source: &str,
    detail_type: &str,
    detail: Option<&str>,
) -> Result<Box<RawValue>, Failure> {
    let detail: &RawValue = serde_json::from_str(detail.unwrap_or("{}")).map_err(|error| {
        Failure::usage(format!(
            "--detail is no JSON: {error}; quote it for the shell: --detail '{{\"a\": 1}}'"
        ))
    })?;
    let event = format!(
        r#"{{"source":{},"detail-type":{},"detail":{}}}"#,
        serde_json::Value::from(source),
        serde_json::Value::from(detail_type),
        detail.get()
    );
    RawValue::from_string(event)
        .map_err(|error| Failure::usage(format!("the event is no JSON: {error}")))
}

/// The event with an idempotency key in `member`; what is no object stays as it is, for the router to refuse.
pub(super) fn keyed(event: &RawValue, member: &str, key: &str) -> Box<RawValue> {
    let with_key = |rest: &str| {
        let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
        let key = serde_json::Value::from(key);
        RawValue::from_string(format!(r#"{{"{member}":{key}{comma}{rest}"#)).ok()
    };
    let found = event.get().trim_start().strip_prefix('{').and_then(with_key);
    found.unwrap_or_else(|| event.to_owned())
}

/// For an event that has no id where it needs one.
pub(super) fn fresh_id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    Builder::from_random_bytes(bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Exit;

    #[test]
    fn a_key_goes_into_an_object_and_nowhere_else() {
        let keyed = |text: &str| {
            let event = RawValue::from_string(text.to_owned()).unwrap();
            keyed(&event, "idempotency-key", "k/1").get().to_owned()
        };
        assert_eq!(keyed(r#"{"a": 1}"#), r#"{"idempotency-key":"k/1","a": 1}"#);
        assert_eq!(keyed("{ }"), r#"{"idempotency-key":"k/1" }"#);
        assert_eq!(keyed("[1]"), "[1]");
    }

    #[test]
    fn a_composed_event_keeps_the_bytes_of_its_detail() {
        let event = composed("a\"b", "T", Some("{ \"n\": 1.10 }")).unwrap();
        assert_eq!(event.get(), r#"{"source":"a\"b","detail-type":"T","detail":{ "n": 1.10 }}"#);
        assert_eq!(composed("a", "T", Some("{n: 1}")).unwrap_err().exit, Exit::Usage);
    }
}
