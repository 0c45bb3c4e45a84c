//! What is hot and what is sealed are one journal, whatever happens in between.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;

use super::options;
use crate::{
    ChainRecord, Cursor, Health, Journal, Keys, Offset, OpenError, Options, ReadError, Record,
    Retention, SealError, SealWhat, Sealing, disk::simulated::SimulatedDisk,
};

const BUSES: [&str; 2] = ["shop", "audit"];

/// Everything of `shop` with a payload that begins with `a` is archived.
struct Archiving {
    hot_from: AtomicU64,
}

impl Default for Archiving {
    fn default() -> Self {
        Self { hot_from: AtomicU64::new(u64::MAX) }
    }
}

impl Sealing for Archiving {
    fn keys(&self, record: &Record, keys: &mut Keys) {
        keys.key(record.payload.first().copied().unwrap_or_default().into());
    }

    fn archives(&self, record: &Record, into: &mut Vec<Arc<str>>) {
        if *record.bus == *"shop" && record.payload.starts_with(b"a") {
            into.push("letters".into());
        }
    }

    fn hot_from(&self) -> Offset {
        Offset::new(self.hot_from.load(Ordering::Relaxed))
    }
}

fn open(disk: &SimulatedDisk) -> Result<Journal, OpenError> {
    let options = Options { inline: true, ..options() };
    Ok(Journal::open_on(disk, options)?.0)
}

/// The payload of the record at an offset, and its bus.
fn content(offset: u64) -> (&'static str, Bytes) {
    let letter = if offset.is_multiple_of(3) { "a" } else { "b" };
    let bus = BUSES[usize::from(offset.is_multiple_of(5))];
    let mut text = format!("{letter}{offset}").into_bytes();
    text.resize(2500, b'.');
    (bus, text.into())
}

fn append(journal: &Journal) -> bool {
    let (bus, payload) = content(journal.durable_end().get());
    let time = i64::try_from(journal.durable_end().get()).unwrap() * 10;
    journal.append_blocking(bus, vec![payload], time).is_ok()
}

fn read_bus(journal: &Journal, bus: &str, from: u64) -> Result<Vec<u64>, ReadError> {
    let mut reader = journal.read_bus(bus, Offset::new(from));
    let mut found = Vec::new();
    while let Some(batch) = reader.next_batch()? {
        for record in batch {
            let offset = record.offset.get();
            assert_eq!((&*record.bus, record.payload), content(offset));
            assert_eq!(record.time, i64::try_from(offset).unwrap() * 10);
            found.push(offset);
        }
    }
    assert_eq!(reader.position(), journal.durable_end());
    Ok(found)
}

/// Every record below the end is there, in its bus, once.
fn check(journal: &Journal) {
    let end = journal.durable_end().get();
    for bus in BUSES {
        let of_bus = |offset: &u64| content(*offset).0 == bus;
        for from in [0, 1, end / 2, end] {
            let wanted: Vec<u64> = (from..end).filter(of_bus).collect();
            assert_eq!(read_bus(journal, bus, from).unwrap(), wanted, "{bus} from {from}");
        }
    }
    for offset in (0..end).map(Offset::new) {
        let (bus, payload) = content(offset.get());
        assert_eq!(journal.get(bus, offset).unwrap().payload, payload);
        let other = BUSES.into_iter().find(|other| *other != bus).unwrap();
        assert!(matches!(journal.get(other, offset), Err(ReadError::Gone { .. })));
        let time = i64::try_from(offset.get()).unwrap() * 10;
        assert_eq!(journal.offset_at(time).unwrap(), offset);
        assert_eq!(journal.offset_at(time - 9).unwrap(), offset);
    }
    let archived = archived(journal);
    let sealed_to = journal.sealed_to().get();
    let wanted = (0..sealed_to)
        .filter(|offset| content(*offset).0 == "shop" && content(*offset).1.starts_with(b"a"));
    let wanted: Vec<u64> = wanted.collect();
    // A round that a crash has cut may have filled the archive already.
    assert_eq!(archived.get(..wanted.len()), Some(&wanted[..]));
    assert!(archived.iter().all(|offset| *offset < end));
}

fn archived(journal: &Journal) -> Vec<u64> {
    let mut found: Vec<ChainRecord> = Vec::new();
    if let Some(archive) = journal.archive("letters") {
        let mut cursor = archive.read(Offset::ZERO);
        while let Some(batch) = cursor.next_batch().unwrap() {
            found.extend(batch);
        }
    }
    found.into_iter().map(|record| record.offset.get()).collect()
}

