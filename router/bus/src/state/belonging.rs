//! What the database of a stopped router says of itself and of its journal, read without changing it.
//!
//! # Invariants
//!
//! - A database is of one journal: it holds that journal's random id from the first start on.

use std::path::Path;

use journal::Offset;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, params};

use super::{StateError, from_sql, schema};

/// More complaints than this are not listed.
const COMPLAINTS_MAX: u32 = 20;

const MEND: &str = "no repair mends this: restore it from a copy, or move it away to begin all \
                    subscriptions anew";

/// What a database remembers of its journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Remembered {
    /// None in one of an earlier version.
    pub id: Option<[u8; 16]>,
    /// Some subscription has had everything below.
    pub end: Offset,
    pub has_subscriptions: bool,
}

impl Remembered {
    /// None when there is no database, or it cannot be read: opening it says why.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        if !path.exists() {
            return None;
        }
        Self::read_from(&look(path).ok()?).ok()
    }

    fn read_from(connection: &Connection) -> rusqlite::Result<Self> {
        let has = |table: &str| {
            let found = "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
            connection.query_row(found, [table], |row| row.get::<_, bool>(0))
        };
        let mut remembered = Self::default();
        if has("subscriptions")? {
            let end = "SELECT COALESCE(MAX(settled), 0) FROM subscriptions";
            remembered.end =
                Offset::new(from_sql(connection.query_row(end, [], |row| row.get(0))?));
            let any = "SELECT EXISTS (SELECT 1 FROM subscriptions)";
            remembered.has_subscriptions = connection.query_row(any, [], |row| row.get(0))?;
        }
        if has("journal")? {
            let id = connection.query_row("SELECT id FROM journal", [], |row| row.get(0));
            remembered.id = id.optional()?;
        }
        Ok(remembered)
    }

    /// Whether there is nothing of an earlier router: the file is missing, or its write-ahead log went before
    /// anything was moved from there into it.
    pub(crate) fn is_blank(&self) -> bool {
        self.id.is_none() && !self.has_subscriptions
    }

    /// From now on the database is of this journal.
    pub(crate) fn write_id(tx: &Transaction<'_>, id: [u8; 16]) -> Result<(), StateError> {
        tx.execute("DELETE FROM journal", [])?;
        tx.execute("INSERT INTO journal (id) VALUES (?1)", params![id])?;
        Ok(())
    }
}

/// Reads the whole database. What is wrong with it, in words, and up to where its journal must go.
pub(crate) fn verify(path: &Path, journal: Option<[u8; 16]>) -> (Vec<String>, Offset) {
    let read = || -> rusqlite::Result<(Vec<String>, Offset)> {
        let connection = look(path)?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if usize::try_from(version).is_ok_and(|version| schema::VERSION < version) {
            let found = format!("its format {version} was written by a newer slipswitch");
            return Ok((vec![found], Offset::ZERO));
        }
        let mut statement =
            connection.prepare(&format!("PRAGMA integrity_check({COMPLAINTS_MAX})"))?;
        let complaints: Vec<String> =
            statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        let mut faults: Vec<_> = complaints.into_iter().filter(|line| line != "ok").collect();
        let remembered = Remembered::read_from(&connection)?;
        if remembered.id.zip(journal).is_some_and(|(one, other)| one != other) {
            faults.push("it is the database of another journal".to_owned());
            return Ok((faults, Offset::ZERO));
        }
        if faults.is_empty() && remembered.is_blank() {
            faults.push(
                "there is nothing in it: state.sqlite-wal, which had the rest of it, is missing"
                    .to_owned(),
            );
        }
        Ok((faults, remembered.end))
    };
    let damaged = |what: String| format!("{what}; {MEND}");
    match read() {
        Ok((faults, end)) => (faults.into_iter().map(damaged).collect(), end),
        Err(error) => match StateError::opening(path, &error) {
            StateError::Open { .. } => (vec![damaged(error.to_string())], Offset::ZERO),
            passing => (vec![passing.to_string()], Offset::ZERO),
        },
    }
}

pub(super) fn look(path: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}
