//! Producers that send events to one router after the other, and know what was acknowledged.
//!
//! The detail of an event has its `id`, and two keys: `triple`, which three events in a row have, and `wheel`, of which
//! each producer has a few, in turn.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use super::{Connection, LONG, Random, Router};

const PRODUCERS: usize = 4;
const LINES: usize = 20;
const WHEELS: usize = 7;

pub(crate) struct Producers {
    ledger: Arc<Ledger>,
    threads: Vec<JoinHandle<()>>,
}

/// What was sent, and what was acknowledged of it.
#[derive(Default)]
pub(crate) struct Known {
    /// The detail of each event by its id, written down before it is sent.
    pub(crate) sent: BTreeMap<String, String>,
    pub(crate) acknowledged: BTreeSet<String>,
}

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
    known: Known,
}

impl Producers {
    /// They send nothing before there is a router.
    pub(crate) fn start() -> Self {
        let ledger = Arc::new(Ledger::default());
        let produce = |producer| {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || produce(&ledger, producer))
        };
        let threads = (0..PRODUCERS).map(produce).collect();
        Self { ledger, threads }
    }

    /// Another router is there, in the place of the last one.
    pub(crate) fn go_on(&self, router: &Router) {
        self.ledger.announce(router.address());
    }

    /// Waits until this many more than now are acknowledged.
    pub(crate) fn wait_for_more(&self, more: usize) {
        self.ledger.wait_for_more(more);
    }

    /// Waits for their end, which comes after the next acknowledgement of each.
    pub(crate) fn end(mut self) -> Known {
        self.ledger.end();
        for thread in mem::take(&mut self.threads) {
            thread.join().unwrap();
        }
        mem::take(&mut self.ledger.state.lock().unwrap().known)
    }
}

/// Lets them go, however it ends.
impl Drop for Producers {
    fn drop(&mut self) {
        self.ledger.end();
    }
}

impl Ledger {
    fn announce(&self, address: SocketAddr) {
        let mut state = self.state.lock().unwrap();
        let starts = state.router.map_or(0, |(starts, _)| starts);
        state.router = Some((starts + 1, address));
        drop(state);
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

    fn wait_for_more(&self, more: usize) {
        let state = self.state.lock().unwrap();
        let enough = state.known.acknowledged.len() + more;
        let is_short = |state: &mut State| state.known.acknowledged.len() < enough;
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
                // Up to beyond a page of the journal.
                let padding = "x".repeat(usize::try_from(random.below(700)).unwrap());
                let detail = format!(
                    r#"{{"n":1.10,"id":"{id}","triple":"{producer}-{}","wheel":"{producer}-{}","padding":"{padding}"}}"#,
                    number / 3,
                    number % WHEELS,
                );
                body.push_str(&format!(
                    r#"{{"id":"{id}","source":"load","detail-type":"T","detail":{detail}}}"#
                ));
                body.push('\n');
                ledger.state.lock().unwrap().known.sent.insert(id.clone(), detail);
                ids.push(id);
                number += 1;
            }
            let media = if count == 1 { "application/json" } else { "application/x-ndjson" };
            let Ok(answer) = connection.post("/events", media, body.as_bytes()) else { break };
            assert_eq!(answer.ids(), ids);
            let mut state = ledger.state.lock().unwrap();
            state.known.acknowledged.extend(ids);
            let is_over = state.is_over;
            drop(state);
            ledger.changed.notify_all();
            if is_over {
                return;
            }
        }
    }
}
