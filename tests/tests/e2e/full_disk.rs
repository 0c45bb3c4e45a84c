//! No room on the disk: events are refused in words before it is full, all else goes on, and nothing that was
//! acknowledged is lost.

use std::collections::BTreeSet;

use receiver::{Answer, Receiver, Request};

use crate::harness::{LONG, Router, Scene, SmallDisk};

fn rule(url: &str) -> String {
    format!(
        "name: a\npattern: {{ source: [a] }}\ntargets:\n  - id: out\n    http: '{url}'\n    \
         retry: {{ backoff: {{ min: 50ms, max: 50ms }} }}\n"
    )
}

/// Sends events of half a mebibyte until one is refused; the ids of the others, and why.
fn send_until_refused(router: &Router, label: &str) -> (Vec<String>, String) {
    let mut connection = router.connect();
    let mut taken = Vec::new();
    // Numbers that do not compress.
    let mut random = crate::harness::Random::seeded(7);
    for number in 0..200 {
        let padding: String =
            (0..32_000).map(|_| format!("{:016x}", random.below(u64::MAX))).collect();
        let id = format!("{label}-{number}");
        let body = format!(
            r#"{{"id":"{id}","source":"a","detail-type":"T","detail":{{"padding":"{padding}"}}}}"#
        );
        let answer = connection.post("/events", "application/json", body.as_bytes()).unwrap();
        if answer.status != 202 {
            let (status, kind, detail) = answer.problem();
            assert_eq!(status, 503, "{kind}: {detail}");
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
            return (taken, detail);
        }
        taken.extend(answer.ids());
    }
    panic!("the disk takes everything");
}

fn small(router: &Router, id: &str) -> Vec<String> {
    router.send(&format!(r#"{{"id":"{id}","source":"a","detail-type":"T","detail":{{}}}}"#)).ids()
}

fn ids(requests: &[Request]) -> BTreeSet<String> {
    let id = |request: &Request| request.header("slipswitch-event-id").unwrap().to_owned();
    requests.iter().filter(|request| request.was_accepted()).map(id).collect()
}

fn all_arrive(target: &Receiver, acknowledged: &[String]) {
    let all: BTreeSet<_> = acknowledged.iter().cloned().collect();
    let arrived = target.wait_for(LONG, |requests| all.is_subset(&ids(requests))).unwrap();
    assert_eq!(ids(&arrived), all, "what was refused has not been kept");
}

#[test]
fn below_its_reserve_the_router_refuses_events_and_serves_everything_else() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    scene.write("rules/a.yaml", rule(&target.url("/a")));
    let router = scene.serve();
    let mut taken = small(&router, "first");
    router.stop().expect(0);
    // More than any disk has: no further segment is prepared.
    let reserve = "journal: { segment_bytes: 16MiB, free_bytes_min: 1000000GiB }\n";
    scene.write("slipswitch.yaml", reserve);
    let router = scene.serve();
    let (more, why) = send_until_refused(&router, "e");
    taken.extend(more);
    assert!(why.contains("make room on that disk") && why.contains("iB are free"), "{why}");
    send_until_refused(&router, "once-more");
    let refused = "the journal has no room: events are refused from now on";
    router.process.err.wait_for(refused, 0);
    assert_eq!(router.process.err.text().matches(refused).count(), 1, "it is said once");
    let readiness = router.get("/readyz");
    assert_eq!(readiness.status, 503);
    assert!(readiness.text().contains("the disk is nearly full"), "{}", readiness.text());
    assert_eq!(router.get("/healthz").status, 200);
    all_arrive(&target, &taken);
    router.run(&["events", "--since", "1h", "--limit", "3"]).expect(0);
    router.run(&["event", &taken[0]]).expect(0);
    let status = router.run(&["status"]).expect(0).out;
    assert!(!status.contains("SOON") && status.contains("REFUSES EVENTS since 2"), "{status}");
    router.stop().expect(0);

    scene.write("slipswitch.yaml", "journal: { segment_bytes: 16MiB, free_bytes_min: 0B }\n");
    let router = scene.serve();
    assert_eq!(router.get("/readyz").status, 200);
    taken.extend(small(&router, "e-last"));
    all_arrive(&target, &taken);
    router.stop().expect(0);
}

/// What a small disk is set up with: a segment, and the one after it.
const CONFIGURATION: &str =
    "journal: { segment_bytes: 16MiB, free_bytes_min: 8MiB, seal_after: 1s }\n";
const MEBIBYTES: u64 = 64;

fn small_disk<'a>(scene: &'a Scene, target: &Receiver) -> Option<SmallDisk<'a>> {
    scene.write("rules/a.yaml", rule(&target.url("/a")));
    scene.write("slipswitch.yaml", CONFIGURATION);
    match SmallDisk::mount(scene, MEBIBYTES) {
        Ok(disk) => Some(disk),
        Err(reason) => {
            // The test above shows most of it without.
            eprintln!(
                "NOT TESTED on a small disk: this user may make no mount namespace: {reason}"
            );
            None
        }
    }
}

