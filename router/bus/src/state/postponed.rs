//! Deliveries that failed at least once and are still owed.

use std::sync::Arc;

use bytes::Bytes;
use delivery::{DeliveryId, ErrorKind};
use event::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::dead::{Dead, Recall, Recalled};
use super::{StateError, from_sql, to_sql};
use crate::attributes;
use crate::key::Key;

/// What a target is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Payload {
    pub body: Bytes,
    pub content_type: String,
    /// What plugins attached beside.
    pub attributes: Vec<(String, String)>,
}

/// The payload of a delivery that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Made {
    /// The transform failed: it is run again.
    NotYet,
    Here(Payload),
    /// In its row already, which keeps it.
    OnDisk,
}

/// Which delivery of a subscription; in the order of the journal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub offset: u64,
    pub output: u32,
    /// Of a replay's delivery that the live subscription has taken over.
    pub replay: Option<Arc<str>>,
}

impl Place {
    pub(crate) fn of(id: &DeliveryId) -> Self {
        Self { offset: id.offset, output: id.output, replay: id.replay.clone() }
    }

    pub(crate) fn in_lane(&self, key: &Key) -> DeliveryId {
        DeliveryId {
            bus: Arc::clone(&key.bus),
            offset: self.offset,
            rule: Arc::clone(&key.rule),
            target: Arc::clone(&key.target),
            output: self.output,
            replay: self.replay.clone(),
        }
    }
}

/// What a lane keeps in memory of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InShort {
    pub place: Place,
    pub due_at: Timestamp,
    pub order: Option<u64>,
    /// Whether its payload is still to be made.
    pub is_unmade: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Postponed {
    pub id: DeliveryId,
    /// Deliveries of one order run one at a time.
    pub order: Option<u64>,
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

/// What became of rows that need an event.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub events: usize,
    /// The last row that was looked at; there may be more behind it.
    pub last: Option<i64>,
}

impl Postponed {
    pub(crate) fn in_short(&self) -> InShort {
        let place = Place::of(&self.id);
        let is_unmade = self.made == Made::NotYet;
        InShort { place, due_at: self.due_at, order: self.order, is_unmade }
    }

