//! Deliveries that failed at least once and are still owed.

use bytes::Bytes;
use delivery::DeliveryId;
use event::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::{StateError, from_sql, to_sql};
use crate::key::Key;

/// What a target is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payload {
    pub body: Bytes,
    pub content_type: String,
}

/// The payload of a delivery that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Made {
    /// The transform failed: it is run again.
    NotYet,
    Here(Payload),
    /// In its row; kept out of memory until it is due.
    OnDisk,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Postponed {
    pub id: DeliveryId,
    pub event_id: String,
    pub hops: u8,
    /// How many attempts there were.
    pub attempts: u32,
    pub owed_at: Timestamp,
    pub due_at: Timestamp,
    pub last_attempt_at: Timestamp,
    pub error: String,
    pub made: Made,
}

impl Postponed {
    pub(super) fn put(&self, tx: &Transaction<'_>, subscription: i64) -> Result<(), StateError> {
        let (body, content_type) = match &self.made {
            Made::NotYet => (None, None),
            Made::Here(payload) => (Some(payload.body.as_ref()), Some(&payload.content_type)),
            Made::OnDisk => return self.put_again(tx, subscription),
        };
        let mut insert = tx.prepare_cached(
            "INSERT OR REPLACE INTO postponed (subscription, offset, output, replay, event_id, hops, attempts,
                owed_at, due_at, last_attempt_at, error, payload, content_type)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?;
        insert.execute(params![
            subscription,
            to_sql(self.id.offset),
            self.id.output,
            self.id.replay.as_deref().unwrap_or(""),
            self.event_id,
            self.hops,
            self.attempts,
            self.owed_at.as_millis(),
            self.due_at.as_millis(),
            self.last_attempt_at.as_millis(),
            self.error,
            body,
            content_type,
        ])?;
        Ok(())
    }

    /// The payload is in the row already and stays as it is.
    fn put_again(&self, tx: &Transaction<'_>, subscription: i64) -> Result<(), StateError> {
        let mut update = tx.prepare_cached(
            "UPDATE postponed SET attempts = ?5, due_at = ?6, last_attempt_at = ?7, error = ?8
             WHERE subscription = ?1 AND offset = ?2 AND output = ?3 AND replay = ?4",
        )?;
        update.execute(params![
            subscription,
            to_sql(self.id.offset),
            self.id.output,
            self.id.replay.as_deref().unwrap_or(""),
            self.attempts,
            self.due_at.as_millis(),
            self.last_attempt_at.as_millis(),
            self.error,
        ])?;
        Ok(())
    }

    /// All that wait for one subscription, without their payloads.
    pub(super) fn of(
        tx: &Transaction<'_>,
        subscription: i64,
        key: &Key,
    ) -> Result<Vec<Postponed>, StateError> {
        let mut select = tx.prepare_cached(
            "SELECT offset, output, replay, event_id, hops, attempts, owed_at, due_at, last_attempt_at, error,
                payload IS NULL
             FROM postponed WHERE subscription = ?1 ORDER BY due_at",
        )?;
        let rows = select.query_map([subscription], |row| from_row(row, key))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn from_row(row: &Row<'_>, key: &Key) -> rusqlite::Result<Postponed> {
    let replay: String = row.get(2)?;
    let id = DeliveryId {
        bus: key.bus.clone(),
        offset: from_sql(row.get(0)?),
        rule: key.rule.clone(),
        target: key.target.clone(),
        output: row.get(1)?,
        replay: (!replay.is_empty()).then(|| replay.into()),
    };
    Ok(Postponed {
        id,
        event_id: row.get(3)?,
        hops: row.get(4)?,
        attempts: row.get(5)?,
        owed_at: Timestamp::from_millis(row.get(6)?),
        due_at: Timestamp::from_millis(row.get(7)?),
        last_attempt_at: Timestamp::from_millis(row.get(8)?),
        error: row.get(9)?,
        made: if row.get(10)? { Made::NotYet } else { Made::OnDisk },
    })
}

pub(super) fn remove(
    tx: &Transaction<'_>,
    subscription: i64,
    id: &DeliveryId,
) -> Result<(), StateError> {
    let mut delete = tx.prepare_cached(
        "DELETE FROM postponed WHERE subscription = ?1 AND offset = ?2 AND output = ?3 AND replay = ?4",
    )?;
    let replay = id.replay.as_deref().unwrap_or("");
    delete.execute(params![subscription, to_sql(id.offset), id.output, replay])?;
    Ok(())
}

/// The payload of one postponed delivery of the subscription `key`.
pub(crate) fn payload(
    tx: &Transaction<'_>,
    key: &Key,
    id: &DeliveryId,
) -> Result<Option<Payload>, StateError> {
    let Some(subscription) = super::subscriptions::find(tx, key)? else { return Ok(None) };
    let mut select = tx.prepare_cached(
        "SELECT payload, content_type FROM postponed
         WHERE subscription = ?1 AND offset = ?2 AND output = ?3 AND replay = ?4 AND payload IS NOT NULL",
    )?;
    let replay = id.replay.as_deref().unwrap_or("");
    let found = select
        .query_row(params![subscription, to_sql(id.offset), id.output, replay], |row| {
            let body: Vec<u8> = row.get(0)?;
            Ok(Payload { body: Bytes::from(body), content_type: row.get(1)? })
        })
        .optional()?;
    Ok(found)
}
