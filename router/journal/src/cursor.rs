//! Reading the journal, from any record or time on.
//!
//! # Invariants
//!
//! - Only durable records are seen, each once, in order, without gaps.
//! - Every frame's checksums are verified before its records leave.
//! - bounded: a batch is less than [`BATCH_BYTES`] of file and the one frame that goes beyond.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;

use crate::{
    Offset, ReadError, Record,
    frame::{self, Header},
    log::Log,
    segment::{Segment, Written},
    walk::{WalkError, Walker},
};

/// How much of the file a cursor reads at once.
const BATCH_BYTES: usize = 256 << 10;
/// How much is read at once when one frame is looked for.
const LOOK_BYTES: usize = 64 << 10;

/// A place in the journal that moves forwards. It reads files on the thread that calls it, and
/// holds no lock meanwhile.
pub struct Cursor {
    log: Arc<Log>,
    position: Offset,
    /// Where the frame begins that holds `position`, or will; `None` when it is to be looked up.
    place: Option<(Arc<Written>, u64)>,
    walker: Walker,
}

impl Cursor {
    pub(crate) fn new(log: Arc<Log>, from: Offset) -> Self {
        Self { log, position: from, place: None, walker: Walker::new(BATCH_BYTES) }
    }

    /// The offset of the next record to be read.
    pub fn position(&self) -> Offset {
        self.position
    }

    /// The next records, at least one; `None` when there is no durable one yet.
    ///
    /// After an error the cursor stands where it stood.
    pub fn next_batch(&mut self) -> Result<Option<Vec<Record>>, ReadError> {
        let end = self.log.end();
        loop {
            if end <= self.position {
                return Ok(None);
            }
            let records = self.frames(end)?;
            // There are none where a repair has given records up.
            if !records.is_empty() {
                return Ok(Some(records));
            }
        }
    }

    /// The records of the next frames.
    fn frames(&mut self, end: Offset) -> Result<Vec<Record>, ReadError> {
        let (written, start) = match self.place.take() {
            Some((written, position)) if position < written.end_position() => (written, position),
            _ => self.find()?,
        };
        let (mut records, mut position) = (Vec::new(), start);
        let limit = written.end_position();
        while position < limit && self.position < end && position - start < BATCH_BYTES as u64 {
            match self.frame(&written.segment, position, limit) {
                Ok((header, frame)) => {
                    records.extend(
                        frame.into_iter().skip_while(|record| record.offset < self.position),
                    );
                    self.position = header.end();
                    position += header.frame_len();
                }
                Err(error) if records.is_empty() => return Err(error),
                // What is whole is handed over first; the next call finds the error again.
                Err(_again) => break,
            }
        }
        self.place = Some((written, position));
        Ok(records)
    }

    fn frame(
        &mut self,
        segment: &Segment,
        position: u64,
        limit: u64,
    ) -> Result<(Header, Vec<Record>), ReadError> {
        let header = header(&mut self.walker, segment, position, limit)?;
        if !(header.first..header.end()).contains(&self.position) {
            let what = format!(
                "the frame's records begin at {}, record {} must be there",
                header.first, self.position
            );
            return Err(damaged(segment, position, what));
        }
        let records = records_of(&mut self.walker, segment, (position, limit), &header)?;
        Ok((header, records))
    }

    /// Looks up the frame that holds the record at `position`, which is below the end.
    fn find(&mut self) -> Result<(Arc<Written>, u64), ReadError> {
        self.walker.reset();
        let Some(written) = self.log.holding(self.position) else {
            return Err(ReadError::Gone { offset: self.position, first: self.log.first() });
        };
        let position = written.position_of(self.position, &mut self.walker)?;
        Ok((written, position))
    }
}

impl Written {
    fn end_position(&self) -> u64 {
        self.index.read().unwrap_or_else(PoisonError::into_inner).end_position
    }

    /// Where the frame begins that holds `offset`, which is in this segment.
    fn position_of(&self, offset: Offset, walker: &mut Walker) -> Result<u64, ReadError> {
        let (mut position, limit) = {
            let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
            (index.position_before(offset), index.end_position)
        };
        loop {
            let header = header(walker, &self.segment, position, limit)?;
            if offset < header.end() {
                return Ok(position);
            }
            position += header.frame_len();
        }
    }
}

pub(crate) fn get(log: &Log, offset: Offset) -> Result<Record, ReadError> {
    let end = log.end();
    if end <= offset {
        return Err(ReadError::NotYet { offset, end });
    }
    let Some(written) = log.holding(offset) else {
        return Err(ReadError::Gone { offset, first: log.first() });
    };
    let mut walker = Walker::new(LOOK_BYTES);
    let position = written.position_of(offset, &mut walker)?;
    let limit = written.end_position();
    let header = header(&mut walker, &written.segment, position, limit)?;
    let records = records_of(&mut walker, &written.segment, (position, limit), &header)?;
    if header.lost {
        let what = format!("record {offset} is lost, as a repair has said");
        return Err(damaged(&written.segment, position, what));
    }
    let found = records.into_iter().find(|record| record.offset == offset);
    found.ok_or_else(|| {
        damaged(&written.segment, position, format!("record {offset} is not where it must be"))
    })
}

/// The first record that is not before `time`, or the end.
pub(crate) fn offset_at(log: &Log, time: i64) -> Result<Offset, ReadError> {
    // Before the segments are looked at: what is added meanwhile is not before this.
    let end = log.end();
    let Some(written) = log.before_time(time) else { return Ok(log.first()) };
    let (mut position, limit) = {
        let index = written.index.read().unwrap_or_else(PoisonError::into_inner);
        (index.position_before_time(time), index.end_position)
    };
    let mut walker = Walker::new(LOOK_BYTES);
    let mut next = end;
    while position < limit {
        let header = header(&mut walker, &written.segment, position, limit)?;
        if time <= header.time {
            return Ok(header.first);
        }
        next = header.end();
        position += header.frame_len();
    }
    Ok(next)
}

fn header(
    walker: &mut Walker,
    segment: &Segment,
    position: u64,
    limit: u64,
) -> Result<Header, ReadError> {
    walker.header(segment, position, limit).map_err(|error| read_error(segment, position, error))
}

/// The records of the frame at a position, which ends before a limit.
fn records_of(
    walker: &mut Walker,
    segment: &Segment,
    (position, limit): (u64, u64),
    header: &Header,
) -> Result<Vec<Record>, ReadError> {
    let body = walker
        .body(segment, position, limit, header)
        .map_err(|error| read_error(segment, position, error))?;
    // A copy per frame, not a share of the window: a record that is kept keeps a frame, not 256
    // KiB.
    let body = Bytes::copy_from_slice(body);
    frame::decode(header, &body).map_err(|error| damaged(segment, position, error))
}

fn read_error(segment: &Segment, position: u64, error: WalkError) -> ReadError {
    match error {
        WalkError::Bad(error) => damaged(segment, position, error),
        WalkError::Io(source) => ReadError::Io { path: segment.path.clone(), source },
    }
}

fn damaged(segment: &Segment, position: u64, what: impl std::fmt::Display) -> ReadError {
    ReadError::Damaged { path: segment.path.clone(), position, what: what.to_string() }
}
