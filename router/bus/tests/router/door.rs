//! Events that are sent again, by key: taken in once, answered alike, over restarts and races.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use event::{IdempotencyKey, Timestamp};
use ruleset::RuleSet;
use slipswitch_bus::{
    Clock, Deduplication, IngestError, Options, Refusal, Router, Taken, plugin, ruleset,
};
use tokio::task::JoinSet;

use super::stop;

/// A clock that somebody moves.
#[derive(Default)]
struct Hand(AtomicI64);

impl Hand {
    fn move_by(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst).unsigned_abs())
    }
}

fn options(folder: &Path) -> Options {
    let mut deduplication = Deduplication::default();
    deduplication.by_source_and_id.insert("events".to_owned());
    Options {
        buses: vec!["other".to_owned(), "events".to_owned()],
        deduplication,
        ..super::options(folder)
    }
}

async fn open_with(options: Options, clock: &Arc<Hand>) -> Router {
    let host = plugin::Host::new(plugin::Options::default()).unwrap();
    let clock: Arc<dyn Clock> = Arc::<Hand>::clone(clock);
    Router::open(options, clock, Arc::new(RuleSet::empty()), host).await.unwrap()
}

async fn open(folder: &Path, clock: &Arc<Hand>) -> Router {
    open_with(options(folder), clock).await
}

fn key(text: &str) -> Option<IdempotencyKey> {
    Some(IdempotencyKey::new(text).unwrap())
}

