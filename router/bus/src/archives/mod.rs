//! Archives: chosen events of a bus, kept for longer than its journal keeps them.
//!
//! ```text
//! from_offset ─── its own chain, written when the journal is sealed ───▶ sealed_to ─── the journal ───▶ end
//! ```
//!
//! # Invariants
//!
//! - An archive holds every event of its bus that matches its pattern and came after it was made;
//!   replayed ones are not archived again.
//! - What the sealer asks is answered from memory.
//! - Nothing is sealed into an archive before its row is durable.

mod contents;
mod removal;
mod stored;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use event::{Event, Timestamp};
use journal::{Offset, SealWhat};
use serde::Serialize;

pub use contents::ArchiveContents;
pub use stored::stored_archives;

use crate::core::Core;
use crate::router::Router;
use crate::sealing::Durability;
use crate::selection::{Asking, Selection};
use crate::state::{ArchiveRow, StateError};

/// EventBridge's limits.
const NAME_CHARS_MAX: usize = 48;
const DESCRIPTION_CHARS_MAX: usize = 512;
const RETENTION_DAYS_MAX: u32 = 36_500;
/// Archives of a router.
const ARCHIVES_MAX: usize = 1000;
/// Whether events that are acknowledged are synced now.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(10);
/// How long a sync may take beside the interval of its bus.
const SYNCED_WITHIN: Duration = Duration::from_secs(5);

/// An archive, as somebody made it.
#[derive(Debug, Clone, Serialize)]
pub struct Archive {
    #[serde(serialize_with = "as_word")]
    pub name: Arc<str>,
    #[serde(serialize_with = "as_word")]
    pub bus: Arc<str>,
    /// None: every event.
    #[serde(serialize_with = "as_text")]
    pub pattern: Option<Selection>,
    /// 0: for ever.
    pub retention_days: u32,
    pub description: String,
    pub created_at: Timestamp,
    /// Events from here on are in it.
    #[serde(serialize_with = "as_number")]
    pub from_offset: Offset,
}

/// What somebody asks an archive to be.
#[derive(Debug, Clone, Default)]
pub struct NewArchive {
    pub name: String,
    pub bus: String,
    pub pattern: Option<Selection>,
    pub retention_days: u32,
    pub description: String,
}

/// What of an archive is to be otherwise.
#[derive(Debug, Clone, Default)]
pub struct ArchiveChange {
    /// For events that come from now on: what came before is sealed first. `Some(None)`: every event.
    pub pattern: Option<Option<Selection>>,
    pub retention_days: Option<u32>,
    pub description: Option<String>,
}

/// Why an archive is not made, changed or removed. Nothing was.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("there is no bus `{bus}`; there are: {}", known.join(", "))]
    UnknownBus { bus: String, known: Vec<String> },

    #[error("there is no archive `{name}`; there are: {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") })]
    Unknown { name: String, known: Vec<String> },

    #[error(
        "`{name}` is no name for an archive: 1 to {NAME_CHARS_MAX} of a-z, A-Z, 0-9, `.`, `-` and `_`, and not `.` or `..`"
    )]
    BadName { name: String },

    #[error("there is an archive `{name}` already; choose another name, or change that one")]
    NameTaken { name: String },

    #[error(
        "an archive `{name}` with {events} events is in {path} that the state database does not know; export it with \
         `slipswitch journal export --archive {name}` and move the folder away, both while the router does not run; \
         or choose another name"
    )]
    Unlisted { name: String, events: u64, path: String },

    #[error("the retention is {days} days; use up to {RETENTION_DAYS_MAX}, or 0 for ever")]
    BadRetention { days: u32 },

    #[error("the description has {chars} characters; use up to {DESCRIPTION_CHARS_MAX}")]
    BadDescription { chars: usize },

    #[error("there are {ARCHIVES_MAX} archives already; remove one first")]
    TooMany,

    #[error(
        "the archive `{name}` is being replayed by `{replay}`: wait until that is over, or cancel it"
    )]
    Replaying { name: String, replay: String },

    #[error("the archive `{name}` cannot be removed from the disk: {reason}")]
    Disk { name: String, reason: String },

    #[error(
        "the archive `{name}` keeps its pattern: what came under it cannot be sealed: {reason}; see `slipswitch status`"
    )]
    Unsealed { name: String, reason: String },

    #[error(transparent)]
    State(#[from] StateError),
}

/// All archives, as one immutable snapshot.
#[derive(Debug, Default)]
pub(crate) struct Archives(Vec<Arc<Archive>>);

