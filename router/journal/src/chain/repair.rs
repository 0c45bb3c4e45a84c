//! Making a damaged chain whole again, without what is lost.
//!
//! # Invariants
//!
//! - Nothing is deleted: what is damaged is in `damaged/` before anything else takes its place.
//! - After a crash at any point another repair finishes the work.
//! - What is lost is said, with its offsets. What stands elsewhere, too, is not lost.
//! - bounded: in memory are the records of one file.

use std::{io, sync::Arc};

use super::{
    Fault,
    copies::{Copies, Records},
    listing::{Part, PartState, listed},
    manifest::{Listed, Manifest},
    open_file::{OpenFile, is_open},
    opening::{fault, look_at},
    verify::{Scan, scan, sound_manifest},
};
use crate::{
    ChainRecord, Offset,
    disk::{Disk, File},
    layout::{Seed, unfinished},
    sealed::{
        BlockEntry, FileHeader, FileWriter, FiltersKept, SealedFile, Trailer, file,
        filter::FilterBytes,
        layout::{segment_from, segment_name},
    },
};

pub(crate) const DAMAGED: &str = "damaged";
const COPY_BYTES: usize = 1 << 20;
/// Of a block of records that were taken from elsewhere.
const BLOCK_BYTES: usize = 256 << 10;

/// What a repair did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repair {
    /// In words, in order.
    pub actions: Vec<String>,
    /// What is gone for good, as far as this machine knows.
    pub lost: Vec<Fault>,
}

impl Repair {
    pub(crate) fn add(&mut self, other: Self) {
        self.actions.extend(other.actions);
        self.lost.extend(other.lost);
    }
}

/// The chain in a folder, and where its records stand, too.
pub(crate) struct Damaged<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) name: &'a str,
    pub(crate) copies: &'a dyn Copies,
}

/// Repairs a chain. The caller holds the lock of the data folder.
pub(crate) fn repair(chain: &Damaged<'_>) -> io::Result<Repair> {
    let disk = chain.disk;
    let mut done = Repair::default();
    let mut names = disk.list()?;
    names.sort();
    let mut manifest = match sound_manifest(disk, &names)? {
        Ok(Some(manifest)) => manifest,
        Ok(None) => return Ok(done),
        Err(what) => match rebuild(chain, &names, &what, &mut done)? {
            Some(manifest) => manifest,
            None => return Ok(done),
        },
    };
    let before = manifest.clone();
    for listed in &mut manifest.files {
        repair_part(chain, listed, &before.id, &mut done)?;
    }
    let known: Vec<_> = manifest.files.iter().map(|listed| segment_name(listed.from)).collect();
    for name in names.iter().filter(|name| segment_from(name).is_some() && !known.contains(name)) {
        // What was sealed and not listed yet is for the next start to take in.
        let next = SealedFile::open(disk, name).is_ok_and(|sealed| {
            sealed.header.chain_id == manifest.id
                && manifest.next_sequence <= sealed.header.sequence
        });
        if !next && disk.open(name).is_ok() {
            set_aside(disk, name)?;
            disk.remove(name)?;
            let path = disk.path(name);
            done.actions.push(format!("{}: not listed, set aside", path.display()));
        }
    }
    if manifest != before {
        write(disk, &manifest)?;
    }
    for name in names.iter().filter(|name| is_open(name)) {
        repair_open(disk, &manifest, name, &mut done)?;
    }
    disk.sync_names()?;
    Ok(done)
}

fn repair_open(
    disk: &dyn Disk,
    manifest: &Manifest,
    name: &str,
    done: &mut Repair,
) -> io::Result<()> {
    let open = OpenFile::look(disk, manifest, name).map_err(io::Error::other)?;
    let Some(open) = open.filter(|open| !open.faults.is_empty()) else { return Ok(()) };
    let aside = open.mend(disk).map_err(io::Error::other)?;
    let (path, blocks, records) = (disk.path(name), open.blocks.len(), open.records());
    done.actions.push(format!(
        "{}: written anew with {blocks} whole blocks and {records} records; the damaged one is {aside}",
        path.display()
    ));
    done.lost.extend(open.faults.into_iter().filter(|fault| fault.offsets.is_some()));
    Ok(())
}

fn write(disk: &dyn Disk, manifest: &Manifest) -> io::Result<()> {
    manifest.write_aside(disk)?;
    Manifest::replace(disk)
}

