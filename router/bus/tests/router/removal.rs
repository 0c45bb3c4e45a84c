//! Rules and targets that go, and perhaps come back.

use std::fmt::Write as _;
use std::sync::Mutex;

use slipswitch_bus::delivery::{DeadLetter, ErrorKind, LetterState};
use slipswitch_bus::{LetterChoice, Redrive, RedriveTo};

use super::*;

/// `count` events, of which the rule `one` has had none when the process ends.
async fn behind(folder: &Path, target: &Arc<Receiver>, count: usize) -> String {
    let gate = Gate::shut();
    target.always("/1", Answer::status(200).behind(&gate));
    let one = rule("one", &target.url("/1")) + "    concurrency: 1\n";
    let router = open(options(folder), rules(&one)).await;
    send(&router, 0..count).await;
    until(&router, "it is under way", async || target.requests_to("/1").len() == 1).await;
    router.shutdown(Duration::ZERO).await;
    gate.open();
    target.always("/1", Answer::status(200));
    one
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_is_not_there_for_a_while_goes_on_from_its_place() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let one = behind(folder.path(), &target, 50).await;
    let two = rules(&rule("two", &target.url("/2")));
    for at in [50, 51] {
        // Also over a second restart.
        let router = open(options(folder.path()), Arc::clone(&two)).await;
        send(&router, at..at + 1).await;
        accepted(&target, "/2", at - 49).await;
        let removed = subscription(&router, "one");
        assert!(removed.removed.is_some() && subscription(&router, "two").removed.is_none());
        until(&router, "all is counted", async || {
            subscription(&router, "one").lag == at as u64 + 1
        })
        .await;
        stop(router).await;
    }
    target.forget();
    let router = open(options(folder.path()), two).await;
    router.swap(rules(&one)).await.unwrap();
    let mut seen = numbers(&accepted(&target, "/1", 52).await);
    seen.sort_unstable();
    assert_eq!(seen, (0..52).collect::<Vec<_>>(), "what came meanwhile, too");
    assert!(subscription(&router, "one").removed.is_none());
    assert_eq!(router.status().removed_unseen, 0);
    stop(router).await;

    let router = open(options(folder.path()), rules(&one)).await;
    assert_eq!(subscription(&router, "one").settled, 52);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_that_does_not_come_back_had_not_looked_at_is_counted() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let one = behind(folder.path(), &target, 50).await;
    let two = rule("two", &target.url("/2"));
    let short = || Options { removed_kept: Duration::from_millis(1), ..options(folder.path()) };
    let router = open(short(), rules(&two)).await;
    until(&router, "it has ended", async || {
        router.status().subscriptions.iter().all(|one| one.rule == "two")
    })
    .await;
    assert_eq!(router.status().removed_unseen, 50);
    target.forget();
    router.swap(rules(&(one + &two))).await.unwrap();
    send(&router, 50..51).await;
    accepted(&target, "/1", 1).await;
    assert_eq!(numbers(&target.requests_to("/1")), [50], "it begins anew");
    stop(router).await;
}

async fn letters(router: &Router) -> Vec<DeadLetter> {
    let choice = LetterChoice::All;
    let all = DeadLetterFilter { limit: 10, choice, ..DeadLetterFilter::default() };
    router.dead_letters(all).await.unwrap().items
}

async fn dead(router: &Router, kind: ErrorKind) -> DeadLetter {
    let is_there = async || {
        let all = letters(router).await;
        all.iter().any(|letter| (letter.state, letter.kind) == (LetterState::Dead, kind))
    };
    until(router, "dead", is_there).await;
    let mut all = letters(router).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dies_with_its_rule_died_of_that_whatever_it_died_of_before() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let one = rule("one", &target.url("/1")).replace("1ms", "1h").replace("5ms", "1h");
    let two = rules(&rule("two", &target.url("/2")));
    target.script("/1", [Answer::status(400)]);
    let router = open(options(folder.path()), rules(&one)).await;
    send(&router, 0..1).await;
    let first = dead(&router, ErrorKind::Refused).await;
    let owed = async |router: &Router| {
        target.script("/1", [Answer::status(503)]);
        let again = Redrive::Ids(vec![first.id]);
        router.redrive(again, RedriveTo::Target).await.unwrap();
        until(router, "it has failed", async || target.requests_to("/1").len() == 1).await;
        until(router, "it waits", async || {
            let one = subscription(router, "one");
            (one.postponed, one.in_flight) == (1, 0)
        })
        .await;
        router.written().await;
    };
    // The rule goes while the router runs.
    target.forget();
    owed(&router).await;
    router.swap(Arc::clone(&two)).await.unwrap();
    let again = dead(&router, ErrorKind::TargetGone).await;
    assert_eq!((again.id, again.attempts, again.attempts_total), (first.id, 1, 2));
    assert!(again.error.contains("503") && again.error.contains("was removed"), "{}", again.error);
    until(&router, "it has ended", async || router.status().subscriptions.len() == 1).await;

    // And while it does not.
    router.swap(rules(&one)).await.unwrap();
    target.forget();
    owed(&router).await;
    stop(router).await;
    for _restart in 0..2 {
        let router = open(options(folder.path()), Arc::clone(&two)).await;
        let last = dead(&router, ErrorKind::TargetGone).await;
        assert_eq!((last.id, last.attempts_total, last.redriven), (first.id, 3, 2));
        // The first one of that name had ended: this one counts what it gave up itself, once.
        assert_eq!(subscription(&router, "one").dead, 1);
        stop(router).await;
    }
}

