//! Which files a chain must have.
//!
//! ```text
//! manifest = "SLIPCHN\0"  version: u32  checksum: u32  chain id: [u8; 16]  next sequence: u64
//!            from: u64  to: u64  files: u32  name length: u16  zero: u16  name  files
//! file     = sequence: u64  from: u64  to: u64  length: u64  records: u64  last time: i64
//!            state: u32  zero: u32
//! ```
//!
//! # Invariants
//!
//! - Sequences and spans rise from file to file, and stay within the manifest's.
//! - It is replaced whole or not at all.

use std::io;

use crate::{
    Offset,
    disk::Disk,
    layout::{HeaderError, take, unfinished},
};

pub(crate) const NAME: &str = "chain";
/// Names are of buses and archives, or of the program's own choice.
pub(crate) const CHAIN_NAME_MAX: usize = 255;

const MAGIC: [u8; 8] = *b"SLIPCHN\0";
const VERSION: u32 = 1;
const FIXED: usize = 64;
const FILE: usize = 56;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) id: [u8; 16],
    /// What the chain is of.
    pub(crate) name: String,
    pub(crate) next_sequence: u64,
    /// The chain covers `from..to`; what of that is not in a file is not in the chain.
    pub(crate) from: Offset,
    pub(crate) to: Offset,
    pub(crate) files: Vec<Listed>,
}

/// A file that must be there.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) sequence: u64,
    pub(crate) from: Offset,
    pub(crate) to: Offset,
    pub(crate) length: u64,
    pub(crate) records: u64,
    pub(crate) last_time: i64,
    /// It is not there any more, and a repair has said so.
    pub(crate) lost: bool,
}

impl Manifest {
    pub(crate) fn new(id: [u8; 16], name: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            next_sequence: 0,
            from: Offset::ZERO,
            to: Offset::ZERO,
            files: Vec::new(),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        const CHECKED: &str = "a name's length is checked when the chain is opened";
        let mut bytes = Vec::with_capacity(FIXED + self.name.len() + self.files.len() * FILE);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.id);
        for number in [self.next_sequence, self.from.get(), self.to.get()] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        let files = u32::try_from(self.files.len()).expect("no disk holds so many files");
        bytes.extend_from_slice(&files.to_le_bytes());
        bytes.extend_from_slice(&u16::try_from(self.name.len()).expect(CHECKED).to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(self.name.as_bytes());
        for file in &self.files {
            let numbers =
                [file.sequence, file.from.get(), file.to.get(), file.length, file.records];
            bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
            bytes.extend_from_slice(&file.last_time.to_le_bytes());
            bytes.extend_from_slice(&u32::from(file.lost).to_le_bytes());
            bytes.extend_from_slice(&[0; 4]);
        }
        let checksum = crc32c::crc32c(&bytes[16..]);
        bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let Some(fixed) = bytes.first_chunk::<FIXED>() else {
            return Err(HeaderError::Bad("the file is too short"));
        };
        if take(fixed, 0) != MAGIC {
            return Err(HeaderError::Bad("the file does not begin as a manifest does"));
        }
        match u32::from_le_bytes(take(fixed, 8)) {
            VERSION => (),
            found if VERSION < found => return Err(HeaderError::Newer { found }),
            _ => return Err(HeaderError::Bad("there is no such format version")),
        }
        if u32::from_le_bytes(take(fixed, 12)) != crc32c::crc32c(&bytes[16..]) {
            return Err(HeaderError::Bad("the checksum of the manifest does not match"));
        }
        decode_rest(fixed, &bytes[FIXED..])
            .filter(Self::is_ordered)
            .ok_or(HeaderError::Bad("the manifest contradicts itself"))
    }

    fn is_ordered(&self) -> bool {
        let mut next = (0, self.from);
        let ordered = self.files.iter().all(|file| {
            let follows = next.0 <= file.sequence && next.1 <= file.from && file.from < file.to;
            next = (file.sequence.saturating_add(1), file.to);
            follows
        });
        ordered && next.0 <= self.next_sequence && next.1 <= self.to
    }

