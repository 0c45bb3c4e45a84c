//! Rules and plugins replaced while events come in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use receiver::{Receiver, Request};

use crate::harness::{Connection, LONG, Router, Scene, plugin};

const ROUNDS: usize = 12;

/// Two rules and a plugin's, all of one version: path, header and template name it.
fn rules(target: &Receiver, version: &str) -> String {
    let url = |path: &str| target.url(&format!("/{version}/{path}"));
    let (one, two, step) = (url("one"), url("two"), url("step"));
    format!(
        "\
name: one
pattern: {{ source: [load] }}
targets:
  - id: out
    http: {{ url: '{one}', headers: {{ x-version: {version} }} }}
    transform: [{{ input: {{ paths: {{ n: $.detail.n }}, template: '{{\"version\":\"{version}\",\"n\":<n>}}' }} }}]
---
name: step
pattern: {{ source: [load] }}
targets:
  - id: out
    http: {{ url: '{step}', headers: {{ x-version: {version} }} }}
    transform: [{{ plugin: step }}]
---
name: two
pattern: {{ source: [load] }}
targets:
  - id: out
    http: {{ url: '{two}', headers: {{ x-version: {version} }} }}
    transform: [{{ input: {{ paths: {{ n: $.detail.n }}, template: '{{\"version\":\"{version}\",\"n\":<n>}}' }} }}]
"
    )
}

/// Sends one event after the other until told to stop; returns how many were acknowledged.
fn produce(address: SocketAddr, stop: &Arc<AtomicBool>) -> JoinHandle<usize> {
    let stop = Arc::clone(stop);
    thread::spawn(move || {
        let mut connection = Connection::open(address).unwrap();
        let mut number = 0;
        while !stop.load(Ordering::Relaxed) {
            let event = format!(
                r#"{{"id":"{number}","source":"load","detail-type":"T","detail":{{"n":{number},"orderId":"o-{number}","items":[{{"sku":"{number}"}}]}}}}"#
            );
            connection.post("/events", "", event.as_bytes()).unwrap().ids();
            number += 1;
        }
        number
    })
}

struct Loaded<'a> {
    router: &'a Router,
    target: &'a Receiver,
    seen: usize,
}

impl Loaded<'_> {
    fn swapped(&mut self) {
        let (at, _) = self.router.process.err.wait_for("rules swapped", self.seen);
        self.seen = at + 1;
        self.flows();
    }

    fn rejected(&mut self, place: &str) {
        let (at, _) = self.router.process.err.wait_for("rules rejected", self.seen);
        self.seen = at + 1;
        let status = self.router.status();
        let rendered = status["last_error"]["rendered"].as_str().unwrap();
        assert!(rendered.contains(place), "no {place} in\n{rendered}");
        self.flows();
    }

    /// Some more arrives, by whichever rules.
    fn flows(&self) {
        let before = self.target.requests().len();
        self.target.wait_for(LONG, |requests| requests.len() >= before + 10).unwrap();
    }
}

/// In place, as a program does that knows no better; but never empty, which would be a valid file.
fn overwrite(scene: &Scene, path: &str, content: &str) {
    let mut file = OpenOptions::new().write(true).open(scene.path(path)).unwrap();
    let length = file.metadata().unwrap().len().min(content.len() as u64);
    file.set_len(length).unwrap();
    file.write_all(content.as_bytes()).unwrap();
}

#[test]
fn rules_and_plugins_replaced_under_load_lose_no_event_and_mix_no_versions() {
    let target = Receiver::start().unwrap();
    // Small lanes, so that they fall behind: the backlog, too, meets the rules of its time.
    let scene = Scene::new().configured("delivery: { lane_events: 16 }\n");
    fs::copy(plugin("order-summary"), scene.path("plugins/step.wasm")).unwrap();
    let versions = ["A", "B"].map(|version| rules(&target, version));
    scene.write("rules/flow.yaml", &versions[0]);
    let router = scene.serve();
    let stop = Arc::new(AtomicBool::new(false));
    let producers = produce(router.address(), &stop);
    let mut loaded = Loaded { router: &router, target: &target, seen: 0 };
    loaded.flows();

    for round in 1..=ROUNDS {
        let next = &versions[round % 2];
        match round % 3 {
            0 => {
                let half = next.get(..next.find("template").unwrap() + 20).unwrap();
                overwrite(&scene, "rules/flow.yaml", half);
                loaded.rejected("[rules/flow.yaml:6:");
                overwrite(&scene, "rules/flow.yaml", next);
            }
            1 => {
                let typo = rules(&target, "broken").replacen("pattern:", "patern:", 1);
                scene.replace("rules/flow.yaml", typo);
                loaded.rejected("[rules/flow.yaml:2:1]");
                scene.replace("rules/flow.yaml", next);
            }
            _ => overwrite(&scene, "rules/flow.yaml", next),
        }
        loaded.swapped();
        if round % 4 == 0 {
            scene.replace("plugins/step.wasm", "no wasm at all");
            loaded.rejected("step");
            let name = if round % 8 == 0 { "order-summary" } else { "split-items" };
            scene.replace("plugins/step.wasm", fs::read(plugin(name)).unwrap());
            loaded.swapped();
        }
    }
    stop.store(true, Ordering::Relaxed);
    let sent = producers.join().unwrap();
    assert_eq!(router.status()["last_error"], serde_json::Value::Null);

    let requests = target.wait_for(LONG, all_came(sent)).unwrap();
    for request in &requests {
        check_is_of_one_version(request);
    }
    check_events_met_one_snapshot(&requests);
    router.stop().expect(0);
}

