use super::*;

#[test]
fn what_is_sealed_is_read_from_any_offset_also_after_reopening() {
    let disk = disk(1);
    let (chain, report) = open(&disk);
    assert_eq!(report, ChainReport::default());
    let span = seal(&chain, 0..300).unwrap();
    assert_eq!((span.offsets, span.records), (Offset::ZERO..Offset::new(300), 100));
    assert!(1 < span.segments);
    seal(&chain, 300..301).unwrap();
    assert_eq!(seal(&chain, 301..303).unwrap().segments, 0, "no record, no file");
    seal(&chain, 303..600).unwrap();

    let (again, report) = open(&disk);
    assert_eq!(report, ChainReport::default());
    for chain in [&chain, &again] {
        assert_eq!(read_all(chain), records(0..600));
        assert_eq!(chain.covered(), Offset::ZERO..Offset::new(600));
        for from in 0..610 {
            let mut cursor = chain.read(Offset::new(from));
            assert_eq!(drain(&mut cursor).unwrap(), records(from..600), "from {from}");
            assert_eq!(cursor.position(), Offset::new(from.max(600)));
            let expected = (from < 600 && from % 3 == 0).then(|| record(from));
            assert_eq!(chain.get(Offset::new(from)).unwrap(), expected);
        }
        let stats = chain.stats();
        assert_eq!((stats.records, stats.first_time, stats.last_time), (200, Some(0), Some(59)));
        assert_eq!(stats.damaged_blocks, 0);
    }
}

#[test]
fn a_span_that_was_sealed_is_passed_over_when_it_comes_again() {
    let (chain, _) = open(&disk(1));
    seal(&chain, 0..300).unwrap();
    let span = seal(&chain, 0..330).unwrap();
    assert_eq!((span.offsets, span.records), (Offset::new(300)..Offset::new(330), 10));
    assert_eq!(read_all(&chain), records(0..330));
}

#[test]
fn a_chain_that_begins_late_covers_nothing_before_it() {
    let disk = disk(1);
    let (chain, _) = open(&disk);
    seal(&chain, 1000..1000).unwrap();
    assert_eq!(chain.covered(), Offset::new(1000)..Offset::new(1000));
    seal(&chain, 1000..1100).unwrap();
    let (chain, _) = open(&disk);
    assert_eq!(chain.covered(), Offset::new(1000)..Offset::new(1100));
    assert_eq!(read_all(&chain), records(1000..1100));
}

#[test]
fn times_find_offsets_and_bound_what_is_read() {
    let (chain, _) = open(&disk(1));
    seal(&chain, 0..900).unwrap();
    for time in -1..95_i64 {
        let expected = records(0..900).into_iter().find(|record| time <= record.time);
        let expected = expected.map_or(Offset::new(900), |record| record.offset);
        assert_eq!(chain.offset_at(time).unwrap(), expected, "time {time}");
    }
    let mut cursor = chain.read(Offset::ZERO).between(40..=42);
    let found = drain(&mut cursor).unwrap();
    assert_eq!(found, records(400..430));
    let reading = cursor.reading();
    assert!(reading.blocks_read < 6 && 20 < reading.blocks_skipped, "{reading:?}");
    let found = drain(&mut chain.read(Offset::new(410)).until(Offset::new(421))).unwrap();
    assert_eq!(found, records(410..421));
}

#[test]
fn a_filter_passes_over_blocks_by_values_and_by_keys() {
    let (chain, _) = open(&disk(1));
    seal(&chain, 0..3000).unwrap();
    let everything = {
        let mut cursor = chain.read(Offset::ZERO);
        drain(&mut cursor).unwrap();
        cursor.reading().blocks_read
    };
    let by_value: Filter = Arc::new(|summary| summary.may_hold_value(0, b"7"));
    let by_key: Filter = Arc::new(|summary| summary.may_hold_key(1500));
    for (filter, wanted, most) in
        [(by_value, records(700..800), 15), (by_key, records(1500..1501), 1 + everything / 20)]
    {
        let mut cursor = chain.read(Offset::ZERO).skipping(filter);
        let found = drain(&mut cursor).unwrap();
        assert!(wanted.iter().all(|record| found.contains(record)));
        let reading = cursor.reading();
        assert!(reading.blocks_read <= most, "{reading:?}");
        assert_eq!(reading.blocks_read + reading.blocks_skipped, everything);
        assert_eq!(cursor.position(), Offset::new(3000));
    }
}

#[test]
fn a_long_stretch_without_a_record_gives_the_caller_a_turn() {
    let (chain, _) = open(&disk(1));
    seal(&chain, 0..20_000).unwrap();
    let mut cursor = chain.read(Offset::ZERO).skipping(Arc::new(|_| false));
    assert_eq!(cursor.next_batch().unwrap(), Some(vec![]));
    assert!(cursor.position() < Offset::new(20_000));
    assert_eq!(drain(&mut cursor).unwrap(), []);
    assert_eq!(cursor.position(), Offset::new(20_000));
}

