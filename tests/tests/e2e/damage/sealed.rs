//! Sealed segments, archives and the delivery log: damage costs what it hit, and nothing else.

use std::fs;
use std::ops::Range;
use std::thread;

use super::{
    ARCHIVE, BUS, Damaged, EVENTS, NEXT, Sound, find, flip, is_found, is_refused, is_repaired,
};
use crate::harness::Scene;

const FIRST: &str = "00000000000000000000.evs";
const MIDDLE: &str = "00000000000000000004.evs";
const NEWEST: &str = "00000000000000000008.evs";

/// When the log names the file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    AtTheStart,
    WhenRead,
}
use Said::{AtTheStart, WhenRead};

type Damage = fn(&Scene, &str);

fn block(scene: &Scene, path: &str) -> usize {
    find(scene, path, b"SLBK", 0)
}

fn end(scene: &Scene, path: &str) -> usize {
    fs::read(scene.path(path)).unwrap().len()
}

const PLANTS: [(&str, Damage, Said, bool); 8] = [
    (FIRST, |scene, path| flip(scene, path, 20), AtTheStart, false),
    (MIDDLE, |scene, path| flip(scene, path, block(scene, path) + 30), WhenRead, true),
    (MIDDLE, |scene, path| flip(scene, path, block(scene, path) + 90), WhenRead, true),
    // The index, the only one of a block: 64 bytes before the filters and the trailer.
    (
        NEWEST,
        |scene, path| flip(scene, path, find(scene, path, b"SLIPEND", 0) - 120 - 60),
        WhenRead,
        false,
    ),
    (FIRST, |scene, path| flip(scene, path, end(scene, path) - 60), AtTheStart, false),
    (NEWEST, |scene, path| scene.edit(path, |bytes| bytes.truncate(100)), AtTheStart, true),
    (MIDDLE, |scene, path| fs::remove_file(scene.path(path)).unwrap(), AtTheStart, true),
    (NEWEST, |scene, path| fs::remove_file(scene.path(path)).unwrap(), AtTheStart, true),
];

fn events_in(name: &str) -> Range<u64> {
    let first: u64 = name.trim_end_matches(".evs").parse().unwrap();
    first..first + 4
}

#[test]
fn damage_in_sealed_segments_and_archives_costs_what_it_hit() {
    let sound = Sound::new();
    thread::scope(|threads| {
        for (at, (name, damage, said, is_lost)) in PLANTS.into_iter().enumerate() {
            // Each damage once in the bus's chain, some in the archive's, too.
            let folders = [(BUS, "--bus"), (ARCHIVE, "--archive")];
            for (folder, from) in folders.into_iter().take(1 + usize::from(at % 3 == 1)) {
                let path = format!("{folder}/{name}");
                let damaged = sound.damaged(|scene| damage(scene, &path));
                let gone = if is_lost { events_in(name) } else { 0..0 };
                threads.spawn(move || check(&damaged, (&path, from), said, gone));
            }
        }
    });
}

fn check(damaged: &Damaged, (path, from): (&str, &str), said: Said, gone: Range<u64>) {
    let scene = &damaged.scene;
    is_found(scene, path);
    let router = scene.serve();
    if said == AtTheStart {
        router.process.err.wait_for(path, 0);
    }
    let left = (0..EVENTS).filter(|number| !gone.contains(number));
    damaged.serves(router, from, left).says(&[path]);
    // They stand in the hot journal, too: nothing is lost.
    let done = is_repaired(scene, path);
    assert!(!done.contains("lost:"), "{done}");
    let ended = scene.serve().stop().expect(0);
    assert!(!ended.err.contains("damage"), "it is said once more: {}", ended.err);
    assert_eq!(exported(scene, from), all());
}

/// The events that are there now, but for the one more.
fn exported(scene: &Scene, from: &str) -> Vec<String> {
    let name = if from == "--bus" { "default" } else { "all" };
    let lines = scene.run(&["journal", "export", from, name]).expect(0).out;
    let ids = lines.lines().map(|line| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event["id"].as_str().unwrap().to_owned()
    });
    ids.filter(|id| *id != format!("e-{NEXT}")).collect()
}

