//! A target that is down: what waits for it must cost neither memory nor the other targets' time.
//!
//! Every event is for the target that is down, and none of those that fill the backlog for the other one. That one
//! gets numbered events at a steady, modest rate: before, and while the backlog waits. The same is asked, in turns, of
//! a second router that has no backlog: what the machine does meanwhile it does to both.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Runtime;

use crate::clock::now;
use crate::http::Http;
use crate::load::{self, Load, as_f64};
use crate::marks::Marks;
use crate::process::{self, Process};
use crate::sample::{Sample, quantile};
use crate::table::{Table, count, line};

/// How many wait in the end.
pub(crate) const EVENTS: u64 = 5_000_000;

const STEPS: u64 = 10;
const BATCH: u64 = 100;
/// Events a second for the target that is well.
const STEADY: f64 = 500.0;
const WINDOW: Duration = Duration::from_secs(2);
/// A step of the filling takes as long as it takes, within this.
const STEP_TIME_MAX: Duration = Duration::from_secs(600);

struct Scene {
    /// Whose other target is down.
    loaded: Route,
    /// Without any other target.
    free: Route,
    client: Runtime,
}

/// A router and a target that is well.
struct Route {
    router: Process,
    well: Process,
    marks: Arc<Marks>,
}

pub(crate) fn bench(folder: &Path, events: u64) -> anyhow::Result<()> {
    line(&format!(
        "A backlog: one target is down, {} events wait for it; another gets {STEADY} others a second meanwhile",
        count(as_f64(events))
    ));
    let scene = Scene::start(&folder.join("backlog"))?;
    let mut table = Table::new(&[
        "waiting",
        "router's memory, MB",
        "ingested/s",
        "other target: p50 ms",
        "p99 ms",
        "without a backlog: p50 ms",
        "p99 ms",
        "p99 against it",
    ]);
    let mut memory = Sample::default();
    for step in 0..=STEPS {
        let mut rate = 0.0;
        if 0 < step {
            rate = scene.fill(events / STEPS)?;
        }
        let now_mb = scene.loaded.router.memory_mb()?;
        memory.push(now_mb);
        let mut cells = vec![count(scene.waiting()?), count(now_mb), count(rate)];
        // Before, in the middle, and in the end.
        if step.is_multiple_of(STEPS / 2) {
            let [(p50, p99), (free_p50, free_p99)] = scene.delays()?;
            cells.extend([p50, p99, free_p50, free_p99].map(|ms| format!("{ms:.2}")));
            cells.push(format!("{:.2}", p99 / free_p99));
        }
        table.row(cells);
    }
    table.print();
    line(&format!(
        "  memory between least and most: {} MB\n",
        count(memory.spread() * memory.median())
    ));
    Ok(())
}

impl Scene {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        let down = format!(
            "name: everything\npattern: {{ source: [com.shopvn.order] }}\ntargets:\n  - id: down\n    http: {{ url: \"http://{}/\" }}\n---\n",
            process::free_address()?,
        );
        Ok(Self {
            loaded: Route::start(&folder.join("loaded"), &down)?,
            free: Route::start(&folder.join("free"), "")?,
            client: load::client()?,
        })
    }

    /// Sends as fast as it is taken; returns how many a second that is.
    fn fill(&self, events: u64) -> anyhow::Result<f64> {
        let load =
            Load { requests_max: events / BATCH, ..Load::batches("/events", 8, STEP_TIME_MAX) };
        let started = now();
        load.run(&self.client, &self.loaded.router)?;
        Ok(as_f64(events) / started.elapsed().as_secs_f64())
    }

    /// Events that the target which is down has not had.
    fn waiting(&self) -> anyhow::Result<f64> {
        let status: serde_json::Value =
            serde_json::from_slice(&self.loaded.router.get("/api/v1/status")?)?;
        let subscriptions =
            status["router"]["subscriptions"].as_array().context("subscriptions")?;
        let down = subscriptions.iter().find(|one| one["target"] == "down").context("the rule")?;
        down["lag"].as_f64().context("its lag")
    }

    /// Medians over rounds of p50 and p99, from acknowledgement to arrival at the target that is well.
    fn delays(&self) -> anyhow::Result<[(f64, f64); 2]> {
        let mut figures: [(Sample, Sample); 2] = Default::default();
        for round in 0..crate::ROUNDS {
            let mut turns = [(&self.loaded, 0), (&self.free, 1)];
            turns.rotate_left(round % 2);
            for (route, index) in turns {
                let (p50, p99) = route.round(&self.client)?;
                figures[index].0.push(p50);
                figures[index].1.push(p99);
            }
        }
        Ok(figures.map(|(p50, p99)| (p50.median(), p99.median())))
    }
}

impl Route {
    /// `other`: the rule of another target.
    fn start(folder: &Path, other: &str) -> anyhow::Result<Self> {
        let well = Process::target()?;
        let rules = format!(
            "{other}name: marked\npattern: {{ id: [{{ prefix: bench- }}] }}\ntargets:\n  - id: well\n    http: {{ url: \"http://{}/\" }}\n",
            well.address
        );
        let router = Process::router(folder, &[rules])?;
        Ok(Self { router, well, marks: Arc::new(Marks::new()) })
    }

    /// p50 and p99 in milliseconds.
    fn round(&self, client: &Runtime) -> anyhow::Result<(f64, f64)> {
        let load = Load {
            pace: Some(STEADY),
            marks: Some(Arc::clone(&self.marks)),
            ..Load::new(Http::marked_singles("/events"), 1, 16, WINDOW)
        };
        let first = self.marks.given();
        load.run(client, &self.router)?;
        self.wait_until_arrived()?;
        let mut delays = self.marks.delays(first, &self.well.get("/arrivals")?);
        Ok((quantile(&mut delays, 0.5) / 1e3, quantile(&mut delays, 0.99) / 1e3))
    }

    fn wait_until_arrived(&self) -> anyhow::Result<()> {
        let limit = now() + STEP_TIME_MAX;
        loop {
            let count: usize = String::from_utf8(self.well.get("/count")?)?.parse()?;
            if self.marks.given() <= count {
                return Ok(());
            }
            anyhow::ensure!(now() < limit, "only {count} events arrived");
            std::thread::sleep(process::PAUSE);
        }
    }
}
