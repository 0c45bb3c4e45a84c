//! The rows of replays.

use event::Timestamp;
use journal::Offset;
use rusqlite::{Transaction, params};

use super::{StateError, from_sql, to_sql};
use crate::key::Key;
use crate::replay::{Replay, ReplayState};

/// A replay as it was written down.
pub(crate) struct ReplayRow;

impl ReplayRow {
    /// False where there is one of this name already.
    pub(crate) fn insert(tx: &Transaction<'_>, replay: &Replay) -> Result<bool, StateError> {
        let rules = serde_json::Value::from(replay.rules.clone()).to_string();
        let inserted = tx.execute(
            "INSERT OR IGNORE INTO replays (name, bus, since, until, from_offset, to_offset, rules, state, started_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                replay.name,
                replay.bus,
                replay.since.as_millis(),
                replay.until.as_millis(),
                to_sql(replay.from_offset.get()),
                to_sql(replay.to_offset.get()),
                rules,
                replay.state.as_str(),
                replay.started_at.as_millis(),
            ],
        )?;
        Ok(inserted == 1)
    }

    /// Adds what one subscription did to its replay, if it is one of a replay.
    pub(crate) fn fold(tx: &Transaction<'_>, key: &Key) -> Result<(), StateError> {
        let Some(name) = &key.replay else { return Ok(()) };
        tx.execute(
            "UPDATE replays SET (delivered, dropped, dead) = (
                SELECT replays.delivered + s.delivered, replays.dropped + s.dropped, replays.dead + s.dead
                FROM subscriptions s WHERE s.bus = ?1 AND s.rule = ?2 AND s.target = ?3 AND s.replay = ?4)
             WHERE name = ?4",
            [&*key.bus, &*key.rule, &*key.target, &**name],
        )?;
        Ok(())
    }

    /// Completes the replays of which no subscription is left.
    pub(crate) fn complete(tx: &Transaction<'_>, now: Timestamp) -> Result<(), StateError> {
        tx.execute(
            "UPDATE replays SET state = ?1, ended_at = ?2
             WHERE state = ?3 AND name NOT IN (SELECT replay FROM subscriptions)",
            params![
                ReplayState::Completed.as_str(),
                now.as_millis(),
                ReplayState::Running.as_str()
            ],
        )?;
        Ok(())
    }

    /// All replays, newest first.
    pub(crate) fn all(tx: &Transaction<'_>) -> Result<Vec<Replay>, StateError> {
        let mut select = tx.prepare_cached(
            "SELECT name, bus, since, until, from_offset, to_offset, rules, state, started_at, ended_at,
                delivered, dropped, dead FROM replays ORDER BY started_at DESC, name",
        )?;
        let rows = select.query_map([], |row| {
            let offset = |column| row.get(column).map(|offset| Offset::new(from_sql(offset)));
            let time = |column| row.get(column).map(Timestamp::from_millis);
            let rules: String = row.get(6)?;
            let state: String = row.get(7)?;
            let ended_at: Option<i64> = row.get(9)?;
            Ok(Replay {
                name: row.get(0)?,
                bus: row.get(1)?,
                since: time(2)?,
                until: time(3)?,
                from_offset: offset(4)?,
                to_offset: offset(5)?,
                rules: serde_json::from_str(&rules).unwrap_or_default(),
                state: ReplayState::parse(&state),
                position: offset(4)?,
                started_at: time(8)?,
                ended_at: ended_at.map(Timestamp::from_millis),
                delivered: from_sql(row.get(10)?),
                dropped: from_sql(row.get(11)?),
                dead: from_sql(row.get(12)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
