//! The state database: gone, another's, or no database any more.

use std::fs;

use receiver::Receiver;

use super::{Damaged, EVENTS, NEXT, Sound, event, is_found, rule};
use crate::harness::{LONG, Scene};

const STATE: &str = "data/state.sqlite";

type Plant<'a> = Box<dyn Fn(&Scene) + 'a>;

#[test]
fn without_its_database_the_router_says_so_and_what_it_has_can_be_replayed() {
    let sound = Sound::new();
    let damaged = sound.damaged(|scene| fs::remove_file(scene.path(STATE)).unwrap());
    let scene = &damaged.scene;
    is_found(scene, STATE);
    let router = scene.serve();
    router.process.err.wait_for("there is a journal but no state", 0);
    router.process.err.wait_for(STATE, 0);
    damaged.serves(router, "--bus", 0..EVENTS);
    scene.run(&["journal", "verify"]).expect(0);
}

#[test]
fn a_database_that_is_not_this_journals_is_refused_and_named() {
    let sound = Sound::new();
    let (other, target) = (Scene::new(), Receiver::start().unwrap());
    other.write("rules/a.yaml", rule(&target));
    let router = other.serve();
    (0..EVENTS + 9).for_each(|number| _ = router.send(&event(number)).ids());
    target.wait_for_count("/a", usize::try_from(EVENTS + 9).unwrap(), LONG).unwrap();
    router.stop().expect(0);

    let garbage =
        |from: usize| move |scene: &Scene| scene.edit(STATE, |bytes| bytes[from..].fill(0x5a));
    let plants: [(Plant<'_>, &str); 4] = [
        (
            Box::new(|scene| _ = fs::copy(other.path(STATE), scene.path(STATE)).unwrap()),
            "another journal",
        ),
        (Box::new(|scene| scene.edit(STATE, |bytes| bytes.truncate(9000))), "malformed"),
        (Box::new(garbage(0)), "not a database"),
        (Box::new(garbage(100)), "malformed"),
    ];
    for (damage, what) in plants {
        let Damaged { scene, target } = sound.damaged(damage);
        is_found(&scene, STATE);
        let before = fs::read(scene.path(STATE)).unwrap();
        let refused = scene.run(&["serve", "--listen", "127.0.0.1:0"]).expect(78);
        refused.says(&["state.sqlite", what, "move", "restore"]);
        assert!(fs::read(scene.path(STATE)).unwrap() == before, "{what}: it is as it was");
        // No repair of the journal touches it.
        let asked = scene.run(&["journal", "repair", "--yes"]).expect(1);
        assert!(asked.err.contains("not repaired") && asked.err.contains(STATE), "{}", asked.err);
        // The mend that is named.
        fs::rename(scene.path(STATE), scene.path("aside")).unwrap();
        let router = scene.serve();
        router.send(&event(NEXT)).ids();
        target.wait_for_count("/a", 1, LONG).unwrap();
        router.stop().expect(0);
    }
}

#[test]
fn a_journal_that_is_gone_is_not_begun_anew_under_a_database_that_remembers_it() {
    let sound = Sound::new();
    let Damaged { scene, .. } =
        sound.damaged(|scene| fs::remove_dir_all(scene.path("data/journal")).unwrap());
    let refused = || scene.run(&["serve", "--listen", "127.0.0.1:0"]).expect(78);
    refused().says(&["the journal is gone", "restore both", "state.sqlite"]);
    refused();
    fs::rename(scene.path("data"), scene.path("old")).unwrap();
    scene.serve().stop().expect(0);
}
