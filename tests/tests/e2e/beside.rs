//! A plugin beside another one in a rule.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use receiver::{Receiver, Request};
use serde_json::{Value, json};

use crate::harness::{LONG, Router, Scene, plugin, transformer};
use crate::kills::event_id;

const EVENT: &str = r#"{"source":"a","detail-type":"T","detail":{}}"#;

/// A rule of one target, at the path that is the rule's name.
fn rule(name: &str, target: &Receiver, step: &str) -> String {
    let url = target.url(&format!("/{name}"));
    format!(
        "name: {name}\npattern: {{ source: [a] }}\ntargets:\n  - id: one\n    http: '{url}'\n    \
         transform: [{{ {step} }}]\n---\n"
    )
}

/// Answers the event's id, whatever its configuration says.
fn naming() -> Vec<u8> {
    transformer("", "", "(call $text (local.get $id) (local.get $id_len))")
}

/// Sends events with these numbers in their ids, and what `detail` makes of them.
fn send(router: &Router, numbers: std::ops::Range<usize>, detail: impl Fn(usize) -> Value) {
    let event = |number| {
        let detail = detail(number);
        format!(
            "{{\"id\":\"e-{number}\",\"source\":\"a\",\"detail-type\":\"T\",\"detail\":{detail}}}\n"
        )
    };
    let lines: String = numbers.map(event).collect();
    let answer = router.connect().post("/events", "application/x-ndjson", lines.as_bytes());
    answer.unwrap().ids();
}

fn subscription(status: &Value, rule: &str) -> Value {
    let all = status["router"]["subscriptions"].as_array().unwrap();
    all.iter().find(|one| one["rule"] == rule).unwrap().clone()
}

/// Everything was delivered, once, and at the first attempt; the plugins of the rule are not blamed for another one's
/// faults.
fn nothing_was_hurt(router: &Router, rule: &str) {
    let of = subscription(&router.status(), rule);
    assert_eq!((&of["dead"], &of["failed_attempts"]), (&json!(0), &json!(0)), "{of:#}");
    assert_eq!(of["plugins"]["state"], "closed", "{of:#}");
}

/// Answers eight letters, drawn for the event.
fn drawing() -> Vec<u8> {
    let imports =
        r#"(import "slipswitch:plugin/random@0.2.0" "number" (func $number (result i64)))"#;
    let body = "(i64.store (i32.const 64) (i64.or (i64.const 0x4040404040404040)
          (i64.and (call $number) (i64.const 0x0f0f0f0f0f0f0f0f))))
        (call $text (i32.const 64) (i32.const 8))";
    transformer(imports, "", body)
}

#[test]
fn a_shadow_draws_the_numbers_of_the_plugin_that_it_is_compared_with() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    scene.write("plugins/draw.wasm", drawing());
    scene.write("plugins/draw-next.wasm", drawing());
    let url = target.url("/a");
    let rule = format!(
        "name: a\npattern: {{ source: [a] }}\ntargets:\n  - id: one\n    http: '{url}'\n    \
         transform: [{{ plugin: draw, grant: [random], shadow: draw-next }}]\n"
    );
    scene.write("rules/a.yaml", rule);
    let router = scene.serve();
    for _ in 0..3 {
        router.send(EVENT).ids();
    }
    target.wait_for_count("/a", 3, LONG).unwrap();
    let beside =
        |status: &serde_json::Value| status["router"]["subscriptions"][0]["beside"][0].clone();
    let status = router.wait_for_status(|status| beside(status)["calls"] == 3);
    assert_eq!(beside(&status)["same"], 3, "{status:#}");
    router.stop().expect(0);
}

#[test]
fn a_plugin_that_keeps_state_is_no_shadow_and_may_be_a_canary() {
    let scene = Scene::new();
    let imports = r#"(import "slipswitch:plugin/state@0.2.0" "delete" (func (param i32 i32 i32)))"#;
    let body = "(call $text (i32.const 16) (i32.const 7))";
    scene.write("plugins/keeps.wasm", transformer(imports, "", body));
    scene.write("plugins/plain.wasm", transformer("", "", body));
    let check = |beside: &str| {
        let rule = format!(
            "name: a\npattern: {{ source: [a] }}\ntargets:\n  - id: one\n    log: console\n    \
             transform: [{{ plugin: keeps, grant: [state], {beside} }}]\n"
        );
        scene.write("rules/a.yaml", rule);
        scene.run(&["check"])
    };
    scene.write("plugins/keeps-next.wasm", transformer(imports, "", body));
    check("shadow: keeps-next").expect(78).says(&["`keeps-next` keeps state"]);
    check("shadow: plain").expect(0);
    check("canary: { plugin: keeps-next, share: 1% }").expect(0);
}

