//! Opening the folder of a chain, whatever state a process before has left it in.
//!
//! # Invariants
//!
//! - Only leftovers are removed: what the manifest never listed, or lists no more.
//! - A file that is missing or damaged stops nothing: it is reported, and the rest is served.
//! - What is cheap is checked: names, lengths, and the two ends of each file.
//!
//! # Not here
//!
//! - Reading the blocks: `verify` does.

use std::io;

use super::{
    ChainOptions, ChainReport, Fault,
    appender::Tail,
    listing::{Listing, Part, PartState, listed},
    manifest::{self, CHAIN_NAME_MAX, Listed, Manifest},
    open_file::{OpenFile, is_open},
};
use crate::{
    OpenError, Torn,
    disk::Disk,
    error::open_error,
    layout::{HeaderError, unfinished},
    sealed::{
        FileError, FileWriter, FiltersKept, SealedFile,
        layout::{segment_from, segment_name},
    },
};

pub(super) struct Opened {
    pub(super) listing: Listing,
    pub(super) tail: Option<Tail>,
    pub(super) report: ChainReport,
}

pub(super) fn open(disk: &dyn Disk, options: &ChainOptions) -> Result<Opened, OpenError> {
    if CHAIN_NAME_MAX < options.name.len() {
        let what = format!("the chain's name is longer than {CHAIN_NAME_MAX} bytes");
        return Err(OpenError::Options { what });
    }
    let folder = |action| move |error| open_error(disk.path(""), action, error);
    disk.make().map_err(folder("make it"))?;
    let mut names = disk.list().map_err(folder("list the folder"))?;
    names.sort();
    // A name that the process before gave, and did not live to sync, must not go again.
    disk.sync_names().map_err(folder("sync the folder"))?;

    let manifest = read_manifest(disk, &names, options)?;
    let mut report = ChainReport::default();
    let leftovers = names.iter().filter(|name| is_unfinished(name));
    for name in leftovers {
        remove(disk, name, &mut report)?;
    }
    let parts: Vec<_> =
        manifest.files.iter().map(|listed| look_at(disk, listed, &manifest.id)).collect();
    report.faults.extend(parts.iter().filter_map(fault));
    let parts = parts.into_iter().map(std::sync::Arc::new).collect();
    let listing = settle(disk, Listing { manifest, parts }, &names, &mut report)?;
    let tail = reopen_tail(disk, &listing, &names, (options, &mut report))?;
    for fault in &report.faults {
        tracing::error!(of = options.title, %fault, "damaged: it is passed over, and the rest is served");
    }
    for path in &report.strays {
        tracing::warn!(of = options.title, file = %path.display(), "the file does not belong here; it is left alone");
    }
    if !report.removed.is_empty() || !report.adopted.is_empty() {
        let (removed, adopted) = (report.removed.len(), report.adopted.len());
        tracing::info!(of = options.title, removed, adopted, "leftovers of a crash settled");
    }
    Ok(Opened { listing, tail, report })
}

/// The manifest; a new one in a folder without segments.
fn read_manifest(
    disk: &dyn Disk,
    names: &[String],
    options: &ChainOptions,
) -> Result<Manifest, OpenError> {
    let path = disk.path(manifest::NAME);
    let io = |action| {
        let path = path.clone();
        move |error| open_error(path, action, error)
    };
    if names.iter().any(|name| name == manifest::NAME) {
        let found = load_manifest(disk).map_err(io("read it"))?;
        let mut found = found.map_err(|error| match error {
            HeaderError::Newer { found } => {
                OpenError::NewerFormat { path: path.clone(), found, known: 1 }
            }
            HeaderError::Bad(what) => lost_manifest(disk, what),
        })?;
        if found.name.is_empty() {
            found.name.clone_from(&options.name); // A repair did not know it.
        }
        if found.name == options.name {
            return Ok(found);
        }
        let what = format!("the folder is that of {:?}, not of {:?}", found.name, options.name);
        return Err(OpenError::Damaged { path, position: 64, what });
    }
    if names.iter().any(|name| segment_from(name).is_some() || is_open(name)) {
        return Err(lost_manifest(disk, "the file is missing, but there are segments"));
    }
    let mut id = [0; 16];
    disk.random(&mut id).map_err(io("draw its id"))?;
    let manifest = Manifest::new(id, &options.name);
    manifest.write_aside(disk).map_err(io("write it"))?;
    Manifest::replace(disk).map_err(io("rename it"))?;
    Ok(manifest)
}

pub(crate) fn load_manifest(disk: &dyn Disk) -> io::Result<Result<Manifest, HeaderError>> {
    let file = disk.open(manifest::NAME)?;
    let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(0)];
    file.read_at(&mut bytes, 0)?;
    Ok(Manifest::decode(&bytes))
}

fn lost_manifest(disk: &dyn Disk, what: &str) -> OpenError {
    OpenError::Damaged {
        path: disk.path(manifest::NAME),
        position: 0,
        what: format!("{what}; a repair makes a new one of the segments"),
    }
}

/// Checks the two ends of a file that must be there.
pub(crate) fn look_at(disk: &dyn Disk, listed: &Listed, chain_id: &[u8; 16]) -> Part {
    let name = segment_name(listed.from);
    let state = if listed.lost { PartState::Lost } else { state_of(disk, listed, chain_id) };
    Part { listed: *listed, path: disk.path(&name), name, state }
}

