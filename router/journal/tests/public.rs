//! The journal as its callers use it, on a real disk.

use std::{sync::Arc, thread};

use bytes::Bytes;
use journal::{AppendError, Health, Journal, Offset, OpenError, Options, ReadError, Record};
use slipswitch_journal as journal;
use tempfile::TempDir;

/// Limits so small that a few records fill a segment.
fn small(dir: &TempDir) -> Options {
    Options {
        segment_bytes: 64 << 10,
        record_bytes_max: 20_000,
        group_bytes_max: 30_000,
        queue_bytes_max: 60_000,
        ..Options::new(dir.path())
    }
}

fn open(dir: &TempDir) -> Journal {
    Journal::open(small(dir)).expect("open the journal").0
}

fn payload(text: impl Into<String>) -> Bytes {
    Bytes::from(text.into())
}

fn read_all(journal: &Journal, from: Offset) -> Vec<Record> {
    let mut cursor = journal.read_from(from);
    let mut records = Vec::new();
    while let Some(batch) = cursor.next_batch().expect("read a batch") {
        assert!(!batch.is_empty());
        records.extend(batch);
    }
    records
}

#[test]
fn what_is_appended_is_read_from_any_offset_also_after_reopening() {
    let dir = TempDir::new().unwrap();
    let journal = open(&dir);
    for number in 0..100_u64 {
        let payloads = vec![payload(format!("{number} {}", "x".repeat(3000))), payload("second")];
        let range = journal.append_blocking("shop", payloads, 1000).unwrap();
        assert_eq!(range, Offset::new(2 * number)..Offset::new(2 * number + 2));
    }
    let before = read_all(&journal, Offset::ZERO);
    journal.close().unwrap();
    drop(journal);

    let (journal, recovery) = Journal::open(small(&dir)).unwrap();
    assert_eq!((recovery.records, recovery.torn), (200, None));
    assert!(recovery.segments > 5);
    assert_eq!(read_all(&journal, Offset::ZERO), before);
    for from in 0..=200 {
        assert_eq!(read_all(&journal, Offset::new(from)), before[usize::try_from(from).unwrap()..]);
    }
    for record in &before {
        assert_eq!(journal.get(&record.bus, record.offset).unwrap(), *record);
    }
    assert!(matches!(journal.get("shop", Offset::new(200)), Err(ReadError::NotYet { .. })));
}

#[test]
fn appenders_on_many_threads_each_read_back_their_own() {
    let dir = TempDir::new().unwrap();
    let journal = Arc::new(open(&dir));
    let threads: Vec<_> = (0..32)
        .map(|thread| {
            let journal = Arc::clone(&journal);
            thread::spawn(move || {
                let bus = format!("bus-{}", thread % 3);
                let mut own = Vec::new();
                for number in 0..40 {
                    let payloads: Vec<_> = (0..1 + number % 4)
                        .map(|part| payload(format!("{thread}/{number}/{part}")))
                        .collect();
                    let range = journal.append_blocking(&bus, payloads.clone(), 0).unwrap();
                    assert_eq!(range.end.get() - range.start.get(), payloads.len() as u64);
                    for (offset, payload) in (range.start.get()..).map(Offset::new).zip(payloads) {
                        let record = journal.get(&bus, offset).unwrap();
                        assert_eq!((&*record.bus, &record.payload), (&*bus, &payload));
                        own.push((offset, payload));
                    }
                }
                own
            })
        })
        .collect();
    let mut all: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    all.sort();
    let read: Vec<_> = read_all(&journal, Offset::ZERO)
        .into_iter()
        .map(|record| (record.offset, record.payload))
        .collect();
    assert_eq!(read, all);
    let stats = journal.stats();
    assert_eq!(stats.appended_records, all.len() as u64);
    assert_eq!(stats.sync_latency.count(), stats.groups);
    assert_eq!(stats.queued_bytes, 0);
}

#[test]
fn a_folder_is_one_journals_at_a_time() {
    let dir = TempDir::new().unwrap();
    let journal = open(&dir);
    let error = Journal::open(small(&dir)).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }));
    assert!(error.to_string().contains("another process has it open"), "{error}");
    let other_handle = journal.clone();
    drop(journal);
    assert!(matches!(Journal::open(small(&dir)), Err(OpenError::Locked { .. })));
    drop(other_handle);
    open(&dir);
}

#[test]
fn a_closed_journal_refuses_appends_and_can_still_be_read() {
    let dir = TempDir::new().unwrap();
    let journal = open(&dir);
    journal.append_blocking("shop", vec![payload("one")], 5).unwrap();
    let mut cursor = journal.read_from(Offset::ZERO);
    journal.close().unwrap();
    journal.close().unwrap();
    let refused = journal.append_blocking("shop", vec![payload("two")], 5).unwrap_err();
    assert!(matches!(refused, AppendError::Stopped { .. }), "{refused}");
    assert!(matches!(journal.health(), Health::Stopped { .. }));
    assert_eq!(cursor.next_batch().unwrap().unwrap().len(), 1);
    open(&dir);
}