#[test]
fn what_is_sealed_is_read_as_it_was_when_it_was_hot() {
    let disk = SimulatedDisk::new(1);
    let journal = open(&disk).unwrap();
    let sealing = Archiving::default();
    for number in 0..60 {
        assert!(append(&journal));
        match number % 20 {
            10 => drop(journal.seal(&sealing, SealWhat::Full).unwrap()),
            15 => drop(journal.seal(&sealing, SealWhat::All).unwrap()),
            _ => continue,
        }
        check(&journal);
    }
    let sealed = journal.seal(&sealing, SealWhat::All).unwrap();
    assert_eq!((sealed.to, journal.sealed_to()), (Offset::new(60), Offset::new(60)));
    check(&journal);
    let stats = journal.stats();
    assert!(5 < stats.reused_segments, "{stats:?}");
    assert!(stats.segments <= 5, "the last, the next, and two free ones; {stats:?}");
    assert_eq!(journal.seal(&sealing, SealWhat::All).unwrap().files, 0, "nothing is left to seal");
    journal.close().unwrap();
    disk.crash();
    let journal = open(&disk).unwrap();
    check(&journal);
    assert!(append(&journal), "it goes on behind what is sealed");
    check(&journal);
}

/// What is appended and sealed before the power goes. Gives back what was acknowledged.
fn live(disk: &SimulatedDisk, acknowledged: &mut u64) {
    let Ok(journal) = open(disk) else { return };
    let sealing = Archiving::default();
    for number in 0..14 {
        if !append(&journal) {
            return;
        }
        *acknowledged = (*acknowledged).max(journal.durable_end().get());
        let what = if number % 3 == 0 { SealWhat::All } else { SealWhat::Full };
        if number % 2 == 1 && journal.seal(&sealing, what).is_err() {
            return;
        }
    }
}

#[test]
fn a_crash_at_any_operation_repeats_or_completes_the_round() {
    for seed in 1..4_u64 {
        for after in 0.. {
            let disk = SimulatedDisk::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let mut acknowledged = 0;
            live(&disk, &mut acknowledged);
            let before = acknowledged;
            disk.faults(|faults| faults.power_after = Some(after));
            live(&disk, &mut acknowledged);
            let is_over = acknowledged == before + 14;
            if after % 3 == 0 {
                disk.kill()
            } else {
                disk.crash()
            }

            let journal = open(&disk).unwrap_or_else(|error| panic!("{seed}/{after}: {error}"));
            assert!(acknowledged <= journal.durable_end().get(), "seed {seed} after {after}");
            check(&journal);
            journal.seal(&Archiving::default(), SealWhat::All).unwrap();
            check(&journal);
            assert!(append(&journal));
            check(&journal);
            if is_over {
                assert!(40 < after, "the test has met every operation");
                break;
            }
        }
    }
}

#[test]
fn a_reader_keeps_the_hot_segment_that_it_reads() {
    let disk = SimulatedDisk::new(1);
    let journal = open(&disk).unwrap();
    for _ in 0..9 {
        assert!(append(&journal));
    }
    let mut cursor: Cursor = journal.read_from(Offset::ZERO);
    // One frame is read at a time, when the first batch ends with the segment.
    let first = cursor.next_batch().unwrap().unwrap().len();
    let mut held: Vec<_> = (0..9).map(|from| journal.read_from(Offset::new(from))).collect();
    for cursor in &mut held {
        assert!(cursor.next_batch().unwrap().is_some());
    }
    let mut readers: Vec<_> =
        (0..9).map(|from| journal.read_bus("shop", Offset::new(from))).collect();
    for reader in &mut readers {
        reader.next_batch().unwrap();
    }
    for _ in 0..40 {
        assert!(append(&journal));
        journal.seal(&Archiving::default(), SealWhat::Full).unwrap();
        while journal.turn() {}
    }
    assert!(0 < journal.stats().reused_segments);
    for (from, mut reader) in readers.into_iter().enumerate() {
        let mut last = 0;
        while let Some(batch) = reader.next_batch().unwrap() {
            for record in batch {
                assert_eq!((&*record.bus, record.payload), content(record.offset.get()));
                assert!(last < record.offset.get() || from == 0);
                last = record.offset.get();
            }
        }
        assert_eq!(last, 48);
    }
    assert!(0 < first);
    assert!(matches!(cursor.next_batch(), Err(ReadError::Gone { .. })));
}

