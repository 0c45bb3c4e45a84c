//! Naming what is wrong with the hot journal.
//!
//! # Invariants
//!
//! - What recovery would refuse is a fault, what it would cut is a note.

use std::io;

use super::{Hot, Step, missing};
use crate::{
    Offset,
    chain::{Fault, verify::Verification},
    disk::Disk,
    frame::{self, Header},
    layout::{PAGE, PAGE_LEN, segment_name},
    segment::Segment,
};

const ZEROES: [u8; PAGE_LEN] = [0; PAGE_LEN];

/// What is known behind the last whole frame.
#[derive(Default)]
struct Behind<'a> {
    /// A frame whose body is damaged, if it is the last.
    doubtful: Option<Fault>,
    /// Where segments end behind it, the tail first.
    rests: Vec<(&'a Segment, u64)>,
}

/// Reads every frame of the journal. Records below `end_min` must be there.
pub(in crate::tools) fn verify(
    disk: &dyn Disk,
    end_min: Offset,
    found: &mut Verification,
) -> io::Result<()> {
    let hot = Hot::open(disk)?;
    hot.faults.iter().cloned().for_each(|fault| found.fault(fault));
    found.notes.extend(hot.notes.iter().cloned());
    let sealed_to = hot.sealed.map(|(to, _)| to);
    let mut expected = (hot.first_epoch == 1).then_some(Offset::ZERO);
    // Where the oldest segments are gone, the first frame must begin where sealed ones end.
    let mut begin_max = if expected.is_none() { sealed_to } else { None };
    let mut behind = Behind::default();
    for segment in &hot.segments {
        found.segments += 1;
        found.bytes += segment.size;
        Hot::walk(segment, &mut expected, &mut |step| {
            match step {
                Step::Fault(fault) => found.fault(unsealed(fault, sealed_to)),
                Step::Doubtful(fault) => {
                    behind.rests.clear();
                    behind
                        .doubtful
                        .replace(unsealed(fault, sealed_to))
                        .into_iter()
                        .for_each(|fault| found.fault(fault));
                }
                Step::End { position } => {
                    if position != PAGE {
                        behind.rests.clear(); // The tail is not before this segment.
                    }
                    behind.rests.push((segment, position));
                }
                Step::Frame { position, header, body } => {
                    behind.doubtful.take().into_iter().for_each(|fault| found.fault(fault));
                    if let Some(sealed_to) = begin_max.take().filter(|to| *to < header.first) {
                        found.fault(missing(segment, position, sealed_to, header.first));
                    }
                    count(segment, (position, header, body), found);
                }
            }
            Ok(())
        })?;
    }
    let sealed_to = sealed_to.unwrap_or_default();
    let end = expected.unwrap_or(sealed_to);
    let ends = end..end_min.max(sealed_to);
    look_behind(disk, &hot, ends, behind, found)
}

/// A fault costs no records that are sealed, too.
fn unsealed(fault: Fault, sealed_to: Option<Offset>) -> Fault {
    let (Some(offsets), Some(sealed_to)) = (&fault.offsets, sealed_to) else { return fault };
    if sealed_to <= offsets.start {
        return fault;
    }
    let what = format!("{}; what it hit below offset {sealed_to} is sealed, too", fault.what);
    let left = sealed_to..offsets.end.max(sealed_to);
    let records = left.end.get() - left.start.get();
    let is_some = 0 < records;
    Fault { what, offsets: is_some.then_some(left), records: is_some.then_some(records), ..fault }
}

fn count(
    segment: &Segment,
    (position, header, body): (u64, &Header, &[u8]),
    found: &mut Verification,
) {
    found.blocks += 1;
    found.records += if header.lost { 0 } else { header.records.into() };
    if let Err(error) = frame::decode(header, &bytes::Bytes::copy_from_slice(body)) {
        found.fault(Fault {
            path: segment.path.clone(),
            position,
            what: error.to_string(),
            offsets: Some(header.first..header.end()),
            records: Some(header.records.into()),
        });
    }
}

/// What stands behind the last frame, and what should: `ends` are where the journal ends and where
/// it must.
fn look_behind(
    disk: &dyn Disk,
    hot: &Hot,
    ends: std::ops::Range<Offset>,
    behind: Behind<'_>,
    found: &mut Verification,
) -> io::Result<()> {
    let torn = |path: &std::path::Path, position| {
        let path = path.display();
        format!("{path} at byte {position}: a torn tail, which the next start cuts")
    };
    let mut is_torn = behind.doubtful.is_some();
    if let Some(doubtful) = behind.doubtful {
        // What somebody has had was acknowledged: then it is damage.
        if doubtful.offsets.as_ref().is_some_and(|offsets| offsets.start < ends.end) {
            found.fault(doubtful);
        } else {
            found.notes.push(torn(&doubtful.path, doubtful.position));
        }
    }
    if ends.start < ends.end && hot.store_id.is_some() {
        let last = behind.rests.first().map(|(segment, at)| (segment.path.clone(), *at));
        let (path, position) =
            last.unwrap_or_else(|| (disk.path(&segment_name(hot.first_epoch)), 0));
        found.fault(Fault {
            path,
            position,
            what: format!("the journal ends at offset {}, it went on to {}", ends.start, ends.end),
            records: Some(ends.end.get() - ends.start.get()),
            offsets: Some(ends),
        });
        is_torn = true; // What stands there is what is damaged.
    }
    for (segment, position) in behind.rests.into_iter().filter(|(segment, at)| *at < segment.size) {
        if is_torn {
            break;
        }
        let mut page = [0; PAGE_LEN];
        segment.file.read_at(&mut page, position)?;
        // In a segment that was used before, there may be anything.
        is_torn = if segment.used_before {
            Header::decode(&page, segment.seed).is_ok()
        } else {
            page != ZEROES
        };
        if is_torn {
            found.notes.push(torn(&segment.path, position));
        }
    }
    Ok(())
}
