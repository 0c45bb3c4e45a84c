//! How many events there are, and where the last of them begin, without reading their blocks.
//!
//! # Invariants
//!
//! - bounded: what is remembered are the blocks that the last events lie in.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use event::Timestamp;
use journal::{Filter, Offset, ReadError};

use super::{CompareError, Looking, Past, Watch};

/// What a span holds.
pub(super) struct Surveyed {
    pub from: Offset,
    pub events: u64,
    pub times: Option<(Timestamp, Timestamp)>,
}

/// A block, or a single record.
#[derive(Clone, Copy)]
struct Run {
    first: Offset,
    records: u64,
    times: (i64, i64),
}

/// The newest runs, as far as they are asked for.
struct Window {
    limit: Option<u64>,
    runs: VecDeque<Run>,
    records: u64,
    times: Option<(i64, i64)>,
}

impl Window {
    fn push(&mut self, run: Run) {
        self.records += run.records;
        let (first, last) = self.times.unwrap_or(run.times);
        self.times = Some((first.min(run.times.0), last.max(run.times.1)));
        let Some(limit) = self.limit else { return };
        self.runs.push_back(run);
        while let Some(first) = self.runs.front()
            && limit <= self.records - first.records
        {
            self.records -= first.records;
            self.runs.pop_front();
        }
    }
}

pub(super) fn survey(
    looking: &Looking<'_>,
    past: &Past<'_>,
    watch: &Watch,
) -> Result<Surveyed, CompareError> {
    let (from, to) = past.span;
    let limit = looking.ask.limit;
    let window = Window { limit, runs: VecDeque::new(), records: 0, times: None };
    let window = Arc::new(Mutex::new(window));
    let (whole, times) = (Arc::clone(&window), past.source.times());
    let filter: Filter = Arc::new(move |block| {
        let (offsets, of_block) = (block.offsets(), block.times());
        // What lies across an end is counted record by record.
        let is_within = from <= offsets.start
            && offsets.end <= to
            && times.contains(of_block.start())
            && times.contains(of_block.end());
        if is_within {
            let run = Run {
                first: offsets.start,
                records: block.records().into(),
                times: (*of_block.start(), *of_block.end()),
            };
            whole.lock().unwrap_or_else(PoisonError::into_inner).push(run);
        }
        !is_within
    });
    let journal = &looking.core.journal;
    let mut reader = past.source.read_with(journal, from, Some(filter));
    while reader.position() < to {
        if watch.is_left() {
            return Err(CompareError::Left);
        }
        let at = reader.position();
        let batch = match reader.next_batch() {
            Ok(Some(batch)) => batch,
            Ok(None) => break,
            Err(ReadError::Damaged { .. } | ReadError::Gone { .. }) if at < reader.position() => {
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
        for record in batch.iter().filter(|record| record.offset < to) {
            let times = (record.time, record.time);
            window.push(Run { first: record.offset, records: 1, times });
        }
    }
    drop(reader);
    let window = window.lock().unwrap_or_else(PoisonError::into_inner);
    let surplus = limit.map_or(0, |limit| window.records.saturating_sub(limit));
    let from = match (window.runs.front(), limit) {
        (_, Some(0)) => to,
        (Some(first), _) => after(looking, past, (first.first, surplus))?,
        (None, _) => from,
    };
    let of_runs = window.runs.iter().map(|run| run.times);
    let times = of_runs.reduce(|(first, last), (from, to)| (first.min(from), last.max(to)));
    let at = Timestamp::from_millis;
    Ok(Surveyed {
        from,
        events: window.records - surplus,
        times: times.or(window.times).map(|(first, last)| (at(first), at(last))),
    })
}

/// Where the record stands that so many come before, counted from `first` on.
fn after(
    looking: &Looking<'_>,
    past: &Past<'_>,
    (first, mut surplus): (Offset, u64),
) -> Result<Offset, CompareError> {
    if surplus == 0 {
        return Ok(first);
    }
    let mut reader = past.source.read_with(&looking.core.journal, first, None);
    while let Some(batch) = reader.next_batch()? {
        for record in batch {
            if surplus == 0 {
                return Ok(record.offset);
            }
            surplus -= 1;
        }
    }
    Ok(first)
}
