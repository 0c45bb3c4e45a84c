//! What a plugin counts and observes is among the router's metrics.

use receiver::Receiver;

use crate::harness::{LONG, Scene, transformer};

const EVENT: &str = r#"{"source":"a","detail-type":"T","detail":{}}"#;

/// Counts two `seen`, observes 1.5 `weight`, and answers `seen`.
fn counter() -> Vec<u8> {
    let imports = r#"(import "slipswitch:plugin/metrics@0.2.0" "count" (func $count (param i32 i32 i64)))
        (import "slipswitch:plugin/metrics@0.2.0" "observe" (func $observe (param i32 i32 f64)))"#;
    let data = r#"(data (i32.const 64) "seenweight")"#;
    let body = "(call $count (i32.const 64) (i32.const 4) (i64.const 2))
        (call $observe (i32.const 68) (i32.const 6) (f64.const 1.5))
        (call $text (i32.const 64) (i32.const 4))";
    transformer(imports, data, body)
}

#[test]
fn what_a_plugin_counts_is_scraped_without_tests_and_looks_and_goes_on_over_a_reload() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    scene.write("plugins/counter.wasm", counter());
    let rule = |id: &str| {
        let url = target.url("/a");
        format!(
            "name: a\npattern: {{ source: [a] }}\ntargets:\n  - id: {id}\n    http: '{url}'\n    transform:\n      \
             - plugin: counter\n        grant: [metrics]\n\
             tests:\n  - {{ name: t, event: {{ source: a, detail-type: T, detail: {{}} }}, expect: {{ {id}: seen }} }}\n"
        )
    };
    scene.write("rules/a.yaml", rule("one"));
    let router = scene.serve();
    let scraped = |events: u64| {
        let text = router.get("/metrics").text();
        let labels = "{plugin=\"counter\",name=";
        let (count, weight) = (2 * events, 1.5 * f64::from(u32::try_from(events).unwrap()));
        for line in [
            format!("slipswitch_plugin_count_total{labels}\"seen\"}} {count}\n"),
            format!("slipswitch_plugin_observed_count{labels}\"weight\"}} {events}\n"),
            format!("slipswitch_plugin_observed_sum{labels}\"weight\"}} {weight:?}\n"),
        ] {
            assert!(text.contains(&line), "{line} is not in {text}");
        }
    };
    for _ in 0..3 {
        router.send(EVENT).ids();
    }
    target.wait_for_count("/a", 3, LONG).unwrap();
    scraped(3);

    scene.replace("rules/a.yaml", rule("another"));
    router.process.err.wait_for("rules swapped", 0);
    let id = router.send(EVENT).ids().remove(0);
    target.wait_for_count("/a", 4, LONG).unwrap();
    // Made again to be shown.
    let shown = router.get(&format!("/api/v1/events/{id}?payloads=true")).text();
    assert!(shown.contains(r#""body":"seen""#), "{shown}");
    scraped(4);
    router.stop().expect(0);
}
