//! How a journal is opened.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use crate::{Offset, OpenError, frame, layout};

/// A clock that only runs forwards; its zero means nothing.
pub type Monotonic = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The limits of a journal. Records may be read whatever the limits were when they were written.
#[derive(Clone)]
pub struct Options {
    /// The journal's own folder. It is made if it does not exist.
    pub dir: PathBuf,
    /// The folder of the sealed segments, with a folder for each bus.
    pub sealed_dir: PathBuf,
    /// The folder of the archives, with a folder for each.
    pub archives_dir: PathBuf,
    /// The size of new segments: a multiple of 4 KiB that holds at least one largest group.
    pub segment_bytes: u64,
    /// The largest payload.
    pub record_bytes_max: usize,
    /// The most that is written and synced at once, and so the most that one append can carry.
    pub group_bytes_max: usize,
    /// The most that waits to be written. Appends beyond it wait for room.
    pub queue_bytes_max: usize,
    /// What preparing a segment leaves free on the disk for the neighbours.
    pub free_bytes_min: u64,
    /// Somebody remembers that everything below this was there: a journal that ends before it has
    /// lost its end, and is not opened.
    pub end_min: Offset,
    /// Measures the latency of syncs.
    pub monotonic: Monotonic,
    /// No threads: `Journal::turn` does their work, one step a call, for simulations.
    pub inline: bool,
}

impl Options {
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        Self {
            sealed_dir: dir.join("sealed"),
            archives_dir: dir.join("archives"),
            dir,
            segment_bytes: 64 << 20,
            record_bytes_max: 2 << 20,
            group_bytes_max: 8 << 20,
            queue_bytes_max: 32 << 20,
            free_bytes_min: 16 << 20,
            end_min: Offset::ZERO,
            monotonic: monotonic(),
            inline: false,
        }
    }

    /// Refuses limits that contradict each other.
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let refuse = |what: String| Err(OpenError::Options { what });
        let group_max = u64::try_from(self.group_bytes_max).unwrap_or(u64::MAX);
        if !self.segment_bytes.is_multiple_of(layout::PAGE) {
            return refuse(format!(
                "segment_bytes is {}, it must be a multiple of {}",
                self.segment_bytes,
                layout::PAGE
            ));
        }
        let largest = group_max.saturating_add(frame::HEADER_LEN).saturating_add(layout::PAGE);
        if self.segment_bytes < largest {
            return refuse(format!(
                "segment_bytes is {}, it must hold a largest group: group_bytes_max and {} more",
                self.segment_bytes,
                largest - group_max
            ));
        }
        if self.group_bytes_max < self.record_bytes_max.saturating_add(frame::RECORD_OVERHEAD_MAX) {
            return refuse(format!(
                "group_bytes_max is {}, it must hold a largest record: record_bytes_max and {} more",
                self.group_bytes_max,
                frame::RECORD_OVERHEAD_MAX
            ));
        }
        if self.queue_bytes_max < self.group_bytes_max
            || u32::try_from(self.queue_bytes_max).is_err()
        {
            return refuse(format!(
                "queue_bytes_max is {}, it must be at least group_bytes_max ({}) and less than 4 GiB",
                self.queue_bytes_max, self.group_bytes_max
            ));
        }
        Ok(())
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("dir", &self.dir)
            .field("segment_bytes", &self.segment_bytes)
            .field("record_bytes_max", &self.record_bytes_max)
            .field("group_bytes_max", &self.group_bytes_max)
            .field("queue_bytes_max", &self.queue_bytes_max)
            .field("free_bytes_min", &self.free_bytes_min)
            .finish_non_exhaustive()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the default for callers who own no clock: it measures, it decides nothing"
)]
fn monotonic() -> Monotonic {
    let start = std::time::Instant::now();
    Arc::new(move || start.elapsed())
}
