//! What is done to many things at once: on a terminal it is asked for, with a number; a script says --yes.
//!
//! The terminal is that of `script`, which every Linux has (util-linux).

use std::process::Command;

use receiver::{Answer, Receiver};

use crate::harness::{Ended, Process, Router, Scene};

/// On a terminal of its own, where somebody types `typed`. What it says there is standard output.
fn on_a_terminal(router: &Router, words: &[&str], typed: &str) -> Ended {
    let binary = crate::harness::binary();
    let quoted = words.iter().map(|word| format!(" '{word}'"));
    let line = format!("'{}'{}", binary.display(), quoted.collect::<String>());
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).env("SLIPSWITCH_URL", router.url());
    command.env("SHELL", "/bin/sh");
    Process::start(&mut command, typed.as_bytes()).ended()
}

/// A router with letters of two rules, three each.
fn scene(target: &Receiver) -> (Scene, Router) {
    let scene = Scene::new();
    target.always("/", Answer::status(422));
    for rule in ["one", "two"] {
        let text = format!(
            "name: {rule}\npattern: {{ source: [shop] }}\ntargets: [{{ id: a, http: '{0}' }}, {{ id: b, log: {{ file: b.jsonl }} }}]\n",
            target.url("/")
        );
        scene.write(&format!("rules/{rule}.yaml"), text);
    }
    let router = scene.serve();
    for number in 0..3 {
        let event =
            format!(r#"{{"id":"e-{number}","source":"shop","detail-type":"T","detail":{{}}}}"#);
        router.send(&event).ids();
    }
    router.wait_until("/api/v1/dead-letters", |page| page["items"].as_array().unwrap().len() == 6);
    (scene, router)
}

#[test]
fn letters_are_purged_after_a_yes_and_by_a_script_after_yes_alone() {
    let target = Receiver::start().unwrap();
    let (_scene, router) = scene(&target);
    let asked = on_a_terminal(&router, &["dlq", "purge", "--all"], "n\n").expect(1);
    assert!(asked.out.contains("Purge 6 dead letters of 2 targets? [y/N]"), "{asked:?}");
    assert!(asked.out.contains("nothing was done"), "{asked:?}");
    router.run(&["dlq", "purge", "--all"]).expect(2).says(&["say --yes"]);
    assert_eq!(router.run(&["dlq", "count"]).expect(0).out, "6\n");
    let rehearsed =
        on_a_terminal(&router, &["dlq", "purge", "--all", "--dry-run"], "y\n").expect(0);
    assert!(!rehearsed.out.contains("[y/N]"), "{rehearsed:?}");
    let done = on_a_terminal(&router, &["dlq", "purge", "--all", "--rule", "one"], "y\n").expect(0);
    assert!(done.out.contains("purged: 3"), "{done:?}");
    assert_eq!(router.run(&["dlq", "count"]).expect(0).out, "3\n");
}

#[test]
fn a_replay_is_started_after_its_number_was_seen() {
    let target = Receiver::start().unwrap();
    let (_scene, router) = scene(&target);
    let words = ["replay", "start", "--since", "1h", "--name", "again"];
    let asked = on_a_terminal(&router, &words, "\n").expect(1);
    assert!(asked.out.contains("Send 3 events to 4 targets again? [y/N]"), "{asked:?}");
    assert_eq!(router.get("/api/v1/replays").json(), serde_json::json!([]));
    on_a_terminal(&router, &words, "yes\n").expect(0);
    router.run(&["replay", "show", "again"]).expect(0);
    // A script is not asked.
    router.run(&["replay", "start", "--since", "1h", "--name", "third"]).expect(0);
}

#[test]
fn several_targets_are_paused_after_a_yes_and_one_at_once() {
    let target = Receiver::start().unwrap();
    let (_scene, router) = scene(&target);
    let asked = on_a_terminal(&router, &["target", "pause", "one"], "no\n").expect(1);
    assert!(asked.out.contains("Send nothing more to 2 targets of one? [y/N]"), "{asked:?}");
    let done = on_a_terminal(&router, &["target", "pause", "one/a"], "").expect(0);
    assert!(done.out.contains("default/one/a  paused"), "{done:?}");
    let done = on_a_terminal(&router, &["target", "pause", "one", "--yes"], "").expect(0);
    assert!(done.out.contains("default/one/b  paused"), "{done:?}");
}

#[test]
fn an_archive_is_removed_after_a_yes() {
    let target = Receiver::start().unwrap();
    let (_scene, router) = scene(&target);
    router.run(&["archive", "create", "kept"]).expect(0);
    let asked = on_a_terminal(&router, &["archive", "rm", "kept"], "n\n").expect(1);
    assert!(asked.out.contains("Remove `kept` with 0 events for good? [y/N]"), "{asked:?}");
    on_a_terminal(&router, &["archive", "rm", "kept"], "y\n").expect(0);
    router.run(&["archive", "show", "kept"]).expect(1);
}

#[test]
fn the_same_options_choose_by_time_everywhere_and_wrong_ones_get_the_same_words() {
    let scene = Scene::new();
    let verbs: [&[&str]; 7] = [
        &["events"],
        &["dlq", "ls"],
        &["dlq", "redrive", "--all"],
        &["replay", "start"],
        &["diff"],
        &["journal", "export"],
        &["plugin", "logs"],
    ];
    for verb in verbs {
        let help = scene.run(&[verb, &["--help"]].concat()).expect(0).out;
        let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let since = "Taken in (a dead letter: died) at this time or later: back from now (30s, 15m, 1h, 7d)";
        assert!(words.contains(since), "{verb:?}: {help}");
        assert!(words.contains("Before this time, said in the same way"), "{verb:?}: {help}");
        let wrong = [verb, &["--since", "yesterday"]].concat();
        scene.run(&wrong).expect(2).says(&["neither a span back from now, such as 30s"]);
        let empty = [verb, &["--since", "1h", "--until", "2h"]].concat();
        scene.run(&empty).expect(2).says(&["the span must end after it begins"]);
    }
    let streams = [&["tail"][..], &["listen", "--forward-to", "localhost:1"]];
    for verb in streams {
        let wrong = [verb, &["--since", "yesterday"]].concat();
        scene.run(&wrong).expect(2).says(&["neither a span back from now, such as 30s"]);
    }
    for verb in [&["events"][..], &["tail"], &["dlq", "ls"], &["diff"], &["plugin", "logs"]] {
        let none = [verb, &["--limit", "0"]].concat();
        scene.run(&none).expect(2).says(&["use a whole number from 1"]);
    }
    scene.run(&["replay", "start"]).expect(2).says(&["--since"]);
    scene
        .run(&["diff", "--against", "a", "--events", "b", "--since", "1h"])
        .expect(2)
        .says(&["--against"]);
}

#[test]
fn a_rule_that_is_owed_something_is_removed_after_a_yes() {
    let target = Receiver::start().unwrap();
    target.always("/", Answer::status(503));
    let scene = Scene::new();
    let router = scene.serve();
    let rule = |name: &str, url: &str| {
        let text = format!(
            "name: {name}\npattern: {{ source: [shop] }}\ntargets: [{{ id: a, http: '{url}' }}]\n"
        );
        router.run_on(&["rule", "put", "-"], text.as_bytes()).expect(0);
    };
    rule("owed", &target.url("/"));
    for _ in 0..3 {
        router.send(r#"{"source":"shop","detail-type":"T","detail":{}}"#).ids();
    }
    let all_wait = |status: &serde_json::Value| {
        let one = &status["router"]["subscriptions"][0];
        one["postponed"] == 3 && one["in_flight"] == 0
    };
    router.wait_for_status(all_wait);
    router.run(&["target", "pause", "owed"]).expect(0);
    router.wait_for_status(all_wait);
    let words = ["rule", "rm", "owed"];
    let asked = on_a_terminal(&router, &words, "n\n").expect(1);
    assert!(asked.out.contains("Remove `default/owed`? It has 3 deliveries waiting"), "{asked:?}");
    assert!(asked.out.contains("nothing was done"), "{asked:?}");
    let disabling = on_a_terminal(&router, &["rule", "disable", "owed"], "n\n").expect(1);
    assert!(disabling.out.contains("Disable `default/owed`? It has 3 deliveries"), "{disabling:?}");
    let done = on_a_terminal(&router, &words, "y\n").expect(0);
    assert!(done.out.contains("default/owed: removed"), "{done:?}");
    // Nobody is asked about what is owed nothing.
    rule("idle", "http://127.0.0.1:9/");
    router.wait_until_all_is_delivered();
    let done = on_a_terminal(&router, &["rule", "rm", "idle"], "").expect(0);
    assert!(!done.out.contains("[y/N]"), "{done:?}");
}