/// Whether all events reached all three rules, whatever their version.
fn all_came(sent: usize) -> impl FnMut(&[Request]) -> bool {
    let (mut looked_at, mut came) = (0, BTreeSet::new());
    move |requests| {
        for request in requests.iter().skip(looked_at) {
            let rule = request.header("slipswitch-rule").unwrap().to_owned();
            came.insert((rule, request.header("slipswitch-event-id").unwrap().to_owned()));
        }
        looked_at = requests.len();
        came.len() == sent * 3
    }
}

fn check_is_of_one_version(request: &Request) {
    let (version, rule) = request.path.trim_start_matches('/').split_once('/').unwrap();
    assert!(version == "A" || version == "B", "{request:?}");
    assert_eq!(request.header("x-version"), Some(version));
    assert_eq!(request.header("slipswitch-rule"), Some(rule));
    let n = request.header("slipswitch-event-id").unwrap();
    let text = request.text();
    if rule == "step" {
        let summary = format!("Order o-{n}: 1 item");
        let item = format!(
            r#"{{"source":"load","detail-type":"OrderItem","detail":{{"orderId":"o-{n}","item":{{"sku":"{n}"}},"index":0,"of":1}}}}"#
        );
        assert!(text == summary || text == item, "{text}");
    } else {
        assert_eq!(text, format!(r#"{{"version":"{version}","n":{n}}}"#));
    }
}

/// **one version**: what one event became at all rules is of one version.
fn check_events_met_one_snapshot(requests: &[Request]) {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for request in requests {
        let event = request.header("slipswitch-event-id").unwrap();
        versions.entry(event).or_default().insert(request.header("x-version").unwrap());
    }
    let mixed: Vec<_> = versions.iter().filter(|(_, of)| of.len() > 1).collect();
    assert!(mixed.is_empty(), "events of two versions: {mixed:?}");
    let used: BTreeSet<&str> = versions.values().flatten().copied().collect();
    assert_eq!(used.len(), 2, "both versions were at work");
}

#[test]
fn a_version_that_fails_its_own_tests_never_runs_and_status_says_why() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    let rule = |path: &str, expected: &str| {
        let url = target.url(path);
        format!(
            "\
name: a
pattern: {{ source: [a] }}
targets: [{{ id: out, http: '{url}' }}]
tests:
  - name: another source
    event: {{ source: b, detail-type: T, detail: {{}} }}
    expect: {expected}
"
        )
    };
    scene.write("rules/a.yaml", rule("/good", "none"));
    let router = scene.serve();
    scene.replace("rules/a.yaml", rule("/bad", "{}"));
    router.process.err.wait_for("rules rejected", 0);
    let status = router.status();
    assert_eq!(status["generation"]["number"], 1);
    let problem = &status["last_error"]["diagnostics"][0];
    assert_eq!((&problem["path"], problem["line"].is_u64()), (&"rules/a.yaml".into(), true));
    let shown = router.run(&["status"]).expect(0).out;
    assert!(shown.contains("another source") && shown.contains("rules/a.yaml:"), "{shown}");
    router.send(r#"{"source":"a","detail-type":"T","detail":{}}"#).ids();
    target.wait_for_count("/good", 1, LONG).unwrap();
    assert!(target.requests_to("/bad").is_empty());
}

#[test]
fn a_rule_that_comes_and_goes_takes_its_events_from_then_and_to_then() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    let rule = |name: &str| {
        let url = target.url(&format!("/{name}"));
        format!(
            "name: {name}\npattern: {{ source: [a] }}\ntargets: [{{ id: out, http: '{url}' }}]\n"
        )
    };
    scene.write("rules/stays.yaml", rule("stays"));
    let router = scene.serve();
    let send = |id: &str| {
        let event = format!(r#"{{"id":"{id}","source":"a","detail-type":"T","detail":{{}}}}"#);
        router.send(&event).ids();
    };
    send("before");
    target.wait_for_count("/stays", 1, LONG).unwrap();
    scene.replace("rules/guest.yaml", rule("guest"));
    router.process.err.wait_for("rules swapped generation=2", 0);
    send("during");
    target.wait_for_count("/guest", 1, LONG).unwrap();
    fs::remove_file(scene.path("rules/guest.yaml")).unwrap();
    router.process.err.wait_for("rules swapped generation=3", 0);
    send("after");
    target.wait_for_count("/stays", 3, LONG).unwrap();
    let guests = target.requests_to("/guest");
    assert_eq!(guests.len(), 1);
    assert_eq!(guests[0].header("slipswitch-event-id"), Some("during"));
}

#[test]
fn a_hangup_reloads_though_nothing_changed() {
    let scene = Scene::new();
    let router = scene.serve();
    router.process.signal("HUP");
    router.process.err.wait_for("rules swapped generation=2", 0);
}
