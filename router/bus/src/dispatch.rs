//! The dispatcher: follows the journal's end, matches each event once, offers it to the lanes.
//!
//! One thread. A swap of rules is a command to it, carried out between two batches, so that every
//! event meets one snapshot of the rules. A new process begins a little before the journal's end: what a
//! thousand subscriptions had not written down when the last one died is matched once, not a thousand times.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use event::{Event, Timestamp};
use journal::{Cursor, Journal, Offset, Record};
use ruleset::{BusRules, Rule};
use tokio::sync::{mpsc, oneshot};

use crate::core::Core;
use crate::key::Key;
use crate::lane::{Lane, Owed, Written, then};
use crate::outside::Outside;
use crate::record;
use crate::router::SwapError;
use crate::routes::{Route, Routes};
use crate::state::Subscription;

const READ_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// How far before the journal's end the dispatcher begins at most: what it passes in a fraction of a second.
const BEGIN_BEFORE_MAX: u64 = 100_000;

/// And of how many bytes of events: they are read twice.
const BEGIN_BYTES_MAX: usize = 256 << 20;

/// Where the dispatcher of a new process begins: with what the last one had not written down of most
/// subscriptions, so that it is matched for all of them at once. What is older, and what is sealed, each
/// reads by itself.
fn begin(stored: &[Subscription], sealed_to: Offset, end: Offset) -> Offset {
    let first = end.get().saturating_sub(BEGIN_BEFORE_MAX).max(sealed_to.get());
    let goes_on = |one: &&Subscription| {
        one.until.is_none()
            && one.removed.is_none()
            && one.paused.is_none()
            && one.disabled.is_none()
    };
    let behind = stored.iter().filter(goes_on).map(|one| one.settled);
    behind.filter(|settled| first <= settled.get()).min().unwrap_or(end).min(end)
}

/// `begin` if all up to `end` can be read, else `end`: then those that have not had it meet the damage each by
/// itself, and keep nobody else waiting.
fn readable(journal: &Journal, begin: Offset, end: Offset) -> Offset {
    let (mut cursor, mut bytes) = (journal.read_from(begin), 0);
    while cursor.position() < end {
        match cursor.next_batch() {
            Ok(Some(batch)) => bytes += batch.iter().map(|one| one.payload.len()).sum::<usize>(),
            Ok(None) => break,
            Err(error) => {
                tracing::error!(
                    offset = cursor.position().get(), %error,
                    "the journal is damaged here: a subscription that has not had this waits; see `slipswitch journal repair`"
                );
                return end;
            }
        }
        if BEGIN_BYTES_MAX < bytes {
            return end;
        }
    }
    begin
}

/// Where it begins: no damage is between that and the journal's end.
pub(crate) async fn begin_readable(
    outside: &Outside,
    stored: &[Subscription],
    journal: &Journal,
    end: Offset,
) -> Offset {
    let (begin, reading) = (begin(stored, journal.sealed_to(), end), journal.clone());
    outside.blocking(move || readable(&reading, begin, end)).await
}

pub(crate) struct Swap {
    pub routes: Routes,
    /// Where it took effect.
    pub done: oneshot::Sender<Result<Offset, SwapError>>,
}

/// Lanes by rule, for one bus.
type Table = HashMap<String, Vec<(Arc<Lane>, Arc<Route>)>>;

pub(crate) struct Dispatcher {
    core: Arc<Core>,
    cursor: Cursor,
    swaps: mpsc::Receiver<Swap>,
    routes: Arc<Routes>,
    tables: BTreeMap<String, Table>,
    scratch: ruleset::Scratch,
}

impl Dispatcher {
    pub(crate) fn new(core: Arc<Core>, swaps: mpsc::Receiver<Swap>) -> Self {
        let position = core.dispatched();
        Self {
            cursor: core.journal.read_from(position),
            swaps,
            tables: BTreeMap::new(),
            scratch: ruleset::Scratch::default(),
            routes: core.routes.load_full(),
            core,
        }
    }

    /// Runs until the router stops.
    pub(crate) async fn run(mut self) {
        while !self.core.stop.is_cancelled() {
            let position = self.cursor.position();
            // A swap in time: between two batches, and behind what came before this process.
            if self.core.began_at <= position
                && let Ok(swap) = self.swaps.try_recv()
            {
                self.swap(swap).await;
            }
            match self.cursor.next_batch() {
                Ok(Some(batch)) => {
                    *self.core.dispatch_trouble() = None;
                    for record in batch {
                        self.dispatch(&record);
                        let next = record.offset.get() + 1;
                        self.core.position.store(next, Ordering::Release);
                    }
                }
                Ok(None) => {
                    let core = Arc::clone(&self.core);
                    tokio::select! {
                        biased;
                        () = core.journal.wait_past(position) => self.rest_if_ended(position).await,
                        Some(swap) = self.swaps.recv() => self.swap(swap).await,
                        () = core.stop.cancelled() => (),
                    }
                }
                Err(error) => {
                    tracing::error!(offset = position.get(), %error, "the journal cannot be read here; no event is dispatched");
                    *self.core.dispatch_trouble() =
                        Some(format!("the journal cannot be read at offset {position}: {error}"));
                    self.rest().await;
                }
            }
        }
    }

