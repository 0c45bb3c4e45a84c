//! A router on its way: what is open while the first rules are still loading.
//!
//! ```text
//! Plan ─▶ open: socket, data folder ─▶ Opening ─▶ begin: first rules ─▶ Running
//!                                        └ serve: events are taken and kept, probes answered
//! ```
//!
//! # Invariants
//!
//! - An event that is acknowledged here meets the first rules; if they never come, it is on disk for the next start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bus::plugin::{self, Host};
use bus::{Clock, Router, Verdicts, Waiting};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::{error, warn};

use super::last_stop::Mark;
use super::start::{First, Running};
use super::{RunError, folders, plugin_limits};
use crate::asked::Asked;
use crate::clock::SystemClock;
use crate::config::{Bus, Config};
use crate::connections::{Fit, Keeper};
use crate::folder::Folders;
use crate::http::{App, Budget, Front, Listener, Streams, finish, serve};
use crate::load::Source;
use crate::metrics::{Metrics, PluginFigures};
use crate::plugins::Desk;
use crate::reload::{Board, Generation};
use crate::trial::Trial;
use crate::watch::{Hangups, Reloader, reject};

/// What is ready before anything is open.
pub(super) struct Plan {
    pub(super) source: Source,
    config: Config,
    clock: Arc<dyn Clock>,
    host: Host,
    desk: Desk,
    keeper: Keeper,
    asked: mpsc::Receiver<Asked>,
    stop: watch::Sender<bool>,
    stopped: watch::Receiver<bool>,
}

/// A router that has no rules yet.
pub(super) struct Opening {
    pub(super) address: SocketAddr,
    config: Config,
    clock: Arc<dyn Clock>,
    source: Source,
    keeper: Keeper,
    asked: mpsc::Receiver<Asked>,
    stop: watch::Sender<bool>,
    waiting: Waiting,
    doors: Doors,
}

/// Where requests come in.
struct Doors {
    app: Arc<App>,
    /// None once it is served.
    listener: Option<Listener>,
    stopped: watch::Receiver<bool>,
    accepting: JoinSet<JoinSet<()>>,
}

impl Plan {
    pub(super) fn new(config: Config) -> Result<Self, RunError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let keeper = Keeper::open(&config, &clock).map_err(RunError::Config)?;
        make_data_dir(&config)?;
        let host = host(&config)?;
        let (stop, stopped) = watch::channel(false);
        let (desk, asked) =
            Desk::open(&config, &clock, &host, stopped.clone()).map_err(RunError::Config)?;
        let source = Source {
            folders: Folders { sent: desk.sent.clone(), ..folders(&config) },
            buses: config.buses.clone(),
            connections: Fit::of(&config),
            limits: config.limits.of_events(),
            setup: setup(&config, &desk),
            host: host.clone(),
            verdicts: Arc::new(Verdicts::open(config.data_dir.join("canaries"))),
            tests: config.reload.tests,
        };
        Ok(Self { source, config, clock, host, desk, keeper, asked, stop, stopped })
    }

    pub(super) async fn open(self) -> Result<Opening, RunError> {
        let Self { source, config, clock, host, desk, keeper, asked, stop, stopped } = self;
        let listener = Listener::bind(&config.listen).await?;
        let address = listener.address;
        let waiting =
            Waiting::open(bus_options(&config, &keeper), Arc::clone(&clock), host).await?;
        for (bus, within) in waiting.router().weakened() {
            warn!(%bus, ?within, "this bus acknowledges events before they are synced: a kill or a loss of power takes those of this time");
        }
        if !address.ip().is_loopback() {
            warn!(%address, "anybody who reaches this address can send events, read them, and make rules: this version has no authentication");
        }
        let board = Arc::new(Board::new(clock.now()));
        let trial = Trial::new(source.clone());
        let app = app(&config, waiting.router(), (&clock, &board, &keeper), desk, trial);
        let doors = Doors { app, listener: Some(listener), stopped, accepting: JoinSet::new() };
        Ok(Opening { address, config, clock, source, keeper, asked, stop, waiting, doors })
    }
}