fn entry(number: usize) -> Bytes {
    Bytes::from(format!(r#"{{"source":"a","detail-type":"Made","detail":{{"n":{number}}}}}"#))
}

fn keyed(number: usize, key: &str) -> Bytes {
    let text = format!(
        r#"{{"idempotency-key":"{key}","source":"a","detail-type":"Made","detail":{{"n":{number}}}}}"#
    );
    Bytes::from(text)
}

fn named(number: usize, id: &str) -> Bytes {
    let text =
        format!(r#"{{"id":"{id}","source":"a","detail-type":"Made","detail":{{"n":{number}}}}}"#);
    Bytes::from(text)
}

async fn send(router: &Router, entries: Vec<Bytes>, key: Option<IdempotencyKey>) -> Vec<Taken> {
    send_to(router, "default", entries, key).await
}

async fn send_to(
    router: &Router,
    bus: &str,
    entries: Vec<Bytes>,
    key: Option<IdempotencyKey>,
) -> Vec<Taken> {
    let results = router.ingest_once(bus, entries, key).await.unwrap();
    results.into_iter().map(Result::unwrap).collect()
}

fn stored(router: &Router) -> u64 {
    router.status().journal.next_offset
}

fn duplicates(taken: &[Taken]) -> Vec<bool> {
    taken.iter().map(|one| one.is_duplicate).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_answered_with_the_first_id_and_not_stored() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(Hand::default()));
    let router = open(folder.path(), &clock).await;
    let first = send(&router, vec![entry(1)], key("k")).await;
    let again = send(&router, vec![entry(1)], key("k")).await;
    assert_eq!(again, [Taken { id: first[0].id.clone(), is_duplicate: true }]);
    // The key of the request and the key of the entry are one kind of key; another bus has its own.
    assert_eq!(send(&router, vec![keyed(1, "k")], None).await, again);
    let elsewhere = send_to(&router, "other", vec![entry(1)], key("k")).await;
    assert_eq!(duplicates(&elsewhere), [false]);
    assert_eq!(stored(&router), 2);
    let status = router.status();
    assert_eq!((status.events_accepted, status.events_duplicate), (2, 2));
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_a_request_has_the_key_with_its_index_or_its_own() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(Hand::default()));
    let router = open(folder.path(), &clock).await;
    let entries = vec![entry(1), keyed(2, "own"), entry(3), Bytes::from_static(b"{")];
    let results = router.ingest_once("default", entries.clone(), key("k")).await.unwrap();
    assert!(matches!(results[3], Err(Refusal::Entry(_))), "{results:?}");
    let again = router.ingest_once("default", entries, key("k")).await.unwrap();
    for (first, again) in results.iter().zip(&again).take(3) {
        let (first, again) = (first.as_ref().unwrap(), again.as_ref().unwrap());
        assert!(!first.is_duplicate && again.is_duplicate && first.id == again.id);
    }
    assert_eq!(stored(&router), 3);
    assert_eq!(duplicates(&send(&router, vec![keyed(2, "own")], None).await), [true]);
    // One event alone has the key as it is: it is none of the three.
    assert_eq!(duplicates(&send(&router, vec![entry(1)], key("k")).await), [false]);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keyless_events_beside_keyed_ones_keep_their_places_and_are_never_repeats() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(Hand::default()));
    let router = open(folder.path(), &clock).await;
    let entries = vec![entry(1), keyed(2, "b"), entry(1), keyed(2, "b"), keyed(3, "c")];
    let taken = send(&router, entries.clone(), None).await;
    assert_eq!(duplicates(&taken), [false, false, false, true, false]);
    assert_eq!(taken[1].id, taken[3].id);
    assert_eq!(stored(&router), 4);
    assert_eq!(duplicates(&send(&router, entries, None).await), [false, true, false, true, true]);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_content_under_a_known_key_is_refused() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(Hand::default()));
    let router = open(folder.path(), &clock).await;
    let first = send(&router, vec![entry(1)], key("k")).await;
    let results = router.ingest_once("default", vec![entry(2)], key("k")).await.unwrap();
    let id = first[0].id.clone();
    assert_eq!(results, [Err(Refusal::KeyReused { key: Some("k".to_owned()), id })]);
    assert_eq!(stored(&router), 1);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_for_two_contents_in_one_request_is_refused_where_it_stands_second() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(Hand::default()));
    let router = open(folder.path(), &clock).await;
    let entries = vec![keyed(1, "k"), keyed(2, "k"), keyed(1, "k"), keyed(3, "l")];
    let results = router.ingest_once("default", entries, None).await.unwrap();
    let first = results[0].as_ref().unwrap();
    let reused = Refusal::KeyReused { key: Some("k".to_owned()), id: first.id.clone() };
    assert_eq!(results[1], Err(reused));
    assert_eq!(results[2], Ok(Taken { id: first.id.clone(), is_duplicate: true }));
    assert!(results[3].as_ref().is_ok_and(|taken| !taken.is_duplicate));
    assert_eq!(stored(&router), 2);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_outlive_a_restart_and_end_with_the_window() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(Hand::default()));
    let router = open(folder.path(), &clock).await;
    let old = send(&router, vec![entry(1)], key("old")).await;
    clock.move_by(200);
    let young = send(&router, vec![entry(2), entry(3)], key("young")).await;
    let pair = send_to(&router, "events", vec![named(4, "id-4")], None).await;
    stop(router).await;

    clock.move_by(99);
    let router = open(folder.path(), &clock).await;
    assert_eq!(duplicates(&send(&router, vec![entry(1)], key("old")).await), [true]);
    clock.move_by(1);
    let renewed = send(&router, vec![entry(1)], key("old")).await;
    assert!(!renewed[0].is_duplicate && renewed[0].id != old[0].id);
    let again = send(&router, vec![entry(2), entry(3)], key("young")).await;
    assert_eq!(duplicates(&again), [true, true]);
    assert_eq!((&again[0].id, &again[1].id), (&young[0].id, &young[1].id));
    let again = send_to(&router, "events", vec![named(4, "id-4")], None).await;
    assert_eq!(again, [Taken { id: pair[0].id.clone(), is_duplicate: true }]);
    assert_eq!(router.status().deduplication.keys, 4);
    stop(router).await;

    clock.move_by(300);
    let router = open(folder.path(), &clock).await;
    assert_eq!(duplicates(&send(&router, vec![entry(1)], key("old")).await), [false]);
    assert_eq!(router.status().deduplication.keys, 1);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn source_and_id_are_a_key_only_where_the_bus_says_so_and_the_id_is_the_senders() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(Hand::default()));
    let router = open(folder.path(), &clock).await;
    let entries = vec![named(1, "x"), named(1, "x"), named(2, "y"), entry(3), entry(3)];
    let taken = send_to(&router, "events", entries.clone(), None).await;
    assert_eq!(duplicates(&taken), [false, true, false, false, false]);
    assert_eq!(duplicates(&send(&router, entries, None).await), [false; 5]);
    let results = router.ingest("events", vec![named(9, "x")]).await.unwrap();
    assert!(matches!(results[0], Err(Refusal::KeyReused { key: None, .. })), "{results:?}");
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_bound_the_oldest_key_is_forgotten() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(Hand::default()));
    let mut few = options(folder.path());
    few.deduplication.keys_max = 2;
    let router = open_with(few, &clock).await;
    for (number, name) in ["a", "b", "c"].into_iter().enumerate() {
        send(&router, vec![entry(number)], key(name)).await;
    }
    assert_eq!(duplicates(&send(&router, vec![entry(2)], key("c")).await), [true]);
    assert_eq!(duplicates(&send(&router, vec![entry(0)], key("a")).await), [false]);
    let known = router.status().deduplication;
    assert_eq!((known.keys, known.forgotten_early), (2, 2));
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_send_one_key_at_once_one_event_comes_in() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(Hand::default()));
    let router = open(folder.path(), &clock).await;
    for round in 0..20 {
        let mut sending = JoinSet::new();
        for sender in 0..16 {
            let router = router.clone();
            sending.spawn(async move {
                // In two orders, so that two who waited for each other would never end.
                let mut entries =
                    vec![keyed(1, &format!("x{round}")), keyed(2, &format!("y{round}"))];
                if sender % 2 == 0 {
                    entries.reverse();
                }
                let mut taken = send(&router, entries, None).await;
                if sender % 2 == 0 {
                    taken.reverse();
                }
                taken
            });
        }
        let all = sending.join_all().await;
        for place in 0..2 {
            let firsts = all.iter().filter(|taken| !taken[place].is_duplicate).count();
            assert_eq!(firsts, 1, "{all:?}");
            assert!(all.iter().all(|taken| taken[place].id == all[0][place].id), "{all:?}");
        }
        assert_eq!(stored(&router), 2 * (round + 1));
    }
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_who_goes_before_the_answer_leaves_nothing_open() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(Hand::default()));
    let router = open(folder.path(), &clock).await;
    for round in 0..50 {
        let name = format!("k{round}");
        {
            // Polled once, then dropped: what it began goes on without it.
            let mut leaving =
                std::pin::pin!(router.ingest_once("default", vec![entry(1)], key(&name)));
            let waker = std::task::Waker::noop();
            let mut context = std::task::Context::from_waker(waker);
            // Where the sync was quicker than this thread, the answer is there already, and is not read.
            drop(leaving.as_mut().poll(&mut context));
        }
        // Whichever of the two came first, the other one is its repeat.
        send(&router, vec![entry(1)], key(&name)).await;
        assert_eq!(stored(&router), round + 1);
    }
    stop(router).await;
}

