//! A folder of sealed segments, read as one log.
//!
//! ```text
//! Sealer ──▶ <from>.evs.new ──sync, rename──▶ <from>.evs ──▶ manifest ──▶ cursors
//! Appender ──▶ <from>.evs.open ──────roll───────▲                            │
//!                    └── its blocks, and the records not yet in one ─────────┘
//! ```
//!
//! # Invariants
//!
//! - A file counts when the manifest lists it, and it is durable before that. A crash at any point
//!   leaves what was sealed before.
//! - Readers see a snapshot of the list; what they have open they can read to its end, also when it
//!   is expired meanwhile.
//! - Damage is reported, counted and contained; what is intact is served.
//! - bounded: in memory are the list, a cache of indexes and filters, and one block a reader.
//!
//! # Not here
//!
//! - What a payload means, and its keys: whoever writes names them.
//! - Locking the folder: the journal holds the lock of the data folder.

mod appender;
mod contents;
pub(crate) mod copies;
mod cursor;
mod error;
mod expiry;
pub(crate) mod listing;
pub(crate) mod manifest;
pub(crate) mod open_file;
pub(crate) mod opening;
mod options;
pub(crate) mod repair;
mod sealer;
#[cfg(test)]
mod tests;
pub(crate) mod verify;

use std::{
    collections::BTreeMap,
    fmt,
    ops::Range,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

pub use appender::Appender;
pub use cursor::{ChainCursor, Filter, Reading};
pub use error::ChainError;
pub use options::{ChainOptions, ChainReport, ChainStats, Damage, Expired, Fault, Retention};
pub use sealer::{SealedSpan, Sealer};

use crate::{
    ChainRecord, Keys, Offset, OpenError, ReadError,
    disk::{Disk, PosixDisk},
    roll::Entry,
    sealed::BlockEntry,
};
use appender::Tail;
use contents::Cache;
use listing::{Listing, PartState};
use manifest::Manifest;

/// What a damage costs.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cost {
    offsets: Range<Offset>,
    records: u64,
}

impl Cost {
    fn of(entry: &BlockEntry) -> Self {
        Self { offsets: entry.first..entry.last.next(), records: entry.records.into() }
    }
}

/// Damages that are remembered one by one, so that each is counted once. Beyond, every meeting
/// counts.
const DAMAGES_MAX: usize = 4096;

/// An open chain. Clones are handles to the same one.
#[derive(Clone)]
pub struct Chain {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    disk: Arc<dyn Disk>,
    options: ChainOptions,
    listing: RwLock<Arc<Listing>>,
    /// What an appender has written since its last file was finished.
    tail: Mutex<Option<Tail>>,
    /// Held while the manifest is changed.
    changing: Mutex<()>,
    /// Somebody seals or appends.
    writing: AtomicBool,
    /// Why nothing is written any more.
    stopped: OnceLock<Arc<str>>,
    cache: Cache,
    /// By sequence of the file and position in it.
    damages: Mutex<BTreeMap<(u64, u64), Option<Cost>>>,
    damaged: AtomicU64,
}

impl Chain {
    /// Opens the chain in `options.dir`, or makes one. The caller holds the lock of the data
    /// folder.
    pub fn open(options: ChainOptions) -> Result<(Self, ChainReport), OpenError> {
        let disk = Arc::new(PosixDisk::new(options.dir.clone()));
        Self::open_in(disk, options)
    }

    /// [`Chain::open`] in a folder of a simulated disk; `options.dir` is not looked at.
    #[cfg(any(test, feature = "simulation"))]
    pub fn open_on(
        disk: &crate::SimulatedDisk,
        options: ChainOptions,
    ) -> Result<(Self, ChainReport), OpenError> {
        Self::open_in(Arc::new(disk.clone()), options)
    }

    pub(crate) fn open_in(
        disk: Arc<dyn Disk>,
        options: ChainOptions,
    ) -> Result<(Self, ChainReport), OpenError> {
        let opened = opening::open(&*disk, &options)?;
        let inner = Inner {
            cache: Cache::new(options.index_bytes_max),
            disk,
            options,
            listing: RwLock::new(Arc::new(opened.listing)),
            tail: Mutex::new(opened.tail),
            changing: Mutex::new(()),
            writing: AtomicBool::new(false),
            stopped: OnceLock::new(),
            damages: Mutex::default(),
            damaged: AtomicU64::new(0),
        };
        inner.note_found();
        Ok((Self { inner: Arc::new(inner) }, opened.report))
    }

