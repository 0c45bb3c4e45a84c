//! The router: what it is made of, how it opens, swaps its rules, and stops.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use delivery::Client;
use journal::Offset;
use ruleset::RuleSet;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::archives::Archives;
use crate::clock::Clock;
use crate::core::Core;
use crate::dispatch::{self, Dispatcher, Swap};
use crate::door::Door;
use crate::flush;
use crate::folder;
use crate::key::Key;
use crate::lane::{self, Forced, Ready};
use crate::letters::Tended;
use crate::making::Shared;
use crate::options::Options;
use crate::outside::Outside;
use crate::plugin_state::PluginState;
use crate::removal;
use crate::replay::{Players, Replay};
use crate::routes::Routes;
use crate::sealing::{self, Durability};
use crate::state::{ArchiveRow, ReplayRow, State, StateError, Stopped, Subscription};
use crate::status::Ingested;
use crate::trail::{self, Trail};

/// Swaps that wait for the dispatcher.
const SWAPS_MAX: usize = 4;

/// The handle to a running router. Cheap to clone.
#[derive(Clone)]
pub struct Router {
    pub(crate) core: Arc<Core>,
    swaps: mpsc::Sender<Swap>,
    dispatcher: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// A router that takes events and keeps them, and does nothing else until it has rules.
pub struct Waiting {
    router: Router,
    dispatcher: Dispatcher,
    /// Subscriptions that had no rule when the last process ended.
    removed: Vec<Key>,
}

/// Why a router does not open. The data folder is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("data folder {path}: {reason}")]
    Folder { path: String, reason: String },