/// Sends, and waits until the dispatcher has come by.
async fn sent(router: &Router, numbers: std::ops::Range<usize>) {
    let end = numbers.end as u64;
    send(router, numbers).await;
    until(router, "dispatched", async || router.status().dispatched == end).await;
}

/// A rule `one` with more keys for its target, whose circuit is the given one.
fn one(url: &str, circuit: &str) -> String {
    let circuit = format!("    circuit: {circuit}\n    concurrency: 1\n");
    rule("one", url).replace("    circuit: {failures: 1000}\n", &circuit)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_down_gets_what_it_was_owed_when_it_is_up_though_its_rule_is_gone() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.always("/1", Answer::status(503));
    let one = one(&target.url("/1"), "{failures: 3, probe_after: 20ms}");
    let router = open(options(folder.path()), rules(&one)).await;
    sent(&router, 0..100).await;
    until(&router, "open", async || subscription(&router, "one").circuit.state != "closed").await;
    let two = rule("two", &target.url("/2"));
    router.swap(rules(&two)).await.unwrap();
    until(&router, "probed", async || {
        let one = subscription(&router, "one");
        one.circuit.failures > 5 && one.postponed == 0
    })
    .await;
    let (down, tried) = (subscription(&router, "one"), target.requests_to("/1").len());
    assert!(down.draining && down.removed.is_some() && down.removed < down.removed_until);
    assert!(tried < 50 && down.postponed == 0, "{tried} attempts, {down:?}");
    target.always("/1", Answer::status(200));
    until(&router, "it has had all", async || router.status().subscriptions.len() == 1).await;
    let arrived = numbers(&target.requests_to("/1")).len() as u64;
    let all = DeadLetterFilter::default();
    let dead = router.count_dead_letters(all, None).await.unwrap().letters;
    assert_eq!((arrived + dead, router.status().removed_unseen), (100, 0));
    assert!(50 < arrived, "{arrived}");
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_target_keeps_what_it_was_owed_when_its_rule_goes() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let (one, two) = (rule("one", &target.url("/1")), rule("two", &target.url("/2")));
    let router = open(options(folder.path()), rules(&one)).await;
    let key = Key::live("default", "one", "t");
    router.pause(&key, "the depot moves").await.unwrap();
    sent(&router, 0..20).await;
    router.swap(rules(&two)).await.unwrap();
    sent(&router, 20..30).await;
    accepted(&target, "/2", 10).await;
    until(&router, "it waits", async || subscription(&router, "one").lag == 20).await;
    // It comes back, and goes once more.
    router.swap(rules(&(one.clone() + &two))).await.unwrap();
    assert!(subscription(&router, "one").removed.is_none());
    sent(&router, 30..40).await;
    accepted(&target, "/2", 20).await;
    router.swap(rules(&two)).await.unwrap();
    router.written().await;
    assert_eq!(target.requests_to("/1").len(), 0);
    assert!(router.resume(&key).await.unwrap().was_stopped);
    let mut seen = numbers(&accepted(&target, "/1", 30).await);
    seen.sort_unstable();
    assert_eq!(seen, (0..20).chain(30..40).collect::<Vec<_>>(), "what came meanwhile is not its");
    until(&router, "it has ended", async || router.status().subscriptions.len() == 1).await;
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gone_target_was_owed_survives_the_end_of_its_rule_and_a_restart() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.always("/1", Answer::status(503));
    let one = one(&target.url("/1"), "{failures: 1, probe_after: 1m}");
    let two = rules(&rule("two", &target.url("/2")));
    let router = open(options(folder.path()), rules(&one)).await;
    sent(&router, 0..20).await;
    until(&router, "open", async || subscription(&router, "one").postponed == 1).await;
    router.swap(Arc::clone(&two)).await.unwrap();
    until(&router, "buried", async || subscription(&router, "one").dead == 1).await;
    router.written().await;
    let removed = subscription(&router, "one").removed;
    stop(router).await;

    let router = open(options(folder.path()), two).await;
    let dormant = subscription(&router, "one");
    assert_eq!((dormant.removed, dormant.draining), (removed, false));
    target.always("/1", Answer::status(200));
    router.swap(rules(&one)).await.unwrap();
    accepted(&target, "/1", 19).await;
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_target_that_takes_nothing_is_owed_is_given_up_in_the_end() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let (one, two) = (rule("one", &target.url("/1")), rule("two", &target.url("/2")));
    let short = Options { removed_kept: Duration::from_millis(1), ..options(folder.path()) };
    let router = open(short.clone(), rules(&one)).await;
    router.pause(&Key::live("default", "one", "t"), "").await.unwrap();
    sent(&router, 0..20).await;
    router.swap(rules(&two)).await.unwrap();
    until(&router, "it has ended", async || router.status().subscriptions.len() == 1).await;
    assert_eq!(router.status().removed_unseen, 20);
    stop(router).await;
    let router = open(short, rules(&(one + &two))).await;
    assert!(subscription(&router, "one").paused.is_none(), "it begins anew");
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_says_how_far_behind_those_without_a_rule_are() {
    let said = Said::default();
    // For all threads, and tests: a number of events that no other one has.
    tracing::subscriber::set_global_default(said.clone()).unwrap();
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    behind(folder.path(), &target, 53).await;
    let two = rules(&rule("two", &target.url("/2")));
    // First it has been removed since the last process, then it had been before.
    let mut told = Vec::new();
    for _start in 0..2 {
        let router = open(options(folder.path()), Arc::clone(&two)).await;
        let said = said.0.lock().unwrap().clone();
        told.push(said.iter().filter(|line| line.contains("=53 ")).cloned().collect::<Vec<_>>());
        stop(router).await;
    }
    let [first, second] = &*told else { panic!("{told:?}") };
    assert!(first.len() == 1 && first[0].contains("behind=53 "), "{told:?}");
    assert!(second.len() == 2 && second[1].contains("subscriptions=1 behind_max=53 "), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_waits_for_its_rule_is_stopped_and_let_go_on_for_when_it_is_back() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let one = behind(folder.path(), &target, 5).await;
    target.forget();
    let two = rule("two", &target.url("/2"));
    let both = rules(&(one + &two));
    let two = rules(&two);
    let key = Key::live("default", "one", "t");
    let router = open(options(folder.path()), Arc::clone(&two)).await;
    let paused = router.pause(&key, "the depot moves").await.unwrap();
    assert_eq!(subscription(&router, "one").paused, Some(paused.clone()));
    assert_eq!(router.pause(&key, "").await.unwrap(), paused);
    stop(router).await;

    let router = open(options(folder.path()), Arc::clone(&two)).await;
    assert_eq!(subscription(&router, "one").paused, Some(paused.clone()));
    router.swap(Arc::clone(&both)).await.unwrap();
    let back = subscription(&router, "one");
    assert_eq!((back.removed, back.paused), (None, Some(paused)));
    stop(router).await;

    let router = open(options(folder.path()), two).await;
    assert!(router.resume(&key).await.unwrap().was_stopped);
    assert!(!router.resume(&key).await.unwrap().was_stopped);
    assert!(!router.enable(&key).await.unwrap().was_stopped);
    let gone = Key::live("default", "three", "t");
    assert!(router.resume(&gone).await.is_err());
    assert_eq!(target.requests_to("/1").len(), 0);
    router.swap(both).await.unwrap();
    assert_eq!(accepted(&target, "/1", 5).await.len(), 5);
    stop(router).await;
}

/// The warnings that are logged.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Said {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn new_span(&self, _span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _span: &tracing::span::Id, _values: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _span: &tracing::span::Id, _follows: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = String::new();
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            write!(line, "{field}={value:?} ").unwrap();
        });
        self.0.lock().unwrap().push(line);
    }

    fn enter(&self, _span: &tracing::span::Id) {}

    fn exit(&self, _span: &tracing::span::Id) {}
}
