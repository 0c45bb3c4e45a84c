//! `kill -9` at any moment loses no acknowledged event.
//!
//! `KILLS=200 cargo test -p slipswitch-tests kills` kills as often. What a kill cannot show, because the system
//! keeps what was written, a disk shows that forgets what was not synced.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::mem;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use receiver::{Answer, Receiver, Request};

use crate::harness::{Connection, LONG, Process, Random, Router, Scene, Syncs};

const KILLS: usize = 10;
const PRODUCERS: usize = 4;
const LINES: usize = 20;

/// What the producers know, and what they are told.
#[derive(Default)]
struct Ledger {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Where the router is now; counts starts, so that a producer waits for another one than the one it lost.
    router: Option<(u64, SocketAddr)>,
    is_over: bool,
    /// The body of each event by its id, written down before it is sent.
    sent: BTreeMap<String, String>,
    acknowledged: BTreeSet<String>,
}

impl Ledger {
    fn announce(&self, start: u64, address: SocketAddr) {
        self.state.lock().unwrap().router = Some((start, address));
        self.changed.notify_all();
    }

    fn end(&self) {
        self.state.lock().unwrap().is_over = true;
        self.changed.notify_all();
    }

    /// A router started after `start`; None when it is over.
    fn next_router(&self, start: u64) -> Option<(u64, SocketAddr)> {
        let state = self.state.lock().unwrap();
        let is_old = |state: &mut State| {
            !state.is_over && state.router.is_none_or(|(number, _)| number <= start)
        };
        let state = self.changed.wait_while(state, is_old).unwrap();
        if state.is_over { None } else { state.router }
    }

    /// Waits until this many more than now are acknowledged.
    fn wait_for_more(&self, more: usize) {
        let state = self.state.lock().unwrap();
        let enough = state.acknowledged.len() + more;
        let is_short = |state: &mut State| state.acknowledged.len() < enough;
        let waited = self.changed.wait_timeout_while(state, LONG, is_short).unwrap().1;
        assert!(!waited.timed_out(), "no further acknowledgements come");
    }
}

/// Sends single events and batches in turn, over one router after the other, until it is over.
fn produce(ledger: &Ledger, producer: usize) {
    let mut random = Random::seeded(producer as u64 + 1);
    let (mut start, mut number) = (0, 0);
    while let Some((next, address)) = ledger.next_router(start) {
        start = next;
        let Ok(mut connection) = Connection::open(address) else { continue };
        loop {
            let count = if random.below(2) == 0 { 1 } else { LINES };
            let mut body = String::new();
            let mut ids = Vec::new();
            for _ in 0..count {
                let id = format!("{producer}-{number}");
                number += 1;
                // Up to beyond a page of the journal.
                let padding = "x".repeat(usize::try_from(random.below(700)).unwrap());
                let detail = format!(r#"{{"n":1.10,"id":"{id}","padding":"{padding}"}}"#);
                body.push_str(&format!(
                    r#"{{"id":"{id}","source":"load","detail-type":"T","detail":{detail}}}"#
                ));
                body.push('\n');
                ledger.state.lock().unwrap().sent.insert(id.clone(), detail);
                ids.push(id);
            }
            let media = if count == 1 { "application/json" } else { "application/x-ndjson" };
            let Ok(answer) = connection.post("/events", media, body.as_bytes()) else { break };
            assert_eq!(answer.ids(), ids);
            let mut state = ledger.state.lock().unwrap();
            state.acknowledged.extend(ids);
            let is_over = state.is_over;
            drop(state);
            ledger.changed.notify_all();
            if is_over {
                return;
            }
        }
    }
}

#[test]
fn kills_under_load_lose_no_acknowledged_event() {
    let kills = env::var("KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    kill_and_count(&Scene::new(), kills);
}

#[test]
fn a_disk_that_forgets_what_was_not_synced_loses_no_acknowledged_event() {
    kill_and_count(&Scene::new().forgetful(Syncs::Honoured), 4);
}

/// If it did not notice this, the tests above would prove nothing.
#[test]
fn syncs_that_do_nothing_are_noticed() {
    let scene = Scene::new().forgetful(Syncs::Dropped);
    let found = catch_unwind(AssertUnwindSafe(|| kill_and_count(&scene, 4)));
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
fn kill_and_count(scene: &Scene, kills: usize) {
    let target = Receiver::start().unwrap();
    // One in five attempts on one path fails, so that there are postponed deliveries at every kill.
    let answers = [200, 200, 503, 200, 200].map(Answer::status).into_iter().cycle();
    target.script("/flaky", answers.take(20_000 * kills));
    scene.write("rules/all.yaml", rules(&target, 0));

    let ledger = Arc::new(Ledger::default());
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || produce(&ledger, producer))
        })
        .collect();
    let _over = Over(&ledger);
    let (mut random, mut replays) = (Random::seeded(2026), Vec::new());
    for start in 1..=kills {
        if start % 6 == 0 {
            // Not yet up: in the middle of taking up the old state.
            let words = ["serve", "--listen", "127.0.0.1:0"];
            Process::start(&mut scene.command(&words), b"").kill();
        }
        let mut router = scene.serve();
        ledger.announce(start as u64, router.address());
        scene.replace("rules/all.yaml", rules(&target, start));
        if start % 3 == 1 {
            let name = format!("again-{start}");
            // To a rule that is always there: it cannot fail.
            let words = ["replay", "start", "--since", "5s", "--rule", "steady", "--name", &name];
            router.run(&words).expect(0);
            replays.push(name);
        }
        ledger.wait_for_more(usize::try_from(random.below(300)).unwrap());
        router.process.kill();
    }
    let router = scene.serve();
    ledger.announce(kills as u64 + 1, router.address());
    ledger.wait_for_more(100);
    ledger.end();
    for producer in producers {
        producer.join().unwrap();
    }

    // Taken out of the lock, which a panic below would poison.
    let state = mem::take(&mut *ledger.state.lock().unwrap());
    for path in ["/steady", "/flaky"] {
        let arrived = target.wait_for(LONG, all_came(path, &state.acknowledged));
        let requests = match arrived {
            Ok(requests) => requests,
            Err(error) => {
                let came: BTreeSet<String> = error.requests.iter().map(event_id).collect();
                let lost: Vec<_> = state.acknowledged.difference(&came).collect();
                panic!("acknowledged, and never delivered to {path}: {lost:?}");
            }
        };
        check_arrivals(path, &requests, &state.sent);
    }
    for name in &replays {
        check_replay(&router, &target, name);
    }
    let router = router.stop().expect(0);
    assert!(!router.err.contains("damaged"), "{}", router.err);
}

/// Lets the producers go, however it ends.
struct Over<'a>(&'a Ledger);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
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

fn event_id(request: &Request) -> String {
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