    #[error(transparent)]
    Journal(#[from] journal::OpenError),

    #[error(transparent)]
    State(#[from] StateError),

    #[error(transparent)]
    Rules(#[from] SwapError),
}

/// Why a rule set was not put in place. The old one goes on.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    #[error("rule `{rule}`, target `{target}`: {reason}")]
    Target { rule: String, target: String, reason: String },

    #[error("the new subscriptions cannot be written down: {0}")]
    State(#[from] StateError),

    #[error("the router is stopping")]
    Stopping,
}

/// How a shutdown went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Deliveries that did not end in time; they are repeated after the next start.
    pub in_flight_left: usize,
}

impl Router {
    /// Opens the data folder, recovers, and resumes what was owed.
    ///
    /// An empty `rules` keeps all that is on disk waiting for its rules to come with a swap; the
    /// first set with rules in it makes the subscriptions that have none dormant.
    ///
    /// # Errors
    ///
    /// When the folder cannot be used: held by another process, damaged, of a newer version.
    pub async fn open(
        options: Options,
        clock: Arc<dyn Clock>,
        rules: Arc<RuleSet>,
        host: plugin::Host,
    ) -> Result<Router, OpenError> {
        Self::open_on(Outside::System, options, clock, (rules, host)).await
    }

    pub(crate) async fn open_on(
        outside: Outside,
        options: Options,
        clock: Arc<dyn Clock>,
        (rules, host): (Arc<RuleSet>, plugin::Host),
    ) -> Result<Router, OpenError> {
        Waiting::open_on(outside, options, clock, host).await?.begin(rules).await
    }

    /// Whether it has had its first rules.
    pub fn has_begun(&self) -> bool {
        self.core.has_begun.load(Ordering::Acquire)
    }

    /// Puts a rule set in place, between two events; returns the offset of the first event that
    /// meets it, as soon as that is certain.
    ///
    /// # Errors
    ///
    /// When it cannot be; the old set goes on then.
    pub async fn swap(&self, rules: Arc<RuleSet>) -> Result<Offset, SwapError> {
        let routes = Routes::new(&self.core, rules)?;
        let (done, outcome) = oneshot::channel();
        let sent = self.swaps.send(Swap { routes, done }).await;
        sent.map_err(|_stopped| SwapError::Stopping)?;
        let from = outcome.await.map_err(|_stopped| SwapError::Stopping)??;
        self.core.state.checkpoint().await;
        Ok(from)
    }

    /// Whether there were events when it opened, and nothing was known of what was owed.
    pub fn is_state_lost(&self) -> bool {
        self.core.is_state_lost
    }

    pub fn rules(&self) -> Arc<RuleSet> {
        Arc::clone(&self.core.routes.load().rules)
    }

    pub fn has_bus(&self, bus: &str) -> bool {
        self.core.has_bus(bus)
    }

    /// The names of all buses, sorted.
    pub fn buses(&self) -> Vec<String> {
        self.core.buses()
    }

    /// Waits until what happened before the call has been written down, or the router stops.
    pub async fn written(&self) {
        let mut rounds = self.core.rounds.subscribe();
        let now = *rounds.borrow_and_update();
        tokio::select! {
            biased;
            // The round under way may have begun too early: the one after it has not.
            _ = rounds.wait_for(|round| *round >= now + 2) => (),
            () = self.core.stop.cancelled() => (),
        }
    }

    /// Figures of the journal, for metrics.
    pub fn journal_stats(&self) -> journal::Stats {
        self.core.journal.stats()
    }

    /// The buses whose events are acknowledged before they are synced, and within what time they
    /// are.
    pub fn weakened(&self) -> Vec<(String, Duration)> {
        let all = self.core.options.bus_options.iter();
        all.filter_map(|(bus, options)| match options.durability {
            Durability::Synced => None,
            Durability::Interval(within) => Some((bus.clone(), within)),
        })
        .collect()
    }

    /// # Errors
    ///
    /// Why events cannot be taken or dispatched, or outcomes not be written down now.
    pub fn ready(&self) -> Result<(), String> {
        if self.core.stop.is_cancelled() {
            return Err("the router is stopping".to_owned());
        }
        if let Some(reason) = self.core.journal_trouble() {
            return Err(reason);
        }
        if !self.has_begun() {
            return Err("its rules and plugins are being loaded: events are taken, and delivered after that".to_owned());
        }
        if let Some(Stopped { reason, .. }) = self.core.state_trouble() {
            return Err(format!("the state database cannot be written; deliveries wait: {reason}"));
        }
        if let Some(reason) = &*self.core.dispatch_trouble() {
            return Err(format!("no event is dispatched: {reason}"));
        }
        Ok(())
    }

    /// Stops in the order of an event's path: nothing more is dispatched or started, what is under
    /// way has `drain` to end, outcomes are written down, the journal is closed.
    pub async fn shutdown(&self, drain: Duration) -> Drained {
        self.core.stop.cancel();
        let thread = self.dispatcher.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let joined = self.core.outside.blocking(move || thread.join()).await;
            if joined.is_err() {
                tracing::error!("the dispatcher ended in a panic");
            }
        }
        let mut tasks = std::mem::take(&mut *self.core.tasks());
        let all = async { while tasks.join_next().await.is_some() {} };
        let is_drained = tokio::time::timeout(drain, all).await.is_ok();
        tasks.abort_all();
        let in_flight_left = if is_drained { 0 } else { self.core.in_flight() };
        self.core.close_trail().await;
        self.core.flush(Forced::Yes).await;
        self.core.state.tidy().await;
        let core = Arc::clone(&self.core);
        if let Err(error) = self.core.outside.blocking(move || core.journal.close()).await {
            tracing::error!(%error, "the journal did not close well");
        }
        Drained { in_flight_left }
    }
}

impl Waiting {
    /// Opens the data folder, and recovers.
    ///
    /// # Errors
    ///
    /// As for [`Router::open`].
    pub async fn open(
        options: Options,
        clock: Arc<dyn Clock>,
        host: plugin::Host,
    ) -> Result<Self, OpenError> {
        Self::open_on(Outside::System, options, clock, host).await
    }

