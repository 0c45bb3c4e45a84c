//! Opening what an earlier process left behind: `docs/journal-format.md`, "Recovery", step by step.
//!
//! # Invariants
//!
//! - Nothing acknowledged is cut: only bytes behind which no whole frame follows are.
//! - What is reported as recovered is durable, whatever the process before had in the page cache.
//! - After it, no frame of its epoch begins behind a segment's last: no later frame can make old
//!   bytes whole again.
//!
//! # Not here
//!
//! - Repairing damage: a person decides that.

mod tail;

use std::{
    fmt::Display,
    path::PathBuf,
    sync::{Arc, PoisonError},
};

use crate::{
    Offset, OpenError,
    disk::Disk,
    error::open_error,
    frame::{FrameError, Header},
    layout::{
        self, HEADER_LEN, HeaderError, PAGE, STORE_NAME, STORE_VERSION, SegmentHeader, Store,
        VERSION,
    },
    segment::{Segment, Written},
    walk::{WalkError, Walker},
};

/// How much is read at once.
const CHUNK: usize = 1 << 20;

/// What was found when the journal was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// How many records there are.
    pub records: u64,
    /// The write that was in flight when the process before ended; it is gone.
    pub torn: Option<Torn>,
    /// How many segment files there are.
    pub segments: usize,
}

/// A torn tail that was cut. Nothing in it was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    pub path: PathBuf,
    pub position: u64,
    pub bytes_cut: u64,
}

/// A journal, ready to be appended to.
pub(crate) struct Recovered {
    pub(crate) store: Store,
    /// The segments with frames.
    pub(crate) written: Vec<Arc<Written>>,
    /// Where appending goes on; `None` when there is no frame yet.
    pub(crate) tail: Option<Tail>,
    /// The prepared segments behind the tail.
    pub(crate) spares: Vec<Arc<Segment>>,
    pub(crate) next_epoch: u64,
    /// The size of all segments.
    pub(crate) segment_bytes: u64,
    pub(crate) end: Offset,
    /// The time of the last frame.
    pub(crate) time: i64,
    pub(crate) report: Recovery,
}

pub(crate) struct Tail {
    pub(crate) segment: Arc<Segment>,
    /// `None` when the segment's only frame turned out not to be durable.
    pub(crate) written: Option<Arc<Written>>,
    pub(crate) position: u64,
}

/// What the next frame must go on from.
#[derive(Copy, Clone)]
struct Expected {
    /// `None` at the start of a journal whose oldest segments are gone.
    offset: Option<Offset>,
    time: i64,
}

