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
const STEPS: [&str; 14] = [
    TABLES,
    LETTERS,
    TARGETS_HELD,
    PAST,
    KEPT,
    BELONGING,
    JUDGED,
    REMOVED,
    UNREAD,
    REMOVING,
    VERSIONS,
    PLUGINS,
    EXPIRING,
    COUNTED,
];
pub(super) const VERSION: usize = STEPS.len();

pub(super) const TABLES: &str = "
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

/// Dead letters that keep their history, counted by target. What is large lies in a table of its own, so that
/// looking through many of them reads little.
const LETTERS: &str = "
CREATE TABLE dead_letter_contents (
    letter INTEGER PRIMARY KEY REFERENCES dead_letters (id) ON DELETE CASCADE,
    event BLOB,                         -- NULL: the journal did not have it any more
    payload BLOB,                       -- NULL: a transform failed, nothing was made
    content_type TEXT
) STRICT;
INSERT INTO dead_letter_contents (letter, payload, content_type) SELECT id, payload, content_type FROM dead_letters;
ALTER TABLE dead_letters DROP COLUMN payload;
ALTER TABLE dead_letters DROP COLUMN content_type;
ALTER TABLE dead_letters ADD COLUMN state TEXT NOT NULL DEFAULT 'dead';   -- dead queued redriven delivered moved
ALTER TABLE dead_letters ADD COLUMN kind TEXT NOT NULL DEFAULT 'unavailable';
ALTER TABLE dead_letters ADD COLUMN attempts_total INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dead_letters ADD COLUMN first_died_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dead_letters ADD COLUMN ingested_at INTEGER;
ALTER TABLE dead_letters ADD COLUMN redriven INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dead_letters ADD COLUMN redriven_at INTEGER;
ALTER TABLE dead_letters ADD COLUMN redriven_to TEXT;                     -- 'target' or 'rules'
ALTER TABLE dead_letters ADD COLUMN redriven_rules TEXT;                  -- JSON array: only these; NULL: all
ALTER TABLE dead_letters ADD COLUMN ended_at INTEGER;
UPDATE dead_letters SET attempts_total = attempts, first_died_at = died_at;
UPDATE dead_letters SET kind = 'target-gone' WHERE error LIKE '%its rule or target was removed)';

DROP INDEX dead_letters_by_target;
CREATE INDEX dead_letters_by_target ON dead_letters (bus, rule, target, died_at) WHERE state = 'dead';
CREATE INDEX dead_letters_by_time ON dead_letters (died_at);
CREATE INDEX dead_letters_queued ON dead_letters (bus, rule, target, id) WHERE state = 'queued';
CREATE INDEX dead_letters_by_offset ON dead_letters (offset);

CREATE TABLE dead_letter_counts (       -- kept by the triggers below: how many are in the state 'dead', and in all
    bus TEXT NOT NULL,
    rule TEXT NOT NULL,
    target TEXT NOT NULL,
    dead INTEGER NOT NULL,
    kept INTEGER NOT NULL,
    PRIMARY KEY (bus, rule, target)
) STRICT, WITHOUT ROWID;
INSERT INTO dead_letter_counts SELECT bus, rule, target, COUNT(*), COUNT(*) FROM dead_letters GROUP BY 1, 2, 3;
CREATE TRIGGER dead_letter_comes AFTER INSERT ON dead_letters BEGIN
    INSERT INTO dead_letter_counts VALUES (NEW.bus, NEW.rule, NEW.target, NEW.state = 'dead', 1)
        ON CONFLICT DO UPDATE SET dead = dead + (NEW.state = 'dead'), kept = kept + 1;
END;
CREATE TRIGGER dead_letter_changes AFTER UPDATE OF state ON dead_letters WHEN OLD.state <> NEW.state BEGIN
    UPDATE dead_letter_counts SET dead = dead + (NEW.state = 'dead') - (OLD.state = 'dead')
        WHERE bus = NEW.bus AND rule = NEW.rule AND target = NEW.target;
