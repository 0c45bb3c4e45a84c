//! Putting a router together, and taking it apart in the order of an event's path.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bus::plugin::{self, Host};
use bus::ruleset::RuleSet;
use bus::{Clock, PluginFile, Router, Shelf};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use super::last_stop::Mark;
use super::{Mode, RunError, folders, plugin_limits};
use crate::clock::SystemClock;
use crate::config::{Bus, Config};
use crate::http::{App, Budget, Front, Listener, finish, serve};
use crate::load::{self, Compiled, Rejection, Source, Texts};
use crate::metrics::{Metrics, PluginFigures};
use crate::plugins::Desk;
use crate::reload::{Board, Generation};
use crate::watch::{Hangups, Look, Reloader, Seen, look, reject};

/// A router that takes events.
pub(super) struct Running {
    address: SocketAddr,
    router: Router,
    board: Arc<Board>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    drain: Duration,
    mark: Mark,
    stop: watch::Sender<bool>,
    /// Ends with the connections that are still open.
    accepting: JoinSet<JoinSet<()>>,
    reloading: JoinSet<()>,
}

/// The rules to start with.
struct First {
    rules: Arc<RuleSet>,
    shelf: Option<Arc<Shelf>>,
    texts: Option<Texts>,
    files: Arc<Vec<PluginFile>>,
    rejection: Option<Rejection>,
    seen: Seen,
}

impl Running {
    pub(super) async fn start(config: Config, mode: Mode) -> Result<Self, RunError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        make_data_dir(&config)?;
        let host = host(&config)?;
        let (stop, stopped) = watch::channel(false);
        let (desk, asked) =
            Desk::open(&config, &clock, &host, stopped.clone()).map_err(RunError::Config)?;
        let source = Source {
            folders: folders(&config),
            buses: config.buses.clone(),
            limits: config.limits.of_events(),
            setup: setup(&config, &desk),
            host: host.clone(),
        };
        let First { rules, shelf, texts, files, rejection, seen } = first(&source, mode).await?;
        let listener = Listener::bind(&config.listen).await?;
        let router =
            Router::open(bus_options(&config), Arc::clone(&clock), Arc::clone(&rules), host)
                .await?;
        let mark = Mark::set(&config.data_dir);
        mark.tell(&router);
        for (bus, within) in router.weakened() {
            warn!(%bus, ?within, "this bus acknowledges events before they are synced: a kill or a loss of power takes those of this time");
        }

        let generation = Generation {
            number: 1,
            digest: rules.digest().to_owned(),
            loaded_at: clock.now(),
            rules: rules.rules().len(),
        };
        let listing = shelf.as_ref().map_or_else(Vec::new, |shelf| shelf.listing());
        let board = Arc::new(Board::new(generation, listing));
        let in_service = rejection.is_none().then_some(seen.digest);
        if let Some(rejection) = rejection {
            reject(&board, &rejection, clock.now());
            let problems = format_args!("\n{}", rejection.render(false));
            error!(%problems, "rules rejected, waiting for the mend");
        } else if rules.rules().is_empty() {
            warn!(folder = %config.rules_dir.display(), "there are no rules: events are kept and go nowhere");
        }

        let mut reloading = JoinSet::new();
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
            versions: desk.versions.clone(),
            lines: Arc::clone(&desk.lines),
            asked,
            hangups: Hangups::listen(),
        };
        reloading.spawn(reloader.run(config.reload.clone(), stopped.clone()));

        if !listener.address.ip().is_loopback() {
            warn!(address = %listener.address, "anybody who reaches this address can send events and read them: this version has no authentication");
        }
        let address = listener.address;
        let app = app(&config, &router, &clock, &board, desk);
        let metrics = app.metrics.clone();
        let mut accepting = JoinSet::new();
        accepting.spawn(serve(listener, Front::new(app), config.http, metrics.clone(), stopped));
        let drain = config.drain;
        Ok(Self { address, router, board, clock, metrics, drain, mark, stop, accepting, reloading })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn generation(&self) -> u64 {
        self.board.read().generation.number
    }

    pub(super) fn rules(&self) -> usize {
        self.board.read().generation.rules
    }

    /// What a stop has to wait for, and how long it does, in one line.
    pub(super) fn farewell(&self) -> String {
        let requests = self.metrics.requests();
        let deliveries: usize =
            self.router.status().subscriptions.iter().map(|one| one.in_flight).sum();
        let drain = self.drain;
        format!(
            "stopping: {requests} requests and {deliveries} deliveries under way, at most {drain:?}; a second signal stops at once"
        )
    }

    /// Stops in the order of an event's path, within the time for draining. Requests have half of
    /// it at most: one that never ends does not cost the deliveries theirs.
    pub(super) async fn stop(mut self) {
        let started = self.clock.monotonic();
        let half = self.drain / 2;
        self.stop.send_replace(true);
        while let Some(connections) = self.accepting.join_next().await {
            let connections = connections.expect("a panic ends the process");
            info!("no longer listening");
            let cut_off = finish(connections, half).await;
            if 0 < cut_off {
                warn!(connections = cut_off, "requests did not end in time, cut off");
            }
        }
        self.reloading.abort_all();
        while self.reloading.join_next().await.is_some() {}

        let spent = self.clock.monotonic().saturating_sub(started);
        let left = self.drain.saturating_sub(spent).max(half);
        let drained = self.router.shutdown(left).await;
        if 0 < drained.in_flight_left {
            let left = drained.in_flight_left;
            info!(deliveries = left, "deliveries under way are repeated at the next start");
        }
        self.mark.clear();
    }
}

async fn first(source: &Source, mode: Mode) -> Result<First, RunError> {
    let source = source.clone();
    let looking =
        tokio::task::spawn_blocking(move || look(&source, load::Running::default(), None));
    let Look { seen, outcome } = looking.await.expect("a panic ends the process");
    match outcome.expect("nothing was seen before") {
        Ok(Compiled { rules, shelf, texts, plugins, .. }) => Ok(First {
            rules,
            shelf: Some(shelf),
            texts: Some(texts),
            files: plugins,
            rejection: None,
            seen,
        }),
        Err(rejection) if mode == Mode::Dev => {
            let rules = Arc::new(RuleSet::empty());
            let (rejection, files) = (Some(rejection), Arc::default());
            Ok(First { rules, shelf: None, texts: None, files, rejection, seen })
        }
        Err(rejection) if rejection.diagnostics.is_empty() => {
            Err(RunError::Config(rejection.message))
        }
        Err(rejection) => {
            let rendered = rejection.render(false);
            Err(RunError::Rules { message: rejection.message, rendered })
        }
    }
}

fn app(
    config: &Config,
    router: &Router,
    clock: &Arc<dyn Clock>,
    board: &Arc<Board>,
    desk: Desk,
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
        desk,
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

fn bus_options(config: &Config) -> bus::Options {
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
        ..bus::Options::new(data_dir)
    }
}