    /// Writes the manifest beside the one that counts. A failure changes nothing.
    pub(crate) fn write_aside(&self, disk: &dyn Disk) -> io::Result<()> {
        let bytes = self.encode();
        let file = disk.create(&unfinished(NAME), bytes.len() as u64)?;
        file.write_at(&bytes, 0)?;
        file.sync()
    }

    /// Makes what was written aside the one that counts, durably. After a failure either may be.
    pub(crate) fn replace(disk: &dyn Disk) -> io::Result<()> {
        disk.rename(&unfinished(NAME), NAME)?;
        disk.sync_names()
    }
}

fn decode_rest(fixed: &[u8; FIXED], rest: &[u8]) -> Option<Manifest> {
    let number = |at| u64::from_le_bytes(take(fixed, at));
    let count = usize::try_from(u32::from_le_bytes(take(fixed, 56))).ok()?;
    let name_len = usize::from(u16::from_le_bytes(take(fixed, 60)));
    let (name, files) = rest.split_at_checked(name_len)?;
    let (files, nothing) = files.as_chunks::<FILE>();
    if !nothing.is_empty() || files.len() != count || take(fixed, 62) != [0; 2] {
        return None;
    }
    Some(Manifest {
        id: take(fixed, 16),
        name: str::from_utf8(name).ok()?.to_owned(),
        next_sequence: number(32),
        from: Offset::new(number(40)),
        to: Offset::new(number(48)),
        files: files.iter().map(decode_file).collect::<Option<_>>()?,
    })
}

fn decode_file(bytes: &[u8; FILE]) -> Option<Listed> {
    let number = |at| u64::from_le_bytes(take(bytes, at));
    let lost = match number(48) {
        0 => false,
        1 => true,
        _ => return None,
    };
    Some(Listed {
        sequence: number(0),
        from: Offset::new(number(8)),
        to: Offset::new(number(16)),
        length: number(24),
        records: number(32),
        last_time: i64::from_le_bytes(take(bytes, 40)),
        lost,
    })
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn manifest(steps: &[(u8, u8, bool)], name: String) -> Manifest {
        let mut manifest = Manifest { name, from: Offset::new(3), ..Manifest::new([9; 16], "") };
        manifest.to = manifest.from;
        for (gap, span, lost) in steps {
            let from = manifest.to.plus((*gap).into());
            let to = from.plus(u64::from(*span) + 1);
            let sequence = manifest.next_sequence + u64::from(*gap);
            let (length, records, last_time, lost) = (1000, 10, -5, *lost);
            manifest.files.push(Listed { sequence, from, to, length, records, last_time, lost });
            (manifest.to, manifest.next_sequence) = (to, sequence + 1);
        }
        manifest
    }

    proptest! {
        #[test]
        fn a_manifest_comes_back_as_it_was(
            steps in vec((0..3_u8, any::<u8>(), any::<bool>()), 0..20),
            name in ".{0,60}",
        ) {
            let manifest = manifest(&steps, name);
            prop_assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest));
        }

        #[test]
        fn a_hostile_manifest_behind_a_right_checksum_is_an_error_and_no_panic(
            mut bytes in vec(any::<u8>(), FIXED..300),
        ) {
            bytes[..16].copy_from_slice(b"SLIPCHN\0\x01\0\0\0\0\0\0\0");
            let checksum = crc32c::crc32c(&bytes[16..]);
            bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
            let _decoded = Manifest::decode(&bytes);
        }
    }

    #[test]
    fn a_flipped_bit_or_a_cut_anywhere_is_noticed() {
        let bytes = manifest(&[(0, 9, false), (1, 5, true)], "shop".to_owned()).encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Manifest::decode(&flipped).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(Manifest::decode(&bytes[..length]).is_err(), "cut at {length}");
        }
    }
}
