//! The `chains` file: which chains hold something, so that a folder that is gone is missed.
//!
//! ```text
//! chains = "SLIPROLL"  version: u32  checksum: u32  count: u64  entries
//! entry  = kind: u32  name length: u32  from: u64  to: u64  records: u64  last time: i64  name
//! ```
//!
//! # Invariants
//!
//! - What `store` calls sealed is in chains that are listed here, or expired.
//! - It is replaced whole. One that is missing or damaged is made anew of the folders that are there.

use std::{collections::BTreeMap, io, sync::Arc};

use crate::{
    Chain, Offset,
    chain::manifest::{self, Listed, Manifest},
    disk::Disk,
    layout::unfinished,
};

pub(crate) const NAME: &str = "chains";
const MAGIC: [u8; 8] = *b"SLIPROLL";
const VERSION: u32 = 1;
const FIXED: usize = 24;
const ENTRY: usize = 40;

#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Bus,
    Archive,
}

/// What a chain held when it was listed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) from: Offset,
    pub(crate) to: Offset,
    pub(crate) records: u64,
    pub(crate) last_time: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roll(pub(crate) BTreeMap<(Kind, String), Entry>);

impl Entry {
    /// `None` of a chain that holds nothing.
    pub(crate) fn of(files: &[Listed]) -> Option<Self> {
        let there = || files.iter().filter(|file| !file.lost);
        let (first, last) = (there().next()?, there().next_back()?);
        let records = there().map(|file| file.records).sum();
        Some(Self { from: first.from, to: last.to, records, last_time: last.last_time })
    }

    /// Makes a folder in the place of one that is gone: its list says what is missing.
    pub(crate) fn stand_in(&self, folder: &dyn Disk, name: &str) -> io::Result<()> {
        folder.make()?;
        let mut id = [0; 16];
        folder.random(&mut id)?;
        let Self { from, to, records, last_time } = *self;
        let missing = Listed { sequence: 0, from, to, length: 0, records, last_time, lost: false };
        let manifest = Manifest {
            next_sequence: 1,
            from,
            to,
            files: vec![missing],
            ..Manifest::new(id, name)
        };
        manifest.write_aside(folder)?;
        Manifest::replace(folder)
    }
}

impl Roll {
    /// `None`: there is none, or it is damaged.
    pub(crate) fn read(disk: &dyn Disk) -> io::Result<Option<Self>> {
        let file = match disk.open(NAME) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(0)];
        file.read_at(&mut bytes, 0)?;
        Ok(Self::decode(&bytes))
    }

    pub(crate) fn write(&self, disk: &dyn Disk) -> io::Result<()> {
        let (aside, bytes) = (unfinished(NAME), self.encode());
        let file = disk.create(&aside, bytes.len() as u64)?;
        file.write_at(&bytes, 0)?;
        file.sync()?;
        disk.rename(&aside, NAME)?;
        disk.sync_names()
    }

    /// Takes in what these chains hold now.
    pub(crate) fn note(&mut self, kind: Kind, chains: &[Chain]) {
        for chain in chains {
            let key = (kind, chain.name().to_owned());
            if let Some(entry) = chain.entry() {
                self.0.insert(key, entry);
            } else {
                self.0.remove(&key);
            }
        }
    }

    pub(crate) fn forget(&mut self, kind: Kind, name: &str) {
        self.0.remove(&(kind, name.to_owned()));
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED + self.0.len() * (ENTRY + 16));
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&(self.0.len() as u64).to_le_bytes());
        for ((kind, name), entry) in &self.0 {
            let length = u32::try_from(name.len()).expect("names of chains are short");
            bytes.extend_from_slice(&u32::from(*kind == Kind::Archive).to_le_bytes());
            bytes.extend_from_slice(&length.to_le_bytes());
            for number in [entry.from.get(), entry.to.get(), entry.records] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            bytes.extend_from_slice(&entry.last_time.to_le_bytes());
            bytes.extend_from_slice(name.as_bytes());
        }
        let checksum = crc32c::crc32c(&bytes[16..]);
        bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (fixed, mut rest) = bytes.split_first_chunk::<FIXED>()?;
        let word = |bytes: &[u8]| bytes.first_chunk().map(|four| u32::from_le_bytes(*four));
        let number = |bytes: &[u8]| bytes.first_chunk().map(|eight| u64::from_le_bytes(*eight));
        let is_sound = fixed[..8] == MAGIC
            && word(&fixed[8..]) == Some(VERSION)
            && word(&fixed[12..]) == Some(crc32c::crc32c(&bytes[16..]));
        if !is_sound {
            return None;
        }
        let mut roll = Self::default();
        for _ in 0..number(&fixed[16..])? {
            let (entry, behind) = rest.split_first_chunk::<ENTRY>()?;
            let kind = match word(entry)? {
                0 => Kind::Bus,
                1 => Kind::Archive,
                _ => return None,
            };
            let length = usize::try_from(word(&entry[4..])?).ok()?;
            let (name, behind) = behind.split_at_checked(length)?;
            let (from, to) =
                (Offset::new(number(&entry[8..])?), Offset::new(number(&entry[16..])?));
            let last_time = i64::from_le_bytes(*entry[32..].first_chunk()?);
            let found = Entry { from, to, records: number(&entry[24..])?, last_time };
            if to <= from || manifest::CHAIN_NAME_MAX < length {
                return None;
            }
            roll.0.insert((kind, str::from_utf8(name).ok()?.to_owned()), found);
            rest = behind;
        }
        rest.is_empty().then_some(roll)
    }
}

/// The one of an open journal.
pub(crate) struct Kept {
    disk: Arc<dyn Disk>,
    roll: std::sync::Mutex<Roll>,
}

impl Kept {
    pub(crate) fn new(disk: Arc<dyn Disk>, roll: Roll) -> Self {
        Self { disk, roll: roll.into() }
    }

    pub(crate) fn get(&self) -> Roll {
        self.roll.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Changes it durably.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Roll)) -> io::Result<()> {
        let mut roll = self.roll.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut next = roll.clone();
        change(&mut next);
        if next != *roll {
            next.write(&*self.disk)?;
            *roll = next;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn roll(names: &[String]) -> Roll {
        let entry = Entry { from: Offset::new(3), to: Offset::new(9), records: 4, last_time: -1 };
        let kinds = [Kind::Bus, Kind::Archive].into_iter().cycle();
        Roll(names.iter().zip(kinds).map(|(name, kind)| ((kind, name.clone()), entry)).collect())
    }

    proptest! {
        #[test]
        fn it_comes_back_as_it_was(names in vec(".{0,60}", 0..10)) {
            let roll = roll(&names);
            prop_assert_eq!(Roll::decode(&roll.encode()), Some(roll));
        }

        #[test]
        fn hostile_bytes_behind_a_right_checksum_are_no_panic(mut bytes in vec(any::<u8>(), FIXED..200)) {
            bytes[..16].copy_from_slice(b"SLIPROLL\x01\0\0\0\0\0\0\0");
            let checksum = crc32c::crc32c(&bytes[16..]);
            bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
            let _decoded = Roll::decode(&bytes);
        }
    }

    #[test]
    fn a_flipped_bit_or_a_cut_anywhere_is_noticed() {
        let bytes = roll(&["shop".to_owned(), "kept".to_owned()]).encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Roll::decode(&flipped), None, "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(Roll::decode(&bytes[..length]), None, "cut at {length}");
        }
    }
}
