//! What a plugin's neighbours notice of it when it misbehaves, in each of the ways that `misbehave` knows.
//!
//! Two rules want every event. One sends it through `order-summary` to a target that counts; the other through
//! `misbehave`. What is compared is how fast the first delivers: without the second rule, and with it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::runtime::Runtime;

use crate::clock::now;
use crate::http::Http;
use crate::load::{self, Load, as_f64};
use crate::process::{PAUSE, Process};
use crate::sample::Sample;
use crate::table::{count, line, percent};

/// Events of a round: enough for circuits to open, and to be probed.
const EVENTS: u64 = 500_000;
const EVENTS_PER_REQUEST: u64 = 100;
/// How long sending them may take, and the last delivery after it.
const PATIENCE: Duration = Duration::from_secs(120);
/// An even number.
const ROUNDS: usize = 2;
/// A second rule whose plugin behaves costs what a rule costs: what the others are to be held against.
const BEHAVES: &str = "behave";
const WAYS: [&str; 8] =
    [BEHAVES, "spin", "allocate", "recurse", "panic", "gigabyte", "log", "invalid"];

pub(crate) fn bench(folder: &Path, plugins: &Path) -> anyhow::Result<()> {
    line(&format!(
        "Neighbours of a plugin that misbehaves: deliveries a second of a rule through `order-summary`, {} events, alone \
         and with a second rule through `misbehave`, round by round in turns, each with a fresh router; `{BEHAVES}` is a \
         second rule that behaves",
        count(as_f64(EVENTS))
    ));
    line(&row(&[
        "beside it",
        "alone/s",
        "spread",
        "with it/s",
        "spread",
        "of alone",
        "CPU s alone",
        "CPU s with it",
    ]));
    let client = load::client()?;
    for way in WAYS {
        let (mut alone, mut beside) = (Sample::default(), Sample::default());
        let (mut alone_cpu, mut cpu) = (Sample::default(), Sample::default());
        // Each goes first as often as the other: what one has left to the disk slows the next.
        for round in 0..ROUNDS {
            let turns = if round % 2 == 0 { [None, Some(way)] } else { [Some(way), None] };
            for with in turns {
                let folder = folder.join(format!("neighbours-{way}-{round}"));
                let (rate, spent) = self::round(&folder, plugins, with, &client)?;
                let (rates, times) = match with {
                    None => (&mut alone, &mut alone_cpu),
                    Some(_) => (&mut beside, &mut cpu),
                };
                rates.push(rate);
                times.push(spent);
                fs::remove_dir_all(&folder)?;
            }
        }
        line(&row(&[
            way,
            &count(alone.median()),
            &percent(alone.spread()),
            &count(beside.median()),
            &percent(beside.spread()),
            &percent(beside.median() / alone.median()),
            &format!("{:.1}", alone_cpu.median()),
            &format!("{:.1}", cpu.median()),
        ]));
    }
    Ok(())
}

/// A row that stands alone: they are minutes apart.
fn row(cells: &[&str]) -> String {
    let mut text = String::from("  ");
    for (index, cell) in cells.iter().enumerate() {
        text += &if index == 0 { format!("{cell:<10}") } else { format!("{cell:>15}") };
    }
    text
}

/// Deliveries a second of the neighbour, and the router's processor time in seconds.
fn round(
    folder: &Path,
    plugins: &Path,
    way: Option<&str>,
    client: &Runtime,
) -> anyhow::Result<(f64, f64)> {
    let (target, other) = (Process::target()?, Process::target()?);
    let rule = |name: &str, to: String, plugin: &str, config: &str| {
        format!(
            "name: {name}\npattern: {{ detail-type: [OrderCreated] }}\ntargets:\n  - id: out\n    {to}\n    transform:\n      \
             - plugin: {plugin}\n        config: {config}\n"
        )
    };
    let to = |target: &Process| format!("http: {{ url: \"http://{}/events\" }}", target.address);
    let mut rules = vec![rule("neighbour", to(&target), "order-summary", "{}")];
    if let Some(way) = way {
        rules.push(rule("beside", to(&other), "misbehave", &format!("{{ how: {way} }}")));
    }
    let into = folder.join("plugins");
    fs::create_dir_all(&into)?;
    for name in ["order-summary.wasm", "misbehave.wasm"] {
        fs::copy(plugins.join(name), into.join(name)).with_context(|| format!("copy {name}"))?;
    }
    let router = Process::router(folder, &rules)?;
    let mut load = Load::new(Http::batches("/events"), EVENTS_PER_REQUEST, 8, PATIENCE);
    load.requests_max = EVENTS / EVENTS_PER_REQUEST;
    let round = load.run(client, &router)?;
    let limit = now() + PATIENCE;
    while arrived(&target)? < round.events {
        if limit <= now() {
            bail!("{} events were sent, {} arrived", round.events, arrived(&target)?);
        }
        std::thread::sleep(PAUSE);
    }
    let rate = as_f64(round.events) / round.began.elapsed().as_secs_f64();
    Ok((rate, router.processor_time()?.as_secs_f64()))
}

fn arrived(target: &Process) -> anyhow::Result<u64> {
    let text = String::from_utf8(target.get("/count")?)?;
    text.parse().with_context(|| format!("a count: {text}"))
}
