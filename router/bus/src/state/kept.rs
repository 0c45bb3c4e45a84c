//! What plugins keep: a value for each key, by plugin, bus and replay.

use std::sync::Arc;

use event::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::StateError;

/// Whose keys they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Owner {
    pub plugin: Arc<str>,
    pub bus: Arc<str>,
    /// A replay's are its own, and go with it.
    pub replay: Option<Arc<str>>,
}

/// What is kept for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// None: nothing.
    pub value: Option<Arc<[u8]>>,
    /// In milliseconds since 1970.
    pub expires_at: Option<i64>,
}

impl Kept {
    pub(crate) const NOTHING: Self = Self { value: None, expires_at: None };
}

/// One key to be written down.
#[derive(Debug, Clone)]
pub(crate) struct Keeping {
    pub owner: Owner,
    pub key: String,
    pub kept: Kept,
}

impl Owner {
    fn replay(&self) -> &str {
        self.replay.as_deref().unwrap_or("")
    }

    pub(crate) fn find(&self, on: &Connection, key: &str) -> rusqlite::Result<Kept> {
        let mut select = on.prepare_cached(
            "SELECT value, expires_at FROM plugin_state WHERE plugin = ?1 AND bus = ?2 AND replay = ?3 AND key = ?4",
        )?;
        let names = params![&*self.plugin, &*self.bus, self.replay(), key];
        let found = select.query_row(names, |row| {
            let value: Vec<u8> = row.get(0)?;
            Ok(Kept { value: Some(value.into()), expires_at: row.get(1)? })
        });
        Ok(found.optional()?.unwrap_or(Kept::NOTHING))
    }

    /// How many keys there are, and the bytes of keys and values.
    pub(crate) fn totals(&self, on: &Connection) -> rusqlite::Result<(i64, i64)> {
        let mut select = on.prepare_cached(
            "SELECT keys, bytes FROM plugin_state_totals WHERE plugin = ?1 AND bus = ?2 AND replay = ?3",
        )?;
        let names = params![&*self.plugin, &*self.bus, self.replay()];
        let found = select.query_row(names, |row| Ok((row.get(0)?, row.get(1)?)));
        Ok(found.optional()?.unwrap_or((0, 0)))
    }
}

impl Keeping {
    pub(crate) fn apply(&self, tx: &Transaction<'_>) -> Result<(), StateError> {
        let Self { owner, key, kept } = self;
        let (plugin, bus, replay) = (&*owner.plugin, &*owner.bus, owner.replay());
        match &kept.value {
            Some(value) => {
                let mut put = tx.prepare_cached(
                    "INSERT INTO plugin_state (plugin, bus, replay, key, value, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT DO UPDATE SET value = ?5, expires_at = ?6",
                )?;
                put.execute(params![plugin, bus, replay, key, &**value, kept.expires_at])?;
            }
            None => {
                let mut delete = tx.prepare_cached(
                    "DELETE FROM plugin_state WHERE plugin = ?1 AND bus = ?2 AND replay = ?3 AND key = ?4",
                )?;
                delete.execute(params![plugin, bus, replay, key])?;
            }
        }
        Ok(())
    }
}

/// Removes live keys that have expired, so many of each owner: whose, and which key.
pub(crate) fn sweep(
    tx: &Transaction<'_>,
    over: &[(Owner, Timestamp)],
    limit: u32,
) -> Result<Vec<(Owner, String)>, StateError> {
    let mut delete = tx.prepare_cached(
        "DELETE FROM plugin_state WHERE plugin = ?1 AND bus = ?2 AND replay = '' AND key IN (
            SELECT key FROM plugin_state WHERE plugin = ?1 AND bus = ?2 AND replay = '' AND expires_at < ?3 LIMIT ?4)
         RETURNING key",
    )?;
    let mut swept = Vec::new();
    for (owner, before) in over {
        let of = params![&*owner.plugin, &*owner.bus, before.as_millis(), limit];
        let rows = delete.query_map(of, |row| Ok((owner.clone(), row.get(0)?)))?;
        swept.extend(rows.collect::<Result<Vec<_>, _>>()?);
    }
    Ok(swept)
}

/// Removes what the plugins of a replay kept that has ended, or is not there any more.
pub(super) fn end_replays(tx: &Transaction<'_>) -> Result<(), StateError> {
    tx.execute(
        "DELETE FROM plugin_state WHERE replay <> '' AND replay NOT IN (
            SELECT name FROM replays WHERE state IN ('running', 'paused'))",
        [],
    )?;
    Ok(())
}
