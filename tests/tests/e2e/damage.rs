//! What is broken behind the router's back: start and `journal verify` say what, the rest is served, and
//! `journal repair` does what it says.
//!
//! The folder that is damaged: events 0 to 11 in three sealed segments and in an archive's three, events 12 to 17
//! hot alone, everything delivered, the router stopped in order.

mod hot;
mod sealed;
mod state;

use std::collections::BTreeSet;

use receiver::Receiver;

use crate::harness::{Ended, LONG, Router, Scene};

const SEALED: u64 = 12;
const EVENTS: u64 = 18;
/// No other test's rule takes it.
const NEXT: u64 = 100;

const BUS: &str = "data/sealed/default";
const ARCHIVE: &str = "data/archives/all";

struct Sound {
    scene: Scene,
}

/// A copy of it that something was done to, with a target of its own.
struct Damaged {
    scene: Scene,
    target: Receiver,
}

fn event(number: u64) -> String {
    format!(r#"{{"id":"e-{number}","source":"a","detail-type":"T","detail":{{"n":{number}}}}}"#)
}

fn rule(target: &Receiver) -> String {
    let url = target.url("/a");
    format!("name: a\npattern: {{ source: [a] }}\ntargets: [{{ id: out, http: '{url}' }}]\n")
}

fn configuration(seal_after: &str) -> String {
    format!(
        "journal: {{ segment_bytes: 16MiB, seal_after: {seal_after} }}\nreload: {{ debounce_ms: 10, poll_ms: 500 }}\n"
    )
}

impl Sound {
    fn new() -> Self {
        let target = Receiver::start().unwrap();
        let scene = Scene::new();
        scene.write("rules/a.yaml", rule(&target));
        // Its log says when something was sealed.
        scene.write("slipswitch.yaml", configuration("1s") + "log: { level: debug }\n");
        let router = scene.serve();
        router.run(&["archive", "create", "all", "--bus", "default"]).expect(0);
        let mut sealed = 0;
        for begin in (0..SEALED).step_by(4) {
            (begin..begin + 4).for_each(|number| _ = router.send(&event(number)).ids());
            sealed = router.process.err.wait_for("events sealed", sealed).0 + 1;
        }
        router.stop().expect(0);
        scene.write("slipswitch.yaml", configuration("1h"));
        let router = scene.serve();
        (SEALED..EVENTS).for_each(|number| _ = router.send(&event(number)).ids());
        target.wait_for_count("/a", EVENTS.try_into().unwrap(), LONG).unwrap();
        router.stop().expect(0);
        Self { scene }
    }

    fn damaged(&self, damage: impl FnOnce(&Scene)) -> Damaged {
        let (scene, target) = (self.scene.copy(), Receiver::start().unwrap());
        scene.write("rules/a.yaml", rule(&target));
        damage(&scene);
        Damaged { scene, target }
    }
}

impl Damaged {
    /// Replays all there is, and sends one event more: just these arrive. Ends the router.
    fn serves(&self, router: Router, from: &str, expected: impl IntoIterator<Item = u64>) -> Ended {
        let expected: BTreeSet<_> =
            expected.into_iter().map(|number| format!("e-{number}")).collect();
        let words = ["replay", "start", from, if from == "--bus" { "default" } else { "all" }];
        router.run(&[&words[..], &["--since", "1h", "--name", "again"]].concat()).expect(0);
        let id =
            |request: &receiver::Request| request.header("slipswitch-event-id").unwrap().to_owned();
        let arrived =
            |requests: &[receiver::Request]| requests.iter().map(id).collect::<BTreeSet<_>>();
        let requests =
            self.target.wait_for(LONG, |requests| expected.is_subset(&arrived(requests)));
        assert_eq!(arrived(&requests.unwrap()), expected);
        router.send(&event(NEXT)).ids();
        let next = format!("e-{NEXT}");
        self.target.wait_for(LONG, |requests| arrived(requests).contains(&next)).unwrap();
        router.stop().expect(0)
    }
}

/// `journal verify` finds a fault, and names this file.
#[track_caller]
fn is_found(scene: &Scene, file: &str) {
    let found = scene.run(&["journal", "verify", "-o", "json"]).expect(1).json();
    let faults = found["faults"].as_array().unwrap();
    let is_named = faults.iter().any(|fault| fault["path"].as_str().unwrap().ends_with(file));
    assert!(is_named, "{file} is not among {found:#}");
}

/// A start refuses, names the file and the mend, and changes nothing that verify sees.
#[track_caller]
fn is_refused(scene: &Scene, file: &str) {
    let refused = scene.run(&["serve", "--listen", "127.0.0.1:0"]).expect(78);
    refused.says(&[file, "slipswitch journal repair", "from a copy"]);
    is_found(scene, file);
}

/// `journal repair` asks, does it when it is told to, and leaves no fault.
#[track_caller]
fn is_repaired(scene: &Scene, file: &str) -> String {
    let asked = scene.run(&["journal", "repair"]).expect(2);
    assert!(asked.out.contains(file), "{}", asked.out);
    let done = scene.run(&["journal", "repair", "--yes"]).expect(0).out;
    let verified = scene.run(&["journal", "verify"]).expect(0).out;
    assert!(verified.contains("no fault"), "{verified}");
    done
}

fn flip(scene: &Scene, path: &str, at: usize) {
    scene.edit(path, |bytes| bytes[at] ^= 4);
}

/// Where a part begins that starts with these letters.
fn find(scene: &Scene, path: &str, magic: &[u8], number: usize) -> usize {
    let bytes = std::fs::read(scene.path(path)).unwrap();
    let places = bytes.windows(magic.len()).enumerate().filter(|(_, window)| *window == magic);
    places.map(|(at, _)| at).nth(number).unwrap()
}
