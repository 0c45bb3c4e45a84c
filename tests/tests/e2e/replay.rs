//! The past once more: a span of it, for one rule, in order.

use receiver::{Receiver, Request};
use serde_json::Value;

use crate::harness::{LONG, Router, Scene};

fn send(router: &Router, label: &str, number: usize) {
    let event = format!(
        r#"{{"id":"{label}-{number}","source":"shop","detail-type":"T","detail":{{"label":"{label}","n":{number}}}}}"#
    );
    router.send(&event).ids();
}

/// When an event was taken in, as its delivery says: events that were sent without a time get it then.
fn time(request: &Request) -> String {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    body["time"].as_str().unwrap().to_owned()
}

fn event_ids(requests: &[Request]) -> Vec<String> {
    requests.iter().map(|one| one.header("slipswitch-event-id").unwrap().to_owned()).collect()
}

fn finished(router: &Router, name: &str) -> Value {
    let is = |replay: &&Value| replay["name"] == name;
    router.wait_until("/api/v1/replays", |replays| {
        replays.as_array().unwrap().iter().find(is).is_some_and(|one| one["state"] != "running")
    });
    let listed = router.run(&["replay", "ls", "-o", "json"]).expect(0).json();
    listed.as_array().unwrap().iter().find(is).unwrap().clone()
}

/// One delivery at a time: the order of the journal shows.
fn scene(target: &Receiver) -> Scene {
    let scene = Scene::new().configured("delivery: { concurrency: 1 }\n");
    let rule = |name: &str, pattern: &str| {
        let url = target.url(&format!("/{name}"));
        format!(
            "name: {name}\npattern: {{ {pattern} }}\ntargets: [{{ id: out, http: '{url}' }}]\n---\n"
        )
    };
    let rules = [
        rule("keeper", "source: [shop]"),
        rule("other", "source: [shop]"),
        rule("filler", "source: [filler]"),
        rule("live-only", "source: [shop], replay-name: [{ exists: false }]"),
    ];
    scene.write("rules/all.yaml", rules.concat());
    scene
}

/// Sends fillers until the clock has moved on twice. What was taken in before is older than the point in time that
/// this returns, and what is sent from now on is not.
fn let_time_pass(router: &Router, target: &Receiver) -> String {
    let mut times = Vec::new();
    while times.len() < 3 {
        target.forget();
        router.send(r#"{"source":"filler","detail-type":"T","detail":{}}"#).ids();
        let arrived = target.wait_for_count("/filler", 1, LONG).unwrap();
        times.push(time(&arrived[0]));
        times.dedup();
    }
    target.forget();
    times.pop().unwrap()
}

#[test]
fn a_replay_of_one_rule_sends_its_span_in_order_and_no_other_rule_anything() {
    let target = Receiver::start().unwrap();
    let scene = scene(&target);
    let router = scene.serve();
    let live = |count: usize| {
        for path in ["/keeper", "/other", "/live-only"] {
            target.wait_for_count(path, count, LONG).unwrap();
        }
    };
    (0..3).for_each(|number| send(&router, "before", number));
    live(3);
    let since = let_time_pass(&router, &target);
    (0..5).for_each(|number| send(&router, "middle", number));
    live(5);
    let until = let_time_pass(&router, &target);
    (0..2).for_each(|number| send(&router, "after", number));
    live(2);
    target.forget();

    let words = [
        "replay", "start", "--since", &since, "--until", &until, "--rule", "keeper", "--name",
        "again",
    ];
    assert_eq!(router.run(&words).expect(0).out, "again\n");
    let replay = finished(&router, "again");
    assert_eq!(
        (&replay["state"], &replay["delivered"]),
        (&"completed".into(), &5.into()),
        "{replay}"
    );

    let requests = target.requests();
    assert_eq!(event_ids(&requests), ["middle-0", "middle-1", "middle-2", "middle-3", "middle-4"]);
    for request in &requests {
        assert_eq!(request.path, "/keeper");
        assert!(
            request.delivery_id().unwrap().ends_with("/keeper/out/0;replay=again"),
            "{request:?}"
        );
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["replay-name"], "again");
        assert!(time(request) < until && since <= time(request));
    }
    router.run(&words).expect(1).says(&["again"]);
    assert_eq!(target.requests().len(), 5, "a name is used once");
}

