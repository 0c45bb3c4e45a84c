//! The rows of archives.

use std::path::Path;

use event::Timestamp;
use journal::Offset;
use rusqlite::{OptionalExtension, Transaction, params};

use super::belonging::look;
use super::{StateError, from_sql, to_sql};
use crate::archives::Archive;
use crate::selection::Selection;

/// An archive as it was written down.
pub(crate) struct ArchiveRow;

impl ArchiveRow {
    pub(crate) fn insert(tx: &Transaction<'_>, archive: &Archive) -> Result<(), StateError> {
        tx.execute(
            "INSERT INTO archives (name, bus, pattern, retention_days, description, created_at, from_offset)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                &*archive.name,
                &*archive.bus,
                archive.pattern.as_ref().map(Selection::text),
                archive.retention_days,
                archive.description,
                archive.created_at.as_millis(),
                to_sql(archive.from_offset.get()),
            ],
        )?;
        Ok(())
    }

    pub(crate) fn update(tx: &Transaction<'_>, archive: &Archive) -> Result<(), StateError> {
        tx.execute(
            "UPDATE archives SET pattern = ?2, retention_days = ?3, description = ?4 WHERE name = ?1",
            params![
                &*archive.name,
                archive.pattern.as_ref().map(Selection::text),
                archive.retention_days,
                archive.description,
            ],
        )?;
        Ok(())
    }

    /// Writes down that one is removed, with its chain, unless a replay of it has not ended: that is
    /// what comes back.
    pub(crate) fn begin_removal(
        tx: &Transaction<'_>,
        name: &str,
        chain: &[u8],
    ) -> Result<Option<String>, StateError> {
        let replay: Option<String> = tx
            .query_row(
                "SELECT name FROM replays WHERE archive = ?1 AND state IN ('running', 'paused') LIMIT 1",
                [name],
                |row| row.get(0),
            )
            .optional()?;
        if replay.is_none() {
            let removing = "UPDATE archives SET removing = ?2 WHERE name = ?1";
            tx.execute(removing, params![name, chain])?;
        }
        Ok(replay)
    }

    /// Its folder is gone: the name is free.
    pub(crate) fn end_removal(tx: &Transaction<'_>, name: &str) -> Result<(), StateError> {
        tx.execute("DELETE FROM archives WHERE name = ?1 AND removing IS NOT NULL", [name])?;
        Ok(())
    }

    /// Removals that have not ended: the names, and the chains that go.
    pub(crate) fn removals(tx: &Transaction<'_>) -> Result<Vec<(String, Vec<u8>)>, StateError> {
        let removing = "SELECT name, removing FROM archives WHERE removing IS NOT NULL";
        let mut select = tx.prepare(removing)?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Those of a stopped router; `None` where the database cannot be read.
    pub(crate) fn read(path: &Path) -> Option<Vec<Archive>> {
        let read = || -> Result<Vec<Archive>, StateError> {
            let mut connection = look(path)?;
            let tx = connection.transaction()?;
            // A release that knew of no removals may have been the last to start.
            let column =
                "SELECT COUNT(*) FROM pragma_table_info('archives') WHERE name = 'removing'";
            let knows_removals = tx.query_row(column, [], |row| row.get(0))?;
            Self::select(&tx, if knows_removals { "WHERE removing IS NULL" } else { "" })
        };
        read().ok()
    }

    /// All that are not being removed, by name.
    pub(crate) fn all(tx: &Transaction<'_>) -> Result<Vec<Archive>, StateError> {
        Self::select(tx, "WHERE removing IS NULL")
    }

    fn select(tx: &Transaction<'_>, which: &str) -> Result<Vec<Archive>, StateError> {
        let mut select = tx.prepare(&format!(
            "SELECT name, bus, pattern, retention_days, description, created_at, from_offset FROM archives
             {which} ORDER BY name",
        ))?;
        let rows = select.query_map([], |row| {
            let text = |column| row.get::<_, String>(column);
            let pattern: Option<String> = row.get(2)?;
            Ok(Archive {
                name: text(0)?.into(),
                bus: text(1)?.into(),
                pattern: pattern.and_then(|text| written_pattern(&text)),
                retention_days: row.get(3)?,
                description: row.get(4)?,
                created_at: Timestamp::from_millis(row.get(5)?),
                from_offset: Offset::new(from_sql(row.get(6)?)),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// A pattern that was one when it was written down. Should this release read patterns otherwise, an
/// archive takes in everything rather than nothing.
pub(super) fn written_pattern(text: &str) -> Option<Selection> {
    let wrong = |error: &ruleset::pattern::ParseError| {
        tracing::error!(pattern = %text, error = %error.message, "a stored pattern cannot be read: everything is taken");
    };
    Selection::parse(text).inspect_err(wrong).ok()
}
