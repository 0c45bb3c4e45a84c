//! From end to end: events in over HTTP, synced, matched, and delivered to a target that counts them.
//!
//! Every event has a number, so that its arrival is held against its own acknowledgement.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::runtime::Runtime;

use crate::clock::now;
use crate::http::Http;
use crate::load::{self, Load, as_f64};
use crate::marks::Marks;
use crate::process::Process;
use crate::sample::{Sample, quantile};
use crate::table::{Table, count, line, percent};

const WINDOW: Duration = Duration::from_millis(1500);
/// How long the last delivery may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at the target's counter.
const PAUSE: Duration = Duration::from_millis(5);
/// What a steady sender sends of what the target was seen to take.
const STEADY: f64 = 0.5;

/// How the target is delivered to, and what its rule says for it.
const KINDS: [(&str, &str); 2] =
    [("one event each", ""), ("batches of 100", "    batch: { events: 100, within: 20ms }\n")];

/// A router with one target, and what is sent through it.
struct Route {
    router: Process,
    target: Process,
    client: Runtime,
    marks: Arc<Marks>,
}

/// What came of one round.
struct Outcome {
    delivered_per_second: f64,
    ingested_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    processor_micros: f64,
}

pub(crate) fn bench(folder: &Path) -> anyhow::Result<()> {
    line(
        "From end to end: ingest, match, deliver to a local HTTP target that counts, until the last has arrived;\n\
         p50 and p99 from the sender's 202 to the event's arrival",
    );
    let mut table = Table::new(&[
        "deliveries",
        "load",
        "delivered/s",
        "spread",
        "ingested/s meanwhile",
        "p50 ms",
        "p99 ms",
        "router CPU µs/event",
    ]);
    for (name, keys) in KINDS {
        let path = Route::start(&folder.join(name.replace(' ', "-")), keys)?;
        let marked = |dialect: Http, events, connections| Load {
            marks: Some(Arc::clone(&path.marks)),
            ..Load::new(dialect, events, connections, WINDOW)
        };
        let singles = marked(Http::marked_singles("/events"), 1, 64);
        let batches = Load { requests_max: 150, ..marked(Http::marked_batches("/events"), 100, 8) };
        let most =
            path.rounds(&mut table, [name, "64 connections, as fast as they can"], &singles)?;
        path.rounds(&mut table, [name, "15,000 events in batches of 100"], &batches)?;
        let steady = Load { pace: Some(most * STEADY), ..singles };
        path.rounds(&mut table, [name, "64 connections, half as many"], &steady)?;
    }
    table.print();
    Ok(())
}

impl Route {
    /// `keys`: what the target says besides its address.
    fn start(folder: &Path, keys: &str) -> anyhow::Result<Self> {
        let target = Process::target()?;
        let rule = format!(
            "name: orders\npattern: {{ detail-type: [OrderCreated] }}\ntargets:\n  - id: counter\n    http: {{ url: \"http://{}/events\" }}\n{keys}",
            target.address
        );
        let router = Process::router(folder, &[rule])?;
        Ok(Self { router, target, client: load::client()?, marks: Arc::new(Marks::new()) })
    }

    /// A row of the table; returns how many were delivered a second.
    fn rounds(&self, table: &mut Table, names: [&str; 2], load: &Load) -> anyhow::Result<f64> {
        let mut figures: [Sample; 5] = Default::default();
        self.round(&Load { window: WINDOW / 3, ..load.clone() })?;
        for _ in 0..crate::ROUNDS {
            let round = self.round(load)?;
            let values = [
                round.delivered_per_second,
                round.ingested_per_second,
                round.p50_ms,
                round.p99_ms,
                round.processor_micros,
            ];
            figures.iter_mut().zip(values).for_each(|(sample, value)| sample.push(value));
        }
        let [delivered, ingested, p50, p99, processor] = &figures;
        let mut cells = names.map(ToOwned::to_owned).to_vec();
        cells.extend([
            count(delivered.median()),
            percent(delivered.spread()),
            count(ingested.median()),
            format!("{:.1}", p50.median()),
            format!("{:.1}", p99.median()),
            format!("{:.1}", processor.median()),
        ]);
        table.row(cells);
        Ok(delivered.median())
    }

    /// Sends, and waits until the last event has arrived.
    fn round(&self, load: &Load) -> anyhow::Result<Outcome> {
        let before = self.arrived()?;
        let (first, spent) = (self.marks.given(), self.router.processor_time()?);
        let round = load.run(&self.client, &self.router)?;
        let ingested = as_f64(round.events) / round.began.elapsed().as_secs_f64();
        let limit = now() + PATIENCE;
        while self.arrived()? < before + round.events {
            if limit <= now() {
                let status = self.router.get("/api/v1/status")?;
                bail!(
                    "{} events were sent, {} arrived: {}",
                    round.events,
                    self.arrived()? - before,
                    String::from_utf8_lossy(&status)
                );
            }
            std::thread::sleep(PAUSE);
        }
        let delivered = as_f64(round.events) / round.began.elapsed().as_secs_f64();
        let spent = self.router.processor_time()?.saturating_sub(spent);
        let mut delays = self.marks.delays(first, &self.target.get("/arrivals")?);
        Ok(Outcome {
            delivered_per_second: delivered,
            ingested_per_second: ingested,
            p50_ms: quantile(&mut delays, 0.5) / 1e3,
            p99_ms: quantile(&mut delays, 0.99) / 1e3,
            processor_micros: spent.as_secs_f64() * 1e6 / as_f64(round.events.max(1)),
        })
    }

    fn arrived(&self) -> anyhow::Result<u64> {
        let text = String::from_utf8(self.target.get("/count")?)?;
        text.parse().with_context(|| format!("a count: {text}"))
    }
}
