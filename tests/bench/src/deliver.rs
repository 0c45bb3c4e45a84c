//! From end to end: events in over HTTP, synced, matched, and delivered to a target that counts them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::clock::now;
use crate::load::{self, Load, as_f64};
use crate::process::Process;
use crate::sample::Sample;
use crate::table::{Table, count, line, percent};

const WINDOW: Duration = Duration::from_millis(1500);
/// How long the last delivery may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at the target's counter.
const PAUSE: Duration = Duration::from_millis(5);

pub(crate) fn bench(folder: &Path) -> anyhow::Result<()> {
    line(
        "From end to end: ingest, match, deliver each event to a local HTTP target, until the last has arrived",
    );
    let target = Process::bare()?;
    let rule = format!(
        "name: orders\npattern: {{ detail-type: [OrderCreated] }}\ntargets:\n  - id: counter\n    http: {{ url: \"http://{}/events\" }}\n",
        target.address
    );
    let router = Process::router(&folder.join("deliver"), &[rule])?;
    let client = load::client()?;
    let mut table = Table::new(&["load", "delivered/s", "spread", "ingested/s meanwhile"]);
    let loads = [
        ("64 connections, for 1.5 s", Load::singles(64, WINDOW)),
        (
            "8 × batches of 100, 15,000 events",
            Load { requests_max: 150, ..Load::batches(8, WINDOW) },
        ),
    ];
    for (name, load) in &loads {
        let (mut delivered, mut ingested) = (Sample::default(), Sample::default());
        let warm_up = Load { window: WINDOW / 3, ..load.clone() };
        round(&warm_up, &client, &router, &target)?;
        for _ in 0..crate::ROUNDS {
            let (out, into) = round(load, &client, &router, &target)?;
            delivered.push(out);
            ingested.push(into);
        }
        table.row(vec![
            (*name).to_owned(),
            count(delivered.median()),
            percent(delivered.spread()),
            count(ingested.median()),
        ]);
    }
    table.print();
    Ok(())
}

/// Events a second that arrived, over the time until the last one had, and that were acknowledged, while they were.
fn round(
    load: &Load,
    client: &tokio::runtime::Runtime,
    router: &Process,
    target: &Process,
) -> anyhow::Result<(f64, f64)> {
    let before = arrived(target)?;
    let round = load.run(client, router)?;
    let ingested = as_f64(round.events) / round.began.elapsed().as_secs_f64();
    let limit = now() + PATIENCE;
    while arrived(target)? < before + round.events {
        if limit <= now() {
            let status = router.get("/api/v1/status")?;
            bail!(
                "{} events were sent, {} arrived: {}",
                round.events,
                arrived(target)? - before,
                String::from_utf8_lossy(&status)
            );
        }
        std::thread::sleep(PAUSE);
    }
    Ok((as_f64(round.events) / round.began.elapsed().as_secs_f64(), ingested))
}

fn arrived(target: &Process) -> anyhow::Result<u64> {
    let text = String::from_utf8(target.get("/count")?)?;
    text.parse().with_context(|| format!("a count: {text}"))
}
