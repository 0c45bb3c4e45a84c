//! The rows of subscriptions, and the change that moves one on.

use std::collections::HashMap;

use delivery::DeliveryId;
use event::Timestamp;
use journal::Offset;
use roaring::RoaringTreemap;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::Serialize;

use super::dead::{self, Dead, Recall};
use super::postponed::{self, InShort, Postponed};
use super::{StateError, from_sql, to_sql};
use crate::key::Key;
use crate::lane::Written;

/// What became of deliveries, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub delivered: u64,
    pub dropped: u64,
    pub dead: u64,
    pub failed_attempts: u64,
    /// Events of its bus that expired before it had looked at them.
    pub expired: u64,
}

/// A subscription as it was written down.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub key: Key,
    pub settled: Offset,
    pub done: RoaringTreemap,
    pub until: Option<Offset>,
    pub counts: Counts,
    pub waiting: Vec<InShort>,
    pub paused: Option<Stopped>,
    pub disabled: Option<Stopped>,
    /// Since when it has no rule.
    pub removed: Option<Timestamp>,
    /// Which patterns its rule has had; empty where nobody has written them down.
    pub versions: Written,
}

/// Since when, and why, nothing is sent to a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stopped {
    pub since: Timestamp,
    pub reason: String,
}

/// What moved in one subscription since the last change.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub key: Key,
    pub settled: Offset,
    pub done: RoaringTreemap,
    pub counts: Counts,
    pub postponed: Vec<Postponed>,
    /// No longer postponed: delivered or dead.
    pub resolved: Vec<DeliveryId>,
    pub dead: Vec<Dead>,
    /// That the target has said it is gone.
    pub disabled: Option<Stopped>,
}

impl Change {
    /// `recall` fetches the events of what died.
    pub(super) fn apply(
        &self,
        tx: &Transaction<'_>,
        now: Timestamp,
        recall: &Recall,
    ) -> Result<(), StateError> {
        // A subscription that was removed meanwhile owes nothing more, but its dead stay dead.
        for dead in &self.dead {
            dead.bury(tx, recall)?;
        }
        let Some(id) = find(tx, &self.key)? else { return Ok(()) };
        let mut update = tx.prepare_cached(
            "UPDATE subscriptions SET settled = ?2, done = ?3, delivered = ?4, dropped = ?5, dead = ?6,
                failed_attempts = ?7, expired = ?8 WHERE id = ?1",
        )?;
        update.execute(params![
            id,
            to_sql(self.settled.get()),
            to_blob(&self.done),
            to_sql(self.counts.delivered),
            to_sql(self.counts.dropped),
            to_sql(self.counts.dead),
            to_sql(self.counts.failed_attempts),
            to_sql(self.counts.expired),
        ])?;
        if let Some(disabled) = &self.disabled {
            Subscription::disable(tx, &self.key, Some(disabled))?;
        }
        for gone in &self.resolved {
            postponed::remove(tx, id, gone)?;
        }
        for waiting in &self.postponed {
            waiting.put(tx, id)?;
        }
        for gone in &self.resolved {
            dead::delivered(tx, id, gone, now)?;
        }
        Ok(())
    }
}

impl Subscription {
    /// One that begins at `settled`.
    pub(crate) fn new(key: Key, settled: Offset) -> Self {
        Self {
            key,
            settled,
            done: RoaringTreemap::new(),
            until: None,
            counts: Counts::default(),
            waiting: Vec::new(),
            paused: None,
            disabled: None,
            removed: None,
            versions: Written::new(),
        }
    }

