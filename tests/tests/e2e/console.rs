//! Whoever started the router may not read what it prints.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use receiver::Receiver;

use crate::harness::{Connection, LONG, Scene};

struct Unread(Child);

impl Drop for Unread {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn an_unread_console_delays_only_the_targets_on_it() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    let rules = format!(
        "name: printed\npattern: {{ source: [a] }}\ntargets: [{{ id: console, log: console }}]\n---\n\
         name: sent\npattern: {{ source: [a] }}\ntargets: [{{ id: out, http: '{}' }}]\n",
        target.url("/a")
    );
    scene.write("rules/a.yaml", rules);
    let mut command = scene.command(&["serve", "--listen", "127.0.0.1:0"]);
    let mut router = Unread(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut printed = BufReader::with_capacity(256, router.0.stdout.take().unwrap());
    let mut ready = String::new();
    printed.read_line(&mut ready).unwrap();
    let address = ready.split("http://").nth(1).unwrap().split(' ').next().unwrap();

    // 400 KB of lines into a pipe of 64 KiB that nobody reads from here on.
    let event =
        format!(r#"{{"source":"a","detail-type":"T","detail":{{"text":"{}"}}}}"#, "x".repeat(4000));
    let mut connection = Connection::open(address.parse().unwrap()).unwrap();
    for _ in 0..100 {
        let answer = connection.post("/events", "application/json", event.as_bytes()).unwrap();
        assert_eq!(answer.status, 202);
    }
    target.wait_for_count("/a", 100, LONG).unwrap();
    let status = connection.get("/api/v1/status").unwrap().json();
    let subscriptions = status["router"]["subscriptions"].as_array().unwrap();
    let console = subscriptions.iter().find(|one| one["target"] == "console").unwrap();
    assert!(console["delivered"].as_u64().unwrap() < 100, "{console}");
}
