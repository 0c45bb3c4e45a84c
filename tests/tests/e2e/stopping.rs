//! SIGTERM at any moment: who asks is answered, what was delivered stays delivered, the rest is taken up again.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use receiver::{Answer, Gate, Receiver, Request};

use crate::harness::{Connection, LONG, Process, Scene};

fn rule(url: &str) -> String {
    format!("name: a\npattern: {{ source: [a] }}\ntargets: [{{ id: out, http: '{url}' }}]\n")
}

fn event(id: &str, padding: usize) -> String {
    let padding = "x".repeat(padding);
    format!(r#"{{"id":"{id}","source":"a","detail-type":"T","detail":{{"padding":"{padding}"}}}}"#)
}

fn delivery_ids(requests: &[Request]) -> BTreeSet<String> {
    requests.iter().map(|request| request.delivery_id().unwrap().to_owned()).collect()
}

#[test]
fn a_stop_answers_who_is_there_and_nobody_who_comes() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    scene.write("rules/a.yaml", rule(&target.url("/a")));
    let router = scene.serve();
    let (mut under_way, mut idle) = (router.connect(), router.connect());
    assert_eq!(idle.get("/healthz").unwrap().status, 200);
    let body = event("e-late", 10);
    let length = body.len();
    let head = format!(
        "POST /events HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
    );
    under_way.raw(head.as_bytes()).unwrap();
    // Asked to go on, it is known to be under way.
    assert_eq!(under_way.answer().unwrap().status, 100);
    let address = router.address();
    router.process.terminate();
    router.process.err.wait_for("stopping: 1 requests", 0);
    router.process.err.wait_for("no longer listening", 0);
    // One that is idle is closed, and another not opened.
    idle.answer().unwrap_err();
    assert_eq!(Connection::open(address).err().unwrap().kind(), ErrorKind::ConnectionRefused);
    under_way.raw(body.as_bytes()).unwrap();
    assert_eq!(under_way.answer().unwrap().ids(), ["e-late"]);
    router.process.ended().expect(0).says(&["stopped"]);

    let router = scene.serve();
    let requests = target.wait_for_count("/a", 1, LONG).unwrap();
    router.stop().expect(0);
    assert_eq!(requests[0].header("slipswitch-event-id"), Some("e-late"));
    assert_eq!(target.requests().len(), 1);
}

#[test]
fn what_was_delivered_before_a_stop_is_not_delivered_after_it() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    scene.write("rules/a.yaml", rule(&target.url("/a")));
    let mut count = 0;
    for start in 0..3 {
        let router = scene.serve();
        let lines: String = (0..200).map(|n| event(&format!("e-{start}-{n}"), 10) + "\n").collect();
        let mut connection = router.connect();
        connection.post("/events", "application/x-ndjson", lines.as_bytes()).unwrap().ids();
        count += 200;
        target.wait_for_count("/a", count, LONG).unwrap();
        // Right after the last one, before its outcome is written in the ordinary course.
        router.stop().expect(0);
    }
    let router = scene.serve();
    router.send(&event("e-last", 10)).ids();
    let requests = target.wait_for_count("/a", count + 1, LONG).unwrap();
    router.stop().expect(0);
    assert_eq!((target.requests().len(), delivery_ids(&requests).len()), (count + 1, count + 1));
}

#[test]
fn a_stop_in_the_middle_of_a_start_ends_in_order() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new().configured("log: { level: debug }\n");
    scene.write("rules/a.yaml", rule(&target.url("/a")));
    let router = scene.serve();
    router.send(&event("e-1", 10)).ids();
    target.wait_for_count("/a", 1, LONG).unwrap();
    router.stop().expect(0);
    for _ in 0..4 {
        let words = ["serve", "--listen", "127.0.0.1:0"];
        let process = Process::start(&mut scene.command(&words), b"");
        process.err.wait_for("journal recovered", 0);
        process.terminate();
        process.ended().expect(0);
    }
    let router = scene.serve();
    router.send(&event("e-2", 10)).ids();
    target.wait_for_count("/a", 2, LONG).unwrap();
    router.stop().expect(0);
    assert_eq!(target.requests().len(), 2);
}

#[test]
fn a_replay_goes_on_after_a_stop_where_it_was() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    scene.write("rules/a.yaml", rule(&target.url("/a")));
    let router = scene.serve();
    (0..20).for_each(|number| _ = router.send(&event(&format!("e-{number}"), 10)).ids());
    target.wait_for_count("/a", 20, LONG).unwrap();
    let gate = Gate::shut();
    let five = (0..5).map(|_| Answer::default());
    target.script("/a", five.chain([Answer::default().behind(&gate)]));
    router.run(&["replay", "start", "--since", "1h", "--name", "again"]).expect(0);
    target.wait_for_count("/a", 26, LONG).unwrap();
    router.process.terminate();
    router.process.err.wait_for("stopping", 0);
    gate.open();
    router.process.ended().expect(0);

    let router = scene.serve();
    let requests = target.wait_for_count("/a", 40, LONG).unwrap();
    router.wait_until("/api/v1/replays", |replays| replays[0]["state"] == "completed");
    router.stop().expect(0);
    assert_eq!((target.requests().len(), delivery_ids(&requests).len()), (40, 40));
}

#[test]
fn a_stop_in_the_middle_of_sealing_costs_nothing() {
    let scene = Scene::new().configured("shutdown: { drain_seconds: 0 }\n");
    let router = scene.serve();
    let mut connection = router.connect();
    // More than a segment: it is full, and sealed at once.
    let mut sent = 0;
    while !scene.path("data/journal/0000000000000003.hot").exists() {
        let body = event(&format!("e-{sent}"), 400_000);
        connection.post("/events", "application/json", body.as_bytes()).unwrap().ids();
        sent += 1;
    }
    let folder = scene.path("data/sealed/default");
    router.wait_for_status(|_| folder.exists());
    router.stop().expect(0);
    let verified = scene.run(&["journal", "verify"]).expect(0);
    assert!(verified.out.contains("no fault"), "{verified:?}");
    scene.serve().stop().expect(0);
    let exported = scene.run(&["journal", "export"]).expect(0).out;
    assert_eq!(exported.lines().count(), sent);
}
