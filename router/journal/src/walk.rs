//! Reading frames one after the other.
//!
//! # Invariants
//!
//! - Nothing at or behind the caller's `limit` is read: there the file may be changing.
//! - Memory stays within a chunk, or the one frame that is larger.

use std::io;

use crate::{
    disk::File,
    frame::{self, FrameError, Header},
    segment::Segment,
};

/// A window on one file, moved forwards in large steps.
pub(crate) struct Walker {
    buffer: Vec<u8>,
    /// Where in the file the buffer begins.
    start: u64,
    chunk: usize,
}

/// Why there is no frame to be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WalkError {
    #[error(transparent)]
    Bad(#[from] FrameError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Walker {
    /// Reads `chunk` bytes at once, where there are so many.
    pub(crate) fn new(chunk: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, chunk }
    }

    /// Forgets what was read, as one must before another file is walked.
    pub(crate) fn reset(&mut self) {
        self.buffer.clear();
    }

    /// The header of the frame at `position`. The frame ends at or before `limit`.
    pub(crate) fn header(
        &mut self,
        segment: &Segment,
        position: u64,
        limit: u64,
    ) -> Result<Header, WalkError> {
        if limit < position + frame::HEADER_LEN {
            return Err(FrameError::Absent.into());
        }
        let bytes = self.bytes(&*segment.file, position, frame::HEADER_LEN, limit)?;
        let header = Header::decode(bytes, segment.seed)?;
        if limit - position < header.frame_len() {
            return Err(FrameError::Long.into());
        }
        Ok(header)
    }

    /// The body of the frame at `position`, with its checksum verified.
    pub(crate) fn body(
        &mut self,
        segment: &Segment,
        position: u64,
        limit: u64,
        header: &Header,
    ) -> Result<&[u8], WalkError> {
        let start = position + frame::HEADER_LEN;
        let body = self.bytes(&*segment.file, start, header.body_len.into(), limit)?;
        header.check_body(body, segment.seed)?;
        Ok(body)
    }

    /// `length` bytes from `position` on, which end at or before `limit`.
    pub(crate) fn bytes(
        &mut self,
        file: &dyn File,
        position: u64,
        length: u64,
        limit: u64,
    ) -> io::Result<&[u8]> {
        const IN_MEMORY: &str = "it is an index into the buffer, or the length of one frame";
        let buffer_end = self.start + self.buffer.len() as u64;
        if position < self.start || buffer_end < position + length {
            let wanted = length.max(self.chunk as u64).min(limit - position);
            self.start = position;
            let result = {
                self.buffer.resize(usize::try_from(wanted).expect(IN_MEMORY), 0);
                file.read_at(&mut self.buffer, position)
            };
            if let Err(error) = result {
                self.buffer.clear();
                return Err(error);
            }
            // One large frame does not make every cursor large for ever.
            if self.buffer.len() <= self.chunk && self.chunk * 2 < self.buffer.capacity() {
                self.buffer.shrink_to(self.chunk);
            }
        }
        let at = usize::try_from(position - self.start).expect(IN_MEMORY);
        Ok(&self.buffer[at..at + usize::try_from(length).expect(IN_MEMORY)])
    }
}
