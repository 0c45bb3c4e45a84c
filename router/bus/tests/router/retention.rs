//! What retention takes, what it leaves, and what it says of the rest.

use std::sync::atomic::{AtomicI64, Ordering};

use slipswitch_bus::{BusOptions, NewArchive, ReplayState, Retention, StartReplay};

use super::*;

pub(super) const MILLI: Duration = Duration::from_millis(1);
pub(super) const HOUR: i64 = 60 * 60 * 1000;

/// The system's clock, set ahead by a test.
pub(super) struct Ahead(System, AtomicI64);

impl Ahead {
    #[expect(clippy::disallowed_methods, reason = "the clock's beginning")]
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(System(Instant::now()), AtomicI64::new(0)))
    }

    pub(super) fn set(&self, millis: i64) {
        self.1.store(millis, Ordering::SeqCst);
    }
}

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        let millis = self.0.now().as_millis() + self.1.load(Ordering::SeqCst);
        Timestamp::from_millis(millis)
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
}

/// Seals at once, and lets go of all that nobody needs.
pub(super) fn forgetful(folder: &Path) -> Options {
    let retention = Retention { age: Some(MILLI), bytes: None };
    let kept = BusOptions { retention, ..BusOptions::default() };
    let mut options = Options {
        seal_after: MILLI,
        expire_every: MILLI,
        lane_events_max: 4,
        concurrency: 2,
        ..options(folder)
    };
    options.bus_options.insert("default".to_owned(), kept);
    options
}

pub(super) async fn open_at(clock: &Arc<Ahead>, options: Options, rules: Arc<RuleSet>) -> Router {
    let host = plugin::Host::new(plugin::Options::default()).unwrap();
    let clock: Arc<dyn Clock> = Arc::clone(clock) as Arc<dyn Clock>;
    Router::open(options, clock, rules, host).await.unwrap()
}

/// One order for all of them; what fails is tried again in an hour.
fn in_order(url: &str) -> Arc<RuleSet> {
    let rule = rule("one", url).replace("1ms", "1h").replace("5ms", "1h");
    rules(&rule.replace("circuit:", "order_by: $.detail.price\n    circuit:"))
}

pub(super) async fn sealed(router: &Router, count: u64) {
    until(router, "sealed", async || router.status().journal.sealed_to == count).await;
}

pub(super) async fn expired(router: &Router, count: u64) {
    until(router, "expired", async || router.status().journal.expired_records == count).await;
}

pub(super) fn in_journal(router: &Router) -> u64 {
    let all = router.status().journal.sealed;
    all.into_iter().find(|one| one.bus == "default").unwrap().events
}

/// A router of which six deliveries of one order wait for a retry, five of them without a payload.
async fn waiting(clock: &Arc<Ahead>, folder: &Path, target: &Arc<Receiver>) -> Router {
    so_many_waiting(6, clock, folder, target).await
}

/// As [`waiting`], with so many.
async fn so_many_waiting(
    count: usize,
    clock: &Arc<Ahead>,
    folder: &Path,
    target: &Arc<Receiver>,
) -> Router {
    target.script("/t", [Answer::status(503)]);
    let router = open_at(clock, forgetful(folder), in_order(&target.url("/t"))).await;
    send(&router, 0..count).await;
    until(&router, "all wait", async || subscription(&router, "one").postponed == count).await;
    let settled = async || subscription(&router, "one").settled == count as u64;
    until(&router, "all is settled", settled).await;
    router
}

pub(super) async fn paused(router: &Router) {
    router.pause(&Key::live("default", "one", "t"), "").await.unwrap();
}

