//! Repairing the hot journal: what is damaged is overwritten by frames that say "lost".
//!
//! ```text
//! frame  ‖  damaged pages  ‖  frame          the damaged pages become the body of one frame, whose
//! frame  ‖  lost: 3 records ‖  frame         header says how many records were there
//! ```
//!
//! # Invariants
//!
//! - A segment is copied into `damaged/` before a byte of it is changed.
//! - No whole frame is touched; what is behind the last one is for recovery to judge.
//! - A repair that was interrupted is finished by the next.

mod files;

use std::io;

use super::hot::{Hot, next_frame};
use crate::{
    Offset,
    chain::{
        Fault,
        repair::{Repair, set_aside},
    },
    disk::Disk,
    frame::{self, Header},
    layout::{PAGE, STORE_NAME, SegmentHeader, Store, StoreId, segment_name},
    segment::Segment,
    walk::{WalkError, Walker},
};

const CHUNK: usize = 1 << 20;
/// Of a segment that is made when none tells its size.
const SIZE: u64 = 16 << 20;

/// A stretch of one segment whose records are lost.
#[derive(Debug, PartialEq, Eq)]
struct Scar {
    segment: usize,
    start: u64,
    end: u64,
    first: Offset,
    records: u32,
    time: i64,
}

/// How far a walk has come.
struct Reached {
    offset: Option<Offset>,
    time: i64,
    /// A frame whose body is damaged: when none follows, it is a torn tail.
    doubtful: Option<Scar>,
    /// Where the segment before ended.
    end: Option<(usize, u64)>,
    /// Where the last segment ended that has frames.
    tail: Option<(usize, u64)>,
}

/// What others know of the hot journal's end.
#[derive(Copy, Clone, Debug)]
pub(super) struct Ends {
    /// Where the chains end.
    pub(super) sealed_to: Offset,
    /// Everything below was there.
    pub(super) end_min: Offset,
}

/// Repairs the hot journal in this folder.
pub(super) fn repair(disk: &dyn Disk, ends: Ends) -> io::Result<Repair> {
    let mut done = Repair::default();
    let mut hot = Hot::open(disk)?;
    let Some(store_id) = hot.store_id else { return Ok(done) };
    let damaged_store = hot.faults.iter().any(|fault| fault.path == disk.path(STORE_NAME));
    if files::mend(disk, &hot, &store_id, &mut done)? {
        hot = Hot::open(disk)?;
        if hot.store_id.is_none() {
            return Ok(done);
        }
    }
    mend_headers(disk, &hot, &store_id, &mut done)?;
    let mut offset = (hot.first_epoch == 1).then_some(Offset::ZERO);
    if fill_gaps(disk, &hot, (&store_id, ends.end_min), &mut done)? {
        hot = Hot::open(disk)?;
        offset = offset.or(Some(hot.sealed.map_or(ends.sealed_to, |(to, _)| to)));
    }
    let mut reached = Reached { offset, time: i64::MIN, doubtful: None, end: None, tail: None };
    let mut scars = Vec::new();
    let mut first_frame = None;
    for number in 0..hot.segments.len() {
        walk(&hot.segments, number, &mut reached, &mut scars, &mut first_frame)?;
    }
    if reached.lacks_room(&hot, ends) {
        let (size, epoch) =
            (size(&hot), hot.segments.last().map_or(hot.first_epoch, |last| last.epoch + 1));
        files::make(disk, &SegmentHeader { store_id, epoch, size, used_before: false })?;
        hot = Hot::open(disk)?;
    }
    scars.extend(reached.lost_end(&hot, ends));
    for scar in &scars {
        cut(disk, &hot, scar, &mut done)?;
    }
    if damaged_store {
        let begin = first_frame.unwrap_or((ends.sealed_to, i64::MIN));
        mend_store(disk, &hot, store_id, begin, &mut done)?;
    }
    Ok(done)
}

impl Reached {
    /// Where the journal ends, and must.
    fn ends(&self, hot: &Hot, ends: Ends) -> (Offset, Offset) {
        let sealed_to = hot.sealed.map_or(ends.sealed_to, |(to, _)| to);
        (self.offset.unwrap_or(sealed_to), ends.end_min.max(sealed_to))
    }

