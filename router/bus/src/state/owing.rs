//! What one event is owed, and which of its deliveries died.

use event::Timestamp;
use rusqlite::{Row, Transaction, params};

use super::{StateError, to_sql};

/// A delivery of an event that waits or has died.
#[derive(Debug, Clone)]
pub(crate) struct Owing {
    pub rule: String,
    pub target: String,
    pub replay: Option<String>,
    pub output: u32,
    pub attempts: u32,
    pub last_attempt_at: Timestamp,
    /// Of what waits.
    pub due_at: Timestamp,
    pub error: String,
    /// Number and state of the dead letter; none of what waits.
    pub letter: Option<(i64, String)>,
}

/// What the event at this place is owed.
pub(crate) fn owing(
    tx: &Transaction<'_>,
    bus: &str,
    offset: u64,
) -> Result<Vec<Owing>, StateError> {
    let place = params![bus, to_sql(offset)];
    let mut letters = tx.prepare_cached(
        "SELECT rule, target, replay, output, attempts_total, last_attempt_at, died_at, error, id, state
         FROM dead_letters WHERE bus = ?1 AND offset = ?2 ORDER BY id LIMIT 1000",
    )?;
    let mut found: Vec<Owing> = letters
        .query_map(place, |row| {
            Ok(Owing { letter: Some((row.get(8)?, row.get(9)?)), ..read(row)? })
        })?
        .collect::<Result<_, _>>()?;
    // By the key of the table: one look for each subscription of the bus.
    let mut waiting = tx.prepare_cached(
        "SELECT s.rule, s.target, CASE p.replay WHEN '' THEN s.replay ELSE p.replay END, p.output, p.attempts,
            p.last_attempt_at, p.due_at, p.error
         FROM subscriptions s CROSS JOIN postponed p ON p.subscription = s.id
         WHERE s.bus = ?1 AND p.offset = ?2 LIMIT 1000",
    )?;
    for row in waiting.query_map(place, read)? {
        found.push(row?);
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Owing> {
    let replay: String = row.get(2)?;
    Ok(Owing {
        rule: row.get(0)?,
        target: row.get(1)?,
        replay: (!replay.is_empty()).then_some(replay),
        output: row.get(3)?,
        attempts: row.get(4)?,
        last_attempt_at: Timestamp::from_millis(row.get(5)?),
        due_at: Timestamp::from_millis(row.get(6)?),
        error: row.get(7)?,
        letter: None,
    })
}