/// A manifest of what is there.
fn rebuild(
    Damaged { disk, name, .. }: &Damaged<'_>,
    names: &[String],
    what: &str,
    done: &mut Repair,
) -> io::Result<Option<Manifest>> {
    let disk = *disk;
    let mut files: Vec<(FileHeader, Listed)> = Vec::new();
    for name in names.iter().filter(|name| segment_from(name).is_some()) {
        let Some((header, found)) = identify(disk, name)? else { continue };
        if files.first().is_none_or(|(first, _)| first.chain_id == header.chain_id) {
            files.push((header, found));
        }
    }
    if names.iter().any(|name| name == super::manifest::NAME) {
        set_aside(disk, super::manifest::NAME)?;
    }
    let open = open_header(disk, names)?;
    let first = files.first().map(|(header, _)| header).or(open.as_ref());
    let Some(chain_id) = first.map(|header| header.chain_id) else { return Ok(None) };
    let mut manifest = Manifest::new(chain_id, name);
    files.sort_by_key(|(_, listed)| listed.sequence);
    for (_, listed) in files {
        let follows = manifest
            .files
            .last()
            .is_none_or(|last| last.sequence < listed.sequence && last.to <= listed.from);
        if !follows {
            continue; // It is set aside as one that is not listed.
        }
        if let Some(last) = manifest.files.last()
            && last.sequence + 1 < listed.sequence
        {
            let what =
                format!("segments {} up to {} are missing", last.sequence + 1, listed.sequence);
            done.lost.push(Fault {
                path: disk.path(""),
                position: 0,
                what,
                offsets: Some(last.to..listed.from),
                records: None,
            });
        }
        manifest.next_sequence = listed.sequence + 1;
        manifest.to = listed.to;
        manifest.files.push(listed);
    }
    let follows = |open: &FileHeader| {
        open.chain_id == chain_id
            && manifest.next_sequence <= open.sequence
            && manifest.to <= open.from
    };
    if let Some(open) = open.filter(follows) {
        (manifest.next_sequence, manifest.to) = (open.sequence, open.from);
    }
    manifest.from = manifest.files.first().map_or(manifest.to, |listed| listed.from);
    write(disk, &manifest)?;
    let count = manifest.files.len();
    let path = disk.path(super::manifest::NAME);
    done.actions.push(format!(
        "{}: {what}; a new one was made of {count} segments. Segments that were missing at the \
         front or at the end would not be noticed",
        path.display()
    ));
    Ok(Some(manifest))
}

/// What the file says of itself that an appender had open.
fn open_header(disk: &dyn Disk, names: &[String]) -> io::Result<Option<FileHeader>> {
    for name in names.iter().filter(|name| is_open(name)) {
        let file = disk.open(name)?;
        if let Ok(header) = file::read_header(&*file, file.len()?) {
            return Ok(Some(header));
        }
    }
    Ok(None)
}

/// What a file says of itself, as far as one of its ends is sound.
fn identify(disk: &dyn Disk, name: &str) -> io::Result<Option<(FileHeader, Listed)>> {
    if let Ok(sealed) = SealedFile::open(disk, name) {
        return Ok(Some((sealed.header, listed(&sealed.trailer, sealed.length))));
    }
    let file = disk.open(name)?;
    let length = file.len()?;
    let Ok(header) = file::read_header(&*file, length) else { return Ok(None) };
    let (from, sequence) = (header.from, header.sequence);
    let (to, records, last_time, lost) = (from.next(), u64::MAX, i64::MIN, false);
    let guess = Listed { sequence, from, to, length, records, last_time, lost };
    let part = look_at(disk, &guess, &header.chain_id);
    let found = scan(disk, &part, &header.chain_id)?;
    let blocks = found.map(|scan| scan.blocks).unwrap_or_default();
    let Some(last) = blocks.last() else { return Ok(None) };
    let records = blocks.iter().map(|entry| u64::from(entry.records)).sum();
    let listed = Listed { to: last.last.next(), records, last_time: last.last_time, ..guess };
    Ok(Some((header, listed)))
}

/// Replaces a damaged file by one with what is whole in it, and what stands elsewhere, too.
fn repair_part(
    chain: &Damaged<'_>,
    listed: &mut Listed,
    chain_id: &[u8; 16],
    done: &mut Repair,
) -> io::Result<()> {
    let disk = chain.disk;
    let part = look_at(disk, listed, chain_id);
    let (found, is_there) = match scan(disk, &part, chain_id)? {
        Some(found) if found.faults.is_empty() => return Ok(()),
        Some(found) => (found, true),
        None => (Scan { blocks: Vec::new(), faults: Vec::from_iter(fault(&part)) }, false),
    };
    let rescued = rescue(chain.copies, &found, &part)?;
    let whole: u64 = found.blocks.iter().map(|entry| u64::from(entry.records)).sum();
    let kept = whole + rescued.len() as u64;
    if kept < part.listed.records {
        done.lost.extend(found.faults.iter().filter_map(|fault| without(fault, &rescued)));
    }
    let aside = if is_there { Some(set_aside(disk, &part.name)?) } else { None };
    let path = part.path.display();
    if kept == 0 {
        if let Some(aside) = aside {
            disk.remove(&part.name)?;
            done.actions.push(format!("{path}: nothing in it is whole; set aside as {aside}"));
        } else if part.state == PartState::Missing {
            done.actions.push(format!("{path}: missing, given up"));
        }
        listed.lost = true;
        return Ok(());
    }
    let (trailer, length) = write_again(disk, &part, (&found.blocks, &rescued), chain_id)?;
    let before = aside
        .map_or("it was missing".to_owned(), |aside| format!("it was damaged, and is {aside} now"));
    done.actions.push(format!(
        "{path}: {before}; written anew with {whole} records that were whole in it and {} that stand elsewhere, too",
        rescued.len()
    ));
    (listed.records, listed.last_time, listed.length) = (kept, trailer.last_time, length);
    listed.lost = false;
    Ok(())
}

