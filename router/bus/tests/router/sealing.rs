//! Sealed events: read by whoever comes late, expired when nobody needs them.

use slipswitch_bus::{BusOptions, Durability, Retention, StartReplay};

use super::*;

const MILLI: Duration = Duration::from_millis(1);

fn sealing(folder: &Path) -> Options {
    Options { seal_after: MILLI, expire_every: MILLI, ..options(folder) }
}

async fn sealed(router: &Router, count: u64) {
    until(router, "sealed", async || router.status().journal.sealed_to == count).await;
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
    assert_eq!((status.sealing_failed, status.sealed_records), (None, 101));

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

#[tokio::test(flavor = "multi_thread")]
async fn events_expire_when_all_have_had_them_and_not_before() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let gate = Gate::shut();
    target.always("/t", Answer::status(200).behind(&gate));
    let mut options = sealing(folder.path());
    let retention = Retention { age: Some(MILLI), bytes: None };
    let kept = BusOptions { retention, ..BusOptions::default() };
    options.bus_options.insert("default".to_owned(), kept);
    let router = open(options, rules(&rule("one", &target.url("/t")))).await;
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
    let mut options = sealing(folder.path());
    let retention = Retention { age: Some(MILLI), bytes: None };
    let kept = BusOptions { retention, ..BusOptions::default() };
    options.bus_options.insert("default".to_owned(), kept);
    let short = rule("one", &target.url("/t")).replace("attempts: 50", "attempts: 50, max_age: 1s");
    let router = open(options, rules(&short)).await;
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
