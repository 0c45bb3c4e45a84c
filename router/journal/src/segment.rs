//! One segment file, and the making of a new one.
//!
//! # Invariants
//!
//! - A file has a segment's name only after all of it, zeroes and header, was synced. One that is
//!   used again gets another header instead of zeroes: under its seed, what is in it is no frame.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    Offset,
    disk::{Disk, File},
    frame::Header,
    index::Index,
    layout::{self, PAGE, Seed, SegmentHeader, StoreId},
    size::Size,
};

/// Zeroes are written in pieces, each synced, so that the commit thread's syncs do not queue behind
/// a whole segment.
const ZEROES: usize = 4 << 20;

/// An open segment.
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) epoch: u64,
    pub(crate) size: u64,
    pub(crate) seed: Seed,
    /// Behind this epoch's frames there may be anything, and not only zeroes.
    pub(crate) used_before: bool,
    pub(crate) file: Arc<dyn File>,
}

/// A segment with at least one durable frame: readers know only these.
pub(crate) struct Written {
    pub(crate) segment: Arc<Segment>,
    pub(crate) first: Offset,
    pub(crate) first_time: i64,
    pub(crate) index: RwLock<Index>,
}

impl Written {
    pub(crate) fn new(segment: Arc<Segment>, first_frame: &Header) -> Self {
        Self {
            segment,
            first: first_frame.first,
            first_time: first_frame.time,
            index: RwLock::new(Index::new(PAGE, first_frame)),
        }
    }
}

/// How new segments are made.
#[derive(Clone)]
pub(crate) struct Recipe {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) store_id: StoreId,
    pub(crate) size: u64,
    /// What must be left on the disk afterwards.
    pub(crate) free_bytes_min: u64,
}

impl Recipe {
    /// Makes the segment of this epoch, durable and empty. `give_up` may be set from another
    /// thread.
    pub(crate) fn prepare(&self, epoch: u64, give_up: &AtomicBool) -> io::Result<Arc<Segment>> {
        let header = self.header(epoch, false);
        let unfinished = layout::unfinished(&layout::segment_name(epoch));
        let file = self.fill(&header, &unfinished, give_up);
        self.name(file, header)
    }

    /// Makes a free segment, which nobody reads any more, that of this epoch.
    pub(crate) fn reuse(&self, free: &Segment, epoch: u64) -> io::Result<Arc<Segment>> {
        assert_eq!(free.size, self.size, "only a segment of today's size is used again");
        let header = self.header(epoch, true);
        let old = layout::segment_name(free.epoch);
        let unfinished = layout::unfinished(&layout::segment_name(epoch));
        let file = self.disk.rename(&old, &unfinished).and_then(|()| {
            free.file.write_at(&header.encode(), 0)?;
            free.file.sync()?;
            Ok(Arc::clone(&free.file))
        });
        self.name(file, header).inspect_err(|_error| self.remove(&old))
    }

    /// Gives a whole segment its name.
    fn name(
        &self,
        file: io::Result<Arc<dyn File>>,
        header: SegmentHeader,
    ) -> io::Result<Arc<Segment>> {
        let name = layout::segment_name(header.epoch);
        let unfinished = layout::unfinished(&name);
        let named = file.and_then(|file| {
            self.disk.rename(&unfinished, &name)?;
            self.disk.sync_names()?;
            Ok(file)
        });
        let file = named.inspect_err(|_error| {
            // Whatever is left of it: a half-made file under either name would be in the way of the
            // next try.
            self.remove(&unfinished);
            self.remove(&name);
        })?;
        Ok(Arc::new(Segment {
            path: self.disk.path(&name),
            epoch: header.epoch,
            size: self.size,
            seed: header.seed(),
            used_before: header.used_before,
            file,
        }))
    }

    /// Removes a file that is not needed; the next start does what fails here.
    pub(crate) fn remove(&self, name: &str) {
        if let Err(error) = self.disk.remove(name) {
            tracing::warn!(file = %self.disk.path(name).display(), %error, "file not removed");
        }
    }

    fn fill(
        &self,
        header: &SegmentHeader,
        name: &str,
        give_up: &AtomicBool,
    ) -> io::Result<Arc<dyn File>> {
        let needed = self.size.saturating_add(self.free_bytes_min);
        if let Some(free) = self.disk.free_bytes()?
            && free < needed
        {
            let message = format!(
                "{} are free on the disk, {} are needed for the next segment",
                Size(free),
                Size(needed)
            );
            return Err(io::Error::new(io::ErrorKind::StorageFull, message));
        }
        let file = self.disk.create(name, self.size)?;
        let zeroes = vec![0; ZEROES.min(usize::try_from(self.size).unwrap_or(ZEROES))];
        let mut position = 0;
        while position < self.size {
            if give_up.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let left = usize::try_from(self.size - position).unwrap_or(ZEROES);
            let piece = &zeroes[..left.min(zeroes.len())];
            file.write_at(piece, position)?;
            file.sync()?;
            position += piece.len() as u64;
        }
        file.write_at(&header.encode(), 0)?;
        file.sync()?;
        Ok(file)
    }

    fn header(&self, epoch: u64, used_before: bool) -> SegmentHeader {
        SegmentHeader { store_id: self.store_id, epoch, size: self.size, used_before }
    }
}
