//! What became of my event: asked by its id, by time and by pattern; and events that are sent twice.

use receiver::{Answer, Receiver};
use serde_json::Value;

use crate::harness::{LONG, Router, Scene};

fn rule(name: &str, url: &str, retry: &str) -> String {
    format!(
        "name: {name}\npattern: {{ source: [{name}] }}\ntargets: [{{ id: out, http: '{url}', retry: {{ {retry} }} }}]\n---\n"
    )
}

fn event(id: &str, source: &str) -> String {
    format!(r#"{{"id":"{id}","source":"{source}","detail-type":"T","detail":{{"n":1}}}}"#)
}

/// Asks until the only delivery of the event is in this state.
fn becomes(router: &Router, id: &str, state: &str) -> Value {
    router.wait_until(&format!("/api/v1/events/{id}"), |fate| {
        fate["places"][0]["deliveries"][0]["state"] == state
    })
}

#[test]
fn an_operator_sees_at_once_what_became_of_an_event() {
    let target = Receiver::start().unwrap();
    target.script("/good", [Answer::status(503)]);
    target.always("/slow", Answer::status(503));
    target.always("/bad", Answer::status(400));
    let scene = Scene::new();
    let rules = [
        rule("good", &target.url("/good"), "backoff: { min: 5ms, max: 5ms }"),
        rule("slow", &target.url("/slow"), "backoff: { min: 1h, max: 1h }"),
        rule("bad", &target.url("/bad"), ""),
    ];
    scene.write("rules/all.yaml", rules.concat());
    let router = scene.serve();
    for source in ["good", "slow", "bad", "nobody"] {
        router.send(&event(&format!("e-{source}"), source)).ids();
    }
    becomes(&router, "e-good", "delivered");
    becomes(&router, "e-slow", "postponed");
    becomes(&router, "e-bad", "dead");
    router.wait_until("/api/v1/dead-letters", |page| page["items"].as_array().unwrap().len() == 1);

    let told = |id: &str| router.run(&["event", id]).expect(0).out;
    let good = told("e-good");
    assert!(good.starts_with("event     e-good  on bus default, offset 0\ntaken in  "), "{good}");
    assert!(good.contains(" bytes, sent without an idempotency key\n"), "{good}");
    assert!(good.contains("\n  ✓ good → out  delivered 2"), "{good}");
    assert!(good.contains(", 2 attempts\n"), "{good}");
    let slow = told("e-slow");
    assert!(slow.contains("↻ slow → out  waits: next attempt "), "{slow}");
    assert!(slow.contains("after 1 attempt: POST "), "{slow}");
    let bad = told("e-bad");
    assert!(bad.contains("✗ bad → out  dead letter 1 (dead; slipswitch dlq show 1)"), "{bad}");
    let carried = router.run(&["event", "e-good", "--payloads"]).expect(0).out;
    let head = "\npayload of good → out (made now, by the rules of its last attempt, application/json):\n{";
    assert!(carried.contains(head) && !good.contains("payload of"), "{carried}");
    let carried = router.run(&["event", "e-bad", "--payloads"]).expect(0).out;
    assert!(carried.contains("payload of bad → out (as it was made, application/json):\n{"));
    let nobody = told("e-nobody");
    assert!(nobody.contains("– no rule matches it, nothing was sent"), "{nobody}");
    assert!(nobody.contains("good  0 of 1 fields fit; source: "), "{nobody}");
    router.run(&["event", "e-never"]).expect(1).says(&["there is no event `e-never`"]);

    // It is on record, so a restart changes nothing.
    let before = router.run(&["event", "e-good", "-o", "json"]).expect(0).json();
    router.stop();
    let router = scene.serve();
    let after = router.run(&["event", "e-good", "-o", "json"]).expect(0).json();
    assert_eq!(before["places"][0]["attempts"], after["places"][0]["attempts"]);
    assert_eq!(after["places"][0]["attempts"][0]["status"], 503);

    // Under other rules, what is made now may not be what was sent; and a rule that went is named.
    router.run(&["target", "pause", "slow/out"]).expect(0);
    router.send(&event("e-late", "slow")).ids();
    router.wait_until("/api/v1/events/e-late", |fate| fate["places"][0]["dispatched"] == true);
    router.stop();
    scene.write("rules/all.yaml", rules[0].as_str());
    let router = scene.serve();
    let carried = router.run(&["event", "e-good", "--payloads"]).expect(0).out;
    assert!(carried.contains("(made now; THE RULES HAVE CHANGED since its last attempt, "));
    let late = router.run(&["event", "e-late"]).expect(0).out;
    assert!(late.contains("? slow → out  its rule or target was removed or disabled 2"), "{late}");
    assert!(late.contains("it is matched if that comes back before 2"), "{late}");
}

#[test]
fn a_redriven_and_a_replayed_event_keep_their_history() {
    let target = Receiver::start().unwrap();
    target.script("/bad", [Answer::status(400)]);
    let scene = Scene::new();
    scene.write("rules/all.yaml", rule("bad", &target.url("/bad"), ""));
    let router = scene.serve();
    router.send(&event("e", "bad")).ids();
    becomes(&router, "e", "dead");
    router.wait_until("/api/v1/dead-letters", |page| page["items"].as_array().unwrap().len() == 1);
    router.run(&["dlq", "redrive", "1"]).expect(0);
    let fate = becomes(&router, "e", "delivered");
    assert_eq!(fate["places"][0]["attempts"].as_array().unwrap().len(), 2, "{fate:#}");

    router.run(&["replay", "start", "--since", "1h", "--name", "again"]).expect(0);
    let fate = router.wait_until("/api/v1/events/e", |fate| {
        fate["places"][0]["deliveries"].as_array().unwrap().len() == 2
    });
    assert_eq!(fate["places"][0]["deliveries"][1]["replay"], "again", "{fate:#}");
    let said = router.run(&["event", "e"]).expect(0).out;
    assert!(said.contains("bad → out (replay again)"), "{said}");
}

#[test]
fn events_are_searched_by_pattern() {
    let scene = Scene::new();
    let router = scene.serve();
    for number in 0..5 {
        let source = if number % 2 == 0 { "even" } else { "odd" };
        router.send(&event(&format!("e-{number}"), source)).ids();
    }
    let odd = r#"{"source": ["odd"]}"#;
    let found = router.run(&["events", "--since", "1h", "--pattern", odd, "-o", "json"]);
    let found = found.expect(0).json();
    let ids: Vec<&str> =
        found.as_array().unwrap().iter().map(|one| one["event"]["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["e-3", "e-1"]);
    let listed = router.run(&["events", "--order", "oldest", "--limit", "2"]).expect(0);
    assert_eq!(listed.out.lines().count(), 3, "{}", listed.out);
    assert!(listed.out.contains("e-0") && listed.out.contains("e-1"), "{}", listed.out);
    assert!(listed.err.contains("more than 2"), "{}", listed.err);
    router.run(&["events", "--pattern", "{"]).expect(1).says(&["`pattern`"]);
    assert!(listed.out.contains("BUS") && listed.out.contains("default"), "{}", listed.out);
    let nowhere = router.run(&["events", "--pattern", r#"{"source": ["nobody"]}"#]).expect(0);
    assert!(nowhere.err.contains("on any bus") || nowhere.out.contains("on any bus"));
    router.run(&["events", "--within", "soon"]).expect(2).says(&["not a span"]);
}

#[test]
fn an_event_that_is_sent_again_under_its_key_is_delivered_once() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    scene.write("rules/all.yaml", rule("a", &target.url("/a"), ""));
    let mut router = scene.serve();
    let send = |router: &Router, n: &str| {
        let detail = format!(r#"{{"n":{n}}}"#);
        let words = ["send", "--source", "a", "--detail-type", "T", "--detail", &detail];
        router.run(&[&words[..], &["--idempotency-key", "k-1"]].concat())
    };
    let first = send(&router, "1").expect(0).out;
    router.stop();
    router = scene.serve();
    assert_eq!(send(&router, "1").expect(0).out, first);
    send(&router, "2").expect(1).says(&["the idempotency key `k-1` was used before"]);
    target.wait_for_count("/a", 1, LONG).unwrap();
    let status = router.status();
    assert_eq!(status["router"]["events_duplicate"], 1);
    assert_eq!(status["router"]["journal"]["next_offset"], 1);
    let said = router.run(&["event", first.trim()]).expect(0).out;
    assert!(said.contains("bytes, sent with the idempotency key k-1\n"), "{said}");
}
