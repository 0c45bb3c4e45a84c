//! Reading every byte of a chain, and naming what is not as it was written.
//!
//! # Invariants
//!
//! - Nothing is changed.
//! - Every fault that a reader would meet is named, with the offsets that it costs.
//! - bounded: in memory are the faults, up to [`FAULTS_MAX`], and one file's index.

use std::io;

use super::{
    Fault,
    listing::{Part, PartState},
    manifest::Manifest,
    open_file::{OpenFile, is_open},
    opening::{fault, is_unfinished, load_manifest, look_at},
};
use crate::{
    Offset,
    disk::Disk,
    layout::HeaderError,
    sealed::{
        BlockEntry, FileError, SealedFile,
        layout::segment_from,
        salvage::{Damage, salvage},
    },
};

/// More faults than this are only counted.
pub(crate) const FAULTS_MAX: usize = 10_000;

/// What was read, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    pub segments: u64,
    /// Of sealed segments the blocks, of hot ones the frames.
    pub blocks: u64,
    pub records: u64,
    pub bytes: u64,
    /// At most 10,000 of them.
    pub faults: Vec<Fault>,
    /// How many there are.
    pub faults_count: u64,
    /// What is no fault and yet worth knowing: what the next start removes or cuts.
    pub notes: Vec<String>,
}

impl Verification {
    /// Counts a fault, and keeps it if there is room.
    pub fn fault(&mut self, fault: Fault) {
        self.faults_count += 1;
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }

    /// Takes in what was found elsewhere.
    pub(crate) fn add(&mut self, other: Self) {
        self.segments += other.segments;
        self.blocks += other.blocks;
        self.records += other.records;
        self.bytes += other.bytes;
        self.faults_count += other.faults_count;
        let room = FAULTS_MAX.saturating_sub(self.faults.len());
        self.faults.extend(other.faults.into_iter().take(room));
        self.notes.extend(other.notes);
    }
}

/// Reads the chain in this folder. The caller holds the lock of the data folder.
pub(crate) fn verify(disk: &dyn Disk) -> io::Result<Verification> {
    let mut found = Verification::default();
    let mut names = disk.list()?;
    names.sort();
    let manifest = match sound_manifest(disk, &names)? {
        Ok(manifest) => manifest,
        Err(what) => {
            let path = disk.path(super::manifest::NAME);
            let (offsets, records) = (None, None);
            found.fault(Fault { path, position: 0, what, offsets, records });
            None
        }
    };
    let files = manifest.as_ref().map_or(&[][..], |manifest| &manifest.files);
    let listed: Vec<_> =
        files.iter().map(|listed| crate::sealed::layout::segment_name(listed.from)).collect();
    if let Some(manifest) = &manifest {
        for listed in &manifest.files {
            verify_part(disk, &look_at(disk, listed, &manifest.id), &manifest.id, &mut found)?;
        }
    }
    for name in &names {
        if is_unfinished(name) {
            found.notes.push(format!(
                "{}: a leftover, which the next start removes",
                disk.path(name).display()
            ));
        } else if is_open(name) {
            if let Some(manifest) = &manifest {
                verify_open(disk, manifest, name, &mut found)?;
            }
        } else if segment_from(name).is_some() && !listed.contains(name) {
            let what = match manifest {
                Some(_) => "the manifest (the file `chain`) does not list this segment",
                None => continue,
            };
            let path = disk.path(name);
            let (offsets, records) = (None, None);
            found.fault(Fault { path, position: 0, what: what.to_owned(), offsets, records });
        }
    }
    Ok(found)
}

/// The manifest, or what is wrong with it; `None` in a folder that needs none yet.
pub(crate) fn sound_manifest(
    disk: &dyn Disk,
    names: &[String],
) -> io::Result<Result<Option<Manifest>, String>> {
    if !names.iter().any(|name| name == super::manifest::NAME) {
        let segments = names.iter().any(|name| segment_from(name).is_some() || is_open(name));
        let missing = "the manifest is missing, but there are segments";
        return Ok(if segments { Err(missing.to_owned()) } else { Ok(None) });
    }
    Ok(match load_manifest(disk)? {
        Ok(manifest) => Ok(Some(manifest)),
        Err(HeaderError::Bad(what)) => Err(what.to_owned()),
        Err(newer @ HeaderError::Newer { .. }) => Err(newer.to_string()),
    })
}

fn verify_part(
    disk: &dyn Disk,
    part: &Part,
    chain_id: &[u8; 16],
    found: &mut Verification,
) -> io::Result<()> {
    let Some(scan) = scan(disk, part, chain_id)? else {
        if let Some(fault) = fault(part) {
            found.fault(fault);
        }
        return Ok(());
    };
    found.segments += 1;
    found.bytes += part.listed.length;
    found.blocks += scan.blocks.len() as u64;
    found.records += scan.blocks.iter().map(|entry| u64::from(entry.records)).sum::<u64>();
    for fault in scan.faults {
        found.fault(fault);
    }
    Ok(())
}

/// What is in one listed file.
pub(crate) struct Scan {
    /// Those that are whole.
    pub(crate) blocks: Vec<BlockEntry>,
    pub(crate) faults: Vec<Fault>,
}

