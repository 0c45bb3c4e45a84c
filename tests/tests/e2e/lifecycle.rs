//! Starting, stopping, and starting on what somebody else holds or has broken.

use std::fs;
use std::net::TcpListener;

use receiver::{Answer, Gate, Receiver};

use crate::harness::{LONG, Process, Scene, repository};

const EVENT: &str = r#"{"id":"e-1","source":"a","detail-type":"T","detail":{}}"#;

fn rule(url: &str) -> String {
    format!("name: a\npattern: {{ source: [a] }}\ntargets: [{{ id: out, http: '{url}' }}]\n")
}

#[test]
fn a_stop_waits_for_the_delivery_under_way_and_the_next_start_does_not_repeat_it() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    scene.write("rules/a.yaml", rule(&target.url("/a")));
    let gate = Gate::shut();
    target.script("/a", [Answer::default().behind(&gate)]);
    let router = scene.serve();
    router.send(EVENT).ids();
    target.wait_for_count("/a", 1, LONG).unwrap();
    router.process.terminate();
    router.process.err.wait_for("stopping", 0);
    gate.open();
    router.process.ended().expect(0).says(&["stopped"]);

    let router = scene.serve();
    router.send(&EVENT.replace("e-1", "e-2")).ids();
    let requests = target.wait_for_count("/a", 2, LONG).unwrap();
    assert_eq!(requests[1].header("slipswitch-event-id"), Some("e-2"));
    router.stop().expect(0);
    assert_eq!(target.requests().len(), 2);
}

#[test]
fn what_a_stop_cannot_wait_for_is_delivered_after_the_next_start_under_the_same_id() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new().configured("shutdown: { drain_seconds: 0 }\n");
    scene.write("rules/a.yaml", rule(&target.url("/a")));
    target.script("/a", [Answer::default().behind(&Gate::shut())]);
    let router = scene.serve();
    router.send(EVENT).ids();
    target.wait_for_count("/a", 1, LONG).unwrap();
    router.stop().expect(0);

    let _router = scene.serve();
    let requests = target.wait_for_count("/a", 2, LONG).unwrap();
    assert_eq!(requests[0].delivery_id(), requests[1].delivery_id());
    assert_eq!(requests[0].body, requests[1].body);
}

#[test]
fn a_second_signal_does_not_wait() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new().configured("shutdown: { drain_seconds: 3600 }\n");
    scene.write("rules/a.yaml", rule(&target.url("/a")));
    target.script("/a", [Answer::default().behind(&Gate::shut())]);
    let router = scene.serve();
    router.send(EVENT).ids();
    target.wait_for_count("/a", 1, LONG).unwrap();
    router.process.signal("INT");
    router.process.err.wait_for("stopping", 0);
    router.process.signal("INT");
    router.process.ended().expect(1).says(&["second signal"]);
}

#[test]
fn events_that_came_while_no_rule_was_there_are_kept_and_can_be_replayed() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    let router = scene.serve();
    router.process.err.wait_for("there are no rules", 0);
    router.send(EVENT).ids();
    scene.replace("rules/a.yaml", rule(&target.url("/a")));
    router.process.err.wait_for("rules swapped", 0);
    router.run(&["replay", "start", "--since", "1h"]).expect(0);
    let requests = target.wait_for_count("/a", 1, LONG).unwrap();
    assert_eq!(requests[0].header("slipswitch-event-id"), Some("e-1"));
}

#[test]
fn a_data_folder_has_one_router_at_a_time() {
    let scene = Scene::new();
    let first = scene.serve();
    let second = scene.run(&["serve", "--listen", "127.0.0.1:0"]).expect(1);
    second.says(&["data/journal", "another process", "another data folder"]);
    assert_eq!(first.get("/readyz").status, 200);
    first.stop().expect(0);
    scene.serve().stop().expect(0);
}

#[test]
fn a_data_folder_that_cannot_be_one_is_refused_by_name() {
    let scene = Scene::new();
    scene.write("file", "");
    let refused =
        scene.run(&["serve", "--listen", "127.0.0.1:0", "--data", "file/data"]).expect(78);
    refused.says(&["file/data", "--data"]);
}

#[test]
fn a_data_folder_of_a_newer_format_is_refused_and_left_as_it_is() {
    let scene = Scene::new();
    scene.serve().stop().expect(0);
    // `docs/journal-format.md`: the version stands behind the eight bytes of the magic.
    let store = scene.path("data/journal/store");
    let before = fs::read(&store).unwrap();
    let mut newer = before.clone();
    newer[8] = 99;
    fs::write(&store, &newer).unwrap();
    let refused = scene.run(&["serve", "--listen", "127.0.0.1:0"]).expect(78);
    refused.says(&["data/journal/store", "99", "newer slipswitch"]);
    assert_eq!(fs::read(&store).unwrap(), newer);
    fs::write(&store, before).unwrap();
    scene.serve().stop().expect(0);
}

#[test]
fn a_state_of_a_newer_format_is_refused() {
    let scene = Scene::new();
    scene.serve().stop().expect(0);
    for aside in ["data/state.sqlite-wal", "data/state.sqlite-shm"] {
        fs::remove_file(scene.path(aside)).ok();
    }
    // SQLite's format: the user version is four bytes at 60.
    let path = scene.path("data/state.sqlite");
    let mut bytes = fs::read(&path).unwrap();
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&path, bytes).unwrap();
    let refused = scene.run(&["serve", "--listen", "127.0.0.1:0"]).expect(78);
    refused.says(&["data/state.sqlite", "99", "newer"]);
}

