//! Sealed events: read by whoever comes late, expired when nobody needs them.

use slipswitch_bus::{BusOptions, Durability, EventSearch, Retention, Selection, StartReplay};

use super::*;

const MILLI: Duration = Duration::from_millis(1);

/// Blocks that may be read without need: the ids of events are random, and a filter over them says
/// "perhaps" of a block in three hundred that holds nothing.
const MISTAKEN: u64 = 2;

fn sealing(folder: &Path) -> Options {
    Options { seal_after: MILLI, expire_every: MILLI, ..options(folder) }
}

/// Waits until so many events are sealed, and dispatched too: a lane that reads sealed blocks while
/// the dispatcher is behind stops within a block, and reads it twice.
async fn sealed(router: &Router, count: u64) {
    let is_done = async || {
        let status = router.status();
        status.journal.sealed_to == count && status.dispatched == count
    };
    until(router, "sealed", is_done).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_reaches_those_who_come_late() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let gate = Gate::shut();
    target.always("/slow", Answer::status(200).behind(&gate));
    let both = rule("quick", &target.url("/quick")) + &rule("slow", &target.url("/slow"));
    let small = Options { lane_events_max: 4, concurrency: 2, ..sealing(folder.path()) };
    let router = open(small.clone(), rules(&both)).await;
    router.ingest("other", vec![entry(1000)]).await.unwrap();
    send(&router, 0..100).await;
    accepted(&target, "/quick", 100).await;
    sealed(&router, 101).await;
    let status = router.status().journal;
    let events: Vec<_> = status.sealed.iter().map(|one| (&*one.bus, one.events)).collect();
    assert_eq!(events, [("default", 100), ("other", 1)]);
    assert_eq!(status.sealing_failed, None);
    // Counted when the round is over, a moment after its last segment is there.
    until(&router, "counted", async || router.status().journal.sealed_records == 101).await;

    gate.open();
    let mut late = numbers(&accepted(&target, "/slow", 100).await);
    late.sort_unstable();
    assert_eq!(late, (0..100).collect::<Vec<_>>());
    stop(router).await;
    target.forget();

    let router = open(small, rules(&both)).await;
    let replay = StartReplay {
        name: Some("again".to_owned()),
        rules: vec!["quick".to_owned()],
        ..StartReplay::new("default", Timestamp::from_millis(0))
    };
    let replay = router.start_replay(replay).await.unwrap();
    assert_eq!(replay.to_offset.get(), 101);
    let again = numbers(&accepted(&target, "/quick", 100).await);
    assert_eq!(again, (0..100).collect::<Vec<_>>());
    stop(router).await;
}

