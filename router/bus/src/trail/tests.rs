//! The delivery log's bounds: its queue, its age, its bytes, and a disk that does not take it.

use event::Timestamp;
use journal::{Chain, ChainOptions};

use super::*;

fn log(folder: &std::path::Path) -> Log {
    let (chain, _) = Chain::open(ChainOptions::new(folder.join("attempts"), "attempts")).unwrap();
    Log::new(chain).unwrap()
}

fn line(millis: i64) -> Line {
    Line {
        time: Timestamp::from_millis(millis),
        id: crate::testing::route().key.delivery(journal::Offset::new(7), 0),
        event_id: "e".into(),
        attempt: 1,
        result: AttemptResult::Delivered,
        rules: "0123456789abcdef".into(),
        sent: Sent::default(),
        error: String::new(),
        retry_at: None,
    }
}

fn second(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

#[test]
fn what_is_too_old_goes_file_by_file() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path());
    let keep = DeliveryLog { age: Duration::from_secs(80), ..DeliveryLog::default() };
    // A file is finished every ten seconds; it goes when all of it is older than eighty.
    for at in (0..=100).step_by(10) {
        assert_eq!(log.write(&[line(at * 1000)], Wholly::Yes), (0, None));
        log.expire(&keep, second(at));
    }
    let stats = log.stats();
    assert_eq!((stats.records, stats.first_time), (9, Some(20_000)), "{stats:?}");
}

#[test]
fn a_file_is_finished_by_its_age_however_often_the_router_starts() {
    let folder = tempfile::tempdir().unwrap();
    let keep = DeliveryLog { age: Duration::from_secs(80), ..DeliveryLog::default() };
    for at in (0..=100).step_by(5) {
        let log = log(folder.path());
        assert_eq!(log.write(&[line(at * 1000)], Wholly::Yes), (0, None));
        log.expire(&keep, second(at));
    }
    let stats = log(folder.path()).stats();
    assert!((5..=12).contains(&stats.segments), "{stats:?}");
    assert!(stats.first_time.is_some_and(|first| 10_000 < first), "{stats:?}");
}

#[test]
fn what_is_too_much_goes_and_the_file_that_grows_stays() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path());
    let keep = DeliveryLog { age: Duration::from_secs(80), bytes: 1, ..DeliveryLog::default() };
    for at in (0..=50).step_by(10) {
        assert_eq!(log.write(&[line(at * 1000)], Wholly::Yes), (0, None));
    }
    log.expire(&keep, second(0));
    assert_eq!(log.stats().records, 6, "nothing is finished yet");
    log.expire(&keep, second(50));
    log.write(&[line(51_000)], Wholly::Yes);
    log.expire(&keep, second(51));
    assert_eq!(log.stats().records, 1);
}

#[tokio::test(start_paused = true)]
async fn outcomes_wait_for_a_full_queue_and_attempts_never_do() {
    let folder = tempfile::tempdir().unwrap();
    let options = DeliveryLog { queued_max: 3, ..DeliveryLog::default() };
    let trail = Trail::new(&options, Ok(log(folder.path())));
    for _ in 0..2 {
        trail.attempt(line(0));
    }
    trail.room().await;
    for _ in 0..3 {
        trail.attempt(line(0));
    }
    assert_eq!(trail.status().queued, 5, "attempts do not wait");
    let waits = tokio::time::timeout(Duration::from_secs(60), trail.room()).await;
    assert!(waits.is_err(), "what came of them is not written down before");
    let writing = async {
        trail.filled.notified().await;
        trail.queue().clear();
        trail.emptied.notify_waiters();
    };
    tokio::join!(trail.room(), writing);
}

#[test]
fn what_the_disk_does_not_take_is_counted_and_said_until_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let trail = Trail::new(&DeliveryLog::default(), Ok(log(folder.path())));
    trail.written(4, Some("no space left".to_owned()));
    trail.written(2, Some("no space left".to_owned()));
    let status = trail.status();
    assert_eq!((status.lost, status.stopped.as_deref()), (6, Some("no space left")));
    trail.written(0, None);
    let status = trail.status();
    assert_eq!((status.lost, status.stopped), (6, None));
}

#[tokio::test(start_paused = true)]
async fn the_log_is_written_wholly_in_time_however_fast_the_queue_fills() {
    let (filled, mut times) = (Notify::new(), times());
    let mut wholly = 0;
    for _batch in 0..100 {
        filled.notify_one();
        wholly += u32::from(due(&mut times, &filled).await == Wholly::Yes);
        tokio::time::advance(WRITE_EVERY / 10).await;
    }
    assert!((9..=11).contains(&wholly), "{wholly}");
}
