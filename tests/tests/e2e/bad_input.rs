//! Bad input: each gets its status and a problem document, what is good beside it is kept, and the router goes on.

use expect_test::{Expect, expect};
use receiver::{Receiver, Request};

use crate::harness::{LONG, Random, Router, Scene};

const GOOD: &str = r#"{"id":"good","source":"a","detail-type":"T","detail":{"n":1}}"#;

fn everything_to(url: &str) -> String {
    format!(
        "name: everything\npattern: {{ source: [{{ exists: true }}] }}\ntargets: [{{ id: out, http: '{url}' }}]\n"
    )
}

fn good(id: &str) -> String {
    GOOD.replace("good", id)
}

/// A router with small limits, and a target that gets all events.
fn scene() -> (Scene, Receiver, Router) {
    let target = Receiver::start().unwrap();
    let limits = "limits: { event_bytes: 2KiB, depth: 8, body_bytes: 16KiB, body_events: 50 }\n";
    let scene = Scene::new().configured(limits);
    scene.write("rules/all.yaml", everything_to(&target.url("/all")));
    let router = scene.serve();
    (scene, target, router)
}

/// The router still does its work, and did nothing else meanwhile.
fn still_works(target: &Receiver, router: &Router, kept: &[&str]) {
    assert_eq!(router.send(&good("last")).ids(), ["last"]);
    let id = |request: &Request| request.header("slipswitch-event-id").map(str::to_owned);
    let expected: Vec<&str> = kept.iter().copied().chain(["last"]).collect();
    let all_came = |requests: &[Request]| {
        let came: Vec<String> = requests.iter().filter_map(id).collect();
        expected.iter().all(|id| came.iter().any(|other| other == id))
    };
    let requests = target.wait_for(LONG, all_came).unwrap();
    assert_eq!(requests.len(), expected.len(), "{requests:?}");
    assert_eq!(router.get("/healthz").status, 200);
}

#[expect(clippy::needless_pass_by_value, reason = "reads as a table")]
fn check_entries(answer: &crate::harness::Answer, expected: Expect) {
    let document = answer.json();
    let entries = document["entries"].as_array().unwrap().iter();
    let lines: String = entries.map(|entry| format!("{entry}\n")).collect();
    let head = format!("{} {} {}\n", answer.status, document["accepted"], document["refused"]);
    expected.assert_eq(&(head + &lines));
}