/// A segment, walked to its end.
struct Walked {
    written: Option<Written>,
    end_position: u64,
    last: Option<(u64, Header)>,
    next: Expected,
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum Depth {
    Headers,
    Bodies,
}

/// Records below `end_min` must be there.
pub(crate) fn recover(disk: &dyn Disk, end_min: Offset) -> Result<Recovered, OpenError> {
    let folder = disk.path("");
    let names =
        disk.list().map_err(|error| open_error(folder.clone(), "list the folder", error))?;
    // A name that the process before gave, and did not live to sync, must not go again with the
    // records in its file.
    disk.sync_names().map_err(|error| open_error(folder, "sync the folder", error))?;
    let store = store(disk, &names)?;
    let segments = open_segments(disk, &names, &store)?;

    let mut tail_index = None;
    for (index, segment) in segments.iter().enumerate().rev() {
        if tail::is_whole(segment, PAGE, &mut Walker::new(CHUNK))? {
            tail_index = Some(index);
            break;
        }
    }
    let mut written = Vec::new();
    let mut next =
        Expected { offset: (store.first_epoch == 1).then_some(Offset::ZERO), time: i64::MIN };
    let mut previous = None;
    for segment in &segments[..tail_index.unwrap_or(0)] {
        let walked = walk(segment, Depth::Headers, next, previous)?;
        next = walked.next;
        previous = Some((&**segment, walked.end_position));
        written.extend(walked.written.map(Arc::new));
    }
    let tail = match tail_index {
        None => None,
        Some(index) => {
            let walked = tail::settle(&segments[index], next, previous)?;
            next = walked.next;
            let tail_written = walked.written.map(Arc::new);
            written.extend(tail_written.clone());
            Some(Tail {
                segment: Arc::clone(&segments[index]),
                written: tail_written,
                position: walked.end_position,
            })
        }
    };

    check_sealed(&store, &written, next.offset)?;
    let end = next.offset.unwrap_or(store.sealed_to);
    if end < end_min {
        let what = format!(
            "the journal ends at offset {end}, but a subscription has had everything below {end_min}"
        );
        let last = tail.as_ref().map(|tail| (tail.segment.path.clone(), tail.position));
        let (path, position) = last.unwrap_or_else(|| {
            (disk.path(&layout::segment_name(store.first_epoch)), 0) // None is there, or none is whole.
        });
        return Err(damaged(path, position, what));
    }
    let unused = &segments[tail_index.map_or(0, |index| index + 1)..];
    let rests = tail.iter().map(|tail| (&*tail.segment, tail.position));
    let rests = rests.chain(unused.iter().map(|segment| (&**segment, PAGE)));
    let torn = tail::cut(rests)?;
    remove_leftovers(disk, &names, &store)?;

    let first = written.first().map_or(end, |written| written.first);
    Ok(Recovered {
        report: Recovery { records: end.get() - first.get(), torn, segments: segments.len() },
        next_epoch: segments.last().map_or(store.first_epoch, |segment| segment.epoch + 1),
        segment_bytes: segments.iter().map(|segment| segment.size).sum(),
        spares: unused.to_vec(),
        time: if store.sealed_to == Offset::ZERO {
            next.time
        } else {
            next.time.max(store.sealed_time)
        },
        store,
        written,
        tail,
        end,
    })
}

/// The journal's identity, drawn now when the folder is new.
fn store(disk: &dyn Disk, names: &[String]) -> Result<Store, OpenError> {
    let path = disk.path(STORE_NAME);
    let io = |action| {
        let path = path.clone();
        move |error| open_error(path, action, error)
    };
    if names.iter().any(|name| name == STORE_NAME) {
        let file = disk.open(STORE_NAME).map_err(io("open it"))?;
        let length = file.len().map_err(io("read it"))?.min(HEADER_LEN as u64);
        let mut bytes = [0; HEADER_LEN];
        let bytes = &mut bytes[..usize::try_from(length).unwrap_or(HEADER_LEN)];
        file.read_at(bytes, 0).map_err(io("read it"))?;
        return Store::decode(bytes).map_err(|error| header_error(path, STORE_VERSION, error));
    }
    if names.iter().any(|name| layout::segment_epoch(name).is_some()) {
        return Err(damaged(path, 0, "the file is missing, but there are segments"));
    }

    let mut id = [0; 16];
    disk.random(&mut id).map_err(io("draw its id from /dev/urandom"))?;
    let store = Store { id, first_epoch: 1, sealed_to: Offset::ZERO, sealed_time: 0 };
    store.write(disk).map_err(io("write it"))?;
    Ok(store)
}

fn open_segments(
    disk: &dyn Disk,
    names: &[String],
    store: &Store,
) -> Result<Vec<Arc<Segment>>, OpenError> {
    let mut epochs: Vec<u64> = names
        .iter()
        .filter_map(|name| layout::segment_epoch(name))
        .filter(|epoch| store.first_epoch <= *epoch)
        .collect();
    epochs.sort_unstable();
    if epochs.is_empty() && Offset::ZERO < store.sealed_to {
        // There is always one that takes what comes after.
        let first = disk.path(&layout::segment_name(store.first_epoch));
        return Err(damaged(first, 0, "the segment is missing"));
    }
    let mut segments = Vec::with_capacity(epochs.len());
    for (epoch, expected) in epochs.into_iter().zip(store.first_epoch..) {
        if epoch != expected {
            return Err(damaged(
                disk.path(&layout::segment_name(expected)),
                0,
                "the segment is missing",
            ));
        }
        segments.push(Arc::new(open_segment(disk, epoch, store)?));
    }
    Ok(segments)
}

fn open_segment(disk: &dyn Disk, epoch: u64, store: &Store) -> Result<Segment, OpenError> {
    let name = layout::segment_name(epoch);
    let path = disk.path(&name);
    let io = |error| open_error(path.clone(), "read its header", error);
    let file = disk.open(&name).map_err(io)?;
    let length = file.len().map_err(io)?;
    let mut bytes = [0; HEADER_LEN];
    let bytes = &mut bytes[..usize::try_from(length).unwrap_or(HEADER_LEN).min(HEADER_LEN)];
    file.read_at(bytes, 0).map_err(io)?;
    let header =
        SegmentHeader::decode(bytes).map_err(|error| header_error(path.clone(), VERSION, error))?;
    if header.store_id != store.id {
        return Err(damaged(path, 16, "the segment belongs to another journal"));
    }
    if header.epoch != epoch {
        return Err(damaged(
            path,
            32,
            format!("the segment's epoch is {}, its name says {epoch}", header.epoch),
        ));
    }
    if header.size != length {
        let what = format!("the file is {length} bytes long, its header says {}", header.size);
        return Err(damaged(path, length.min(header.size), what));
    }
    if !length.is_multiple_of(PAGE) || length < 2 * PAGE {
        return Err(damaged(path, 40, format!("{length} bytes is no size of a segment")));
    }
    let (seed, used_before) = (header.seed(), header.used_before);
    Ok(Segment { path, epoch, size: length, seed, used_before, file })
}

/// Walks a segment's frames up to the first page where none begins. `previous` is the segment
/// before it and where that ended.
fn walk(
    segment: &Arc<Segment>,
    depth: Depth,
    expected: Expected,
    previous: Option<(&Segment, u64)>,
) -> Result<Walked, OpenError> {
    let mut walker = Walker::new(CHUNK);
    let mut walked = Walked { written: None, end_position: PAGE, last: None, next: expected };
    while let Some(header) = frame(segment, walked.end_position, depth, &mut walker)? {
        let position = walked.end_position;
        if let Some(offset) = walked.next.offset.filter(|offset| *offset != header.first) {
            let what = format!("records {offset} up to {} are not there", header.first);
            let (place, position) = match previous {
                Some(previous) if walked.last.is_none() => previous,
                _ => (&**segment, position),
            };
            return Err(damaged(place.path.clone(), position, what));
        }
        if header.time < walked.next.time {
            let what = format!(
                "the frame's time {} is before {}, that of the frame before it",
                header.time, walked.next.time
            );
            return Err(damaged(segment.path.clone(), position, what));
        }
        match &mut walked.written {
            Some(written) => {
                written.index.get_mut().unwrap_or_else(PoisonError::into_inner).note(&header)
            }
            written => *written = Some(Written::new(Arc::clone(segment), &header)),
        }
        walked.next = Expected { offset: Some(header.end()), time: header.time };
        walked.end_position = position + header.frame_len();
        walked.last = Some((position, header));
    }
    Ok(walked)
}

/// The frame at `position`, or `None` when none begins there.
fn frame(
    segment: &Segment,
    position: u64,
    depth: Depth,
    walker: &mut Walker,
) -> Result<Option<Header>, OpenError> {
    let header = walker.header(segment, position, segment.size).and_then(|header| {
        if depth == Depth::Bodies {
            walker.body(segment, position, segment.size, &header)?;
        }
        Ok(header)
    });
    match header {
        Ok(header) => Ok(Some(header)),
        Err(WalkError::Bad(error @ FrameError::Nonsense(_))) => {
            Err(damaged(segment.path.clone(), position, error))
        }
        Err(WalkError::Bad(_)) => Ok(None),
        Err(WalkError::Io(source)) => Err(open_error(segment.path.clone(), "read it", source)),
    }
}

/// What is sealed and what is hot must meet.
fn check_sealed(
    store: &Store,
    written: &[Arc<Written>],
    end: Option<Offset>,
) -> Result<(), OpenError> {
    let sealed_to = store.sealed_to;
    if let Some(first) = written.first().filter(|first| sealed_to < first.first) {
        let what =
            format!("records {sealed_to} up to {} are neither sealed nor there", first.first);
        return Err(damaged(first.segment.path.clone(), PAGE, what));
    }
    match (written.last(), end) {
        (Some(last), Some(end)) if end < sealed_to => {
            let what = format!("it ends with record {end}, but {sealed_to} were sealed from it");
            let position = last.index.read().unwrap_or_else(PoisonError::into_inner).end_position;
            Err(damaged(last.segment.path.clone(), position, what))
        }
        _ => Ok(()),
    }
}

/// Removes what is unfinished, and segments that were sealed whole.
fn remove_leftovers(disk: &dyn Disk, names: &[String], store: &Store) -> Result<(), OpenError> {
    let is_sealed =
        |name: &str| layout::segment_epoch(name).is_some_and(|epoch| epoch < store.first_epoch);
    for name in names.iter().filter(|name| layout::is_unfinished(name) || is_sealed(name)) {
        disk.remove(name).map_err(|error| open_error(disk.path(name), "remove it", error))?;
    }
    Ok(())
}

fn damaged(path: PathBuf, position: u64, what: impl Display) -> OpenError {
    OpenError::Damaged { path, position, what: what.to_string() }
}

fn header_error(path: PathBuf, known: u32, error: HeaderError) -> OpenError {
    match error {
        HeaderError::Newer { found } => OpenError::NewerFormat { path, found, known },
        HeaderError::Bad(what) => damaged(path, 0, what),
    }
}
