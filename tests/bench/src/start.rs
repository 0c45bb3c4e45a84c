//! Starting over much: deliveries that wait for their next attempt, and gigabytes of journal.
//!
//! The deliveries are of targets that refuse connections, 10,000 of each, which is what a target may have by default.
//! Their next attempts are spread over a day. Behind them comes the journal: orders, and every tenth event with a
//! scanned slip, which nothing makes smaller. It is posted, a bus with `durability: { interval: 1s }` takes it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use serde_json::Value;

use crate::clock::now;
use crate::http::Http;
use crate::load::{self, Load, as_f64};
use crate::marks::Marks;
use crate::process::{PAUSE, Process};
use crate::sample::Sample;
use crate::table::{Table, count, line, percent};

/// How many deliveries wait.
pub(crate) const DELIVERIES: u64 = 1_000_000;

/// Of one target.
const WAITING: u64 = 10_000;
const BATCH: u64 = 100;
/// Of journal, for each delivery that waits: 10 GB for a million.
const JOURNAL_BYTES: u64 = 10_000;
const HOT_BYTES: u64 = 5 * 64 * 1024 * 1024;
const TIME_MAX: Duration = Duration::from_secs(900);
/// Between two looks of somebody who waits for the router to be ready.
const LOOK: Duration = Duration::from_millis(1);
/// When the router has read all that it reads after it is ready.
const LATER: Duration = Duration::from_secs(3);
/// Events that a router gets before it is killed.
const LAST_EVENTS: u64 = 5_000;

/// How the router before ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    InOrder,
    Killed,
    /// In order, and nothing of its files is in the kernel's memory.
    Forgotten,
}

const ENDS: [(End, &str); 3] = [
    (End::InOrder, "a stop in order"),
    (End::Killed, "SIGKILL under load"),
    (End::Forgotten, "a stop in order, page cache dropped"),
];

/// What one start took, in milliseconds and megabytes.
struct Times {
    ready: f64,
    accepted: f64,
    delivered: f64,
    memory_mb: f64,
    later_mb: f64,
    processor: f64,
}

struct Scene {
    folder: PathBuf,
    well: Process,
    rules: String,
    marks: Arc<Marks>,
}

pub(crate) fn bench(folder: &Path, deliveries: u64) -> anyhow::Result<()> {
    let scene = Scene::new(folder.join("start"), deliveries)?;
    let mut router = scene.router()?;
    scene.postpone(&router, deliveries)?;
    scene.fill(&router, deliveries * JOURNAL_BYTES)?;
    let status = status(&router)?;
    let (events, hot) = (&status["journal"]["next_offset"], &status["journal"]["bytes"]);
    let sealed: f64 = sum(&status["journal"]["sealed"], "bytes");
    let raw: f64 = sum(&status["journal"]["sealed"], "raw_bytes");
    let gigabytes = |bytes: f64| format!("{:.1} GB", bytes / 1e9);
    line(&format!(
        "Start of a router: {} deliveries wait, {} a target; {} events in the journal:\n\
         {} sealed ({} on disk), {} hot segments, {} of state",
        count(sum(&status["subscriptions"], "postponed")),
        count(as_f64(WAITING)),
        count(events.as_f64().unwrap_or(0.0)),
        gigabytes(raw),
        gigabytes(sealed),
        gigabytes(hot.as_f64().unwrap_or(0.0)),
        gigabytes(as_f64(scene.state_bytes())),
    ));
    let mut table = Table::new(&[
        "after",
        "ready ms",
        "spread",
        "first event taken ms",
        "first delivery ms",
        "CPU ms until then",
        "memory then, MB",
        "3 s later",
    ]);
    for (end, name) in ENDS {
        let mut figures: [Sample; 6] = Default::default();
        for _ in 0..crate::ROUNDS {
            let Some(ended) = scene.end(router, end)? else {
                router = scene.router()?;
                break;
            };
            let (started, times) = scene.start(ended)?;
            router = started;
            let values = [
                times.ready,
                times.accepted,
                times.delivered,
                times.processor,
                times.memory_mb,
                times.later_mb,
            ];
            figures.iter_mut().zip(values).for_each(|(sample, value)| sample.push(value));
        }
        let [ready, others @ ..] = &figures;
        let mut cells = vec![name.to_owned(), count(ready.median()), percent(ready.spread())];
        cells.extend(others.iter().map(|figure| count(figure.median())));
        table.row(cells);
    }
    table.print();
    Ok(())
}

/// That the router has ended.
struct Ended;