fn all() -> Vec<String> {
    (0..EVENTS).map(|number| format!("e-{number}")).collect()
}

/// The four events in the middle cannot be read, of the bus and of the archive.
#[test]
fn whoever_passes_over_damage_says_how_much_it_was() {
    let sound = Sound::new();
    let Damaged { scene, target: _target } = sound.damaged(|scene| {
        for folder in [BUS, ARCHIVE] {
            let path = format!("{folder}/{MIDDLE}");
            flip(scene, &path, block(scene, &path) + 90);
        }
    });
    let router = scene.serve();
    assert_eq!(router.status()["router"]["journal"]["sealed"][0]["damaged"], 0);
    for (from, name, replay) in [("--bus", "default", "of-bus"), ("--archive", "all", "of-archive")]
    {
        let words = ["replay", "start", from, name, "--since", "1h"];
        let dry = router.run(&[&words[..], &["--dry-run"]].concat()).expect(0);
        assert!(dry.out.contains("events in the span: 14\n"), "{}", dry.out);
        dry.says(&["4 events of the span cannot be read"]);
        router.run(&[&words[..], &["--name", replay]].concat()).expect(0);
        router.wait_until(&format!("/api/v1/replays/{replay}"), |one| one["state"] == "completed");
    }
    let passed_over = |router: &crate::harness::Router| {
        for replay in ["of-bus", "of-archive"] {
            let shown = router.run(&["replay", "show", replay]).expect(0).out;
            for part in ["completed, 100.0 %", "14 delivered", "4 events could not be read"] {
                assert!(shown.contains(part), "{part} is not in {shown}");
            }
        }
    };
    passed_over(&router);
    let status = router.run(&["status"]).expect(0).out;
    for what in ["sealed segments of bus default", "archive all"] {
        assert!(status.contains(&format!("DAMAGED: {what}, 1 place;")), "{status}");
    }
    let metrics = router.get("/metrics").text();
    for labels in [r#"bus="default",archive="""#, r#"bus="",archive="all""#] {
        let line = format!("slipswitch_journal_damaged_blocks{{{labels}}} 1");
        assert!(metrics.contains(&line), "{line} is not in {metrics}");
    }
    router.run(&["events", "--since", "1h"]).expect(0).says(&["up to 4 events"]);
    let event = |id: &str| router.run(&["event", id]).expect(1);
    event("e-5").says(&["on bus `default` at offset 5", "damaged", "journal repair"]);
    event("nobody").says(&["one of the 4 events in damaged sealed segments"]);
    let log = router.stop().expect(0).err;
    let said = log.lines().filter(|line| line.contains("damaged")).count();
    assert_eq!(said, 2, "once for the bus, once for the archive: {log}");
    assert!(log.contains("sealed segments of bus default") && log.contains("archive all"), "{log}");

    let router = scene.serve();
    passed_over(&router);
    router.stop().expect(0);
}

#[test]
fn what_stands_in_two_places_is_lost_when_it_is_damaged_in_both() {
    let sound = Sound::new();
    let remove = |scene: &Scene, path: &str| fs::remove_file(scene.path(path)).unwrap();
    let hot = "data/journal/0000000000000001.hot";
    let event_five = 6 * 4096 + 60;
    // The archive has what the hot journal has lost.
    let damaged = sound.damaged(|scene| {
        remove(scene, &format!("{BUS}/{MIDDLE}"));
        flip(scene, hot, event_five);
    });
    let done = is_repaired(&damaged.scene, MIDDLE);
    assert!(!done.contains("lost:"), "{done}");
    assert_eq!(exported(&damaged.scene, "--bus"), all());
    let damaged = sound.damaged(|scene| {
        [BUS, ARCHIVE].iter().for_each(|folder| remove(scene, &format!("{folder}/{MIDDLE}")));
        flip(scene, hot, event_five);
    });
    let done = is_repaired(&damaged.scene, MIDDLE);
    let lost: Vec<_> = done.lines().filter(|line| line.starts_with("lost:")).collect();
    assert!(lost.len() == 2 && lost.iter().all(|line| line.contains("1 records")), "{done}");
    let left: Vec<_> = all().into_iter().filter(|id| id != "e-5").collect();
    assert_eq!(exported(&damaged.scene, "--bus"), left);
    assert_eq!(exported(&damaged.scene, "--archive"), left);
    // A whole folder is made again of what is hot.
    let damaged = sound.damaged(|scene| fs::remove_dir_all(scene.path(BUS)).unwrap());
    let done = is_repaired(&damaged.scene, "data/sealed");
    assert!(done.contains("was made anew") && !done.contains("lost:"), "{done}");
    damaged.serves(damaged.scene.serve(), "--bus", 0..EVENTS);
}

