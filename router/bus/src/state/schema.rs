//! The tables, and the format's version in `user_version`.
//!
//! # Invariants
//!
//! - A step, once released, never changes: a database of version `n` has been through the first `n`.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::StateError;

/// What makes each version out of the one before it, from an empty file on. New ones go to the end.
const STEPS: [&str; 1] = [TABLES];

const TABLES: &str = "
CREATE TABLE subscriptions (
    id INTEGER PRIMARY KEY,
    bus TEXT NOT NULL,
    rule TEXT NOT NULL,
    target TEXT NOT NULL,
    replay TEXT NOT NULL DEFAULT '',    -- '' for the live subscription
    settled INTEGER NOT NULL,           -- nothing is owed below this offset
    done BLOB NOT NULL,                 -- roaring treemap of what is done above it
    until INTEGER,                      -- where a replay's span ends
    delivered INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0,
    dead INTEGER NOT NULL DEFAULT 0,
    failed_attempts INTEGER NOT NULL DEFAULT 0,
    UNIQUE (bus, rule, target, replay)
) STRICT;

CREATE TABLE postponed (
    subscription INTEGER NOT NULL REFERENCES subscriptions (id) ON DELETE CASCADE,
    offset INTEGER NOT NULL,
    output INTEGER NOT NULL,
    replay TEXT NOT NULL DEFAULT '',
    event_id TEXT NOT NULL,
    hops INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    owed_at INTEGER NOT NULL,           -- times are milliseconds since 1970-01-01T00:00:00Z
    due_at INTEGER NOT NULL,
    last_attempt_at INTEGER NOT NULL,
    error TEXT NOT NULL,
    payload BLOB,                       -- NULL: the transform is to be run again
    content_type TEXT,
    PRIMARY KEY (subscription, offset, output, replay)
) STRICT;

CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bus TEXT NOT NULL,
    rule TEXT NOT NULL,
    target TEXT NOT NULL,
    replay TEXT NOT NULL DEFAULT '',
    offset INTEGER NOT NULL,
    output INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    hops INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    owed_at INTEGER NOT NULL,
    last_attempt_at INTEGER NOT NULL,
    died_at INTEGER NOT NULL,
    error TEXT NOT NULL,
    payload BLOB,                       -- NULL: a transform failed, nothing was made
    content_type TEXT
) STRICT;
CREATE INDEX dead_letters_by_target ON dead_letters (bus, rule, target, id);

CREATE TABLE replays (
    name TEXT PRIMARY KEY,
    bus TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    from_offset INTEGER NOT NULL,
    to_offset INTEGER NOT NULL,
    rules TEXT NOT NULL,                -- JSON array of rule names
    state TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    delivered INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0,
    dead INTEGER NOT NULL DEFAULT 0
) STRICT;
";

pub(super) fn open(path: &Path) -> Result<Connection, StateError> {
    let wrong = |error: rusqlite::Error| StateError::Open {
        path: path.display().to_string(),
        reason: format!("{error}; is it a slipswitch database, and may this user write here?"),
    };
    let connection = Connection::open(path).map_err(wrong)?;
    connection.busy_timeout(Duration::from_secs(10)).map_err(wrong)?;
    let found: i64 =
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(wrong)?;
    let known = STEPS.len();
    let Some(missing) = usize::try_from(found).ok().and_then(|done| STEPS.get(done..)) else {
        let (path, known) = (path.display().to_string(), i64::try_from(known).unwrap_or(i64::MAX));
        return Err(StateError::NewerFormat { path, found, known });
    };
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
        )
        .map_err(wrong)?;
    // Writes in any case: a database that cannot be written is found out now, not with the first event.
    let begin = format!("BEGIN; {} PRAGMA user_version = {known}; COMMIT;", missing.concat());
    connection.execute_batch(&begin).map_err(wrong)?;
    Ok(connection)
}
