//! The delivery log's files: a chain that is appended to and never synced record by record.

use bytes::Bytes;
use event::Timestamp;
use journal::{Appender, Chain, ChainCursor, ChainStats, Filter, Offset, ReadError, Retention};

use super::line::{AttemptRecord, Line};
use super::{DeliveryLog, Wholly};

/// A file is finished after this part of what is kept, so that age can remove it.
const FILES_PER_AGE: u32 = 8;

pub(crate) struct Log {
    chain: Chain,
    appender: Appender,
}

impl Log {
    pub(crate) fn new(chain: Chain) -> Result<Self, String> {
        let appender = chain.appender().map_err(|error| error.to_string())?;
        Ok(Self { chain, appender })
    }

    pub(super) fn stats(&self) -> ChainStats {
        self.chain.stats()
    }

    /// Appends the lines. What is lost, and why.
    pub(super) fn write(&self, lines: &[Line], wholly: Wholly) -> (usize, Option<String>) {
        for (at, line) in lines.iter().enumerate() {
            let payload = Bytes::from(line.encode());
            let pushed = self.appender.push(line.time.as_millis(), payload, &mut |keys| {
                line.keys().for_each(|key| keys.key(key));
            });
            if let Err(error) = pushed {
                return (lines.len() - at, Some(error.to_string()));
            }
        }
        if wholly == Wholly::Yes
            && let Err(error) = self.appender.flush()
        {
            // Nothing is lost by it: the block stays, and is written with the next ones.
            return (0, Some(error.to_string()));
        }
        (0, None)
    }

    /// Lines that were taken and are in memory alone, because the disk did not take them.
    pub(super) fn unwritten(&self) -> usize {
        self.appender.unflushed()
    }

    /// Removes what is too old or too much.
    pub(super) fn expire(&self, keep: &DeliveryLog, now: Timestamp) {
        let age = i64::try_from(keep.age.as_millis()).unwrap_or(i64::MAX);
        if self.is_time_to_roll(keep, now)
            && let Err(error) = self.appender.roll()
        {
            tracing::warn!(%error, "the delivery log's file cannot be finished");
        }
        let retention = Retention {
            before_time: Some(now.as_millis().saturating_sub(age)),
            bytes_max: Some(keep.bytes),
            needed_from: Offset::new(u64::MAX),
        };
        match self.chain.expire(&retention) {
            Ok(gone) if 0 < gone.segments => {
                tracing::debug!(
                    attempts = gone.records,
                    bytes = gone.bytes,
                    "old attempts were removed"
                );
            }
            Ok(_nothing) => (),
            Err(error) => tracing::warn!(%error, "old attempts cannot be removed"),
        }
    }

    fn is_time_to_roll(&self, keep: &DeliveryLog, now: Timestamp) -> bool {
        // Of the file itself: it may have been begun long before this process was.
        let begun = self.appender.begun_at().map(Timestamp::from_millis);
        begun.is_some_and(|begun| keep.age / FILES_PER_AGE <= now.since(begun))
    }

    /// The attempts from a time on, in blocks that the filter lets pass.
    pub(super) fn read(&self, since: Timestamp, filter: Filter) -> Attempts {
        let cursor = self.chain.read(Offset::ZERO).between(since.as_millis()..=i64::MAX);
        Attempts(cursor.skipping(filter).skip_damaged())
    }
}

/// A place in the log that moves forwards.
pub(super) struct Attempts(ChainCursor);

impl Attempts {
    /// The next ones, maybe none; `None` at the end. What is damaged is passed over, and in the log.
    pub(super) fn next(&mut self) -> Option<Vec<AttemptRecord>> {
        loop {
            match self.0.next_batch() {
                Ok(batch) => {
                    let batch = batch?.into_iter();
                    return Some(
                        batch.filter_map(|one| AttemptRecord::decode(&one.payload)).collect(),
                    );
                }
                Err(ReadError::Damaged { .. } | ReadError::Gone { .. }) => (),
                Err(error) => {
                    tracing::warn!(%error, "the delivery log cannot be read");
                    return None;
                }
            }
        }
    }
}
