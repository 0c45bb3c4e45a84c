//! What all parts of a router share, and the roster of its lanes.
//!
//! # Invariants
//!
//! - Disk and memory agree on which subscriptions there are: both change under `roster`.
//! - What changes both is carried out to its end, whether anybody waits for it or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use delivery::Client;
use event::Timestamp;
use journal::{Health, Journal, Offset};
use ruleset::{Start, TargetKind};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::archives::Archives;
use crate::clock::Clock;
use crate::door::Door;
use crate::key::Key;
use crate::lane::{Bounds, Lane, Now, Ready};
use crate::letters::Tended;
use crate::making::{Making, Shared};
use crate::options::Options;
use crate::outside::Outside;
use crate::plugin_state::PluginState;
use crate::replay::Players;
use crate::routes::{Route, Routes};
use crate::sealing;
use crate::state::{Round, State, StateError, Stopped, Subscription};
use crate::status::{Ingested, JournalStatus};
use crate::trail::Trail;

/// The bus that is always there.
const DEFAULT_BUS: &str = "default";

/// What all parts of a router share.
pub(crate) struct Core {
    pub options: Options,
    pub clock: Arc<dyn Clock>,
    pub outside: Outside,
    pub journal: Journal,
    pub state: State,
    pub host: plugin::Host,
    pub client: Client,
    pub routes: ArcSwap<Routes>,
    /// The dispatcher has offered every event below.
    pub position: AtomicU64,
    /// How many live subscriptions the rules have.
    pub subscriptions: AtomicUsize,
    /// The journal's end when this process began.
    pub began_at: Offset,
    pub is_state_lost: bool,
    pub stop: CancellationToken,
    /// A lane's span is over: time to write it down.
    pub lane_over: Notify,
    pub lanes: Mutex<BTreeMap<Key, Arc<Lane>>>,
    /// The lanes that have something to do.
    pub ready: Arc<Ready>,
    pub tasks: Mutex<JoinSet<()>>,
    /// Held for a round of sealing.
    pub sealing: tokio::sync::Mutex<()>,
    /// Held while subscriptions come or go, so that disk and memory agree on which there are.
    pub roster: tokio::sync::Mutex<()>,
    /// Subscriptions on disk without a rule: it has not been seen since the start, or was removed.
    pub dormant: Mutex<Vec<Subscription>>,
    /// Outcomes that the database has refused so far.
    pub unwritten: tokio::sync::Mutex<Option<Arc<Round>>>,
    pub plugin_state: Arc<PluginState>,
    /// Where the transforms of stateful plugins run, by what [`crate::making`] calls them.
    pub stateful: Shared<Making>,
    pub is_state_well: AtomicBool,
    /// It has had its first rules.
    pub has_begun: AtomicBool,
    /// Why it is not.
    pub state_trouble: Mutex<Option<Stopped>>,
    /// Since when events are refused, because the journal takes none.
    pub refusing_since: Mutex<Option<Timestamp>>,
    /// Counts the rounds of writing down.
    pub rounds: watch::Sender<u64>,
    pub ingested: Ingested,
    pub letters: Tended,
    pub door: Door,
    pub trail: Trail,
    pub archives: ArcSwap<Archives>,
    pub players: Players,
    pub counts: sealing::Counts,
    /// Events that removed subscriptions had not looked at when their time was over.
    pub given_up: AtomicU64,
    pub sealing_trouble: Mutex<Option<String>>,
    /// Why the dispatcher cannot go on.
    pub dispatch_trouble: Mutex<Option<String>>,
}

impl Core {
    pub(crate) fn dispatched(&self) -> Offset {
        Offset::new(self.position.load(Ordering::Acquire))
    }

