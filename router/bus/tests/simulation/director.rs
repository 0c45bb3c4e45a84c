//! What happens to a router while it runs: reloads, weather, replays, redrives.

use std::sync::Mutex;

use slipswitch_bus::Router;
use slipswitch_bus::journal::SealWhat;

use crate::model::Version;
use crate::rules::{self, Generation};
use crate::targets::Mood;
use crate::world::Sim;
use crate::{archives, keys, letters, replays, stops};

pub(crate) async fn direct(sim: &Sim, router: &Router, rules: &Mutex<Generation>, is_last: bool) {
    for _ in 0..sim.draw(16) {
        sim.sleep(300).await;
        match sim.draw(26) {
            0..=3 => swap(sim, router, rules).await,
            4..=7 => mood(sim),
            8 => {
                let fails = [0, 0, 30, 100][usize::try_from(sim.draw(4)).expect("small")];
                sim.note(|| format!("of a hundred transactions {fails} fail"));
                sim.lock().transactions_fail = fails;
            }
            9 => disk(sim, is_last),
            10 => {
                let by = i64::try_from(sim.draw(20_000)).expect("small") - 10_000;
                sim.note(|| format!("the wall clock jumps by {by} ms"));
                keys::jump(sim, by);
            }
            11 | 12 => replays::start(sim, router).await,
            13 => replays::steer(sim, router).await,
            14..=17 => seal(sim, router).await,
            18 | 19 => archives::change(sim, router).await,
            20..=22 => letters::tend(sim, router).await,
            23 => stops::end_all(sim, router).await,
            _ => stops::change(sim, router).await,
        }
    }
}

async fn swap(sim: &Sim, router: &Router, rules: &Mutex<Generation>) {
    let from = router.status().dispatched;
    let (next, early) = {
        let mut state = sim.lock();
        let before = rules.lock().expect("nothing panics with it");
        let next = rules::draw(&mut state.random, Some(&before));
        state.note(|| format!("swap, not before {from}, to {next:?}"));
        let early = state.model.early.clone();
        state.model.note_early(&next, |bus| router.journal().first_offset(bus).get());
        state.model.forget_paused(&next);
        let version = Version { from, surely: None, is_first: false, rules: next.clone() };
        state.model.versions.push(version);
        state.model.history.push(next.clone());
        for replay in state.model.replays.values_mut() {
            replay.versions.push(next.clone());
        }
        (next, early)
    };
    let swapped = router.swap(rules::load(&next)).await;
    let mut state = sim.lock();
    state.note(|| format!("swapped: {swapped:?}"));
    match swapped {
        Ok(at) => {
            let version = state.model.versions.last_mut().expect("it was pushed");
            (version.from, version.surely) = (at.get(), Some(at.get()));
            // It may have taken a while, in which events have expired.
            for (key, from) in &mut state.model.early {
                if !early.contains_key(key) {
                    *from = router.journal().first_offset(&key.bus).get();
                }
            }
            *rules.lock().expect("nothing panics with it") = next;
        }
        Err(_) => {
            state.model.versions.pop();
            state.model.early = early;
        }
    }
}

fn mood(sim: &Sim) {
    let mut state = sim.lock();
    let target = format!("r{}.{}", state.random.below(5), ["x", "y"][state.random.index(2)]);
    let random = &mut state.random;
    let mood = match random.below(7) {
        0 => Mood { target, fails: 100, hangs: 0, refuses: 0, goes: 0, slow: 20 },
        1 => Mood { target, fails: 20, hangs: 0, refuses: 0, goes: 0, slow: 50 },
        2 => Mood { target, fails: 0, hangs: 50, refuses: 0, goes: 0, slow: 5 },
        3 => Mood { target, fails: 10, hangs: 10, refuses: 30, goes: 0, slow: 5 },
        4 => Mood { target, fails: 0, hangs: 0, refuses: 0, goes: 0, slow: 3000 },
        5 => Mood { target, fails: 10, hangs: 0, refuses: 0, goes: 30, slow: 20 },
        _ => Mood { target, fails: 0, hangs: 0, refuses: 0, goes: 0, slow: 0 },
    };
    state.note(|| format!("{mood:?}"));
    state.moods.retain(|old| old.target != mood.target);
    state.moods.push(mood);
}

fn disk(sim: &Sim, is_last: bool) {
    let (what, after) = (sim.draw(4), sim.draw(30));
    sim.note(|| format!("trouble {what} with the disk in {after} steps"));
    sim.lock().model.weak.has_trouble |= what == 2 || what < 2 && !is_last;
    sim.faults(|faults| match what {
        0 if !is_last => faults.sync_fails_after = Some(after),
        1 if !is_last => faults.write_fails_after = Some(after),
        2 => faults.capacity = Some(40_000 + 2000 * after),
        _ => faults.capacity = None,
    });
}

/// As the router does now and then.
async fn seal(sim: &Sim, router: &Router) {
    let what = if sim.chance(50) { SealWhat::All } else { SealWhat::Full };
    let expires = sim.chance(40);
    let is_last = sim.is_last_step();
    if is_last {
        let inside = sim.draw(30);
        sim.faults(|faults| faults.power_after = Some(inside));
    }
    let sealed = router.seal(what);
    if expires {
        router.expire().await;
    }
    let to = router.journal().sealed_to();
    sim.note(|| format!("sealed to {to}, expired {expires}: {sealed:?}"));
    if is_last {
        sim.note(|| "the process ends in a round of sealing".to_owned());
        sim.die();
    }
}

/// From now on everything works.
pub(crate) fn clear(sim: &Sim) {
    sim.note(|| "the weather clears".to_owned());
    let mut state = sim.lock();
    state.is_clear = true;
    state.moods.clear();
    state.transactions_fail = 0;
    drop(state);
    sim.faults(|faults| {
        faults.capacity = None;
        faults.write_fails_after = None;
        faults.sync_fails_after = None;
    });
}
