//! A disk for tests and simulations: it loses, tears and fails.
//!
//! A file has what programs see (`cache`) and what survives a loss of power (`disk`). Writes go to
//! the cache and make sectors dirty; a sync copies dirty sectors to the disk. When the power goes,
//! each dirty sector and each name that was not synced is kept or lost by chance. After a failed
//! sync some sectors are clean and yet not on the disk, as Linux has it.
//!
//! A folder is a name that ends with a slash; when it is lost, so is all that is in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, ErrorKind},
    ops::Range,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard},
};

use super::{Disk, File, Lock};

const SECTOR: usize = 512;
/// What the sectors of a new file hold until something is written to them and synced.
const GARBAGE: u8 = 0xA5;
/// What stands in the place of a folder's content.
const FOLDER: usize = usize::MAX;

/// A handle; clones share the disk. It outlives the journals on it.
#[derive(Clone)]
pub struct SimulatedDisk {
    shared: Arc<Shared>,
    /// The folder, with a slash at its end; empty for the root.
    prefix: String,
}

struct Shared {
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Default)]
struct State {
    /// What programs see, and what a loss of power leaves: the number of each name's file.
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    files: Vec<Content>,
    random: u64,
    /// The number of the running process. What an earlier one still does fails.
    process: u64,
    locked_by: Option<u64>,
    faults: Faults,
}

/// What goes wrong. Counts are of operations from now on.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// After so many changes the power is gone.
    pub power_after: Option<u64>,
    /// After so many writes of frames or syncs of files one fails.
    pub write_fails_after: Option<u64>,
    pub sync_fails_after: Option<u64>,
    /// Bytes that all files together may have.
    pub capacity: Option<u64>,
    /// Syncs do nothing and say that they did.
    pub sync_lies: bool,
    /// Syncs of files wait until this is false again.
    pub sync_waits: bool,
    pub read_only: bool,
}

#[derive(Clone, Default)]
struct Content {
    cache: Vec<u8>,
    disk: Vec<u8>,
    dirty: BTreeSet<usize>,
}

struct Handle {
    shared: Arc<Shared>,
    file: usize,
    process: u64,
}

struct Locked(Arc<Shared>, u64);

impl SimulatedDisk {
    pub fn new(seed: u64) -> Self {
        let state = State { random: seed | 1, ..State::default() };
        Self::of(state)
    }

    fn of(state: State) -> Self {
        let shared = Shared { state: Mutex::new(state), released: Condvar::new() };
        Self { shared: Arc::new(shared), prefix: String::new() }
    }

    /// A folder below this one.
    pub fn below(&self, name: &str) -> Self {
        let prefix = format!("{}{name}/", self.prefix);
        Self { shared: Arc::clone(&self.shared), prefix }
    }

    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Changes what goes wrong.
    pub fn faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.shared.lock().faults);
        self.shared.released.notify_all();
    }

    /// The process dies; the system lives on.
    pub fn kill(&self) {
        let mut state = self.shared.lock();
        state.faults = Faults {
            capacity: state.faults.capacity,
            sync_lies: state.faults.sync_lies,
            ..Faults::default()
        };
        state.process += 1;
        state.locked_by = None;
    }

    /// The power goes and comes back.
    pub fn crash(&self) {
        self.kill();
        let mut guard = self.shared.lock();
        let state = &mut *guard;
        for content in &mut state.files {
            // Now and then all or nothing of it: chance alone hardly ever keeps a large frame
            // whole.
            let fate = next(&mut state.random) % 4;
            for sector in std::mem::take(&mut content.dirty) {
                if fate == 0 || (fate > 1 && next(&mut state.random).is_multiple_of(2)) {
                    content.persist(sector);
                }
            }
            content.cache = content.disk.clone();
        }
        let all: BTreeSet<String> =
            state.names.keys().chain(state.durable_names.keys()).cloned().collect();
        for name in all {
            let (seen, durable) =
                (state.names.get(&name).copied(), state.durable_names.get(&name).copied());
            let kept = if next(&mut state.random).is_multiple_of(2) { seen } else { durable };
            for names in [&mut state.names, &mut state.durable_names] {
                match kept {
                    Some(file) => names.insert(name.clone(), file),
                    None => names.remove(&name),
                };
            }
        }
        for names in [&mut state.names, &mut state.durable_names] {
            // In order, so that a folder is looked at before what is in it.
            for name in names.keys().cloned().collect::<Vec<_>>() {
                if !names.contains_key(folder_of(&name)) && !folder_of(&name).is_empty() {
                    names.remove(&name);
                }
            }
        }
    }

    /// The files in this folder.
    pub fn names(&self) -> Vec<String> {
        let below = self.below_this();
        below.into_iter().filter(|name| !name.contains('/')).collect()
    }

    /// All names below this folder, without its own.
    fn below_this(&self) -> Vec<String> {
        let state = self.shared.lock();
        let names = state.names.keys().filter_map(|name| name.strip_prefix(&self.prefix));
        names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// Changes a file behind everybody's back, as rot and people do.
    pub fn edit(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.shared.lock();
        let file = state.names[&self.full(name)];
        let content = &mut state.files[file];
        assert!(content.dirty.is_empty(), "only what is synced is edited");
        change(&mut content.cache);
        content.disk = content.cache.clone();
    }

    pub fn delete(&self, name: &str) {
        let mut state = self.shared.lock();
        state.names.remove(&self.full(name)).expect("the file is there");
        state.durable_names.remove(&self.full(name));
    }

    /// A disk with the same content, for trying something on it.
    pub fn copy(&self) -> Self {
        let state = self.shared.lock();
        let copy = State {
            names: state.names.clone(),
            durable_names: state.durable_names.clone(),
            files: state.files.clone(),
            random: state.random,
            ..State::default()
        };
        Self { prefix: self.prefix.clone(), ..Self::of(copy) }
    }

    /// What `capacity` would leave free.
    #[cfg(test)]
    pub(crate) fn left_of(&self, capacity: u64) -> u64 {
        capacity - self.shared.lock().used()
    }

    /// Begins an operation that changes the disk.
    fn change(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.shared.lock();
        state.lose_power()?;
        Ok(state)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics inside the disk")
    }
}

