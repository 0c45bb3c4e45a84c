//! A producer that goes as far as a test lets it.
//!
//! Its events are numbered from 0: `{"id":"7","source":"load","detail-type":"T","detail":{}}`.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use super::Connection;

/// Events of one request.
const BATCH: usize = 20;

/// How far the producer may go.
#[derive(Default)]
pub(crate) struct Allowance {
    /// Events, and whether more will come.
    state: Mutex<(usize, bool)>,
    changed: Condvar,
}

impl Allowance {
    pub(crate) fn give(&self, events: usize) {
        self.state.lock().unwrap().0 += events;
        self.changed.notify_all();
    }

    pub(crate) fn end(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }

    /// Waits until more than `sent` are allowed; false when it is over.
    fn wait_beyond(&self, sent: usize) -> bool {
        let state = self.state.lock().unwrap();
        let is_used_up = |(events, is_over): &mut (usize, bool)| *events <= sent && !*is_over;
        let state = self.changed.wait_while(state, is_used_up).unwrap();
        state.0 > sent
    }

    /// Sends batches as far as it may; returns how many events were acknowledged.
    pub(crate) fn produce(self: &Arc<Self>, address: SocketAddr) -> JoinHandle<usize> {
        let allowance = Arc::clone(self);
        thread::spawn(move || {
            let mut connection = Connection::open(address).unwrap();
            let mut number = 0;
            while allowance.wait_beyond(number) {
                let event = |number| {
                    format!(
                        "{{\"id\":\"{number}\",\"source\":\"load\",\"detail-type\":\"T\",\"detail\":{{}}}}\n"
                    )
                };
                let lines: String = (number..number + BATCH).map(event).collect();
                let answer = connection.post("/events", "application/x-ndjson", lines.as_bytes());
                number += answer.unwrap().ids().len();
            }
            number
        })
    }
}