#[test]
fn a_replay_of_everything_passes_by_rules_that_want_no_replays() {
    let target = Receiver::start().unwrap();
    let scene = scene(&target);
    let router = scene.serve();
    (0..4).for_each(|number| send(&router, "past", number));
    for path in ["/keeper", "/other", "/live-only"] {
        target.wait_for_count(path, 4, LONG).unwrap();
    }
    target.forget();
    let name = router.run(&["replay", "start", "--since", "1h"]).expect(0).out;
    let replay = finished(&router, name.trim());
    assert_eq!(
        (&replay["state"], &replay["delivered"]),
        (&"completed".into(), &8.into()),
        "{replay}"
    );
    for path in ["/keeper", "/other"] {
        let ids = event_ids(&target.requests_to(path));
        assert_eq!(ids, ["past-0", "past-1", "past-2", "past-3"]);
    }
    assert!(target.requests_to("/live-only").is_empty());
}

#[test]
fn a_replay_that_was_under_way_when_the_router_was_killed_is_finished_by_the_next() {
    let target = Receiver::start().unwrap();
    let scene = scene(&target);
    let mut router = scene.serve();
    (0..20).for_each(|number| send(&router, "past", number));
    target.wait_for_count("/keeper", 20, LONG).unwrap();
    target.forget();
    let gate = receiver::Gate::shut();
    target.script(
        "/keeper",
        [receiver::Answer::default(), receiver::Answer::default().behind(&gate)],
    );
    router
        .run(&["replay", "start", "--since", "1h", "--rule", "keeper", "--name", "again"])
        .expect(0);
    target.wait_for_count("/keeper", 2, LONG).unwrap();
    router.process.kill();
    gate.open();

    let router = scene.serve();
    let replay = finished(&router, "again");
    assert_eq!(replay["state"], "completed", "{replay}");
    let mut ids = event_ids(&target.requests_to("/keeper"));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 20, "{ids:?}");
}

#[test]
fn a_replay_that_cannot_be_is_refused_with_the_reason() {
    let target = Receiver::start().unwrap();
    let scene = scene(&target);
    let router = scene.serve();
    for (words, reasons) in [
        (&["--since", "1h", "--rule", "keper"][..], &["keper", "keeper"][..]),
        (&["--since", "1h", "--bus", "nowhere"], &["nowhere", "default"]),
        (&["--since", "1h", "--name", "a/b"], &["a/b"]),
    ] {
        router.run(&[&["replay", "start"], words].concat()).expect(1).says(reasons);
    }
    router.run(&["replay", "start", "--since", "yesterday"]).expect(2).says(&["--since"]);
    let backwards = ["replay", "start", "--since", "1h", "--until", "2h"];
    router.run(&backwards).expect(2).says(&["--since", "--until"]);
    assert_eq!(router.run(&["replay", "ls", "-o", "json"]).expect(0).out, "[]\n");
}