#[test]
fn a_canary_that_was_taken_back_gets_no_event_after_a_restart_until_it_changes() {
    const EVENTS: usize = 30;
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    scene.write(
        "plugins/good.wasm",
        transformer("", "", "(call $text (i32.const 16) (i32.const 7))"),
    );
    scene.write("plugins/bad.wasm", transformer("", "", "unreachable"));
    let url = target.url("/a");
    let rule = |by: &str| {
        let rule = format!(
            "name: a\npattern: {{ source: [a] }}\ntargets:\n  - id: one\n    http: '{url}'\n    \
             transform: [{{ plugin: good, canary: {{ plugin: bad, share: 100%{by} }} }}]\n"
        );
        scene.write("rules/a.yaml", rule);
    };
    let beside =
        |status: &serde_json::Value| status["router"]["subscriptions"][0]["beside"][0].clone();
    for (life, by, is_taken_back) in [(1, "", false), (2, "", true), (3, ", by: $.source", false)] {
        rule(by);
        let router = scene.serve();
        assert_eq!(beside(&router.status())["taken_back"], is_taken_back, "life {life}");
        let lines = format!("{EVENT}\n").repeat(EVENTS);
        let mut connection = router.connect();
        connection.post("/events", "application/x-ndjson", lines.as_bytes()).unwrap().ids();
        target.wait_for_count("/a", life * EVENTS, LONG).unwrap();
        let after = beside(&router.status());
        assert_eq!(after["taken_back"], true, "{after:#}");
        assert_eq!(after["calls"] == 0, is_taken_back, "{after:#}");
        router.stop().expect(0);
    }
}

#[test]
fn a_shadow_is_compared_with_what_is_delivered_and_delivers_nothing() {
    const EVENTS: usize = 8;
    let target = Receiver::start().unwrap();
    let scene = Scene::new().with_plugins(&["order-summary"]);
    // Another version: it words orders of a customer whose name is known differently.
    let text = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    let live = text(&fs::read(plugin("order-summary")).unwrap());
    let next = live.replace(" from ", " upon ");
    assert_ne!(live, next, "the plugin has its words in one place");
    let next: Vec<u8> = next.chars().map(|letter| u8::try_from(letter).unwrap()).collect();
    scene.write("plugins/next.wasm", next);
    scene.write("rules/a.yaml", rule("a", &target, "plugin: order-summary, shadow: next"));
    let router = scene.serve();
    send(&router, 0..EVENTS, |number| {
        let customer = if number % 4 == 0 { json!({ "name": "Lan" }) } else { json!({}) };
        json!({ "orderId": number.to_string(), "customer": customer })
    });
    let requests = target.wait_for_count("/a", EVENTS, LONG).unwrap();
    let beside = |status: &Value| subscription(status, "a")["beside"][0].clone();
    let status = router.wait_for_status(|status| beside(status)["calls"] == EVENTS);
    let beside = beside(&status);
    let figures = ["same", "different", "failed", "skipped"].map(|key| &beside[key]);
    assert_eq!(figures, [6, 2, 0, 0], "{beside:#}");
    assert_eq!((&beside["kind"], &beside["plugin"]), (&json!("shadow"), &json!("next")));
    let last = &beside["last"];
    let number = last["event"].as_str().unwrap().strip_prefix("e-").unwrap();
    assert_eq!(last["delivered"], format!("Order {number} from Lan: 0 items"));
    assert_eq!(last["beside"], format!("Order {number} upon Lan: 0 items"));
    let texts: BTreeSet<String> = requests.iter().map(Request::text).collect();
    assert_eq!(texts.len(), EVENTS);
    assert!(!texts.iter().any(|text| text.contains("upon")), "{texts:?}");
    nothing_was_hurt(&router, "a");
    router.stop().expect(0);
    assert_eq!(target.requests().len(), EVENTS);
}

#[test]
fn a_shadow_that_crashes_or_spins_hurts_no_delivery() {
    const EVENTS: usize = 12;
    const WAYS: [(&str, &str); 2] = [("panic", "panicked"), ("spin", "CPU time")];
    let target = Receiver::start().unwrap();
    let scene = Scene::new().configured("plugin: { cpu_ms: 50 }\n").with_plugins(&["misbehave"]);
    scene.write("plugins/naming.wasm", naming());
    let rules = WAYS.map(|(way, _)| {
        let step = format!("plugin: naming, config: {{ how: {way} }}, shadow: misbehave");
        rule(way, &target, &step)
    });
    scene.write("rules/all.yaml", rules.concat());
    let router = scene.serve();
    send(&router, 0..EVENTS, |_| json!({}));
    for (way, words) in WAYS {
        let path = format!("/{way}");
        let requests = target.wait_for_count(&path, EVENTS, LONG).unwrap();
        let mut requests = requests.iter().filter(|request| request.path == path);
        assert!(requests.all(|request| request.text() == event_id(request)));
        let beside = |status: &Value| subscription(status, way)["beside"][0].clone();
        let status = router.wait_for_status(|status| beside(status)["calls"] == EVENTS);
        let beside = beside(&status);
        assert_eq!(beside["failed"], EVENTS, "{beside:#}");
        let last = beside["last"]["beside"].as_str().unwrap();
        assert!(last.contains(words), "{last}");
        nothing_was_hurt(&router, way);
    }
    router.stop().expect(0);
    assert_eq!(target.requests().len(), WAYS.len() * EVENTS);
}

