//! A data folder with everything in it, on the simulated disk.

use bytes::Bytes;

use super::*;
use crate::{
    Chain, ChainOptions, ChainRecord, Journal, Offset, SimulatedDisk,
    tests::options as journal_options,
};

/// Ten events of two buses: the first six are sealed, all are hot, every fourth is archived.
fn data() -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    let (journal, _) = Journal::open_on(&disk.below("journal"), journal_options()).unwrap();
    for number in 0..10 {
        let bus = if number % 2 == 0 { "shop" } else { "till" };
        let payload = Bytes::from(format!("event {number}"));
        journal.append_blocking(bus, vec![payload], 1000 + number).unwrap();
    }
    journal.close().unwrap();
    for (folder, name, step) in [("sealed", "shop", 2), ("archives", "fourths", 4)] {
        let chain = disk.below(folder).below(name);
        let (chain, _) = Chain::open_on(&chain, ChainOptions::new("", name)).unwrap();
        let records = (0..6).step_by(step).map(|number| ChainRecord {
            offset: Offset::new(number),
            time: 1000 + i64::try_from(number).unwrap(),
            payload: Bytes::from(format!("event {number}")),
        });
        chain.seal(Offset::ZERO..Offset::new(6), records, &|_, _| ()).unwrap();
    }
    disk.kill();
    disk
}

fn open(disk: &SimulatedDisk) -> StoppedData {
    StoppedData::open_in(Arc::new(disk.clone())).unwrap_or_else(|error| panic!("{error}"))
}

fn export(data: &StoppedData, of: ExportOf, times: std::ops::RangeInclusive<i64>) -> Vec<String> {
    let mut lines = Vec::new();
    let exported = data.export(&Export { of, times }, &mut |record| {
        let payload = String::from_utf8_lossy(&record.payload).into_owned();
        lines.push(format!("{} {} {payload}", record.offset, record.time));
        Ok(())
    });
    assert_eq!(exported.unwrap().records, lines.len() as u64);
    lines
}

#[test]
fn a_sound_folder_has_no_faults_and_nothing_to_repair() {
    let disk = data();
    let data = open(&disk);
    let found = data.verify().unwrap();
    assert_eq!((found.faults, found.notes), (vec![], vec![]));
    assert_eq!((found.records, found.blocks), (10 + 3 + 2, 10 + 2));
    assert_eq!(data.repair().unwrap(), Repair::default());
}

#[test]
fn a_running_routers_folder_is_refused() {
    let disk = data();
    let _running = open(&disk);
    let refused = StoppedData::open_in(Arc::new(disk.clone())).err().unwrap().to_string();
    assert!(refused.contains("stop that router first"), "{refused}");
    let empty = StoppedData::open_in(Arc::new(disk.below("sealed"))).err().unwrap().to_string();
    assert!(empty.contains("there is no journal in it"), "{empty}");
}

#[test]
fn an_export_has_what_is_sealed_and_what_is_hot_once() {
    let disk = data();
    let data = open(&disk);
    let all = export(&data, ExportOf::Bus("shop".to_owned()), 0..=2000);
    let expected = [0, 2, 4, 6, 8].map(|n| format!("{n} {} event {n}", 1000 + n));
    assert_eq!(all, expected);
    let some = export(&data, ExportOf::Bus("shop".to_owned()), 1003..=1007);
    assert_eq!(some, expected[2..4]);
    let hot = export(&data, ExportOf::Bus("till".to_owned()), 0..=2000);
    assert_eq!(hot, [1, 3, 5, 7, 9].map(|n| format!("{n} {} event {n}", 1000 + n)));
    let none = Export { of: ExportOf::Bus("moon".to_owned()), times: 0..=1 };
    let error = data.export(&none, &mut |_| Ok(())).unwrap_err().to_string();
    assert!(error.contains("no events of bus \"moon\"; there are: shop, till"), "{error}");
}

/// Every fourth event is in the archive.
fn fourths(bus: &str, name: &str) -> KnownArchive {
    KnownArchive {
        name: name.to_owned(),
        bus: bus.to_owned(),
        wants: Box::new(|record| record.offset.get().is_multiple_of(4)),
    }
}