impl State {
    fn lose_power(&mut self) -> io::Result<()> {
        if self.faults.read_only {
            return Err(ErrorKind::ReadOnlyFilesystem.into());
        }
        match &mut self.faults.power_after {
            None => Ok(()),
            Some(0) => Err(io::Error::other("the power is gone")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn has_folder(&self, prefix: &str) -> io::Result<()> {
        let there = prefix.is_empty() || self.names.contains_key(prefix);
        if there { Ok(()) } else { Err(ErrorKind::NotFound.into()) }
    }

    fn used(&self) -> u64 {
        let files = self.names.values().filter(|file| **file != FOLDER);
        files.map(|file| self.files[*file].cache.len() as u64).sum()
    }
}

impl Content {
    fn persist(&mut self, sector: usize) {
        let range = sector * SECTOR..((sector + 1) * SECTOR).min(self.cache.len());
        if self.disk.len() < range.end {
            // Sectors before it that were not written through are holes.
            self.disk.resize(range.end, 0);
        }
        self.disk[range.clone()].copy_from_slice(&self.cache[range]);
    }
}

impl Disk for SimulatedDisk {
    fn folder(&self, name: &str) -> Arc<dyn Disk> {
        Arc::new(self.below(name))
    }

    fn make(&self) -> io::Result<()> {
        for (end, _) in self.prefix.match_indices('/') {
            let name = self.prefix.get(..=end).expect("it ends behind a slash").to_owned();
            if !self.shared.lock().names.contains_key(&name) {
                self.change()?.names.insert(name.clone(), FOLDER);
            }
            let mut state = self.change()?;
            if !state.faults.sync_lies {
                state.durable_names.insert(name, FOLDER);
            }
        }
        Ok(())
    }

    fn unmake(&self) -> io::Result<()> {
        if !self.below_this().is_empty() {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        self.change()?.names.remove(&self.prefix);
        Ok(())
    }

    fn lock(&self) -> io::Result<Option<Lock>> {
        let mut state = self.change()?;
        if state.locked_by.is_some() {
            return Ok(None);
        }
        let process = state.process;
        state.locked_by = Some(process);
        Ok(Some(Box::new(Locked(Arc::clone(&self.shared), process))))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.shared.lock().has_folder(&self.prefix)?;
        Ok(self.names())
    }

    fn folders(&self) -> io::Result<Vec<String>> {
        self.shared.lock().has_folder(&self.prefix)?;
        let below = self.below_this();
        let folders = below.iter().filter_map(|name| name.strip_suffix('/'));
        Ok(folders.filter(|name| !name.contains('/')).map(str::to_owned).collect())
    }

    fn create(&self, name: &str, size: u64) -> io::Result<Arc<dyn File>> {
        let mut state = self.change()?;
        let name = self.full(name);
        state.has_folder(folder_of(&name))?;
        let replaced =
            state.names.get(&name).map_or(0, |file| state.files[*file].cache.len() as u64);
        if state.faults.capacity.is_some_and(|capacity| capacity < state.used() - replaced + size) {
            return Err(ErrorKind::StorageFull.into());
        }
        let size = usize::try_from(size).expect("it is small");
        state.files.push(Content {
            cache: vec![0; size],
            disk: vec![GARBAGE; size],
            dirty: BTreeSet::new(),
        });
        let file = state.files.len() - 1;
        state.names.insert(name, file);
        Ok(Arc::new(Handle { shared: Arc::clone(&self.shared), file, process: state.process }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let state = self.shared.lock();
        let file = *state.names.get(&self.full(name)).ok_or(ErrorKind::NotFound)?;
        Ok(Arc::new(Handle { shared: Arc::clone(&self.shared), file, process: state.process }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.change()?;
        let (from, to) = (self.full(from), self.full(to));
        state.has_folder(folder_of(&to))?;
        let file = state.names.remove(&from).ok_or(ErrorKind::NotFound)?;
        state.names.insert(to, file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change()?.names.remove(&self.full(name));
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut state = self.change()?;
        if state.faults.sync_lies {
            return Ok(());
        }
        let state = &mut *state;
        let inside = |name: &String| folder_of(name) == self.prefix;
        state.durable_names.retain(|name, _| !inside(name));
        let seen = state.names.iter().filter(|(name, _)| inside(name));
        state.durable_names.extend(seen.map(|(name, file)| (name.clone(), *file)));
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<Option<u64>> {
        let state = self.shared.lock();
        Ok(state.faults.capacity.map(|capacity| capacity.saturating_sub(state.used())))
    }

    fn random(&self, into: &mut [u8]) -> io::Result<()> {
        let mut state = self.shared.lock();
        into.fill_with(|| next(&mut state.random).to_le_bytes()[0]);
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("disk/{}{name}", self.prefix))
    }
}

impl Handle {
    fn lock(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.shared.lock();
        if state.process == self.process {
            Ok(state)
        } else {
            Err(io::Error::other("the process is dead"))
        }
    }
}

impl File for Handle {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        let state = self.lock()?;
        let start = usize::try_from(position).expect("it is small");
        let bytes = state.files[self.file].cache.get(start..start + buffer.len());
        buffer.copy_from_slice(bytes.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        let mut state = self.lock()?;
        state.lose_power()?;
        let failed = fails(&mut state.faults.write_fails_after);
        let count = if failed { bytes.len() / 2 } else { bytes.len() };
        let start = usize::try_from(position).expect("it is small");
        let grown = (start + count).saturating_sub(state.files[self.file].cache.len()) as u64;
        // A full disk still takes what is written over what is there.
        let has_room = |capacity: u64| grown == 0 || state.used() + grown <= capacity;
        if !state.faults.capacity.is_none_or(has_room) {
            return Err(ErrorKind::StorageFull.into());
        }
        let content = &mut state.files[self.file];
        if content.cache.len() < start + count {
            content.cache.resize(start + count, 0);
        }
        content.cache[start..start + count].copy_from_slice(&bytes[..count]);
        content.dirty.extend(start / SECTOR..(start + count).div_ceil(SECTOR));
        if failed { Err(io::Error::other("the write failed")) } else { Ok(()) }
    }

    fn sync(&self) -> io::Result<()> {
        let state = self.lock()?;
        let waited = self.shared.released.wait_while(state, |state| state.faults.sync_waits);
        let mut guard = waited.expect("no test panics inside the disk");
        let state = &mut *guard;
        state.lose_power()?;
        if state.faults.sync_lies {
            return Ok(());
        }
        let failed = fails(&mut state.faults.sync_fails_after);
        let content = &mut state.files[self.file];
        for sector in std::mem::take(&mut content.dirty) {
            // The kernel reports the failure once and takes all pages for clean from then on.
            if !failed || next(&mut state.random).is_multiple_of(2) {
                content.persist(sector);
            }
        }
        if failed { Err(io::Error::other("the sync failed")) } else { Ok(()) }
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.lock()?;
        state.lose_power()?;
        let content = &mut state.files[self.file];
        let length = usize::try_from(length).expect("it is small");
        content.cache.resize(length, 0);
        content.disk.truncate(length);
        content.dirty.retain(|sector| sector * SECTOR < length);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.lock()?.files[self.file].cache.len() as u64)
    }

    fn forget(&self, range: Range<u64>) {
        let mut state = self.shared.lock();
        let content = &mut state.files[self.file];
        let (start, end) = (
            usize::try_from(range.start).expect("small"),
            usize::try_from(range.end).expect("small"),
        );
        for sector in start / SECTOR..end.div_ceil(SECTOR) {
            if !content.dirty.contains(&sector) {
                let length = content.disk.len().min(content.cache.len());
                let range = (sector * SECTOR).min(length)..((sector + 1) * SECTOR).min(length);
                content.cache[range.clone()].copy_from_slice(&content.disk[range]);
            }
        }
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if state.locked_by == Some(self.1) {
            state.locked_by = None;
        }
    }
}

/// The folder that a name is in: what stands before its last part.
fn folder_of(name: &str) -> &str {
    let last = name.trim_end_matches('/').rfind('/');
    last.and_then(|slash| name.get(..=slash)).unwrap_or("")
}

/// Counts down to the operation that fails. Those after it work again.
fn fails(after: &mut Option<u64>) -> bool {
    match after {
        Some(0) => {
            *after = None;
            true
        }
        Some(left) => {
            *left -= 1;
            false
        }
        None => false,
    }
}

/// Xorshift: the same seed, the same losses.
fn next(random: &mut u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random >> 11
}
