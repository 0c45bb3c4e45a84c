//! The same event, configuration and grants give the same output: in a replay, in another process, on any instance.

use std::collections::BTreeMap;

use receiver::{Receiver, Request};

use crate::harness::{LONG, Scene, transformer};

const EVENTS: usize = 300;
/// Live, on instances that serve again and on fresh ones, and both once more in the replay.
const DELIVERIES_PER_EVENT: usize = 4;

/// Writes what its clock and two of its random numbers say, in hexadecimal digits.
fn fortune_teller() -> Vec<u8> {
    let imports = r#"(import "slipswitch:plugin/clock@0.2.0" "now" (func $now (result i64)))
        (import "slipswitch:plugin/random@0.2.0" "number" (func $random (result i64)))"#;
    let functions =
        "(func $hex (param $value i64) (param $at i32) (local $end i32) (local $digit i32)
        (local.set $end (i32.add (local.get $at) (i32.const 16)))
        (loop $next
          (local.set $digit (i32.wrap_i64 (i64.and (local.get $value) (i64.const 15))))
          (local.set $value (i64.shr_u (local.get $value) (i64.const 4)))
          (i32.store8 (local.get $at) (i32.add (local.get $digit)
            (select (i32.const 48) (i32.const 87) (i32.lt_u (local.get $digit) (i32.const 10)))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br_if $next (i32.lt_u (local.get $at) (local.get $end)))))";
    let body = "(call $hex (call $now) (i32.const 2048))
        (call $hex (call $random) (i32.const 2064))
        (call $hex (call $random) (i32.const 2080))
        (call $text (i32.const 2048) (i32.const 48))";
    transformer(imports, functions, body)
}

fn rule(name: &str, isolation: &str, target: &Receiver) -> String {
    let url = target.url(&format!("/{name}"));
    format!(
        "name: {name}\npattern: {{ source: [load] }}\ntargets:\n  - id: out\n    http: '{url}'\n    transform:\n      \
         - plugin: teller\n        grant: [clock, random]\n        isolation: {isolation}\n---\n"
    )
}

/// The outputs of each event, by its id.
fn outputs(requests: &[Request]) -> BTreeMap<String, Vec<String>> {
    let mut outputs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for request in requests {
        let id = request.header("slipswitch-event-id").unwrap().to_owned();
        outputs.entry(id).or_default().push(request.text());
    }
    outputs
}

#[test]
fn a_replay_in_another_process_gives_what_the_first_run_gave() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    scene.write("plugins/teller.wasm", fortune_teller());
    let rules = [rule("reused", "reuse", &target), rule("fresh", "event", &target)].concat();
    scene.write("rules/all.yaml", rules);
    let router = scene.serve();
    let event = |number| {
        // A second apart, in the past.
        let (minute, second) = (number / 60, number % 60);
        format!(
            "{{\"id\":\"e-{number}\",\"source\":\"load\",\"detail-type\":\"T\",\
             \"time\":\"2026-01-01T00:{minute:02}:{second:02}Z\",\"detail\":{{}}}}\n"
        )
    };
    let lines: String = (0..EVENTS).map(event).collect();
    let mut connection = router.connect();
    connection.post("/events", "application/x-ndjson", lines.as_bytes()).unwrap().ids();
    target.wait_for(LONG, |requests| requests.len() == EVENTS * 2).unwrap();
    router.stop().expect(0);

    let router = scene.serve();
    router.run(&["replay", "start", "--since", "1h", "--name", "again"]).expect(0);
    let all = EVENTS * DELIVERIES_PER_EVENT;
    let requests = target.wait_for(LONG, |requests| requests.len() == all).unwrap();
    router.stop().expect(0);

    let outputs = outputs(&requests);
    assert_eq!(outputs.len(), EVENTS);
    for (id, texts) in &outputs {
        assert_eq!(texts.len(), DELIVERIES_PER_EVENT, "{id}");
        assert!(texts.iter().all(|text| text == &texts[0]), "{id}: {texts:?}");
    }
    let different: std::collections::BTreeSet<&String> =
        outputs.values().map(|of| &of[0]).collect();
    assert_eq!(different.len(), EVENTS, "each event has a time and numbers of its own");
}
