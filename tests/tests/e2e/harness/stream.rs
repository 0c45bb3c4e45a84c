//! A reader of a router's stream of events.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::lines::Lines;

/// Where an event has come in part.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

pub(crate) struct Stream {
    connection: TcpStream,
    lines: Lines,
}

impl Stream {
    /// HTTP/1.0: the answer comes as it is, and ends with the connection.
    pub(crate) fn open(address: SocketAddr, path: &str, last: Option<&str>) -> Self {
        let mut connection = TcpStream::connect(address).unwrap();
        let last = last.map(|last| format!("last-event-id: {last}\r\n")).unwrap_or_default();
        let request = format!("GET {path} HTTP/1.0\r\nhost: test\r\n{last}\r\n");
        connection.write_all(request.as_bytes()).unwrap();
        let lines = Lines::of(connection.try_clone().unwrap());
        lines.wait_for(" 200 OK", 0);
        Self { connection, lines }
    }

    pub(crate) fn wait_for(&self, part: &str) {
        self.lines.wait_for(part, 0);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.lines.wait_end()
    }

    /// The data of all events up to the one with this id.
    pub(crate) fn events_until(&self, id: &str) -> Vec<Value> {
        self.lines.wait_for(&format!("\"id\":\"{id}\","), 0);
        loop {
            let events = events(&self.lines.text());
            if let Some(end) = events.iter().position(|one| one["event"]["id"] == id) {
                return events.into_iter().take(end + 1).collect();
            }
            // It spans lines, of which not all have come.
            self.lines.wait_for_more(BETWEEN_LOOKS);
        }
    }
}

/// The data of the events that are whole.
fn events(text: &str) -> Vec<Value> {
    let (mut events, mut data) = (Vec::new(), String::new());
    for line in text.lines() {
        if let Some(more) = line.strip_prefix("data: ") {
            data.push_str(more);
            data.push('\n');
        } else if line.is_empty() && !data.is_empty() {
            events.push(serde_json::from_str(&data).unwrap());
            data.clear();
        }
    }
    events
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.shutdown(Shutdown::Both).ok(); // the router may have been first
    }
}
