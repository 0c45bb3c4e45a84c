//! From bus to bus, and lines in a log.

use std::fs;

use receiver::Receiver;
use serde_json::Value;

use crate::harness::{LONG, Scene};

const EVENT: &str = r#"{"id":"e-1","source":"a","detail-type":"T","detail":{"n":1.10}}"#;

#[test]
fn an_event_passed_on_to_another_bus_keeps_its_id_and_bytes() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    let url = target.url("/b");
    scene.write(
        "rules/all.yaml",
        format!(
            "name: on\nbus: first\npattern: {{ source: [a] }}\ntargets: [{{ id: on, bus: second }}]\n---\n\
             name: out\nbus: second\npattern: {{ source: [a] }}\ntargets: [{{ id: out, http: '{url}' }}]\n"
        ),
    );
    let router = scene.serve();
    router.send_to("first", EVENT).ids();
    let requests = target.wait_for_count("/b", 1, LONG).unwrap();
    assert_eq!(requests[0].header("slipswitch-event-id"), Some("e-1"));
    assert_eq!(requests[0].header("slipswitch-bus"), Some("second"));
    assert!(requests[0].text().ends_with(r#""detail":{"n":1.10}}"#), "{}", requests[0].text());
    // It is followed there, and back.
    router.wait_until("/api/v1/events/e-1?bus=second", |fate| {
        fate["places"][0]["from"][0]["rule"] == "on"
    });
    let said = router.run(&["event", "e-1"]).expect(0).out;
    assert!(said.contains(" bytes, passed on by 1 bus\n"), "{said}");
    assert!(said.contains("\nfrom      first/on/on: event e-1 on bus first, offset 0\n"), "{said}");
}

#[test]
fn a_loop_of_buses_ends_as_a_dead_letter_that_says_so() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new().configured("delivery: { hops_max: 5 }\n");
    let url = target.url("/seen");
    scene.write(
        "rules/all.yaml",
        format!(
            "name: there\nbus: one\npattern: {{ source: [a] }}\ntargets: [{{ id: on, bus: two }}, {{ id: seen, http: '{url}' }}]\n---\n\
             name: back\nbus: two\npattern: {{ source: [a] }}\ntargets: [{{ id: on, bus: one }}, {{ id: seen, http: '{url}' }}]\n"
        ),
    );
    let router = scene.serve();
    router.send_to("one", EVENT).ids();
    let page = router.wait_until("/api/v1/dead-letters", |page| page["items"][0].is_object());
    let error = page["items"][0]["error"].as_str().unwrap();
    assert!(error.contains("hops_max") && error.contains("5 times"), "{error}");
    let requests = target.wait_for_count("/seen", 6, LONG).unwrap();
    assert!(requests.iter().all(|one| one.header("slipswitch-event-id") == Some("e-1")));
    let is_quiet = |status: &Value| {
        let all = status["router"]["subscriptions"].as_array().unwrap();
        all.iter().all(|one| one["lag"] == 0 && one["queued"] == 0 && one["in_flight"] == 0)
    };
    let status = router.wait_for_status(is_quiet);
    assert_eq!(status["router"]["journal"]["next_offset"], 6, "the event, passed on five times");
    assert_eq!(target.requests().len(), 6);
}

#[test]
fn a_log_file_gets_a_line_for_each_event_and_the_console_too() {
    let scene = Scene::new();
    scene.write(
        "rules/all.yaml",
        format!(
            "name: lines\npattern: {{ source: [a] }}\ntargets:\n  - {{ id: file, log: {{ file: '{}' }} }}\n  - {{ id: console, log: console }}\n",
            scene.path("events.log").display()
        ),
    );
    let router = scene.serve();
    router.send(EVENT).ids();
    router.send(&EVENT.replace("e-1", "e-2")).ids();
    router.process.out.wait_for(r#""id":"e-1""#, 0);
    router.process.out.wait_for(r#""id":"e-2""#, 0);
    router.wait_until_all_is_delivered();
    router.stop().expect(0);
    let log = fs::read_to_string(scene.path("events.log")).unwrap();
    let mut lines: Vec<&str> = log.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines.len(), 2, "{log}");
    for (line, id) in lines.iter().zip(["e-1", "e-2"]) {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["id"], id);
        assert!(line.contains("1.10"));
    }
}
