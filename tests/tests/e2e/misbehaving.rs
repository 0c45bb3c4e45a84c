//! A plugin that misbehaves in every way it can: each is held to its limit, told by name, and judged by the retry
//! policy; the neighbours notice nothing.

use std::collections::BTreeMap;

use receiver::Receiver;
use serde_json::Value;

use crate::harness::{LONG, Router, Scene};

const EVENT: &str = r#"{"id":"e-1","source":"load","detail-type":"T","detail":{}}"#;

/// More than a lane works on at a time.
const EVENTS: usize = 1000;

/// What the dead letter of each way says, and which limit the log names.
const WAYS: [(&str, &str, Option<&str>); 7] = [
    ("spin", "used more than 250ms of CPU time", Some("cpu_max")),
    ("allocate", "needs more than 16777216 bytes of memory", Some("memory_bytes_max")),
    ("recurse", "needs more than 524288 bytes of stack", Some("stack_bytes_max")),
    ("panic", "panicked", None),
    ("gigabyte", "output is refused: more than", Some("output_bytes_max")),
    ("invalid", "is not JSON", None),
    ("log", "used more than 250ms of CPU time", Some("cpu_max")),
];

fn rule(name: &str, target: &Receiver, steps: &str) -> String {
    let url = target.url(&format!("/{name}"));
    format!(
        "name: {name}\npattern: {{ source: [load] }}\ntargets:\n  - id: out\n    http: '{url}'\n    \
         retry: {{ attempts: 2, backoff: {{ min: 1ms, max: 5ms }} }}\n    transform: [{steps}]\n---\n"
    )
}

#[test]
fn each_way_ends_at_its_limit_by_name_and_as_a_dead_letter() {
    let target = Receiver::start().unwrap();
    let scene =
        Scene::new().configured("plugin: { memory_bytes: 16MiB }\n").with_plugins(&["misbehave"]);
    let bad = |way: &str| {
        rule(way, &target, &format!("{{ plugin: misbehave, config: {{ how: {way} }} }}"))
    };
    let mut rules: String = WAYS.iter().map(|(way, ..)| bad(way)).collect();
    rules.push_str(&rule("neighbour", &target, ""));
    scene.write("rules/all.yaml", rules);
    let router = scene.serve();
    router.send(EVENT).ids();

    target.wait_for_count("/neighbour", 1, LONG).unwrap();
    let letters = router.wait_until("/api/v1/dead-letters", |page| {
        page["items"].as_array().unwrap().len() == WAYS.len()
    });
    let letters: BTreeMap<&str, &Value> = letters["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|letter| (letter["rule"].as_str().unwrap(), letter))
        .collect();
    for (way, words, _) in WAYS {
        let letter = letters[way];
        let error = letter["error"].as_str().unwrap();
        assert!(error.contains("plugin `misbehave`") && error.contains(words), "{way}: {error}");
        assert_eq!(letter["attempts"], 2, "{way}");
        assert_eq!(letter["event_id"], "e-1", "{way}");
    }
    let told = router.stop().expect(0).err;
    for (way, words, limit) in WAYS {
        let line = told.lines().find(|line| {
            line.contains("plugin failed") && line.contains(&format!("rule=\"{way}\""))
        });
        let line = line.unwrap_or_else(|| panic!("no line tells of {way}:\n{told}"));
        let limit = limit.map_or_else(String::new, |limit| format!("limit=\"{limit}\""));
        for part in ["misbehave", "e-1", words, &limit] {
            assert!(line.contains(part), "no {part} in {line}");
        }
    }
    let left_out = told.lines().find(|line| line.contains("plugin logs too much")).unwrap();
    assert!(left_out.contains("lines_max=64"), "{left_out}");
}

#[test]
fn a_plugin_that_fails_again_and_again_is_left_alone_and_status_says_why() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new().with_plugins(&["misbehave"]);
    let bad = "{ plugin: misbehave, config: { how: panic } }";
    let rules = [rule("bad", &target, bad), rule("neighbour", &target, "")].concat();
    scene.write("rules/all.yaml", rules);
    let router = scene.serve();
    let lines: String = (0..EVENTS)
        .map(|number| {
            format!("{{\"id\":\"e-{number}\",\"source\":\"load\",\"detail-type\":\"T\",\"detail\":{{}}}}\n")
        })
        .collect();
    let mut connection = router.connect();
    connection.post("/events", "application/x-ndjson", lines.as_bytes()).unwrap().ids();
    target.wait_for_count("/neighbour", EVENTS, LONG).unwrap();
    let status =
        router.wait_for_status(|status| subscription(status, "bad")["plugins"]["state"] == "open");
    let of = subscription(&status, "bad");
    let fault = of["plugin_fault"].as_str().unwrap();
    assert!(fault.contains("misbehave") && fault.contains("panicked"), "{fault}");
    assert!(of["queued"].as_u64().unwrap() > 0, "the rest waits: {of}");
    let shown = router.run(&["status"]).expect(0).out;
    assert!(shown.contains("plugin `misbehave`"), "{shown}");
    assert!(shown.contains("not everything goes out: 1 plugins down; see"), "{shown}");
    assert!(shown.contains("`slipswitch target resume default/bad/out` tries at once"), "{shown}");
    let shown = router.run(&["target", "ls"]).expect(0).out;
    assert!(shown.contains("plugins down"), "{shown}");
    let last = format!("e-{}", EVENTS - 1);
    let shown = router.run(&["event", &last]).expect(0).out;
    assert!(
        shown.contains("their circuit is open since ") && shown.contains("misbehave"),
        "{shown}"
    );
    the_listing_shows_it(&router);
    router.stop().expect(0);
}

