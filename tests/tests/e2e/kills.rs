//! `kill -9` at any moment loses no acknowledged event.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use receiver::{Answer, Receiver, Request};

use crate::harness::{Connection, LONG, Process, Random, Scene};

const KILLS: usize = 24;
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
fn twenty_kills_under_load_lose_no_acknowledged_event() {
    let target = Receiver::start().unwrap();
    // Every third attempt on one path fails, so that there are postponed deliveries at every kill.
    let answers = [200, 503, 200].map(Answer::status).into_iter().cycle().take(60_000);
    target.script("/flaky", answers);
    let scene = Scene::new();
    let rule = |name: &str| {
        let url = target.url(&format!("/{name}"));
        format!(
            "name: {name}\npattern: {{ source: [load] }}\ntargets:\n  - id: out\n    http: '{url}'\n    \
             retry: {{ backoff: {{ min: 1ms, max: 20ms }} }}\n---\n"
        )
    };
    scene.write("rules/all.yaml", [rule("steady"), rule("flaky")].concat());

    let ledger = Arc::new(Ledger::default());
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || produce(&ledger, producer))
        })
        .collect();
    let mut random = Random::seeded(2026);
    for start in 1..=KILLS {
        if start % 6 == 0 {
            // Not yet up: in the middle of taking up the old state.
            let words = ["serve", "--listen", "127.0.0.1:0"];
            Process::start(&mut scene.command(&words), b"").kill();
        }
        let mut router = scene.serve();
        ledger.announce(start as u64, router.address());
        ledger.wait_for_more(usize::try_from(random.below(300)).unwrap());
        router.process.kill();
    }
    let router = scene.serve();
    ledger.announce(KILLS as u64 + 1, router.address());
    ledger.wait_for_more(100);
    ledger.end();
    for producer in producers {
        producer.join().unwrap();
    }

    let state = ledger.state.lock().unwrap();
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
    let router = router.stop().expect(0);
    assert!(!router.err.contains("damaged"), "{}", router.err);
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
        let before = delivery_ids.entry(id).or_insert_with(|| delivery_id.clone());
        assert_eq!(before, &delivery_id, "a repeated delivery has another id");
    }
    let different: BTreeSet<&String> = delivery_ids.values().collect();
    assert_eq!(different.len(), delivery_ids.len(), "two events have one delivery id");
}
