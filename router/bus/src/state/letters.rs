//! The rows of dead letters: finding, marking and removing them.

use bytes::Bytes;
use delivery::{DeliveryId, ErrorKind, LetterState};
use event::Timestamp;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, Transaction, params, params_from_iter};

use super::dead::Recalled;
use super::{Made, Payload, Postponed, StateError, from_sql, to_sql};
use crate::attributes;
use crate::key::Key;
use crate::letters::{DeadLetterFilter, LetterChoice, RedriveTo};

/// A dead letter as it lies there.
pub(crate) struct Letter {
    pub id: i64,
    /// As it waited last; its payload and event are there when they were asked for.
    pub last: Postponed,
    pub state: LetterState,
    pub kind: ErrorKind,
    pub died_at: Timestamp,
    pub first_died_at: Timestamp,
    pub attempts_total: u32,
    pub redriven: u32,
    pub redriven_at: Option<Timestamp>,
    pub redriven_to: RedriveTo,
    pub ended_at: Option<Timestamp>,
    pub event: Option<Recalled>,
    /// The beginning of the digest of the rules that it died under.
    pub rules: Option<String>,
}

/// What is read beside the row itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contents {
    None,
    Event,
    All,
}

/// Ids from `floor` on, below `before`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids {
    pub floor: i64,
    pub before: i64,
}

/// How many letters of a target wait for somebody, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    pub bus: String,
    pub rule: String,
    pub target: String,
    pub letters: u64,
    pub oldest: Timestamp,
}

/// The lowest and the highest id there are.
pub(crate) fn ends(tx: &Transaction<'_>) -> Result<Option<(i64, i64)>, StateError> {
    let mut select = tx.prepare_cached(
        "SELECT (SELECT MIN(id) FROM dead_letters), (SELECT MAX(id) FROM dead_letters)",
    )?;
    Ok(select.query_row([], |row| Ok(row.get::<_, Option<i64>>(0)?.zip(row.get(1)?)))?)
}