#[test]
fn a_replay_is_rehearsed_paused_over_a_restart_and_finished_for_one_target() {
    let target = Receiver::start().unwrap();
    let scene = scene(&target);
    let router = scene.serve();
    (0..12).for_each(|number| send(&router, "past", number));
    for path in ["/keeper", "/other", "/live-only"] {
        target.wait_for_count(path, 12, LONG).unwrap();
    }
    target.forget();
    let pattern = r#"{"detail":{"n":[{"numeric":[">=",2]}]}}"#;
    let words = [
        "replay",
        "start",
        "--since",
        "1h",
        "--target",
        "keeper/out",
        "--pattern",
        pattern,
        "--rate",
        "5",
        "--name",
        "slow",
    ];
    let rehearsal = router.run(&[&words[..], &["--dry-run"]].concat()).expect(0).out;
    let counts = "events in the span: 12\nevents to send: 10\nEVENTS  TARGET\n10      keeper/out\n";
    let time = "at 5 a second, of all targets together: 2 s or more\n";
    assert_eq!(rehearsal, format!("{counts}{time}"));
    assert!(target.requests().is_empty());

    assert_eq!(router.run(&words).expect(0).out, "slow\n");
    target.wait_for_count("/keeper", 1, LONG).unwrap();
    let paused = router.run(&["replay", "pause", "slow"]).expect(0).out;
    assert!(paused.starts_with("slow: paused at "), "{paused}");
    router.run(&["replay", "pause", "slow"]).expect(1).says(&["slow", "paused"]);
    router.stop();

    let router = scene.serve();
    let shown = router.run(&["replay", "show", "slow"]).expect(0).out;
    assert!(shown.contains("state    paused") && shown.contains("keeper/out"), "{shown}");
    router.run(&["replay", "resume", "slow"]).expect(0);
    let replay = finished(&router, "slow");
    assert_eq!(
        (&replay["state"], &replay["delivered"], &replay["percent"]),
        (&"completed".into(), &10.into(), &100.0.into()),
        "{replay}"
    );
    let mut ids = event_ids(&target.requests_to("/keeper"));
    ids.dedup();
    let wanted: Vec<String> = (2..12).map(|number| format!("past-{number}")).collect();
    assert_eq!(ids, wanted, "in order");
    assert!(target.requests_to("/other").is_empty());
    router.run(&["replay", "cancel", "slow"]).expect(1).says(&["completed"]);
}

#[test]
fn a_cancelled_replay_stays_cancelled() {
    let target = Receiver::start().unwrap();
    let scene = scene(&target);
    let mut router = scene.serve();
    (0..10).for_each(|number| send(&router, "past", number));
    target.wait_for_count("/keeper", 10, LONG).unwrap();
    target.forget();
    let words =
        ["replay", "start", "--since", "1h", "--rule", "keeper", "--rate", "2", "--name", "no"];
    router.run(&words).expect(0);
    target.wait_for_count("/keeper", 1, LONG).unwrap();
    router.run(&["replay", "cancel", "no"]).expect(0);
    let count = target.requests_to("/keeper").len();
    assert!(count < 10, "{count}");
    router.process.kill();
    let router = scene.serve();
    send(&router, "live", 0);
    target
        .wait_for(LONG, |requests| {
            requests.iter().any(|one| {
                one.header("slipswitch-event-id") == Some("live-0") && one.path == "/keeper"
            })
        })
        .unwrap();
    let replay = finished(&router, "no");
    assert_eq!(replay["state"], "cancelled", "{replay}");
    assert!(target.requests_to("/keeper").len() <= count + 2, "one was under way");
}

#[test]
fn an_archive_holds_what_matches_and_is_replayed() {
    let target = Receiver::start().unwrap();
    let scene = scene(&target);
    let router = scene.serve();
    send(&router, "before", 0);
    let pattern = r#"{"detail":{"n":[{"numeric":["<",3]}]}}"#;
    let words = ["archive", "create", "early", "--pattern", pattern, "--days", "30"];
    assert_eq!(router.run(&words).expect(0).out, "early\n");
    router.run(&words).expect(1).says(&["already"]);
    (0..6).for_each(|number| send(&router, "after", number));
    target.wait_for_count("/keeper", 7, LONG).unwrap();
    let listed = router.run(&["archive", "ls", "-o", "json"]).expect(0).json();
    assert_eq!(listed[0]["event_count"], 3, "{listed}");
    target.forget();
    let words = [
        "replay",
        "start",
        "--archive",
        "early",
        "--since",
        "1h",
        "--rule",
        "keeper",
        "--name",
        "r",
    ];
    router.run(&words).expect(0);
    assert_eq!(finished(&router, "r")["delivered"], 3);
    assert_eq!(event_ids(&target.requests_to("/keeper")), ["after-0", "after-1", "after-2"]);
    let listed = router.run(&["archive", "ls", "-o", "json"]).expect(0).json();
    assert_eq!(listed[0]["event_count"], 3, "what is replayed is not archived again");
    router.run(&["archive", "rm", "early"]).expect(2).says(&["--yes", "3 events"]);
    router.run(&["archive", "rm", "early", "--yes"]).expect(0);
    router.run(&["archive", "show", "early"]).expect(1).says(&["early"]);
}
