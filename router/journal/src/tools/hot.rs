//! Walking the hot journal without changing it.
//!
//! # Invariants
//!
//! - Every whole frame is visited, whatever stands between it and the one before.
//! - What recovery would refuse is a fault, what it would cut is a note.

mod verify;

use std::io;

pub(super) use verify::verify;

use crate::{
    Offset, Record,
    chain::Fault,
    disk::Disk,
    frame::{self, FrameError, Header},
    layout::{HEADER_LEN, PAGE, STORE_NAME, Seed, SegmentHeader, Store, StoreId},
    layout::{is_unfinished, segment_epoch, segment_name},
    segment::Segment,
    walk::{WalkError, Walker},
};

const CHUNK: usize = 1 << 20;

/// The segments of a hot journal, in order.
pub(super) struct Hot {
    pub(super) segments: Vec<Segment>,
    pub(super) faults: Vec<Fault>,
    notes: Vec<String>,
    pub(super) first_epoch: u64,
    /// Where `store` says that sealed segments end, and the time there; `None` when it is damaged.
    pub(super) sealed: Option<(Offset, i64)>,
    pub(super) store_id: Option<StoreId>,
}

/// A place that a walk has come to.
pub(super) enum Step<'a> {
    Frame {
        position: u64,
        header: &'a Header,
        body: &'a [u8],
    },
    Fault(Fault),
    /// A frame whose body is damaged. When no frame follows, it is a torn tail.
    Doubtful(Fault),
    /// Nothing follows in this segment.
    End {
        position: u64,
    },
}

impl Hot {
    pub(super) fn open(disk: &dyn Disk) -> io::Result<Self> {
        let mut hot = Self {
            segments: Vec::new(),
            faults: Vec::new(),
            notes: Vec::new(),
            first_epoch: 1,
            sealed: None,
            store_id: None,
        };
        let mut names = disk.list()?;
        names.sort();
        for name in names.iter().filter(|name| is_unfinished(name)) {
            let path = disk.path(name);
            hot.notes.push(format!("{}: a leftover, which the next start removes", path.display()));
        }
        let epochs: Vec<u64> = names.iter().filter_map(|name| segment_epoch(name)).collect();
        let Some(store_id) = hot.store(disk, &names, &epochs)? else { return Ok(hot) };
        hot.store_id = Some(store_id);
        let mut expected = hot.first_epoch;
        for epoch in epochs {
            if epoch < hot.first_epoch {
                let path = disk.path(&segment_name(epoch));
                hot.notes
                    .push(format!("{}: sealed whole, the next start removes it", path.display()));
                continue;
            }
            if expected < epoch {
                let what = format!("segments {expected} up to {epoch} are missing");
                hot.faults.push(plain(disk, &segment_name(expected), 0, what));
            }
            expected = epoch + 1;
            hot.segment(disk, epoch, &store_id)?;
        }
        if hot.segments.is_empty() && hot.sealed.is_some_and(|(to, _)| Offset::ZERO < to) {
            // There is always one that takes what comes after.
            let what = "the segment is missing".to_owned();
            hot.faults.push(plain(disk, &segment_name(hot.first_epoch), 0, what));
        }
        Ok(hot)
    }

    /// The store's id; where `store` is damaged, that of a segment.
    fn store(
        &mut self,
        disk: &dyn Disk,
        names: &[String],
        epochs: &[u64],
    ) -> io::Result<Option<StoreId>> {
        let what = if names.iter().any(|name| name == STORE_NAME) {
            match Store::decode(&head(disk, STORE_NAME)?) {
                Ok(store) => {
                    self.first_epoch = store.first_epoch;
                    self.sealed = Some((store.sealed_to, store.sealed_time));
                    return Ok(Some(store.id));
                }
                Err(error) => error.to_string(),
            }
        } else if epochs.is_empty() {
            return Ok(None);
        } else {
            "the file is missing, but there are segments".to_owned()
        };
        self.faults.push(plain(disk, STORE_NAME, 0, what));
        self.first_epoch = epochs.first().copied().unwrap_or(1);
        for epoch in epochs {
            if let Ok(header) = SegmentHeader::decode(&head(disk, &segment_name(*epoch))?) {
                return Ok(Some(header.store_id));
            }
        }
        Ok(None)
    }

    fn segment(&mut self, disk: &dyn Disk, epoch: u64, store_id: &StoreId) -> io::Result<()> {
        let name = segment_name(epoch);
        let file = disk.open(&name)?;
        let length = file.len()?;
        let header = SegmentHeader::decode(&head(disk, &name)?);
        let used_before = header.as_ref().is_ok_and(|header| header.used_before);
        match header {
            Err(error) => self.faults.push(plain(disk, &name, 0, error.to_string())),
            Ok(header) if header.store_id != *store_id || header.epoch != epoch => {
                let what = "the segment belongs to another journal, or to another place in it";
                self.faults.push(plain(disk, &name, 16, what.to_owned()));
            }
            Ok(header) if header.size != length => {
                let what =
                    format!("the file is {length} bytes long, its header says {}", header.size);
                self.faults.push(plain(disk, &name, length.min(header.size), what));
            }
            Ok(_sound) => (),
        }
        let (path, seed) = (disk.path(&name), Seed::new(store_id, epoch));
        let size = length - length % PAGE;
        self.segments.push(Segment { path, epoch, size, seed, used_before, file });
        Ok(())
    }

