//! The end of a delivery: it becomes a dead letter, or the one it was before once more.
//!
//! # Invariants
//!
//! - A letter keeps its own copy of the event: the journal may expire what nothing is owed any more.
//! - A delivery that has a letter and dies again is the same letter, with its history, whoever sent it
//!   again: there is never a second one.

use std::sync::Arc;

use bytes::Bytes;
use delivery::{DeliveryId, ErrorKind};
use event::Timestamp;
use rusqlite::{Transaction, params};

use super::{Made, Postponed, StateError, to_sql};
use crate::attributes;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dead {
    /// As it waited last; `error` is why it was given up.
    pub last: Postponed,
    pub died_at: Timestamp,
    pub kind: ErrorKind,
    /// The beginning of the digest of the rules that made it a letter, where that is known.
    pub rules: Option<Arc<str>>,
}

/// An event, as its deliveries show it, and when it was taken in.
pub(crate) struct Recalled {
    pub event: Bytes,
    pub ingested: Timestamp,
}

/// Fetches the event of a delivery; none where the journal does not give it.
pub(crate) type Recall = dyn Fn(&DeliveryId) -> Option<Recalled> + Send + Sync;

impl Dead {
    pub(crate) fn bury(&self, tx: &Transaction<'_>, recall: &Recall) -> Result<(), StateError> {
        let mut letters = self.letters_before(tx)?;
        for letter in &letters {
            self.die_again(tx, *letter)?;
        }
        if letters.is_empty() {
            letters.push(self.insert(tx, recall)?);
        }
        letters.into_iter().try_for_each(|letter| self.keep_payload(tx, letter))
    }

    /// What could not be made anew leaves a letter the payload that it had.
    fn keep_payload(&self, tx: &Transaction<'_>, letter: i64) -> Result<(), StateError> {
        let payload = match &self.last.made {
            Made::Here(payload) => payload,
            Made::NotYet => return Ok(()),
            Made::OnDisk => return self.take_payload(tx, letter),
        };
        let mut update = tx.prepare_cached(
            "UPDATE dead_letter_contents SET payload = ?2, content_type = ?3, attributes = ?4 WHERE letter = ?1",
        )?;
        let attributes = attributes::written(&payload.attributes);
        update.execute(params![letter, payload.body.as_ref(), payload.content_type, attributes])?;
        Ok(())
    }

