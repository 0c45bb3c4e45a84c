//! The window, read back from the journal.
//!
//! It costs a look at each record that is younger than the window, once, when the first key comes:
//! events without keys do not wait for it.

use event::{Event, Timestamp};
use journal::{Offset, ReadError, Record};

use super::window::{First, Print};
use crate::core::Core;
use crate::record::{self, Parts};

pub(super) async fn window(core: &Core, now: Timestamp) {
    let since = now.as_millis().saturating_sub(millis(core.options.deduplication.window));
    let end = core.journal.durable_end();
    if let Err(error) = read(core, since, end).await {
        tracing::error!(%error, "the journal cannot be read back to know its idempotency keys: an event that is sent again may be taken again");
    }
}

async fn read(core: &Core, since: i64, end: Offset) -> Result<(), ReadError> {
    let mut from = core.journal.offset_at(since)?;
    loop {
        let sealed_to = core.journal.sealed_to();
        if from < sealed_to {
            for (bus, _) in core.journal.sealed_buses() {
                let mut reader = core.journal.read_bus(&bus, from).skip_damaged();
                while reader.position() < sealed_to {
                    match reader.next_batch() {
                        Ok(Some(batch)) => remember(core, &batch).await,
                        Ok(None) => break,
                        // Reported once; the rest is read.
                        Err(ReadError::Damaged { .. }) => (),
                        Err(error) => return Err(error),
                    }
                }
            }
            from = sealed_to;
        }
        match read_hot(core, from, end).await {
            // It was sealed meanwhile.
            Err(ReadError::Gone { .. }) if sealed_to < core.journal.sealed_to() => (),
            result => return result,
        }
    }
}

async fn read_hot(core: &Core, from: Offset, end: Offset) -> Result<(), ReadError> {
    let mut cursor = core.journal.read_from(from);
    while cursor.position() < end {
        let Some(batch) = cursor.next_batch()? else { break };
        remember(core, &batch).await;
    }
    Ok(())
}

async fn remember(core: &Core, batch: &[Record]) {
    for record in batch {
        if let Some((print, first)) = first(core, record) {
            let time = Timestamp::from_millis(record.time);
            core.door.window.remember(print, first, time);
        }
    }
    tokio::task::yield_now().await;
}

/// The key that the record's event came with, and what a repeat of it is answered with.
fn first(core: &Core, entry: &Record) -> Option<(Print, First)> {
    let Parts { envelope, hops, key } = record::parts(&entry.payload).ok()?;
    // What another bus passed on did not come through the door.
    let is_pair = key.is_empty() && hops == 0 && core.deduplicates(&entry.bus);
    if key.is_empty() && !is_pair {
        return None;
    }
    let event = Event::read(envelope).ok()?;
    let print = if is_pair {
        Print::of_source_and_id(&entry.bus, event.source(), event.id())
    } else {
        Print::of_key(&entry.bus, &key)
    };
    Some((print, First::of(&event)))
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
