//! Writing one group after the other: the core of the commit thread, without the thread.
//!
//! # Invariants
//!
//! - durable: a group has an offset only after its frame is synced.
//! - A frame begins behind the last one, on pages that hold nothing; there is one in flight at
//!   most.
//! - After a failed write or sync nothing is written any more.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use crate::{
    Offset,
    frame::{self, Header},
    group::Group,
    layout::PAGE,
    log::Log,
    options::Monotonic,
    recovery::Tail,
    segment::{Segment, Written},
};

/// The buffer of a rare large group is not kept.
const BUFFER_KEPT_MAX: usize = 1 << 20;

pub(crate) struct Writer {
    log: Arc<Log>,
    active: Option<Tail>,
    /// The time of the last frame.
    time: i64,
    buffer: Vec<u8>,
    monotonic: Monotonic,
    failed: bool,
}

/// A group that is durable.
pub(crate) struct Committed {
    pub(crate) first: Offset,
    pub(crate) frame_len: u64,
    pub(crate) sync: Duration,
}

/// Why a group is not durable.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommitError {
    /// There is no segment to write to. Nothing was written: the next group may have more luck.
    #[error("{0}")]
    Full(Arc<str>),
    /// What the disk holds is unknown. The writer is finished.
    #[error("{action} {path}: {source}")]
    Failed { action: &'static str, path: PathBuf, source: io::Error },
}

impl Writer {
    pub(crate) fn new(log: Arc<Log>, tail: Option<Tail>, time: i64, monotonic: Monotonic) -> Self {
        Self { log, active: tail, time, buffer: Vec::new(), monotonic, failed: false }
    }

    /// Writes and syncs the group. `spare` gives the next segment when this one has no room.
    pub(crate) fn commit(
        &mut self,
        group: &Group,
        spare: &mut dyn FnMut() -> Result<Arc<Segment>, Arc<str>>,
    ) -> Result<Committed, CommitError> {
        assert!(!self.failed, "a failed writer is not used again");
        let frame_len = frame::frame_len(group.body_len as u64);
        // More than once only when spares of an earlier run are smaller than today's segments.
        while self
            .active
            .as_ref()
            .is_none_or(|active| active.segment.size - active.position < frame_len)
        {
            let segment = spare().map_err(CommitError::Full)?;
            self.active = Some(Tail { segment, written: None, position: PAGE });
        }
        let Some(active) = &mut self.active else { unreachable!("the loop ends with a segment") };

        let first = self.log.end();
        let time = self.time.max(group.time);
        let header = frame::encode(group, first, time, active.segment.seed, &mut self.buffer);
        let start = (self.monotonic)();
        let result = write(&active.segment, &self.buffer, active.position);
        self.failed = result.is_err();
        result?;
        let sync = (self.monotonic)().saturating_sub(start);

        active.publish(&header, &self.log);
        self.time = time;
        if BUFFER_KEPT_MAX < self.buffer.capacity() {
            self.buffer = Vec::new();
        }
        Ok(Committed { first, frame_len, sync })
    }
}

impl Tail {
    /// Shows a synced frame to the readers.
    fn publish(&mut self, header: &Header, log: &Log) {
        self.position += header.frame_len();
        match &self.written {
            Some(written) => {
                written
                    .index
                    .write()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .note(header);
            }
            None => {
                let written = Arc::new(Written::new(Arc::clone(&self.segment), header));
                log.add(Arc::clone(&written));
                self.written = Some(written);
            }
        }
        log.move_end(header.end());
    }
}

fn write(segment: &Segment, frame: &[u8], position: u64) -> Result<(), CommitError> {
    let failed =
        |action| move |source| CommitError::Failed { action, path: segment.path.clone(), source };
    segment.file.write_at(frame, position).map_err(failed("write"))?;
    segment.file.sync().map_err(failed("sync"))
}