#[test]
fn an_export_of_an_archive_has_what_is_not_sealed_yet_or_says_that_it_is_left_out() {
    let disk = data();
    let known =
        || open(&disk).knowing(["fourths", "fresh"].map(|name| fourths("shop", name)).into());
    let of = |name: &str| ExportOf::Archive(name.to_owned());
    let line = |n: u64| format!("{n} {} event {n}", 1000 + n);
    assert_eq!(export(&known(), of("fourths"), 0..=2000), [0, 4, 8].map(line));
    assert_eq!(export(&known(), of("fourths"), 1003..=1007), [4].map(line));
    assert_eq!(export(&known(), of("fresh"), 0..=2000), [0, 4, 8].map(line), "nothing sealed yet");
    seal_mark(&disk, 7);
    assert_eq!(export(&known(), of("fourths"), 0..=2000), [0, 4, 8].map(line));
    // It has nothing of what is sealed.
    assert_eq!(export(&known(), of("fresh"), 0..=2000), [8].map(line));

    let archive = |name: &str| Export { of: of(name), times: 0..=2000 };
    let exported = open(&disk).export(&archive("fourths"), &mut |_| Ok(())).unwrap();
    assert_eq!(exported.records, 2);
    let [said] = &exported.damages[..] else { panic!("{:?}", exported.damages) };
    assert!(said.contains("of the 3 events from offset 7 on"), "{said}");
    let error = known().export(&archive("moon"), &mut |_| Ok(())).unwrap_err().to_string();
    assert!(error.contains("archive \"moon\"; there are: fourths, fresh"), "{error}");
}

#[test]
fn the_parts_of_the_journal_are_listed() {
    let disk = data();
    let (infos, faults) = open(&disk).info().unwrap();
    assert_eq!(faults, []);
    let short: Vec<_> = infos.iter().map(|info| (info.kind, &*info.name, info.records)).collect();
    let expected =
        [(InfoKind::Hot, "", 10), (InfoKind::Bus, "shop", 3), (InfoKind::Archive, "fourths", 2)];
    assert_eq!(short, expected);
    assert_eq!((infos[0].first_time, infos[0].last_time), (Some(1000), Some(1009)));
    assert_eq!(infos[1].next_offset, Offset::new(6));
    disk.below("sealed").below("shop").delete("chain");
    let (rest, faults) = open(&disk).info().unwrap();
    assert_eq!(
        rest.iter().map(|info| info.kind).collect::<Vec<_>>(),
        [InfoKind::Hot, InfoKind::Archive]
    );
    let [fault] = &faults[..] else { panic!("{faults:?}") };
    assert!(fault.path.ends_with("sealed/shop/chain"), "{fault}");
    open(&disk).repair().unwrap();
    let (infos, _) = open(&disk).info().unwrap();
    assert_eq!((infos[1].kind, &*infos[1].name), (InfoKind::Bus, "shop"), "repaired");
}

#[test]
fn a_bit_flipped_in_any_frame_of_the_hot_journal_is_named() {
    let disk = data();
    let journal = disk.below("journal");
    for name in journal.names().iter().filter(|name| name.ends_with(".hot")) {
        let file = journal.open(name).unwrap();
        let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
        file.read_at(&mut bytes, 0).unwrap();
        for (page, start) in bytes.chunks(4096).zip((0..).step_by(4096)) {
            let used = page.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            let last_frame = page.windows(7).any(|text| text == b"event 9");
            for at in (0..used).step_by(5) {
                let damaged = disk.copy();
                damaged.below("journal").edit(name, |bytes| bytes[start + at] ^= 4);
                let found = open(&damaged).verify().unwrap();
                // Damage to the very last frame looks like a torn tail.
                let noted = !found.faults.is_empty() || (last_frame && !found.notes.is_empty());
                assert!(noted, "byte {at} of the page at {start} of {name}");
            }
        }
    }
    let damaged = disk.copy();
    damaged.below("journal").delete("0000000000000001.hot");
    assert!(!open(&damaged).verify().unwrap().faults.is_empty());
    let damaged = disk.copy();
    damaged.below("journal").delete("store");
    assert!(!open(&damaged).verify().unwrap().faults.is_empty());
}