/// Half a mebibyte each; the second has a fault of its own.
fn large(keyed_from: usize) -> Vec<Bytes> {
    let filling = "x".repeat(500_000);
    let entry = |number: usize| {
        let key = if keyed_from <= number {
            format!(r#""idempotency-key":"k{number}","#)
        } else {
            String::new()
        };
        let text = format!(
            r#"{{{key}"source":"a","detail-type":"Made","detail":{{"filling":"{filling}"}}}}"#
        );
        if number == 1 { Bytes::from_static(b"{") } else { Bytes::from(text) }
    };
    (0..80).map(entry).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_fills_the_disk_says_how_much_of_it_is_kept() {
    // All keyed, from the middle of what fits on, and none.
    for keyed_from in [0, 5, 80] {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(Hand::default()));
        let router = open(folder.path(), &clock).await;
        send(&router, vec![entry(1)], None).await;
        stop(router).await;
        // What is prepared is all there is.
        let full = Options { free_bytes_min: u64::MAX / 2, ..options(folder.path()) };
        let router = open_with(full.clone(), &clock).await;
        let before = stored(&router);
        let entries = large(keyed_from);
        let error = router.ingest_once("default", entries.clone(), None).await.unwrap_err();
        let IngestError::Partly { stored: kept, done, entries: 80, reason } = &error else {
            panic!("{error:?}")
        };
        assert!(reason.contains("make room on that disk"), "{reason}");
        // The one with a fault is not there, and need not be sent again either.
        assert_eq!(stored(&router) - before + 1, *done as u64);
        assert!((10..79).contains(done), "{done}");
        // What came in counts, though the request was refused.
        assert_eq!((*kept + 1, router.status().events_accepted), (*done, *kept as u64));
        let said = format!("the first {done} of 80 events are done");
        assert!(error.to_string().contains(&said), "{error}");

        // From there on it is sent again when there is room: every event is there once.
        let rest = entries[*done..].to_vec();
        let error = router.ingest_once("default", rest.clone(), None).await.unwrap_err();
        assert!(matches!(error, IngestError::Unavailable { .. }), "nothing is kept: {error:?}");
        stop(router).await;
        let router = open(folder.path(), &clock).await;
        assert_eq!(duplicates(&send(&router, rest, None).await), vec![false; 80 - done]);
        assert_eq!(stored(&router) - before, 79);
        if keyed_from == 0 {
            let whole = router.ingest_once("default", entries, None).await.unwrap();
            let repeats = whole.iter().flatten().filter(|taken| taken.is_duplicate).count();
            assert_eq!((repeats, stored(&router) - before), (79, 79));
        }
        stop(router).await;
    }
}
