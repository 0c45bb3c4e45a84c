//! Segments whose files are too short, too long, or another journal's.
//!
//! # Invariants
//!
//! - A file is in `damaged/` before it is changed or removed.

use std::io;

use super::{CHUNK, SIZE};
use crate::{
    chain::repair::{Repair, set_aside},
    disk::{Disk, File},
    layout::{PAGE, SegmentHeader, StoreId, segment_name, unfinished},
    segment::Segment,
    tools::hot::{Hot, head},
};

/// Gives files the length that their headers say, and takes those out of the way that are not this
/// journal's. Whether there were any.
pub(super) fn mend(
    disk: &dyn Disk,
    hot: &Hot,
    store_id: &StoreId,
    done: &mut Repair,
) -> io::Result<bool> {
    let before = done.actions.len();
    let headers = hot.segments.iter().map(|segment| {
        let header = SegmentHeader::decode(&head(disk, &segment_name(segment.epoch))?);
        Ok(header.ok())
    });
    let headers: Vec<_> = headers.collect::<io::Result<_>>()?;
    let is_ours = |segment: &Segment, header: &SegmentHeader| {
        (header.store_id, header.epoch) == (*store_id, segment.epoch)
    };
    let usual = headers.iter().flatten().map(|header| header.size).max().unwrap_or(SIZE);
    for (segment, header) in hot.segments.iter().zip(&headers) {
        let name = segment_name(segment.epoch);
        let (path, length) = (segment.path.display(), segment.file.len()?);
        if header.as_ref().is_some_and(|header| !is_ours(segment, header)) {
            let aside = set_aside(disk, &name)?;
            disk.remove(&name)?;
            done.actions.push(format!("{path}: of another journal or place, set aside as {aside}"));
            continue;
        }
        // Without a sound header, any length will do that a segment may have.
        let is_possible = 2 * PAGE <= length && length.is_multiple_of(PAGE);
        let size = match header {
            Some(header) => header.size,
            None if is_possible => length,
            None => usual,
        };
        if size != length {
            let aside = set_aside(disk, &name)?;
            resize(&*segment.file, length, size)?;
            done.actions.push(format!(
                "{path}: was {length} bytes long and is {size} now; as it was it is {aside}"
            ));
        }
    }
    disk.sync_names()?;
    Ok(before < done.actions.len())
}

/// Makes an empty segment.
pub(super) fn make(disk: &dyn Disk, header: &SegmentHeader) -> io::Result<()> {
    let name = segment_name(header.epoch);
    let file = disk.create(&unfinished(&name), header.size)?;
    zero(&*file, 0, header.size)?;
    file.write_at(&header.encode(), 0)?;
    file.sync()?;
    disk.rename(&unfinished(&name), &name)?;
    disk.sync_names()
}

/// What is new is written, so that no later write of a frame needs room.
fn resize(file: &dyn File, length: u64, size: u64) -> io::Result<()> {
    file.set_len(size)?;
    zero(file, length.min(size), size)?;
    file.sync()
}

fn zero(file: &dyn File, start: u64, end: u64) -> io::Result<()> {
    let zeroes = vec![0; CHUNK];
    let mut position = start;
    while position < end {
        let left = usize::try_from(end - position).unwrap_or(CHUNK).min(CHUNK);
        file.write_at(&zeroes[..left], position)?;
        position += left as u64;
    }
    Ok(())
}