    /// Behind the frames, else in the first segment that has none.
    fn place(&self, hot: &Hot) -> Option<(usize, u64)> {
        let room = |(number, end): &(usize, u64)| end + PAGE <= hot.segments[*number].size;
        let next = self.tail.map_or(0, |(number, _)| number + 1);
        self.tail.filter(room).or_else(|| hot.segments.get(next).map(|_| (next, PAGE)))
    }

    fn lacks_room(&self, hot: &Hot, ends: Ends) -> bool {
        let (end, must) = self.ends(hot, ends);
        end < must && self.place(hot).is_none()
    }

    /// Frames for what must be there behind the last one: later records must not get the offsets of
    /// those that are lost.
    fn lost_end(self, hot: &Hot, ends: Ends) -> Vec<Scar> {
        let ((end, must), place) = (self.ends(hot, ends), self.place(hot));
        let mut scars: Vec<_> = self.doubtful.into_iter().filter(|one| one.first < must).collect();
        if let Some((segment, start)) = place.filter(|_| end < must) {
            let records = must.get() - end.get();
            scars.push(Scar {
                segment,
                start,
                end: start + PAGE,
                first: end,
                records: u32::try_from(records).unwrap_or(u32::MAX),
                time: self.time.max(hot.sealed.map_or(i64::MIN, |(_, time)| time)),
            });
        }
        scars
    }
}

fn size(hot: &Hot) -> u64 {
    hot.segments.first().map_or(SIZE, |segment| segment.size)
}

/// Finds the stretches of one segment that are no frames, though frames come after them.
fn walk(
    segments: &[Segment],
    number: usize,
    reached: &mut Reached,
    scars: &mut Vec<Scar>,
    first_frame: &mut Option<(Offset, i64)>,
) -> io::Result<()> {
    let segment = &segments[number];
    let mut walker = Walker::new(CHUNK);
    let (mut position, mut whole_end) = (PAGE, PAGE);
    loop {
        let header = match walker.header(segment, position, segment.size) {
            Ok(header) => header,
            Err(error) => {
                tolerate(error)?;
                match next_frame(segment, position + PAGE)? {
                    Some(next) => position = next,
                    None => break,
                }
                continue;
            }
        };
        scars.extend(reached.doubtful.take());
        let expected = reached.offset.unwrap_or(header.first);
        let lost = header.first.get().saturating_sub(expected.get());
        let time = reached.time.max(if reached.time == i64::MIN { header.time } else { i64::MIN });
        let scar = |segment, start, end, first, records: u64| Scar {
            segment,
            start,
            end,
            first,
            records: u32::try_from(records).unwrap_or(u32::MAX),
            time,
        };
        if whole_end < position {
            scars.push(scar(number, whole_end, position, expected, lost));
        } else if 0 < lost {
            // The segment before has lost its last frames, and room is where they were.
            let room = reached.end.filter(|(before, end)| *end + PAGE <= segments[*before].size);
            if let Some((before, end)) = room {
                scars.push(scar(before, end, end + PAGE, expected, lost));
            }
        }
        first_frame.get_or_insert((header.first, header.time));
        let end = position + header.frame_len();
        if let Err(error) = walker.body(segment, position, segment.size, &header) {
            tolerate(error)?;
            let records = u64::from(header.records);
            reached.doubtful = Some(scar(number, position, end, header.first, records));
        }
        (reached.offset, reached.time) = (Some(header.end()), reached.time.max(header.time));
        (position, whole_end) = (end, end);
        reached.tail = Some((number, end));
    }
    reached.end = Some((number, whole_end));
    Ok(())
}