#[test]
fn records_larger_than_a_block_or_a_file_have_one_of_their_own() {
    let (chain, _) = open(&disk(1));
    let record =
        |offset, length| ChainRecord { payload: Bytes::from(vec![b'x'; length]), ..record(offset) };
    let all = vec![record(0, 10), record(1, 400), record(2, 5000), record(3, 0), record(4, 1)];
    chain.seal(Offset::ZERO..Offset::new(5), all.clone(), &keys).unwrap();
    assert_eq!(read_all(&chain), all);
    assert!(chain.stats().segments == 3, "{:?}", chain.stats());
}

#[test]
fn what_is_not_needed_expires_by_age_and_by_size_in_whole_files() {
    let disk = disk(1);
    let (chain, _) = open(&disk);
    seal(&chain, 0..3000).unwrap();
    let before = chain.stats();
    let mut overtaken = chain.read(Offset::ZERO);
    let first = overtaken.next_batch().unwrap().unwrap();
    let none = Retention { before_time: None, bytes_max: None, needed_from: Offset::new(3000) };
    assert_eq!(chain.expire(&none).unwrap(), Expired::default());

    let by_age = Retention { before_time: Some(100), ..none };
    let needed = Retention { needed_from: Offset::ZERO, ..by_age };
    assert_eq!(chain.expire(&needed).unwrap(), Expired::default());
    let expired = chain.expire(&by_age).unwrap();
    assert!(0 < expired.segments);
    let from = chain.covered().start;
    assert!((Offset::new(900)..=Offset::new(1002)).contains(&from), "{from}");
    let stats = chain.stats();
    assert_eq!(stats.records + expired.records, before.records);
    assert_eq!(stats.bytes + expired.bytes, before.bytes);
    assert_eq!(read_all(&chain), records(from.get()..3000));
    assert_eq!(chain.get(Offset::ZERO).unwrap(), None);

    let rest = drain(&mut overtaken);
    assert!(matches!(rest, Err(ReadError::Gone { .. })), "it was in an expired file");
    let mut passing = overtaken.skip_damaged();
    assert!(passing.next_batch().is_err());
    assert_eq!(drain(&mut passing).unwrap(), records(from.get()..3000));
    assert!(first.len() < 20);

    let by_size = Retention { bytes_max: Some(stats.bytes / 2), ..none };
    chain.expire(&by_size).unwrap();
    assert!(chain.stats().bytes <= stats.bytes / 2);
    let (again, report) = open(&disk);
    assert_eq!(report, ChainReport::default());
    assert_eq!(read_all(&again), read_all(&chain));
}

#[test]
fn a_removed_chain_leaves_nothing_and_takes_nothing() {
    let disk = disk(1);
    let (chain, _) = open(&disk);
    seal(&chain, 0..3000).unwrap();
    assert_eq!(chain.remove().unwrap().records, 1000);
    assert_eq!(disk.names(), [""; 0]);
    assert!(matches!(seal(&chain, 3000..3001), Err(ChainError::Stopped { .. })));
    let (chain, _) = open(&disk);
    assert_eq!(chain.covered(), Offset::ZERO..Offset::ZERO);
}

#[test]
fn one_writer_at_a_time() {
    let (chain, _) = open(&disk(1));
    let sealer = chain.sealer(Offset::ZERO).unwrap();
    assert!(matches!(chain.sealer(Offset::ZERO), Err(ChainError::Busy { .. })));
    drop(sealer);
    let _appender = chain.appender().unwrap();
    assert!(matches!(chain.sealer(Offset::ZERO), Err(ChainError::Busy { .. })));
}

#[test]
fn a_sealer_that_is_dropped_leaves_nothing() {
    let disk = disk(1);
    let (chain, _) = open(&disk);
    let mut sealer = chain.sealer(Offset::ZERO).unwrap();
    for record in records(0..900) {
        sealer.push(&record, &mut |found| keys(&record, found)).unwrap();
    }
    assert!(2 < disk.names().len());
    drop(sealer);
    assert_eq!(disk.names(), ["chain"]);
}

#[test]
fn a_full_disk_refuses_a_span_and_takes_it_when_there_is_room() {
    let disk = disk(1);
    let (chain, _) = open(&disk);
    seal(&chain, 0..300).unwrap();
    for more in (0..40_000_u64).step_by(501) {
        disk.faults(|faults| faults.capacity = None);
        let used = u64::MAX - disk.left_of(u64::MAX);
        disk.faults(|faults| faults.capacity = Some(used + more));
        if seal(&chain, 300..900).is_ok() {
            assert_eq!(read_all(&chain), records(0..900));
            return;
        }
        assert_eq!(read_all(&chain), records(0..300), "{more}");
        let leftovers = disk.names();
        assert!(!leftovers.iter().any(|name| name.ends_with(".evs.new")), "{leftovers:?}");
    }
    panic!("40,000 bytes are enough");
}

#[test]
fn a_folder_of_another_chain_is_refused() {
    let disk = disk(1);
    open(&disk);
    let options = ChainOptions { name: "till".to_owned(), ..options() };
    let error = Chain::open_on(&disk, options).unwrap_err().to_string();
    assert!(error.contains("the folder is that of \"shop\", not of \"till\""), "{error}");
}