/// Letters of `ids` that the filter wants, newest first. Its pattern is not looked at.
pub(crate) fn select(
    tx: &Transaction<'_>,
    filter: &DeadLetterFilter,
    ids: Ids,
    (contents, limit): (Contents, usize),
) -> Result<Vec<Letter>, StateError> {
    let mut sql = format!("{} WHERE id < ? AND id >= ?", columns(contents));
    let mut values = vec![Value::from(ids.before), Value::from(ids.floor)];
    let mut and = |condition: &str, value: Option<Value>| {
        sql.push_str(condition);
        values.extend(value);
    };
    let DeadLetterFilter { bus, rule, target, replay, kind, error, since, until, .. } = filter;
    for (condition, value) in [
        (" AND bus = ?", bus),
        (" AND rule = ?", rule),
        (" AND target = ?", target),
        (" AND replay = ?", replay),
        (" AND instr(lower(error), lower(?)) > 0", error),
    ] {
        if let Some(value) = value {
            and(condition, Some(Value::from(value.clone())));
        }
    }
    if let Some(kind) = kind {
        and(" AND kind = ?", Some(Value::from(kind.as_str().to_owned())));
    }
    for (condition, time) in [(" AND died_at >= ?", since), (" AND died_at < ?", until)] {
        if let Some(time) = time {
            and(condition, Some(Value::from(time.as_millis())));
        }
    }
    match filter.choice {
        LetterChoice::In(state) => {
            and(" AND state = ?", Some(Value::from(state.as_str().to_owned())));
        }
        LetterChoice::Redriven => and(" AND redriven > 0", None),
        LetterChoice::All => (),
    }
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    and(" ORDER BY id DESC LIMIT ?", Some(Value::from(limit)));
    let mut select = tx.prepare_cached(&sql)?;
    let rows = select.query_map(params_from_iter(values), from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn find(tx: &Transaction<'_>, id: i64) -> Result<Option<Letter>, StateError> {
    let mut select = tx.prepare_cached(&format!("{} WHERE id = ?", columns(Contents::All)))?;
    Ok(select.query_row([id], from_row).optional()?)
}

/// Writes down that a letter is sent again.
pub(crate) fn mark(
    tx: &Transaction<'_>,
    letter: &Letter,
    (state, to): (LetterState, &RedriveTo),
    now: Timestamp,
) -> Result<(), StateError> {
    let (way, rules) = match to {
        RedriveTo::Target => ("target", None),
        RedriveTo::Rules(rules) if rules.is_empty() => ("rules", None),
        RedriveTo::Rules(rules) => ("rules", Some(serde_json::Value::from(rules.clone()))),
    };
    let is_first = letter.state != LetterState::Queued;
    let mut update = tx.prepare_cached(
        "UPDATE dead_letters SET state = ?2, redriven_to = ?3, redriven_rules = ?4, redriven = redriven + ?5,
            redriven_at = ?6, ended_at = ?7 WHERE id = ?1",
    )?;
    let ended_at = (state == LetterState::Moved).then(|| now.as_millis());
    update.execute(params![
        letter.id,
        state.as_str(),
        way,
        rules.map(|rules| rules.to_string()),
        is_first,
        now.as_millis(),
        ended_at
    ])?;
    Ok(())
}

/// Letters of a delivery that is made anew for another letter go with it, and are what dies again.
/// Gives their ids.
pub(crate) fn send_along(
    tx: &Transaction<'_>,
    id: &DeliveryId,
    letter: i64,
    now: Timestamp,
) -> Result<Vec<i64>, StateError> {
    let mut update = tx.prepare_cached(
        "UPDATE dead_letters SET state = 'redriven', redriven = redriven + (state = 'dead'),
            redriven_to = 'rules', redriven_rules = NULL, redriven_at = ?7
         WHERE state IN ('dead', 'queued') AND id <> ?6
            AND bus = ?1 AND rule = ?2 AND target = ?3 AND offset = ?4 AND replay = ?5
         RETURNING id",
    )?;
    let replay = id.replay.as_deref().unwrap_or("");
    let which = params![
        &*id.bus,
        &*id.rule,
        &*id.target,
        to_sql(id.offset),
        replay,
        letter,
        now.as_millis()
    ];
    let ids = update.query_map(which, |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// A letter that waited for room cannot be sent again after all.
pub(crate) fn unqueue(tx: &Transaction<'_>, id: i64) -> Result<(), StateError> {
    tx.execute("UPDATE dead_letters SET state = 'dead' WHERE id = ? AND state = 'queued'", [id])?;
    Ok(())
}

pub(crate) fn remove(tx: &Transaction<'_>, id: i64) -> Result<(), StateError> {
    tx.prepare_cached("DELETE FROM dead_letters WHERE id = ?")?.execute([id])?;
    Ok(())
}

/// The subscriptions that letters wait for, until there is room.
pub(crate) fn queues(tx: &Transaction<'_>) -> Result<Vec<Key>, StateError> {
    let mut select = tx.prepare_cached(
        "SELECT DISTINCT bus, rule, target FROM dead_letters WHERE state = 'queued'",
    )?;
    let text = |row: &Row<'_>, column| row.get::<_, String>(column);
    let rows = select
        .query_map([], |row| Ok(Key::live(&text(row, 0)?, &text(row, 1)?, &text(row, 2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The first letters that wait for room at a subscription, oldest first.
pub(crate) fn queued(
    tx: &Transaction<'_>,
    key: &Key,
    limit: usize,
) -> Result<Vec<Letter>, StateError> {
    let mut select = tx.prepare_cached(&format!(
        "{} WHERE state = 'queued' AND bus = ? AND rule = ? AND target = ? ORDER BY id LIMIT ?",
        columns(Contents::All)
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = select.query_map(params![&*key.bus, &*key.rule, &*key.target, limit], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A letter's own copy of the event at an offset, as a replay of this name shows it.
pub(crate) fn copy_of(
    tx: &Transaction<'_>,
    offset: u64,
    replay: Option<&str>,
) -> Result<Option<Recalled>, StateError> {
    let mut select = tx.prepare_cached(
        "SELECT c.event, d.ingested_at FROM dead_letters d JOIN dead_letter_contents c ON c.letter = d.id
         WHERE d.offset = ?1 AND d.replay = ?2 AND c.event IS NOT NULL LIMIT 1",
    )?;
    let found = select.query_row(params![to_sql(offset), replay.unwrap_or("")], |row| {
        recalled(row.get(0)?, row.get(1)?)
    });
    Ok(found.optional()?.flatten())
}

/// By target, those that have any.
pub(crate) fn depths(tx: &Transaction<'_>) -> Result<Vec<Depth>, StateError> {
    let mut select = tx.prepare_cached(
        "SELECT bus, rule, target, dead, (SELECT MIN(died_at) FROM dead_letters d WHERE d.state = 'dead'
            AND d.bus = c.bus AND d.rule = c.rule AND d.target = c.target)
         FROM dead_letter_counts c WHERE dead > 0",
    )?;
    let rows = select.query_map([], |row| {
        Ok(Depth {
            bus: row.get(0)?,
            rule: row.get(1)?,
            target: row.get(2)?,
            letters: from_sql(row.get(3)?),
            oldest: Timestamp::from_millis(row.get(4)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The names of rules and targets that letters are kept of.
pub(crate) fn names(tx: &Transaction<'_>) -> Result<Vec<[String; 3]>, StateError> {
    let mut select = tx.prepare_cached("SELECT bus, rule, target FROM dead_letter_counts")?;
    let rows = select.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Removes up to `limit` letters that died before `time`, or that are too many. Says how many.
pub(crate) fn expire(
    tx: &Transaction<'_>,
    time: Timestamp,
    (kept_max, limit): (u64, usize),
) -> Result<usize, StateError> {
    let kept: i64 = tx
        .prepare_cached("SELECT COALESCE(SUM(kept), 0) FROM dead_letter_counts")?
        .query_row([], |row| row.get(0))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let too_many = kept.saturating_sub(i64::try_from(kept_max).unwrap_or(i64::MAX)).max(0);
    let mut aged = tx.prepare_cached(
        "DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters
            WHERE died_at < ?1 AND state NOT IN ('queued', 'redriven') ORDER BY died_at LIMIT ?2)",
    )?;
    let gone = aged.execute(params![time.as_millis(), limit])?;
    let over = (too_many - i64::try_from(gone).unwrap_or(i64::MAX)).clamp(0, limit);
    let mut oldest = tx.prepare_cached(
        "DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters
            WHERE state NOT IN ('queued', 'redriven') ORDER BY died_at LIMIT ?1)",
    )?;
    Ok(gone + oldest.execute([over])?)
}

fn columns(contents: Contents) -> String {
    let (event, payload) = match contents {
        Contents::None => ("NULL", "NULL, NULL, NULL"),
        Contents::Event => ("event", "NULL, NULL, NULL"),
        Contents::All => ("event", "payload, content_type, attributes"),
    };
    let join = match contents {
        Contents::None => "",
        Contents::Event | Contents::All => " LEFT JOIN dead_letter_contents ON letter = id",
    };
    format!(
        "SELECT id, bus, rule, target, replay, offset, output, event_id, hops, attempts, owed_at, last_attempt_at,
            died_at, error, state, kind, first_died_at, attempts_total, redriven, redriven_at, redriven_to,
            redriven_rules, ended_at, ingested_at, {event}, {payload}, rules FROM dead_letters{join}"
    )
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Letter> {
    let text = |column| row.get::<_, String>(column);
    let time = |column| row.get(column).map(Timestamp::from_millis);
    let some_time =
        |column| row.get::<_, Option<i64>>(column).map(|time| time.map(Timestamp::from_millis));
    let replay = text(4)?;
    let body: Option<Vec<u8>> = row.get(25)?;
    let content_type: Option<String> = row.get(26)?;
    let attributes = attributes::read(row.get(27)?);
    let made = body
        .zip(content_type)
        .map(|(body, content_type)| Payload { body: Bytes::from(body), content_type, attributes })
        .map(Made::Here);
    let last = Postponed {
        // Whoever sends it again sends it out of its order.
        order: None,
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
    let way: Option<String> = row.get(20)?;
    let rules: Option<String> = row.get(21)?;
    let rules = rules.and_then(|rules| serde_json::from_str(&rules).ok()).unwrap_or_default();
    Ok(Letter {
        id: row.get(0)?,
        last,
        // A later release may know more of them; then it is shown as what waits for somebody.
        state: LetterState::parse(&text(14)?).unwrap_or(LetterState::Dead),
        kind: ErrorKind::parse(&text(15)?).unwrap_or(ErrorKind::Unavailable),
        died_at: time(12)?,
        first_died_at: time(16)?,
        attempts_total: row.get(17)?,
        redriven: row.get(18)?,
        redriven_at: some_time(19)?,
        redriven_to: match way.as_deref() {
            Some("rules") => RedriveTo::Rules(rules),
            _ => RedriveTo::Target,
        },
        ended_at: some_time(22)?,
        event: recalled(row.get(24)?, row.get(23)?)?,
        rules: row.get(28)?,
    })
}

fn recalled(event: Option<Vec<u8>>, ingested: Option<i64>) -> rusqlite::Result<Option<Recalled>> {
    let ingested = ingested.map_or(Timestamp::from_millis(0), Timestamp::from_millis);
    Ok(event.map(|event| Recalled { event: Bytes::from(event), ingested }))
}

pub(crate) fn state_of(tx: &Transaction<'_>, id: i64) -> Result<Option<LetterState>, StateError> {
    let mut select = tx.prepare_cached("SELECT state FROM dead_letters WHERE id = ?")?;
    let found: Option<String> = select.query_row([id], |row| row.get(0)).optional()?;
    Ok(found.map(|state| LetterState::parse(&state).unwrap_or(LetterState::Dead)))
}