/// Makes one frame of a stretch.
fn cut(disk: &dyn Disk, hot: &Hot, scar: &Scar, done: &mut Repair) -> io::Result<()> {
    let segment = &hot.segments[scar.segment];
    let aside = set_aside(disk, &segment_name(segment.epoch))?;
    let length = usize::try_from(scar.end - scar.start - frame::HEADER_LEN).unwrap_or(0);
    let mut body = vec![0; length];
    segment.file.read_at(&mut body, scar.start + frame::HEADER_LEN)?;
    let header = Header {
        body_sum: segment.seed.checksum(&body),
        body_len: u32::try_from(length).unwrap_or(u32::MAX),
        first: scar.first,
        time: scar.time,
        records: scar.records,
        buses: 0,
        lost: true,
    };
    segment.file.write_at(&header.encode(segment.seed), scar.start)?;
    segment.file.sync()?;
    let (path, start, end) = (segment.path.display(), scar.start, scar.end);
    done.actions.push(format!(
        "{path}: bytes {start} up to {end} given up; the segment as it was is {aside}"
    ));
    // What is sealed, too, is not lost.
    let first = scar.first.max(hot.sealed.map_or(Offset::ZERO, |(to, _)| to));
    if first < header.end() {
        done.lost.push(Fault {
            path: segment.path.clone(),
            position: scar.start,
            what: "a damaged stretch of the hot journal".to_owned(),
            offsets: Some(first..header.end()),
            records: Some(header.end().get() - first.get()),
        });
    }
    Ok(())
}

/// Makes empty segments in the place of those that are missing. Whether there were any.
fn fill_gaps(
    disk: &dyn Disk,
    hot: &Hot,
    (store_id, end_min): (&StoreId, Offset),
    done: &mut Repair,
) -> io::Result<bool> {
    let size = size(hot);
    let there: Vec<_> = hot.segments.iter().map(|segment| segment.epoch).collect();
    let sealed_to = hot.sealed.map_or(Offset::ZERO, |(to, _)| to);
    let end = match there.last() {
        Some(last) => *last,
        None if Offset::ZERO < sealed_to.max(end_min) => hot.first_epoch + 1,
        None => hot.first_epoch,
    };
    let missing: Vec<_> = (hot.first_epoch..end).filter(|epoch| !there.contains(epoch)).collect();
    for epoch in &missing {
        let (store_id, epoch) = (*store_id, *epoch);
        files::make(disk, &SegmentHeader { store_id, epoch, size, used_before: false })?;
        let path = disk.path(&segment_name(epoch));
        done.actions.push(format!("{}: missing, an empty one takes its place", path.display()));
    }
    Ok(!missing.is_empty())
}

/// Writes the headers of segments anew that are damaged.
fn mend_headers(
    disk: &dyn Disk,
    hot: &Hot,
    store_id: &StoreId,
    done: &mut Repair,
) -> io::Result<()> {
    for segment in &hot.segments {
        // At byte 0: damaged. Elsewhere it is sound and speaks of another file.
        let damaged =
            hot.faults.iter().any(|fault| fault.path == segment.path && fault.position == 0);
        if !damaged || segment.size < 2 * PAGE {
            continue;
        }
        let aside = set_aside(disk, &segment_name(segment.epoch))?;
        let header = SegmentHeader {
            store_id: *store_id,
            epoch: segment.epoch,
            size: segment.size,
            used_before: true,
        };
        segment.file.write_at(&header.encode(), 0)?;
        segment.file.sync()?;
        let path = segment.path.display();
        done.actions.push(format!("{path}: header written anew; the segment as it was is {aside}"));
    }
    Ok(())
}

/// What is before the first frame is sealed: else its segment would still be there.
fn mend_store(
    disk: &dyn Disk,
    hot: &Hot,
    id: StoreId,
    (sealed_to, sealed_time): (Offset, i64),
    done: &mut Repair,
) -> io::Result<()> {
    if disk.list()?.iter().any(|name| name == STORE_NAME) {
        set_aside(disk, STORE_NAME)?;
    }
    Store { id, first_epoch: hot.first_epoch, sealed_to, sealed_time }.write(disk)?;
    done.actions.push(format!("{}: made anew of the segments", disk.path(STORE_NAME).display()));
    Ok(())
}

/// Damage is what is mended; a disk that cannot be read ends the repair.
fn tolerate(error: WalkError) -> io::Result<()> {
    match error {
        WalkError::Bad(_) => Ok(()),
        WalkError::Io(error) => Err(error),
    }
}