fn state_of(disk: &dyn Disk, expected: &Listed, chain_id: &[u8; 16]) -> PartState {
    match SealedFile::open(disk, &segment_name(expected.from)) {
        Ok(sealed) => {
            let found = listed(&sealed.trailer, sealed.length);
            if found == *expected && sealed.header.chain_id == *chain_id {
                return PartState::Sound(sealed.trailer);
            }
            let what =
                "it is not the segment that the manifest (the file `chain`) lists".to_owned();
            PartState::Broken { position: 0, what }
        }
        Err(FileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            PartState::Missing
        }
        Err(error) => PartState::Broken { position: error.position(), what: error.to_string() },
    }
}

/// What is wrong with a file.
pub(crate) fn fault(part: &Part) -> Option<Fault> {
    let span = part.listed.from..part.listed.to;
    match &part.state {
        PartState::Sound(_) | PartState::Lost => None,
        PartState::Missing => Some(Fault {
            path: part.path.clone(),
            position: 0,
            what: "the segment is missing".to_owned(),
            offsets: Some(span),
            records: Some(part.listed.records),
        }),
        PartState::Broken { position, what } => Some(Fault {
            path: part.path.clone(),
            position: *position,
            what: what.clone(),
            offsets: None,
            records: None,
        }),
    }
}

/// Takes in what was sealed and not listed yet, and removes what is not listed any more.
fn settle(
    disk: &dyn Disk,
    mut listing: Listing,
    names: &[String],
    report: &mut ChainReport,
) -> Result<Listing, OpenError> {
    let before = listing.manifest.clone();
    for name in names.iter().filter(|name| segment_from(name).is_some()) {
        if listing.parts.iter().any(|part| part.name == *name) {
            continue;
        }
        let Ok(sealed) = SealedFile::open(disk, name) else {
            report.strays.push(disk.path(name));
            continue;
        };
        let (found, manifest) = (listed(&sealed.trailer, sealed.length), &listing.manifest);
        let ours = sealed.header.chain_id == manifest.id && segment_name(found.from) == *name;
        if ours && found.sequence < before.next_sequence {
            remove(disk, name, report)?;
        } else if ours && found.sequence == manifest.next_sequence && manifest.to <= found.from {
            report.adopted.push(disk.path(name));
            let (name, path) = (name.clone(), disk.path(name));
            let state = PartState::Sound(sealed.trailer);
            listing = listing.with([Part { listed: found, name, path, state }], found.to);
        } else {
            report.strays.push(disk.path(name));
        }
    }
    if listing.manifest != before {
        let io = |error| open_error(disk.path(manifest::NAME), "replace it", error);
        listing.manifest.write_aside(disk).map_err(io)?;
        Manifest::replace(disk).map_err(io)?;
    }
    Ok(listing)
}

/// Goes on with the file that an appender had open.
fn reopen_tail(
    disk: &dyn Disk,
    listing: &Listing,
    names: &[String],
    (options, report): (&ChainOptions, &mut ChainReport),
) -> Result<Option<Tail>, OpenError> {
    let manifest = &listing.manifest;
    let mut found = None;
    for name in names.iter().filter(|name| is_open(name)) {
        let io = |action| move |error| open_error(disk.path(name), action, io::Error::other(error));
        let look = || OpenFile::look(disk, manifest, name).map_err(io("read it"));
        let Some(mut open) = look()? else {
            remove(disk, name, report)?;
            continue;
        };
        if !open.faults.is_empty() {
            let aside = open.mend(disk).map_err(io("write anew what is whole in it"))?;
            let (file, records) = (disk.path(name), open.records());
            tracing::warn!(file = %file.display(), records, %aside, "written anew without what is damaged");
            report.faults.append(&mut open.faults);
            let Some(mended) = look()? else { continue };
            open = mended;
        }
        cut_torn(disk, &open, report)?;
        found = Some(
            tail(open, listing, options)
                .map_err(|error| open_error(disk.path(name), "write it", error))?,
        );
    }
    Ok(found)
}

/// What a file has behind its blocks that was finished and not named is written again.
fn cut_torn(disk: &dyn Disk, open: &OpenFile, report: &mut ChainReport) -> Result<(), OpenError> {
    let (position, length) = (open.end, open.length);
    if length <= position {
        return Ok(());
    }
    let (path, bytes_cut) = (disk.path(&open.name), length - position);
    if open.finished_at(disk) != Some(position) {
        tracing::warn!(file = %path.display(), position, bytes_cut, "torn tail cut");
        report.torn = Some(Torn { path: path.clone(), position, bytes_cut });
    }
    let cut = open.file.set_len(position);
    cut.map_err(|error| open_error(path, "cut its torn tail", error))
}

/// The place where an appender goes on.
fn tail(open: OpenFile, listing: &Listing, options: &ChainOptions) -> io::Result<Tail> {
    let manifest = &listing.manifest;
    let (block_bytes_max, kept) = (options.block_bytes_max, FiltersKept::InBlocks);
    let mut writer = FileWriter::begin(open.file, open.header, block_bytes_max, kept)?;
    let (mut next, mut last_time) =
        (manifest.to, manifest.files.last().map_or(i64::MIN, |file| file.last_time));
    for (entry, filter) in &open.blocks {
        writer.note(*entry, filter);
        (next, last_time) = (entry.last.next(), entry.last_time);
    }
    Ok(Tail { name: open.name, writer, recent: Vec::new(), next, last_time })
}

fn remove(disk: &dyn Disk, name: &str, report: &mut ChainReport) -> Result<(), OpenError> {
    disk.remove(name).map_err(|error| open_error(disk.path(name), "remove it", error))?;
    report.removed.push(disk.path(name));
    Ok(())
}

/// Whether the file was being written when the process ended.
pub(crate) fn is_unfinished(name: &str) -> bool {
    let base = name.strip_suffix(".new").unwrap_or_default();
    unfinished(base) == name && (base == manifest::NAME || segment_from(base).is_some())
}
