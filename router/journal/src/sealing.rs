//! Sealing: what is hot becomes files of its bus and of its archives, and hot segments become free.
//!
//! ```text
//! hot records ─▶ a sealer for each bus and archive ─▶ files, synced and listed ─▶ `store` ─▶ free segments
//! ```
//!
//! # Invariants
//!
//! - durable: `store` moves after every chain has its files; a segment is free after `store` has
//!   moved. A crash on the way repeats the round: chains pass over what they have.
//! - A round takes no more than leaves the reserve free, whatever it compresses to: it is cut, or does
//!   not begin.
//! - bounded: one pass, with a block in memory for each bus and archive that it meets.
//!
//! # Not here
//!
//! - When to seal, keys and archives: whoever calls knows them.

mod room;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    io,
    ops::Range,
    path::PathBuf,
    sync::{Arc, PoisonError},
};

use crate::{
    BusReader, Chain, ChainError, ChainRecord, ChainStats, Cursor, Damage, Expired, Journal, Keys,
    Offset, OpenError, ReadError, Record, Retention, Sealer, Size,
    chains::Chains,
    cursor, frontier,
    roll::{self, Kind},
};

/// What the sealer asks about a record.
pub trait Sealing {
    /// Names the keys by which readers skip blocks.
    fn keys(&self, record: &Record, keys: &mut Keys);

    /// The archives that the record belongs to.
    fn archives(&self, record: &Record, into: &mut Vec<Arc<str>>);

    /// Records from here on are still read by [`Journal::read_from`]: they may be sealed, and stay
    /// hot, too.
    fn hot_from(&self) -> Offset {
        Offset::new(u64::MAX)
    }
}

/// How much is sealed in a round.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum SealWhat {
    /// The segments that are full.
    Full,
    /// Everything that is durable.
    All,
}

/// A round of sealing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sealed {
    pub from: Offset,
    pub to: Offset,
    /// In chains, each as often as it is there.
    pub records: u64,
    /// Files that were made, and their bytes on disk.
    pub files: usize,
    pub bytes: u64,
    /// Hot segments that are free now.
    pub freed: usize,
    /// There was no room for all of it at once: the next round takes more.
    pub is_cut: bool,
}

/// Why a round has ended early. Nothing is lost, and the next one begins where it began.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("seal journal: {0}")]
    Read(#[from] ReadError),

    #[error("seal journal: {0}")]
    Chain(#[from] ChainError),

    #[error("seal journal: {0}")]
    Open(#[from] OpenError),

    #[error(
        "seal journal: {} are free on the disk of {path}, {} are needed, with what is to stay free (free_bytes_min); make room on that disk, or keep less (retention)",
        Size(*free),
        Size(*needed)
    )]
    NoRoom { path: PathBuf, free: u64, needed: u64 },

    #[error("seal journal: write {path}: {source}")]
    Store { path: PathBuf, source: io::Error },
}

/// The sealers of a round, by the names of their chains.
type Sealers = BTreeMap<Arc<str>, Sealer>;

impl Journal {
    /// Seals one round on the thread that calls. Rounds wait for each other.
    pub fn seal(&self, sealing: &dyn Sealing, what: SealWhat) -> Result<Sealed, SealError> {
        let inner = &self.inner;
        let _one = inner.sealing.lock().unwrap_or_else(PoisonError::into_inner);
        let log = inner.log();
        let (from, end) = (log.sealed_to(), log.end());
        let wanted = match what {
            SealWhat::Full => log.last_begins().min(end).max(from),
            SealWhat::All => end,
        };
        let mut sealed = Sealed { from, to: wanted, ..Sealed::default() };
        let mut time = 0;
        if from < wanted {
            sealed.to = self.fitting(sealing, from..wanted)?;
            sealed.is_cut = sealed.to < wanted;
            time = self.seal_span(sealing, &mut sealed)?;
            let noted = inner.roll.change(|roll| {
                roll.note(Kind::Bus, &inner.buses.all());
                roll.note(Kind::Archive, &inner.archives.all());
            });
            noted.map_err(|source| SealError::Store { path: inner.dir.clone(), source })?;
        }
        let to = sealed.to;
        let moved = frontier::Sealing { to, time, hot_from: sealing.hot_from() };
        let free = inner.frontier.advance(&moved, log);
        let free = free.map_err(|source| SealError::Store { path: inner.dir.clone(), source })?;
        sealed.freed = free.len();
        inner.shared.spares.free(free);
        Ok(sealed)
    }

    /// Writes the files of all chains. Says the time of the last record.
    fn seal_span(&self, sealing: &dyn Sealing, sealed: &mut Sealed) -> Result<i64, SealError> {
        let (buses, archives) = (&self.inner.buses, &self.inner.archives);
        let (mut of_buses, mut of_archives) = (Sealers::new(), Sealers::new());
        let (mut names, mut time) = (Vec::new(), 0);
        let (from, to) = (sealed.from, sealed.to);
        let mut cursor = Cursor::new(Arc::clone(self.inner.log()), from);
        while cursor.position() < to {
            let Some(batch) = cursor.next_batch()? else { break };
            for record in batch.into_iter().filter(|record| record.offset < to) {
                time = record.time;
                let kept = ChainRecord {
                    offset: record.offset,
                    time: record.time,
                    payload: record.payload.clone(),
                };
                let keys = &mut |keys: &mut Keys| sealing.keys(&record, keys);
                sealer(&mut of_buses, buses, &record.bus, from)?.push(&kept, keys)?;
                sealing.archives(&record, &mut names);
                for name in names.drain(..) {
                    sealer(&mut of_archives, archives, &name, from)?.push(&kept, keys)?;
                }
            }
        }
        for (_, sealer) in of_buses.into_iter().chain(of_archives) {
            let span = sealer.finish(to)?;
            sealed.records += span.records;
            sealed.files += span.segments;
            sealed.bytes += span.bytes;
        }
        Ok(time)
    }