/// What is read of the hot journal, by offset.
fn hot_offsets(disk: &SimulatedDisk) -> Vec<u64> {
    let (journal, _) = Journal::open_on(&disk.below("journal"), journal_options())
        .unwrap_or_else(|error| panic!("{error}"));
    let mut cursor = journal.read_from(journal.stats().first_offset);
    let mut offsets = Vec::new();
    while let Some(batch) = cursor.next_batch().unwrap() {
        assert!(!batch.is_empty());
        offsets.extend(batch.iter().map(|record| record.offset.get()));
    }
    let next = journal.append_blocking("shop", vec![Bytes::from_static(b"next")], 2000).unwrap();
    assert_eq!(next.start, journal.durable_end().before());
    offsets
}

#[test]
fn a_repaired_hot_journal_opens_without_what_is_lost_and_goes_on() {
    let disk = data();
    let journal = disk.below("journal");
    let mut repaired = 0;
    for name in journal.names().iter().filter(|name| name.ends_with(".hot")) {
        let length = journal.open(name).unwrap().len().unwrap();
        for page in (0..length).step_by(4096) {
            for at in [2, 10, 45] {
                let damaged = disk.copy();
                let place = usize::try_from(page).unwrap() + at;
                damaged.below("journal").edit(name, |bytes| bytes[place] ^= 4);
                if open(&damaged).verify().unwrap().faults.is_empty() {
                    continue; // Nothing stood there, or it was the last frame.
                }
                let done = open(&damaged).repair().unwrap();
                let what = format!("byte {place} of {name}: {done:?}");
                assert!(!done.actions.is_empty(), "{what}");
                assert_eq!(open(&damaged).verify().unwrap().faults, [], "{what}");
                assert_eq!(open(&damaged).repair().unwrap(), Repair::default(), "{what}");
                let lost: u64 = done.lost.iter().filter_map(|fault| fault.records).sum();
                let kept = hot_offsets(&damaged);
                assert_eq!(kept.len() as u64 + lost, 10, "{what}: {kept:?}");
                repaired += 1;
            }
        }
    }
    assert!(20 < repaired, "{repaired}");
    let damaged = disk.copy();
    damaged.below("journal").delete("0000000000000002.hot");
    let done = open(&damaged).repair().unwrap();
    let lost: u64 = done.lost.iter().filter_map(|fault| fault.records).sum();
    assert_eq!(hot_offsets(&damaged).len() as u64 + lost, 10, "{done:?}");
    let damaged = disk.copy();
    damaged.below("journal").delete("store");
    open(&damaged).repair().unwrap();
    assert_eq!(hot_offsets(&damaged), (0..10).collect::<Vec<_>>());
}

/// What a subscription remembers that has had everything.
fn open_expecting_all(disk: &SimulatedDisk) -> StoppedData {
    open(disk).expecting(Offset::new(10))
}

/// The folder after a repair: no fault, and what is lost is no record's offset any more.
fn repaired(disk: &SimulatedDisk, what: &str) -> Vec<u64> {
    let named = open_expecting_all(disk).verify().unwrap().faults;
    assert!(!named.is_empty(), "{what}: not noticed");
    let done = open_expecting_all(disk).repair().unwrap();
    assert!(!done.actions.is_empty(), "{what}: {done:?}");
    assert_eq!(open_expecting_all(disk).verify().unwrap().faults, [], "{what}: {done:?}");
    assert_eq!(open_expecting_all(disk).repair().unwrap(), Repair::default(), "{what}");
    let lost: u64 = done.lost.iter().filter_map(|fault| fault.records).sum();
    let kept = hot_offsets(disk);
    assert_eq!(kept.len() as u64 + lost, 10, "{what}: {kept:?} {done:?}");
    kept
}