    /// The letter that this delivery was before. When nothing could be made anew of its event, all
    /// letters that were to be: the run had the id of the first output.
    fn letters_before(&self, tx: &Transaction<'_>) -> Result<Vec<i64>, StateError> {
        let id = &self.last.id;
        let mut select = tx.prepare_cached(
            "SELECT id, state = 'redriven', output FROM dead_letters
             WHERE bus = ?1 AND rule = ?2 AND target = ?3 AND offset = ?4 AND replay = ?5 ORDER BY id",
        )?;
        let replay = id.replay.as_deref().unwrap_or("");
        let names = params![&*id.bus, &*id.rule, &*id.target, to_sql(id.offset), replay];
        let rows = select.query_map(names, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let rows: Vec<(i64, bool, u32)> = rows.collect::<Result<_, _>>()?;
        let redriven = rows.iter().filter(|(_, is_redriven, _)| *is_redriven);
        if self.last.made == Made::NotYet && redriven.clone().next().is_some() {
            return Ok(redriven.map(|(letter, ..)| *letter).collect());
        }
        let own = rows.iter().filter(|(_, _, output)| *output == id.output);
        let last = own.max_by_key(|(letter, is_redriven, _)| (*is_redriven, *letter));
        Ok(last.map(|(letter, ..)| *letter).into_iter().collect())
    }

    fn die_again(&self, tx: &Transaction<'_>, letter: i64) -> Result<(), StateError> {
        let mut update = tx.prepare_cached(
            "UPDATE dead_letters SET state = CASE state WHEN 'queued' THEN state ELSE 'dead' END, kind = ?2, error = ?3, attempts = ?4,
                attempts_total = attempts_total + ?4, owed_at = ?5, last_attempt_at = ?6, died_at = ?7,
                rules = COALESCE(?8, rules), ended_at = NULL
             WHERE id = ?1",
        )?;
        update.execute(params![
            letter,
            self.kind.as_str(),
            self.last.error,
            self.last.attempts,
            self.last.owed_at.as_millis(),
            self.last.last_attempt_at.as_millis(),
            self.died_at.as_millis(),
            self.rules.as_deref(),
        ])?;
        Ok(())
    }

    fn insert(&self, tx: &Transaction<'_>, recall: &Recall) -> Result<i64, StateError> {
        let last = &self.last;
        let recalled = recall(&last.id);
        let mut insert = tx.prepare_cached(
            "INSERT INTO dead_letters (bus, rule, target, replay, offset, output, event_id, hops, attempts,
                attempts_total, owed_at, last_attempt_at, died_at, first_died_at, error, kind, ingested_at, rules)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11, ?12, ?12, ?13, ?14, ?15, ?16)",
        )?;
        insert.execute(params![
            &*last.id.bus,
            &*last.id.rule,
            &*last.id.target,
            last.id.replay.as_deref().unwrap_or(""),
            to_sql(last.id.offset),
            last.id.output,
            last.event_id,
            last.hops,
            last.attempts,
            last.owed_at.as_millis(),
            last.last_attempt_at.as_millis(),
            self.died_at.as_millis(),
            last.error,
            self.kind.as_str(),
            recalled.as_ref().map(|recalled| recalled.ingested.as_millis()),
            self.rules.as_deref(),
        ])?;
        let letter = tx.last_insert_rowid();
        let mut contents =
            tx.prepare_cached("INSERT INTO dead_letter_contents (letter, event) VALUES (?1, ?2)")?;
        contents.execute(params![letter, recalled.as_ref().map(|recalled| &*recalled.event)])?;
        Ok(letter)
    }

    /// Copies the payload out of the row that the delivery waited in.
    fn take_payload(&self, tx: &Transaction<'_>, letter: i64) -> Result<(), StateError> {
        let id = &self.last.id;
        let mut fill = tx.prepare_cached(
            "UPDATE dead_letter_contents SET (payload, content_type, attributes) = (
                SELECT p.payload, p.content_type, p.attributes FROM postponed p JOIN subscriptions s ON s.id = p.subscription
                WHERE s.bus = ?2 AND s.rule = ?3 AND s.target = ?4 AND p.offset = ?5 AND p.output = ?6
                    AND p.replay = ?7)
             WHERE letter = ?1",
        )?;
        fill.execute(params![
            letter,
            &*id.bus,
            &*id.rule,
            &*id.target,
            to_sql(id.offset),
            id.output,
            id.replay.as_deref().unwrap_or("")
        ])?;
        Ok(())
    }
}

/// A delivery has ended that was perhaps a letter sent again, and did not die.
pub(super) fn delivered(
    tx: &Transaction<'_>,
    subscription: i64,
    id: &DeliveryId,
    now: Timestamp,
) -> Result<(), StateError> {
    // A run through the rules makes all outputs anew under the id of the first one: the letter of
    // another output has arrived unless it waits by itself.
    let mut update = tx.prepare_cached(
        "UPDATE dead_letters SET state = 'delivered', ended_at = ?8
         WHERE state = 'redriven' AND bus = ?2 AND rule = ?3 AND target = ?4 AND offset = ?5 AND replay = ?6
            AND (output = ?7 OR (redriven_to = 'rules' AND ?7 = 0))
            AND NOT EXISTS (SELECT 1 FROM postponed p WHERE p.subscription = ?1 AND p.offset = ?5
                AND p.output = dead_letters.output AND p.replay = ?6)",
    )?;
    update.execute(params![
        subscription,
        &*id.bus,
        &*id.rule,
        &*id.target,
        to_sql(id.offset),
        id.replay.as_deref().unwrap_or(""),
        id.output,
        now.as_millis()
    ])?;
    Ok(())
}
