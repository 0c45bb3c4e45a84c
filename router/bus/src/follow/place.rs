//! Where a follower reads: one bus, or all of them in the order of the journal.
//!
//! # Invariants
//!
//! - A place moves forwards only, and shows each record behind it once, also while the sealer moves the border between
//!   what is sealed and what is hot.
//! - **bounded**: of all buses, one block of each is in memory at a time.

use std::collections::VecDeque;
use std::sync::Arc;

use journal::{BusReader, Cursor, Filter, Journal, Offset, ReadError, Record};

use super::Follow;
use crate::core::Core;

pub(super) enum Place {
    One(BusReader),
    All(Box<All>),
}

/// All buses: merged where they are sealed, each into files of its own; as they lie where they are hot.
pub(super) struct All {
    journal: Journal,
    filter: Option<Filter>,
    position: Offset,
    sealed: Option<Merge>,
    hot: Option<Cursor>,
}

/// Several buses up to an offset, in its order.
struct Merge {
    until: Offset,
    heads: Vec<Head>,
}

struct Head {
    reader: BusReader,
    waiting: VecDeque<Record>,
}

impl Place {
    pub(super) fn open(core: &Core, follow: &Follow, from: Offset) -> Self {
        let needs = follow.pattern.as_ref().map(|pattern| pattern.needs());
        let filter = needs.filter(|needs| !needs.is_empty()).map(|needs| {
            let filter: Filter =
                Arc::new(move |block| needs.may_match(&|key| block.may_hold_key(key)));
            filter
        });
        let journal = core.journal.clone();
        match &follow.bus {
            Some(bus) => Self::One(reader(&journal, bus, (from, filter.as_ref()))),
            None => Self::All(Box::new(All {
                journal,
                filter,
                position: from,
                sealed: None,
                hot: None,
            })),
        }
    }

    /// Nothing before this offset will come any more.
    pub(super) fn position(&self) -> Offset {
        match self {
            Self::One(reader) => reader.position(),
            Self::All(all) => all.position,
        }
    }

    /// The next records; `None` at the end. What is damaged among the sealed ones is passed over: the journal says so
    /// in the log and in its figures.
    pub(super) fn next_batch(&mut self) -> Result<Option<Vec<Record>>, ReadError> {
        match self {
            Self::One(reader) => sound(reader),
            Self::All(all) => all.next_batch(),
        }
    }
}

impl All {
    fn next_batch(&mut self) -> Result<Option<Vec<Record>>, ReadError> {
        loop {
            let sealed_to = self.journal.sealed_to();
            if self.position < sealed_to {
                self.hot = None;
                let (journal, filter) = (&self.journal, self.filter.as_ref());
                let sealed = self.sealed.get_or_insert_with(|| {
                    Merge::open(journal, (self.position, filter), sealed_to)
                });
                let (batch, to) = sealed.next_batch(self.position)?;
                if sealed.until <= to {
                    self.sealed = None;
                }
                self.position = to;
                return Ok(Some(batch));
            }
            let hot = self.hot.get_or_insert_with(|| self.journal.read_from(self.position));
            match hot.next_batch() {
                // It was sealed meanwhile, and is not hot any more.
                Err(ReadError::Gone { .. }) if self.position < self.journal.sealed_to() => (),
                Err(error) => return Err(error),
                Ok(None) => return Ok(None),
                Ok(Some(batch)) => {
                    self.position = hot.position();
                    return Ok(Some(batch));
                }
            }
        }
    }
}

impl Merge {
    /// `until` was sealed before this looks which buses there are: none that has records below is missing.
    fn open(journal: &Journal, (from, filter): (Offset, Option<&Filter>), until: Offset) -> Self {
        let head = |bus: &str| Head {
            reader: reader(journal, bus, (from, filter)),
            waiting: VecDeque::new(),
        };
        let heads = journal.sealed_buses().iter().map(|(bus, _)| head(bus)).collect();
        Self { until, heads }
    }

    /// The records behind `position`, and how far they reach.
    fn next_batch(&mut self, position: Offset) -> Result<(Vec<Record>, Offset), ReadError> {
        let until = self.until;
        for head in &mut self.heads {
            while head.reader.position() <= position && head.reader.position() < until {
                let batch = sound(&mut head.reader)?.unwrap_or_default();
                head.waiting.extend(batch.into_iter().filter(|record| record.offset < until));
            }
        }
        let reached = self.heads.iter().map(|head| head.reader.position());
        let to = reached.min().unwrap_or(until).min(until);
        let mut found = Vec::new();
        for head in &mut self.heads {
            let below = head.waiting.partition_point(|record| record.offset < to);
            found.extend(head.waiting.drain(..below));
        }
        found.sort_by_key(|record| record.offset);
        Ok((found, to))
    }
}

fn reader(journal: &Journal, bus: &str, (from, filter): (Offset, Option<&Filter>)) -> BusReader {
    let reader = journal.read_bus(bus, from).skip_damaged();
    match filter {
        Some(filter) => reader.skipping(Arc::clone(filter)),
        None => reader,
    }
}

/// The next records that can be read.
fn sound(reader: &mut BusReader) -> Result<Option<Vec<Record>>, ReadError> {
    loop {
        let at = reader.position();
        match reader.next_batch() {
            Err(ReadError::Damaged { .. }) if at < reader.position() => (),
            batch => return batch,
        }
    }
}
