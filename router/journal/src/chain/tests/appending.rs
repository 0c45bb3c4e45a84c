use super::*;

fn push(appender: &Appender, number: u64) -> Offset {
    let ChainRecord { time, payload, .. } = record(number);
    let found = |keys: &mut Keys| keys.key(number);
    appender.push(time, payload, &mut { found }).expect("it is taken")
}

fn numbers(chain: &Chain) -> Vec<Bytes> {
    read_all(chain).into_iter().map(|record| record.payload).collect()
}

fn expected(count: u64) -> Vec<Bytes> {
    (0..count).map(|number| record(number).payload).collect()
}

#[test]
fn what_is_pushed_is_read_at_once_flushed_or_not() {
    let disk = disk(1);
    let (chain, _) = open(&disk);
    let appender = chain.appender().unwrap();
    let mut cursor = chain.read(Offset::ZERO);
    let mut followed = Vec::new();
    for number in 0..500 {
        assert_eq!(push(&appender, number), Offset::new(number));
        if number % 7 == 0 {
            appender.flush().unwrap();
        }
        if number % 3 == 0 {
            followed.extend(drain(&mut cursor).unwrap());
        }
        if number % 41 == 0 {
            assert_eq!(numbers(&chain), expected(number + 1));
        }
    }
    followed.extend(drain(&mut cursor).unwrap());
    assert_eq!(followed, read_all(&chain));
    assert_eq!(chain.covered(), Offset::ZERO..Offset::new(500));
    let stats = chain.stats();
    assert_eq!((stats.records, stats.next_offset), (500, Offset::new(500)));
    assert!(5 < stats.segments);
    assert_eq!(chain.get(Offset::new(499)).unwrap().unwrap().payload, record(499).payload);
    assert_eq!(chain.offset_at(45).unwrap(), Offset::new(450));
}

#[test]
fn a_killed_process_loses_only_what_was_not_flushed() {
    let disk = disk(1);
    let (chain, _) = open(&disk);
    let appender = chain.appender().unwrap();
    (0..40).for_each(|number| _ = push(&appender, number));
    appender.flush().unwrap();
    push(&appender, 40);
    disk.kill();
    let (chain, report) = open(&disk);
    assert_eq!(report, ChainReport::default());
    assert_eq!(numbers(&chain), expected(40));

    // It goes on in the same file, with the filters of the blocks from before.
    let appender = chain.appender().unwrap();
    (40..45).for_each(|number| _ = push(&appender, number));
    appender.roll().unwrap();
    assert_eq!(numbers(&chain), expected(45));
    let mut cursor = chain.read(Offset::ZERO).skipping(Arc::new(|block| block.may_hold_key(3)));
    assert!(drain(&mut cursor).unwrap().iter().any(|found| found.payload == record(3).payload));
    assert!(cursor.reading().blocks_read < 3, "{:?}", cursor.reading());
}

#[test]
fn after_a_loss_of_power_whole_blocks_are_left_and_what_is_missing_is_said() {
    let mut torn = 0;
    for seed in 1..200 {
        let disk = disk(seed);
        let (chain, _) = open(&disk);
        let appender = chain.appender().unwrap();
        (0..30).for_each(|number| _ = push(&appender, number));
        appender.roll().unwrap();
        (30..90).for_each(|number| _ = push(&appender, number));
        appender.flush().unwrap();
        disk.crash();
        let (chain, report) = open(&disk);
        torn += u32::from(report.torn.is_some());
        let found = numbers(&chain);
        assert!(30 <= found.len(), "seed {seed}: what was rolled is durable");
        let next = chain.stats().next_offset.get();
        let lost: u64 = report.faults.iter().filter_map(|fault| fault.records).sum();
        assert_eq!(found.len() as u64 + lost, next, "seed {seed}: {report:?}");
        let mut rest = expected(next).into_iter();
        assert!(found.iter().all(|one| rest.any(|other| other == *one)), "seed {seed}");
        let appender = chain.appender().unwrap();
        (next..next + 50).for_each(|number| _ = push(&appender, number));
        appender.roll().unwrap();
        let (chain, report) = open(&disk);
        assert_eq!(report, ChainReport::default(), "seed {seed}");
        assert_eq!(numbers(&chain).len(), found.len() + 50, "seed {seed}");
    }
    assert!(8 < torn, "{torn} of 200");
}

#[test]
fn a_failed_write_loses_nothing_and_refuses_what_has_no_room() {
    let disk = disk(1);
    let (chain, _) = open(&disk);
    let appender = chain.appender().unwrap();
    (0..50).for_each(|number| _ = push(&appender, number));
    for after in 0..12 {
        let count = read_all(&chain).len() as u64;
        disk.faults(|faults| faults.write_fails_after = Some(after));
        let ChainRecord { time, payload, .. } = record(count);
        let pushed = appender.push(time, payload, &mut |_| ());
        let _rolled = appender.roll();
        disk.faults(|faults| faults.write_fails_after = None);
        let count = count + u64::from(pushed.is_ok());
        assert_eq!(numbers(&chain), expected(count), "after {after}");
        push(&appender, count);
        appender.flush().unwrap();
        assert_eq!(numbers(&open(&disk.copy()).0), expected(count + 1), "after {after}");
    }
}