impl Archives {
    pub(crate) fn new(all: Vec<Archive>) -> Self {
        Self(all.into_iter().map(Arc::new).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Archive>> {
        self.0.iter().find(|archive| *archive.name == *name)
    }

    /// The archives that an event belongs to.
    pub(crate) fn of(
        &self,
        (bus, offset): (&str, Offset),
        envelope: &Bytes,
        asking: &mut Asking,
    ) -> Vec<Arc<str>> {
        let own = self.0.iter().filter(|archive| *archive.bus == *bus);
        let mut matching =
            own.filter(|archive| archive.matches(offset, envelope, asking)).peekable();
        if matching.peek().is_some() && is_replayed(envelope) {
            return Vec::new();
        }
        matching.map(|archive| Arc::clone(&archive.name)).collect()
    }

    /// The archives that may hold the event at an offset of a bus.
    pub(crate) fn covering(&self, bus: &str, offset: Offset) -> Vec<Arc<str>> {
        let of_bus = self.0.iter().filter(|archive| *archive.bus == *bus);
        let holding = of_bus.filter(|archive| archive.from_offset <= offset);
        holding.map(|archive| Arc::clone(&archive.name)).collect()
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().map(|archive| archive.name.as_ref().to_owned()).collect()
    }

    fn with(&self, one: Archive) -> Self {
        let others = self.0.iter().filter(|archive| archive.name != one.name).cloned();
        let mut all: Vec<Arc<Archive>> = others.collect();
        all.push(Arc::new(one));
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Self(all)
    }

    fn without(&self, name: &str) -> Self {
        Self(self.0.iter().filter(|archive| *archive.name != *name).cloned().collect())
    }
}

impl Archive {
    /// Whether it holds an event of its bus, or will.
    pub(crate) fn wants(&self, offset: Offset, envelope: &Bytes, asking: &mut Asking) -> bool {
        self.matches(offset, envelope, asking) && !is_replayed(envelope)
    }

    fn matches(&self, offset: Offset, envelope: &Bytes, asking: &mut Asking) -> bool {
        let matches = |pattern: &Selection| pattern.matches(envelope, asking);
        self.from_offset <= offset && self.pattern.as_ref().is_none_or(matches)
    }
}

/// It may have come back over a target that is a bus.
fn is_replayed(envelope: &Bytes) -> bool {
    Event::read(envelope.clone()).is_ok_and(|event| event.replay_name().is_some())
}

impl Router {
    /// All archives, by name.
    pub fn archives(&self) -> Vec<Arc<Archive>> {
        self.core.archives.load().0.clone()
    }

    /// # Errors
    ///
    /// When there is none of this name.
    pub fn archive(&self, name: &str) -> Result<Arc<Archive>, ArchiveError> {
        self.core.archive(name)
    }

    /// Makes an archive of what comes from now on.
    ///
    /// # Errors
    ///
    /// When it cannot be; nothing was made then.
    pub async fn create_archive(&self, new: NewArchive) -> Result<Arc<Archive>, ArchiveError> {
        let core = Arc::clone(&self.core);
        self.core.carried_out(async move { core.create_archive(new).await }).await?
    }

    /// # Errors
    ///
    /// When it cannot be changed; it is as it was then.
    pub async fn change_archive(
        &self,
        name: &str,
        change: ArchiveChange,
    ) -> Result<Arc<Archive>, ArchiveError> {
        let (core, name) = (Arc::clone(&self.core), name.to_owned());
        self.core.carried_out(async move { core.change_archive(&name, change).await }).await?
    }

    /// Removes an archive with all that is in it.
    ///
    /// # Errors
    ///
    /// When a replay of it is under way, or the state cannot be written.
    pub async fn remove_archive(&self, name: &str) -> Result<(), ArchiveError> {
        let (core, name) = (Arc::clone(&self.core), name.to_owned());
        self.core.carried_out(async move { core.remove_archive(&name).await }).await?
    }
}

impl Core {
    async fn create_archive(&self, new: NewArchive) -> Result<Arc<Archive>, ArchiveError> {
        check(&new)?;
        // Whatever is sealed later meets the archive, and what was sealed before came before it.
        let _between_rounds = self.sealing.lock().await;
        let _roster = self.roster.lock().await;
        if !self.has_bus(&new.bus) {
            return Err(ArchiveError::UnknownBus { bus: new.bus, known: self.buses() });
        }
        let before = self.archives.load_full();
        if before.get(&new.name).is_some() {
            return Err(ArchiveError::NameTaken { name: new.name });
        }
        if ARCHIVES_MAX <= before.0.len() {
            return Err(ArchiveError::TooMany);
        }
        self.free_name(&new.name).await?;
        let made = Archive {
            name: new.name.as_str().into(),
            bus: new.bus.as_str().into(),
            pattern: new.pattern,
            retention_days: new.retention_days,
            description: new.description,
            created_at: self.clock.now(),
            from_offset: self.journal.durable_end(),
        };
        let row = made.clone();
        self.state.run(move |tx| ArchiveRow::insert(tx, &row)).await?;
        self.archives.store(Arc::new(before.with(made)));
        tracing::info!(archive = %new.name, bus = %new.bus, "archive made");
        self.archive(&new.name)
    }

    async fn change_archive(
        self: &Arc<Self>,
        name: &str,
        change: ArchiveChange,
    ) -> Result<Arc<Archive>, ArchiveError> {
        let is = self.archive(name)?;
        let text = |pattern: &Option<Selection>| pattern.as_ref().map(|one| one.text().to_owned());
        if change.pattern.as_ref().is_some_and(|other| text(other) != text(&is.pattern)) {
            self.seal_under_pattern(&is).await?;
        }
        let _roster = self.roster.lock().await;
        let before = self.archives.load_full();
        let mut archive = Archive::clone(&*self.archive(name)?);
        let ArchiveChange { pattern, retention_days, description } = change;
        archive.pattern = pattern.unwrap_or(archive.pattern);
        archive.retention_days = retention_days.unwrap_or(archive.retention_days);
        archive.description = description.unwrap_or(archive.description);
        check_rest(archive.retention_days, &archive.description)?;
        let row = archive.clone();
        self.state.run(move |tx| ArchiveRow::update(tx, &row)).await?;
        self.archives.store(Arc::new(before.with(archive)));
        self.archive(name)
    }

    /// What came while an archive had its pattern belongs to it by that pattern, and the sealer asks for the
    /// one of its own time.
    async fn seal_under_pattern(self: &Arc<Self>, archive: &Archive) -> Result<(), ArchiveError> {
        if let Durability::Interval(within) = self.bus_options(&archive.bus).durability {
            let began = self.clock.monotonic();
            while 0 < self.journal.stats().unsynced_records
                && self.clock.monotonic().saturating_sub(began) < within + SYNCED_WITHIN
            {
                tokio::time::sleep(LOOK_AGAIN_AFTER.min(within)).await;
            }
        }
        let of = Arc::clone(self);
        let sealed = self.outside.blocking(move || of.seal_up_to(of.journal.durable_end())).await;
        sealed.map_err(|reason| {
            let name = archive.name.as_ref().to_owned();
            ArchiveError::Unsealed { name, reason }
        })
    }

    fn seal_up_to(&self, end: Offset) -> Result<(), String> {
        while self.journal.sealed_to() < end {
            let before = self.journal.sealed_to();
            self.seal(SealWhat::All)?;
            // A round takes what there is room for.
            if self.journal.sealed_to() <= before {
                return Err("there is too little room on its disk".to_owned());
            }
        }
        Ok(())
    }

    pub(crate) fn archive(&self, name: &str) -> Result<Arc<Archive>, ArchiveError> {
        let all = self.archives.load();
        let unknown = || {
            let name = name.chars().take(NAME_CHARS_MAX).collect();
            ArchiveError::Unknown { name, known: all.names() }
        };
        all.get(name).cloned().ok_or_else(unknown)
    }
}

fn check(new: &NewArchive) -> Result<(), ArchiveError> {
    let name = &new.name;
    let is_name = (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        && name.bytes().any(|byte| byte != b'.');
    if !is_name {
        let name = name.chars().take(NAME_CHARS_MAX).collect();
        return Err(ArchiveError::BadName { name });
    }
    check_rest(new.retention_days, &new.description)
}

fn check_rest(days: u32, description: &str) -> Result<(), ArchiveError> {
    if RETENTION_DAYS_MAX < days {
        return Err(ArchiveError::BadRetention { days });
    }
    let chars = description.chars().count();
    if DESCRIPTION_CHARS_MAX < chars {
        return Err(ArchiveError::BadDescription { chars });
    }
    Ok(())
}

fn as_word<S: serde::Serializer>(word: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(word)
}

#[expect(clippy::ref_option, reason = "the shape that serde asks for")]
fn as_text<S: serde::Serializer>(
    pattern: &Option<Selection>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match pattern {
        Some(pattern) => serializer.serialize_some(pattern.text()),
        None => serializer.serialize_none(),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn as_number<S: serde::Serializer>(offset: &Offset, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(offset.get())
}