    async fn open_on(
        outside: Outside,
        options: Options,
        clock: Arc<dyn Clock>,
        host: plugin::Host,
    ) -> Result<Self, OpenError> {
        let (opening, on, time) = (options.clone(), outside.clone(), Arc::clone(&clock));
        let opened = outside.blocking(move || folder::open(&on, &opening, time)).await;
        let folder::Opened { journal, state, is_state_lost, attempts } = opened?;
        let path = folder::state_path(&options);
        let remembered = remembered(&state, &options, journal.durable_end()).await;
        let (dormant, archives, replays) = remembered.map_err(|error| error.at(&path))?;
        let (removed, began_at) = (removal::without_rule(&dormant), journal.durable_end());
        let begin = dispatch::begin_readable(&outside, &dormant, &journal, began_at).await;
        let routes = Routes { rules: Arc::new(RuleSet::empty()), by_key: BTreeMap::new() };
        let plugin_state = PluginState::new(outside.reader(&path));
        let core = Arc::new(Core {
            ready: Ready::new(options.in_flight_max),
            client: Client::new(options.connections_idle_max, Arc::clone(&options.egress)),
            door: Door::new(&options.deduplication),
            trail: Trail::new(&options.delivery_log, attempts),
            options,
            clock,
            outside,
            journal,
            state,
            host,
            routes: ArcSwap::from_pointee(routes),
            position: AtomicU64::new(begin.get()),
            began_at,
            subscriptions: AtomicUsize::default(),
            is_state_lost,
            stop: CancellationToken::new(),
            lane_over: Notify::new(),
            lanes: Mutex::default(),
            tasks: Mutex::default(),
            sealing: tokio::sync::Mutex::default(),
            roster: tokio::sync::Mutex::default(),
            dormant: Mutex::new(dormant),
            unwritten: tokio::sync::Mutex::default(),
            plugin_state,
            stateful: Shared::default(),
            is_state_well: AtomicBool::new(true),
            has_begun: AtomicBool::new(false),
            state_trouble: Mutex::default(),
            refusing_since: Mutex::default(),
            rounds: watch::Sender::new(0),
            ingested: Ingested::default(),
            letters: Tended::default(),
            archives: ArcSwap::from_pointee(archives),
            players: Players::default(),
            counts: sealing::Counts::default(),
            given_up: AtomicU64::default(),
            sealing_trouble: Mutex::default(),
            dispatch_trouble: Mutex::default(),
        });
        core.tidy_archives().await?;
        for replay in replays.iter().filter(|replay| !replay.state.is_over()) {
            core.register(replay);
        }
        let (swaps, commands) = mpsc::channel(SWAPS_MAX);
        let dispatcher = Dispatcher::new(Arc::clone(&core), commands);
        let router = Router { core, swaps, dispatcher: Arc::default() };
        Ok(Self { router, dispatcher, removed })
    }

    /// What takes events.
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// Puts the first rules in place, which meet all that was taken before, and resumes what was owed.
    ///
    /// # Errors
    ///
    /// As for [`Router::open`]; what was taken is on disk.
    pub async fn begin(self, rules: Arc<RuleSet>) -> Result<Router, OpenError> {
        let Self { router, mut dispatcher, removed } = self;
        let core = &router.core;
        let first = Routes::new(core, rules)?;
        dispatcher.exchange(first).await.map_err(|error| match error {
            SwapError::State(error) => {
                OpenError::State(error.at(&folder::state_path(&core.options)))
            }
            other => OpenError::Rules(other),
        })?;
        core.say_still_removed(&removed);
        core.tasks().spawn(flush::run(Arc::clone(core)));
        core.tasks().spawn(lane::run(Arc::clone(core)));
        core.tasks().spawn(trail::run(Arc::clone(core)));
        core.tasks().spawn(sealing::run(Arc::clone(core)));
        let thread = start(core, dispatcher)?;
        *router.dispatcher.lock().unwrap_or_else(PoisonError::into_inner) = thread;
        core.has_begun.store(true, Ordering::Release);
        Ok(router)
    }
}

/// What the database holds, if it belongs to this journal: subscriptions, archives and replays.
async fn remembered(
    state: &State,
    options: &Options,
    end: Offset,
) -> Result<(Vec<Subscription>, Archives, Vec<Replay>), OpenError> {
    state.run(ReplayRow::tidy).await?;
    let dormant = state.run(Subscription::all).await?;
    folder::check_belonging(options, &dormant, end)?;
    folder::bind(state, options).await?;
    let archives = Archives::new(state.run(ArchiveRow::all).await?);
    Ok((dormant, archives, state.run(ReplayRow::all).await?))
}

impl OpenError {
    /// Names the database that it is about.
    fn at(self, path: &std::path::Path) -> Self {
        match self {
            Self::State(error) => Self::State(error.at(path)),
            other => other,
        }
    }
}

/// The dispatcher has a thread of its own: what it does for all is not to wait behind one lane.
fn start(core: &Arc<Core>, dispatcher: Dispatcher) -> Result<Option<JoinHandle<()>>, OpenError> {
    match &core.outside {
        Outside::System => {
            let runtime = tokio::runtime::Handle::current();
            let thread = std::thread::Builder::new()
                .name("dispatch".to_owned())
                .spawn(move || runtime.block_on(dispatcher.run()));
            let thread = thread.map_err(|error| OpenError::Folder {
                path: core.options.data_dir.display().to_string(),
                reason: format!("the dispatcher's thread cannot be started: {error}"),
            })?;
            Ok(Some(thread))
        }
        #[cfg(feature = "simulation")]
        Outside::Simulated(_) => {
            core.tasks().spawn(dispatcher.run());
            Ok(None)
        }
    }
}
