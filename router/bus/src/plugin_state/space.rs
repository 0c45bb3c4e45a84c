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
    /// Keys, and bytes of keys and values; none before the first look.
    totals: Option<(i64, i64)>,
    seen: Seen,
}

impl Inner {
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
        if let Some(totals) = self.lock().totals {
            return Ok(totals);
        }
        // Nothing was written by this process before: that asks for the totals first.
        let totals = reader.read(|on| self.owner.totals(on))?;
        Ok(*self.lock().totals.get_or_insert(totals))
    }

    /// The writes of an event take effect. `grown` is what they change of the totals.
    pub(super) fn take(&self, writes: impl Iterator<Item = (String, Kept)>, grown: (i64, i64)) {
        let mut inner = self.lock();
        inner.pending.extend(writes);
        if let Some(totals) = &mut inner.totals {
            *totals = (totals.0 + grown.0, totals.1 + grown.1);
        }
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
        gathered
    }

    /// What was on its way is there.
    pub(super) fn written(&self) {
        let mut inner = self.lock();
        for (key, kept) in std::mem::take(&mut inner.writing) {
            inner.remember(&key, kept);
        }
    }

    /// A key that had expired is gone from the disk.
    pub(super) fn swept(&self, key: &str, bytes: i64) {
        let mut inner = self.lock();
        inner.read.remove(key);
        inner.read_before.remove(key);
        let is_known = inner.pending.contains_key(key) || inner.writing.contains_key(key);
        if let Some(totals) = inner.totals.as_mut().filter(|_| !is_known) {
            *totals = (totals.0 - 1, totals.1 - bytes);
        }
    }
}