    /// Visits the frames of one segment. `expected` is the offset that comes next, if that is
    /// known.
    pub(super) fn walk(
        segment: &Segment,
        expected: &mut Option<Offset>,
        each: &mut dyn FnMut(Step<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut walker = Walker::new(CHUNK);
        let mut position = PAGE;
        loop {
            let header = match walker.header(segment, position, segment.size) {
                Ok(header) => header,
                Err(error) => {
                    let what = tolerate(error)?;
                    let Some(next) = next_frame(segment, position + PAGE)? else {
                        return each(Step::End { position });
                    };
                    each(Step::Fault(Fault {
                        path: segment.path.clone(),
                        position,
                        what,
                        offsets: None,
                        records: None,
                    }))?;
                    position = next;
                    continue;
                }
            };
            if let Some(offset) = expected.filter(|offset| *offset != header.first) {
                each(Step::Fault(missing(segment, position, offset, header.first)))?;
            }
            *expected = Some(header.end());
            match walker.body(segment, position, segment.size, &header) {
                Ok(body) => each(Step::Frame { position, header: &header, body })?,
                Err(error) => {
                    let what = tolerate(error)?;
                    each(Step::Doubtful(Fault {
                        path: segment.path.clone(),
                        position,
                        what,
                        offsets: Some(header.first..header.end()),
                        records: Some(header.records.into()),
                    }))?;
                }
            }
            position += header.frame_len();
        }
    }

    /// Every record of every whole frame, in order; faults are passed over.
    pub(super) fn records(
        segment: &Segment,
        each: &mut dyn FnMut(Record) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut expected = None;
        Self::walk(segment, &mut expected, &mut |step| {
            let Step::Frame { header, body, .. } = step else { return Ok(()) };
            let records = frame::decode(header, &bytes::Bytes::copy_from_slice(body));
            records.map_err(io::Error::other)?.into_iter().try_for_each(&mut *each)
        })
    }
}

/// Where sealed segments end, as far as `store` can tell.
pub(super) fn sealed_to(disk: &dyn Disk) -> io::Result<Offset> {
    if !disk.list()?.iter().any(|name| name == STORE_NAME) {
        return Ok(Offset::ZERO);
    }
    let store = Store::decode(&head(disk, STORE_NAME)?);
    Ok(store.map_or(Offset::ZERO, |store| store.sealed_to))
}

/// The next page from `start` on where a frame's header is sound.
pub(super) fn next_frame(segment: &Segment, start: u64) -> io::Result<Option<u64>> {
    let mut pages = Walker::new(CHUNK);
    let mut position = start;
    while position < segment.size {
        let page = pages.bytes(&*segment.file, position, PAGE, segment.size)?;
        let left = segment.size - position;
        if Header::decode(page, segment.seed).is_ok_and(|header| header.frame_len() <= left) {
            return Ok(Some(position));
        }
        position += PAGE;
    }
    Ok(None)
}

fn missing(segment: &Segment, position: u64, offset: Offset, first: Offset) -> Fault {
    let what = format!("records {offset} up to {first} are not there");
    let backwards = first < offset;
    Fault {
        path: segment.path.clone(),
        position,
        what: if backwards { format!("its records come again from {first} on") } else { what },
        offsets: (!backwards).then_some(offset..first),
        records: (!backwards).then(|| first.get() - offset.get()),
    }
}

fn plain(disk: &dyn Disk, name: &str, position: u64, what: String) -> Fault {
    Fault { path: disk.path(name), position, what, offsets: None, records: None }
}

/// What stands at the start of a file, as much as there is of it.
pub(super) fn head(disk: &dyn Disk, name: &str) -> io::Result<Vec<u8>> {
    let file = disk.open(name)?;
    let length = usize::try_from(file.len()?).unwrap_or(HEADER_LEN).min(HEADER_LEN);
    let mut bytes = vec![0; length];
    file.read_at(&mut bytes, 0)?;
    Ok(bytes)
}

fn tolerate(error: WalkError) -> io::Result<String> {
    match error {
        WalkError::Bad(FrameError::Absent) => Ok("a frame is destroyed".to_owned()),
        WalkError::Bad(error) => Ok(error.to_string()),
        WalkError::Io(error) if error.raw_os_error() == Some(libc::EIO) => Ok(error.to_string()),
        WalkError::Io(error) => Err(error),
    }
}
