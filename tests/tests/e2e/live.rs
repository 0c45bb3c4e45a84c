//! `slipswitch tail`, `listen` and `send --rate`: what somebody sees who works at a terminal.

use receiver::{Answer, Receiver};
use serde_json::Value;

use crate::harness::{LONG, Process, Router, Scene};

const RULE: &str = "\
name: big
bus: shop
pattern: { source: [a], detail: { n: [{ numeric: ['>=', 10] }] } }
targets: [{ id: out, log: {} }, { id: more, log: {} }]
";

fn event(id: &str, n: usize) -> String {
    format!(r#"{{"id":"{id}","source":"a","detail-type":"T","detail":{{ "n": {n} }}}}"#)
}

fn scene() -> Scene {
    let scene = Scene::new();
    scene.write("rules/big.yaml", RULE);
    scene
}

fn verb(scene: &Scene, router: &Router, words: &[&str]) -> Process {
    Process::start(scene.command(words).env("SLIPSWITCH_URL", router.url()), b"")
}

/// Another process of the same router, where the first one was.
fn again(scene: &Scene, mut router: Router) -> Router {
    let address = router.address().to_string();
    router.process.kill();
    drop(router);
    Router::start(&mut scene.command(&["serve", "--listen", &address]))
}

#[test]
fn tail_shows_each_event_once_over_a_kill_and_ends_with_ctrl_c() {
    let scene = scene();
    let router = scene.serve();
    router.send_to("shop", &event("before", 1)).ids();
    let tail = verb(&scene, &router, &["tail", "--bus", "shop", "--since", "1h", "-o", "ndjson"]);
    tail.out.wait_for("before", 0);
    let router = again(&scene, router);
    router.send_to("shop", &event("after", 11)).ids();
    router.send(&event("elsewhere", 11)).ids();
    router.send_to("shop", &event("last", 2)).ids();
    tail.out.wait_for("last", 0);
    tail.signal("INT");
    let ended = tail.ended().expect(0).says(&["is gone; waiting", "is back"]);
    let lines: Vec<Value> =
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<&str> = lines.iter().map(|one| one["event"]["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["before", "after", "last"]);
    assert_eq!(lines[1]["matched"][0]["targets"], serde_json::json!(["out", "more"]));
    assert_eq!(lines[1]["event"]["detail"]["n"], 11);
    assert_eq!(ended.err.lines().count(), 2, "{}", ended.err);
    router.stop().expect(0);
}

#[test]
fn tail_shows_where_events_go_and_chooses_by_pattern_and_by_rule() {
    let scene = scene();
    let router = scene.serve();
    let events: Vec<String> = (0..20).map(|n| event(&format!("e-{n}"), n)).collect();
    router.send_to("shop", &format!("[{}]", events.join(","))).ids();
    let shown = |words: &[&str]| {
        let words = [&["tail", "--since", "1h"][..], words].concat();
        verb(&scene, &router, &words).ended().expect(0).out
    };
    let lines = shown(&["--limit", "11", "--detail"]);
    assert!(lines.contains("  a  T  [shop]  e-9  → no rule\n  { \"n\": 9 }\n"), "{lines}");
    assert!(lines.contains("  a  T  [shop]  e-10  → big/out, big/more\n"), "{lines}");
    let lines = shown(&["--rule", "big", "--limit", "3"]);
    let ids: Vec<_> = lines.lines().map(|line| line.split("  ").nth(4).unwrap()).collect();
    assert_eq!(ids, ["e-10", "e-11", "e-12"]);
    let lines = shown(&["--bus", "shop", "--pattern", r#"{"detail":{"n":[7]}}"#, "--limit", "1"]);
    assert!(lines.ends_with("  a  T  e-7  → no rule\n"), "{lines}");
    for (words, code, says) in [
        (&["--pattern", "{\"a\":1}"][..], 1, "byte 5"),
        (&["--bus", "shpo"], 1, "did you mean `shop`"),
        (&["--limit", "0"], 2, "from 1"),
    ] {
        let words = [&["tail"][..], words].concat();
        verb(&scene, &router, &words).ended().expect(code).says(&[says]);
    }
    router.stop().expect(0);
    scene.run(&["tail", "--url", "http://127.0.0.1:1"]).expect(69);
}

#[test]
fn tail_ends_quietly_when_its_reader_goes_away() {
    let scene = scene();
    let router = scene.serve();
    let events: Vec<String> = (0..2000).map(|n| event(&format!("e-{n}"), n)).collect();
    router.send_to("shop", &format!("[{}]", events.join(","))).ids();
    let mut shell = std::process::Command::new("sh");
    let line = "(\"$0\" tail --since 1h; echo \"code $?\" >&2) | head -n 1";
    shell.args(["-c", line]).arg(scene.command(&[]).get_program());
    let ended = Process::start(shell.env("SLIPSWITCH_URL", router.url()), b"").ended().expect(0);
    assert_eq!((ended.out.lines().count(), ended.err.as_str()), (1, "code 0\n"));
    router.stop().expect(0);
}

#[test]
fn listen_delivers_as_a_target_would_and_says_how_it_went() {
    let program = Receiver::start().unwrap();
    program.script("/hook", [Answer::status(200), Answer::status(500).body("no such customer")]);
    let scene = scene();
    let router = scene.serve();
    router.send_to("shop", &event("small", 1)).ids();
    for (id, n) in [("e-1", 11), ("e-2", 12)] {
        router.send_to("shop", &event(id, n)).ids();
    }
    let url = program.url("/hook");
    let listen = verb(
        &scene,
        &router,
        &["listen", "--forward-to", &url, "--since", "1h", "--rule", "big/more"],
    );
    let requests = program.wait_for_count("/hook", 2, LONG).unwrap();
    listen.out.wait_for("no such customer", 0);
    listen.terminate();
    let ended = listen.ended().expect(0);
    let lines: Vec<&str> = ended.out.lines().collect();
    assert!(lines[0].contains("#1") && lines[0].contains("  200  "), "{lines:?}");
    assert!(lines[1].contains("  500  ") && lines[1].ends_with("T  e-2"), "{lines:?}");
    assert_eq!(lines[2..], ["     no such customer"]);
    let first = &requests[0];
    for (name, value) in [
        ("content-type", "application/json"),
        ("slipswitch-delivery-id", "shop/1/big/more/0"),
        ("slipswitch-event-id", "e-1"),
        ("slipswitch-attempt", "1"),
        ("slipswitch-bus", "shop"),
        ("slipswitch-rule", "big"),
        ("slipswitch-target", "more"),
    ] {
        assert_eq!(first.header(name), Some(value), "{name}");
    }
    assert!(first.text().ends_with(r#""detail":{ "n": 11 }}"#), "{}", first.text());

    for (words, says) in [
        (["--forward-to", "https://x"], "plain http"),
        (["--rule", "big/mor"], "did you mean `big/more`"),
        (["--rule", "big"], "RULE/TARGET"),
    ] {
        let url = ["--forward-to", url.as_str()];
        let words: Vec<&str> = ["listen"].into_iter().chain(words).collect();
        let has_url = words.contains(&"--forward-to");
        let words = if has_url { words } else { [words, url.to_vec()].concat() };
        verb(&scene, &router, &words).ended().expect(2).says(&[says]);
    }
    router.stop().expect(0);
}

#[test]
fn listen_shows_a_program_that_is_not_there() {
    let program = Receiver::start().unwrap();
    let url = program.url("/hook");
    program.stop();
    let scene = scene();
    let router = scene.serve();
    router.send_to("shop", &event("e-1", 1)).ids();
    let listen = verb(&scene, &router, &["listen", "--forward-to", &url, "--since", "1h"]);
    let (at, _) = listen.out.wait_for("  ---  ", 0);
    listen.out.wait_for("refused", at);
    listen.signal("INT");
    listen.ended().expect(0);
    router.stop().expect(0);
}

#[test]
fn a_file_is_sent_as_often_as_asked_and_at_a_rate() {
    let scene = scene();
    let router = scene.serve();
    let plain = r#"{"source":"a","detail-type":"T","detail":{}}"#;
    scene.write("events.ndjson", format!("{plain}\n{plain}\n"));
    let path = scene.path("events.ndjson");
    let path = path.to_str().unwrap();
    let words = ["send", path, "--bus", "shop", "--repeat", "3", "--rate", "1000"];
    let ended = router.run(&words).expect(0);
    assert_eq!(ended.out.lines().count(), 6);
    let key = ["--idempotency-key", "k"];
    let once = ["send", "--source", "a", "--detail-type", "T", "--repeat", "2"];
    let ended = router.run(&[&once[..], &key].concat()).expect(0);
    assert_eq!(ended.out.lines().count(), 2);
    let ended = router.run(&[&once[..], &key].concat()).expect(0);
    assert!(ended.err.starts_with("2 of 2 events had been sent before"), "{}", ended.err);
    for (words, says) in [
        (["--rate", "0"], "events a second"),
        (["--repeat", "0"], "or `forever`"),
        (["--repeat", "2"], "name a file"),
    ] {
        let words: Vec<&str> = ["send"].into_iter().chain(words).collect();
        router.run_on(&words, plain.as_bytes()).expect(2).says(&[says]);
    }
    router.stop().expect(0);
}
