//! The hot journal: the one place where going on would lose what could be saved.

use std::fs;
use std::ops::Range;
use std::thread;

use super::{EVENTS, SEALED, Sound, flip, is_refused, is_repaired};
use crate::harness::Scene;

const TAIL: &str = "data/journal/0000000000000001.hot";

/// Where the frame of an event begins. There is a frame in each page.
fn frame(number: usize) -> usize {
    (number + 1) * 4096
}

#[test]
fn damage_in_the_hot_journal_stops_the_start_until_it_is_repaired() {
    let sound = Sound::new();
    let last = usize::try_from(EVENTS).unwrap() - 1;
    let lost = |events: Range<u64>| move |number: &u64| !events.contains(number);
    type Plant = (&'static str, Box<dyn Fn(&Scene)>, Range<u64>);
    let plant = |file, damage: fn(&Scene), lost| -> Plant { (file, Box::new(damage), lost) };
    let plants = [
        // What is sealed, too, is not lost.
        plant("1.hot", |scene| flip(scene, TAIL, frame(0) + 20), 0..0),
        plant("1.hot", |scene| flip(scene, TAIL, frame(14) + 1), 14..15),
        plant("1.hot", |scene| flip(scene, TAIL, frame(14) + 60), 14..15),
        plant("1.hot", |scene| scene.edit(TAIL, |bytes| bytes.truncate(frame(15) + 7)), 15..18),
        plant("1.hot", |scene| fs::remove_file(scene.path(TAIL)).unwrap(), 12..18),
        plant("store", |scene| flip(scene, "data/journal/store", 40), 0..0),
        plant("store", |scene| fs::remove_file(scene.path("data/journal/store")).unwrap(), 0..0),
    ];
    let tail = move |scene: &Scene| flip(scene, TAIL, frame(last) + 60);
    // The database remembers that it had been there: no torn tail.
    let tail: Plant = ("1.hot", Box::new(tail), 17..18);
    thread::scope(|threads| {
        for (file, damage, gone) in plants.into_iter().chain([tail]) {
            let damaged = sound.damaged(damage);
            threads.spawn(move || {
                let scene = &damaged.scene;
                is_refused(scene, file);
                let done = is_repaired(scene, file);
                assert_eq!(gone.is_empty(), !done.contains("lost:"), "{done}");
                let router = scene.serve();
                let status = router.status();
                let next = status["router"]["journal"]["next_offset"].as_u64().unwrap();
                assert!(EVENTS <= next, "{status:#}");
                damaged.serves(router, "--bus", (0..EVENTS).filter(lost(gone)));
            });
        }
    });

    // The newest is one that was only prepared.
    let spare = |scene: &Scene| {
        let newest = scene.names("data/journal", ".hot").pop().unwrap();
        assert!(!TAIL.ends_with(&newest));
        fs::remove_file(scene.path("data/journal").join(newest)).unwrap();
    };
    let damaged = sound.damaged(spare);
    damaged.serves(damaged.scene.serve(), "--bus", 0..EVENTS);
    let damaged = sound.damaged(|scene| {
        spare(scene);
        fs::remove_file(scene.path(TAIL)).unwrap();
    });
    is_refused(&damaged.scene, "1.hot");
    is_repaired(&damaged.scene, "1.hot");
    damaged.serves(damaged.scene.serve(), "--bus", 0..SEALED);
}
