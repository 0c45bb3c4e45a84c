//! Several payloads in one body, and their ids in headers.
//!
//! ```text
//! all JSON:   [payload,payload]               application/json
//! otherwise:  payload⏎"a text as JSON"⏎       application/x-ndjson
//! ```
//!
//! # Invariants
//!
//! - The n-th element is the n-th delivery's payload; JSON keeps its bytes but for line breaks
//!   between its tokens, which become spaces in lines.

use bytes::Bytes;

use crate::target::Delivery;

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";
/// How long one header of ids gets; many servers take no more than 8 KiB in one.
const IDS_BYTES_MAX: usize = 4000;

/// The body of a batch, and its content type.
pub(crate) fn body(deliveries: &[Delivery]) -> (Bytes, &'static str) {
    let is_json = |delivery: &Delivery| delivery.content_type.contains("json");
    let bytes: usize = deliveries.iter().map(|delivery| delivery.body.len() + 1).sum();
    let mut body = Vec::with_capacity(bytes + 2);
    if deliveries.iter().all(is_json) {
        body.push(b'[');
        for (at, delivery) in deliveries.iter().enumerate() {
            if 0 < at {
                body.push(b',');
            }
            body.extend_from_slice(&delivery.body);
        }
        body.push(b']');
        return (Bytes::from(body), JSON);
    }
    for delivery in deliveries {
        if is_json(delivery) {
            let breaks = |byte: &u8| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte };
            body.extend(delivery.body.iter().map(breaks));
        } else {
            let text = String::from_utf8_lossy(&delivery.body);
            body.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
        }
        body.push(b'\n');
    }
    (Bytes::from(body), LINES)
}

/// `<offset>/<output>` of each delivery, in as many headers as it takes.
pub(crate) fn ids(deliveries: &[Delivery]) -> Vec<String> {
    let mut headers: Vec<String> = Vec::new();
    for delivery in deliveries {
        let id = &delivery.id;
        let mut name = format!("{}/{}", id.offset, id.output);
        if let Some(replay) = &id.replay {
            name.push_str(";replay=");
            name.push_str(replay);
        }
        match headers.last_mut() {
            Some(last) if last.len() + name.len() < IDS_BYTES_MAX => {
                last.push(' ');
                last.push_str(&name);
            }
            Some(_) | None => headers.push(name),
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::DeliveryId;

    fn delivery(offset: u64, body: &'static str, content_type: &str) -> Delivery {
        let id = DeliveryId {
            bus: "shop".into(),
            offset,
            rule: "orders".into(),
            target: "crm".into(),
            output: 1,
            replay: None,
        };
        Delivery {
            id,
            event_id: "e".into(),
            hops: 0,
            attempt: 1,
            body: Bytes::from_static(body.as_bytes()),
            content_type: content_type.to_owned(),
            attributes: Vec::new(),
            receipt: crate::target::Receipt::default(),
        }
    }

    #[test]
    fn json_becomes_an_array_and_anything_else_lines_of_json() {
        let json = [delivery(7, "{\n\"a\": 1.10}", JSON), delivery(9, "2", JSON)];
        assert_eq!(body(&json), (Bytes::from_static(b"[{\n\"a\": 1.10},2]"), JSON));
        assert_eq!(body(&json[..1]), (Bytes::from_static(b"[{\n\"a\": 1.10}]"), JSON));
        let mixed = [json[0].clone(), delivery(9, "two\n\"lines\"", "text/plain")];
        let lines = "{ \"a\": 1.10}\n\"two\\n\\\"lines\\\"\"\n";
        assert_eq!(body(&mixed), (Bytes::from_static(lines.as_bytes()), LINES));
        assert_eq!(ids(&json), ["7/1 9/1"]);
    }

    #[test]
    fn many_ids_stand_in_several_headers_and_none_is_lost() {
        let many: Vec<Delivery> = (0..1000).map(|n| delivery(n * 1_000_003, "1", JSON)).collect();
        let headers = ids(&many);
        assert!(headers.len() > 1 && headers.iter().all(|one| one.len() <= IDS_BYTES_MAX));
        let all = headers.join(" ");
        let named: Vec<String> = many.iter().map(|one| format!("{}/1", one.id.offset)).collect();
        assert_eq!(all.split(' ').collect::<Vec<_>>(), named);
    }
}