    pub(super) fn put(&self, tx: &Transaction<'_>, subscription: i64) -> Result<(), StateError> {
        let (body, content_type, attributes) = match &self.made {
            Made::NotYet => (None, None, None),
            Made::Here(Payload { body, content_type, attributes }) => {
                (Some(body.as_ref()), Some(content_type), attributes::written(attributes))
            }
            Made::OnDisk => return self.put_again(tx, subscription),
        };
        let mut insert = tx.prepare_cached(
            "INSERT INTO postponed (subscription, offset, output, replay, event_id, hops, attempts,
                owed_at, due_at, last_attempt_at, error, payload, content_type, order_key, attributes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
             ON CONFLICT DO UPDATE SET event_id = ?5, hops = ?6, attempts = ?7, owed_at = ?8, due_at = ?9,
                last_attempt_at = ?10, error = ?11, payload = ?12, content_type = ?13, order_key = ?14, attributes = ?15",
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
            self.order.map(u64::cast_signed),
            attributes,
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

    /// One that waits for the subscription `key`, as its row has it.
    pub(crate) fn find(
        tx: &Transaction<'_>,
        key: &Key,
        place: &Place,
    ) -> Result<Option<Postponed>, StateError> {
        let Some(subscription) = super::subscriptions::find(tx, key)? else { return Ok(None) };
        let mut select = tx.prepare_cached(
            "SELECT offset, output, replay, event_id, hops, attempts, owed_at, due_at, last_attempt_at, error,
                payload, content_type, order_key, attributes
             FROM postponed WHERE subscription = ?1 AND offset = ?2 AND output = ?3 AND replay = ?4",
        )?;
        let replay = place.replay.as_deref().unwrap_or("");
        let which = params![subscription, to_sql(place.offset), place.output, replay];
        Ok(select.query_row(which, |row| from_row(row, key)).optional()?)
    }

    /// The copy of the event that a delivery of this event waits with, if one does.
    pub(crate) fn copy_of(
        tx: &Transaction<'_>,
        id: &DeliveryId,
    ) -> Result<Option<Recalled>, StateError> {
        let mut select = tx.prepare_cached(
            "SELECT p.event, p.ingested_at FROM postponed p JOIN subscriptions s ON s.id = p.subscription
             WHERE s.bus = ?1 AND s.rule = ?2 AND s.target = ?3 AND p.offset = ?4
                AND CASE p.replay WHEN '' THEN s.replay ELSE p.replay END = ?5
                AND p.event IS NOT NULL LIMIT 1",
        )?;
        let replay = id.replay.as_deref().unwrap_or("");
        let which = params![&*id.bus, &*id.rule, &*id.target, to_sql(id.offset), replay];
        let found = select.query_row(which, |row| {
            let (event, ingested) = (row.get::<_, Vec<u8>>(0)?, row.get(1)?);
            Ok(Recalled { event: Bytes::from(event), ingested: Timestamp::from_millis(ingested) })
        });
        Ok(found.optional()?)
    }

    /// Copies events into rows of a bus that would need the journal for them below `before`: up to
    /// `limit` rows behind the row `after`.
    pub(crate) fn keep_events(
        tx: &Transaction<'_>,
        (bus, before): (&str, u64),
        (after, limit): (i64, usize),
        recall: &Recall,
    ) -> Result<Kept, StateError> {
        let mut select = tx.prepare_cached(
            "SELECT p.rowid, s.rule, s.target, s.replay, p.offset, p.output, p.replay
             FROM postponed p JOIN subscriptions s ON p.subscription = s.id
             WHERE s.bus = ?1 AND p.offset < ?2 AND p.rowid > ?3 AND p.content_type IS NULL AND p.event IS NULL
             ORDER BY p.rowid LIMIT ?4",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = select.query_map(params![bus, to_sql(before), after, limit], |row| {
            let text = |column| row.get::<_, String>(column);
            let (of_lane, own) = (text(3)?, text(6)?);
            let id = DeliveryId {
                bus: bus.into(),
                rule: text(1)?.into(),
                target: text(2)?.into(),
                replay: replay_of(if own.is_empty() { &of_lane } else { &own }),
                offset: from_sql(row.get(4)?),
                output: row.get(5)?,
            };
            Ok((row.get::<_, i64>(0)?, id))
        })?;
        let mut update = tx
            .prepare_cached("UPDATE postponed SET event = ?2, ingested_at = ?3 WHERE rowid = ?1")?;
        let mut kept = Kept::default();
        for row in rows {
            let (row, id) = row?;
            kept.last = Some(row);
            if let Some(Recalled { event, ingested }) = recall(&id) {
                update.execute(params![row, &*event, ingested.as_millis()])?;
                kept.events += 1;
            }
        }
        Ok(kept)
    }

    /// Gives up all that wait for one subscription, and counts them there.
    pub(crate) fn bury_all(
        tx: &Transaction<'_>,
        key: &Key,
        (now, why): (Timestamp, &str),
        recall: &Recall,
    ) -> Result<(), StateError> {
        let Some(subscription) = super::subscriptions::find(tx, key)? else { return Ok(()) };
        let all = in_short(tx, subscription)?;
        super::subscriptions::add_dead(tx, subscription, all.len())?;
        for InShort { place, .. } in all {
            if let Some(mut last) = Self::find(tx, key, &place)? {
                last.error = format!("{} ({why})", last.error);
                let kind = ErrorKind::TargetGone;
                Dead { last, died_at: now, kind, rules: None }.bury(tx, recall)?;
            }
        }
        Ok(())
    }
}

/// All that wait for one subscription, out of the index alone.
pub(super) fn in_short(
    tx: &Transaction<'_>,
    subscription: i64,
) -> Result<Vec<InShort>, StateError> {
    let mut select = tx.prepare_cached(
        "SELECT offset, output, replay, due_at, order_key, content_type IS NULL
         FROM postponed INDEXED BY postponed_in_short WHERE subscription = ?1
         ORDER BY offset, output, replay",
    )?;
    let mut rows = select.query([subscription])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let place = Place {
            offset: from_sql(row.get(0)?),
            output: row.get(1)?,
            replay: replay_of(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?),
        };
        let order: Option<i64> = row.get(4)?;
        let due_at = Timestamp::from_millis(row.get(3)?);
        let order = order.map(i64::cast_unsigned);
        all.push(InShort { place, due_at, order, is_unmade: row.get(5)? });
    }
    Ok(all)
}

fn replay_of(text: &str) -> Option<Arc<str>> {
    (!text.is_empty()).then(|| text.into())
}

fn from_row(row: &Row<'_>, key: &Key) -> rusqlite::Result<Postponed> {
    let place = Place {
        offset: from_sql(row.get(0)?),
        output: row.get(1)?,
        replay: replay_of(row.get_ref(2)?.as_str()?),
    };
    let body: Option<Vec<u8>> = row.get(10)?;
    let content_type: Option<String> = row.get(11)?;
    let order: Option<i64> = row.get(12)?;
    let attributes = attributes::read(row.get(13)?);
    let payload = body.zip(content_type);
    Ok(Postponed {
        id: place.in_lane(key),
        order: order.map(i64::cast_unsigned),
        event_id: row.get(3)?,
        hops: row.get(4)?,
        attempts: row.get(5)?,
        owed_at: Timestamp::from_millis(row.get(6)?),
        due_at: Timestamp::from_millis(row.get(7)?),
        last_attempt_at: Timestamp::from_millis(row.get(8)?),
        error: row.get(9)?,
        made: payload.map_or(Made::NotYet, |(body, content_type)| {
            Made::Here(Payload { body: Bytes::from(body), content_type, attributes })
        }),
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
