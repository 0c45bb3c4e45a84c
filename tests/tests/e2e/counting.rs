//! Plugins that keep state: `kill -9` at any moment makes no event count twice, and none not at all.
//!
//! `KILLS=200 cargo test -p slipswitch-tests counted_once` kills as often.

use std::collections::{BTreeMap, BTreeSet};
use std::env;

use receiver::{Answer, Receiver, Request};
use serde_json::Value;

use crate::harness::{Producers, Random, Scene};
use crate::kills::event_id;

const KILLS: usize = 5;
/// How many events of a key one tally is of.
const EVERY: usize = 3;

/// One that gets every event, and two whose state decides what they get.
fn rules(target: &Receiver) -> String {
    let rule = |name: &str, more: &str| {
        let url = target.url(&format!("/{name}"));
        format!(
            "name: {name}\npattern: {{ source: [load] }}\ntargets:\n  - id: out\n    http: '{url}'\n    \
             retry: {{ backoff: {{ min: 1ms, max: 20ms }} }}\n{more}---\n"
        )
    };
    let first = "    transform:\n      - plugin: dedupe-window\n        \
                 config: { key: $.detail.triple, seconds: 86400 }\n        grant: [state]\n";
    // In the order of the journal, so that one can say which events complete a tally.
    let tally = format!(
        "    order_by: $.detail.wheel\n    transform:\n      - plugin: tally\n        \
         config: {{ key: $.detail.wheel, every: {EVERY} }}\n        grant: [state, clock, random, metrics]\n"
    );
    [rule("all", ""), rule("first", first), rule("tally", &tally)].concat()
}

#[test]
fn each_event_is_counted_once_in_the_state_of_a_plugin_however_often_the_router_is_killed() {
    let kills = env::var("KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let target = Receiver::start().unwrap();
    // So that outputs are postponed at every kill.
    for path in ["/first", "/tally"] {
        let answers = [200, 200, 503, 200, 200].map(Answer::status).into_iter().cycle();
        target.script(path, answers.take(20_000 * kills));
    }
    let scene = Scene::new().with_plugins(&["dedupe-window", "tally"]);
    scene.write("rules/all.yaml", rules(&target));
    let (producers, mut random) = (Producers::start(), Random::seeded(7));
    for _ in 0..kills {
        let mut router = scene.serve();
        producers.go_on(&router);
        producers.wait_for_more(usize::try_from(random.below(200)).unwrap());
        router.process.kill();
    }
    let router = scene.serve();
    producers.go_on(&router);
    producers.wait_for_more(100);
    let known = producers.end();
    router.wait_until_all_is_delivered();
    router.stop().expect(0);

    let requests: Vec<Request> =
        target.requests().into_iter().filter(Request::was_accepted).collect();
    let journal = journal(&requests);
    let came: BTreeSet<&String> = journal.values().map(|event| &event.id).collect();
    assert!(known.acknowledged.iter().all(|id| came.contains(id)), "an event is lost");

    let mut triples: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let (mut wheels, mut full): (BTreeMap<&str, usize>, BTreeSet<&str>) = Default::default();
    for Event { id, triple, wheel } in journal.values() {
        triples.entry(triple).or_default().insert(id);
        let count = wheels.entry(wheel).or_default();
        *count += 1;
        if count.is_multiple_of(EVERY) {
            full.insert(id);
        }
    }
    let first = arrived("/first", &requests);
    for (triple, ids) in &triples {
        let passed: Vec<&&str> = ids.iter().filter(|id| first.contains_key(**id)).collect();
        assert_eq!(passed.len(), 1, "of {triple}, which is {ids:?}, these passed: {passed:?}");
    }
    let tallies = arrived("/tally", &requests);
    let told: BTreeSet<&str> = tallies.keys().map(String::as_str).collect();
    assert_eq!(told, full, "a tally comes with every {EVERY}rd event of a key");
    for (id, body) in &tallies {
        let tally: Value = serde_json::from_str(body).unwrap();
        assert_eq!(tally["count"], EVERY, "{id}: {body}");
    }
}

struct Event {
    id: String,
    triple: String,
    wheel: String,
}

/// All events of the journal by their offsets, as the rule without plugins was sent them.
fn journal(requests: &[Request]) -> BTreeMap<u64, Event> {
    let all = requests.iter().filter(|request| request.path == "/all");
    let event = |request: &Request| {
        let offset = request.delivery_id().unwrap().split('/').nth(1).unwrap().parse().unwrap();
        let event: Value = serde_json::from_str(&request.text()).unwrap();
        let of = |key: &str| event["detail"][key].as_str().unwrap().to_owned();
        (offset, Event { id: event_id(request), triple: of("triple"), wheel: of("wheel") })
    };
    all.map(event).collect()
}

/// What was sent to a path, by the event; what came again is what came before.
fn arrived(path: &str, requests: &[Request]) -> BTreeMap<String, String> {
    let mut arrived = BTreeMap::new();
    for request in requests.iter().filter(|request| request.path == path) {
        let (id, body) = (event_id(request), request.text());
        let before = arrived.entry(id).or_insert_with(|| body.clone());
        assert_eq!(*before, body, "a delivery that is repeated says something else");
    }
    arrived
}