#[test]
fn a_lost_end_that_somebody_remembers_is_a_fault_and_its_offsets_are_not_given_again() {
    let disk = data();
    let journal = disk.below("journal");
    let names: Vec<_> = journal.names().into_iter().filter(|name| name.ends_with(".hot")).collect();
    let options = crate::Options { end_min: Offset::new(10), ..journal_options() };
    let opens = |disk: &SimulatedDisk| Journal::open_on(&disk.below("journal"), options.clone());
    opens(&disk.copy()).unwrap();

    // All from some segment on, the spare one included.
    for count in 0..names.len() {
        let damaged = disk.copy();
        names[count..].iter().for_each(|name| damaged.below("journal").delete(name));
        let refused = opens(&damaged).err().map(|error| error.to_string());
        let Some(refused) = refused else { continue }; // The spare one alone.
        assert!(refused.contains("went on to 10") || refused.contains("below 10"), "{refused}");
        let kept = repaired(&damaged, &format!("all from segment {count} on"));
        assert_eq!(kept, (0..kept.len() as u64).collect::<Vec<_>>());
        let (journal, _) = opens(&damaged).unwrap();
        assert!(Offset::new(10) < journal.durable_end(), "a lost offset was given again");
    }
    // The last frame alone.
    let page = |page: u64| page * 4096 + 50;
    let damaged = disk.copy();
    let tail = names.iter().rev().find_map(|name| {
        let file = journal.open(name).unwrap();
        let mut magic = [0; 4];
        let pages = (1..file.len().unwrap() / 4096).rev();
        let mut frames = pages.filter(|page| {
            file.read_at(&mut magic, page * 4096).unwrap();
            magic == *b"SLFR"
        });
        frames.next().map(|page| (name.clone(), page))
    });
    let (name, last) = tail.unwrap();
    let place = usize::try_from(page(last)).unwrap();
    damaged.below("journal").edit(&name, |bytes| bytes[place] ^= 1);
    let before = damaged.copy();
    opens(&damaged).unwrap_err();
    let bytes = |disk: &SimulatedDisk| {
        let file = disk.below("journal").open(&name).unwrap();
        let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
        file.read_at(&mut bytes, 0).unwrap();
        bytes
    };
    assert!(bytes(&before) == bytes(&damaged), "a start that refuses changes nothing");
    assert_eq!(open(&damaged).verify().unwrap().faults, [], "nobody remembers it");
    assert_eq!(repaired(&damaged, "the last frame"), (0..9).collect::<Vec<_>>());
}

/// Where sealed segments end, as the router had written it down.
fn seal_mark(disk: &SimulatedDisk, to: u64) {
    disk.below("journal").edit("store", |bytes| {
        let mut store = crate::layout::Store::decode(bytes).unwrap();
        store.sealed_to = Offset::new(to);
        bytes.copy_from_slice(&store.encode());
    });
}

/// Repairs what verify names, and says how many records are lost.
fn lost_by(data: impl Fn() -> StoppedData, what: &str) -> u64 {
    assert!(!data().verify().unwrap().faults.is_empty(), "{what}: not noticed");
    let done = data().repair().unwrap();
    assert!(!done.actions.is_empty(), "{what}: {done:?}");
    assert_eq!(data().verify().unwrap().faults, [], "{what}: {done:?}");
    assert_eq!(data().repair().unwrap(), Repair::default(), "{what}");
    done.lost.iter().map(|fault| fault.records.unwrap()).sum()
}

type Damage<'a> = (&'a str, &'a dyn Fn(&SimulatedDisk));

#[test]
fn what_stands_in_two_places_is_lost_when_both_are_damaged() {
    let disk = data();
    seal_mark(&disk, 6);
    let known = |disk: &SimulatedDisk| open(disk).knowing(vec![fourths("shop", "fourths")]);
    let line = |n: u64| format!("{n} {} event {n}", 1000 + n);
    let shop = |disk: &SimulatedDisk| export(&known(disk), ExportOf::Bus("shop".into()), 0..=2000);
    let all = [0, 2, 4, 6, 8].map(line);
    let sealed = disk.below("sealed").below("shop");
    let [name] =
        &sealed.names().into_iter().filter(|name| name.ends_with(".evs")).collect::<Vec<_>>()[..]
    else {
        panic!()
    };
    let no_hot = |disk: &SimulatedDisk| {
        let journal = disk.below("journal");
        let hot = journal.names().into_iter().filter(|name| name.ends_with(".hot"));
        hot.for_each(|name| journal.edit(&name, |bytes| bytes[4096..].fill(0)));
    };
    let no_file = |disk: &SimulatedDisk| disk.below("sealed").below("shop").delete(name);

    let damages: [Damage<'_>; 4] = [
        ("a file is gone", &no_file),
        ("a block", &|disk| {
            disk.below("sealed").below("shop").edit(name, |bytes| bytes[64 + 30] ^= 1)
        }),
        ("cut", &|disk| disk.below("sealed").below("shop").edit(name, |bytes| bytes.truncate(100))),
        ("the manifest and the file", &|disk| {
            no_file(disk);
            disk.below("sealed").below("shop").edit("chain", |bytes| bytes.truncate(40));
        }),
    ];
    for (what, damage) in damages {
        let damaged = disk.copy();
        damage(&damaged);
        if what.starts_with("the manifest") {
            damaged.below("sealed").below("shop").delete("chain");
            assert!(!known(&damaged).repair().unwrap().actions.is_empty(), "{what}");
        } else {
            assert_eq!(lost_by(|| known(&damaged), what), 0, "{what}");
        }
        assert_eq!(shop(&damaged), all, "{what}");
        assert_eq!(hot_offsets(&damaged), (0..10).collect::<Vec<_>>(), "{what}");
    }

    // The hot copy is gone: of the sealed ones, two are in the archive, too.
    let damaged = disk.copy();
    no_hot(&damaged);
    no_file(&damaged);
    assert_eq!(lost_by(|| known(&damaged), "both"), 1);
    assert_eq!(shop(&damaged), [0, 4].map(line));

    // The archive, from what is sealed of its bus.
    let damaged = disk.copy();
    no_hot(&damaged);
    let chain = damaged.below("archives").below("fourths");
    let file = chain.names().into_iter().find(|name| name.ends_with(".evs")).unwrap();
    chain.delete(&file);
    assert_eq!(lost_by(|| known(&damaged), "archive"), 0);
    let archive = export(&known(&damaged), ExportOf::Archive("fourths".into()), 0..=2000);
    assert_eq!(archive, [0, 4].map(line));
}

