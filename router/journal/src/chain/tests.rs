//! Chains on the simulated disk: what is written comes back, skips, expires, and survives crashes.

mod appending;
mod crashes;
mod damage;
mod fixture;
mod reading;

use std::{ops::Range, sync::Arc};

use bytes::Bytes;

use super::*;
use crate::disk::simulated::SimulatedDisk;

/// Files of a few blocks, blocks of a few records.
fn options() -> ChainOptions {
    ChainOptions {
        segment_bytes_max: 2000,
        block_bytes_max: 300,
        index_bytes_max: 1000,
        ..ChainOptions::new("", "shop")
    }
}

fn disk(seed: u64) -> SimulatedDisk {
    SimulatedDisk::new(seed).below("sealed").below("shop")
}

fn open(disk: &SimulatedDisk) -> (Chain, ChainReport) {
    Chain::open_on(disk, options()).expect("the chain opens")
}

/// Every third offset has a record; its time is a tenth of its offset.
fn record(offset: u64) -> ChainRecord {
    let mixed = offset.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let filler = format!("{mixed:x}{:x}{:x}", mixed.rotate_left(17), mixed.wrapping_mul(mixed));
    let text = format!("{offset} {}", filler.repeat(usize::try_from(offset / 3 % 4).unwrap()));
    ChainRecord {
        offset: Offset::new(offset),
        time: i64::try_from(offset / 10).unwrap(),
        payload: Bytes::from(text),
    }
}

fn records(span: Range<u64>) -> Vec<ChainRecord> {
    span.filter(|offset| offset % 3 == 0).map(record).collect()
}

/// A record is found by its offset as a key, and by its hundred as a value.
fn keys(record: &ChainRecord, keys: &mut Keys) {
    keys.key(record.offset.get());
    keys.value(0, (record.offset.get() / 100).to_string().as_bytes());
}

fn seal(chain: &Chain, span: Range<u64>) -> Result<SealedSpan, ChainError> {
    let offsets = Offset::new(span.start)..Offset::new(span.end);
    chain.seal(offsets, records(span), &keys)
}

fn drain(cursor: &mut ChainCursor) -> Result<Vec<ChainRecord>, ReadError> {
    let mut all = Vec::new();
    while let Some(batch) = cursor.next_batch()? {
        all.extend(batch);
    }
    Ok(all)
}

fn read_all(chain: &Chain) -> Vec<ChainRecord> {
    drain(&mut chain.read(Offset::ZERO)).expect("all of it is sound")
}
