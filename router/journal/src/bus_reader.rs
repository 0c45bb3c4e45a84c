//! Reading one bus, what is sealed and what is hot.
//!
//! # Invariants
//!
//! - Every record of the bus from the first position on is seen once, in order, unless it has
//!   expired; the sealer may move the border meanwhile.

use std::sync::Arc;

use crate::{ChainCursor, Cursor, Filter, Offset, ReadError, Reading, Record, journal::Inner};

/// A place in the records of one bus that moves forwards. It reads files on the thread that calls
/// it, and holds no lock meanwhile.
pub struct BusReader {
    journal: Arc<Inner>,
    bus: Arc<str>,
    position: Offset,
    filter: Option<Filter>,
    skips_damaged: bool,
    place: Option<Place>,
    reading: Reading,
}

enum Place {
    /// Up to this offset.
    Sealed(Box<ChainCursor>, Offset),
    Hot(Box<Cursor>),
}

impl BusReader {
    pub(crate) fn new(journal: Arc<Inner>, bus: &str, from: Offset) -> Self {
        Self {
            journal,
            bus: bus.into(),
            position: from,
            filter: None,
            skips_damaged: false,
            place: None,
            reading: Reading::default(),
        }
    }

    /// Passes over sealed blocks for which the filter says `false`. Records of the others, and
    /// those that are hot, all come: the filter is no match.
    #[must_use]
    pub fn skipping(self, filter: Filter) -> Self {
        Self { filter: Some(filter), place: None, ..self }
    }

    /// Goes on behind what is damaged among the sealed records, after reporting it once.
    #[must_use]
    pub fn skip_damaged(self) -> Self {
        Self { skips_damaged: true, place: None, ..self }
    }

    /// Nothing of the bus before this offset will come any more.
    pub fn position(&self) -> Offset {
        self.position
    }

    /// What was read of sealed segments so far.
    pub fn reading(&self) -> Reading {
        let mut sum = self.reading;
        if let Some(Place::Sealed(cursor, _)) = &self.place {
            add(&mut sum, cursor.reading());
        }
        sum
    }

    /// The next records of the bus; `None` when there is no durable record of any bus yet at the
    /// position. A batch is empty when only the position has moved.
    ///
    /// After an error the reader stands where it stood, or behind what was damaged.
    pub fn next_batch(&mut self) -> Result<Option<Vec<Record>>, ReadError> {
        loop {
            if self.journal.log().end() <= self.position {
                return Ok(None);
            }
            let batch = match self.place.take() {
                Some(Place::Sealed(cursor, end)) => self.sealed(cursor, end)?,
                Some(Place::Hot(cursor)) => self.hot(cursor)?,
                None => {
                    self.place = Some(self.find());
                    continue;
                }
            };
            if let Some(batch) = batch {
                return Ok(Some(batch));
            }
        }
    }

    fn find(&mut self) -> Place {
        let (log, position) = (self.journal.log(), self.position);
        let sealed_to = log.sealed_to();
        if sealed_to <= position {
            return Place::Hot(Box::new(Cursor::new(Arc::clone(log), position)));
        }
        let Some(chain) = self.journal.buses().get(&self.bus) else {
            // Nothing of this bus was ever sealed.
            self.position = sealed_to;
            return Place::Hot(Box::new(Cursor::new(Arc::clone(log), sealed_to)));
        };
        let mut cursor = chain.read(position).until(sealed_to);
        if let Some(filter) = &self.filter {
            cursor = cursor.skipping(Arc::clone(filter));
        }
        if self.skips_damaged {
            cursor = cursor.skip_damaged();
        }
        Place::Sealed(Box::new(cursor), sealed_to)
    }

    /// `None` at the end of what is sealed.
    fn sealed(
        &mut self,
        mut cursor: Box<ChainCursor>,
        end: Offset,
    ) -> Result<Option<Vec<Record>>, ReadError> {
        let result = cursor.next_batch();
        self.position = match result {
            Ok(None) => end,
            _ => self.position.max(cursor.position().min(end)),
        };
        match result? {
            None => {
                add(&mut self.reading, cursor.reading());
                Ok(None)
            }
            Some(batch) => {
                self.place = Some(Place::Sealed(cursor, end));
                let bus = &self.bus;
                let records = batch.into_iter().map(|record| Record {
                    offset: record.offset,
                    time: record.time,
                    bus: Arc::clone(bus),
                    payload: record.payload,
                });
                Ok(Some(records.collect()))
            }
        }
    }

    /// `None` when it was sealed and is not hot any more.
    fn hot(&mut self, mut cursor: Box<Cursor>) -> Result<Option<Vec<Record>>, ReadError> {
        let result = cursor.next_batch();
        if let Err(ReadError::Gone { .. }) = &result
            && self.position < self.journal.log().sealed_to()
        {
            return Ok(None);
        }
        let mut batch = result?.unwrap_or_default();
        batch.retain(|record| record.bus == self.bus);
        self.position = cursor.position();
        self.place = Some(Place::Hot(cursor));
        Ok(Some(batch))
    }
}

fn add(sum: &mut Reading, more: Reading) {
    sum.blocks_read += more.blocks_read;
    sum.blocks_skipped += more.blocks_skipped;
    sum.bytes_read += more.bytes_read;
    sum.damaged += more.damaged;
}
