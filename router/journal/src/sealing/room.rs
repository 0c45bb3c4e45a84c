//! How much of a round the disk has room for.
//!
//! # Invariants
//!
//! - Neighbours keep their room: what is written fits above the reserve even if nothing of it can be
//!   compressed. Sealing makes room, too, but only after it has taken some.
//! - Without room nothing is written, and little is read.

use std::{collections::HashSet, ops::Range, sync::Arc};

use super::{SealError, Sealing};
use crate::{Cursor, Journal, Offset};

/// A file's ends, and the manifest that lists it.
const FILE_BYTES: u64 = 8 << 10;
/// A record beside its payload and half of that, which is more than its keys take.
const RECORD_BYTES: u64 = 64;
/// A round that must be cut is worth so much at least, or a sixteenth of what is hot: many small files
/// help nobody.
const PIECE_MAX: u64 = 1 << 20;

/// What is to be written, at most.
#[derive(Default)]
struct Bill<'a> {
    bytes: u64,
    files: HashSet<(&'a str, Arc<str>)>,
}

impl Bill<'_> {
    fn add(&mut self, kind: &'static str, chain: &Arc<str>, size: usize) {
        let size = size as u64;
        self.bytes += size + size / 2 + RECORD_BYTES;
        if self.files.insert((kind, Arc::clone(chain))) {
            self.bytes += FILE_BYTES;
        }
    }
}

impl Journal {
    /// Up to where the round can go now.
    pub(super) fn fitting(
        &self,
        sealing: &dyn Sealing,
        span: Range<Offset>,
    ) -> Result<Offset, SealError> {
        let inner = &self.inner;
        let free = inner.disk.free_bytes();
        let free = free.map_err(|source| SealError::Store { path: inner.dir.clone(), source })?;
        let Some(free) = free else { return Ok(span.end) };
        let room = free.saturating_sub(inner.free_bytes_min);
        let log = inner.log();
        let copies = 1 + inner.archives.all().len() as u64;
        if log.bytes().saturating_mul(2 * copies) <= room {
            return Ok(span.end);
        }
        let piece = (log.bytes() / 16).min(PIECE_MAX);
        let (mut bill, mut names) = (Bill::default(), Vec::new());
        let mut cursor = Cursor::new(Arc::clone(log), span.start);
        while cursor.position() < span.end {
            let Some(batch) = cursor.next_batch()? else { break };
            for record in batch.into_iter().filter(|record| record.offset < span.end) {
                let before = bill.bytes;
                bill.add("bus", &record.bus, record.payload.len());
                sealing.archives(&record, &mut names);
                for name in names.drain(..) {
                    bill.add("archive", &name, record.payload.len());
                }
                if room < bill.bytes {
                    if span.start < record.offset && piece <= before {
                        return Ok(record.offset);
                    }
                    let needed = inner.free_bytes_min.saturating_add(piece.max(bill.bytes));
                    return Err(SealError::NoRoom { path: inner.dir.clone(), free, needed });
                }
            }
        }
        Ok(span.end)
    }
}