impl Opening {
    /// Takes events from now on.
    pub(super) fn serve(&mut self) {
        self.doors.serve(&self.config);
    }

    /// Puts the first rules in place, and delivers.
    pub(super) async fn begin(self, first: First) -> Result<Running, RunError> {
        let Self { address, config, clock, source, keeper, asked, stop, waiting, mut doors } = self;
        let First { rules, shelf, texts, files, rejection, seen } = first;
        let app = Arc::clone(&doors.app);
        let (board, versions) = (Arc::clone(&app.board), app.desk.versions.clone());
        let router = match waiting.begin(Arc::clone(&rules)).await {
            Ok(router) => router,
            Err(error) => {
                doors.close(&stop, config.drain).await;
                return Err(error.into());
            }
        };
        let mark = Mark::set(&config.data_dir);
        mark.tell(&router);
        let generation = Generation {
            number: 1,
            digest: rules.digest().to_owned(),
            loaded_at: clock.now(),
            rules: rules.rules().len(),
        };
        board.began(generation, shelf.as_ref().map_or_else(Vec::new, |shelf| shelf.listing()));
        let in_service = rejection.is_none().then_some(seen.digest);
        if let Some(rejection) = rejection {
            reject(&board, &rejection, clock.now());
            let problems = format_args!("\n{}", rejection.render(false));
            error!(%problems, "rules rejected, waiting for the mend");
        } else if rules.rules().is_empty() {
            warn!(folder = %config.rules_dir.display(), "there are no rules: events are kept and go nowhere");
        }
        app.trial.runs_with(shelf.clone());
        let reloader = Reloader {
            source,
            router: router.clone(),
            board: Arc::clone(&board),
            clock: Arc::clone(&clock),
            shelf,
            texts,
            files,
            in_service,
            seen,
            versions,
            keeper,
            lines: Arc::clone(&app.desk.lines),
            app: Arc::clone(&app),
            asked,
            hangups: Hangups::listen(),
        };
        let mut reloading = JoinSet::new();
        reloading.spawn(reloader.run(config.reload.clone(), doors.stopped.clone()));
        doors.serve(&config);
        let (metrics, drain, accepting) = (app.metrics.clone(), config.drain, doors.accepting);
        Ok(Running {
            address,
            router,
            board,
            clock,
            metrics,
            drain,
            mark,
            stop,
            accepting,
            reloading,
        })
    }

    /// Ends without rules.
    pub(super) async fn close(self) {
        self.doors.close(&self.stop, self.config.drain).await;
    }
}

impl Doors {
    fn serve(&mut self, config: &Config) {
        let Some(listener) = self.listener.take() else { return };
        let (front, metrics) = (Front::new(Arc::clone(&self.app)), self.app.metrics.clone());
        let serving = serve(listener, front, config.http.clone(), metrics, self.stopped.clone());
        self.accepting.spawn(serving);
    }

    async fn close(mut self, stop: &watch::Sender<bool>, drain: Duration) {
        stop.send_replace(true);
        while let Some(connections) = self.accepting.join_next().await {
            finish(connections.expect("a panic ends the process"), drain / 2).await;
        }
        self.app.router.shutdown(drain / 2).await;
    }
}

fn app(
    config: &Config,
    router: &Router,
    (clock, board, keeper): (&Arc<dyn Clock>, &Arc<Board>, &Keeper),
    desk: Desk,
    trial: Trial,
) -> Arc<App> {
    let plugins = PluginFigures { own: Arc::clone(&desk.figures), host: desk.host.clone() };
    Arc::new(App {
        router: router.clone(),
        clock: Arc::clone(clock),
        metrics: Metrics::new(router.clone(), Arc::clone(board), Arc::clone(clock), plugins),
        board: Arc::clone(board),
        limits: config.limits.clone(),
        body_time: config.http.body,
        budget: Budget::new(config.limits.bodies_bytes),
        started_at: clock.now(),
        connections: keeper.connections(),
        desk,
        trial,
        streams: Streams::new(config.http.streams, config.http.stream_stalled),
    })
}