END;
CREATE TRIGGER dead_letter_goes AFTER DELETE ON dead_letters BEGIN
    UPDATE dead_letter_counts SET dead = dead - (OLD.state = 'dead'), kept = kept - 1
        WHERE bus = OLD.bus AND rule = OLD.rule AND target = OLD.target;
    DELETE FROM dead_letter_counts WHERE bus = OLD.bus AND rule = OLD.rule AND target = OLD.target AND kept = 0;
END;
";

/// Targets that somebody stopped, or that said they are gone; the keys of ordered deliveries; and
/// all that a lane keeps in memory of what is postponed, without a look at the payloads.
const TARGETS_HELD: &str = "
ALTER TABLE subscriptions ADD COLUMN paused INTEGER;        -- since when; NULL: it is not
ALTER TABLE subscriptions ADD COLUMN paused_reason TEXT;
ALTER TABLE subscriptions ADD COLUMN disabled TEXT;         -- why; NULL: it is not
ALTER TABLE subscriptions ADD COLUMN disabled_at INTEGER;
ALTER TABLE postponed ADD COLUMN order_key INTEGER;         -- NULL: no order
CREATE INDEX postponed_in_short
    ON postponed (subscription, offset, output, replay, due_at, order_key, content_type);
";

/// Archives, and replays that say where from, to whom and how fast.
const PAST: &str = "
CREATE TABLE archives (
    name TEXT PRIMARY KEY,
    bus TEXT NOT NULL,
    pattern TEXT,                       -- NULL: every event
    retention_days INTEGER NOT NULL,    -- 0: for ever
    description TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    from_offset INTEGER NOT NULL        -- events from here on are in it
) STRICT, WITHOUT ROWID;

ALTER TABLE replays ADD COLUMN archive TEXT;                -- NULL: the journal of the bus
ALTER TABLE replays ADD COLUMN targets TEXT NOT NULL DEFAULT '[]';   -- JSON array of rule/target
ALTER TABLE replays ADD COLUMN pattern TEXT;
ALTER TABLE replays ADD COLUMN rate REAL;                   -- events a second; NULL: as fast as it goes
ALTER TABLE replays ADD COLUMN concurrency INTEGER NOT NULL DEFAULT 1;
ALTER TABLE replays ADD COLUMN error TEXT;                  -- why it did not reach its end
ALTER TABLE replays ADD COLUMN position INTEGER;            -- where it was when it was cancelled
";

/// What retention takes from the journal, and somebody waits for.
const KEPT: &str = "
ALTER TABLE postponed ADD COLUMN event BLOB;                -- of a delivery without a payload, when the journal let it go
ALTER TABLE postponed ADD COLUMN ingested_at INTEGER;       -- of that event
ALTER TABLE subscriptions ADD COLUMN expired INTEGER NOT NULL DEFAULT 0;   -- events that expired before it had looked at them
";

/// Which journal the database belongs to.
const BELONGING: &str = "
CREATE TABLE journal (
    id BLOB NOT NULL                    -- the store id of docs/journal-format.md; one row
) STRICT;
";

/// Which rules a delivery died under.
const JUDGED: &str = "
ALTER TABLE dead_letters ADD COLUMN rules TEXT;             -- beginning of their digest; NULL: not known
";

/// Rules and targets that went, and may come back.
const REMOVED: &str = "
ALTER TABLE subscriptions ADD COLUMN removed INTEGER;       -- since when it has no rule; NULL: it has one
";

/// What replays could not read.
const UNREAD: &str = "
ALTER TABLE replays ADD COLUMN damaged INTEGER NOT NULL DEFAULT 0;   -- events that it passed over, because their blocks are damaged
";

/// Archives that are on their way out.
const REMOVING: &str = "
ALTER TABLE archives ADD COLUMN removing BLOB;              -- the id of the chain that goes with it, empty without one; NULL: it stays
";

/// Which patterns a rule has had: what was not read when a process ended meets the one of its time.
const VERSIONS: &str = "
CREATE TABLE versions (
    subscription INTEGER NOT NULL REFERENCES subscriptions (id) ON DELETE CASCADE,
    from_offset INTEGER NOT NULL,
    pattern TEXT,                       -- JSON; NULL: the rule was not there
    PRIMARY KEY (subscription, from_offset)
) STRICT, WITHOUT ROWID;
";