#[test]
fn what_is_too_large_is_refused_with_the_limits_name() {
    let dir = TempDir::new().unwrap();
    let journal = open(&dir);
    let refuse =
        |bus: &str, payloads| journal.append_blocking(bus, payloads, 0).unwrap_err().to_string();
    let large = Bytes::from(vec![b'x'; 20_001]);
    assert_eq!(
        refuse("shop", vec![large.clone()]),
        "too large for the journal: a record of 20001 bytes, the limit is 20000 (record_bytes_max)"
    );
    assert_eq!(
        refuse("shop", vec![large.slice(1..); 2]),
        "too large for the journal: an append of 40017 bytes, the limit is 30000 (group_bytes_max)"
    );
    assert!(refuse("", vec![payload("x")]).contains("it must have 1 to 255"));
    assert!(refuse(&"b".repeat(256), vec![payload("x")]).contains("256 bytes long"));
    assert_eq!(
        journal.append_blocking("shop", vec![large.slice(1..)], 0).unwrap().start,
        Offset::ZERO
    );
}

#[test]
fn nothing_and_empty_payloads_can_be_appended() {
    let dir = TempDir::new().unwrap();
    let journal = open(&dir);
    assert_eq!(journal.append_blocking("shop", vec![], 0).unwrap(), Offset::ZERO..Offset::ZERO);
    journal.append_blocking("shop", vec![Bytes::new(), Bytes::new()], 0).unwrap();
    assert_eq!(read_all(&journal, Offset::ZERO).len(), 2);
}

#[test]
fn times_find_offsets_also_when_the_clock_steps_back() {
    let dir = TempDir::new().unwrap();
    let journal = open(&dir);
    // Large payloads: the times are spread over segments.
    let payload = Bytes::from(vec![b'x'; 9000]);
    let clock = [100, 200, 300, 150, 160, 400, 400, 399, 500];
    for time in clock.iter().chain([600; 40].iter()).chain([700].iter()) {
        journal.append_blocking("shop", vec![payload.clone()], *time).unwrap();
    }
    let check = |journal: &Journal| {
        let at = |time| journal.offset_at(time).unwrap().get();
        assert_eq!([at(i64::MIN), at(100), at(101), at(200), at(201)], [0, 0, 1, 1, 2]);
        assert_eq!([at(300), at(301), at(400), at(401), at(500)], [2, 5, 5, 8, 8]);
        assert_eq!(
            [at(501), at(600), at(601), at(700), at(701), at(i64::MAX)],
            [9, 9, 49, 49, 50, 50]
        );
        let times: Vec<_> =
            read_all(journal, Offset::ZERO).iter().map(|record| record.time).collect();
        assert!(times.is_sorted());
    };
    check(&journal);
    drop(journal);
    let journal = open(&dir);
    check(&journal);
    journal.append_blocking("shop", vec![payload], 1).unwrap();
    assert_eq!(journal.get("shop", Offset::new(50)).unwrap().time, 700);
}

#[test]
fn appends_wait_for_room_and_none_is_lost() {
    let dir = TempDir::new().unwrap();
    let journal = open(&dir);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        // Ten times what the queue holds, all at once.
        let mut appends = tokio::task::JoinSet::new();
        for number in 0..60 {
            let journal = journal.clone();
            appends.spawn(async move {
                journal
                    .append("shop", vec![Bytes::from(vec![number; 10_000])], 0)
                    .await
                    .unwrap()
                    .start
            });
        }
        let mut offsets = appends.join_all().await;
        offsets.sort();
        assert_eq!(offsets, (0..60).map(Offset::new).collect::<Vec<_>>());
        assert!(journal.stats().group_records_max <= 3, "a group holds 30,000 bytes");
    });
}

#[test]
fn a_waiting_reader_is_woken_by_the_record_and_by_the_end() {
    let dir = TempDir::new().unwrap();
    let journal = open(&dir);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let appending = journal.append("shop", vec![payload("x")], 0);
        let (range, ()) = tokio::join!(appending, journal.wait_past(Offset::ZERO));
        assert_eq!(range.unwrap().end, Offset::new(1));
        assert_eq!(journal.durable_end(), Offset::new(1));
        let closing = {
            let journal = journal.clone();
            async move { journal.close().unwrap() }
        };
        tokio::join!(journal.wait_past(Offset::new(100)), closing);
    });
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let dir = TempDir::new().unwrap();
    let refuse = |options: Options| Journal::open(options).unwrap_err().to_string();
    for (options, name) in [
        (
            Options { segment_bytes: 65_537, ..small(&dir) },
            "segment_bytes is 65537, it must be a multiple of 4096",
        ),
        (Options { segment_bytes: 32 << 10, ..small(&dir) }, "it must hold a largest group"),
        (Options { record_bytes_max: 30_000, ..small(&dir) }, "it must hold a largest record"),
        (Options { queue_bytes_max: 10_000, ..small(&dir) }, "queue_bytes_max is 10000"),
        (Options { queue_bytes_max: 5 << 30, ..small(&dir) }, "less than 4 GiB"),
    ] {
        let error = refuse(options);
        assert!(error.contains(name), "{error}");
    }
}
