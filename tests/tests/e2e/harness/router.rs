//! A running router, seen from outside.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Answer, Connection, Ended, LONG, Process, built};

/// From one look at a resource to the next.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

pub(crate) struct Router {
    pub(crate) process: Process,
    address: SocketAddr,
}

impl Router {
    /// Waits for the line that says it is ready.
    pub(crate) fn start(command: &mut Command) -> Self {
        let process = Process::start(command, b"");
        let address = Self::announced(&process);
        Self { process, address }
    }

    fn announced(process: &Process) -> SocketAddr {
        process.err.wait_for("listening", 0);
        let (at, line) = process.out.wait_for(" listening on http://", 0);
        assert_eq!(at, 0, "the first line is the announcement: {line}");
        let address = line.split("http://").nth(1).and_then(|rest| rest.split(' ').next());
        address.unwrap().parse().unwrap()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.connect().get(path).unwrap()
    }

    /// As JSON, to the bus `default`.
    pub(crate) fn send(&self, body: &str) -> Answer {
        self.connect().post("/events", "application/json", body.as_bytes()).unwrap()
    }

    pub(crate) fn send_to(&self, bus: &str, body: &str) -> Answer {
        let path = format!("/buses/{bus}/events");
        self.connect().post(&path, "application/json", body.as_bytes()).unwrap()
    }

    pub(crate) fn status(&self) -> Value {
        let answer = self.get("/api/v1/status");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Asks until the status is as it should be: for what nothing else tells.
    pub(crate) fn wait_for_status(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        self.wait_until("/api/v1/status", is_it)
    }

    /// Asks until the answer is as it should be: after every line of the log, and fifty times a second, so that
    /// a test that waits leaves the processor to those it waits for.
    pub(crate) fn wait_until(&self, path: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let mut connection = self.connect();
        let started = now();
        loop {
            let answer = connection.get(path).unwrap().json();
            if is_it(&answer) {
                return answer;
            }
            assert!(started.elapsed() < LONG, "{path} stays {answer:#}");
            self.process.err.wait_for_more(BETWEEN_LOOKS);
        }
    }

    /// Until no subscription owes anything of what was acknowledged.
    pub(crate) fn wait_until_all_is_delivered(&self) {
        let owes = |one: &Value| {
            ["lag", "queued", "in_flight", "postponed"].iter().any(|key| one[key] != 0)
        };
        self.wait_for_status(|status| {
            !status["router"]["subscriptions"].as_array().unwrap().iter().any(owes)
        });
    }

    /// A verb that talks to this router.
    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        self.run_on(words, b"")
    }

    pub(crate) fn run_on(&self, words: &[&str], input: &[u8]) -> Ended {
        let mut command = Command::new(built::binary());
        command.args(words).env("SLIPSWITCH_URL", self.url());
        Process::start(&mut command, input).ended()
    }

    /// What it has in memory.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Ends it in order.
    pub(crate) fn stop(self) -> Ended {
        self.process.terminate();
        self.process.ended()
    }
}

#[expect(clippy::disallowed_methods, reason = "a limit on waiting, outside of the product")]
fn now() -> Instant {
    Instant::now()
}
