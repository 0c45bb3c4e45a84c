//! The journal without threads: what happens, happens in the caller's order.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::{open, options, read_all};
use crate::{AppendError, Journal, Offset, Options, disk::simulated::SimulatedDisk};

fn open_inline(disk: &SimulatedDisk) -> Journal {
    Journal::open_on(disk, Options { inline: true, ..options() }).expect("open").0
}

#[test]
fn appends_are_durable_after_the_turn_and_not_before() {
    let disk = SimulatedDisk::new(1);
    let journal = open_inline(&disk);
    let mut context = Context::from_waker(Waker::noop());
    let mut appends: Vec<_> = (0..3)
        .map(|_| Box::pin(journal.append("shop", vec![Bytes::from_static(b"x")], 0)))
        .collect();
    for append in &mut appends {
        assert!(append.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(journal.durable_end(), Offset::ZERO);
    assert!(journal.turn(), "the three are one group");
    for (number, append) in (0..).zip(&mut appends) {
        let range = Offset::new(number)..Offset::new(number + 1);
        assert_eq!(append.as_mut().poll(&mut context), Poll::Ready(Ok(range)));
    }
    assert_eq!(journal.stats().groups, 1);
    assert!(journal.turn(), "a spare is made");
    assert!(!journal.turn(), "nothing is left to do");
    disk.crash();
    assert_eq!(read_all(&open(&disk).expect("open").0).len(), 3);
}

#[test]
fn one_seed_makes_one_trace() {
    let trace = || {
        let disk = SimulatedDisk::new(9);
        for round in 0..40 {
            disk.faults(|faults| faults.power_after = Some(3 + round % 17));
            if let Ok((journal, _)) = Journal::open_on(&disk, Options { inline: true, ..options() })
            {
                let payload = Bytes::from(vec![b'x'; 5000]);
                while journal.append_blocking("shop", vec![payload.clone()], 0).is_ok() {
                    journal.turn();
                }
            }
            disk.crash();
        }
        read_all(&open_inline(&disk)).len()
    };
    let records = trace();
    assert!(0 < records && records == trace());
}

#[test]
fn a_blocking_append_does_the_work_itself() {
    let disk = SimulatedDisk::new(1);
    let journal = open_inline(&disk);
    for number in 0..9 {
        assert_eq!(super::append(&journal, "x"), Ok(Offset::new(number)), "over three segments");
    }
    journal.close().expect("close");
    assert!(!journal.turn());
    assert!(matches!(super::append(&journal, "x"), Err(AppendError::Stopped { .. })));
}

#[test]
fn closing_makes_durable_what_was_taken() {
    let disk = SimulatedDisk::new(1);
    let journal = open_inline(&disk);
    let mut append = Box::pin(journal.append("shop", vec![Bytes::from_static(b"x")], 0));
    let mut context = Context::from_waker(Waker::noop());
    assert!(append.as_mut().poll(&mut context).is_pending());
    journal.close().expect("close");
    assert!(matches!(append.as_mut().poll(&mut context), Poll::Ready(Ok(_))));
    disk.crash();
    assert_eq!(read_all(&open(&disk).expect("open").0).len(), 1);
}

#[test]
fn folders_of_one_disk_keep_their_files_apart() {
    let disk = SimulatedDisk::new(1);
    let open = |folder: &str| {
        open_inline(&folder.split('/').fold(disk.clone(), |disk, name| disk.below(name)))
    };
    super::append(&open("one"), "x").expect("append");
    assert_eq!(open("two/deep").durable_end(), Offset::ZERO);
    assert_eq!(disk.below("one").names(), ["0000000000000001.hot", "store"]);
    assert_eq!(disk.names(), Vec::<String>::new());
}