/// What plugins keep, and what they say of what they made.
const PLUGINS: &str = "
CREATE TABLE plugin_state (
    plugin TEXT NOT NULL,
    bus TEXT NOT NULL,
    replay TEXT NOT NULL DEFAULT '',    -- '' for live events
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    expires_at INTEGER,                 -- milliseconds since 1970-01-01T00:00:00Z; NULL: never
    PRIMARY KEY (plugin, bus, replay, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX plugin_state_expiring ON plugin_state (expires_at) WHERE expires_at IS NOT NULL;
ALTER TABLE postponed ADD COLUMN attributes TEXT;              -- JSON array of [name, value]; NULL: none
ALTER TABLE dead_letter_contents ADD COLUMN attributes TEXT;   -- the same
";

/// Keys expire by plugin and bus, each by the times of its own events.
const EXPIRING: &str = "
DROP INDEX plugin_state_expiring;
CREATE INDEX plugin_state_expiring ON plugin_state (plugin, bus, replay, expires_at) WHERE expires_at IS NOT NULL;
";

/// How much each plugin keeps: nobody has to count a million keys to know.
const COUNTED: &str = "
CREATE TABLE plugin_state_totals (      -- kept by the triggers below
    plugin TEXT NOT NULL,
    bus TEXT NOT NULL,
    replay TEXT NOT NULL,
    keys INTEGER NOT NULL,
    bytes INTEGER NOT NULL,             -- of keys and values
    PRIMARY KEY (plugin, bus, replay)
) STRICT, WITHOUT ROWID;
INSERT INTO plugin_state_totals
    SELECT plugin, bus, replay, COUNT(*), SUM(LENGTH(CAST(key AS BLOB)) + LENGTH(value)) FROM plugin_state GROUP BY 1, 2, 3;
CREATE TRIGGER plugin_state_comes AFTER INSERT ON plugin_state BEGIN
    INSERT INTO plugin_state_totals
        VALUES (NEW.plugin, NEW.bus, NEW.replay, 1, LENGTH(CAST(NEW.key AS BLOB)) + LENGTH(NEW.value))
        ON CONFLICT DO UPDATE SET keys = keys + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER plugin_state_changes AFTER UPDATE OF value ON plugin_state WHEN LENGTH(OLD.value) <> LENGTH(NEW.value) BEGIN
    UPDATE plugin_state_totals SET bytes = bytes + LENGTH(NEW.value) - LENGTH(OLD.value)
        WHERE plugin = NEW.plugin AND bus = NEW.bus AND replay = NEW.replay;
END;
CREATE TRIGGER plugin_state_goes AFTER DELETE ON plugin_state BEGIN
    UPDATE plugin_state_totals SET keys = keys - 1, bytes = bytes - LENGTH(CAST(OLD.key AS BLOB)) - LENGTH(OLD.value)
        WHERE plugin = OLD.plugin AND bus = OLD.bus AND replay = OLD.replay;
    DELETE FROM plugin_state_totals WHERE plugin = OLD.plugin AND bus = OLD.bus AND replay = OLD.replay AND keys = 0;
END;
";

/// The tables as they were, and their version.
#[cfg(test)]
pub(super) fn before_plugins_were_counted() -> String {
    let steps = STEPS.split_last().map(|(_, before)| before).unwrap_or_default();
    format!("{} PRAGMA user_version = {};", steps.concat(), steps.len())
}

pub(super) fn open(path: &Path) -> Result<Connection, StateError> {
    let connection = Connection::open(path).map_err(|error| StateError::opening(path, &error))?;
    prepare(&connection, path)?;
    Ok(connection)
}

/// Brings a database to this version.
pub(crate) fn prepare(connection: &Connection, path: &Path) -> Result<(), StateError> {
    let wrong = |error: rusqlite::Error| StateError::opening(path, &error);
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
    connection.execute_batch(&begin).map_err(wrong)
}