fn the_listing_shows_it(router: &Router) {
    let listed = router.run(&["plugin", "ls", "-o", "json"]).expect(0).json();
    let plugin = &listed[0];
    let (events, errors) = (plugin["events"].as_u64().unwrap(), plugin["errors"].as_u64().unwrap());
    // The one that is to find out may be under way.
    let faults = plugin["faults"].as_u64().unwrap();
    assert!(0 < faults && faults.abs_diff(errors) <= 1 && errors.abs_diff(events) <= 1, "{plugin}");
    assert!(0 < plugin["cpu_ms"].as_u64().unwrap(), "{plugin}");
    let fault = plugin["last_fault"].as_str().unwrap();
    assert!(fault.contains("panicked") && fault.contains(" (rule `bad`, event `e-"), "{fault}");
    let circuit = &plugin["open_circuits"][0];
    assert_eq!((&circuit["rule"], &circuit["target"]), (&"bad".into(), &"out".into()), "{plugin}");
    let shown = router.run(&["plugin", "ls"]).expect(0).out;
    let is_open = [" open ", " half-open "].iter().any(|state| shown.contains(state));
    assert!(is_open && shown.contains("(rule `bad`, event `e-"), "{shown}");

    let scraped = router.get("/metrics").text();
    for name in ["events", "errors", "faults", "cpu_seconds"] {
        let line = format!("slipswitch_plugin_{name}_total{{plugin=\"misbehave\"}} ");
        let value = scraped.lines().find_map(|found| found.strip_prefix(&line));
        assert!(
            value.is_some_and(|value| value.parse::<f64>().unwrap() > 0.0),
            "{name}: {scraped}"
        );
    }
    let open = "slipswitch_subscription_plugin_circuit_open{bus=\"default\",rule=\"bad\",target=\"out\",replay=\"\"} 1\n";
    assert!(scraped.contains(open), "{scraped}");
}

fn subscription<'a>(status: &'a Value, rule: &str) -> &'a Value {
    let all = status["router"]["subscriptions"].as_array().unwrap();
    all.iter().find(|one| one["rule"] == rule).unwrap()
}
