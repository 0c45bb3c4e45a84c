//! The whole router in a made-up world: time, disk, database and targets come from a seed.
//!
//! ```text
//! SEED=123 cargo test -p slipswitch-bus --test simulation         one seed, with its trace when it fails
//! SEEDS=10000 cargo test -p slipswitch-bus --test simulation      so many, from 1 on
//! ```
//!
//! A run is several lives of one router over the same disk and database. In each, producers send,
//! targets fail, rules change; a life ends with a kill, a loss of power or a stop, at any step of
//! disk or database. In the last one the weather clears, and what was owed must have come.
//!
//! The code under test is the shipped code; `slipswitch_bus::simulation` says what is replaced.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "a seed that fails shows its trace")]

mod archives;
mod claims;
mod director;
mod fates;
mod journal;
mod keys;
mod letters;
mod model;
mod producers;
mod random;
mod replays;
mod rules;
mod run;
mod stops;
mod tally;
mod targets;
mod weak;
mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use run::{Run, run};
use world::Setting;

const SEEDS: u64 = 300;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

fn fail(seed: u64, run: &Run) -> ! {
    for line in &run.trace {
        eprintln!("{line}");
    }
    panic!(
        "seed {seed}:\n{}\n\nSEED={seed} cargo test -p slipswitch-bus --test simulation every_seed",
        run.violations.join("\n")
    );
}

#[test]
fn every_seed_keeps_every_promise() {
    let seeds = match number("SEED") {
        Some(seed) => seed..=seed,
        None => 1..=number("SEEDS").unwrap_or(SEEDS),
    };
    let (next, events) = (AtomicU64::new(*seeds.start()), AtomicUsize::new(0));
    let failed = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if !seeds.contains(&seed) || !failed.lock().unwrap().is_empty() {
                return;
            }
            let run = run(seed, Setting::default());
            events.fetch_add(run.events, Ordering::Relaxed);
            if !run.violations.is_empty() {
                failed.lock().unwrap().insert(seed, run);
            }
        }
    };
    // Each run is one thread's alone; several go side by side.
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    if let Some((seed, run)) = failed.into_inner().unwrap().pop_first() {
        fail(seed, &run);
    }
    assert!(0 < events.into_inner(), "something was acknowledged");
}

#[test]
fn one_seed_makes_one_trace() {
    for seed in [1, 2, 3, 4, 5, 6, 7, 8] {
        let (first, second) = (run(seed, Setting::default()), run(seed, Setting::default()));
        let differ = first.trace.iter().zip(&second.trace).find(|(one, other)| one != other);
        assert_eq!(differ, None, "seed {seed}");
        assert_eq!(first.trace.len(), second.trace.len());
    }
}

#[test]
fn a_disk_that_only_says_it_syncs_is_found_out() {
    let lies = Setting { sync_lies: true };
    let caught = (1..=30).filter(|seed| !run(*seed, lies).violations.is_empty()).count();
    assert!(10 < caught, "only {caught} of 30 runs noticed that syncs do nothing");
}