/// Lets go at once of what nobody needs on the bus `default`.
fn expiring(folder: &Path) -> Options {
    let mut options = sealing(folder);
    let retention = Retention { age: Some(MILLI), bytes: None };
    let kept = BusOptions { retention, ..BusOptions::default() };
    options.bus_options.insert("default".to_owned(), kept);
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn events_expire_when_all_have_had_them_and_not_before() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let gate = Gate::shut();
    target.always("/t", Answer::status(200).behind(&gate));
    let router = open(expiring(folder.path()), rules(&rule("one", &target.url("/t")))).await;
    router.ingest("other", vec![entry(1000)]).await.unwrap();
    send(&router, 0..20).await;
    sealed(&router, 21).await;
    let of_bus = |router: &Router| {
        let all = router.status().journal.sealed;
        all.into_iter().find(|one| one.bus == "default").unwrap()
    };
    // Later events are sealed, so that rounds of retention have passed, too.
    send(&router, 20..40).await;
    sealed(&router, 41).await;
    assert_eq!(of_bus(&router).events, 40, "the subscription needs all of them");

    gate.open();
    accepted(&target, "/t", 40).await;
    until(&router, "expired", async || router.status().journal.expired_records == 40).await;
    let status = router.status().journal;
    assert_eq!((of_bus(&router).events, of_bus(&router).first_offset), (0, 41));
    let other = status.sealed.iter().find(|one| one.bus == "other").unwrap();
    assert_eq!(other.events, 1, "the other bus keeps its own");
    send(&router, 40..41).await;
    accepted(&target, "/t", 41).await;
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_holds_events_back_no_longer_than_it_would_try_them() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let gate = Gate::shut();
    target.always("/t", Answer::status(200).behind(&gate));
    let short = rule("one", &target.url("/t")).replace("attempts: 50", "attempts: 50, max_age: 1s");
    let router = open(expiring(folder.path()), rules(&short)).await;
    send(&router, 0..5).await;
    until(&router, "expired", async || router.status().journal.expired_records == 5).await;
    gate.open();
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_with_an_interval_acknowledges_first_and_syncs_soon() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    let weak = BusOptions { durability: Durability::Interval(MILLI * 50), ..BusOptions::default() };
    options.bus_options.insert("other".to_owned(), weak);
    let router = open(options.clone(), Arc::new(RuleSet::empty())).await;
    assert_eq!(router.weakened(), [("other".to_owned(), MILLI * 50)]);
    router.ingest("other", vec![entry(1), entry(2)]).await.unwrap();
    until(&router, "synced", async || router.status().journal.next_offset == 2).await;
    let status = router.status().journal;
    assert_eq!((status.unsynced, status.lost), (0, 0));
    router.ingest("other", vec![entry(3)]).await.unwrap();
    stop(router).await;
    let router = open(options, Arc::new(RuleSet::empty())).await;
    assert_eq!(router.status().journal.next_offset, 3, "stopping writes what was taken");
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_nearly_full_refuses_events_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let full = Options { free_bytes_min: u64::MAX / 2, ..sealing(folder.path()) };
    let router = open(full, Arc::new(RuleSet::empty())).await;
    until(&router, "not ready", async || router.ready().is_err()).await;
    let reason = router.ready().unwrap_err();
    assert!(reason.starts_with("the disk is nearly full: "), "{reason}");
    let error = router.ingest("default", vec![entry(1)]).await.unwrap_err().to_string();
    assert!(error.contains("make room on that disk"), "{error}");
    stop(router).await;

    let router = open(options(folder.path()), Arc::new(RuleSet::empty())).await;
    send(&router, 0..3).await;
    stop(router).await;
    let full = Options { free_bytes_min: u64::MAX / 2, ..sealing(folder.path()) };
    let router = open(full, Arc::new(RuleSet::empty())).await;
    until(&router, "not sealed", async || router.status().journal.sealing_failed.is_some()).await;
    assert_eq!(router.status().journal.sealed_to, 0);
    stop(router).await;
}

/// Ten kilobytes each: a block holds a few of them.
async fn send_large(router: &Router, numbers: std::ops::Range<usize>) {
    let filling = "x".repeat(10_000);
    let large = |n| {
        let entry = format!(
            r#"{{"source":"a","detail-type":"Made","detail":{{"n":{n},"filling":"{filling}"}}}}"#
        );
        Bytes::from(entry)
    };
    let results = router.ingest("default", numbers.map(large).collect()).await.unwrap();
    assert!(results.iter().all(Result::is_ok));
}

