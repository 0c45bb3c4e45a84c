//! The keys of one plugin on one bus: what is to be written down, what was read, and how much it is in all.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use event::Timestamp;
use plugin::StateError;

use super::Reader;
use super::seen::Seen;
use crate::state::{Keeping, Kept, Owner};

/// Of what was read and written lately, kept in memory.
const READ_BYTES_MAX: usize = 8 << 20;
/// What an entry costs beside its key and value.
const ENTRY_BYTES: usize = 64;

pub(super) struct Space {
    pub(super) owner: Owner,
    /// Held by the event that is in turn.
    pub(super) turn: Mutex<()>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// In effect, and not on their way to the disk.
    pending: BTreeMap<String, Kept>,
    /// On their way.
    writing: BTreeMap<String, Kept>,
    /// As it is on disk, of what was asked for last, and of what was before that.
    read: HashMap<String, Kept>,
    read_before: HashMap<String, Kept>,
    /// Of `read`.
    read_bytes: usize,
    /// Keys, and bytes of keys and values, on disk; none before the first look, and when that has changed.
    on_disk: Option<(i64, i64)>,
    /// So often it has.
    changes: u64,
    /// What `pending` and `writing` change of it.
    pending_grown: (i64, i64),
    writing_grown: (i64, i64),
    seen: Seen,
}

impl Inner {
    fn totals(&self) -> Option<(i64, i64)> {
        let of_writing = plus(self.on_disk?, self.writing_grown);
        Some(plus(of_writing, self.pending_grown))
    }

    /// The disk has changed. What it holds now is looked up, not reckoned: a key that an event has seen may be swept
    /// before the event's writes take effect.
    fn change(&mut self) {
        self.on_disk = None;
        self.changes += 1;
    }

    fn remember(&mut self, key: &str, kept: Kept) {
        let bytes = key.len() + kept.value.as_ref().map_or(0, |value| value.len()) + ENTRY_BYTES;
        if READ_BYTES_MAX / 2 < self.read_bytes + bytes {
            self.read_before = std::mem::take(&mut self.read);
            self.read_bytes = 0;
        }
        self.read_bytes += bytes;
        self.read.insert(key.to_owned(), kept);
    }

    fn remembered(&mut self, key: &str) -> Option<Kept> {
        if let Some(kept) = self.read.get(key) {
            return Some(kept.clone());
        }
        let kept = self.read_before.remove(key)?;
        self.remember(key, kept.clone());
        Some(kept)
    }
}

impl Space {
    pub(super) fn new(owner: Owner) -> Self {
        Self { owner, turn: Mutex::default(), inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is an event of this time.
    pub(super) fn note(&self, time: Timestamp) {
        self.lock().seen.note(time);
    }

    /// What has expired before this is asked for no more.
    pub(super) fn over(&self, now: Timestamp) -> Option<Timestamp> {
        self.lock().seen.over(now)
    }

    pub(super) fn get(&self, key: &str, reader: &Reader) -> Result<Kept, StateError> {
        {
            let mut inner = self.lock();
            let known = [&inner.pending, &inner.writing].into_iter().find_map(|all| all.get(key));
            let known = known.cloned();
            if let Some(kept) = known.or_else(|| inner.remembered(key)) {
                return Ok(kept);
            }
        }
        let kept = reader.read(|on| self.owner.find(on, key))?;
        let mut inner = self.lock();
        let is_known = inner.pending.contains_key(key) || inner.writing.contains_key(key);
        if !is_known {
            inner.remember(key, kept.clone());
        }
        Ok(kept)
    }

    pub(super) fn totals(&self, reader: &Reader) -> Result<(i64, i64), StateError> {
        loop {
            let changes = {
                let inner = self.lock();
                if let Some(totals) = inner.totals() {
                    return Ok(totals);
                }
                inner.changes
            };
            let on_disk = reader.read(|on| self.owner.totals(on))?;
            let mut inner = self.lock();
            if inner.changes == changes {
                inner.on_disk = Some(on_disk);
            }
        }
    }

    /// The writes of an event take effect. `grown` is what they change of the totals.
    pub(super) fn take(&self, writes: impl Iterator<Item = (String, Kept)>, grown: (i64, i64)) {
        let mut inner = self.lock();
        inner.pending.extend(writes);
        inner.pending_grown = plus(inner.pending_grown, grown);
    }

    /// What is to be written down; it counts as on its way.
    pub(super) fn gather(&self) -> Vec<Keeping> {
        let mut inner = self.lock();
        let pending = std::mem::take(&mut inner.pending);
        let keeping = |(key, kept): (&String, &Kept)| Keeping {
            owner: self.owner.clone(),
            key: key.clone(),
            kept: kept.clone(),
        };
        let gathered = pending.iter().map(keeping).collect();
        inner.writing.extend(pending);
        let grown = std::mem::take(&mut inner.pending_grown);
        inner.writing_grown = plus(inner.writing_grown, grown);
        gathered
    }

    /// What was on its way is there.
    pub(super) fn written(&self) {
        let mut inner = self.lock();
        for (key, kept) in std::mem::take(&mut inner.writing) {
            inner.remember(&key, kept);
        }
        inner.writing_grown = (0, 0);
        inner.change();
    }

    /// A key that had expired is gone from the disk.
    pub(super) fn swept(&self, key: &str) {
        let mut inner = self.lock();
        inner.read.remove(key);
        inner.read_before.remove(key);
        inner.change();
    }
}

fn plus(one: (i64, i64), other: (i64, i64)) -> (i64, i64) {
    (one.0 + other.0, one.1 + other.1)
}