    /// A journal that has stopped wakes its waiters with nothing new: do not spin on it.
    async fn rest_if_ended(&mut self, position: Offset) {
        if self.core.journal.durable_end() <= position {
            self.rest().await;
        }
    }

    /// For a while there is nothing to read; nobody who reloads the rules has to wait for it.
    async fn rest(&mut self) {
        let core = Arc::clone(&self.core);
        tokio::select! {
            biased;
            Some(swap) = self.swaps.recv() => self.swap(swap).await,
            () = tokio::time::sleep(READ_AGAIN_AFTER) => (),
            () = core.stop.cancelled() => (),
        }
    }

    fn dispatch(&mut self, entry: &Record) {
        let Some(table) = self.tables.get(&*entry.bus) else { return };
        let Some(on_bus) = self.routes.rules.on(&entry.bus) else { return };
        let wanted = match wanted(entry, on_bus, &mut self.scratch) {
            Ok(Some(wanted)) => wanted,
            Ok(None) => return,
            Err(reason) => {
                tracing::error!(offset = entry.offset.get(), %reason, "a record is passed over");
                return;
            }
        };
        let Wanted { matched, event, hops } = wanted;
        for rule in matched {
            for (lane, route) in table.get(&rule.name).into_iter().flatten() {
                let owed = || Owed {
                    offset: entry.offset,
                    event: event.clone(),
                    hops,
                    ingested: Timestamp::from_millis(entry.time),
                    route: Arc::clone(route),
                    order: None,
                };
                lane.offer(owed, entry.offset);
            }
        }
    }

    async fn swap(&mut self, swap: Swap) {
        let outcome = self.exchange(swap.routes).await;
        // Whoever asked may have gone; the swap stands.
        drop(swap.done.send(outcome));
    }

    /// Puts the next snapshot in place at the dispatcher's position.
    pub(crate) async fn exchange(&mut self, next: Routes) -> Result<Offset, SwapError> {
        let core = Arc::clone(&self.core);
        let _roster = core.roster.lock().await;
        let position = self.cursor.position();
        let next = Arc::new(next);
        self.core.subscriptions.store(next.by_key.len(), Ordering::Relaxed);
        self.core.fail_replays(&next).await?;
        let removals = self.core.removals(&next, position);
        let added: Vec<(Key, Offset)> = {
            let lanes = self.core.lanes();
            let is_new = |key: &Key| !lanes.contains_key(key) && !removals.brings_back(key);
            let added = next.by_key.iter().filter(|(key, _)| is_new(key));
            added.map(|(key, route)| (key.clone(), self.core.start_of(route, position))).collect()
        };
        // At least once: a subscription is on disk before it is offered its first event.
        let begun: Vec<(Key, Offset, Written)> = added
            .iter()
            .map(|(key, from)| {
                (key.clone(), *from, then(&Written::new(), *from, next.pattern_of(key)))
            })
            .collect();
        let moves = removals.writing(self.core.recall());
        self.core
            .state
            .run(move |tx| {
                moves(tx)?;
                begun.iter().try_for_each(|(key, from, versions)| {
                    Subscription::begin(tx, key, *from, None)?;
                    Subscription::write_versions(tx, key, versions)
                })
            })
            .await?;
        self.core.carry_out_removals(removals, &next, position);
        for (key, from) in added {
            let route = Arc::clone(next.by_key.get(&key).expect("added keys are of this set"));
            self.core.open_lane(Subscription::new(key, from), route, position);
        }
        self.core.routes.store(Arc::clone(&next));
        self.routes = next;
        self.lay_tables();
        Ok(position)
    }

    fn lay_tables(&mut self) {
        self.tables.clear();
        let lanes = self.core.lanes();
        for (key, route) in &self.routes.by_key {
            let lane = lanes.get(key).expect("every route has a lane");
            let table = self.tables.entry(key.bus.as_ref().to_owned()).or_default();
            let of_rule = table.entry(key.rule.as_ref().to_owned()).or_default();
            of_rule.push((Arc::clone(lane), Arc::clone(route)));
        }
    }
}

/// An event that some rule matches.
struct Wanted {
    matched: Vec<Arc<Rule>>,
    event: Event,
    hops: u8,
}

