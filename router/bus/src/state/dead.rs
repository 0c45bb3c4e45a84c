//! Dead letters: deliveries that were given up, kept until somebody sends them again.

use bytes::Bytes;
use delivery::DeliveryId;
use event::Timestamp;
use rusqlite::{Row, Transaction, params, params_from_iter, types::Value};

use super::{Made, Payload, Postponed, StateError, from_sql, to_sql};
use crate::redrive::DeadLetterFilter;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dead {
    /// As it waited last; `error` is why it was given up.
    pub last: Postponed,
    pub died_at: Timestamp,
}

impl Dead {
    pub(crate) fn insert(&self, tx: &Transaction<'_>) -> Result<(), StateError> {
        let Postponed {
            id, event_id, hops, attempts, owed_at, last_attempt_at, error, made, ..
        } = &self.last;
        let (body, content_type) = match made {
            Made::Here(payload) => (Some(payload.body.as_ref()), Some(&payload.content_type)),
            Made::NotYet | Made::OnDisk => (None, None),
        };
        let replay = id.replay.as_deref().unwrap_or("");
        let mut insert = tx.prepare_cached(
            "INSERT INTO dead_letters (bus, rule, target, replay, offset, output, event_id, hops, attempts,
                owed_at, last_attempt_at, died_at, error, payload, content_type)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?;
        insert.execute(params![
            &*id.bus,
            &*id.rule,
            &*id.target,
            replay,
            to_sql(id.offset),
            id.output,
            event_id,
            hops,
            attempts,
            owed_at.as_millis(),
            last_attempt_at.as_millis(),
            self.died_at.as_millis(),
            error,
            body,
            content_type,
        ])?;
        if matches!(made, Made::OnDisk) {
            let mut fill = tx.prepare_cached(
                "UPDATE dead_letters SET (payload, content_type) = (
                    SELECT p.payload, p.content_type FROM postponed p JOIN subscriptions s ON s.id = p.subscription
                    WHERE s.bus = ?2 AND s.rule = ?3 AND s.target = ?4 AND p.offset = ?5 AND p.output = ?6
                        AND p.replay = ?7)
                 WHERE id = ?1",
            )?;
            let row = tx.last_insert_rowid();
            fill.execute(params![
                row,
                &*id.bus,
                &*id.rule,
                &*id.target,
                to_sql(id.offset),
                id.output,
                replay
            ])?;
        }
        Ok(())
    }
}

/// Dead letters by `filter`, newest first, with their ids.
pub(crate) fn select(
    tx: &Transaction<'_>,
    filter: &DeadLetterFilter,
) -> Result<Vec<(i64, Dead)>, StateError> {
    let mut sql = format!("{COLUMNS} WHERE TRUE");
    let mut values: Vec<Value> = Vec::new();
    let mut and = |condition: &str, value: Value| {
        sql.push_str(condition);
        values.push(value);
    };
    for (condition, value) in [
        (" AND bus = ?", &filter.bus),
        (" AND rule = ?", &filter.rule),
        (" AND target = ?", &filter.target),
    ] {
        if let Some(value) = value {
            and(condition, Value::from(value.clone()));
        }
    }
    if let Some(before) = filter.before {
        and(" AND id < ?", Value::from(before));
    }
    and(" ORDER BY id DESC LIMIT ?", Value::from(i64::try_from(filter.limit).unwrap_or(i64::MAX)));
    let mut select = tx.prepare_cached(&sql)?;
    let rows = select.query_map(params_from_iter(values), from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn find(tx: &Transaction<'_>, id: i64) -> Result<Option<Dead>, StateError> {
    let mut select = tx.prepare_cached(&format!("{COLUMNS} WHERE id = ?"))?;
    let found = select.query_map([id], from_row)?.next().transpose()?;
    Ok(found.map(|(_, dead)| dead))
}

pub(crate) fn remove(tx: &Transaction<'_>, id: i64) -> Result<(), StateError> {
    tx.execute("DELETE FROM dead_letters WHERE id = ?", [id])?;
    Ok(())
}

const COLUMNS: &str =
    "SELECT id, bus, rule, target, replay, offset, output, event_id, hops, attempts, owed_at,
    last_attempt_at, died_at, error, payload, content_type FROM dead_letters";

fn from_row(row: &Row<'_>) -> rusqlite::Result<(i64, Dead)> {
    let text = |column| row.get::<_, String>(column);
    let time = |column| row.get(column).map(Timestamp::from_millis);
    let replay = text(4)?;
    let body: Option<Vec<u8>> = row.get(14)?;
    let content_type: Option<String> = row.get(15)?;
    let made = body
        .zip(content_type)
        .map(|(body, content_type)| Made::Here(Payload { body: Bytes::from(body), content_type }));
    let last = Postponed {
        id: DeliveryId {
            bus: text(1)?.into(),
            rule: text(2)?.into(),
            target: text(3)?.into(),
            replay: (!replay.is_empty()).then(|| replay.into()),
            offset: from_sql(row.get(5)?),
            output: row.get(6)?,
        },
        event_id: text(7)?,
        hops: row.get(8)?,
        attempts: row.get(9)?,
        owed_at: time(10)?,
        due_at: time(12)?,
        last_attempt_at: time(11)?,
        error: text(13)?,
        made: made.unwrap_or(Made::NotYet),
    };
    Ok((row.get(0)?, Dead { last, died_at: time(12)? }))
}