    pub(crate) fn dispatch_trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.dispatch_trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lanes(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<Lane>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs on its own, so that it ends as it must when nobody waits for the answer any more: the
    /// server drops what it was asked when the client hangs up, in the middle of it.
    ///
    /// # Errors
    ///
    /// When the router stops before it has ended.
    pub(crate) async fn carried_out<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, StateError> {
        let (done, outcome) = oneshot::channel();
        {
            let mut tasks = self.tasks();
            while tasks.try_join_next().is_some() {} // Ended ones leave nothing behind.
            tasks.spawn(async move { drop(done.send(work.await)) });
        }
        outcome.await.map_err(|_stopped| StateError::Stopping)
    }

    pub(crate) fn state_is_well(&self) -> bool {
        self.is_state_well.load(Ordering::Acquire)
    }

    /// Since when and why outcomes cannot be written down; none while they can.
    pub(crate) fn state_trouble(&self) -> Option<Stopped> {
        self.state_trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes note of how writing outcomes down went. True when it is news.
    pub(crate) fn note_state(&self, written: Result<(), &StateError>) -> bool {
        let is_well = written.is_ok();
        let mut trouble = self.state_trouble.lock().unwrap_or_else(PoisonError::into_inner);
        *trouble = written.err().map(|error| Stopped {
            since: trouble.as_ref().map_or_else(|| self.clock.now(), |before| before.since),
            reason: error.in_use(&crate::folder::state_path(&self.options)),
        });
        self.is_state_well.swap(is_well, Ordering::AcqRel) != is_well
    }

    /// Since when events are refused.
    pub(crate) fn refusing_since(&self) -> Option<Timestamp> {
        *self.refusing_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An event was refused, or was not: only then while the journal is in trouble.
    pub(crate) fn note_refusal(&self, is_refused: bool) {
        let mut since = self.refusing_since.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(self.journal.health(), Health::Ok) {
            *since = None;
        } else if is_refused && since.is_none() {
            *since = Some(self.clock.now());
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.lanes().values().map(|lane| lane.lock().running()).sum()
    }

    pub(crate) fn has_bus(&self, bus: &str) -> bool {
        let routes = self.routes.load();
        bus == DEFAULT_BUS
            || self.options.buses.iter().any(|configured| configured == bus)
            || routes.rules.on(bus).is_some()
            || routes.rules.rules().iter().any(|rule| leads_to(rule, bus))
    }

    pub(crate) fn buses(&self) -> Vec<String> {
        let routes = self.routes.load();
        let mut buses: BTreeSet<String> = self.options.buses.iter().cloned().collect();
        buses.insert(DEFAULT_BUS.to_owned());
        buses.extend(routes.rules.buses().map(ToOwned::to_owned));
        buses.into_iter().collect()
    }

    /// One reading of the clock.
    pub(crate) fn now(&self) -> Now {
        Now { wall: self.clock.now(), steady: self.clock.monotonic() }
    }

    /// How many events may wait in the memory of each lane.
    fn lane_room(&self) -> usize {
        let lanes = self.subscriptions.load(Ordering::Relaxed);
        room_of_each(self.options.lane_events_max, lanes)
    }

    /// Opens a lane over what is on disk.
    pub(crate) fn open_lane(&self, stored: Subscription, route: Arc<Route>, dispatched: Offset) {
        let bounds = Bounds {
            queue_max: self.lane_room(),
            queue_bytes_max: self.options.lane_bytes_max,
            postponed_max: self.options.postponed_max,
            window_max: self.options.window_max,
            concurrency: self.options.concurrency,
            replaying: 1,
        };
        let playing = stored.key.replay.as_ref().and_then(|name| self.players.get(name));
        let asked = playing.as_ref().and_then(|one| usize::try_from(one.concurrency).ok());
        let bounds = Bounds { replaying: asked.unwrap_or(1), ..bounds };
        if let Some(playing) = &playing {
            playing.begins(self.clock.monotonic(), stored.settled);
        }
        let lane = Lane::new(stored, route, bounds, dispatched, &self.ready);
        if lane.key.replay.is_some() {
            lane.pause_target(self.paused_target(&lane.key.without_replay()));
        }
        self.lanes().insert(lane.key.clone(), Arc::clone(&lane));
        if let (Some(playing), Some(name)) = (playing, &lane.key.replay) {
            self.share_rate(name, &playing);
        }
        lane.wake();
    }

    /// Whether a target is paused, by its live subscription.
    fn paused_target(&self, live: &Key) -> Option<Stopped> {
        if let Some(lane) = self.lanes().get(live) {
            return lane.lock().paused().cloned();
        }
        let dormant = self.dormant();
        dormant.iter().find(|stored| stored.key == *live).and_then(|stored| stored.paused.clone())
    }

    /// Where a new subscription begins that would begin at `position` by itself.
    pub(crate) fn start_of(&self, route: &Route, position: Offset) -> Offset {
        let from = match route.target.flow.start {
            // The dispatcher may begin before it: see [`crate::dispatch::begin_readable`].
            Start::Latest => return position.max(self.began_at),
            Start::Earliest => Ok(self.journal.first_offset(&route.key.bus)),
            Start::At(time) => self.journal.offset_at(time.as_millis()),
        };
        let from = from.map(|from| from.min(position)).unwrap_or_else(|error| {
            tracing::error!(subscription = %route.key, %error, "the time it is to start at cannot be found in the journal: it starts with what comes now");
            position
        });
        tracing::info!(subscription = %route.key, from = from.get(), "a new target starts in the past");
        from
    }

    /// Hands every lane its route of the next snapshot, or retires it.
    pub(crate) fn adopt(&self, next: &Routes, position: Offset, now: Timestamp) {
        let lanes = self.lanes().clone();
        for (key, lane) in lanes {
            match next.of(&key) {
                Some(route) => {
                    lane.lock().set_room(self.lane_room());
                    lane.adopt(Arc::clone(route), position);
                }
                None if key.replay.is_some() => (), // It is done, and the others of its replay are not.
                None => {
                    tracing::info!(subscription = %key, "its rule or target was removed or disabled: what it is owed is tried once more");
                    lane.retire(position, now);
                }
            }
        }
    }

    pub(crate) fn dormant(&self) -> MutexGuard<'_, Vec<Subscription>> {
        self.dormant.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn journal_trouble(&self) -> Option<String> {
        match self.journal.health() {
            Health::Ok => None,
            Health::Full { reason } => Some(format!("the disk is nearly full: {reason}")),
            Health::Stopped { reason } => Some(format!(
                "the journal has stopped, and takes events again only after a restart: {reason}"
            )),
        }
    }

    pub(crate) fn journal_status(&self) -> JournalStatus {
        let stats = self.journal.stats();
        JournalStatus {
            next_offset: self.journal.durable_end().get(),
            segments: stats.segments,
            bytes: stats.segment_bytes,
            syncs: stats.groups,
            sealed_to: stats.sealed_to.get(),
            sealed: self.sealed_status(),
            damaged_archives: self.damaged_archives(),
            sealing_failed: self.sealing_trouble(),
            sealed_records: self.counts.sealed_records.load(Ordering::Relaxed),
            expired_records: self.counts.expired_records.load(Ordering::Relaxed),
            sealing_failures: self.counts.failures.load(Ordering::Relaxed),
            unsynced: stats.unsynced_records,
            lost: stats.lost_records,
            stopped: self.journal_trouble(),
            refusing_since: self.refusing_since(),
        }
    }
}

/// Events that wait in the memory of all lanes together. Each costs some hundred bytes, and shares the event itself.
const LANES_EVENTS_MAX: usize = 1 << 20;
/// What each has room for, however many there are.
const LANE_EVENTS_MIN: usize = 16;

fn room_of_each(most: usize, lanes: usize) -> usize {
    most.min((LANES_EVENTS_MAX / lanes.max(1)).max(LANE_EVENTS_MIN))
}

fn leads_to(rule: &ruleset::Rule, bus: &str) -> bool {
    rule.targets.iter().any(|target| matches!(&target.kind, TargetKind::Bus(to) if to.bus == bus))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_subscriptions_there_are_the_fewer_events_wait_for_each() {
        assert_eq!(room_of_each(1024, 0), 1024);
        assert_eq!(room_of_each(1024, 1000), 1024);
        assert_eq!(room_of_each(1024, 10_000), 104);
        assert_eq!((room_of_each(1024, 1_000_000), room_of_each(4, 1_000_000)), (16, 4));
    }
}