/// Matches the bytes as they lie there; only what a rule wants is read into an event.
fn wanted(
    entry: &Record,
    on_bus: &BusRules,
    scratch: &mut ruleset::Scratch,
) -> Result<Option<Wanted>, String> {
    let (envelope, hops) =
        record::split(&entry.payload).map_err(|error| format!("it is no event: {error}"))?;
    let matched = on_bus
        .matches(&envelope, scratch)
        .map_err(|error| format!("it cannot be matched: {error}"))?;
    if matched.is_empty() {
        return Ok(None);
    }
    let event = Event::read(envelope).map_err(|error| format!("it is no event: {error}"))?;
    Ok(Some(Wanted { matched, event, hops }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Stopped;

    fn stored(settled: u64) -> Subscription {
        Subscription::new(Key::live("shop", "r", &settled.to_string()), Offset::new(settled))
    }

    fn begins(stored: &[Subscription]) -> u64 {
        begin(stored, Offset::new(1_000_000), Offset::new(1_200_000)).get()
    }

    #[test]
    fn a_process_begins_with_the_first_that_somebody_near_the_end_has_not_had() {
        assert_eq!(begins(&[]), 1_200_000);
        assert_eq!(begins(&[stored(1_200_000)]), 1_200_000);
        assert_eq!(begins(&[stored(1_190_000), stored(1_150_000)]), 1_150_000);
        let sealed = begin(&[stored(10), stored(30)], Offset::new(20), Offset::new(40));
        assert_eq!(sealed.get(), 30, "what is sealed cannot be followed");
    }

    #[test]
    fn who_is_far_behind_or_takes_nothing_keeps_nobody_waiting() {
        assert_eq!(begins(&[stored(1_099_999), stored(1_190_000)]), 1_190_000);
        let stopped = || Some(Stopped { since: Timestamp::from_millis(0), reason: String::new() });
        let paused = Subscription { paused: stopped(), ..stored(1_150_000) };
        let disabled = Subscription { disabled: stopped(), ..stored(1_150_000) };
        let removed =
            Subscription { removed: Some(Timestamp::from_millis(0)), ..stored(1_150_000) };
        let replay = Subscription { until: Some(Offset::new(1_160_000)), ..stored(1_150_000) };
        assert_eq!(begins(&[paused, disabled, removed, replay]), 1_200_000);
    }

    struct Still;

    impl crate::Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1)
        }

        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_dispatcher_that_cannot_read_makes_the_router_unready_until_it_can() {
        use std::os::unix::fs::FileExt;

        let folder = tempfile::tempdir().unwrap();
        let flush_every = Duration::from_millis(5);
        let options = crate::Options { flush_every, ..crate::Options::new(folder.path()) };
        let host = plugin::Host::new(plugin::Options::default()).unwrap();
        let rules = Arc::new(ruleset::RuleSet::empty());
        let router = crate::Router::open(options, Arc::new(Still), rules, host).await.unwrap();
        let entry = br#"{"source":"a","detail-type":"b","detail":{}}"#;
        router.ingest("default", vec![bytes::Bytes::from_static(entry)]).await.unwrap();
        while router.status().dispatched < 1 {
            router.written().await;
        }

        let files = std::fs::read_dir(folder.path().join("journal")).unwrap();
        let hot = files.flatten().map(|one| one.path());
        let path = hot.filter(|path| path.extension().is_some_and(|ext| ext == "hot")).min();
        let mut file = std::fs::OpenOptions::new();
        let file = file.read(true).write(true).open(path.unwrap()).unwrap();
        let mut was = [0; 3];
        file.read_exact_at(&mut was, 4096 + 60).unwrap();
        file.write_all_at(b"???", 4096 + 60).unwrap();

        router.ready().unwrap();
        // As it is when the disk goes bad under a dispatcher.
        router.core.position.store(0, Ordering::Release);
        let (_swaps, commands) = mpsc::channel(1);
        let dispatcher = Dispatcher::new(Arc::clone(&router.core), commands);
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(dispatcher.run());
        let mut looked = 0;
        while router.ready().is_ok() {
            looked += 1;
            assert!(looked < 1000, "it goes on saying that it is ready");
            router.written().await;
        }
        let reason = router.ready().unwrap_err();
        let begins = "no event is dispatched: the journal cannot be read at offset 0: ";
        assert!(reason.starts_with(begins), "{reason}");
        let status = router.status().dispatch_failed.unwrap();
        assert_eq!(format!("no event is dispatched: {status}"), reason);

        file.write_all_at(&was, 4096 + 60).unwrap();
        while router.ready().is_err() {
            router.written().await;
        }
        assert_eq!(router.status().dispatch_failed, None);
        router.shutdown(Duration::from_secs(5)).await;
        tasks.join_next().await.unwrap().unwrap();
    }
}
