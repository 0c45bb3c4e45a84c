//! The rows of replays.

use event::Timestamp;
use journal::Offset;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::archives::written_pattern;
use super::{StateError, from_sql, to_sql};
use crate::key::Key;
use crate::replay::{Replay, ReplayState};
use crate::selection::Selection;

/// A replay as it was written down.
pub(crate) struct ReplayRow;

impl ReplayRow {
    /// False where there is one of this name already.
    pub(crate) fn insert(tx: &Transaction<'_>, replay: &Replay) -> Result<bool, StateError> {
        let list = |names: &[String]| serde_json::Value::from(names.to_vec()).to_string();
        let inserted = tx.execute(
            "INSERT OR IGNORE INTO replays (name, bus, since, until, from_offset, to_offset, rules, state, started_at,
                archive, targets, pattern, rate, concurrency)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            params![
                replay.name,
                replay.bus,
                replay.since.as_millis(),
                replay.until.as_millis(),
                to_sql(replay.from_offset.get()),
                to_sql(replay.to_offset.get()),
                list(&replay.rules),
                replay.state.as_str(),
                replay.started_at.as_millis(),
                replay.archive,
                list(&replay.targets),
                replay.pattern.as_ref().map(Selection::text),
                replay.rate,
                replay.concurrency,
            ],
        )?;
        Ok(inserted == 1)
    }

    /// Takes a replay from one state to another; says in which it was.
    pub(crate) fn turn(
        tx: &Transaction<'_>,
        name: &str,
        from: ReplayState,
        to: ReplayState,
    ) -> Result<Option<ReplayState>, StateError> {
        let select = "SELECT state FROM replays WHERE name = ?1";
        let was: Option<String> = tx.query_row(select, [name], |row| row.get(0)).optional()?;
        let update = "UPDATE replays SET state = ?3 WHERE name = ?1 AND state = ?2";
        tx.execute(update, [name, from.as_str(), to.as_str()])?;
        Ok(was.map(|was| ReplayState::parse(&was)))
    }

    /// Ends one before its time; `position` is where it was.
    pub(crate) fn end(
        tx: &Transaction<'_>,
        name: &str,
        (state, position): (ReplayState, Offset),
        now: Timestamp,
    ) -> Result<(), StateError> {
        tx.execute(
            "UPDATE replays SET state = ?2, ended_at = ?3, position = ?4 WHERE name = ?1",
            params![name, state.as_str(), now.as_millis(), to_sql(position.get())],
        )?;
        Ok(())
    }

    /// Says why a replay will not reach its end, if the subscription is one of a replay.
    pub(crate) fn fail(tx: &Transaction<'_>, key: &Key) -> Result<(), StateError> {
        let Some(name) = &key.replay else { return Ok(()) };
        let reason = format!(
            "the rule `{}` or its target `{}` was removed or disabled before the replay had reached its end",
            key.rule, key.target
        );
        let update = "UPDATE replays SET error = ?2 WHERE name = ?1 AND error IS NULL";
        tx.execute(update, [&**name, &reason])?;
        Ok(())
    }

    /// Forgets one that has ended; says in which state it was, whether it is forgotten or not.
    pub(crate) fn remove(
        tx: &Transaction<'_>,
        name: &str,
    ) -> Result<Option<ReplayState>, StateError> {
        let select = "SELECT state FROM replays WHERE name = ?1";
        let was: Option<String> = tx.query_row(select, [name], |row| row.get(0)).optional()?;
        let was = was.map(|was| ReplayState::parse(&was));
        if was.is_some_and(ReplayState::is_over) {
            tx.execute("DELETE FROM replays WHERE name = ?1", [name])?;
        }
        Ok(was)
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

    /// Ends the subscriptions that cancelled replays had when the process did.
    pub(crate) fn tidy(tx: &Transaction<'_>) -> Result<(), StateError> {
        let cancelled = ReplayState::Cancelled.as_str();
        tx.execute(
            "UPDATE replays SET (delivered, dropped, dead) = (
                SELECT replays.delivered + SUM(s.delivered), replays.dropped + SUM(s.dropped), replays.dead + SUM(s.dead)
                FROM subscriptions s WHERE s.replay = replays.name)
             WHERE state = ?1 AND name IN (SELECT replay FROM subscriptions)",
            [cancelled],
        )?;
        tx.execute(
            "DELETE FROM subscriptions WHERE replay IN (SELECT name FROM replays WHERE state = ?1)",
            [cancelled],
        )?;
        Ok(())
    }

    /// Writes down how many events a replay could not read.
    pub(crate) fn damaged(tx: &Transaction<'_>, name: &str, events: u64) -> Result<(), StateError> {
        let update = "UPDATE replays SET damaged = MAX(damaged, ?2) WHERE name = ?1";
        tx.execute(update, params![name, to_sql(events)])?;
        Ok(())
    }

    /// Ends the replays of which no subscription is left.
    pub(crate) fn complete(tx: &Transaction<'_>, now: Timestamp) -> Result<(), StateError> {
        tx.execute(
            "UPDATE replays SET state = CASE WHEN error IS NULL THEN ?1 ELSE ?2 END, ended_at = ?3
             WHERE state IN (?4, ?5) AND name NOT IN (SELECT replay FROM subscriptions)",
            params![
                ReplayState::Completed.as_str(),
                ReplayState::Failed.as_str(),
                now.as_millis(),
                ReplayState::Running.as_str(),
                ReplayState::Paused.as_str(),
            ],
        )?;
        Ok(())
    }

    /// Removes what plugins kept for replays that have ended.
    pub(crate) fn forget_ended(tx: &Transaction<'_>) -> Result<(), StateError> {
        super::kept::end_replays(tx)
    }

    /// All replays, newest first.
    pub(crate) fn all(tx: &Transaction<'_>) -> Result<Vec<Replay>, StateError> {
        let mut select = tx.prepare_cached(&format!("{COLUMNS} ORDER BY started_at DESC, name"))?;
        let rows = select.query_map([], from_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(crate) fn find(tx: &Transaction<'_>, name: &str) -> Result<Option<Replay>, StateError> {
        let mut select = tx.prepare_cached(&format!("{COLUMNS} WHERE name = ?"))?;
        Ok(select.query_row([name], from_row).optional()?)
    }
}

const COLUMNS: &str =
    "SELECT name, bus, since, until, from_offset, to_offset, rules, state, started_at, ended_at,
    delivered, dropped, dead, archive, targets, pattern, rate, concurrency, error, position, damaged FROM replays";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Replay> {
    let offset = |column| row.get(column).map(|offset| Offset::new(from_sql(offset)));
    let time = |column| row.get(column).map(Timestamp::from_millis);
    let list = |column| {
        let names = row.get::<_, String>(column);
        names.map(|names| serde_json::from_str::<Vec<String>>(&names).unwrap_or_default())
    };
    let state: String = row.get(7)?;
    let state = ReplayState::parse(&state);
    let ended_at: Option<i64> = row.get(9)?;
    let pattern: Option<String> = row.get(15)?;
    let position: Option<i64> = row.get(19)?;
    let end = if state.is_over() { offset(5)? } else { offset(4)? };
    Ok(Replay {
        name: row.get(0)?,
        bus: row.get(1)?,
        since: time(2)?,
        until: time(3)?,
        from_offset: offset(4)?,
        to_offset: offset(5)?,
        rules: list(6)?,
        state,
        position: position.map_or(end, |position| Offset::new(from_sql(position))),
        percent: 0.0,
        eta_seconds: None,
        started_at: time(8)?,
        ended_at: ended_at.map(Timestamp::from_millis),
        stopped: Vec::new(),
        delivered: from_sql(row.get(10)?),
        dropped: from_sql(row.get(11)?),
        dead: from_sql(row.get(12)?),
        damaged: from_sql(row.get(20)?),
        archive: row.get(13)?,
        targets: list(14)?,
        pattern: pattern.and_then(|text| written_pattern(&text)),
        rate: row.get(16)?,
        concurrency: row.get(17)?,
        error: row.get(18)?,
    })
}