#[test]
fn a_port_in_use_and_an_address_that_is_none_are_told_apart() {
    let scene = Scene::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    scene.run(&["serve", "--listen", &address]).expect(1).says(&[&address]);
    scene
        .run(&["serve", "--listen", "nonsense"])
        .expect(78)
        .says(&["`nonsense`", "127.0.0.1:4587"]);
}

#[test]
fn a_configuration_with_a_typo_is_refused_at_its_place() {
    let scene = Scene::new().configured("limits: { evnt_bytes: 2MiB }\n");
    let refused = scene.run(&["serve", "--listen", "127.0.0.1:0"]).expect(78);
    refused.says(&["slipswitch.yaml:3:11", "evnt_bytes", "did you mean `event_bytes`?"]);
    scene.run(&["serve", "--config", "nowhere.yaml"]).expect(78).says(&["nowhere.yaml"]);
}

#[test]
fn serve_refuses_a_broken_rule_file_and_dev_waits_for_its_mend() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    let good = rule(&target.url("/a"));
    scene.write("rules/a.yaml", good.replace("pattern:", "patern:"));
    let refused = scene.run(&["serve", "--listen", "127.0.0.1:0"]).expect(78);
    refused.says(&[
        "[rules/a.yaml:2:1]",
        "patern",
        "did you mean `pattern`?",
        "nothing was started",
    ]);

    let router = scene.dev();
    router.process.out.wait_for("(rules: 0, generation 1)", 0);
    router.process.err.wait_for("[rules/a.yaml:2:1]", 0);
    assert_eq!(router.status()["last_error"]["diagnostics"][0]["line"], 2);
    scene.replace("rules/a.yaml", good);
    router.process.err.wait_for("rules swapped", 0);
    assert!(router.status()["last_error"].is_null());
    router.send(EVENT).ids();
    target.wait_for_count("/a", 1, LONG).unwrap();
    router.stop().expect(0);
}

#[test]
fn dev_waits_for_a_folder_of_rules_that_serve_asks_for() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    fs::remove_dir(scene.path("rules")).unwrap();
    let refused = scene.run(&["serve", "--listen", "127.0.0.1:0"]).expect(78);
    refused.says(&["no folder rules", "--rules"]);

    let router = scene.dev();
    router.process.err.wait_for("no folder rules", 0);
    fs::create_dir(scene.path("coming")).unwrap();
    scene.write("coming/a.yaml", rule(&target.url("/a")));
    fs::rename(scene.path("coming"), scene.path("rules")).unwrap();
    router.process.err.wait_for("rules swapped", 0);
    router.send(EVENT).ids();
    target.wait_for_count("/a", 1, LONG).unwrap();
}

#[test]
fn flags_win_over_the_configuration_and_name_folders_from_where_one_stands() {
    let scene = Scene::new();
    let target = Receiver::start().unwrap();
    fs::create_dir(scene.path("mine")).unwrap();
    scene.write("mine/a.yaml", rule(&target.url("/a")));
    scene.write("other.yaml", "rules_dir: nowhere\nplugins_dir: nowhere\ndata_dir: nowhere\nlisten: 127.0.0.1:1\njournal: { segment_bytes: 16MiB }\n");
    let mut words =
        vec!["serve", "--config", "other.yaml", "--rules", "mine", "--plugins", "plugins"];
    words.extend(["--data", "state", "--listen", "127.0.0.1:0"]);
    let router = crate::harness::Router::start(&mut scene.command(&words));
    router.send(EVENT).ids();
    target.wait_for_count("/a", 1, LONG).unwrap();
    assert!(scene.path("state/journal").is_dir() && !scene.path("nowhere").exists());
}

#[test]
fn the_example_shop_starts_in_dev_with_nothing_but_defaults() {
    let scene = Scene::new().with_plugins(&["redact", "order-summary", "split-items"]);
    for entry in fs::read_dir(repository().join("rules")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, scene.path("rules").join(path.file_name().unwrap())).unwrap();
    }
    fs::remove_file(scene.path("slipswitch.yaml")).unwrap();
    let router = scene.dev();
    let (_, line) = router.process.out.wait_for("listening", 0);
    assert!(!line.contains("(rules: 0,"), "{line}");
    let rules = router.get("/api/v1/rules").json();
    assert!(rules.as_array().unwrap().iter().any(|rule| rule["name"] == "big-orders"), "{rules}");
    router.stop().expect(0);
}

#[test]
fn the_probes_and_the_metrics_answer() {
    let scene = Scene::new();
    let router = scene.serve();
    assert_eq!(router.get("/healthz").json()["status"], "ok");
    assert_eq!(router.get("/readyz").status, 200);
    router.send(EVENT).ids();
    let metrics = router.get("/metrics").text();
    let has_own = metrics
        .lines()
        .filter(|line| !line.starts_with('#'))
        .all(|line| line.starts_with("slipswitch_"));
    assert!(has_own && metrics.contains("# TYPE slipswitch_"), "{metrics}");
}

#[test]
fn a_start_that_is_stopped_at_once_ends_in_order() {
    let scene = Scene::new();
    let process = Process::start(&mut scene.command(&["serve", "--listen", "127.0.0.1:0"]), b"");
    process.out.wait_for("listening", 0);
    process.terminate();
    process.ended().expect(0);
}
