//! Flipped bits, cut and removed files: noticed, contained, verified and repaired.

use super::{copies::NoCopies, repair::Damaged, verify::verify, *};
use crate::chain::repair::Repair;

fn repair(disk: &SimulatedDisk) -> std::io::Result<Repair> {
    super::repair::repair(&Damaged { disk, name: "shop", copies: &NoCopies })
}

/// A chain of a few files, and its records.
fn sealed_disk() -> (SimulatedDisk, Vec<ChainRecord>) {
    let disk = disk(1);
    let (chain, _) = open(&disk);
    seal(&chain, 0..240).unwrap();
    seal(&chain, 240..480).unwrap();
    (disk, records(0..480))
}

fn segments(disk: &SimulatedDisk) -> Vec<String> {
    disk.names().into_iter().filter(|name| name.ends_with(".evs")).collect()
}

/// What a reader gets who goes on behind damage, and how often he was told.
fn read_past_damage(chain: &Chain) -> (Vec<ChainRecord>, usize) {
    let mut cursor = chain.read(Offset::ZERO).skip_damaged();
    let (mut found, mut told) = (Vec::new(), 0);
    loop {
        match cursor.next_batch() {
            Ok(Some(batch)) => found.extend(batch),
            Ok(None) => return (found, told),
            Err(ReadError::Damaged { .. }) => told += 1,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Every record that is read was written, and whatever is missing was reported.
fn check(disk: &SimulatedDisk, all: &[ChainRecord], what: &str) {
    let named = verify(disk).unwrap().faults;
    assert!(!named.is_empty(), "{what}: not noticed");
    let opened = Chain::open_on(disk, options());
    let Ok((chain, report)) = opened else {
        assert!(
            named.iter().any(|fault| fault.path.ends_with("chain")),
            "{what}: it does not open"
        );
        return;
    };
    let (found, told) = read_past_damage(&chain);
    let mut rest = all.iter();
    assert!(found.iter().all(|record| rest.any(|other| other == record)), "{what}: wrong records");
    assert!(found.len() == all.len() || 0 < told, "{what}: records are missing in silence");
    assert!(all.len() - found.len() < 60 || !report.faults.is_empty(), "{what}: not contained");
    let by_key: Filter = Arc::new(|block| block.may_hold_key(0) || block.may_hold_key(300));
    let mut filtered = chain.read(Offset::ZERO).skipping(by_key).skip_damaged();
    while filtered.position() < chain.covered().end {
        if let Ok(Some(batch)) = filtered.next_batch() {
            assert!(batch.iter().all(|record| all.contains(record)), "{what}: wrong records");
        }
    }
}

/// After a repair nothing is wrong any more, and what was readable is there.
fn check_repair(disk: &SimulatedDisk, all: &[ChainRecord], what: &str) {
    let before =
        Chain::open_on(&disk.copy(), options()).map(|(chain, _)| read_past_damage(&chain).0);
    let done = repair(disk).unwrap();
    assert!(!done.actions.is_empty(), "{what}: nothing was done");
    let left = verify(disk).unwrap();
    assert_eq!(left.faults, [], "{what}");
    let (chain, report) = open(disk);
    assert_eq!((report.faults, report.strays), (vec![], vec![]), "{what}");
    let found = read_all(&chain);
    if let Ok(before) = before {
        assert_eq!(found, before, "{what}");
    }
    assert!(found.len() == all.len() || !done.lost.is_empty(), "{what}: lost in silence");
    assert_eq!(repair(disk).unwrap().actions, [""; 0], "{what}: it was repaired");
    seal(&chain, 480..600).unwrap();
    assert_eq!(read_all(&chain).len(), found.len() + 40);
}

#[test]
fn a_bit_flipped_anywhere_is_noticed_and_contained() {
    let (disk, all) = sealed_disk();
    let files: Vec<_> = segments(&disk).into_iter().chain(["chain".to_owned()]).collect();
    for name in files {
        let length = disk.open(&name).unwrap().len().unwrap();
        // Every byte of the ends, where each is another field; of the rest every thirteenth.
        for at in (0..length).filter(|at| *at < 150 || length - at < 150 || at % 13 == 0) {
            let damaged = disk.copy();
            let bit = at % 8;
            damaged.edit(&name, |bytes| bytes[usize::try_from(at).unwrap()] ^= 1 << bit);
            check(&damaged, &all, &format!("bit {bit} of byte {at} of {name}"));
            if at % 31 == 0 {
                check_repair(&damaged, &all, &format!("bit {bit} of byte {at} of {name}"));
            }
        }
    }
}

#[test]
fn a_cut_file_is_noticed_and_contained() {
    let (disk, all) = sealed_disk();
    for name in segments(&disk).into_iter().chain(["chain".to_owned()]) {
        let length = usize::try_from(disk.open(&name).unwrap().len().unwrap()).unwrap();
        for left in (0..length).step_by(97) {
            let damaged = disk.copy();
            damaged.edit(&name, |bytes| bytes.truncate(left));
            check(&damaged, &all, &format!("{name} cut to {left}"));
            check_repair(&damaged, &all, &format!("{name} cut to {left}"));
        }
    }
}

#[test]
fn a_file_that_is_missing_anywhere_is_named_with_what_it_held() {
    let (disk, all) = sealed_disk();
    for name in segments(&disk) {
        let damaged = disk.copy();
        damaged.delete(&name);
        let (chain, report) = open(&damaged);
        let [fault] = &report.faults[..] else { panic!("{report:?}") };
        assert!(fault.path.ends_with(&name), "{fault}");
        let offsets = fault.offsets.clone().unwrap();
        let (found, told) = read_past_damage(&chain);
        let expected: Vec<_> =
            all.iter().filter(|record| !offsets.contains(&record.offset)).cloned().collect();
        assert_eq!((found, told), (expected, 1));
        assert_eq!(fault.records, Some((all.len() - read_past_damage(&chain).0.len()) as u64));
        assert_eq!(chain.stats().missing_segments, 1);
        check(&damaged, &all, &name);
        check_repair(&damaged, &all, &name);
    }
}

#[test]
fn files_that_change_places_are_noticed() {
    let (disk, all) = sealed_disk();
    let names = segments(&disk);
    let read = |name: &str| {
        let file = disk.open(name).unwrap();
        let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
        file.read_at(&mut bytes, 0).unwrap();
        bytes
    };
    let (one, two) = (read(&names[0]), read(&names[1]));
    disk.edit(&names[0], |bytes| *bytes = two);
    disk.edit(&names[1], |bytes| *bytes = one);
    check(&disk, &all, "two files");
}

#[test]
fn a_lost_manifest_stops_the_start_until_it_is_repaired() {
    let (disk, all) = sealed_disk();
    disk.delete("chain");
    let error = Chain::open_on(&disk, options()).unwrap_err().to_string();
    assert!(error.contains("`slipswitch journal repair`"), "{error}");
    check_repair(&disk, &all, "no manifest");
}

#[test]
fn the_damaged_file_is_kept_as_it_was() {
    let (disk, _) = sealed_disk();
    let name = &segments(&disk)[1];
    disk.edit(name, |bytes| bytes[100] ^= 1);
    let expected = disk.copy();
    repair(&disk).unwrap();
    let bytes = |disk: &dyn Disk, name: &str| {
        let file = disk.open(name).unwrap();
        let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
        file.read_at(&mut bytes, 0).unwrap();
        bytes
    };
    assert_eq!(bytes(&disk.below("damaged"), name), bytes(&expected, name));
}

#[test]
fn a_repair_that_crashes_is_finished_by_the_next() {
    for after in 0..25 {
        for seed in 1..5 {
            let disk = disk(seed);
            let (chain, _) = open(&disk);
            seal(&chain, 0..480).unwrap();
            drop(chain);
            let name = segments(&disk)[0].clone();
            disk.edit(&name, |bytes| bytes[200] ^= 1);
            let (chain, _) = open(&disk);
            let readable = read_past_damage(&chain).0;
            disk.faults(|faults| faults.power_after = Some(after));
            let _crashed = repair(&disk);
            disk.crash();
            repair(&disk).unwrap();
            assert_eq!(verify(&disk).unwrap().faults, []);
            assert_eq!(read_all(&open(&disk).0), readable, "after {after}");
        }
    }
}

/// A chain whose appender was killed: one file is finished, another is not.
fn open_disk() -> (SimulatedDisk, String) {
    let disk = disk(1);
    let (chain, _) = open_large(&disk);
    let appender = chain.appender().unwrap();
    for number in 0..90 {
        let ChainRecord { time, payload, .. } = record(number);
        appender.push(time, payload, &mut |_| ()).unwrap();
        if number == 30 {
            appender.roll().unwrap();
        }
    }
    appender.flush().unwrap();
    let name = disk.names().into_iter().find(|name| name.ends_with(".open")).unwrap();
    disk.open(&name).unwrap().sync().unwrap();
    disk.sync_names().unwrap();
    disk.kill();
    (disk, name)
}

/// With files that are finished only when they are told to.
fn open_large(disk: &SimulatedDisk) -> (Chain, ChainReport) {
    let options = ChainOptions { segment_bytes_max: 1 << 20, ..options() };
    Chain::open_on(disk, options).expect("the chain opens")
}

fn offsets(chain: &Chain) -> Vec<u64> {
    read_all(chain).iter().map(|record| record.offset.get()).collect()
}

#[test]
fn a_bit_flipped_in_the_file_that_was_open_costs_its_block_alone() {
    let (sound, name) = open_disk();
    let length = sound.open(&name).unwrap().len().unwrap();
    let (mut damages, mut tails) = (0, 0);
    for at in (0..length).filter(|at| *at < 64 || at % 7 == 0) {
        let damaged = sound.copy();
        damaged.edit(&name, |bytes| bytes[usize::try_from(at).unwrap()] ^= 1 << (at % 8));
        let what = format!("byte {at} of {name}");
        let named = verify(&damaged).unwrap();
        let (chain, report) = open_large(&damaged);
        assert_eq!(named.faults, report.faults, "{what}");
        let (found, next) = (offsets(&chain), chain.stats().next_offset.get());
        let lost: u64 = report.faults.iter().filter_map(|fault| fault.records).sum();
        assert_eq!(found.len() as u64 + lost, next, "{what}: {report:?}");
        if report.faults.is_empty() {
            tails += 1; // What is in the last block may be a torn tail.
            assert!(report.torn.is_some() && 70 < next, "{what}: not noticed");
            continue;
        }
        damages += 1;
        assert!(next == 90 && 75 < found.len(), "{what}: {found:?}");
        assert!(damaged.below("damaged").names().contains(&name), "{what}: not set aside");
        assert_eq!(verify(&damaged).unwrap().faults, [], "{what}: mended");
        let appender = chain.appender().unwrap();
        appender.push(9, Bytes::from_static(b"more"), &mut |_| ()).unwrap();
        appender.roll().unwrap();
        assert_eq!(offsets(&chain), [&found[..], &[90]].concat(), "{what}");
        assert_eq!(verify(&damaged).unwrap().faults, [], "{what}: rolled");
    }
    assert!(100 < damages && 3 < tails, "{damages} and {tails}");
}

#[test]
fn a_repair_mends_the_file_that_was_open_as_a_start_does() {
    let (disk, name) = open_disk();
    disk.edit(&name, |bytes| bytes[200] ^= 1);
    let done = repair(&disk).unwrap();
    assert!(done.actions[0].contains("written anew") && done.lost.len() == 1, "{done:?}");
    let lost = done.lost[0].records.unwrap();
    assert_eq!(verify(&disk).unwrap().faults, []);
    let (chain, report) = open_large(&disk);
    assert_eq!((report, offsets(&chain).len() as u64), (ChainReport::default(), 90 - lost));
}

#[test]
fn the_file_that_was_open_is_kept_when_the_manifest_is_lost() {
    let (disk, name) = open_disk();
    let finished = segments(&disk);
    disk.delete("chain");
    for removed in [&[][..], &finished] {
        let disk = disk.copy();
        removed.iter().for_each(|name| disk.delete(name));
        Chain::open_on(&disk, options()).unwrap_err();
        assert!(disk.names().contains(&name), "nothing is removed by a start that refuses");
        repair(&disk).unwrap();
        assert_eq!(verify(&disk).unwrap().faults, []);
        let first = if removed.is_empty() { 0 } else { 31 };
        assert_eq!(offsets(&open_large(&disk).0), (first..90).collect::<Vec<_>>());
    }
}
