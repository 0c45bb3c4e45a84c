//! Tests on the simulated disk: what the real one does too rarely.

mod crashes;
mod damage;
mod failures;
mod fixture;
mod inline;
mod posting;
mod sealing;

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::{
    Journal, Offset, OpenError, Options, Record, Recovery, disk::simulated::SimulatedDisk,
};

/// Longer than anything takes on a loaded machine: only what hangs meets it.
const LONG: Duration = Duration::from_secs(60);

/// Segments of four pages: rotation is part of every test.
pub(crate) fn options() -> Options {
    Options {
        segment_bytes: 16 << 10,
        record_bytes_max: 6000,
        group_bytes_max: 8000,
        queue_bytes_max: 16_000,
        free_bytes_min: 0,
        ..Options::new("")
    }
}

fn open(disk: &SimulatedDisk) -> Result<(Journal, Recovery), OpenError> {
    Journal::open_on(disk, options())
}

fn append(journal: &Journal, text: &str) -> Result<Offset, crate::AppendError> {
    journal
        .append_blocking("shop", vec![Bytes::copy_from_slice(text.as_bytes())], 1000)
        .map(|range| range.start)
}

fn read_all(journal: &Journal) -> Vec<Record> {
    let mut cursor = journal.read_from(journal.stats().first_offset);
    let mut records = Vec::new();
    while let Some(batch) = cursor.next_batch().expect("what was recovered can be read") {
        assert!(!batch.is_empty());
        records.extend(batch);
    }
    records
}

/// Waits until the spare is prepared, too.
fn wait_for_segments(journal: &Journal, count: usize) {
    wait_until(|| journal.stats().segments >= count);
}

/// For what another thread does.
#[expect(clippy::disallowed_methods, reason = "a limit on waiting, outside of the product")]
fn wait_until(is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < LONG, "it does not happen");
        std::thread::yield_now();
    }
}