    /// Begins a subscription at `settled`, unless there is one of this key.
    pub(crate) fn begin(
        tx: &Transaction<'_>,
        key: &Key,
        settled: Offset,
        until: Option<Offset>,
    ) -> Result<(), StateError> {
        let mut insert = tx.prepare_cached(
            "INSERT OR IGNORE INTO subscriptions (bus, rule, target, replay, settled, done, until)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        insert.execute(params![
            &*key.bus,
            &*key.rule,
            &*key.target,
            key.replay.as_deref().unwrap_or(""),
            to_sql(settled.get()),
            to_blob(&RoaringTreemap::new()),
            until.map(|until| to_sql(until.get())),
        ])?;
        Ok(())
    }

    pub(crate) fn all(tx: &Transaction<'_>) -> Result<Vec<Subscription>, StateError> {
        let mut select = tx.prepare(
            "SELECT id, bus, rule, target, replay, settled, done, until, delivered, dropped, dead, failed_attempts,
                paused, paused_reason, disabled_at, disabled, expired, removed
             FROM subscriptions ORDER BY id",
        )?;
        let mut versions = versions_of_all(tx)?;
        let mut rows = select.query([])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            let text = |column| row.get::<_, String>(column);
            let count = |column| row.get(column).map(from_sql);
            let replay = text(4)?;
            let key = Key {
                bus: text(1)?.into(),
                rule: text(2)?.into(),
                target: text(3)?.into(),
                replay: (!replay.is_empty()).then(|| replay.into()),
            };
            let settled = Offset::new(from_sql(row.get(5)?));
            let until: Option<i64> = row.get(7)?;
            all.push(Subscription {
                settled,
                done: from_blob(&row.get::<_, Vec<u8>>(6)?),
                until: until.map(|until| Offset::new(from_sql(until))),
                counts: Counts {
                    delivered: count(8)?,
                    dropped: count(9)?,
                    dead: count(10)?,
                    failed_attempts: count(11)?,
                    expired: count(16)?,
                },
                waiting: postponed::in_short(tx, row.get(0)?)?,
                paused: stopped(row, 12)?,
                disabled: stopped(row, 14)?,
                removed: row.get::<_, Option<i64>>(17)?.map(Timestamp::from_millis),
                versions: versions.remove(&row.get(0)?).unwrap_or_default(),
                key,
            });
        }
        Ok(all)
    }

    /// Writes down that a target is paused, or no longer. False where there is no such subscription.
    pub(crate) fn pause(
        tx: &Transaction<'_>,
        key: &Key,
        paused: Option<&Stopped>,
    ) -> Result<bool, StateError> {
        let sql = "UPDATE subscriptions SET paused = ?2, paused_reason = ?3 WHERE id = ?1";
        stop(tx, key, sql, paused)
    }

    /// Writes down that a target is disabled, or no longer. False where there is no such subscription.
    pub(crate) fn disable(
        tx: &Transaction<'_>,
        key: &Key,
        disabled: Option<&Stopped>,
    ) -> Result<bool, StateError> {
        let sql = "UPDATE subscriptions SET disabled_at = ?2, disabled = ?3 WHERE id = ?1";
        stop(tx, key, sql, disabled)
    }

    /// Writes down since when a subscription has no rule, or that it has one.
    pub(crate) fn remove(
        tx: &Transaction<'_>,
        key: &Key,
        since: Option<Timestamp>,
    ) -> Result<(), StateError> {
        if let Some(id) = find(tx, key)? {
            let update = "UPDATE subscriptions SET removed = ?2 WHERE id = ?1";
            tx.execute(update, params![id, since.map(Timestamp::as_millis)])?;
        }
        Ok(())
    }

    /// Writes down which patterns its rule has had.
    pub(crate) fn write_versions(
        tx: &Transaction<'_>,
        key: &Key,
        versions: &Written,
    ) -> Result<(), StateError> {
        let Some(id) = find(tx, key)? else { return Ok(()) };
        tx.prepare_cached("DELETE FROM versions WHERE subscription = ?1")?.execute([id])?;
        let mut insert = tx.prepare_cached(
            "INSERT INTO versions (subscription, from_offset, pattern) VALUES (?1, ?2, ?3)",
        )?;
        for (from, pattern) in versions {
            insert.execute(params![id, to_sql(from.get()), pattern])?;
        }
        Ok(())
    }

    /// Lets go of what waits for a retry; it must have been dealt with before.
    pub(crate) fn let_go(tx: &Transaction<'_>, key: &Key) -> Result<(), StateError> {
        if let Some(id) = find(tx, key)? {
            tx.execute("DELETE FROM postponed WHERE subscription = ?1", [id])?;
        }
        Ok(())
    }

    /// Ends a subscription; what is still postponed must have been dealt with before.
    pub(crate) fn end(tx: &Transaction<'_>, key: &Key) -> Result<(), StateError> {
        if let Some(id) = find(tx, key)? {
            tx.execute("DELETE FROM subscriptions WHERE id = ?1", [id])?;
        }
        Ok(())
    }
}

