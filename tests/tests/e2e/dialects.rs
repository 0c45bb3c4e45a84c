//! CloudEvents and EventBridge's PutEvents: in over HTTP, through `send`, matched and delivered.

use receiver::{Receiver, Request};

use crate::harness::{Answer, LONG, Router, Scene};

const BATCH: &str = "application/cloudevents-batch+json";
const ONE: &str = "application/cloudevents+json";

fn rule(url: &str, pattern: &str) -> String {
    format!(
        "name: all\nbus: shop\npattern: {pattern}\ntargets: [{{ id: out, http: {{ url: {url} }} }}]\n"
    )
}

fn scene(target: &Receiver, pattern: &str) -> Scene {
    let scene = Scene::new();
    scene.write("rules/shop.yaml", rule(&target.url("/in"), pattern));
    scene
}

fn put_events(router: &Router, headers: &str, body: &str) -> Answer {
    let mut connection = router.connect();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: test\r\n{headers}content-type: application/x-amz-json-1.1\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.raw(request.as_bytes()).unwrap();
    connection.answer().unwrap()
}

const TARGET: &str = "x-amz-target: AWSEvents.PutEvents\r\n";

fn bodies(target: &Receiver, count: usize) -> Vec<String> {
    let requests = target.wait_for_count("/in", count, LONG).unwrap();
    let mut bodies: Vec<String> = requests.iter().map(Request::text).collect();
    bodies.sort();
    bodies
}

#[test]
fn a_rule_matches_an_extension_and_the_target_gets_the_senders_bytes() {
    let target = Receiver::start().unwrap();
    let pattern =
        "{ cloudevents: { tenant: [acme], subject: [{ prefix: o- }] }, detail: { n: [1.1] } }";
    let scene = scene(&target, pattern);
    let router = scene.serve();
    let event = |id: &str, tenant: &str| {
        format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"/shop","type":"made","time":"2026-11-23T08:00:00Z","subject":"o-1","tenant":"{tenant}","data":{{ "n":1.10, "a":1e400, "é":"\u00e9" }}}}"#
        )
    };
    let mut connection = router.connect();
    let body = format!("[{},{}]", event("e-1", "acme"), event("e-2", "other"));
    let answer = connection.post("/buses/shop/events", BATCH, body.as_bytes()).unwrap();
    assert_eq!(answer.ids(), ["e-1", "e-2"]);
    let answer = connection.post("/buses/shop/events", ONE, event("e-3", "acme").as_bytes());
    assert_eq!(answer.unwrap().ids(), ["e-3"]);
    let expected = |id: &str| {
        format!(
            r#"{{"version":"0","id":"{id}","detail-type":"made","source":"/shop","account":"000000000000","time":"2026-11-23T08:00:00Z","region":"local","resources":[],"cloudevents":{{"specversion":"1.0","subject":"o-1","tenant":"acme"}},"detail":{{ "n":1.10, "a":1e400, "é":"\u00e9" }}}}"#
        )
    };
    assert_eq!(bodies(&target, 2), [expected("e-1"), expected("e-3")]);
    router.wait_until_all_is_delivered();
    assert_eq!(bodies(&target, 2).len(), 2, "the other tenant's matches nothing");
}

