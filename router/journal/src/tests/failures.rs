//! Disks that fail, fill up, or belong to somebody else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use bytes::Bytes;

use super::{append, open, options, read_all, wait_for_segments};
use crate::{
    AppendError, Health, Journal, Offset, OpenError, Options, disk::simulated::SimulatedDisk,
    journal::block_on,
};

const SEGMENT: u64 = 16 << 10;

/// What `store` and so many segments take.
fn room_for(segments: u64) -> Option<u64> {
    Some(64 + segments * SEGMENT)
}

fn wait_for(journal: &Journal, health: impl Fn(&Health) -> bool) {
    super::wait_until(|| health(&journal.health()));
}

#[test]
fn after_a_failed_sync_nothing_is_appended_until_the_journal_is_opened_again() {
    stops_for_good(
        |disk| disk.faults(|faults| faults.sync_fails_after = Some(0)),
        "sync disk/0000000000000001.hot",
    );
}

#[test]
fn after_a_failed_write_nothing_is_appended_until_the_journal_is_opened_again() {
    stops_for_good(
        |disk| disk.faults(|faults| faults.write_fails_after = Some(0)),
        "write disk/0000000000000001.hot",
    );
}

fn stops_for_good(fail: impl Fn(&SimulatedDisk), named: &str) {
    let disk = SimulatedDisk::new(1);
    let (journal, _) = open(&disk).expect("open");
    append(&journal, "one").expect("append");
    wait_for_segments(&journal, 2); // The spare is prepared before something fails.
    fail(&disk);
    for _ in 0..2 {
        let Err(AppendError::Stopped { reason }) = append(&journal, "two") else {
            panic!("it was appended")
        };
        assert!(reason.contains(named), "{reason}");
        assert_eq!(journal.health(), Health::Stopped { reason });
    }
    assert_eq!(journal.durable_end(), Offset::new(1));
    assert_eq!(read_all(&journal).len(), 1);
    block_on(journal.wait_past(Offset::new(1)), || false); // Returns, though nothing will come.
    assert!(journal.close().expect_err("it had stopped").to_string().contains(named));
    drop(journal);

    let (journal, _) = open(&disk).expect("open again");
    let end = append(&journal, "three").expect("append");
    assert!(end == Offset::new(1) || end == Offset::new(2), "`two` is there or not");
}

#[test]
fn a_full_disk_refuses_appends_breaks_nothing_and_recovers_by_itself() {
    let disk = SimulatedDisk::new(1);
    disk.faults(|faults| faults.capacity = room_for(2));
    let (journal, _) = open(&disk).expect("open");
    // Two segments hold three frames each.
    for number in 0..6 {
        assert_eq!(append(&journal, "x"), Ok(Offset::new(number)));
    }
    wait_for(&journal, |health| matches!(health, Health::Full { .. }));
    for _ in 0..3 {
        let Err(AppendError::Full { reason }) = append(&journal, "refused") else {
            panic!("there is no room")
        };
        assert!(
            reason.contains("prepare the next segment in disk/: ") && reason.contains("make room"),
            "{reason}"
        );
    }
    assert_eq!(journal.stats().refused_appends, 3);
    assert_eq!(journal.stats().segments, 2);

    disk.faults(|faults| faults.capacity = None);
    assert_eq!(append(&journal, "y"), Ok(Offset::new(6)));
    wait_for(&journal, |health| *health == Health::Ok);
    assert_eq!(read_all(&journal).len(), 7);
}

#[test]
fn readiness_is_lost_before_the_last_room_is_used_and_comes_back_without_an_append() {
    let disk = SimulatedDisk::new(1);
    disk.faults(|faults| faults.capacity = room_for(1));
    let (journal, _) = open(&disk).expect("open");
    append(&journal, "x").expect("the first segment has room");
    wait_for(&journal, |health| matches!(health, Health::Full { .. }));
    append(&journal, "x").expect("the first segment has room still");
    disk.faults(|faults| faults.capacity = None);
    wait_for(&journal, |health| *health == Health::Ok);
}