/// Reads every block of a file; `None` when there is no file.
pub(crate) fn scan(disk: &dyn Disk, part: &Part, chain_id: &[u8; 16]) -> io::Result<Option<Scan>> {
    let mut scan = Scan { blocks: Vec::new(), faults: Vec::new() };
    let plain = |position, what: String| Fault {
        path: part.path.clone(),
        position,
        what,
        offsets: None,
        records: None,
    };
    let opened = match &part.state {
        PartState::Missing | PartState::Lost => return Ok(None),
        PartState::Broken { position, what } => {
            scan.faults.push(plain(*position, what.clone()));
            None
        }
        PartState::Sound(_) => match SealedFile::open(disk, &part.name) {
            Ok(sealed) => Some(sealed),
            Err(FileError::Io { source, .. }) => return Err(source),
            Err(error) => return Err(io::Error::other(error)),
        },
    };
    if let Some(sealed) = &opened {
        match sealed.contents() {
            Ok(contents) => {
                if let Err(error) = sealed.check_filters(&contents) {
                    scan.faults.push(plain(error.position(), tolerate(error)?));
                }
                for (number, entry) in contents.entries.iter().enumerate() {
                    match contents.read(number) {
                        Ok(_records) => scan.blocks.push(*entry),
                        Err(error) => {
                            let what = tolerate(error)?;
                            scan.faults.push(Fault {
                                offsets: Some(entry.first..entry.last.next()),
                                records: Some(entry.records.into()),
                                ..plain(entry.position, what)
                            });
                        }
                    }
                }
                return Ok(Some(scan));
            }
            Err(error) => scan.faults.push(plain(error.position(), tolerate(error)?)),
        }
    }
    let end = opened.map(|sealed| sealed.trailer.index.position);
    search(disk, part, (chain_id, end), &mut scan)?;
    Ok(Some(scan))
}

/// Finds the blocks of a file without its index.
fn search(
    disk: &dyn Disk,
    part: &Part,
    (chain_id, end): (&[u8; 16], Option<u64>),
    scan: &mut Scan,
) -> io::Result<()> {
    let file = disk.open(&part.name)?;
    let end = end.map_or_else(|| file.len(), Ok)?;
    let seed = crate::layout::Seed::new(chain_id, part.listed.sequence);
    let salvaged = salvage(&*file, seed, end).map_err(io::Error::other)?;
    scan.blocks = salvaged.blocks.iter().map(|(entry, _)| *entry).collect();
    let whole: u64 = scan.blocks.iter().map(|entry| u64::from(entry.records)).sum();
    let missing = part.listed.records.saturating_sub(whole);
    if missing == 0 {
        return Ok(()); // What is no block is a damaged index.
    }
    let mut named = 0;
    for Damage { position, what, block } in salvaged.damages {
        let records = block.map(|block| u64::from(block.records));
        named += records.unwrap_or(0);
        let offsets = block.map_or_else(
            || around(&scan.blocks, part, position),
            |block| block.first..block.last.next(),
        );
        if offsets.is_empty() {
            continue;
        }
        let path = part.path.clone();
        scan.faults.push(Fault { path, position, what, offsets: Some(offsets), records });
    }
    if scan.faults.iter().all(|fault| fault.offsets.is_none()) {
        let last = scan.blocks.last().map_or(part.listed.from, |entry| entry.last.next());
        scan.faults.push(Fault {
            path: part.path.clone(),
            position: end,
            what: "the file ends before its last blocks".to_owned(),
            offsets: Some(last..part.listed.to),
            records: Some(missing - named.min(missing)),
        });
    }
    Ok(())
}

/// The offsets between the blocks before and behind a position.
fn around(blocks: &[BlockEntry], part: &Part, position: u64) -> std::ops::Range<Offset> {
    let at = blocks.partition_point(|entry| entry.position < position);
    let start = at.checked_sub(1).map_or(part.listed.from, |before| blocks[before].last.next());
    start..blocks.get(at).map_or(part.listed.to, |behind| behind.first)
}

fn verify_open(
    disk: &dyn Disk,
    manifest: &Manifest,
    name: &str,
    found: &mut Verification,
) -> io::Result<()> {
    let path = disk.path(name);
    let Some(open) = OpenFile::look(disk, manifest, name).map_err(io::Error::other)? else {
        let path = path.display();
        found.notes.push(format!("{path}: nothing in it counts; the next start removes it"));
        return Ok(());
    };
    found.segments += 1;
    found.bytes += open.length;
    found.blocks += open.blocks.len() as u64;
    found.records += open.records();
    open.faults.iter().cloned().for_each(|fault| found.fault(fault));
    if open.end < open.length {
        let (at, bytes) = (open.end, open.length - open.end);
        found.notes.push(format!(
            "{} at byte {at}: {bytes} bytes that were not synced are torn; the next start cuts them",
            path.display()
        ));
    }
    Ok(())
}

/// Damage is what is looked for; a disk that cannot be read ends the search.
fn tolerate(error: FileError) -> io::Result<String> {
    match error {
        FileError::Io { source, .. } if source.raw_os_error() != Some(libc::EIO) => Err(source),
        error => Ok(error.to_string()),
    }
}