#[test]
fn without_a_manifest_nobody_knows_what_there_was_until_a_repair() {
    let sound = Sound::new();
    let remove: Damage = |scene, path| fs::remove_file(scene.path(path)).unwrap();
    for (folder, damage) in [(BUS, remove), (ARCHIVE, |scene, path| flip(scene, path, 50))] {
        let path = format!("{folder}/chain");
        let damaged = sound.damaged(|scene| damage(scene, &path));
        is_refused(&damaged.scene, &path);
        is_repaired(&damaged.scene, &path);
        damaged.serves(damaged.scene.serve(), "--bus", 0..EVENTS);
    }
}

#[test]
fn without_the_folder_of_sealed_segments_the_rest_is_served() {
    let sound = Sound::new();
    let damaged = sound.damaged(|scene| fs::remove_dir_all(scene.path("data/sealed")).unwrap());
    is_found(&damaged.scene, BUS);
    let router = damaged.scene.serve();
    router.process.err.wait_for("its folder is missing, with all that it held", 0);
    // The archive has a copy of what it was asked to keep.
    damaged.serves(router, "--archive", 0..EVENTS);
}

#[test]
fn damage_in_the_delivery_log_costs_the_attempts_it_hit_and_no_delivery() {
    let sound = Sound::new();
    let log = "data/attempts/00000000000000000000.evs.open";
    let Damaged { scene, target: _target } = sound.damaged(|scene| {
        let second = find(scene, log, b"SLBK", 1);
        flip(scene, log, second + 200);
    });
    is_found(&scene, log);
    let attempts = |scene: &Scene| {
        let parts = scene.run(&["journal", "info", "-o", "json"]).expect(0).json();
        let is_log = |part: &&serde_json::Value| part["part"] == "attempts";
        parts.as_array().unwrap().iter().find(is_log).unwrap()["records"].as_u64().unwrap()
    };
    let (all, left) = (attempts(&sound.scene), attempts(&scene));
    assert!(all == EVENTS && 0 < left && left < all, "{left} of {all}");
    let router = scene.serve();
    router.process.err.wait_for(log, 0);
    let told = |number: u64| router.run(&["event", &format!("e-{number}")]).expect(0).out;
    assert!(
        [0, EVENTS - 1].map(told).iter().all(|told| told.contains("delivered 2")),
        "both sides of it"
    );
    router.stop().expect(0);
    assert_eq!(attempts(&scene), left);
    scene.run(&["journal", "verify"]).expect(0);
    assert!(scene.path("data/attempts/damaged").is_dir());

    let remove = |scene: &Scene| fs::remove_file(scene.path("data/attempts/chain")).unwrap();
    let damaged = sound.damaged(remove);
    let scene = &damaged.scene;
    is_found(scene, "data/attempts/chain");
    let router = scene.serve();
    router.process.err.wait_for("data/attempts/chain", 0);
    damaged
        .serves(router, "--bus", 0..EVENTS)
        .says(&["attempts are not recorded", "journal repair"]);
    is_repaired(scene, "data/attempts/chain");
    scene.serve().stop().expect(0).says(&["listening"]);
    assert_eq!(attempts(scene), EVENTS);
}
