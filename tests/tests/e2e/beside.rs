//! A plugin beside another one in a rule.

use receiver::Receiver;

use crate::harness::{LONG, Scene, transformer};

const EVENT: &str = r#"{"source":"a","detail-type":"T","detail":{}}"#;

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