    pub fn name(&self) -> &str {
        &self.inner.options.name
    }

    /// Drawn when it was made: no other chain has it.
    pub fn id(&self) -> [u8; 16] {
        self.inner.listing().manifest.id
    }

    /// How it is listed among the chains.
    pub(crate) fn entry(&self) -> Option<Entry> {
        Entry::of(&self.inner.listing().manifest.files)
    }

    /// Where it lies.
    pub fn folder(&self) -> PathBuf {
        self.inner.path("")
    }

    /// The offsets that the chain covers. Those of them that it has no record of are not in it.
    pub fn covered(&self) -> Range<Offset> {
        let end = self.inner.lock_tail().as_ref().map(|tail| tail.next);
        let listing = self.inner.listing();
        listing.manifest.from..end.unwrap_or(listing.manifest.to).max(listing.manifest.to)
    }

    /// Begins to seal the offsets from `from` on; records that the chain covers already are passed
    /// over. One sealer at a time.
    pub fn sealer(&self, from: Offset) -> Result<Sealer, ChainError> {
        Sealer::begin(&self.inner, from)
    }

    /// Seals a span in one go.
    pub fn seal(
        &self,
        span: Range<Offset>,
        records: impl IntoIterator<Item = ChainRecord>,
        keys: &dyn Fn(&ChainRecord, &mut Keys),
    ) -> Result<SealedSpan, ChainError> {
        let mut sealer = self.sealer(span.start)?;
        for record in records {
            sealer.push(&record, &mut |found| keys(&record, found))?;
        }
        sealer.finish(span.end)
    }

    /// Writes without syncing record by record. Handles of an appender share the file.
    pub fn appender(&self) -> Result<Appender, ChainError> {
        Appender::begin(&self.inner)
    }

    /// Reads from this offset on, or from the first that is kept.
    pub fn read(&self, from: Offset) -> ChainCursor {
        ChainCursor::new(Arc::clone(&self.inner), from)
    }