#[test]
fn room_is_left_for_the_neighbours() {
    let disk = SimulatedDisk::new(1);
    disk.faults(|faults| faults.capacity = room_for(2));
    let (journal, _) =
        Journal::open_on(&disk, Options { free_bytes_min: SEGMENT + 1, ..options() })
            .expect("open");
    let Err(AppendError::Full { reason }) = append(&journal, "x") else {
        panic!("the neighbours' room was taken")
    };
    assert!(reason.contains("32.0 KiB are free on the disk, 32.0 KiB are needed"), "{reason}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let disk = SimulatedDisk::new(1);
    disk.faults(|faults| faults.read_only = true);
    let error = open(&disk).expect_err("it is read-only");
    assert!(matches!(error, OpenError::ReadOnly { .. }));
    let text = error.to_string();
    assert!(text.starts_with("open journal disk/: it cannot be written"), "{text}");
}

#[test]
fn what_gathers_during_a_sync_is_the_next_group() {
    let disk = SimulatedDisk::new(1);
    let (journal, _) = open(&disk).expect("open");
    append(&journal, "first").expect("append");
    wait_for_segments(&journal, 2);
    disk.faults(|faults| faults.sync_waits = true);
    let mut context = Context::from_waker(Waker::noop());
    let mut appends: Vec<_> = (0..100)
        .map(|_| Box::pin(journal.append("shop", vec![Bytes::from_static(b"x")], 0)))
        .collect();
    for append in &mut appends {
        assert!(append.as_mut().poll(&mut context).is_pending());
    }
    disk.faults(|faults| faults.sync_waits = false);
    journal.close().expect("close");
    let offsets: Vec<_> = appends
        .iter_mut()
        .map(|append| match append.as_mut().poll(&mut context) {
            Poll::Ready(range) => range.expect("close makes durable what was taken").start.get(),
            Poll::Pending => panic!("it is durable"),
        })
        .collect();
    assert_eq!(offsets, (1..=100).collect::<Vec<_>>());
    assert!(
        journal.stats().groups <= 3,
        "one before, at most one with the first to come, and one with all others"
    );
}

#[test]
fn all_appends_of_a_group_are_woken_though_some_were_dropped() {
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    // Dropped before the group is durable, after it, or not at all: each of three in each way.
    for ways in 0..27_u32 {
        let disk = SimulatedDisk::new(1);
        let (journal, _) =
            Journal::open_on(&disk, Options { inline: true, ..options() }).expect("open");
        let append = || Box::pin(journal.append("shop", vec![Bytes::from_static(b"x")], 0));
        let mut appends: Vec<_> = (0..3)
            .map(|number| {
                let count = Arc::new(Count(AtomicUsize::new(0)));
                (ways / 3_u32.pow(number) % 3, count, append())
            })
            .collect();
        for (_, count, append) in &mut appends {
            let waker = Waker::from(Arc::clone(count));
            assert!(append.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        appends.retain(|(way, ..)| *way != 0);
        journal.turn();
        appends.retain(|(way, ..)| *way != 1);
        // What runs tasks polls those that were woken, until nobody is.
        while let Some(index) =
            appends.iter().position(|(_, count, _)| 0 < count.0.load(Ordering::Relaxed))
        {
            let (_, _, mut append) = appends.swap_remove(index);
            assert!(append.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        }
        assert!(appends.is_empty(), "way {ways}: {} were not woken", appends.len());
    }
}

#[test]
fn a_dropped_append_is_there_whole_or_not_at_all() {
    let disk = SimulatedDisk::new(1);
    let (journal, _) = open(&disk).expect("open");
    append(&journal, "first").expect("append");
    disk.faults(|faults| faults.sync_waits = true);
    let mut context = Context::from_waker(Waker::noop());
    // Two fill the queue, the third waits for room.
    for bus in ["in", "in", "out"] {
        let payloads = vec![Bytes::from(vec![b'x'; 3500]); 2];
        let mut dropped = Box::pin(journal.append(bus, payloads, 0));
        assert!(dropped.as_mut().poll(&mut context).is_pending());
    }
    disk.faults(|faults| faults.sync_waits = false);
    append(&journal, "last").expect("append");
    let buses: Vec<_> = read_all(&journal).iter().map(|record| record.bus.to_string()).collect();
    assert_eq!(buses, ["shop", "in", "in", "in", "in", "shop"]);
}

#[test]
fn appends_waiting_for_room_are_told_when_the_journal_stops() {
    let disk = SimulatedDisk::new(1);
    let (journal, _) = open(&disk).expect("open");
    append(&journal, "first").expect("append");
    wait_for_segments(&journal, 2);
    disk.faults(|faults| (faults.sync_waits, faults.sync_fails_after) = (true, Some(0)));
    let mut context = Context::from_waker(Waker::noop());
    let mut appends: Vec<_> = (0..5)
        .map(|_| Box::pin(journal.append("shop", vec![Bytes::from(vec![b'x'; 6000])], 0)))
        .collect();
    for append in &mut appends {
        assert!(append.as_mut().poll(&mut context).is_pending());
    }
    disk.faults(|faults| faults.sync_waits = false);
    journal.close().expect_err("the sync failed");
    for mut append in appends {
        let Poll::Ready(Err(AppendError::Stopped { reason })) = append.as_mut().poll(&mut context)
        else {
            panic!("it waits for ever")
        };
        assert!(reason.contains("the sync failed") || reason.contains("closed"), "{reason}");
    }
}
