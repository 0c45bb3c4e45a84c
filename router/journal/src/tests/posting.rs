//! Appends that are acknowledged before they are synced.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;

use super::{append, open, options, read_all};
use crate::{
    AppendError, Health, Journal, Offset, Options, disk::simulated::SimulatedDisk,
    journal::block_on,
};

const SECOND: Duration = Duration::from_secs(1);

struct Scene {
    disk: SimulatedDisk,
    journal: Journal,
    millis: Arc<AtomicU64>,
}

fn scene() -> Scene {
    let (disk, millis) = (SimulatedDisk::new(1), Arc::new(AtomicU64::new(0)));
    let clock = Arc::clone(&millis);
    let options = Options {
        inline: true,
        monotonic: Arc::new(move || Duration::from_millis(clock.load(Ordering::Relaxed))),
        ..options()
    };
    let journal = Journal::open_on(&disk, options).expect("open").0;
    while journal.turn() {}
    Scene { disk, journal, millis }
}

impl Scene {
    fn post(&self, length: usize) -> Poll<Result<(), AppendError>> {
        let payload = Bytes::from(vec![b'x'; length]);
        let mut post = Box::pin(self.journal.post("weak", vec![payload], 0, SECOND));
        post.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }
}

#[test]
fn what_is_posted_is_acknowledged_at_once_and_synced_when_it_is_due() {
    let scene = scene();
    assert_eq!(scene.post(1), Poll::Ready(Ok(())));
    scene.millis.store(400, Ordering::Relaxed);
    assert_eq!(scene.post(1), Poll::Ready(Ok(())));
    scene.millis.store(999, Ordering::Relaxed);
    assert!(!scene.journal.turn(), "not yet");
    assert_eq!(scene.journal.stats().unsynced_records, 2);
    scene.millis.store(1000, Ordering::Relaxed);
    assert!(scene.journal.turn(), "the first one is due");
    let stats = scene.journal.stats();
    assert_eq!((stats.unsynced_records, stats.groups, stats.next_offset), (0, 1, Offset::new(2)));
    scene.disk.crash();
    assert_eq!(read_all(&open(&scene.disk).expect("open").0).len(), 2);
}

#[test]
fn a_synced_append_takes_what_was_posted_before_it_along() {
    let scene = scene();
    assert_eq!(scene.post(1), Poll::Ready(Ok(())));
    assert_eq!(append(&scene.journal, "now"), Ok(Offset::new(1)));
    assert_eq!(scene.post(1), Poll::Ready(Ok(())));
    while scene.journal.turn() {}
    assert_eq!(scene.journal.stats().unsynced_records, 1, "the next one waits for its own time");
}

#[test]
fn much_that_has_gathered_does_not_wait() {
    let scene = scene();
    assert_eq!(scene.post(3999), Poll::Ready(Ok(())), "half of a largest group");
    assert!(scene.journal.turn());
}

#[test]
fn what_is_not_due_is_written_when_somebody_waits_for_its_room() {
    let disk = SimulatedDisk::new(1);
    let options = Options { inline: true, queue_bytes_max: options().group_bytes_max, ..options() };
    let (journal, _) = Journal::open_on(&disk, options).expect("open");
    while journal.turn() {}
    let mut context = Context::from_waker(Waker::noop());
    let post = |length: usize| {
        let payload = Bytes::from(vec![b'x'; length]);
        Box::pin(journal.post("weak", vec![payload], 0, SECOND))
    };
    let (mut small, mut large) = (post(3000), post(5900));
    assert!(small.as_mut().poll(&mut context).is_ready());
    assert!(!journal.turn());
    assert!(large.as_mut().poll(&mut context).is_pending(), "there is no room");
    while journal.turn() {}
    assert!(large.as_mut().poll(&mut context).is_ready());
}

#[test]
fn closing_writes_what_was_posted() {
    let disk = SimulatedDisk::new(1);
    let (journal, _) = open(&disk).expect("open");
    let posted = journal.post("weak", vec![Bytes::from_static(b"x")], 0, Duration::from_secs(3600));
    assert_eq!(block_on(posted, || false), Ok(()));
    journal.close().expect("close");
    disk.crash();
    assert_eq!(read_all(&open(&disk).expect("open").0).len(), 1);
}

#[test]
fn a_post_wakes_the_thread_when_it_is_due() {
    let disk = SimulatedDisk::new(1);
    let (journal, _) = open(&disk).expect("open");
    let posted = journal.post("weak", vec![Bytes::from_static(b"x")], 0, Duration::from_millis(5));
    assert_eq!(block_on(posted, || false), Ok(()));
    block_on(journal.wait_past(Offset::ZERO), || false);
    assert_eq!(journal.durable_end(), Offset::new(1));
}

#[test]
fn what_was_acknowledged_and_cannot_be_written_is_counted_and_said() {
    let scene = scene();
    for _ in 0..3 {
        assert_eq!(scene.post(1), Poll::Ready(Ok(())));
    }
    scene.disk.faults(|faults| faults.sync_fails_after = Some(0));
    scene.millis.store(1000, Ordering::Relaxed);
    scene.journal.turn();
    let stats = scene.journal.stats();
    assert_eq!((stats.lost_records, stats.unsynced_records), (3, 0));
    let Health::Stopped { reason } = scene.journal.health() else { panic!("it has stopped") };
    assert!(reason.contains("3 records are lost that were acknowledged"), "{reason}");
    assert!(matches!(scene.post(1), Poll::Ready(Err(AppendError::Stopped { .. }))));
}

#[test]
fn a_disk_that_fills_up_refuses_posts_before_the_last_room_is_used() {
    let scene = scene();
    scene.disk.faults(|faults| faults.capacity = Some(64 + 2 * (16 << 10)));
    for _ in 0..3 {
        append(&scene.journal, "x").expect("the first segment has room");
    }
    append(&scene.journal, "x").expect("the spare has room");
    assert!(!scene.journal.turn(), "there is no other spare");
    assert!(matches!(scene.post(1), Poll::Ready(Err(AppendError::Full { .. }))));
    append(&scene.journal, "x").expect("there is room for those who wait");
    assert_eq!(scene.journal.stats().lost_records, 0);
}