#[test]
fn what_is_sealed_is_not_lost_with_its_hot_copy() {
    let disk = data();
    seal_mark(&disk, 6);
    let known = |disk: &SimulatedDisk| open(disk).knowing(vec![fourths("shop", "fourths")]);
    let shop = |disk: &SimulatedDisk| export(&known(disk), ExportOf::Bus("shop".into()), 0..=2000);
    let all = shop(&disk);
    for page in 1..=3 {
        let damaged = disk.copy();
        let first = "0000000000000001.hot";
        damaged.below("journal").edit(first, |bytes| bytes[page * 4096 + 45] ^= 1);
        let named = known(&damaged).verify().unwrap().faults;
        assert!(named.iter().all(|fault| fault.records.is_none()), "page {page}: {named:?}");
        assert_eq!(lost_by(|| known(&damaged), &format!("page {page}")), 0);
        assert_eq!(shop(&damaged), all, "page {page}");
    }
}

#[test]
fn segments_that_are_cut_or_another_journals_are_repaired() {
    let disk = data();
    let journal = disk.below("journal");
    let names: Vec<_> = journal.names().into_iter().filter(|name| name.ends_with(".hot")).collect();
    let other = SimulatedDisk::new(9).below("journal");
    let (stranger, _) = Journal::open_on(&other, journal_options()).unwrap();
    stranger.append_blocking("shop", vec![Bytes::from_static(b"strange")], 1).unwrap();
    stranger.close().unwrap();
    let first = other.names().into_iter().find(|name| name.ends_with(".hot")).unwrap();
    for name in &names {
        let length = usize::try_from(journal.open(name).unwrap().len().unwrap()).unwrap();
        for left in [0, 10, 4096, 4099, 8192, length - 4096, length - 1, length + 4096] {
            let damaged = disk.copy();
            damaged.below("journal").edit(name, |bytes| bytes.resize(left, 0));
            repaired(&damaged, &format!("{name} cut to {left}"));
        }
        let damaged = disk.copy();
        let file = other.open(&first).unwrap();
        let mut foreign = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
        file.read_at(&mut foreign, 0).unwrap();
        damaged.below("journal").edit(name, |bytes| *bytes = foreign);
        repaired(&damaged, &format!("{name} of another journal"));
    }
}

#[test]
fn an_archive_that_nobody_knows_is_noted_and_left_alone() {
    let disk = data();
    let known = open(&disk).knowing(vec![fourths("shop", "fourths")]);
    assert_eq!(known.verify().unwrap().notes, Vec::<String>::new());
    drop(known);
    let data = open(&disk).knowing(Vec::new());
    let found = data.verify().unwrap();
    assert_eq!((found.faults_count, found.notes.len()), (0, 1), "{:?}", found.notes);
    assert!(found.notes[0].contains(": an archive with 2 events that state.sqlite does not know"));
    assert_eq!(data.unlisted_archives().unwrap(), found.notes);
    assert_eq!(data.repair().unwrap(), Repair::default());
}
