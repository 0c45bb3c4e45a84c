//! A stream written as server-sent events (the HTML standard, section 9.2).
//!
//! ```text
//! : slipswitch                    a comment, with the place from which it goes on
//! id: 41
//!
//! id: 42                          an event: its offset, and all that is known of it
//! event: event
//! data: {"bus":"shop","offset":42,"taken_at":"…","event":{…},"matched":[{"rule":"r","targets":["t"]}]}
//!
//! event: end                      the last word
//! data: {"reason":"expired","missed":7,"next":50,"detail":"…"}
//! ```
//!
//! # Invariants
//!
//! - `id` is the offset up to which nothing more will come: who comes back with it misses nothing and sees nothing
//!   twice, also when a pattern wants nothing for hours.
//! - An event's JSON is as it is stored. Line breaks in it, which JSON has only between its tokens, become lines of
//!   `data`, which a reader joins by line feeds; a carriage return there becomes a line feed, too.

use bus::Followed;
use bytes::Bytes;
use serde_json::json;

use super::End;

/// Of one event beside its envelope, seldom more.
const AROUND_BYTES: usize = 256;
/// How long a reader that lost its connection waits before it comes back, in milliseconds.
const RETRY_MS: u32 = 1_000;

pub(super) fn greeting(position: u64) -> Bytes {
    format!(": slipswitch\nretry: {RETRY_MS}\nid: {}\n\n", before(position)).into()
}

/// A sign of life, with the place.
pub(super) fn beat(position: u64) -> Bytes {
    format!(": still here\nid: {}\n\n", before(position)).into()
}

pub(super) fn events(events: &[Followed]) -> Bytes {
    let room = events.iter().map(|one| one.event.len() + AROUND_BYTES).sum();
    let mut out = Vec::with_capacity(room);
    for one in events {
        out.extend_from_slice(format!("id: {}\nevent: event\n", one.offset).as_bytes());
        let bus = serde_json::Value::from(&*one.bus);
        let head = format!(
            r#"data: {{"bus":{bus},"offset":{},"taken_at":"{}","event":"#,
            one.offset, one.taken_at
        );
        out.extend_from_slice(head.as_bytes());
        put_lines(&mut out, &one.event);
        if let Some(matched) = &one.matched {
            out.extend_from_slice(br#","matched":"#);
            serde_json::to_writer(&mut out, matched).expect("names are JSON");
        }
        out.extend_from_slice(b"}\n\n");
    }
    out.into()
}

pub(super) fn end(end: &End) -> Bytes {
    let reason = end.word();
    let data = match end {
        End::Stopping => json!({ "reason": reason, "detail": "the router stops" }),
        End::Slow { seconds } => json!({
            "reason": reason,
            "detail": format!("nothing was taken for {seconds} s; come back with the last id, and read on")
        }),
        End::Expired { from, first } => json!({
            "reason": reason,
            "missed": first - from,
            "next": first,
            "detail": format!(
                "events from offset {from} on have expired before they were read; what is kept begins at {first}: go on \
                 with after={}",
                before(*first)
            )
        }),
        End::Unreadable { detail } => json!({ "reason": reason, "detail": detail }),
    };
    format!("event: end\ndata: {data}\n\n").into()
}

/// The offset before a place; -1 before the first.
fn before(position: u64) -> String {
    position.checked_sub(1).map_or_else(|| "-1".to_owned(), |last| last.to_string())
}

/// Text that is no lines of their own in the middle of a line of data.
fn put_lines(out: &mut Vec<u8>, text: &[u8]) {
    if !text.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return out.extend_from_slice(text);
    }
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' if bytes.peek() == Some(&b'\n') => (),
            b'\r' | b'\n' => out.extend_from_slice(b"\ndata: "),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use bus::MatchedRule;
    use event::Timestamp;

    use super::*;

    fn followed(event: &'static str, matched: Option<Vec<MatchedRule>>) -> Followed {
        let (bus, taken_at) = ("a\"b".into(), Timestamp::from_millis(0));
        Followed { offset: 7, bus, taken_at, event: Bytes::from_static(event.as_bytes()), matched }
    }

    fn text(bytes: &Bytes) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_event_is_a_message_with_its_offset_its_bytes_and_what_it_matched() {
        let matched = vec![MatchedRule { rule: "r".to_owned(), targets: vec!["t".to_owned()] }];
        let events = [followed(r#"{"n":1.10}"#, Some(matched)), followed("{}", None)];
        let expected = concat!(
            "id: 7\nevent: event\ndata: ",
            r#"{"bus":"a\"b","offset":7,"taken_at":"1970-01-01T00:00:00.000Z","event":{"n":1.10},"#,
            r#""matched":[{"rule":"r","targets":["t"]}]}"#,
            "\n\nid: 7\nevent: event\ndata: ",
            r#"{"bus":"a\"b","offset":7,"taken_at":"1970-01-01T00:00:00.000Z","event":{}}"#,
            "\n\n"
        );
        assert_eq!(text(&super::events(&events)), expected);
    }

    #[test]
    fn line_breaks_between_tokens_do_not_end_a_message() {
        let events = [followed("{\r\n \"a\":\n\r1}", None)];
        let bytes = super::events(&events);
        let data: Vec<&str> =
            text(&bytes).lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        assert!(data.join("\n").contains("\"event\":{\n \"a\":\n\n1}"), "{data:?}");
        assert_eq!(text(&bytes).matches("\n\n").count(), 1);
    }

    #[test]
    fn a_place_is_the_offset_before_it() {
        assert_eq!(text(&beat(8)), ": still here\nid: 7\n\n");
        assert!(text(&greeting(0)).ends_with("id: -1\n\n"));
    }

    #[test]
    fn an_end_says_what_was_missed_and_where_to_go_on() {
        let bytes = end(&End::Expired { from: 3, first: 10 });
        let data = text(&bytes).lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(
            (&data["reason"], &data["missed"], &data["next"]),
            (&"expired".into(), &7.into(), &10.into())
        );
        assert!(data["detail"].as_str().unwrap().contains("after=9"), "{data}");
    }
}