fn only(numbers: [usize; 2], url: &str) -> Arc<RuleSet> {
    let pattern = format!("{{source: [a], detail: {{n: {numbers:?}}}}}");
    rules(&rule("one", url).replace("{source: [a]}", &pattern))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_catches_up_reads_only_blocks_that_may_hold_something_for_it() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let router = open(sealing(folder.path()), only([1, 150], &target.url("/t"))).await;
    let key = Key::live("default", "one", "t");
    router.pause(&key, "").await.unwrap();
    send_large(&router, 0..200).await;
    sealed(&router, 200).await;
    router.resume(&key).await.unwrap();
    assert_eq!(accepted(&target, "/t", 2).await.len(), 2);
    until(&router, "caught up", async || subscription(&router, "one").settled == 200).await;
    let read = subscription(&router, "one");
    assert!(read.blocks_read <= 2 + MISTAKEN && 3 <= read.blocks_skipped, "{read:?}");

    // Each part of the past meets the version of its time, and its needs.
    router.pause(&key, "").await.unwrap();
    send_large(&router, 0..200).await;
    until(&router, "dispatched", async || router.status().dispatched == 400).await;
    router.swap(only([60, 190], &target.url("/t"))).await.unwrap();
    send_large(&router, 0..200).await;
    sealed(&router, 600).await;
    router.resume(&key).await.unwrap();
    until(&router, "caught up", async || subscription(&router, "one").settled == 600).await;
    let mut had = numbers(&target.requests_to("/t"));
    had.sort_unstable();
    assert_eq!(had, [1, 1, 60, 150, 150, 190]);
    let later = subscription(&router, "one");
    assert!(later.blocks_read <= 6 + 2 * MISTAKEN && 10 <= later.blocks_skipped, "{later:?}");
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_reads_only_the_blocks_it_needs_and_its_estimate_counts_all() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let text = rules(&rule("one", &target.url("/t")));
    let router = open(sealing(folder.path()), text).await;
    send_large(&router, 0..200).await;
    accepted(&target, "/t", 200).await;
    sealed(&router, 200).await;
    target.forget();
    let gate = Gate::shut();
    target.always("/t", Answer::status(200).behind(&gate));
    let replay = StartReplay {
        name: Some("again".to_owned()),
        pattern: Some(Selection::parse(r#"{"detail":{"n":[150]}}"#).unwrap()),
        ..StartReplay::new("default", Timestamp::from_millis(0))
    };
    let estimate = router.estimate_replay(replay.clone()).await.unwrap();
    assert_eq!((estimate.events, estimate.matched, estimate.exact), (200, 1, true));
    router.start_replay(replay).await.unwrap();
    until(&router, "it is under way, and all is read", async || {
        let all = router.status().subscriptions;
        let replaying = all.iter().find(|one| one.replay.is_some()).unwrap();
        if replaying.in_flight == 1 && replaying.position == 200 {
            let (read, skipped) = (replaying.blocks_read, replaying.blocks_skipped);
            assert!(read <= 1 + MISTAKEN && 4 <= skipped, "{replaying:?}");
            return true;
        }
        false
    })
    .await;
    gate.open();
    assert_eq!(numbers(&accepted(&target, "/t", 1).await), [150]);
    stop(router).await;
}

/// Breaks a block in the middle of the only sealed segment of a bus.
fn break_a_block(folder: &Path, bus: &str) {
    let mut files = std::fs::read_dir(folder.join("sealed").join(bus)).unwrap();
    let is_segment = |path: &std::path::PathBuf| path.extension().is_some_and(|end| end == "evs");
    let path = files.by_ref().map(|file| file.unwrap().path()).find(is_segment).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 3;
    for byte in &mut bytes[middle..middle + 16] {
        *byte ^= 0xff;
    }
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_counted_once_over_all_pages_of_a_search() {
    let folder = tempfile::tempdir().unwrap();
    let none = || Arc::new(RuleSet::empty());
    let router = open(sealing(folder.path()), none()).await;
    for at in 0..100 {
        send_large(&router, 2 * at..2 * at + 1).await;
        router.ingest("other", vec![entry(2 * at + 1)]).await.unwrap();
    }
    sealed(&router, 200).await;
    stop(router).await;
    break_a_block(folder.path(), "default");
    for is_oldest_first in [true, false] {
        let router = open(options(folder.path()), none()).await;
        let (mut after, mut damaged, mut found, mut pages) = (None, Vec::new(), 0, 0);
        loop {
            let search = EventSearch { is_oldest_first, after, limit: 7, ..EventSearch::default() };
            let page = router.search(search).await.unwrap();
            damaged.extend(Some(page.damaged).filter(|count| 0 < *count));
            (after, found, pages) = (page.next, found + page.items.len() as u64, pages + 1);
            if after.is_none() {
                break;
            }
        }
        assert!(pages > 20 && found < 200, "{found} events on {pages} pages");
        assert_eq!(damaged, [200 - found], "{is_oldest_first}");
        stop(router).await;
    }
}