    /// Records below are in sealed segments.
    pub fn sealed_to(&self) -> Offset {
        self.inner.log().sealed_to()
    }

    /// Reads one bus from this record on, or from the first that is kept.
    pub fn read_bus(&self, bus: &str, from: Offset) -> BusReader {
        BusReader::new(Arc::clone(&self.inner), bus, from)
    }

    /// Reads one record; [`ReadError::Gone`] when it has expired, or is of another bus.
    pub fn get(&self, bus: &str, offset: Offset) -> Result<Record, ReadError> {
        let inner = &self.inner;
        if inner.log().sealed_to() <= offset {
            match cursor::get(inner.log(), offset) {
                Ok(record) if *record.bus == *bus => return Ok(record),
                Ok(_other) => {
                    return Err(ReadError::Gone { offset, first: self.first_offset(bus) });
                }
                // It was sealed meanwhile.
                Err(ReadError::Gone { .. }) => (),
                Err(error) => return Err(error),
            }
        }
        let found = inner.buses.get(bus).map(|chain| chain.get(offset)).transpose()?.flatten();
        let Some(ChainRecord { offset, time, payload }) = found else {
            return Err(ReadError::Gone { offset, first: self.first_offset(bus) });
        };
        Ok(Record { offset, time, bus: bus.into(), payload })
    }

    /// The first record, of any bus, whose time is at or after `time` (milliseconds since the Unix
    /// epoch), or the end.
    pub fn offset_at(&self, time: i64) -> Result<Offset, ReadError> {
        let log = self.inner.log();
        // Before the chains are looked at: what is sealed meanwhile is found in both.
        let hot = cursor::offset_at(log, time)?;
        if log.first() < hot {
            return Ok(hot);
        }
        let mut first = hot;
        for chain in self.inner.buses.all() {
            if chain.stats().last_time.is_some_and(|last| time <= last) {
                first = first.min(chain.offset_at(time)?);
            }
        }
        Ok(first)
    }

    /// The first offset from which on the bus is there.
    pub fn first_offset(&self, bus: &str) -> Offset {
        self.inner
            .buses
            .get(bus)
            .map_or_else(|| self.sealed_to(), |chain| chain.stats().first_offset)
    }

    /// Records of the bus below may have expired; zero when none ever has.
    pub fn expired_to(&self, bus: &str) -> Offset {
        self.inner.buses.get(bus).map_or(Offset::new(0), |chain| chain.expired_to())
    }

    /// The sealed segments of every bus that has some.
    pub fn sealed_buses(&self) -> Vec<(String, ChainStats)> {
        let chains = self.inner.buses.all();
        chains.iter().map(|chain| (chain.name().to_owned(), chain.stats())).collect()
    }

    /// What is known to be damaged of a bus's sealed records in a span.
    pub fn damaged_within(&self, bus: &str, span: &Range<Offset>) -> Damage {
        let chain = self.inner.buses.get(bus);
        chain.map(|chain| chain.damaged_within(span)).unwrap_or_default()
    }

    /// Removes what a bus need not keep of its sealed segments.
    pub fn expire(&self, bus: &str, keep: &Retention) -> Result<Expired, ChainError> {
        self.inner.buses.get(bus).map_or_else(|| Ok(Expired::default()), |chain| chain.expire(keep))
    }

    /// An archive, once something was sealed into it. From [`Journal::sealed_to`] on its records
    /// are those of its bus that belong to it.
    pub fn archive(&self, name: &str) -> Option<Chain> {
        self.inner.archives.get(name)
    }

    /// All archives that something was sealed into.
    pub fn archives(&self) -> Vec<Chain> {
        self.inner.archives.all()
    }

    pub fn archive_stats(&self, name: &str) -> ChainStats {
        self.archive(name).map(|chain| chain.stats()).unwrap_or_default()
    }

    /// Removes an archive with all that is in it.
    pub fn drop_archive(&self, name: &str) -> Result<Expired, ChainError> {
        // A round that is under way would write to what is gone.
        let _one = self.inner.sealing.lock().unwrap_or_else(PoisonError::into_inner);
        let forgotten = self.forget_archive(name);
        let path = self.inner.disk.path(roll::NAME);
        forgotten.map_err(|source| ChainError::Io { path, action: "replace it", source })?;
        self.inner.archives.remove(name)
    }

    /// Opens the archives that are `known` and whose folders are gone, as ones that have lost what
    /// they held. Of others that are gone nothing is said any more.
    pub fn recall_archives(&self, known: &dyn Fn(&str) -> bool) {
        for ((kind, name), entry) in &self.inner.roll.get().0 {
            if *kind != Kind::Archive || self.archive(name).is_some() {
                continue;
            }
            if known(name) {
                self.inner.archives.stand_in(name, entry);
            } else if let Err(error) = self.forget_archive(name) {
                tracing::debug!(archive = %name, %error, "it could not be taken from the list");
            }
        }
    }

    fn forget_archive(&self, name: &str) -> io::Result<()> {
        self.inner.roll.change(|roll| roll.forget(Kind::Archive, name))
    }
}

fn sealer<'a>(
    sealers: &'a mut Sealers,
    chains: &Chains,
    name: &Arc<str>,
    from: Offset,
) -> Result<&'a mut Sealer, SealError> {
    match sealers.entry(Arc::clone(name)) {
        Entry::Occupied(entry) => Ok(entry.into_mut()),
        Entry::Vacant(entry) => Ok(entry.insert(chains.get_or_make(name)?.sealer(from)?)),
    }
}
