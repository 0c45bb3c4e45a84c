//! Ten thousand targets whose places were not written down when the router was killed.
//!
//! Nothing matches what is posted, so that the places of all move without anything to write down at once: after a
//! kill all of them are as far behind as the last seconds were busy.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use serde_json::Value;

use crate::clock::now;
use crate::load::{self, Load, as_f64};
use crate::process::Process;
use crate::sample::Sample;
use crate::table::{Table, count, line, percent};

const TARGETS: u64 = 10_000;
const EVENTS: u64 = 100_000;
const BATCH: u64 = 100;
const TIME_MAX: Duration = Duration::from_secs(600);
/// Between two looks of somebody who waits for the router to be ready.
const LOOK: Duration = Duration::from_millis(1);
/// Between two looks at the places of all.
const ASK: Duration = Duration::from_millis(100);

/// How the router before ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    InOrder,
    Killed,
}

pub(crate) fn bench(folder: &Path) -> anyhow::Result<()> {
    line(&format!(
        "Catching up: {} targets, {} events that none of them wants, and then",
        count(as_f64(TARGETS)),
        count(as_f64(EVENTS))
    ));
    let folder = folder.join("behind");
    let mut rules = String::new();
    for number in 0..TARGETS {
        write!(
            rules,
            "---\nname: r{number}\npattern: {{ source: [of-{number}] }}\ntargets:\n  - {{ id: t, http: \"http://127.0.0.1:9/\" }}\n"
        )?;
    }
    let start = || Process::router(&folder, std::slice::from_ref(&rules));
    let client = load::client()?;
    let mut router = start()?;
    let ends = [(End::InOrder, "a stop in order"), (End::Killed, "SIGKILL")];
    let mut figures: [[Sample; 3]; 2] = Default::default();
    for _ in 0..crate::ROUNDS {
        for (of_end, (end, _)) in figures.iter_mut().zip(ends) {
            let load =
                Load { requests_max: EVENTS / BATCH, ..Load::batches("/events", 4, TIME_MAX) };
            load.run(&client, &router)?;
            match end {
                End::InOrder => router.stop()?,
                End::Killed => drop(router),
            }
            let begun = now();
            let ms = || begun.elapsed().as_secs_f64() * 1e3;
            router = start()?;
            while router.get("/readyz").is_err() {
                std::thread::sleep(LOOK);
            }
            let ready = ms();
            while is_behind(&router)? {
                ensure!(begun.elapsed() < TIME_MAX, "some targets are still behind");
                std::thread::sleep(ASK);
            }
            let processor = router.processor_time()?.as_secs_f64() * 1e3;
            of_end.iter_mut().zip([ready, ms(), processor]).for_each(|(one, ms)| one.push(ms));
        }
    }
    let columns = ["after", "ready ms", "spread", "nobody behind ms", "CPU ms until then"];
    let mut table = Table::new(&columns);
    for ([ready, caught_up, processor], (_, name)) in figures.iter().zip(ends) {
        table.row(vec![
            name.to_owned(),
            count(ready.median()),
            percent(ready.spread()),
            count(caught_up.median()),
            count(processor.median()),
        ]);
    }
    table.print();
    Ok(())
}

fn is_behind(router: &Process) -> anyhow::Result<bool> {
    let status: Value = serde_json::from_slice(&router.get("/api/v1/status")?)?;
    let all = status["router"]["subscriptions"].as_array();
    Ok(all.into_iter().flatten().any(|one| one["lag"].as_u64() != Some(0)))
}