#[test]
fn attributes_may_travel_as_headers() {
    let target = Receiver::start().unwrap();
    let scene = scene(&target, "{ cloudevents: { tenant: [\"Lan \\\"é\\\"\"] } }");
    let router = scene.serve();
    let mut connection = router.connect();
    let send = |connection: &mut crate::harness::Connection, more: &str, body: &str| {
        let request = format!(
            "POST /buses/shop/events HTTP/1.1\r\nhost: test\r\nce-specversion: 1.0\r\nce-id: e-1\r\n\
             ce-source: /shop\r\nce-type: made\r\nce-time: 2026-11-23T08:00:00Z\r\n{more}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.raw(request.as_bytes()).unwrap();
        connection.answer().unwrap()
    };
    let headers = "ce-tenant: \"Lan %22%C3%A9\\\"\"\r\ncontent-type: application/json\r\n";
    assert_eq!(send(&mut connection, headers, r#"{"n":1.10 }"#).ids(), ["e-1"]);
    let envelope = &bodies(&target, 1)[0];
    assert!(envelope.ends_with(r#""tenant":"Lan \"é\""},"detail":{"n":1.10 }}"#), "{envelope}");

    let refused = send(&mut connection, "ce-a-b: 1\r\n", "{}").problem();
    assert_eq!((refused.0, refused.1.as_str()), (400, "event-refused"));
    assert!(refused.2.starts_with("`a-b` is no name of an attribute"), "{}", refused.2);
    let refused = send(&mut connection, "content-type: application/json\r\n", "{").problem();
    assert_eq!((refused.0, refused.1.as_str()), (400, "malformed-body"));
}

#[test]
fn a_cloud_event_that_is_none_is_refused_alone_and_keeps_its_place() {
    let target = Receiver::start().unwrap();
    let scene = scene(&target, "{ source: [s] }");
    let router = scene.serve();
    let mut connection = router.connect();
    let good = r#"{"specversion":"1.0","id":"1","source":"s","type":"t"}"#;
    let body = format!(r#"[{{"specversion":"1.0","id":"0"}},{good}]"#);
    let answer = connection.post("/buses/shop/events", BATCH, body.as_bytes()).unwrap();
    assert_eq!(answer.status, 202, "{}", answer.text());
    let entries = answer.json()["entries"].clone();
    assert!(entries[0]["error"].as_str().unwrap().starts_with("`source` is missing; a CloudEvent"));
    assert_eq!(entries[1]["id"], "1");

    for (media, body, status, kind) in [
        (ONE, "[]", 400, "event-refused"),
        (ONE, "{", 400, "malformed-body"),
        (BATCH, good, 400, "malformed-body"),
        (BATCH, "[]", 400, "no-event"),
        (BATCH, "[1]", 400, "events-refused"),
        ("application/cloudevents+avro", good, 415, "unsupported-media-type"),
    ] {
        let answer = connection.post("/buses/shop/events", media, body.as_bytes()).unwrap();
        let (found, is, _) = answer.problem();
        assert_eq!((found, is.as_str()), (status, kind), "{media} {body}");
    }
    let large = format!(r#"{{"specversion":"1.0","data":"{}"}}"#, "x".repeat(2 << 20));
    let answer = connection.post("/buses/shop/events", ONE, large.as_bytes()).unwrap();
    assert_eq!(answer.problem().1, "event-too-large");
}

#[test]
fn put_events_answers_as_aws_does_entry_by_entry() {
    let target = Receiver::start().unwrap();
    let scene = scene(&target, "{ source: [s] }");
    let router = scene.serve();
    let body = r#"{"Entries":[
        {"Source":"s","DetailType":"t","Detail":"{\"n\":1.10, \"a\":1e400}","EventBusName":"shop","Time":1767225600.5},
        {"Source":"s","DetailType":"t","Detail":"[]"},
        {"DetailType":"t","Detail":"{}"},
        {"Source":"s","DetailType":"t","Detail":"{}","EventBusName":"nowhere"},
        {"Source":"other","DetailType":"t","Detail":"{}"},
        {"Source":"s","DetailType":"t","Detail":"{}","EventBusName":"arn:aws:events:eu-west-1:1:event-bus/shop","Time":1767225600}]}"#;
    let signed = format!("{TARGET}authorization: AWS4-HMAC-SHA256 Credential=x\r\n");
    for headers in [TARGET, &signed] {
        let answer = put_events(&router, headers, body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/x-amz-json-1.1"));
        assert_eq!(answer.header("x-amzn-requestid").unwrap().len(), 36);
        let found = answer.json();
        assert_eq!(found["FailedEntryCount"], 3);
        let code = |at: usize| {
            let entry = &found["Entries"][at];
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            if entry["EventId"].is_string() {
                "taken".to_owned()
            } else {
                text("ErrorCode") + ": " + &text("ErrorMessage")
            }
        };
        assert_eq!(
            [0, 1, 2, 3, 4, 5].map(code),
            [
                "taken",
                "MalformedDetail: Detail is malformed.",
                "InvalidArgument: Parameter Source is not valid. Reason: Source is a required argument.",
                "ResourceNotFoundException: Event bus nowhere does not exist.",
                "taken",
                "taken"
            ]
        );
    }
    let detail = r#""time":"2026-01-01T00:00:00.500Z","region":"local","resources":[],"detail":{"n":1.10, "a":1e400}}"#;
    assert_eq!(bodies(&target, 4).iter().filter(|body| body.ends_with(detail)).count(), 2);
}

#[test]
fn a_request_that_is_no_put_events_gets_an_exception() {
    let scene = Scene::new();
    let router = scene.serve();
    let exception = |headers: &str, body: &str| {
        let answer = put_events(&router, headers, body);
        assert!(answer.header("x-amzn-requestid").is_some());
        let found = answer.json();
        let text = |key: &str| found[key].as_str().unwrap().to_owned();
        assert_eq!(answer.status, 400, "{found}");
        (text("__type"), text("message"))
    };
    let (kind, message) = exception("x-amz-target: AWSEvents.PutRule\r\n", "{}");
    assert_eq!(kind, "UnknownOperationException");
    assert!(message.starts_with("AWSEvents.PutRule is no operation of this version"), "{message}");
    let eleven = format!(r#"{{"Entries":[{}]}}"#, ["{}"; 11].join(","));
    let large = format!(r#"{{"Entries":["{}"]}}"#, "x".repeat(17 << 20));
    for (body, kind, says) in [
        ("", "SerializationException", "not JSON"),
        ("{}", "ValidationException", "must not be null"),
        (eleven.as_str(), "ValidationException", "less than or equal to 10"),
        (large.as_str(), "ValidationException", "Total size of the entries"),
    ] {
        let found = exception(TARGET, body);
        assert_eq!(found.0, kind);
        assert!(found.1.contains(says), "{}", found.1);
    }
    assert_eq!(put_events(&router, "", "{}").status, 405, "without the header it is no PutEvents");
}

#[test]
fn send_converts_what_it_reads_to_what_it_sends() {
    let target = Receiver::start().unwrap();
    let scene = scene(&target, "{ source: [s] }");
    let router = scene.serve();
    let input = [
        r#"{"source":"s","detail-type":"t","time":"2026-01-01T00:00:00.500Z","detail":{"n":1.10, "a":1e400}}"#,
        r#"{"specversion":"1.0","id":"c-1","source":"s","type":"t","time":"2026-01-01T00:00:00.500Z","data":{"n":1.10, "a":1e400}}"#,
        r#"{"Entries":[{"Source":"s","DetailType":"t","Time":1767225600.5,"Detail":"{\"n\":1.10, \"a\":1e400}"}]}"#,
    ]
    .join("\n");
    let detail = r#""detail":{"n":1.10, "a":1e400}}"#;
    for (round, travels) in ["plain", "cloudevents", "eventbridge"].iter().enumerate() {
        let sent = router.run_on(&["send", "--bus", "shop", "--as", travels], input.as_bytes());
        let sent = sent.expect(0);
        assert_eq!(sent.out.lines().count(), 3, "{travels}: {}", sent.out);
        let bodies = bodies(&target, 3 * (round + 1));
        assert!(bodies.iter().all(|body| body.ends_with(detail)), "{travels}: {bodies:#?}");
    }
    let bodies = bodies(&target, 9);
    let told = |part: &str| bodies.iter().filter(|body| body.contains(part)).count();
    assert_eq!(told(r#""time":"2026-01-01T00:00:00.500Z""#), 9);
    assert_eq!(told(r#""detail-type":"t""#), 9);
    let kept = told(r#""id":"c-1""#);
    assert_eq!(kept, 2, "PutEvents alone has no place for an id");
}

#[test]
fn send_reports_each_refusal_by_number_in_every_dialect() {
    let target = Receiver::start().unwrap();
    let scene = scene(&target, "{ source: [s] }");
    let router = scene.serve();
    let good = r#"{"source":"s","detail-type":"t","id":"i","detail":{}}"#;
    let input =
        format!("{good}\n{{\"source\":\"s\",\"detail-type\":\"t\",\"detail\":[]}}\n{good}\n");
    for (travels, reason) in [
        ("plain", "event 2: `detail` must be an object, and is an array"),
        ("eventbridge", "event 2: MalformedDetail: Detail is malformed."),
    ] {
        let sent = router.run_on(&["send", "--bus", "shop", "--as", travels], input.as_bytes());
        let sent = sent.expect(1).says(&[reason, "1 of 3 events were refused"]);
        assert_eq!(sent.out.lines().count(), 2, "{travels}");
    }
    let sent = router.run_on(&["send", "--as", "eventbridge", "--batch", "50"], good.as_bytes());
    sent.expect(0).says(&["10 entries at most", "has no place for it: id"]);
    let words = ["send", "--as", "eventbridge", "--idempotency-key", "k"];
    router.run_on(&words, good.as_bytes()).expect(2).says(&["no place for an idempotency key"]);
    let written = ["send", "--from", "cloudevents"];
    router
        .run_on(&written, good.as_bytes())
        .expect(1)
        .says(&["event 1: `specversion` is missing", "1 of 1"]);
}

#[test]
fn many_events_travel_ten_at_a_time_and_a_key_sends_each_once() {
    let target = Receiver::start().unwrap();
    let scene = scene(&target, "{ source: [s] }");
    let router = scene.serve();
    let event = "{\"source\":\"s\",\"detail-type\":\"t\",\"detail\":{}}\n";
    let sent = router
        .run_on(&["send", "--bus", "shop", "--as", "eventbridge"], event.repeat(25).as_bytes());
    assert_eq!(sent.expect(0).out.lines().count(), 25);
    bodies(&target, 25);
    let words =
        ["send", "--bus", "shop", "--as", "cloudevents", "--idempotency-key", "k", "--batch", "7"];
    let first = router.run_on(&words, event.repeat(25).as_bytes()).expect(0);
    let again = router.run_on(&words, event.repeat(25).as_bytes()).expect(0);
    assert_eq!(first.out, again.out);
    again.says(&["25 of 25 events had been sent before"]);
    assert_eq!(bodies(&target, 50).len(), 50);
}
