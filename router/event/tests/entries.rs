//! What senders send, and what becomes of it.

use bytes::Bytes;
use expect_test::{Expect, expect};
use proptest::prelude::*;
use slipswitch_event::{Event, Limits, Stamp, Timestamp, check_json};

fn read(json: &[u8]) -> Result<Event, String> {
    let stamp = Stamp {
        id: "0191",
        time: Timestamp::from_millis(0),
        account: "000000000000",
        region: "local",
    };
    Event::from_entry(json, &Limits::default(), &stamp).map_err(|error| error.to_string())
}

fn check(json: &str, expected: Expect) {
    match read(json.as_bytes()) {
        Ok(event) => expected.assert_eq(event.json()),
        Err(error) => expected.assert_eq(&error),
    }
}

#[test]
fn what_the_sender_left_out_is_stamped() {
    check(
        r#"{"source":"shop","detail-type":"Made","detail":{}}"#,
        expect![[
            r#"{"version":"0","id":"0191","detail-type":"Made","source":"shop","account":"000000000000","time":"1970-01-01T00:00:00.000Z","region":"local","resources":[],"detail":{}}"#
        ]],
    );
}

#[test]
fn what_the_sender_said_is_kept() {
    check(
        r#"{"time":"2026-11-23T08:30:00+07:00","region":"hà-nội","account":"1","version":"0",
            "id":"mine","resources":["a", "b"],"source":"sh\"op","detail-type":"Made",
            "detail":{ "z":1.10, "a":1e400, "n":123456789012345678901234567890, "é":"\u00e9\ud800" }}"#,
        expect![[
            r#"{"version":"0","id":"mine","detail-type":"Made","source":"sh\"op","account":"1","time":"2026-11-23T08:30:00+07:00","region":"hà-nội","resources":["a", "b"],"detail":{ "z":1.10, "a":1e400, "n":123456789012345678901234567890, "é":"\u00e9\ud800" }}"#
        ]],
    );
}

#[test]
fn every_fault_is_named_with_its_mend() {
    check("", expect!["not JSON: EOF while parsing a value (line 1, column 0)"]);
    check(
        "[]",
        expect![
            "an event is a JSON object with `source`, `detail-type` and `detail`, and this is an array"
        ],
    );
    check("nope", expect!["not JSON: expected ident (line 1, column 2)"]);
    check(
        r#"{"detail-type":"b","detail":{}}"#,
        expect!["`source` is missing; an event needs `source`, `detail-type` and `detail`"],
    );
    check(
        r#"{"source":"a","detailType":"b","detail":{}}"#,
        expect!["`detailType` is no part of an event; write `detail-type`"],
    );
    check(
        r#"{"source":"a","detail-type":"b","detail":{},"user":1}"#,
        expect!["`user` is no part of an event; put what is yours into `detail`"],
    );
    check(
        r#"{"source":"a","detail-type":"b","detail":{},"replay-name":"x"}"#,
        expect!["`replay-name` is no part of an event; the router writes it when it replays"],
    );
    check(
        r#"{"source":1,"detail-type":"b","detail":{}}"#,
        expect!["`source` must be a string, and is a number"],
    );
    check(r#"{"source":"","detail-type":"b","detail":{}}"#, expect!["`source` must not be empty"]);
    check(
        r#"{"source":"a","source":"a","detail-type":"b","detail":{}}"#,
        expect!["`source` is given twice"],
    );
    check(
        r#"{"source":"a","detail-type":"b","detail":"{}"}"#,
        expect!["`detail` must be an object, and is a string"],
    );
    check(
        r#"{"source":"a","detail-type":"b","detail":{},"time":"now"}"#,
        expect!["`time`: `now` is not an RFC 3339 time such as 2026-11-23T08:30:00Z"],
    );
    check(
        r#"{"source":"a","detail-type":"b","detail":{},"resources":[1]}"#,
        expect!["`resources` must be an array of strings, and is an array of something else"],
    );
    check(
        r#"{"source":"a","detail-type":"b","detail":{},"version":1}"#,
        expect![[r#"`version` is 1, and only "0" is known"#]],
    );
    check(
        r#"{"source":"a\ud800","detail-type":"b","detail":{}}"#,
        expect!["`source` must be a string of whole characters, and is not"],
    );
    check(
        r#"{"source":"a","detail-type":"b","detail":{}} {}"#,
        expect!["not JSON: trailing characters (line 1, column 46)"],
    );
}

#[test]
fn a_replayed_event_differs_in_its_replay_name_only() {
    let event = read(br#"{"source":"a","detail-type":"b","detail":{"n":1.10}}"#).unwrap();
    let replayed = event.replayed("again");
    assert_eq!(
        replayed.json(),
        event.json().replace(r#""resources""#, r#""replay-name":"again","resources""#)
    );
    assert_eq!((event.replay_name(), replayed.replay_name()), (None, Some("again")));
    assert_eq!(replayed.detail(), event.detail());
}

proptest! {
    #[test]
    fn any_bytes_are_an_event_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        // No event comes from noise: it has no `source`.
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn what_was_written_reads_back_the_same(
        source in "\\PC{1,20}", kind in "[^\\x00-\\x1f]{1,20}", value in "\\PC{0,40}", number in "-?[1-9][0-9]{0,40}(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?",
    ) {
        let detail = format!("{{ \"v\":{}, \"n\":{number} }}", serde_json::Value::from(value));
        let sent = format!(
            "{{\"source\":{},\"detail\":{detail},\"detail-type\":{}}}",
            serde_json::Value::from(source.as_str()), serde_json::Value::from(kind.as_str()),
        );
        let event = read(sent.as_bytes()).unwrap();
        prop_assert_eq!(event.detail(), &detail);
        let again = Event::read(Bytes::copy_from_slice(event.bytes())).unwrap();
        prop_assert_eq!(again.detail(), &detail);
        prop_assert_eq!(again.source(), source);
        prop_assert_eq!(again.detail_type(), kind);
        prop_assert_eq!(again.time(), event.time());
        prop_assert!(check_json(again.bytes(), &Limits::default()).is_ok());
    }
}