/// By subscription.
fn versions_of_all(tx: &Transaction<'_>) -> Result<HashMap<i64, Written>, StateError> {
    let mut select = tx.prepare(
        "SELECT subscription, from_offset, pattern FROM versions ORDER BY subscription, from_offset",
    )?;
    let mut rows = select.query([])?;
    let mut all: HashMap<i64, Written> = HashMap::new();
    while let Some(row) = rows.next()? {
        let from = Offset::new(from_sql(row.get(1)?));
        all.entry(row.get(0)?).or_default().push((from, row.get(2)?));
    }
    Ok(all)
}

fn stop(
    tx: &Transaction<'_>,
    key: &Key,
    sql: &str,
    stopped: Option<&Stopped>,
) -> Result<bool, StateError> {
    let Some(id) = find(tx, key)? else { return Ok(false) };
    let since = stopped.map(|stopped| stopped.since.as_millis());
    tx.execute(sql, params![id, since, stopped.map(|stopped| &stopped.reason)])?;
    Ok(true)
}

/// Out of two columns: since when, and why.
fn stopped(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Stopped>> {
    let since: Option<i64> = row.get(at)?;
    let reason: Option<String> = row.get(at + 1)?;
    Ok(since.map(|since| Stopped {
        since: Timestamp::from_millis(since),
        reason: reason.unwrap_or_default(),
    }))
}

pub(super) fn find(tx: &Transaction<'_>, key: &Key) -> Result<Option<i64>, StateError> {
    let mut select = tx.prepare_cached(
        "SELECT id FROM subscriptions WHERE bus = ?1 AND rule = ?2 AND target = ?3 AND replay = ?4",
    )?;
    let replay = key.replay.as_deref().unwrap_or("");
    Ok(select
        .query_row([&*key.bus, &*key.rule, &*key.target, replay], |row| row.get(0))
        .optional()?)
}

/// Counts deliveries that were given up beside what a lane counts.
pub(super) fn add_dead(
    tx: &Transaction<'_>,
    subscription: i64,
    count: usize,
) -> Result<(), StateError> {
    let count = to_sql(u64::try_from(count).unwrap_or(u64::MAX));
    let update = "UPDATE subscriptions SET dead = dead + ?2 WHERE id = ?1";
    tx.execute(update, params![subscription, count])?;
    Ok(())
}

/// Writes one postponed row for a subscription that exists; false where there is none.
pub(crate) fn postpone(
    tx: &Transaction<'_>,
    key: &Key,
    waiting: &Postponed,
) -> Result<bool, StateError> {
    let Some(id) = find(tx, key)? else { return Ok(false) };
    waiting.put(tx, id)?;
    Ok(true)
}

fn to_blob(done: &RoaringTreemap) -> Vec<u8> {
    let mut blob = Vec::with_capacity(done.serialized_size());
    done.serialize_into(&mut blob).expect("writing into memory does not fail");
    blob
}

/// A window that cannot be read is taken as empty: that repeats deliveries and loses none.
fn from_blob(blob: &[u8]) -> RoaringTreemap {
    RoaringTreemap::deserialize_from(blob).unwrap_or_else(|error| {
        tracing::warn!(%error, "the window of a subscription cannot be read: some deliveries will repeat");
        RoaringTreemap::new()
    })
}