/// The records of a file that are in none of its whole blocks, and stand elsewhere.
fn rescue(copies: &dyn Copies, found: &Scan, part: &Part) -> io::Result<Records> {
    let is_short = found.faults.iter().any(|fault| fault.offsets.is_some());
    if !is_short && part.state != PartState::Lost {
        return Ok(Records::new());
    }
    let mut rescued = copies.within(&(part.listed.from..part.listed.to))?;
    rescued.retain(|offset, _| {
        let at = found.blocks.partition_point(|entry| entry.last < *offset);
        found.blocks.get(at).is_none_or(|entry| *offset < entry.first)
    });
    Ok(rescued)
}

/// What a fault costs when these records are taken from elsewhere; `None` when it is nothing.
fn without(fault: &Fault, rescued: &Records) -> Option<Fault> {
    let count = rescued.range(fault.offsets.clone()?).count() as u64;
    match fault.records {
        Some(records) if records <= count => None,
        records => Some(Fault { records: records.map(|all| all - count), ..fault.clone() }),
    }
}

/// The same span with the whole blocks, which keep their filters where those are sound, and with
/// others, of which nobody knows what they hold: they are always read.
fn write_again(
    disk: &dyn Disk,
    part: &Part,
    (blocks, rescued): (&[BlockEntry], &Records),
    chain_id: &[u8; 16],
) -> io::Result<(Trailer, u64)> {
    let seed = Seed::new(chain_id, part.listed.sequence);
    let contents = SealedFile::open(disk, &part.name).ok().and_then(|sealed| {
        let contents = sealed.contents().ok()?;
        sealed.check_filters(&contents).ok()?;
        Some(contents)
    });
    let old = if blocks.is_empty() { None } else { Some(disk.open(&part.name)?) };
    let header =
        FileHeader { chain_id: *chain_id, sequence: part.listed.sequence, from: part.listed.from };
    let file = disk.create(&unfinished(&part.name), 0)?;
    let mut writer = FileWriter::begin(file, header, usize::MAX, FiltersKept::AtTheEnd)?;
    let mut next = part.listed.from;
    for (entry, old) in blocks.iter().zip(old.iter().cycle()) {
        write_rescued(&mut writer, rescued.range(next..entry.first))?;
        let records = file::read_block(&**old, seed, entry).map_err(io::Error::other)?;
        let filter = contents.as_ref().map(|contents| contents.filter(entry)).unwrap_or_default();
        writer.block(&records, &filter)?;
        next = entry.last.next();
    }
    write_rescued(&mut writer, rescued.range(next..))?;
    let (trailer, length) = writer.finish(part.listed.to)?;
    writer.file.sync()?;
    disk.rename(&unfinished(&part.name), &part.name)?;
    disk.sync_names()?;
    Ok((trailer, length))
}

fn write_rescued<'a>(
    writer: &mut FileWriter,
    records: impl Iterator<Item = (&'a Offset, &'a ChainRecord)>,
) -> io::Result<()> {
    let (mut block, mut bytes) = (Vec::new(), 0);
    for (_, record) in records {
        if BLOCK_BYTES < bytes + record.payload.len() && !block.is_empty() {
            writer.block(&block, &FilterBytes::default())?;
            block.clear();
            bytes = 0;
        }
        bytes += record.payload.len();
        block.push(record.clone());
    }
    if block.is_empty() { Ok(()) } else { writer.block(&block, &FilterBytes::default()) }
}

/// Copies a file into `damaged/`, durably. Returns what it is called there.
pub(crate) fn set_aside(disk: &dyn Disk, name: &str) -> io::Result<String> {
    let folder = disk.folder(DAMAGED);
    folder.make()?;
    let taken = folder.list()?;
    let free = (0_u64..).map(|number| match number {
        0 => name.to_owned(),
        number => format!("{name}.{number}"),
    });
    let aside = free.into_iter().find(|name| !taken.contains(name)).unwrap_or_default();
    let (from, to) = (disk.open(name)?, folder.create(&aside, 0)?);
    copy(&from, &to)?;
    to.sync()?;
    folder.sync_names()?;
    Ok(folder.path(&aside).display().to_string())
}

fn copy(from: &Arc<dyn File>, to: &Arc<dyn File>) -> io::Result<()> {
    let length = from.len()?;
    let mut buffer = vec![0; COPY_BYTES];
    let mut position = 0;
    while position < length {
        let piece = usize::try_from(length - position).unwrap_or(COPY_BYTES).min(COPY_BYTES);
        from.read_at(&mut buffer[..piece], position)?;
        to.write_at(&buffer[..piece], position)?;
        position += piece as u64;
    }
    Ok(())
}