#[test]
fn a_disk_that_fills_up_costs_nothing_and_the_router_recovers_by_itself() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    let Some(disk) = small_disk(&scene, &target) else { return };
    let router = disk.serve();
    disk.fill(6 << 20);
    // One that fails at first is delivered while there is no room.
    target.script("/a", [Answer::status(503)]);
    let mut taken = small(&router, "first");
    let (more, why) = send_until_refused(&router, "e");
    taken.extend(more);
    assert!(why.contains("make room on that disk"), "{why}");
    let readiness = router.get("/readyz");
    assert_eq!(readiness.status, 503);
    assert!(readiness.text().contains("the disk is nearly full"), "{}", readiness.text());
    router.process.err.wait_for("events cannot be sealed", 0);
    all_arrive(&target, &taken);
    router.run(&["events", "--since", "1h", "--limit", "3"]).expect(0);

    disk.make_room();
    router.process.err.wait_for("journal has room again", 0);
    router.process.err.wait_for("events are sealed again", 0);
    let said = router.process.err.text();
    assert!(!said.contains("No space left"), "nobody has tried what does not fit: {said}");
    taken.extend(small(&router, "again"));
    router.wait_until("/readyz", |ready| ready["status"] == "ready");
    all_arrive(&target, &taken);
    router.stop().expect(0);
    assert!(disk.run(&["journal", "verify"]).expect(0).out.contains("no fault"));
    let exported = disk.run(&["journal", "export"]).expect(0).out;
    assert_eq!(exported.lines().count(), taken.len());
}

#[test]
fn without_a_byte_left_deliveries_wait_for_the_database_and_go_on_when_there_is_room() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    // What is refused for good becomes a dead letter: the database needs room for it.
    target.always("/b", Answer::status(400));
    let refused = rule(&target.url("/b")).replace("name: a", "name: b").replace("[a]", "[b]");
    scene.write("rules/b.yaml", refused);
    let Some(disk) = small_disk(&scene, &target) else { return };
    let router = disk.serve();
    let mut taken = small(&router, "first");
    target.wait_for_count("/a", 1, LONG).unwrap();
    router.wait_until("/api/v1/status", |status| status["router"]["journal"]["segments"] == 2);
    disk.fill(0);
    let padding = "x".repeat(4000);
    let large = format!(r#"{{"source":"b","detail-type":"T","detail":{{"padding":"{padding}"}}}}"#);
    // The journal has its room beforehand: what comes is taken, and kept.
    for number in 0.. {
        router.send(&large);
        taken.extend(small(&router, &format!("e-{number}")));
        if router.process.err.text().contains("outcomes cannot be written down") {
            break;
        }
    }
    let readiness = router.get("/readyz");
    assert_eq!(readiness.status, 503);
    assert!(readiness.text().contains("state database cannot be written"), "{}", readiness.text());
    let status = router.run(&["status"]).expect(0).out;
    let wait = "DELIVERIES WAIT: the state database cannot be written since 2";
    assert!(status.contains(wait) && status.contains("state.sqlite: the disk is full"), "{status}");
    let waiting = taken.last().unwrap();
    let fate = router.run(&["event", waiting]).expect(0).out;
    assert!(
        fate.contains("… a → out  waits: the state database cannot be written since 2"),
        "{fate}"
    );
    // The database's own log has room for small things until it has been filled.
    let verbs = ["pause", "resume"].into_iter().cycle();
    let mut asked = verbs.map(|verb| router.run(&["target", verb, "a/out"]).err);
    assert!(asked.any(|err| err.contains("Unavailable: the disk is full")));
    for asked in [
        &["archive", "create", "kept", "--bus", "default"][..],
        &["replay", "start", "--bus", "default", "--since", "1h"][..],
    ] {
        let refused = router.run(asked).expect(1).err;
        assert!(refused.contains("Unavailable: the disk is full"), "{asked:?}: {refused}");
    }
    router.process.err.wait_for("the delivery log cannot be written", 0);
    router.process.err.wait_for("events cannot be sealed", 0);

    disk.make_room();
    router.process.err.wait_for("outcomes are written down again", 0);
    router.run(&["target", "resume", "a/out"]).expect(0);
    router.process.err.wait_for("the delivery log is written again", 0);
    router.process.err.wait_for("events are sealed again", 0);
    taken.extend(small(&router, "again"));
    all_arrive(&target, &taken);
    router.stop().expect(0);
    let verified = disk.run(&["journal", "verify"]).expect(0).out;
    assert!(verified.contains("no fault"), "{verified}");
    let router = disk.serve();
    taken.extend(small(&router, "last"));
    all_arrive(&target, &taken);
    router.stop().expect(0);
}

#[test]
fn a_start_on_a_full_disk_says_so_and_may_be_tried_again() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    let Some(disk) = small_disk(&scene, &target) else { return };
    // On an old data folder, and on a new one.
    for left in [0, 16 << 10] {
        let router = disk.serve();
        small(&router, &format!("before-{left}"));
        target.wait_for_count("/a", 1, LONG).unwrap();
        router.stop().expect(0);
        disk.fill(left);
        let refused = disk.run(&["serve", "--listen", "127.0.0.1:0"]).expect(1).err;
        for word in ["state.sqlite: the disk is full", "are free", "make room on that disk"] {
            assert!(refused.contains(word), "{left} bytes are left: {refused}");
        }
        assert!(!refused.contains("away"), "{refused}");
        disk.make_room();
    }
    disk.fill(0);
    let empty = format!("{}/new", scene.path("data").display());
    let refused = disk.run(&["serve", "--listen", "127.0.0.1:0", "--data", &empty]).expect(1).err;
    for word in ["the disk is full", "are free", "make room on that disk"] {
        assert!(refused.contains(word), "{refused}");
    }
    disk.make_room();
    disk.serve().stop().expect(0);
}