#[test]
fn a_key_stays_with_the_canary_or_with_the_plugin_before_it_also_after_a_restart() {
    const EVENTS: usize = 100;
    const KEYS: usize = 20;
    let target = Receiver::start().unwrap();
    let scene = Scene::new().with_plugins(&["order-summary", "misbehave"]);
    let step = "plugin: order-summary, canary: { plugin: misbehave, share: 50%, by: $.detail.key }";
    scene.write("rules/a.yaml", rule("a", &target, step));
    let mut canarys = BTreeMap::new();
    for start in 0..2 {
        let router = scene.serve();
        send(
            &router,
            start * EVENTS..(start + 1) * EVENTS,
            |number| json!({ "orderId": "o", "key": number % KEYS }),
        );
        let requests = target.wait_for_count("/a", (start + 1) * EVENTS, LONG).unwrap();
        let mut taken = 0;
        for request in requests.iter().skip(start * EVENTS) {
            let id = event_id(request);
            let key = id.strip_prefix("e-").unwrap().parse::<usize>().unwrap() % KEYS;
            // A canary that behaves sends the event on as it is.
            let is_canarys = request.text() != "Order o: 0 items";
            taken += usize::from(is_canarys);
            assert_eq!(*canarys.entry(key).or_insert(is_canarys), is_canarys, "{key}");
        }
        let beside = &subscription(&router.status(), "a")["beside"][0];
        assert_eq!((&beside["kind"], &beside["plugin"]), (&json!("canary"), &json!("misbehave")));
        assert_eq!((&beside["calls"], &beside["failed"]), (&json!(taken), &json!(0)), "{beside:#}");
        assert_eq!(beside["taken_back"], false, "{beside:#}");
        nothing_was_hurt(&router, "a");
        router.stop().expect(0);
    }
    let taken = canarys.values().filter(|is_canarys| **is_canarys).count();
    assert!(0 < taken && taken < KEYS, "{taken} of {KEYS} keys");
}

#[test]
fn a_canary_that_fails_is_taken_back_and_no_event_is_lost_by_it() {
    const EVENTS: usize = 120;
    const LATER: usize = 40;
    let target = Receiver::start().unwrap();
    let scene = Scene::new().with_plugins(&["misbehave"]);
    scene.write("plugins/naming.wasm", naming());
    let step = "plugin: naming, config: { how: panic }, canary: { plugin: misbehave, share: 50% }";
    scene.write("rules/a.yaml", rule("a", &target, step));
    let router = scene.serve();
    send(&router, 0..EVENTS, |_| json!({}));
    target.wait_for_count("/a", EVENTS, LONG).unwrap();
    let (_, line) = router.process.err.wait_for("a canary is taken back", 0);
    assert!(line.contains("misbehave") && line.contains("panicked"), "{line}");
    let beside = || subscription(&router.status(), "a")["beside"][0].clone();
    let before = beside();
    assert_eq!((&before["taken_back"], &before["share"]), (&json!(true), &json!(0)), "{before:#}");
    assert_eq!(before["failed"], before["calls"], "{before:#}");
    assert!(before["calls"].as_u64().unwrap() >= 20, "{before:#}");
    let listed = router.run(&["plugin", "ls", "-o", "json"]).expect(0).json();
    let of = listed.as_array().unwrap().iter().find(|one| one["name"] == "misbehave").unwrap();
    assert!(of["last_fault"].as_str().unwrap().contains("panicked"), "{of:#}");

    send(&router, EVENTS..EVENTS + LATER, |_| json!({}));
    let requests = target.wait_for_count("/a", EVENTS + LATER, LONG).unwrap();
    assert_eq!(beside(), before, "it gets none any more");
    nothing_was_hurt(&router, "a");
    router.stop().expect(0);
    let ids: BTreeSet<String> = requests.iter().map(event_id).collect();
    assert_eq!((requests.len(), ids.len()), (EVENTS + LATER, EVENTS + LATER));
    assert!(requests.iter().all(|request| request.text() == event_id(request)));
}