impl Scene {
    fn new(folder: PathBuf, deliveries: u64) -> anyhow::Result<Self> {
        let well = Process::target()?;
        let down = crate::process::free_address()?;
        let mut rules = format!(
            "name: marked\nbus: live\npattern: {{ id: [{{ prefix: bench- }}] }}\ntargets:\n  - id: well\n    http: {{ url: \"http://{}/\" }}\n",
            well.address
        );
        for number in 0..deliveries.div_ceil(WAITING) {
            write!(
                rules,
                "---\nname: down-{number}\npattern: {{ source: [com.shopvn.order] }}\ntargets:\n  - id: down\n    \
                 http: {{ url: \"http://{down}/{number}\" }}\n    batch: {{ events: {BATCH}, within: 20ms }}\n    \
                 circuit: {{ failures: 10000 }}\n    retry: {{ max_age: 7d, backoff: {{ min: 1d, max: 1d }} }}\n"
            )?;
        }
        Ok(Self { folder, well, rules, marks: Arc::new(Marks::new()) })
    }

    fn router(&self) -> anyhow::Result<Process> {
        let settings = "buses:\n  live: {}\n  filling: { durability: { interval: 1s }, retention: { bytes: 100GiB } }\n";
        Process::router_with(&self.folder, std::slice::from_ref(&self.rules), settings)
    }

    /// Has every target that is down refuse as many events as it may.
    fn postpone(&self, router: &Process, deliveries: u64) -> anyhow::Result<()> {
        let client = load::client()?;
        let events = deliveries.min(WAITING);
        let load = Load { requests_max: events / BATCH, ..Load::batches("/events", 1, TIME_MAX) };
        load.run(&client, router)?;
        let limit = now() + TIME_MAX;
        let expected = as_f64(deliveries.div_ceil(WAITING) * (events / BATCH * BATCH));
        loop {
            let waiting = sum(&status(router)?["subscriptions"], "postponed");
            if expected <= waiting {
                return Ok(());
            }
            ensure!(now() < limit, "only {waiting} of {expected} deliveries wait");
            std::thread::sleep(PAUSE);
        }
    }

    /// Fills the journal, and waits until all that is in full segments is sealed.
    fn fill(&self, router: &Process, bytes: u64) -> anyhow::Result<()> {
        let client = load::client()?;
        let (dialect, request_bytes) = Http::slips("/buses/filling/events");
        let requests_max = bytes / request_bytes;
        let load = Load { requests_max, ..Load::new(dialect, BATCH, 4, TIME_MAX) };
        load.run(&client, router)?;
        let limit = now() + TIME_MAX;
        // In the end there is the segment that is being filled, and a few that are ready to be.
        while as_f64(HOT_BYTES) < status(router)?["journal"]["bytes"].as_f64().unwrap_or(0.0) {
            ensure!(now() < limit, "the journal is still being sealed");
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Ends a router; none where the kernel's memory of its files cannot be emptied.
    fn end(&self, router: Process, end: End) -> anyhow::Result<Option<Ended>> {
        match end {
            End::InOrder => router.stop()?,
            End::Killed => {
                let load = Load {
                    requests_max: LAST_EVENTS / BATCH,
                    ..Load::batches("/buses/live/events", 4, TIME_MAX)
                };
                load.run(&load::client()?, &router)?;
                drop(router);
            }
            End::Forgotten => {
                router.stop()?;
                if fs::write("/proc/sys/vm/drop_caches", "3").is_err() {
                    return Ok(None);
                }
            }
        }
        Ok(Some(Ended))
    }

    /// Starts it, and asks until it is ready.
    fn start(&self, _ended: Ended) -> anyhow::Result<(Process, Times)> {
        let (begun, first) = (now(), self.marks.given());
        let ms = || begun.elapsed().as_secs_f64() * 1e3;
        let router = self.router()?;
        while router.get("/readyz").is_err() {
            std::thread::sleep(LOOK);
        }
        let ready = ms();
        let load = Load {
            marks: Some(Arc::clone(&self.marks)),
            requests_max: 1,
            ..Load::new(Http::marked_singles("/buses/live/events"), 1, 1, TIME_MAX)
        };
        load.run(&load::client()?, &router)?;
        let accepted = ms();
        while self.marks.delays(first, &self.well.get("/arrivals")?).is_empty() {
            ensure!(ms() < TIME_MAX.as_secs_f64() * 1e3, "nothing is delivered");
            std::thread::sleep(LOOK);
        }
        let delivered = ms();
        let (memory_mb, processor) =
            (router.memory_mb()?, router.processor_time()?.as_secs_f64() * 1e3);
        std::thread::sleep(LATER);
        let later_mb = router.memory_mb()?;
        Ok((router, Times { ready, accepted, delivered, memory_mb, later_mb, processor }))
    }

    fn state_bytes(&self) -> u64 {
        let files = ["state.sqlite", "state.sqlite-wal"];
        let size =
            |name| fs::metadata(self.folder.join("data").join(name)).map_or(0, |of| of.len());
        files.into_iter().map(size).sum()
    }
}

fn status(router: &Process) -> anyhow::Result<Value> {
    let mut status: Value = serde_json::from_slice(&router.get("/api/v1/status")?)?;
    Ok(status["router"].take())
}

fn sum(of: &Value, key: &str) -> f64 {
    of.as_array().into_iter().flatten().filter_map(|one| one[key].as_f64()).sum()
}
