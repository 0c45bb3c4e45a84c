//! The same event, configuration and grants give the same output: in a replay, in another process, on any instance.

use std::collections::{BTreeMap, BTreeSet};

use receiver::{Receiver, Request};

use crate::harness::{LONG, Router, Scene, transformer};

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

/// Sends so many events, whose times are a second apart, in the past.
fn send(router: &Router, count: usize, detail: impl Fn(usize) -> String) {
    let event = |number| {
        let (minute, second, detail) = (number / 60, number % 60, detail(number));
        format!(
            "{{\"id\":\"e-{number}\",\"source\":\"load\",\"detail-type\":\"T\",\
             \"time\":\"2026-01-01T00:{minute:02}:{second:02}Z\",\"detail\":{detail}}}\n"
        )
    };
    let lines: String = (0..count).map(event).collect();
    let answer = router.connect().post("/events", "application/x-ndjson", lines.as_bytes());
    answer.unwrap().ids();
}

fn rule(name: &str, isolation: &str, target: &Receiver) -> String {
    let url = target.url(&format!("/{name}"));
    format!(
        "name: {name}\npattern: {{ source: [load] }}\ntargets:\n  - id: out\n    http: '{url}'\n    transform:\n      \
         - plugin: teller\n        grant: [clock, random]\n        isolation: {isolation}\n---\n"
    )
}

/// Each of these goes into the replay as well: state, both languages besides Rust, and a step after one that makes
/// several events of each.
fn rules_of_all_kinds(target: &Receiver) -> String {
    let rule = |(name, more): &(&str, &str)| {
        let url = target.url(&format!("/{name}"));
        format!(
            "name: {name}\npattern: {{ source: [load] }}\ntargets:\n  - id: out\n    http: '{url}'\n{more}---\n"
        )
    };
    let rules = [
        (
            "state",
            "    order_by: $.detail.wheel\n    transform:\n      - plugin: tally\n        \
             config: { key: $.detail.wheel, every: 3, seconds: 60 }\n        \
             grant: [state, clock, random, metrics]\n",
        ),
        (
            "chain",
            "    transform:\n      - plugin: split-items\n      - plugin: teller\n        grant: [clock, random]\n",
        ),
        (
            "javascript",
            "    transform:\n      - plugin: unit-convert\n        \
             config: { convert: [{ path: weight, from: lb, to: kg, decimals: 4 }] }\n",
        ),
        ("python", "    transform: [{ plugin: classify-ticket }]\n"),
    ];
    rules.iter().map(rule).collect()
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
    send(&router, EVENTS, |_| "{}".to_owned());
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
    let different: BTreeSet<&String> = outputs.values().map(|of| &of[0]).collect();
    assert_eq!(different.len(), EVENTS, "each event has a time and numbers of its own");
}

#[test]
fn a_replay_gives_the_same_with_state_in_every_language_and_after_several_steps() {
    const EVENTS: usize = 60;
    /// A tally comes with every third of the ten events of a key: one remains, which must not count in the replay.
    const WHEELS: usize = 6;
    const ITEMS: usize = 3;
    const DELIVERIES: usize = WHEELS * (EVENTS / WHEELS / 3) + EVENTS * ITEMS + EVENTS + EVENTS;
    let target = Receiver::start().unwrap();
    let scene =
        Scene::new().with_plugins(&["tally", "split-items", "unit-convert", "classify-ticket"]);
    scene.write("plugins/teller.wasm", fortune_teller());
    scene.write("rules/all.yaml", rules_of_all_kinds(&target));
    let router = scene.serve();
    send(&router, EVENTS, |number| {
        let (wheel, items) = (number % WHEELS, [0; ITEMS]);
        format!(
            "{{\"wheel\":\"w-{wheel}\",\"items\":{items:?},\"weight\":{number}.25,\"subject\":\"Order {number}\",\
             \"text\":\"The parcel is late: I want a refund at once, or my lawyer writes\"}}"
        )
    });
    target.wait_for(LONG, |requests| requests.len() == DELIVERIES).unwrap();
    router.stop().expect(0);

    let router = scene.serve();
    router.run(&["replay", "start", "--since", "1h", "--name", "again"]).expect(0);
    let requests = target.wait_for(LONG, |requests| requests.len() == DELIVERIES * 2).unwrap();
    router.stop().expect(0);

    let (mut live, mut again) = (BTreeMap::new(), BTreeMap::new());
    for request in &requests {
        let delivery = request.delivery_id().unwrap();
        let (delivery, of) = match delivery.split_once(";replay=again") {
            Some((before, behind)) => (format!("{before}{behind}"), &mut again),
            None => (delivery.to_owned(), &mut live),
        };
        // A replayed event says so, which the plugin passes on.
        let text = request.text().replace(r#""replay-name":"again","#, "");
        of.insert((request.path.clone(), delivery), text);
    }
    assert_eq!(live.len(), DELIVERIES, "each delivery has an id of its own");
    assert_eq!(live, again);
    let texts: BTreeSet<&String> = live.values().collect();
    assert_eq!(texts.len(), DELIVERIES, "each output has something of its own");
}
