//! What the journal has done since it was opened, in numbers.

use std::time::Duration;

use crate::Offset;

/// The upper bounds of the buckets of [`Histogram`].
pub const LATENCY_BOUNDS: [Duration; 12] = [
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(200),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_secs(1),
];

/// How often something took how long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Per bound of [`LATENCY_BOUNDS`], those above the bound before and not above this one; the
    /// last is for the rest.
    pub counts: [u64; LATENCY_BOUNDS.len() + 1],
    pub sum: Duration,
}

impl Histogram {
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(crate) fn record(&mut self, took: Duration) {
        self.counts[LATENCY_BOUNDS.partition_point(|bound| *bound < took)] += 1;
        self.sum += took;
    }
}

/// A moment's view of the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// The first record that is hot; equal to `next_offset` when there is none.
    pub first_offset: Offset,
    /// The offset that the next record gets.
    pub next_offset: Offset,
    /// Records below are in sealed segments.
    pub sealed_to: Offset,
    /// Hot ones, used or not.
    pub segments: usize,
    /// The size of all segments, used or not.
    pub segment_bytes: u64,
    /// Segments that were sealed whole and used again, since the journal was opened.
    pub reused_segments: u64,
    /// Bytes waiting to be written, and in flight.
    pub queued_bytes: usize,
    /// Records that are acknowledged and not yet synced, because it was asked for.
    pub unsynced_records: u64,
    /// The numbers from here on count from the opening of the journal.
    pub appended_records: u64,
    /// Whole frames: payloads, what is around them, and padding.
    pub appended_bytes: u64,
    /// Groups that are durable. `appended_records / groups` is how much a sync carries.
    pub groups: u64,
    pub group_records_last: u32,
    pub group_records_max: u32,
    /// Appends that were refused for want of room.
    pub refused_appends: u64,
    /// Records that were acknowledged before they were synced, and could not be written then.
    pub lost_records: u64,
    /// Write and sync of a group, together.
    pub sync_latency: Histogram,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_falls_into_the_first_bucket_that_is_not_below_it() {
        let mut histogram = Histogram::default();
        for took in [0, 50, 51, 1_000_000, 1_000_001] {
            histogram.record(Duration::from_micros(took));
        }
        assert_eq!(histogram.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(histogram.count(), 5);
        assert_eq!(histogram.sum, Duration::from_micros(2_000_102));
    }
}
