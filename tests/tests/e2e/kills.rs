//! `kill -9` at any moment loses no acknowledged event.
//!
//! `KILLS=200 cargo test -p slipswitch-tests kills` kills as often. What a kill cannot show, because the system
//! keeps what was written, a disk shows that forgets what was not synced.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use receiver::{Answer, Receiver, Request};

use crate::harness::{LONG, Process, Producers, Random, Router, Scene, Syncs};

const KILLS: usize = 10;
/// Where events are lost, so that it is in vain.
const BRIEF: Duration = Duration::from_secs(10);

#[test]
fn kills_under_load_lose_no_acknowledged_event() {
    let kills = env::var("KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    kill_and_count(&Scene::new(), kills, LONG);
}

#[test]
fn a_disk_that_forgets_what_was_not_synced_loses_no_acknowledged_event() {
    kill_and_count(&Scene::new().forgetful(Syncs::Honoured), 4, LONG);
}

/// If it did not notice this, the tests above would prove nothing.
#[test]
fn syncs_that_do_nothing_are_noticed() {
    let scene = Scene::new().forgetful(Syncs::Dropped);
    let found = catch_unwind(AssertUnwindSafe(|| kill_and_count(&scene, 4, BRIEF)));
    let said = found.expect_err("acknowledged events are lost without syncs");
    let said = said.downcast_ref::<String>().unwrap();
    // The router may see it first: a journal that ends before a subscription has read.
    let losses = ["acknowledged, and never delivered", "ends at offset"];
    assert!(losses.iter().any(|loss| said.contains(loss)), "{said}");
}

/// The rules of one moment. Two are always there; a third comes and goes.
fn rules(target: &Receiver, version: usize) -> String {
    let rule = |name: &str| {
        let (url, max) = (target.url(&format!("/{name}")), 20 + version);
        format!(
            "name: {name}\npattern: {{ source: [load] }}\ntargets:\n  - id: out\n    http: '{url}'\n    \
             retry: {{ backoff: {{ min: 1ms, max: {max}ms }} }}\n---\n"
        )
    };
    let passing = if version.is_multiple_of(2) { rule("passing") } else { String::new() };
    [rule("steady"), rule("flaky"), passing].concat()
}

/// Kills a router under load so many times, and panics when an acknowledged event has not arrived at the end.
fn kill_and_count(scene: &Scene, kills: usize, patience: Duration) {
    let target = Receiver::start().unwrap();
    // One in five attempts on one path fails, so that there are postponed deliveries at every kill.
    let answers = [200, 200, 503, 200, 200].map(Answer::status).into_iter().cycle();
    target.script("/flaky", answers.take(20_000 * kills));
    scene.write("rules/all.yaml", rules(&target, 0));

    let producers = Producers::start();
    let (mut random, mut replays) = (Random::seeded(2026), Vec::new());
    for start in 1..=kills {
        if start % 6 == 0 {
            // Not yet up: in the middle of taking up the old state.
            let words = ["serve", "--listen", "127.0.0.1:0"];
            Process::start(&mut scene.command(&words), b"").kill();
        }
        let mut router = scene.serve();
        producers.go_on(&router);
        scene.replace("rules/all.yaml", rules(&target, start));
        if start % 3 == 1 {
            let name = format!("again-{start}");
            // To a rule that is always there: it cannot fail.
            let words = ["replay", "start", "--since", "5s", "--rule", "steady", "--name", &name];
            router.run(&words).expect(0);
            replays.push(name);
        }
        producers.wait_for_more(usize::try_from(random.below(300)).unwrap());
        router.process.kill();
    }
    let router = scene.serve();
    producers.go_on(&router);
    producers.wait_for_more(100);
    let known = producers.end();
    for path in ["/steady", "/flaky"] {
        let arrived = target.wait_for(patience, all_came(path, &known.acknowledged));
        let requests = match arrived {
            Ok(requests) => requests,
            Err(error) => {
                let came: BTreeSet<String> = error.requests.iter().map(event_id).collect();
                let lost: Vec<_> = known.acknowledged.difference(&came).collect();
                panic!("acknowledged, and never delivered to {path}: {lost:?}");
            }
        };
        check_arrivals(path, &requests, &known.sent);
    }
    for name in &replays {
        check_replay(&router, &target, name);
    }
    let router = router.stop().expect(0);
    assert!(!router.err.contains("damaged"), "{}", router.err);
}

/// It comes to its end, and has sent again all that had come before it.
fn check_replay(router: &Router, target: &Receiver, name: &str) {
    let path = format!("/api/v1/replays/{name}");
    let replay = router.wait_until(&path, |replay| replay["state"] != "running");
    assert_eq!(replay["state"], "completed", "{replay}");
    let span = replay["from_offset"].as_u64().unwrap()..replay["to_offset"].as_u64().unwrap();
    let end = format!(";replay={name}");
    let requests = target.requests_to("/steady");
    let offsets = |is_replayed: bool| {
        let ids = requests.iter().filter(|request| request.was_accepted());
        let ids = ids.map(|request| request.delivery_id().unwrap());
        let ids = ids
            .filter(|id| if is_replayed { id.ends_with(&end) } else { !id.contains(";replay=") });
        let offsets = ids.map(|id| id.split('/').nth(1).unwrap().parse::<u64>().unwrap());
        offsets.filter(|offset| span.contains(offset)).collect::<BTreeSet<u64>>()
    };
    let missing: Vec<u64> = offsets(false).difference(&offsets(true)).copied().collect();
    assert!(missing.is_empty(), "{name} is completed, and has not sent {missing:?}");
}

pub(crate) fn event_id(request: &Request) -> String {
    request.header("slipswitch-event-id").unwrap().to_owned()
}

fn all_came<'a>(path: &'a str, ids: &'a BTreeSet<String>) -> impl FnMut(&[Request]) -> bool + 'a {
    let (mut looked_at, mut missing) = (0, ids.clone());
    move |requests| {
        for request in requests.iter().skip(looked_at) {
            if request.path == path && request.was_accepted() {
                missing.remove(&event_id(request));
            }
        }
        looked_at = requests.len();
        missing.is_empty()
    }
}

/// Only what was sent arrives, with its own bytes; and what arrives again has the delivery id it had.
fn check_arrivals(path: &str, requests: &[Request], sent: &BTreeMap<String, String>) {
    let mut delivery_ids: BTreeMap<String, String> = BTreeMap::new();
    for request in requests.iter().filter(|request| request.path == path) {
        let id = event_id(request);
        let detail = sent.get(&id).unwrap_or_else(|| panic!("never sent: {request:?}"));
        let end = format!(r#""detail":{detail}}}"#);
        assert!(request.text().ends_with(&end), "{id} has other bytes: {}", request.text());
        let delivery_id = request.delivery_id().unwrap().to_owned();
        let replay = delivery_id.split_once(";replay=").map_or("", |(_, replay)| replay);
        let of = format!("{id} {replay}");
        let before = delivery_ids.entry(of).or_insert_with(|| delivery_id.clone());
        assert_eq!(before, &delivery_id, "a repeated delivery has another id");
    }
    let different: BTreeSet<&String> = delivery_ids.values().collect();
    assert_eq!(different.len(), delivery_ids.len(), "two events have one delivery id");
}