/// Pauses and resumes: the lane looks at the clock again.
pub(super) async fn go_on(router: &Router) {
    paused(router).await;
    assert!(router.resume(&Key::live("default", "one", "t")).await.unwrap().was_stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_a_delivery_without_payload_needs_stays_in_the_journal() {
    let (folder, target, clock) = (tempfile::tempdir().unwrap(), receiver(), Ahead::new());
    let router = waiting(&clock, folder.path(), &target).await;
    sealed(&router, 6).await;
    // Another file of events, so that rounds of retention have passed.
    router.ingest("other", vec![entry(7)]).await.unwrap();
    sealed(&router, 7).await;
    router.ingest("other", vec![entry(8)]).await.unwrap();
    sealed(&router, 8).await;
    assert_eq!((in_journal(&router), router.status().journal.expired_records), (6, 0));
    clock.set(2 * HOUR);
    go_on(&router).await;
    assert_eq!(numbers(&accepted(&target, "/t", 6).await), (0..6).collect::<Vec<_>>());
    expired(&router, 6).await;
    assert_eq!(subscription(&router, "one").expired, 0);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_longer_than_the_journal_keeps_its_event_elsewhere() {
    let (folder, target, clock) = (tempfile::tempdir().unwrap(), receiver(), Ahead::new());
    let router = waiting(&clock, folder.path(), &target).await;
    paused(&router).await;
    clock.set(25 * HOUR); // `max_age` is a day.
    expired(&router, 6).await;
    assert_eq!(in_journal(&router), 0);
    stop(router).await;

    let router = open_at(&clock, forgetful(folder.path()), in_order(&target.url("/t"))).await;
    go_on(&router).await;
    let requests = accepted(&target, "/t", 6).await;
    assert_eq!(numbers(&requests), (0..6).collect::<Vec<_>>());
    assert!(requests[3].text().ends_with(r#""price":1.10 }}"#), "{requests:?}");
    until(&router, "nothing waits", async || subscription(&router, "one").postponed == 0).await;
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_wait_without_a_payload_each_keeps_its_event() {
    const COUNT: usize = 250; // Copied in several transactions.
    let (folder, target, clock) = (tempfile::tempdir().unwrap(), receiver(), Ahead::new());
    let router = so_many_waiting(COUNT, &clock, folder.path(), &target).await;
    paused(&router).await;
    clock.set(25 * HOUR);
    expired(&router, COUNT as u64).await;
    stop(router).await;
    let router = open_at(&clock, forgetful(folder.path()), in_order(&target.url("/t"))).await;
    go_on(&router).await;
    assert_eq!(numbers(&accepted(&target, "/t", COUNT).await), (0..COUNT).collect::<Vec<_>>());
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_whose_event_is_nowhere_becomes_a_dead_letter() {
    let (folder, target, clock) = (tempfile::tempdir().unwrap(), receiver(), Ahead::new());
    let router = waiting(&clock, folder.path(), &target).await;
    paused(&router).await;
    clock.set(25 * HOUR);
    expired(&router, 6).await;
    stop(router).await;
    let state = rusqlite::Connection::open(folder.path().join("state.sqlite")).unwrap();
    state.execute("UPDATE postponed SET event = NULL WHERE offset = 2", []).unwrap();
    drop(state);

    let router = open_at(&clock, forgetful(folder.path()), in_order(&target.url("/t"))).await;
    go_on(&router).await;
    assert_eq!(numbers(&accepted(&target, "/t", 5).await), [0, 1, 3, 4, 5]);
    until(&router, "nothing waits", async || subscription(&router, "one").postponed == 0).await;
    router.written().await;
    let all = DeadLetterFilter { limit: 10, ..DeadLetterFilter::default() };
    let letters = router.dead_letters(all).await.unwrap().items;
    assert_eq!((letters.len(), letters[0].offset, letters[0].kind.as_str()), (1, 2, "event-gone"));
    assert!(letters[0].error.starts_with("its event is gone"), "{}", letters[0].error);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_before_a_subscription_has_looked_at_it_is_counted_there() {
    let (folder, target, clock) = (tempfile::tempdir().unwrap(), receiver(), Ahead::new());
    let rules = rules(&rule("one", &target.url("/t")));
    let router = open_at(&clock, forgetful(folder.path()), Arc::clone(&rules)).await;
    send(&router, 0..3).await;
    accepted(&target, "/t", 3).await;
    until(&router, "settled", async || subscription(&router, "one").settled == 3).await;
    paused(&router).await;
    send(&router, 3..40).await;
    sealed(&router, 40).await;
    assert_eq!(subscription(&router, "one").expired, 0, "a day is not over");
    clock.set(25 * HOUR);
    expired(&router, 40).await;
    until(&router, "counted", async || subscription(&router, "one").expired == 37).await;
    assert_eq!(subscription(&router, "one").lag, 0, "nothing of it is to be looked at any more");
    router.written().await;
    stop(router).await;

    let router = open_at(&clock, forgetful(folder.path()), rules).await;
    assert_eq!(subscription(&router, "one").expired, 37, "over a restart");
    go_on(&router).await;
    send(&router, 40..41).await;
    assert_eq!(numbers(&accepted(&target, "/t", 4).await)[3], 40);
    assert_eq!(subscription(&router, "one").expired, 37);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_target_loses_what_expires_while_it_waits_in_memory_and_it_is_counted() {
    let (folder, target, clock) = (tempfile::tempdir().unwrap(), receiver(), Ahead::new());
    let gate = Gate::shut();
    target.always("/t", Answer::status(200).behind(&gate));
    let router =
        open_at(&clock, forgetful(folder.path()), rules(&rule("one", &target.url("/t")))).await;
    send(&router, 0..20).await;
    until(&router, "two are under way", async || subscription(&router, "one").in_flight == 2).await;
    sealed(&router, 20).await;
    clock.set(25 * HOUR);
    // Another file, which may go: the first one holds what is under way.
    send(&router, 20..30).await;
    sealed(&router, 30).await;
    assert_eq!(router.status().journal.expired_records, 0, "what is under way is kept");
    gate.open();
    expired(&router, 30).await;
    until(&router, "all is settled", async || subscription(&router, "one").settled == 30).await;
    let had = numbers(&target.requests_to("/t")).len() as u64;
    let lost = subscription(&router, "one").expired;
    assert!(2 <= had && 30 <= had + lost, "{had} and {lost}");
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_an_archive_retries_what_the_journal_has_no_more() {
    let (folder, target, clock) = (tempfile::tempdir().unwrap(), receiver(), Ahead::new());
    let text = rule("one", &target.url("/t"));
    let text = text.replace("circuit:", "order_by: $.detail.price\n    circuit:");
    let router = open_at(&clock, forgetful(folder.path()), rules(&text)).await;
    let kept =
        NewArchive { name: "kept".to_owned(), bus: "default".to_owned(), ..NewArchive::default() };
    router.create_archive(kept).await.unwrap();
    send(&router, 0..10).await;
    accepted(&target, "/t", 10).await;
    expired(&router, 10).await;
    target.forget();
    target.script("/t", (0..5).map(|_| Answer::status(503)));
    let again = StartReplay {
        name: Some("again".to_owned()),
        archive: Some("kept".to_owned()),
        concurrency: 3,
        ..StartReplay::new("default", Timestamp::from_millis(0))
    };
    router.start_replay(again).await.unwrap();
    assert_eq!(numbers(&accepted(&target, "/t", 10).await), (0..10).collect::<Vec<_>>());
    until(&router, "completed", async || {
        router.replay("again").await.unwrap().state == ReplayState::Completed
    })
    .await;
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_answered_also_when_the_journal_has_let_its_event_go() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Ahead::new());
    let router = open_at(&clock, forgetful(folder.path()), Arc::new(RuleSet::empty())).await;
    let key = || Some(event::IdempotencyKey::new("k").unwrap());
    let once = async |entries| router.ingest_once("default", entries, key()).await.unwrap();
    let first = once(vec![entry(1)]).await[0].clone().unwrap();
    expired(&router, 1).await;
    let again = once(vec![entry(1)]).await[0].clone().unwrap();
    assert_eq!((again.id.as_str(), again.is_duplicate), (first.id.as_str(), true));
    let other = once(vec![entry(2)]).await;
    assert!(
        matches!(&other[0], Err(slipswitch_bus::Refusal::KeyReused { id, .. }) if *id == first.id)
    );
    // One that is refused takes nothing of its request with it.
    let keyed = |number, key: &str| {
        let text = String::from_utf8(entry(number).to_vec()).unwrap();
        Bytes::from(text.replacen('{', &format!(r#"{{"idempotency-key":"{key}","#), 1))
    };
    let several = vec![keyed(3, "l"), keyed(1, "k"), keyed(4, "k")];
    let several = router.ingest("default", several).await.unwrap();
    let known = several.iter().map(|one| one.as_ref().ok().map(|taken| taken.is_duplicate));
    assert_eq!(known.collect::<Vec<_>>(), [Some(false), Some(true), None]);
    stop(router).await;
}
