//! What goes of what was sealed, and who is asked before.
//!
//! ```text
//! lanes: needed from … ─▶ rows get their events ─▶ whole files go ─▶ what somebody had not had is counted
//! ```
//!
//! # Invariants
//!
//! - What a subscription still needs is kept, as long as its target's `retry.max_age` lets an event
//!   be tried at all; a replay's span is kept to its end.
//! - at least once: a delivery that waits for a retry and has no payload has its event, in the journal
//!   or in its own row.
//! - Who needs what stays as it is from when it is asked until what may go has gone.
//! - nothing silent: events that go before a subscription has looked at them are counted there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use event::Timestamp;
use journal::{Expired, Offset};

use crate::core::Core;
use crate::sealing::Retention;
use crate::state::{Postponed, StateError};

/// How long a subscription without a rule holds events back at least: what `retry.max_age` says is
/// not known any more.
const DORMANT_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Rows that get their events in one transaction.
const ROWS: usize = 200;

impl Core {
    /// Removes what no bus and no archive need keep.
    pub(crate) async fn expire(self: &Arc<Self>) {
        let now = self.clock.now();
        {
            // Nobody begins to need, or moves from one place to another, while it is decided what goes.
            let _roster = self.roster.lock().await;
            self.expire_archives(now).await;
        }
        let mut begins = BTreeMap::new();
        for (bus, stats) in self.journal.sealed_buses() {
            let Retention { age, bytes } = self.bus_options(&bus).retention;
            let before_time = age.map(|age| before(now, age));
            let is_old = before_time.zip(stats.first_time).is_some_and(|(at, first)| first < at);
            let is_large = bytes.is_some_and(|most| most < stats.bytes);
            if !is_old && !is_large {
                continue;
            }
            let _roster = self.roster.lock().await;
            let needed_from = self.needed_from(&bus, now, &mut begins);
            if let Err(error) = self.keep_events(&bus, needed_from).await {
                tracing::error!(bus, %error, "events do not expire: those that deliveries wait with cannot be kept elsewhere");
                continue;
            }
            let keep = journal::Retention { before_time, bytes_max: bytes, needed_from };
            let (journal, of) = (self.journal.clone(), bus.clone());
            match self.outside.blocking(move || journal.expire(&of, &keep)).await {
                Ok(expired) if 0 < expired.segments => self.have_expired(&bus, expired),
                Ok(_nothing) => (),
                Err(error) => tracing::error!(bus, %error, "events do not expire"),
            }
        }
    }

    /// An archive that is being replayed stays as it is.
    async fn expire_archives(&self, now: Timestamp) {
        let replayed = self.players.archives();
        for chain in self.journal.archives() {
            let archives = self.archives.load_full();
            let Some(archive) = archives.get(chain.name()) else { continue };
            let is_for_ever = archive.retention_days == 0;
            if is_for_ever || replayed.contains(&archive.name) {
                continue;
            }
            let age = Duration::from_secs(u64::from(archive.retention_days) * 24 * 60 * 60);
            let keep = journal::Retention {
                before_time: Some(before(now, age)),
                bytes_max: None,
                needed_from: Offset::new(u64::MAX),
            };
            match self.outside.blocking(move || chain.expire(&keep)).await {
                Ok(expired) if 0 < expired.segments => {
                    tracing::info!(archive = %archive.name, records = expired.records, "archived events expired");
                }
                Ok(_nothing) => (),
                Err(error) => {
                    tracing::error!(archive = %archive.name, %error, "archived events do not expire");
                }
            }
        }
    }

    /// The first offset of a bus that somebody needs still. `begins` remembers where the events of
    /// an age begin.
    fn needed_from(
        &self,
        bus: &str,
        now: Timestamp,
        begins: &mut BTreeMap<Duration, Offset>,
    ) -> Offset {
        let mut begin = |age_max| {
            // Where it cannot be told, nothing is given up.
            let at = || self.journal.offset_at(before(now, age_max)).unwrap_or(Offset::ZERO);
            *begins.entry(age_max).or_insert_with(at)
        };
        let mut needed = self.dispatched();
        let lanes = self.lanes().clone();
        for (key, lane) in lanes.iter().filter(|(key, _)| *key.bus == *bus) {
            let playing = key.replay.as_ref().and_then(|name| self.players.get(name));
            let begin = match (&key.replay, playing) {
                // What an archive has is not needed here.
                (_, Some(playing)) => playing.journal_from,
                (Some(_), None) => Offset::ZERO,
                (None, None) => {
                    let age_max = lane.lock().route.policy.age_max;
                    begin(age_max)
                }
            };
            needed = needed.min(lane.lock().needed_from(begin));
        }
        let dormant_age_max = self.options.removed_kept.max(DORMANT_AGE_MAX);
        for stored in self.dormant().iter().filter(|stored| *stored.key.bus == *bus) {
            needed = needed.min(stored.settled.max(begin(dormant_age_max)));
        }
        needed
    }

    /// What may go is copied for those that wait for a retry and have nothing else.
    async fn keep_events(&self, bus: &str, before: Offset) -> Result<(), StateError> {
        let (mut after, mut kept) = (0, 0);
        loop {
            let (of, recall) = (bus.to_owned(), self.recall());
            let rows = self.state.run(move |tx| {
                Postponed::keep_events(tx, (&of, before.get()), (after, ROWS), &*recall)
            });
            let rows = rows.await?;
            kept += rows.events;
            let Some(last) = rows.last else { break };
            after = last;
        }
        if 0 < kept {
            tracing::info!(
                bus,
                kept,
                "events that deliveries wait with were kept in the state database, because the journal may let them go"
            );
        }
        Ok(())
    }

    fn have_expired(&self, bus: &str, expired: Expired) {
        let (records, bytes) = (expired.records, expired.bytes);
        self.counts.expired_records.fetch_add(records, Ordering::Relaxed);
        tracing::info!(bus, records, bytes, "events expired");
        let (first, dispatched) = (self.journal.first_offset(bus), self.dispatched());
        let lanes = self.lanes().clone();
        for (key, lane) in lanes.iter().filter(|(key, _)| *key.bus == *bus) {
            if key.replay.is_none() {
                say(key, lane.lock().lose(first, records, dispatched));
            }
        }
        for stored in self.dormant().iter_mut().filter(|stored| *stored.key.bus == *bus) {
            let unseen = first.get().saturating_sub(stored.settled.get()).min(records);
            stored.counts.expired += unseen;
            say(&stored.key, unseen);
        }
    }
}

fn say(key: &crate::key::Key, unseen: u64) {
    if 0 < unseen {
        tracing::warn!(subscription = %key, unseen, "events of its bus expired before it had looked at them; they were older than its target's retry.max_age");
    }
}

fn before(now: Timestamp, age: Duration) -> i64 {
    now.as_millis().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}
