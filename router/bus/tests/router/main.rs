//! A whole router, without HTTP in front: from `ingest` to real targets, over restarts and swaps.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod archives;
mod compare;
mod damage;
mod door;
mod follow;
mod hangup;
mod letters;
mod pace;
mod redrives;
mod removal;
mod replays;
mod retention;
mod sealing;
mod targets;
mod trail;
mod versions;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use event::Timestamp;
use receiver::{Answer, Gate, Receiver, Request};
use ruleset::{
    Context, PluginStep, PluginUse, Plugins, PrepareError, RuleSet, SourceFile, StepError,
    StepInput, StepOutput, Values,
};
use slipswitch_bus::{
    Clock, DeadLetterFilter, Key, Options, Router, SubscriptionStatus, plugin, ruleset,
};

const PATIENCE: Duration = Duration::from_secs(60);

struct System(Instant);

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
impl Clock for System {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

struct Nothing;

impl Values for Nothing {
    fn env(&self, _name: &str) -> Option<String> {
        None
    }

    fn file(&self, path: &str) -> Result<String, String> {
        Err(path.to_owned())
    }
}

/// `none` lets every event go.
impl Plugins for Nothing {
    fn prepare(&self, wanted: &PluginUse<'_>) -> Result<Arc<dyn PluginStep>, PrepareError> {
        match wanted.name {
            "none" => Ok(Arc::new(Nothing)),
            _ => Err(PrepareError::Missing { looked_in: "nowhere".to_owned() }),
        }
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

impl PluginStep for Nothing {
    fn call_batch(&self, inputs: &[StepInput<'_>]) -> Vec<Result<Vec<StepOutput>, StepError>> {
        inputs.iter().map(|_| Ok(Vec::new())).collect()
    }
}

fn rules(text: &str) -> Arc<RuleSet> {
    let context = Context {
        values: &Nothing,
        plugins: &Nothing,
        buses: &["other".to_owned()],
        connections: &ruleset::NoConnections,
        limits: event::Limits::default(),
    };
    let file = SourceFile { path: "rules.yaml".to_owned(), text: text.to_owned() };
    Arc::new(ruleset::load(&[file], &context).unwrap().rules)
}

/// One rule on the default bus, for events of the source `a`, with an HTTP target `t`.
fn rule(name: &str, url: &str) -> String {
    format!(
        "---\nname: {name}\npattern: {{source: [a]}}\ntargets:\n  - id: t\n    http: {url}\n    \
         retry: {{attempts: 50, backoff: {{min: 1ms, max: 5ms}}}}\n    circuit: {{failures: 1000}}\n"
    )
}

fn options(folder: &Path) -> Options {
    Options {
        segment_bytes: 16 * 1024 * 1024,
        buses: vec!["other".to_owned()],
        flush_every: Duration::from_millis(5),
        ..Options::new(folder)
    }
}

async fn open(options: Options, rules: Arc<RuleSet>) -> Router {
    #[expect(clippy::disallowed_methods, reason = "the clock's beginning")]
    let clock = Arc::new(System(Instant::now()));
    let host = plugin::Host::new(plugin::Options::default()).unwrap();
    Router::open(options, clock, rules, host).await.unwrap()
}

/// A clock that runs ahead when it is told to.
struct Ahead(System, AtomicU64);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic() + Duration::from_secs(self.1.load(Ordering::Acquire))
    }
}

async fn open_with(clock: Arc<Ahead>, options: Options, rules: Arc<RuleSet>) -> Router {
    let host = plugin::Host::new(plugin::Options::default()).unwrap();
    Router::open(options, clock, rules, host).await.unwrap()
}

async fn stop(router: Router) {
    assert_eq!(router.shutdown(PATIENCE).await.in_flight_left, 0);
}

fn entry(number: usize) -> Bytes {
    Bytes::from(format!(
        r#"{{"source":"a","detail-type":"Made","detail":{{ "n":{number}, "price":1.10 }}}}"#
    ))
}

async fn send(router: &Router, numbers: std::ops::Range<usize>) {
    let entries: Vec<Bytes> = numbers.map(entry).collect();
    let results = router.ingest("default", entries).await.unwrap();
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}

/// The numbers of the accepted requests, in the order of their arrival.
fn numbers(requests: &[Request]) -> Vec<usize> {
    let accepted = requests.iter().filter(|request| request.was_accepted());
    accepted.map(|request| number(&request.text())).collect()
}

fn number(text: &str) -> usize {
    let digits = text.split(r#""n":"#).nth(1).unwrap();
    digits.split(',').next().unwrap().trim().parse().unwrap()
}

/// Waits off the async threads until `count` requests were accepted.
async fn accepted(receiver: &Arc<Receiver>, path: &'static str, count: usize) -> Vec<Request> {
    let waiting = Arc::clone(receiver);
    let done = tokio::task::spawn_blocking(move || {
        waiting.wait_for(PATIENCE, |requests| {
            let here = requests.iter().filter(|request| request.path == path);
            here.filter(|request| request.was_accepted()).count() >= count
        })
    });
    done.await.unwrap().unwrap();
    receiver.requests_to(path)
}

fn subscription(router: &Router, rule: &str) -> SubscriptionStatus {
    let all = router.status().subscriptions;
    all.into_iter().find(|one| one.rule == rule && one.replay.is_none()).unwrap()
}

/// Looks again after every round of writing down, until something holds.
async fn until(router: &Router, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let looked = async {
        while !holds().await {
            router.written().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, looked).await.is_ok(), "never came: {what}");
}

fn receiver() -> Arc<Receiver> {
    Arc::new(Receiver::start().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_reaches_its_target_byte_for_byte_and_others_do_not() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let router = open(options(folder.path()), rules(&rule("one", &target.url("/t")))).await;
    let other =
        Bytes::from_static(br#"{"source":"b","detail-type":"Made","detail":{"n":9,"x":0}}"#);
    router.ingest("default", vec![other]).await.unwrap();
    send(&router, 0..1).await;
    let requests = accepted(&target, "/t", 1).await;
    assert!(requests[0].text().ends_with(r#""detail":{ "n":0, "price":1.10 }}"#), "{requests:?}");
    assert_eq!(requests[0].delivery_id(), Some("default/1/one/t/0"));
    until(&router, "settled", async || subscription(&router, "one").settled == 2).await;
    assert_eq!(target.requests().len(), 1);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_entry_is_refused_and_the_others_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let router = open(options(folder.path()), Arc::new(RuleSet::empty())).await;
    let results =
        router.ingest("default", vec![entry(1), Bytes::from_static(b"{"), entry(2)]).await.unwrap();
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(router.status().journal.next_offset, 2);
    let error = router.ingest("shop", vec![entry(1)]).await.unwrap_err().to_string();
    assert!(error.starts_with("there is no bus `shop`; there are: default, other"), "{error}");
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_fails_is_tried_until_it_accepts() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.script("/t", [Answer::status(503), Answer::hang_up(), Answer::status(429)]);
    let router = open(options(folder.path()), rules(&rule("one", &target.url("/t")))).await;
    send(&router, 0..1).await;
    let requests = accepted(&target, "/t", 1).await;
    let attempts: Vec<_> = requests.iter().map(|request| request.attempt().unwrap()).collect();
    assert_eq!(attempts, [1, 2, 3, 4]);
    let ids: Vec<_> = requests.iter().map(|request| request.delivery_id().unwrap()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    until(&router, "delivered", async || subscription(&router, "one").postponed == 0).await;
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_owed_survives_a_restart() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.stop();
    let rules = rules(&rule("one", &target.url("/t")).replace("5ms", "1h").replace("1ms", "1h"));
    let router = open(options(folder.path()), Arc::clone(&rules)).await;
    send(&router, 0..40).await;
    until(&router, "all have failed once", async || subscription(&router, "one").postponed == 40)
        .await;
    stop(router).await;

    // The rules are not there at first: what is owed waits for them.
    let router = open(options(folder.path()), Arc::new(RuleSet::empty())).await;
    assert!(router.status().subscriptions.is_empty());
    target.restart().unwrap();
    router.swap(rules).await.unwrap();
    assert_eq!(subscription(&router, "one").postponed, 40);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_tried_is_delivered_after_a_restart() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let gate = Gate::shut();
    target.always("/t", Answer::status(200).behind(&gate));
    let rules = rules(&rule("one", &target.url("/t")));
    let few = Options { concurrency: 2, lane_events_max: 4, ..options(folder.path()) };
    let router = open(few.clone(), Arc::clone(&rules)).await;
    send(&router, 0..50).await;
    until(&router, "two are under way", async || subscription(&router, "one").in_flight == 2).await;
    // Two are under way and do not end in time: after the restart they are repeated.
    assert_eq!(router.shutdown(Duration::ZERO).await.in_flight_left, 2);
    drop(router);

    gate.open();
    let router = open(few, rules).await;
    until(&router, "all is delivered", async || subscription(&router, "one").settled == 50).await;
    let mut seen = numbers(&target.requests_to("/t"));
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, (0..50).collect::<Vec<_>>());
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_target_delays_only_itself() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let gate = Gate::shut();
    target.always("/slow", Answer::status(200).behind(&gate));
    let both = rule("slow", &target.url("/slow")) + &rule("quick", &target.url("/quick"));
    let few = Options { concurrency: 2, lane_events_max: 4, ..options(folder.path()) };
    let router = open(few, rules(&both)).await;
    send(&router, 0..100).await;
    assert_eq!(accepted(&target, "/quick", 100).await.len(), 100);
    let slow = subscription(&router, "slow");
    assert_eq!((slow.delivered, slow.in_flight, slow.settled), (0, 2, 0));
    gate.open();
    let mut seen = numbers(&accepted(&target, "/slow", 100).await);
    seen.sort_unstable();
    assert_eq!(seen, (0..100).collect::<Vec<_>>());
    until(&router, "it has caught up", async || !subscription(&router, "slow").behind).await;
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_keeps_old_subscriptions_begins_new_ones_now_and_ends_removed_ones() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let (one, two) = (rule("one", &target.url("/1")), rule("two", &target.url("/2")));
    let router = open(options(folder.path()), rules(&one)).await;
    send(&router, 0..3).await;
    accepted(&target, "/1", 3).await;
    router.swap(rules(&(one + &two))).await.unwrap();
    send(&router, 3..5).await;
    accepted(&target, "/1", 5).await;
    assert_eq!(accepted(&target, "/2", 2).await.len(), 2);

    router.swap(rules(&two)).await.unwrap();
    send(&router, 5..6).await;
    accepted(&target, "/2", 3).await;
    until(&router, "the removed one is gone", async || router.status().subscriptions.len() == 1)
        .await;
    assert_eq!(target.requests_to("/1").len(), 5);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_subscription_meets_old_events_with_the_rule_of_their_time() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let gate = Gate::shut();
    target.always("/slow", Answer::status(200).behind(&gate));
    let from = |least: usize| {
        let numeric = format!("{{source: [a], detail: {{n: [{{numeric: ['>=', {least}]}}]}}}}");
        rules(&rule("slow", &target.url("/slow")).replace("{source: [a]}", &numeric))
    };
    let few = Options { concurrency: 2, lane_events_max: 4, ..options(folder.path()) };
    let router = open(few, from(0)).await;
    send(&router, 0..50).await;
    until(&router, "two are under way", async || subscription(&router, "slow").in_flight == 2)
        .await;
    until(&router, "all are dispatched", async || router.status().dispatched == 50).await;
    router.swap(from(1000)).await.unwrap();
    send(&router, 50..60).await;
    gate.open();
    until(&router, "all is settled", async || subscription(&router, "slow").settled == 60).await;
    let mut seen = numbers(&target.requests_to("/slow"));
    seen.sort_unstable();
    assert_eq!(seen, (0..50).collect::<Vec<_>>());
    let wal = folder.path().join("state.sqlite-wal");
    stop(router).await;
    let left = std::fs::metadata(wal).map_or(0, |file| file.len());
    assert_eq!(left, 0, "after a stop, all of the state is in its one file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_subscription_does_not_look_at_the_past_again() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let never = |source| {
        rules(
            &rule("one", &target.url("/t")).replace("source: [a]", &format!("source: [{source}]")),
        )
    };
    let router = open(options(folder.path()), never("b")).await;
    send(&router, 0..5).await;
    until(&router, "all are dispatched", async || router.status().dispatched == 5).await;
    router.written().await;
    stop(router).await;
    // The rule now wants what has passed: it is too late.
    let router = open(options(folder.path()), never("a")).await;
    assert_eq!(subscription(&router, "one").settled, 5);
    send(&router, 5..6).await;
    assert_eq!(numbers(&accepted(&target, "/t", 1).await), [5]);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_of_buses_ends_at_the_limit_of_hops() {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules(
        "---\nname: there\npattern: {source: [a]}\ntargets: [{id: t, bus: other}]\n\
         ---\nname: back\nbus: other\npattern: {source: [a]}\ntargets: [{id: t, bus: default}]\n",
    );
    let router = open(Options { hops_max: 5, ..options(folder.path()) }, rules).await;
    send(&router, 0..1).await;
    let all = || DeadLetterFilter { limit: 10, ..DeadLetterFilter::default() };
    until(&router, "the loop ends", async || {
        router.dead_letters(all()).await.unwrap().items.len() == 1
    })
    .await;
    let letter = router.dead_letters(all()).await.unwrap().items.remove(0);
    assert!(letter.error.contains("passed on 5 times, which is the limit"), "{}", letter.error);
    assert_eq!(router.status().journal.next_offset, 6);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_lost_its_end_is_noticed() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let rules = rules(&rule("one", &target.url("/t")));
    let router = open(options(folder.path()), Arc::clone(&rules)).await;
    send(&router, 0..5).await;
    accepted(&target, "/t", 5).await;
    stop(router).await;
    let journal = folder.path().join("journal");
    for entry in std::fs::read_dir(&journal).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "hot") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let refused = async || {
        #[expect(clippy::disallowed_methods, reason = "the clock's beginning")]
        let clock = Arc::new(System(Instant::now()));
        let host = plugin::Host::new(plugin::Options::default()).unwrap();
        let opened = Router::open(options(folder.path()), clock, Arc::clone(&rules), host).await;
        opened.err().unwrap().to_string()
    };
    let said = refused().await;
    let lost = "the journal ends at offset 0, but a subscription has had everything below 5";
    assert!(said.contains(lost) && said.contains("slipswitch journal repair"), "{said}");
    std::fs::remove_dir_all(journal).unwrap();
    let said = refused().await;
    assert!(said.contains("the journal is gone") && said == refused().await, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_in_use_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let router = open(options(folder.path()), Arc::new(RuleSet::empty())).await;
    #[expect(clippy::disallowed_methods, reason = "the clock's beginning")]
    let clock = Arc::new(System(Instant::now()));
    let host = plugin::Host::new(plugin::Options::default()).unwrap();
    let second =
        Router::open(options(folder.path()), clock, Arc::new(RuleSet::empty()), host).await;
    let said = second.err().unwrap().to_string();
    assert!(said.contains("journal") && said.contains("process"), "{said}");
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_target_keeps_its_backlog_over_a_restart() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let rules = rules(&rule("one", &target.url("/t")));
    let few = Options { lane_events_max: 4, ..options(folder.path()) };
    let router = open(few.clone(), Arc::clone(&rules)).await;
    let key = Key::live("default", "one", "t");
    send(&router, 0..1).await;
    accepted(&target, "/t", 1).await;
    router.pause(&key, "the depot moves").await.unwrap();
    send(&router, 1..50).await;
    until(&router, "it has seen them, and the answer to the first", async || {
        let paused = subscription(&router, "one");
        paused.behind && paused.settled == 1
    })
    .await;
    let paused = subscription(&router, "one");
    assert_eq!(paused.paused.unwrap().reason, "the depot moves");
    assert_eq!((paused.queued, paused.in_flight, paused.settled), (0, 0, 1));
    stop(router).await;

    let router = open(few, rules).await;
    send(&router, 50..60).await;
    router.written().await;
    assert_eq!(target.requests().len(), 1);
    assert!(router.resume(&key).await.unwrap().was_stopped);
    let mut seen = numbers(&accepted(&target, "/t", 60).await);
    seen.sort_unstable();
    assert_eq!(seen, (0..60).collect::<Vec<_>>());
    assert!(!router.resume(&key).await.unwrap().was_stopped);
    let unknown = router.pause(&Key::live("default", "two", "t"), "").await.unwrap_err();
    assert!(unknown.to_string().starts_with("there is no subscription `default/two/t`"));
    stop(router).await;
}
