//! What is broken behind the router's back: it says what, and serves the rest.

use std::fs;

use receiver::Receiver;

use crate::harness::{LONG, Scene};

#[test]
fn without_its_database_the_router_says_so_and_what_it_has_can_be_replayed() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    let url = target.url("/a");
    let rule = "name: a\npattern: { source: [a] }\ntargets:\n  - id: out\n    http: ";
    scene.write("rules/a.yaml", format!("{rule}'{url}'\n"));
    let event =
        |id: &str| format!(r#"{{"id":"{id}","source":"a","detail-type":"T","detail":{{}}}}"#);
    let router = scene.serve();
    router.send(&event("e-1")).ids();
    target.wait_for_count("/a", 1, LONG).unwrap();
    router.stop().expect(0);
    for file in ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm"] {
        fs::remove_file(scene.path("data").join(file)).ok();
    }

    let router = scene.serve();
    router.process.err.wait_for("there is a journal but no state", 0);
    router.send(&event("e-2")).ids();
    target.wait_for_count("/a", 2, LONG).unwrap();
    router.run(&["replay", "start", "--since", "1h"]).expect(0);
    let requests = target.wait_for_count("/a", 4, LONG).unwrap();
    assert_eq!(requests[2].header("slipswitch-event-id"), Some("e-1"));
    router.stop().expect(0);
}
