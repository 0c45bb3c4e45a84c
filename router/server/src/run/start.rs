//! Putting a router together, and taking it apart in the order of an event's path.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bus::ruleset::RuleSet;
use bus::{Clock, PluginFile, Router, Shelf};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::last_stop::Mark;
use super::opening::Plan;
use super::{Mode, RunError};
use crate::config::Config;
use crate::http::finish;
use crate::load::{self, Compiled, Rejection, Source, Texts};
use crate::metrics::Metrics;
use crate::reload::Board;
use crate::watch::{Look, Seen, look, tell};

/// Events are taken before the rules are there when these take longer to load, as new plugins may. Until then a start
/// with broken rules has opened nothing.
const RULES_WITHIN: Duration = Duration::from_secs(1);

/// A router that takes events, and delivers them.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) router: Router,
    pub(super) board: Arc<Board>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Metrics,
    pub(super) drain: Duration,
    pub(super) mark: Mark,
    pub(super) stop: watch::Sender<bool>,
    /// Ends with the connections that are still open.
    pub(super) accepting: JoinSet<JoinSet<()>>,
    pub(super) reloading: JoinSet<()>,
}

/// The rules to start with.
pub(super) struct First {
    pub(super) rules: Arc<RuleSet>,
    pub(super) shelf: Option<Arc<Shelf>>,
    pub(super) texts: Option<Texts>,
    pub(super) files: Arc<Vec<PluginFile>>,
    pub(super) rejection: Option<Rejection>,
    pub(super) seen: Seen,
}

impl Running {
    /// None when it was `stopped` before the rules were there.
    pub(super) async fn start(
        config: Config,
        mode: Mode,
        stopped: impl Future<Output = ()>,
    ) -> Result<Option<Self>, RunError> {
        let plan = Plan::new(config)?;
        let mut looking = Box::pin(first(plan.source.clone(), mode));
        let mut stopped = pin!(stopped);
        // Rules may be there at once: who has said stop before is heard all the same.
        let quick = tokio::select! {
            biased;
            () = &mut stopped => return Ok(None),
            quick = tokio::time::timeout(RULES_WITHIN, &mut looking) => quick,
        };
        if let Ok(first) = quick {
            let first = first?;
            return plan.open().await?.begin(first).await.map(Some);
        }
        let mut opening = plan.open().await?;
        opening.serve();
        info!(address = %opening.address, "the rules and their plugins take a while to load: events are taken meanwhile");
        let looked = tokio::select! {
            biased;
            () = stopped => Ok(None),
            first = looking => first.map(Some),
        };
        match looked {
            Ok(Some(first)) => opening.begin(first).await.map(Some),
            // Whoever is sending an event still gets an answer.
            without => {
                opening.close().await;
                without.map(|_| None)
            }
        }
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

/// Reads and compiles what the folders hold.
pub(super) async fn first(source: Source, mode: Mode) -> Result<First, RunError> {
    let looking =
        tokio::task::spawn_blocking(move || look(&source, load::Running::default(), None));
    let Look { seen, outcome } = looking.await.expect("a panic ends the process");
    match outcome.expect("nothing was seen before") {
        Ok(compiled) => {
            tell(&compiled.warnings());
            let Compiled { rules, shelf, texts, plugins: files, .. } = compiled;
            let (shelf, texts) = (Some(shelf), Some(texts));
            Ok(First { rules, shelf, texts, files, rejection: None, seen })
        }
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
