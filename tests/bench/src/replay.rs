//! The past once more: an archive that is sealed, replayed to a target that counts.
//!
//! The rule wants replayed events alone, so that filling the archive delivers nothing.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use crate::clock::now;
use crate::http::Http;
use crate::load::{self, Load, as_f64};
use crate::process::Process;
use crate::sample::Sample;
use crate::table::{Table, count, line, percent};

/// Events in the archive, a hundredth of them of the campaign, next to each other.
const EVENTS: u64 = 200_000;
const CAMPAIGN: u64 = EVENTS / 100;
const BATCH: u64 = 100;
/// Deliveries of a replay that are under way at a time.
const CONCURRENCY: u64 = 16;
const TIME_MAX: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(5);

/// What is replayed: a name for the table, the target, and the pattern.
const KINDS: [(&str, &str, &str, u64); 4] = [
    ("all, one event a request", "each", "{}", EVENTS),
    ("all, batches of 100", "batched", "{}", EVENTS),
    (
        "a hundredth, here and there",
        "each",
        r#"{"detail": {"shipping": {"service": ["express"]}}}"#,
        EVENTS / 100,
    ),
    ("a hundredth, in one place", "each", r#"{"detail": {"campaign": ["tet-2027"]}}"#, CAMPAIGN),
];

pub(crate) fn bench(folder: &Path) -> anyhow::Result<()> {
    let target = Process::target()?;
    let url = format!("http://{}/", target.address);
    let rule = format!(
        "name: again\npattern: {{ replay-name: [{{ exists: true }}] }}\ntargets:\n  \
         - id: each\n    http: {{ url: \"{url}\" }}\n  \
         - id: batched\n    http: {{ url: \"{url}\" }}\n    batch: {{ events: 100, within: 20ms }}\n"
    );
    let settings = "journal: { seal_after: 1s }\n";
    let router = Process::router_with(&folder.join("replay"), &[rule], settings)?;
    router.post("/api/v1/archives", &json!({ "name": "all" }))?;
    fill(&router)?;
    let archive: Value = serde_json::from_slice(&router.get("/api/v1/archives/all")?)?;
    let raw_bytes = sealed(&router)?["sealed"][0]["raw_bytes"].as_f64().context("raw bytes")?;
    line(&format!(
        "Replay of a sealed archive: {} events, {:.0} MB, {:.0} MB on disk; {CONCURRENCY} deliveries at a time",
        count(as_f64(EVENTS)),
        raw_bytes / 1e6,
        archive["size_bytes"].as_f64().context("its size")? / 1e6,
    ));
    let mut table = Table::new(&[
        "replayed",
        "events/s of the archive",
        "spread",
        "MB/s",
        "delivered/s",
        "router CPU µs/event",
    ]);
    for (index, (name, to, pattern, expected)) in KINDS.iter().enumerate() {
        let (mut rate, mut processor) = (Sample::default(), Sample::default());
        for round in 0..crate::ROUNDS {
            let ask = json!({
                "name": format!("replay-{index}-{round}"),
                "archive": "all",
                "since": "2020-01-01T00:00:00Z",
                "targets": [format!("again/{to}")],
                "concurrency": CONCURRENCY,
                "pattern": serde_json::from_str::<Value>(pattern)?,
            });
            let spent = router.processor_time()?;
            let seconds = replay(&router, ask, *expected)?;
            let spent = router.processor_time()?.saturating_sub(spent);
            rate.push(as_f64(EVENTS) / seconds);
            processor.push(spent.as_secs_f64() * 1e6 / as_f64(EVENTS));
        }
        table.row(vec![
            (*name).to_owned(),
            count(rate.median()),
            percent(rate.spread()),
            count(rate.median() * raw_bytes / as_f64(EVENTS) / 1e6),
            count(rate.median() * as_f64(*expected) / as_f64(EVENTS)),
            format!("{:.1}", processor.median()),
        ]);
    }
    table.print();
    Ok(())
}

/// Sends the events, and waits until all of them are sealed.
fn fill(router: &Process) -> anyhow::Result<()> {
    let client = load::client()?;
    let send = |dialect: Http, events: u64| -> anyhow::Result<()> {
        let requests_max = events / BATCH;
        let load = Load { requests_max, ..Load::new(dialect, BATCH, 8, TIME_MAX) };
        let sent = load.run(&client, router)?.events;
        ensure!(sent == events, "{sent} of {events} events were taken");
        Ok(())
    };
    send(Http::batches("/events"), EVENTS / 2)?;
    send(Http::campaign_batches("/events"), CAMPAIGN)?;
    send(Http::batches("/events"), EVENTS - EVENTS / 2 - CAMPAIGN)?;
    let limit = now() + TIME_MAX;
    while sealed(router)?["sealed_to"].as_u64() < Some(EVENTS) {
        ensure!(now() < limit, "the journal is not sealed: {}", sealed(router)?);
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// What the router says of its journal.
fn sealed(router: &Process) -> anyhow::Result<Value> {
    let mut status: Value = serde_json::from_slice(&router.get("/api/v1/status")?)?;
    Ok(status["router"]["journal"].take())
}

/// Carries one out; returns the seconds until it was complete.
fn replay(router: &Process, mut ask: Value, expected: u64) -> anyhow::Result<f64> {
    if ask["pattern"].as_object().is_some_and(serde_json::Map::is_empty) {
        ask.as_object_mut().context("an object")?.remove("pattern");
    }
    let path = format!("/api/v1/replays/{}", ask["name"].as_str().context("its name")?);
    let started = now();
    router.post("/api/v1/replays", &ask)?;
    loop {
        let state: Value = serde_json::from_slice(&router.get(&path)?)?;
        match state["state"].as_str() {
            Some("completed") if state["delivered"].as_u64() == Some(expected) => {
                return Ok(started.elapsed().as_secs_f64());
            }
            Some("running") if started.elapsed() < TIME_MAX => std::thread::sleep(PAUSE),
            _ => bail!("{expected} events were to be delivered: {state}"),
        }
    }
}