#[test]
fn hot_segments_stay_as_long_as_they_are_asked_to() {
    let disk = SimulatedDisk::new(1);
    let journal = open(&disk).unwrap();
    let sealing = Archiving { hot_from: AtomicU64::new(4) };
    for _ in 0..20 {
        assert!(append(&journal));
    }
    journal.seal(&sealing, SealWhat::All).unwrap();
    assert_eq!(journal.sealed_to(), Offset::new(20));
    assert!(journal.read_from(Offset::new(4)).next_batch().unwrap().is_some());
    assert!(matches!(journal.read_from(Offset::ZERO).next_batch(), Err(ReadError::Gone { .. })));
    sealing.hot_from.store(20, Ordering::Relaxed);
    assert!(0 < journal.seal(&sealing, SealWhat::All).unwrap().freed);
    check(&journal);
}

#[test]
fn retention_removes_what_is_old_and_readers_go_on_behind_it() {
    let disk = SimulatedDisk::new(1);
    let journal = open(&disk).unwrap();
    for _ in 0..20 {
        assert!(append(&journal));
        journal.seal(&Archiving::default(), SealWhat::All).unwrap();
    }
    let keep =
        Retention { before_time: Some(100), bytes_max: None, needed_from: Offset::new(u64::MAX) };
    let expired = journal.expire("shop", &keep).unwrap();
    assert_eq!(expired.records, 8, "ten, but two are of the other bus");
    assert_eq!(read_bus(&journal, "shop", 0).unwrap().first(), Some(&11));
    assert!(matches!(journal.get("shop", Offset::new(1)), Err(ReadError::Gone { .. })));
    assert_eq!(read_bus(&journal, "audit", 0).unwrap().first(), Some(&0), "a bus has its own");
    assert_eq!(journal.first_offset("shop"), Offset::new(10));
    assert_eq!(journal.expire("nobody", &keep).unwrap().segments, 0);
}

#[test]
fn a_disk_that_is_nearly_full_takes_events_again_when_something_has_expired() {
    let disk = SimulatedDisk::new(1);
    let small = Options { inline: true, free_bytes_min: 4096, ..options() };
    let journal = Journal::open_on(&disk, small).unwrap().0;
    disk.faults(|faults| faults.capacity = Some(6 * (16 << 10)));
    let sealing = Archiving::default();
    let mut refused = None;
    for _ in 0..400 {
        if !append(&journal) {
            refused = Some(journal.durable_end());
            break;
        }
        while journal.turn() {}
        if journal.seal(&sealing, SealWhat::Full).is_err() {
            continue;
        }
    }
    let refused = refused.expect("the disk is small");
    assert!(matches!(journal.health(), Health::Full { .. }));
    let error = journal.seal(&sealing, SealWhat::All).expect_err("there is no room to seal");
    assert!(matches!(error, SealError::NoRoom { .. } | SealError::Chain(_)), "{error}");
    for bus in BUSES {
        let keep =
            Retention { before_time: None, bytes_max: Some(0), needed_from: Offset::new(u64::MAX) };
        journal.expire(bus, &keep).unwrap();
    }
    journal.drop_archive("letters").unwrap();
    journal.seal(&sealing, SealWhat::Full).expect("there is room now");
    while journal.turn() {}
    assert_eq!(journal.health(), Health::Ok, "by itself");
    assert!(append(&journal));
    assert_eq!(journal.durable_end(), refused.next());
    disk.crash();
    let journal = open(&disk).unwrap();
    let kept = read_bus(&journal, "shop", 0).unwrap();
    assert!(kept.contains(&refused.get()) || content(refused.get()).0 != "shop");
}

/// A journal where a router has it, in a data folder.
fn open_data(folder: &std::path::Path) -> Result<Journal, OpenError> {
    let options = Options {
        sealed_dir: folder.join("sealed"),
        archives_dir: folder.join("archives"),
        ..Options::new(folder.join("journal"))
    };
    Journal::open(options).map(|(journal, _)| journal)
}

#[test]
fn a_journal_that_ends_before_what_was_sealed_from_it_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name| folder.path().join(name);
    let open = || open_data(folder.path());
    let journal = open().unwrap();
    for _ in 0..5 {
        assert!(append(&journal));
    }
    journal.seal(&Archiving::default(), SealWhat::All).unwrap();
    journal.close().unwrap();
    drop(journal);
    std::fs::remove_dir_all(at("journal")).unwrap();
    for left in ["sealed", "archives"] {
        // A second start gives no offset anew either.
        for _start in 0..2 {
            let error = open().err().unwrap();
            let OpenError::Behind { end, sealed, sealed_end, .. } = &error else {
                panic!("{error}")
            };
            assert_eq!((end.get(), sealed_end.get()), (0, 5));
            assert!(sealed.starts_with(at(left)), "{error}");
        }
        std::fs::remove_dir_all(at(left)).unwrap();
    }
    assert!(append(&open().unwrap()));
}

