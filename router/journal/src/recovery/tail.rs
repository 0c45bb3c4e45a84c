//! The end of the journal: what of it is durable, and what is cut.

use std::sync::Arc;

use super::{CHUNK, Depth, Expected, Torn, Walked, damaged, frame, walk};
use crate::{
    OpenError,
    error::open_error,
    frame::{FrameError, Header},
    layout::{PAGE, PAGE_LEN},
    segment::Segment,
    walk::{WalkError, Walker},
};

const ZEROES: [u8; PAGE_LEN] = [0; PAGE_LEN];

/// Whether a whole frame begins at `position`.
pub(super) fn is_whole(
    segment: &Segment,
    position: u64,
    walker: &mut Walker,
) -> Result<bool, OpenError> {
    Ok(frame(segment, position, Depth::Bodies, walker)?.is_some())
}

/// Walks the tail segment and makes sure that what it finds is on the disk, and not only in the
/// page cache.
///
/// A process that was killed leaves frames that were written and not synced. One whose sync failed
/// leaves pages that the kernel takes for written though they are not. Only the last frame can be
/// such a one, because each frame was synced before the next was written: so it alone is read again
/// from the disk.
pub(super) fn settle(
    segment: &Arc<Segment>,
    expected: Expected,
    previous: Option<(&Segment, u64)>,
) -> Result<Walked, OpenError> {
    segment.file.sync().map_err(|error| open_error(segment.path.clone(), "sync it", error))?;
    loop {
        let walked = walk(segment, Depth::Bodies, expected, previous)?;
        let Some((position, header)) = walked.last else { return Ok(walked) };
        segment.file.forget(position..position + header.frame_len());
        if is_whole(segment, position, &mut Walker::new(CHUNK))? {
            return Ok(walked);
        }
    }
}

/// Cuts what stands behind the last frame, unless a whole frame is there: then something before
/// that one was damaged. `rests` are segments and where nothing is known any more.
pub(super) fn cut<'a>(
    rests: impl Iterator<Item = (&'a Segment, u64)>,
) -> Result<Option<Torn>, OpenError> {
    let mut cuts = Vec::new();
    for (segment, start) in rests {
        let end = written_end(segment, start)?;
        let end = if segment.used_before { torn_end(segment, start)? } else { end };
        if let Some(end) = end {
            cuts.push((segment, start, end));
        }
    }
    // All of it is looked at before any of it is changed.
    for (segment, start, end) in &cuts {
        erase(segment, *start, *end)?;
    }
    let torn = cuts.first();
    Ok(torn.map(|(segment, start, end)| Torn {
        path: segment.path.clone(),
        position: *start,
        bytes_cut: end - start,
    }))
}

/// Where the last page ends that is not zeroes. No whole frame may be there.
fn written_end(segment: &Segment, start: u64) -> Result<Option<u64>, OpenError> {
    let mut end = None;
    let (mut pages, mut frames) = (Walker::new(CHUNK), Walker::new(0));
    let mut position = start;
    while position < segment.size {
        let page = pages.bytes(&*segment.file, position, PAGE, segment.size);
        let page = page.map_err(|error| open_error(segment.path.clone(), "read it", error))?;
        if page != ZEROES {
            end = Some(position + PAGE);
            frames.reset();
            let header = Header::decode(page, segment.seed);
            let is_none = matches!(header, Err(FrameError::Absent | FrameError::Header));
            if !is_none && is_whole(segment, position, &mut frames)? {
                let what = format!(
                    "there is no whole frame, but there is one behind it, at byte {position}"
                );
                return Err(damaged(segment.path.clone(), start, what));
            }
        }
        position += PAGE;
    }
    Ok(end)
}

/// Where the frame ends whose header is at `start`. What it has of a body does not count.
///
/// This is what can be told of a torn frame among the bytes of earlier epochs. A part of it that
/// has no header is no danger: the next frame gets a header of its own.
fn torn_end(segment: &Segment, start: u64) -> Result<Option<u64>, OpenError> {
    match Walker::new(0).header(segment, start, segment.size) {
        Ok(header) => Ok(Some(start + header.frame_len())),
        Err(WalkError::Bad(FrameError::Nonsense(error))) => {
            Err(damaged(segment.path.clone(), start, error))
        }
        Err(WalkError::Bad(_)) => Ok(None),
        Err(WalkError::Io(source)) => Err(open_error(segment.path.clone(), "read it", source)),
    }
}

fn erase(segment: &Segment, start: u64, end: u64) -> Result<(), OpenError> {
    let io = |error| open_error(segment.path.clone(), "cut its torn tail", error);
    let mut position = start;
    while position < end {
        segment.file.write_at(&ZEROES, position).map_err(io)?;
        position += PAGE;
    }
    segment.file.sync().map_err(io)
}