/// What every plugin is set up with.
fn setup(config: &Config, desk: &Desk) -> plugin::Setup {
    plugin::Setup {
        limits: plugin_limits(&config.plugin),
        lines: Some(Arc::clone(&desk.lines) as Arc<dyn plugin::LineSink>),
        metrics: Some(Arc::clone(&desk.figures) as Arc<dyn plugin::MetricSink>),
        ..plugin::Setup::default()
    }
}

fn make_data_dir(config: &Config) -> Result<(), RunError> {
    let folder = &config.data_dir;
    bus::journal::make_folder(folder).map_err(|error| {
        let folder = folder.display();
        RunError::Config(format!(
            "data folder {folder}: {error}; name a folder that can be written with --data"
        ))
    })
}

/// The plugins' host. That compiled code cannot be kept is a pity, and no reason not to start.
fn host(config: &Config) -> Result<Host, RunError> {
    let defaults = plugin::Options::default();
    let memory_bytes_max = defaults.memory_bytes_max.max(config.plugin.memory_bytes);
    let uncached = plugin::Options { memory_bytes_max, ..defaults };
    let cache_dir = Some(config.data_dir.join("plugin-cache"));
    match Host::new(plugin::Options { cache_dir, ..uncached.clone() }) {
        Ok(host) => Ok(host),
        Err(error) => {
            warn!(%error, "compiled plugins are not kept");
            Ok(Host::new(uncached)?)
        }
    }
}

fn bus_of((name, bus): (&String, &Bus)) -> (String, bus::BusOptions) {
    let durability = bus.interval.map_or(bus::Durability::Synced, bus::Durability::Interval);
    let kept = &bus.retention;
    let retention = bus::Retention { age: Some(kept.age), bytes: Some(kept.bytes) };
    (name.clone(), bus::BusOptions { durability, retention })
}

fn bus_options(config: &Config, keeper: &Keeper) -> bus::Options {
    let data_dir: PathBuf = config.data_dir.clone();
    let by_pair = config.bus_settings.iter().filter(|(_, bus)| bus.deduplicates_by_source_and_id);
    bus::Options {
        deduplication: bus::Deduplication {
            window: config.deduplication.window,
            keys_max: config.deduplication.keys_max,
            by_source_and_id: by_pair.map(|(name, _)| name.clone()).collect(),
        },
        delivery_log: bus::DeliveryLog {
            age: config.delivery_log.age,
            bytes: config.delivery_log.bytes,
            ..bus::DeliveryLog::default()
        },
        limits: config.limits.of_events(),
        account: config.account.clone(),
        region: config.region.clone(),
        buses: config.buses.clone(),
        bus_options: config.bus_settings.iter().map(bus_of).collect(),
        segment_bytes: config.journal.segment_bytes,
        seal_after: config.journal.seal_after,
        free_bytes_min: config.journal.free_bytes_min,
        concurrency: config.delivery.concurrency,
        lane_events_max: config.delivery.lane_events,
        lane_bytes_max: config.delivery.lane_bytes,
        in_flight_max: config.delivery.in_flight_max,
        postponed_max: config.delivery.postponed_max,
        removed_kept: config.delivery.removed_kept,
        hops_max: config.delivery.hops_max,
        dead_letters_age_max: Duration::from_secs(config.dead_letters.days * 24 * 60 * 60),
        dead_letters_max: config.dead_letters.count,
        egress: Arc::new(config.egress.clone()),
        connections: keeper.connections(),
        ..bus::Options::new(data_dir)
    }
}