/// Nothing of it can be compressed.
fn append_random(journal: &Journal, state: &mut u64) -> bool {
    let payload = (0..2500).map(|_| {
        *state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        state.to_be_bytes()[0]
    });
    let offset = journal.durable_end().get();
    let time = i64::try_from(offset).unwrap() * 10;
    let mut payload: Vec<u8> = payload.collect();
    payload[0] = b'a';
    journal.append_blocking(content(offset).0, vec![payload.into()], time).is_ok()
}

#[test]
fn sealing_leaves_the_reserve_free_whatever_it_seals() {
    const RESERVE: u64 = 24 << 10;
    let mut cut = 0;
    for segments in 5..24_u64 {
        let disk = SimulatedDisk::new(segments);
        let small = Options { inline: true, free_bytes_min: RESERVE, ..options() };
        let journal = Journal::open_on(&disk, small).unwrap().0;
        let capacity = segments * (16 << 10) + 5000;
        disk.faults(|faults| faults.capacity = Some(capacity));
        let mut state = segments;
        let mut refused = false;
        for number in 0..200 {
            refused |= !append_random(&journal, &mut state);
            while journal.turn() {}
            let before = disk.left_of(capacity);
            let what = if number % 7 == 0 { SealWhat::All } else { SealWhat::Full };
            match journal.seal(&Archiving::default(), what) {
                Ok(sealed) => cut += u32::from(sealed.is_cut),
                Err(SealError::NoRoom { free, needed, .. }) => {
                    assert_eq!((free, before), (before, disk.left_of(capacity)));
                    assert!(free < needed);
                }
                Err(error) => panic!("{segments} segments: {error}"),
            }
            let left = disk.left_of(capacity);
            assert!(RESERVE.min(before) <= left, "{segments} segments: {before}, then {left}");
        }
        assert!(refused, "{segments} segments are few");
        disk.faults(|faults| faults.capacity = None);
        assert!(!journal.seal(&Archiving::default(), SealWhat::All).unwrap().is_cut);
        assert_eq!(journal.sealed_to(), journal.durable_end());
        while journal.turn() {}
        assert!(append_random(&journal, &mut state), "it recovers by itself");
    }
    assert!(0 < cut, "rounds are cut to what fits");
}

#[test]
fn a_bus_whose_folder_is_gone_is_missed_though_another_reaches_further() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name| folder.path().join(name);
    let open = || open_data(folder.path()).unwrap();
    let journal = open();
    for (number, bus) in (0..).zip(["lab", "lab", "iv"]) {
        journal.append_blocking(bus, vec![Bytes::from_static(b"x")], number).unwrap();
    }
    journal.seal(&Archiving::default(), SealWhat::All).unwrap();
    journal.close().unwrap();
    drop(journal);
    let data = || crate::tools::StoppedData::open(folder.path()).unwrap();
    assert_eq!(data().verify().unwrap().faults, []);
    let gone = || std::fs::remove_dir_all(at("sealed/lab")).unwrap();
    gone();
    let faults = data().verify().unwrap().faults;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].what, "the sealed segments of bus \"lab\" are missing");
    assert_eq!(faults[0].records, Some(2));

    let journal = open();
    let span = Offset::ZERO..Offset::new(2);
    assert_eq!(journal.damaged_within("lab", &span).records, 2);
    let stats = journal.sealed_buses();
    let damaged = stats.iter().map(|(bus, stats)| (bus.as_str(), stats.damaged_blocks));
    assert_eq!(damaged.collect::<Vec<_>>(), [("iv", 0), ("lab", 1)]);
    let error = journal.read_bus("lab", Offset::ZERO).next_batch().unwrap_err();
    assert!(matches!(error, ReadError::Damaged { .. }), "{error}");
    journal.close().unwrap();
    drop(journal);
    assert_eq!(data().verify().unwrap().faults_count, 1, "the start has not made it right");

    gone();
    let done = data().repair().unwrap();
    assert_eq!(done.lost, [], "it is hot still");
    assert_eq!(data().verify().unwrap().faults, []);
    let read = open().read_bus("lab", Offset::ZERO).next_batch().unwrap().unwrap();
    assert_eq!(read.len(), 2);
}
