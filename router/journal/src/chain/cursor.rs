//! Reading a chain, from any record on, past what a filter rules out.
//!
//! # Invariants
//!
//! - Every record that is asked for comes once and in order, unless the reader was told that it is
//!   damaged or gone.
//! - A block that the filter or the span of time rules out is not read.
//! - bounded: a batch is one block; a call passes over a bounded number of them.

use std::{
    io,
    ops::{ControlFlow, RangeInclusive},
    path::Path,
    sync::Arc,
};

use super::{
    Cost, Inner,
    listing::{Listing, Part, PartState},
};
use crate::{
    ChainRecord, Offset, ReadError,
    sealed::{BlockEntry, Contents, FileError, Summary, file},
};

/// Decides from a block's summary whether it is read: `false` passes over it.
pub type Filter = Arc<dyn Fn(&Summary<'_>) -> bool + Send + Sync>;

/// After so many blocks without a record, an empty batch gives the caller a turn.
const PASSED_MAX: u32 = 1024;

/// A place in a chain that moves forwards. It reads files on the thread that calls it, and holds
/// no lock meanwhile.
pub struct ChainCursor {
    chain: Arc<Inner>,
    position: Offset,
    until: Option<Offset>,
    times: RangeInclusive<i64>,
    filter: Option<Filter>,
    damage: OnDamage,
    place: Option<Place>,
    reading: Reading,
}

/// What a cursor has done so far.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub blocks_read: u64,
    /// Ruled out by time or by the filter.
    pub blocks_skipped: u64,
    /// Of the blocks that were read, as they are on the disk.
    pub bytes_read: u64,
    /// Damages that were reported.
    pub damaged: u64,
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum OnDamage {
    Stay,
    Pass,
}

/// An open file, and the next block in it.
struct Place {
    part: Arc<Part>,
    contents: Arc<Contents>,
    next: usize,
}

/// A turn's result: records, or the end, or neither yet.
type Turn = ControlFlow<Option<Vec<ChainRecord>>>;

impl ChainCursor {
    pub(super) fn new(chain: Arc<Inner>, from: Offset) -> Self {
        let position = from.max(chain.listing().manifest.from);
        Self {
            chain,
            position,
            until: None,
            times: i64::MIN..=i64::MAX,
            filter: None,
            damage: OnDamage::Stay,
            place: None,
            reading: Reading::default(),
        }
    }

    /// Passes over blocks for which the filter says `false`. Records of the others all come: the
    /// filter is no match.
    #[must_use]
    pub fn skipping(self, filter: Filter) -> Self {
        Self { filter: Some(filter), ..self }
    }

    /// Only records of these times (milliseconds since the Unix epoch).
    #[must_use]
    pub fn between(self, times: RangeInclusive<i64>) -> Self {
        Self { times, ..self }
    }

    /// Only records before this offset.
    #[must_use]
    pub fn until(self, end: Offset) -> Self {
        Self { until: Some(end), ..self }
    }

    /// Goes on behind what is damaged or gone, after reporting it once.
    #[must_use]
    pub fn skip_damaged(self) -> Self {
        Self { damage: OnDamage::Pass, ..self }
    }

    /// Nothing before this offset will come any more.
    pub fn position(&self) -> Offset {
        self.position
    }

    pub fn reading(&self) -> Reading {
        self.reading
    }

    /// The next records, those of one block; `None` at the end of what there is now.
    ///
    /// A batch is empty when a thousand blocks were passed over and there is more to come. After
    /// an error the cursor stands where it stood, or, with [`ChainCursor::skip_damaged`], behind
    /// what was damaged.
    pub fn next_batch(&mut self) -> Result<Option<Vec<ChainRecord>>, ReadError> {
        for _ in 0..PASSED_MAX {
            if self.until.is_some_and(|end| end <= self.position) {
                return Ok(None);
            }
            if let ControlFlow::Break(batch) = self.turn()? {
                return Ok(batch);
            }
        }
        Ok(Some(Vec::new()))
    }

    fn turn(&mut self) -> Result<Turn, ReadError> {
        if let Some(place) = self.place.take() {
            return self.next_block(place);
        }
        let listing = self.chain.listing();
        let first = listing.manifest.from;
        if self.position < first {
            let error = ReadError::Gone { offset: self.position, first };
            if self.damage == OnDamage::Pass {
                self.position = first;
            }
            return Err(error);
        }
        match listing.at(self.position) {
            Some(part) => self.enter(part),
            None => self.tail(&listing),
        }
    }

    /// Opens a file, unless nothing in it can be wanted.
    fn enter(&mut self, part: &Arc<Part>) -> Result<Turn, ReadError> {
        let behind = part.listed.to;
        if let PartState::Sound(trailer) = &part.state
            && (trailer.last_time < *self.times.start() || *self.times.end() < trailer.first_time)
        {
            self.reading.blocks_skipped += u64::from(trailer.blocks);
            self.position = behind;
            return Ok(ControlFlow::Continue(()));
        }
        if part.state == PartState::Lost {
            self.position = behind;
            return Ok(ControlFlow::Continue(()));
        }
        let chain = Arc::clone(&self.chain);
        let id = chain.listing().manifest.id;
        match chain.cache.contents(&*chain.disk, &id, part) {
            Ok(loaded) => {
                if let Some(error) = loaded.damage {
                    let position = error.position();
                    let error = read_error(&part.path, error);
                    chain.note_damage((part.listed.sequence, position), &error, None);
                }
                let entries = &loaded.contents.entries;
                let next = entries.partition_point(|entry| entry.last < self.position);
                let part = Arc::clone(part);
                self.place = Some(Place { part, contents: loaded.contents, next });
                Ok(ControlFlow::Continue(()))
            }
            Err(error) => {
                let cost = Cost { offsets: part.listed.from..behind, records: part.listed.records };
                Err(self.report(part, error, cost))
            }
        }
    }

    fn next_block(&mut self, place: Place) -> Result<Turn, ReadError> {
        let Place { part, contents, next } = place;
        let Some(entry) = contents.entries.get(next).copied() else {
            self.position = self.position.max(part.listed.to);
            return Ok(ControlFlow::Continue(()));
        };
        if self.until.is_some_and(|end| end <= entry.first) {
            self.position = self.position.max(entry.first);
            return Ok(ControlFlow::Continue(()));
        }
        if self.passes_over(&part, &contents, next) {
            self.reading.blocks_skipped += 1;
            self.position = self.position.max(entry.last.next());
            self.place = Some(Place { part, contents, next: next + 1 });
            return Ok(ControlFlow::Continue(()));
        }
        match contents.read(next) {
            Ok(records) => {
                let turn = self.hand_out(records, &entry);
                self.place = Some(Place { part, contents, next: next + 1 });
                Ok(turn)
            }
            Err(error) => {
                let error = self.report(&part, error, Cost::of(&entry));
                let next = if self.damage == OnDamage::Pass { next + 1 } else { next };
                self.place = Some(Place { part, contents, next });
                Err(error)
            }
        }
    }

    fn passes_over(&self, part: &Part, contents: &Contents, number: usize) -> bool {
        let entry = &contents.entries[number];
        if self.is_out_of_time(entry) {
            return true;
        }
        let Some(filter) = &self.filter else { return false };
        let mut damaged = |error: FileError| {
            let position = error.position();
            let error = read_error(&part.path, error);
            self.chain.note_damage((part.listed.sequence, position), &error, None);
        };
        !contents.judge(number, &**filter, &mut damaged)
    }

    fn is_out_of_time(&self, entry: &BlockEntry) -> bool {
        entry.last_time < *self.times.start() || *self.times.end() < entry.first_time
    }

    /// Keeps of a block's records what was asked for.
    fn hand_out(&mut self, mut records: Vec<ChainRecord>, entry: &BlockEntry) -> Turn {
        self.reading.blocks_read += 1;
        self.reading.bytes_read += u64::from(entry.length);
        records.retain(|record| self.wants(record));
        self.position = self.position.max(entry.last.next());
        if let Some(end) = self.until {
            self.position = self.position.min(end);
        }
        if records.is_empty() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(Some(records))
        }
    }

    fn wants(&self, record: &ChainRecord) -> bool {
        self.position <= record.offset
            && self.until.is_none_or(|end| record.offset < end)
            && self.times.contains(&record.time)
    }

    /// What an appender has not finished yet.
    fn tail(&mut self, seen: &Arc<Listing>) -> Result<Turn, ReadError> {
        let chain = Arc::clone(&self.chain);
        let tail = chain.lock_tail();
        if !Arc::ptr_eq(seen, &chain.listing()) {
            return Ok(ControlFlow::Continue(())); // What was the tail may be in the list now.
        }
        let Some(tail_state) = &*tail else {
            self.position = self.position.max(seen.manifest.to);
            return Ok(ControlFlow::Break(None));
        };
        let entries = tail_state.writer.entries();
        let number = entries.partition_point(|entry| entry.last < self.position);
        let Some(entry) = entries.get(number).copied() else {
            let recent = tail_state.recent.iter().filter(|record| self.wants(record));
            let records: Vec<_> = recent.cloned().collect();
            self.position = self.position.max(tail_state.next);
            let nothing = records.is_empty();
            return Ok(ControlFlow::Break((!nothing).then_some(records)));
        };
        let filter = self.filter.as_deref();
        if self.is_out_of_time(&entry)
            || filter.is_some_and(|filter| !tail_state.writer.judge(number, &filter))
        {
            self.reading.blocks_skipped += 1;
            self.position = self.position.max(entry.last.next());
            return Ok(ControlFlow::Continue(()));
        }
        let (file, seed) = (Arc::clone(&tail_state.writer.file), tail_state.writer.seed());
        let (sequence, path) = (tail_state.writer.header.sequence, chain.path(&tail_state.name));
        drop(tail);
        match file::read_block(&*file, seed, &entry) {
            Ok(records) => Ok(self.hand_out(records, &entry)),
            Err(error) => {
                let position = error.position();
                let error = read_error(&path, error);
                self.pass((sequence, position), &error, Cost::of(&entry));
                Err(error)
            }
        }
    }

    fn report(&mut self, part: &Part, error: FileError, cost: Cost) -> ReadError {
        let position = error.position();
        let error = read_error(&part.path, error);
        self.pass((part.listed.sequence, position), &error, cost);
        error
    }

    /// Counts a damage, and goes on behind it if that was asked for.
    fn pass(&mut self, place: (u64, u64), error: &ReadError, cost: Cost) {
        if let ReadError::Damaged { .. } = error {
            let behind = cost.offsets.end;
            self.chain.note_damage(place, error, Some(cost));
            self.reading.damaged += 1;
            if self.damage == OnDamage::Pass {
                self.position = self.position.max(behind);
            }
        }
    }
}

/// An unreadable place of the disk is damage as well: it will not be better next time.
fn read_error(path: &Path, error: FileError) -> ReadError {
    let path = path.to_owned();
    match error {
        FileError::Damaged { position, what } => ReadError::Damaged { path, position, what },
        FileError::Io { position, source } if is_damage(&source) => {
            ReadError::Damaged { path, position, what: source.to_string() }
        }
        FileError::Io { source, .. } => ReadError::Io { path, source },
        newer @ FileError::Newer { .. } => {
            ReadError::Damaged { path, position: 8, what: newer.to_string() }
        }
    }
}

fn is_damage(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EIO) || error.kind() == io::ErrorKind::NotFound
}
