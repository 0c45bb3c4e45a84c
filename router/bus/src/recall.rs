//! Fetching the event of a delivery, wherever it still is.
//!
//! ```text
//! the bus's journal ─▶ its archives ─▶ the delivery's own row ─▶ a dead letter's copy
//! ```
//!
//! # Invariants
//!
//! - What is said to be gone is in none of these places, and will be in none.

use std::sync::Arc;

use delivery::DeliveryId;
use event::{Event, Timestamp};
use journal::{Journal, Offset, ReadError, Record};

use crate::archives::Archives;
use crate::core::Core;
use crate::record;
use crate::state::{self, Postponed, Recall, Recalled};

/// Why there is no event.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Missing {
    /// For good.
    #[error("{0}")]
    Gone(String),
    /// It may be there later.
    #[error("{0}")]
    Unread(String),
}

impl Core {
    /// The event of a delivery, as its replay shows it, and when it was taken in.
    pub(crate) fn event_at(&self, id: &DeliveryId) -> Result<(Event, Timestamp), Missing> {
        read_event(&self.journal, &self.archives.load(), id)
    }

    /// The event of a delivery; where the journal does not have it any more, the copy of its own
    /// row or of a dead letter.
    pub(crate) async fn event_or_copy(
        &self,
        id: &DeliveryId,
    ) -> Result<(Event, Timestamp), Missing> {
        let missing = match self.event_at(id) {
            Ok(found) => return Ok(found),
            Err(missing) => missing,
        };
        let asked = id.clone();
        let copy = self.state.run(move |tx| {
            let own = Postponed::copy_of(tx, &asked)?;
            match own {
                Some(own) => Ok(Some(own)),
                None => state::letters::copy_of(tx, asked.offset, asked.replay.as_deref()),
            }
        });
        match copy.await {
            Ok(Some(Recalled { event, ingested })) => {
                let event =
                    Event::read(event).map_err(|error| Missing::Unread(error.to_string()))?;
                Ok((event, ingested))
            }
            Ok(None) => Err(missing),
            Err(error) => Err(Missing::Unread(error.to_string())),
        }
    }

    /// What fetches the events of deliveries that die.
    pub(crate) fn recall(&self) -> Box<Recall> {
        let (journal, archives) = (self.journal.clone(), self.archives.load_full());
        Box::new(move |id| {
            let found = read_event(&journal, &archives, id);
            let (event, ingested) = found.ok()?;
            Some(Recalled { event: event.bytes().clone(), ingested })
        })
    }
}

fn read_event(
    journal: &Journal,
    archives: &Archives,
    id: &DeliveryId,
) -> Result<(Event, Timestamp), Missing> {
    let found = find(journal, archives, (&id.bus, Offset::new(id.offset)))?;
    let (event, ingested) = decode(&found)?;
    let event = match &id.replay {
        Some(name) => event.replayed(name),
        None => event,
    };
    Ok((event, ingested))
}

fn decode(record: &Record) -> Result<(Event, Timestamp), Missing> {
    let read = record::decode(&record.payload);
    let (event, _) = read.map_err(|error| Missing::Unread(error.to_string()))?;
    Ok((event, Timestamp::from_millis(record.time)))
}

/// The journal first. What it keeps no longer, an archive of the bus may.
fn find(
    journal: &Journal,
    archives: &Archives,
    (bus, offset): (&str, Offset),
) -> Result<Record, Missing> {
    let gone = match journal.get(bus, offset) {
        Ok(record) => return Ok(record),
        Err(error @ ReadError::Gone { .. }) => error.to_string(),
        Err(error) => return Err(Missing::Unread(error.to_string())),
    };
    for name in archives.covering(bus, offset) {
        let found = journal.archive(&name).and_then(|chain| chain.get(offset).ok().flatten());
        if let Some(found) = found {
            let (time, payload) = (found.time, found.payload);
            return Ok(Record { offset, bus: Arc::from(bus), time, payload });
        }
    }
    Err(Missing::Gone(gone))
}