    /// Reads one record; `None` when the chain has none with this offset.
    pub fn get(&self, offset: Offset) -> Result<Option<ChainRecord>, ReadError> {
        let mut cursor = self.read(offset).until(offset.next());
        while let Some(batch) = cursor.next_batch()? {
            if let Some(record) = batch.into_iter().next() {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// The first offset whose record's time is at or after `time` (milliseconds since the Unix
    /// epoch), or the end of what is covered.
    pub fn offset_at(&self, time: i64) -> Result<Offset, ReadError> {
        let mut cursor = self.read(Offset::ZERO).between(time..=i64::MAX);
        while let Some(batch) = cursor.next_batch()? {
            if let Some(record) = batch.first() {
                return Ok(record.offset);
            }
        }
        Ok(self.covered().end)
    }

    /// Removes whole files, the oldest first, as far as the retention asks and allows.
    pub fn expire(&self, keep: &Retention) -> Result<Expired, ChainError> {
        expiry::expire(&self.inner, keep)
    }

    /// Removes the chain with its folder. Handles to it can write nothing any more.
    pub fn remove(&self) -> Result<Expired, ChainError> {
        expiry::remove(&self.inner)
    }

    /// What is known to be damaged in a span: what was found when the chain was opened, and what
    /// readers have met since.
    pub fn damaged_within(&self, span: &Range<Offset>) -> Damage {
        let known = self.inner.damages.lock().unwrap_or_else(PoisonError::into_inner);
        let costs = known.values().flatten();
        let meets = |cost: &&Cost| cost.offsets.start < span.end && span.start < cost.offsets.end;
        costs.filter(meets).fold(Damage::default(), |sum, cost| Damage {
            places: sum.places + 1,
            records: sum.records + cost.records,
        })
    }

    /// Records below were in files that have expired; zero when nothing ever has.
    pub fn expired_to(&self) -> Offset {
        let listing = self.inner.listing();
        let next = listing.manifest.next_sequence;
        let first = listing.manifest.files.first().map_or(next, |file| file.sequence);
        if first == 0 { Offset::new(0) } else { listing.manifest.from }
    }

    pub fn stats(&self) -> ChainStats {
        let inner = &self.inner;
        let tail = inner.lock_tail().as_ref().map(Tail::stats);
        let listing = inner.listing();
        let mut stats = ChainStats {
            segments: listing.parts.len(),
            first_offset: listing.manifest.from,
            next_offset: listing.manifest.to,
            damaged_blocks: inner.damaged.load(Ordering::Relaxed),
            ..ChainStats::default()
        };
        for part in &listing.parts {
            stats.bytes += part.bytes();
            match &part.state {
                PartState::Sound(trailer) => {
                    stats.raw_bytes += trailer.raw_bytes;
                    stats.records += trailer.records;
                    stats.first_time.get_or_insert(trailer.first_time);
                    stats.last_time = Some(trailer.last_time);
                }
                PartState::Broken { .. } => stats.records += part.listed.records,
                PartState::Missing | PartState::Lost => stats.missing_segments += 1,
            }
        }
        if let Some(tail) = tail
            && stats.next_offset < tail.next_offset
        {
            stats.segments += tail.segments;
            stats.bytes += tail.bytes;
            stats.raw_bytes += tail.raw_bytes;
            stats.records += tail.records;
            stats.next_offset = tail.next_offset;
            stats.first_time = stats.first_time.or(tail.first_time);
            stats.last_time = tail.last_time.or(stats.last_time);
        }
        stats
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let covered = self.covered();
        f.debug_struct("Chain").field("name", &self.name()).field("covered", &covered).finish()
    }
}

impl Inner {
    fn listing(&self) -> Arc<Listing> {
        Arc::clone(&self.listing.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a list durable, and then the one that readers see. The caller holds `changing`.
    fn publish(&self, listing: Listing) -> Result<(), ChainError> {
        let aside = listing.manifest.write_aside(&*self.disk);
        aside.map_err(|source| self.io(manifest::NAME, "write it aside", source))?;
        Manifest::replace(&*self.disk).map_err(|source| {
            self.stop(format!("replace the list of segments: {source}"));
            self.io(manifest::NAME, "replace it", source)
        })?;
        *self.listing.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(listing);
        Ok(())
    }

    fn lock_tail(&self) -> MutexGuard<'_, Option<Tail>> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes names durable. When that fails, nothing is known of them until the next start.
    fn sync_names(&self) -> Result<(), ChainError> {
        self.disk.sync_names().map_err(|source| {
            self.stop(format!("sync the folder: {source}"));
            self.io("", "sync the folder", source)
        })
    }

    fn stop(&self, reason: String) {
        let reason = self.stopped.get_or_init(|| reason.into());
        tracing::error!(of = %self.options.title, %reason, "nothing more is written to it");
    }

    fn is_stopped(&self) -> bool {
        self.stopped.get().is_some()
    }

    fn check_running(&self) -> Result<(), ChainError> {
        match self.stopped.get() {
            None => Ok(()),
            Some(reason) => {
                let (path, reason) = (self.disk.path(""), Arc::clone(reason));
                Err(ChainError::Stopped { path, reason })
            }
        }
    }

    fn io(&self, name: &str, action: &'static str, source: std::io::Error) -> ChainError {
        ChainError::Io { path: self.disk.path(name), action, source }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.disk.path(name)
    }

    /// Takes note of the files that are missing or damaged at their ends: that was said.
    fn note_found(&self) {
        let mut known = self.damages.lock().unwrap_or_else(PoisonError::into_inner);
        for part in &self.listing().parts {
            let (position, cost) = match &part.state {
                PartState::Sound(_) | PartState::Lost => continue,
                PartState::Broken { position, .. } => (*position, None),
                PartState::Missing => {
                    let offsets = part.listed.from..part.listed.to;
                    (0, Some(Cost { offsets, records: part.listed.records }))
                }
            };
            self.damaged.fetch_add(1, Ordering::Relaxed);
            if known.len() < DAMAGES_MAX {
                known.insert((part.listed.sequence, position), cost);
            }
        }
    }

    /// Counts a damage, the first time it is met, and says it in the log.
    fn note_damage(&self, place: (u64, u64), error: &ReadError, cost: Option<Cost>) {
        let mut known = self.damages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = known.get_mut(&place) {
            *before = before.take().or(cost);
            return;
        }
        if known.len() < DAMAGES_MAX {
            known.insert(place, cost);
        }
        self.damaged.fetch_add(1, Ordering::Relaxed);
        tracing::error!(of = %self.options.title, %error, "damaged: it is passed over, and the rest is served");
    }
}