#[test]
fn a_bad_entry_of_an_array_is_refused_by_its_place_and_the_others_are_kept() {
    let (_scene, target, router) = scene();
    let big = format!(r#"{{"source":"a","detail-type":"T","detail":"{}"}}"#, "x".repeat(3000));
    let deep = format!(
        r#"{{"source":"a","detail-type":"T","detail":{}1{}}}"#,
        "[".repeat(9),
        "]".repeat(9)
    );
    let entries = [
        &good("one"),
        r#"{"source":"a","detail-type":"T"}"#,
        "7",
        &good("two"),
        r#"{"source":"","detail-type":"T","detail":{}}"#,
        r#"{"source":"a","detial-type":"T","detail":{}}"#,
        r#"{"source":"a","detail-type":"T","detail":{},"time":"yesterday"}"#,
        &big,
        &deep,
        &good("three"),
    ];
    let answer = router.send(&format!("[{}]", entries.join(",")));
    check_entries(
        &answer,
        expect![[r#"
        202 3 7
        {"id":"one"}
        {"error":"`detail` is missing; an event needs `source`, `detail-type` and `detail`"}
        {"error":"an event is a JSON object with `source`, `detail-type` and `detail`, and this is a number"}
        {"id":"two"}
        {"error":"`source` must not be empty"}
        {"error":"`detial-type` is no part of an event; put what is yours into `detail`"}
        {"error":"`time`: `yesterday` is not an RFC 3339 time such as 2026-11-23T08:30:00Z"}
        {"error":"3044 bytes are over the limit of 2048 bytes for one event"}
        {"error":"nested deeper than 8 levels at byte 48"}
        {"id":"three"}
    "#]],
    );
    still_works(&target, &router, &["one", "two", "three"]);
}

#[test]
fn a_bad_line_of_ndjson_is_refused_by_its_place_and_the_others_are_kept() {
    let (_scene, target, router) = scene();
    let mut body = Vec::new();
    for line in [good("one").as_bytes(), b"{\"source\":", b"", b"\"\xff\"", good("two").as_bytes()]
    {
        body.extend_from_slice(line);
        body.push(b'\n');
    }
    let answer = router.connect().post("/events", "application/x-ndjson", &body).unwrap();
    check_entries(
        &answer,
        expect![[r#"
        202 2 2
        {"id":"one"}
        {"error":"not JSON: EOF while parsing a value (line 1, column 10)"}
        {"error":"not UTF-8: byte 1 begins no character; send JSON as UTF-8"}
        {"id":"two"}
    "#]],
    );
    still_works(&target, &router, &["one", "two"]);
}

#[test]
fn a_request_of_bad_entries_alone_is_refused_and_says_why_for_each() {
    let (_scene, target, router) = scene();
    let answer = router.send(r#"[{"source":"a"}, null]"#);
    assert_eq!(answer.problem().1, "events-refused");
    check_entries(
        &answer,
        expect![[r#"
        400 null null
        {"error":"`detail-type` is missing; an event needs `source`, `detail-type` and `detail`"}
        {"error":"an event is a JSON object with `source`, `detail-type` and `detail`, and this is null"}
    "#]],
    );
    still_works(&target, &router, &[]);
}

#[test]
fn a_body_with_a_fault_is_refused_whole_with_a_problem_that_names_it() {
    let (_scene, target, router) = scene();
    let json = "application/json";
    let large = format!("[{}]", vec![GOOD; 400].join(","));
    let many = format!("[{}]", vec![GOOD; 51].join(","));
    let big = format!(r#"{{"source":"a","detail-type":"T","detail":"{}"}}"#, "x".repeat(3000));
    let deep = format!(
        r#"{{"source":"a","detail-type":"T","detail":{}1{}}}"#,
        "[".repeat(500),
        "]".repeat(500)
    );
    let mut seen = String::new();
    let cases: [(&str, &str, &[u8]); 14] = [
        ("/events", json, br#"{"source":"a","detail-ty"#),
        ("/events", json, br#"[{"source":"a","detail-type":"T","detail":{}},"#),
        ("/events", json, b"\xff\xfe"),
        ("/events", json, b"[\"\xc3\x28\"]"),
        ("/events", json, b""),
        ("/events", json, b"[]"),
        ("/events", json, b"hello"),
        ("/events", json, large.as_bytes()),
        ("/events", json, many.as_bytes()),
        ("/events", json, big.as_bytes()),
        ("/events", json, deep.as_bytes()),
        ("/buses/shpo/events", json, GOOD.as_bytes()),
        ("/events", "text/xml", GOOD.as_bytes()),
        ("/event", json, GOOD.as_bytes()),
    ];
    for (path, media, body) in cases {
        let (status, kind, detail) = router.connect().post(path, media, body).unwrap().problem();
        seen.push_str(&format!("{status} {kind}: {detail}\n"));
    }
    expect![[r#"
        400 malformed-body: not JSON: EOF while parsing a string (line 1, column 24)
        400 malformed-body: the body is no whole JSON array: EOF while parsing a value at line 1 column 46; nothing of it was taken
        400 malformed-body: not UTF-8: byte 0 begins no character; send JSON as UTF-8
        400 malformed-body: the body is not UTF-8 (byte 2)
        400 no-event: the body holds no event; send one event, an array of events, or one event a line
        400 no-event: the body holds no event; send one event, an array of events, or one event a line
        400 malformed-body: not JSON: expected value (line 1, column 1)
        413 body-too-large: a body may have 16384 bytes; send the events in several requests
        413 too-many-events: more than 50 events in one request; send them in several
        413 event-too-large: 3044 bytes are over the limit of 2048 bytes for one event
        400 event-refused: nested deeper than 8 levels at byte 48
        404 unknown-bus: there is no bus `shpo`; the buses are default; name it in slipswitch.yaml or in a rule
        415 unsupported-media-type: events do not come as text/xml; send application/json, application/x-ndjson, application/cloudevents+json or application/cloudevents-batch+json
        404 not-found: there is nothing at /event; `GET /` says what there is
    "#]].assert_eq(&seen);
    still_works(&target, &router, &[]);
}

#[test]
fn an_event_cut_off_anywhere_is_refused() {
    let (_scene, target, router) = scene();
    let mut connection = router.connect();
    for cut in 0..GOOD.len() {
        let body = GOOD.as_bytes().get(..cut).unwrap();
        let answer = connection.post("/events", "", body).unwrap();
        assert_eq!(answer.problem().0, 400, "{}", String::from_utf8_lossy(body));
    }
    still_works(&target, &router, &[]);
}

#[test]
fn an_event_with_any_byte_changed_is_taken_or_refused_and_nothing_breaks() {
    let (_scene, _target, router) = scene();
    let mut connection = router.connect();
    let mut random = Random::seeded(7);
    for _ in 0..500 {
        let mut body = GOOD.as_bytes().to_vec();
        for _ in 0..=random.below(3) {
            let at = usize::try_from(random.below(body.len() as u64)).unwrap();
            body[at] = u8::try_from(random.below(256)).unwrap();
        }
        let answer = connection.post("/events", "", &body).unwrap();
        let is_fine = answer.status == 202 || answer.problem().0 == 400;
        assert!(is_fine, "{}: {answer:?}", String::from_utf8_lossy(&body));
    }
    assert_eq!(router.send(&good("last")).ids(), ["last"]);
    router.stop().expect(0);
}

#[test]
fn a_connection_that_ends_within_a_body_leaves_nothing_behind() {
    let (_scene, target, router) = scene();
    let mut connection = router.connect();
    let head = "POST /events HTTP/1.1\r\nhost: test\r\ncontent-length: 500\r\n\r\n";
    connection.raw(format!("{head}{GOOD}").as_bytes()).unwrap();
    connection.finish().unwrap();
    if let Ok(answer) = connection.answer() {
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    still_works(&target, &router, &[]);
}

#[test]
fn what_is_no_http_is_turned_away() {
    let (_scene, target, router) = scene();
    for bytes in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"EHLO there\r\n\r\n", b"\0\0\0\0\r\n\r\n"]
    {
        let mut connection = router.connect();
        connection.raw(bytes).unwrap();
        connection.finish().ok(); // the router may have closed it
        if let Ok(answer) = connection.answer() {
            assert_eq!(answer.status, 400, "{answer:?}");
        }
    }
    still_works(&target, &router, &[]);
}

#[test]
fn a_method_that_a_path_does_not_have_is_answered_with_those_it_has() {
    let (_scene, target, router) = scene();
    let answer = router.get("/events");
    assert_eq!(answer.problem().1, "method-not-allowed");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    let answer = router.connect().post("/metrics", "", b"").unwrap();
    assert_eq!(answer.problem().0, 405);
    assert!(answer.header("allow").unwrap().contains("GET"), "{answer:?}");
    still_works(&target, &router, &[]);
}

#[test]
fn a_type_that_a_shell_or_nobody_chose_is_looked_at_instead() {
    let (_scene, target, router) = scene();
    let lines = format!("{}\n{}\n", good("c"), good("d"));
    for (media, body, ids) in [
        ("application/x-www-form-urlencoded", good("a"), &["a"][..]),
        ("", format!(" [{}] ", good("b")), &["b"]),
        ("Application/JSON; charset=utf-8", lines, &["c", "d"]),
    ] {
        let answer = router.connect().post("/events", media, body.as_bytes()).unwrap();
        assert_eq!(answer.ids(), ids);
    }
    still_works(&target, &router, &["a", "b", "c", "d"]);
}
