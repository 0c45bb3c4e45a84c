//! Replays: the past once more.

use slipswitch_bus::{NewArchive, Replay, ReplayState, Selection, StartReplay};

use super::*;

/// A replay named `again` of all that the default bus holds.
pub(super) fn everything(rules: &[&str]) -> StartReplay {
    StartReplay {
        name: Some("again".to_owned()),
        rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
        ..StartReplay::new("default", Timestamp::from_millis(0))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_whose_rule_has_gone_says_that_it_did_not_reach_its_end() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let gate = Gate::shut();
    let (one, two) = (rule("one", &target.url("/1")), rule("two", &target.url("/2")));
    let router = open(options(folder.path()), rules(&one)).await;
    send(&router, 0..10).await;
    accepted(&target, "/1", 10).await;
    target.always("/1", Answer::status(200).behind(&gate));
    let start = everything(&[]);
    router.start_replay(start).await.unwrap();
    router.shutdown(Duration::ZERO).await;
    drop(router);
    let router = open(options(folder.path()), rules(&two)).await;
    let ended = router.replays().await.unwrap().remove(0);
    assert_eq!(ended.state, ReplayState::Failed);
    assert!(ended.error.unwrap().starts_with("the rule `one` or its target `t` was removed"));
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_whose_rule_goes_while_it_runs_fails_at_once_and_sends_nothing_more() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let (one, two) = (rule("one", &target.url("/1")), rule("two", &target.url("/2")));
    let router = open(options(folder.path()), rules(&(one + &two))).await;
    send(&router, 0..30).await;
    accepted(&target, "/1", 30).await;
    accepted(&target, "/2", 30).await;
    target.forget();
    // One a second: it does not end by itself.
    router.start_replay(StartReplay { rate: Some(1.0), ..everything(&[]) }).await.unwrap();
    accepted(&target, "/1", 1).await;
    accepted(&target, "/2", 1).await;
    router.swap(rules(&two)).await.unwrap();
    let failed = state(&router, "again").await;
    assert_eq!(failed.state, ReplayState::Failed);
    assert!(failed.ended_at.is_some() && failed.percent < 100.0, "{failed:?}");
    let said = failed.error.unwrap();
    assert!(said.starts_with("the rule `one` or its target `t` was removed"), "{said}");
    until(&router, "the lanes are gone", async || router.status().subscriptions.len() == 1).await;
    let (sent, of_two) = (target.requests().len(), target.requests_to("/2").len());
    send(&router, 30..31).await;
    accepted(&target, "/2", of_two + 1).await;
    assert!(target.requests().len() <= sent + 1, "only the live one came");
    stop(router).await;
    let router = open(options(folder.path()), rules(&two)).await;
    assert_eq!(state(&router, "again").await.state, ReplayState::Failed);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_sends_the_past_in_order_to_the_chosen_rule_alone() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let both = rule("one", &target.url("/1")) + &rule("two", &target.url("/2"));
    let router = open(options(folder.path()), rules(&both)).await;
    send(&router, 0..30).await;
    accepted(&target, "/1", 30).await;
    accepted(&target, "/2", 30).await;
    target.forget();
    let start = everything(&["two"]);
    let replay = router.start_replay(start.clone()).await.unwrap();
    assert_eq!((replay.from_offset.get(), replay.to_offset.get()), (0, 30));
    let requests = accepted(&target, "/2", 30).await;
    assert_eq!(numbers(&requests), (0..30).collect::<Vec<_>>());
    assert!(requests[0].text().contains(r#""replay-name":"again","resources""#));
    assert_eq!(requests[7].delivery_id(), Some("default/7/two/t/0;replay=again"));
    until(&router, "completed", async || {
        router.replays().await.unwrap()[0].state == ReplayState::Completed
    })
    .await;
    let replay = router.replays().await.unwrap().remove(0);
    assert_eq!((replay.delivered, replay.dead, replay.position.get()), (30, 0, 30));
    assert!(target.requests_to("/1").is_empty());
    assert_eq!(router.status().subscriptions.len(), 2);

    let said = router.start_replay(start.clone()).await.unwrap_err().to_string();
    assert_eq!(said, "there is a replay `again` already; choose another name");
    let ahead = Timestamp::parse("2999-01-01T00:00:00Z").unwrap();
    let ahead = StartReplay { name: None, since: ahead, ..start.clone() };
    let said = router.estimate_replay(ahead.clone()).await.unwrap_err().to_string();
    assert!(said.starts_with("the span begins at 2999-01-01T00:00:00"), "{said}");
    assert!(router.start_replay(ahead).await.is_err());
    let unknown = StartReplay { rules: vec!["three".to_owned()], name: None, ..start };
    let said = router.start_replay(unknown).await.unwrap_err().to_string();
    assert_eq!(said, "there is no enabled rule `three` on bus `default`; there are: one, two");
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_one_by_one_keeps_the_order_also_when_an_attempt_fails() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let router = open(options(folder.path()), rules(&rule("one", &target.url("/t")))).await;
    send(&router, 0..8).await;
    accepted(&target, "/t", 8).await;
    target.forget();
    let (yes, no) = (|| Answer::status(200), || Answer::status(503));
    target.script("/t", [yes(), yes(), yes(), no(), no(), yes(), no(), yes()]);
    router.start_replay(everything(&[])).await.unwrap();
    let requests = accepted(&target, "/t", 8).await;
    let tried: Vec<usize> = requests.iter().map(|request| number(&request.text())).collect();
    assert_eq!(tried, [0, 1, 2, 3, 3, 3, 4, 4, 5, 6, 7]);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_goes_on_after_a_restart() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let gate = Gate::shut();
    let rules = rules(&rule("one", &target.url("/1")));
    let router = open(options(folder.path()), Arc::clone(&rules)).await;
    send(&router, 0..10).await;
    accepted(&target, "/1", 10).await;
    until(&router, "settled", async || subscription(&router, "one").settled == 10).await;
    target.forget();
    target.always("/1", Answer::status(200).behind(&gate));
    let start = everything(&[]);
    router.start_replay(start).await.unwrap();
    assert!(router.shutdown(Duration::ZERO).await.in_flight_left <= 1);
    drop(router);

    gate.open();
    let router = open(options(folder.path()), rules).await;
    until(&router, "completed", async || {
        router.replays().await.unwrap()[0].state == ReplayState::Completed
    })
    .await;
    let mut seen = numbers(&target.requests_to("/1"));
    seen.dedup();
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
    stop(router).await;
}

pub(super) async fn state(router: &Router, name: &str) -> Replay {
    router.replay(name).await.unwrap()
}

async fn reaches(router: &Router, wanted: ReplayState) -> Replay {
    until(router, "its state", async || state(router, "again").await.state == wanted).await;
    state(router, "again").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_replay_stays_paused_over_a_restart_and_goes_on_where_it_was() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let text = rules(&rule("one", &target.url("/1")));
    let router = open(options(folder.path()), Arc::clone(&text)).await;
    send(&router, 0..20).await;
    accepted(&target, "/1", 20).await;
    until(&router, "settled", async || subscription(&router, "one").settled == 20).await;
    target.forget();
    // Ten a second: it does not end before it is paused.
    let slowly = StartReplay { rate: Some(10.0), ..everything(&[]) };
    router.start_replay(slowly).await.unwrap();
    accepted(&target, "/1", 2).await;
    let paused = router.pause_replay("again").await.unwrap();
    assert_eq!(paused.state, ReplayState::Paused);
    assert!(paused.percent < 100.0 && paused.eta_seconds.is_none(), "{paused:?}");
    let said = router.pause_replay("again").await.unwrap_err().to_string();
    assert_eq!(said, "the replay `again` is paused; only one that is running can be paused");
    until(&router, "nothing is under way", async || {
        router.status().subscriptions.iter().all(|one| one.in_flight == 0)
    })
    .await;
    router.written().await;
    stop(router).await;
    let sent = target.requests_to("/1").len();
    assert!(sent < 20, "{sent}");

    let router = open(options(folder.path()), Arc::clone(&text)).await;
    assert_eq!(state(&router, "again").await.state, ReplayState::Paused);
    send(&router, 20..21).await;
    accepted(&target, "/1", sent + 1).await;
    assert_eq!(target.requests_to("/1").len(), sent + 1, "only the live one came");
    stop(router).await;

    let router = open(options(folder.path()), text).await;
    router.resume_replay("again").await.unwrap();
    let ended = reaches(&router, ReplayState::Completed).await;
    assert_eq!((ended.delivered, ended.position.get()), (20, 20), "{ended:?}");
    assert!((ended.percent - 100.0).abs() < 0.01);
    let replayed = target.requests_to("/1").into_iter();
    let mut seen: Vec<usize> = replayed
        .filter(|request| request.delivery_id().unwrap().ends_with(";replay=again"))
        .map(|request| number(&request.text()))
        .collect();
    seen.dedup();
    assert_eq!(seen, (0..20).collect::<Vec<_>>(), "in order, none twice");
    let said = router.resume_replay("again").await.unwrap_err().to_string();
    assert!(said.contains("is completed; only one that is paused can be resumed"), "{said}");
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_replay_sends_nothing_more_and_says_how_far_it_was() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let text = rules(&rule("one", &target.url("/1")));
    let router = open(options(folder.path()), Arc::clone(&text)).await;
    send(&router, 0..20).await;
    accepted(&target, "/1", 20).await;
    target.forget();
    let gate = Gate::shut();
    target.script("/1", [Answer::status(200), Answer::status(200).behind(&gate)]);
    router.start_replay(everything(&[])).await.unwrap();
    accepted(&target, "/1", 1).await;
    until(&router, "the second is under way", async || target.requests_to("/1").len() == 2).await;
    let cancelled = router.cancel_replay("again").await.unwrap();
    assert_eq!((cancelled.state, cancelled.delivered), (ReplayState::Cancelled, 1));
    assert!(cancelled.ended_at.is_some() && cancelled.percent < 100.0, "{cancelled:?}");
    gate.open();
    send(&router, 20..21).await;
    accepted(&target, "/1", 3).await;
    assert_eq!(target.requests_to("/1").len(), 3, "what was under way, and the live one");
    until(&router, "it has left", async || router.status().subscriptions.len() == 1).await;
    assert_eq!(state(&router, "again").await.delivered, 2, "what was under way counts");
    stop(router).await;

    let router = open(options(folder.path()), text).await;
    let cancelled = state(&router, "again").await;
    assert_eq!((cancelled.state, cancelled.delivered), (ReplayState::Cancelled, 2));
    assert_eq!(router.status().subscriptions.len(), 1);
    let said = router.cancel_replay("again").await.unwrap_err().to_string();
    assert!(said.contains("is cancelled; only one that is running or paused"), "{said}");
    let said = router.pause_replay("agian").await.unwrap_err().to_string();
    assert!(said.contains("there is no replay `agian`"), "{said}");
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_estimate_says_what_the_replay_then_does() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let some = rule("some", &target.url("/2"))
        .replace("{source: [a]}", "{source: [a], detail: {n: [{numeric: ['<', 10]}]}}");
    let both = rule("one", &target.url("/1")) + &some;
    let router = open(options(folder.path()), rules(&both)).await;
    send(&router, 0..30).await;
    accepted(&target, "/1", 30).await;
    accepted(&target, "/2", 10).await;
    target.forget();
    let pattern = Selection::parse(r#"{"detail":{"n":[{"numeric":[">=",5]}]}}"#).unwrap();
    let targets = vec!["some/t".to_owned()];
    for (start, matched, deliveries) in [
        (everything(&[]), 30, vec![30, 10]),
        (StartReplay { pattern: Some(pattern.clone()), ..everything(&[]) }, 25, vec![25, 5]),
        (StartReplay { targets: targets.clone(), ..everything(&[]) }, 10, vec![10]),
        (StartReplay { targets, pattern: Some(pattern), ..everything(&["one"]) }, 25, vec![25, 5]),
    ] {
        let estimate = router.estimate_replay(start.clone()).await.unwrap();
        assert!(estimate.exact);
        assert_eq!((estimate.events, estimate.matched), (30, matched));
        let found: Vec<u64> = estimate.targets.iter().map(|one| one.events).collect();
        assert_eq!(found, deliveries);
        assert!(target.requests().is_empty(), "nothing was sent");

        let named = StartReplay { name: Some(format!("again-{matched}-{}", found.len())), ..start };
        let Ok(replay) = router.start_replay(named).await else { continue };
        until(&router, "it is over", async || {
            state(&router, &replay.name).await.state == ReplayState::Completed
        })
        .await;
        let ended = state(&router, &replay.name).await;
        assert_eq!(ended.delivered, deliveries.iter().sum::<u64>(), "{ended:?}");
        target.forget();
    }
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_an_archive_sends_what_the_archive_holds() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let router = open(options(folder.path()), rules(&rule("one", &target.url("/1")))).await;
    send(&router, 0..5).await;
    let pattern = Selection::parse(r#"{"detail":{"n":[{"numeric":["<",8]}]}}"#).unwrap();
    let new = NewArchive {
        name: "early".to_owned(),
        bus: "default".to_owned(),
        pattern: Some(pattern),
        ..NewArchive::default()
    };
    router.create_archive(new).await.unwrap();
    send(&router, 5..10).await;
    accepted(&target, "/1", 10).await;
    target.forget();
    let archive = Some("early".to_owned());
    let start = StartReplay { archive, rate: Some(20.0), ..everything(&[]) };
    let estimate = router.estimate_replay(start.clone()).await.unwrap();
    assert_eq!((estimate.events, estimate.matched), (3, 3));
    router.start_replay(start.clone()).await.unwrap();
    let said = router.remove_archive("early").await.unwrap_err().to_string();
    assert!(said.contains("is being replayed by `again`"), "{said}");
    reaches(&router, ReplayState::Completed).await;
    assert_eq!(numbers(&target.requests_to("/1")), [5, 6, 7]);
    router.remove_archive("early").await.unwrap();
    let said = router.start_replay(start).await.unwrap_err().to_string();
    assert_eq!(said, "there is no archive `early`; there are: none");
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_cannot_be_is_refused_with_the_mend() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let router = open(options(folder.path()), rules(&rule("one", &target.url("/1")))).await;
    let new =
        NewArchive { name: "others".to_owned(), bus: "other".to_owned(), ..NewArchive::default() };
    router.create_archive(new).await.unwrap();
    let all = || everything(&[]);
    let text = |text: &str| text.to_owned();
    for (start, says) in [
        (StartReplay { targets: vec![text("one/x")], ..all() }, "there are: one/t"),
        (StartReplay { bus: text("other"), ..all() }, "add one, or enable one"),
        (StartReplay { archive: Some(text("others")), ..all() }, "is of bus `other`"),
        (StartReplay { rate: Some(0.0), ..all() }, "more than 0"),
        (StartReplay { rate: Some(f64::NAN), ..all() }, "more than 0"),
        (StartReplay { concurrency: 0, ..all() }, "use 1 to 1000"),
    ] {
        let said = router.start_replay(start).await.unwrap_err().to_string();
        assert!(said.contains(says), "{said}");
    }
    assert!(router.replays().await.unwrap().is_empty());
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_was_cancelled_when_the_process_ended_leaves_nothing_behind() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let text = rules(&rule("one", &target.url("/1")));
    let router = open(options(folder.path()), Arc::clone(&text)).await;
    send(&router, 0..5).await;
    accepted(&target, "/1", 5).await;
    let gate = Gate::shut();
    target.script("/1", [Answer::status(200), Answer::status(200).behind(&gate)]);
    router.start_replay(everything(&[])).await.unwrap();
    until(&router, "the second is under way", async || target.requests_to("/1").len() == 7).await;
    until(&router, "the first is counted", async || state(&router, "again").await.delivered == 1)
        .await;
    router.written().await;
    router.cancel_replay("again").await.unwrap();
    router.shutdown(Duration::ZERO).await;
    drop(router);
    let router = open(options(folder.path()), text).await;
    let cancelled = state(&router, "again").await;
    assert_eq!((cancelled.state, cancelled.delivered), (ReplayState::Cancelled, 1));
    assert_eq!(router.status().subscriptions.len(), 1);
    gate.open();
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rate_is_that_of_the_replay_as_a_whole() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let both = rule("one", &target.url("/1")) + &rule("two", &target.url("/2"));
    let router = open(options(folder.path()), rules(&both)).await;
    send(&router, 0..10).await;
    accepted(&target, "/1", 10).await;
    accepted(&target, "/2", 10).await;
    let clock = retention::Ahead::new();
    let before = clock.monotonic();
    router.start_replay(StartReplay { rate: Some(40.0), ..everything(&[]) }).await.unwrap();
    reaches(&router, ReplayState::Completed).await;
    // Each target may begin with a tenth of a second's worth, and has half of the rate then.
    let took = clock.monotonic().saturating_sub(before);
    assert!(Duration::from_millis(390) <= took, "{took:?}");
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replay_has_not_read_meets_the_rules_there_are_now() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let gate = Gate::shut();
    let with = |path: &str, numeric: &str| {
        let pattern = format!("{{source: [a], detail: {{n: [{{numeric: {numeric}}}]}}}}");
        rules(&rule("one", &target.url(path)).replace("{source: [a]}", &pattern))
    };
    let few = Options { lane_events_max: 4, ..options(folder.path()) };
    let router = open(few, with("/1", "['<', 100]")).await;
    for number in 0..200 {
        send(&router, number..number + 1).await; // Each is a batch of its own to readers.
    }
    accepted(&target, "/1", 100).await;
    target.forget();
    target.always("/1", Answer::status(200).behind(&gate));
    router.start_replay(everything(&[])).await.unwrap();
    until(&router, "one is under way", async || target.requests_to("/1").len() == 1).await;
    router.swap(with("/2", "['>=', 50]")).await.unwrap();
    gate.open();
    reaches(&router, ReplayState::Completed).await;
    let now = numbers(&target.requests_to("/2"));
    assert!(now.contains(&199) && now.contains(&120), "{now:?}");
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_goes_on_when_its_target_that_was_gone_is_enabled() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let router = open(options(folder.path()), rules(&rule("one", &target.url("/1")))).await;
    send(&router, 0..3).await;
    accepted(&target, "/1", 3).await;
    target.script("/1", [Answer::status(410)]);
    router.start_replay(everything(&[])).await.unwrap();
    until(&router, "disabled", async || {
        let all = router.status().subscriptions;
        all.iter().any(|one| one.replay.is_some() && one.disabled.is_some())
    })
    .await;
    let stopped = state(&router, "again").await.stopped;
    assert_eq!((stopped.len(), &*stopped[0].target), (1, "one/t"));
    let why = &stopped[0].why;
    assert!(why.starts_with("disabled since ") && why.contains("410 Gone"), "{why}");
    assert!(router.enable(&Key::live("default", "one", "t")).await.unwrap().was_stopped);
    reaches(&router, ReplayState::Completed).await;
    stop(router).await;
}

async fn stands_still(router: &Router) {
    let stopped = state(router, "again").await.stopped;
    let [one] = &*stopped else { panic!("{stopped:?}") };
    assert_eq!(one.target, "one/t");
    assert!(one.why.starts_with("paused since ") && one.why.ends_with(": the depot moves"));
    let rows = router.status().subscriptions;
    assert_eq!(rows.iter().filter(|one| one.paused.is_some()).count(), 2, "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_target_gets_nothing_of_a_replay_either_also_after_a_restart() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let both = rules(&(rule("one", &target.url("/1")) + &rule("two", &target.url("/2"))));
    let router = open(options(folder.path()), Arc::clone(&both)).await;
    send(&router, 0..30).await;
    accepted(&target, "/1", 30).await;
    accepted(&target, "/2", 30).await;
    target.forget();
    let key = Key::live("default", "one", "t");
    router.pause(&key, "the depot moves").await.unwrap();
    router.start_replay(everything(&[])).await.unwrap();
    accepted(&target, "/2", 30).await;
    // To pause the replay and let it go on does not let the target go on.
    router.pause_replay("again").await.unwrap();
    assert_eq!(state(&router, "again").await.stopped, []);
    router.resume_replay("again").await.unwrap();
    stands_still(&router).await;
    router.written().await;
    stop(router).await;
    let router = open(options(folder.path()), both).await;
    router.written().await;
    stands_still(&router).await;
    assert_eq!(target.requests_to("/1").len(), 0);
    assert!(router.resume(&key).await.unwrap().was_stopped);
    accepted(&target, "/1", 30).await;
    reaches(&router, ReplayState::Completed).await;
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_says_that_its_target_is_down_and_until_when() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let text = rule("one", &target.url("/1")).replace("failures: 1000", "failures: 1");
    let router = open(options(folder.path()), rules(&text)).await;
    send(&router, 0..3).await;
    accepted(&target, "/1", 3).await;
    target.always("/1", Answer::status(503));
    router.start_replay(everything(&[])).await.unwrap();
    until(&router, "down", async || !state(&router, "again").await.stopped.is_empty()).await;
    let why = state(&router, "again").await.stopped.remove(0).why;
    assert!(why.starts_with("down since ") && why.contains("prob"), "{why}");
    assert!(why.contains("503"), "{why}");
    router.pause(&Key::live("default", "one", "t"), "").await.unwrap();
    let why = state(&router, "again").await.stopped.remove(0).why;
    assert!(why.starts_with("paused since "), "{why}");
    target.always("/1", Answer::status(200));
    router.resume(&Key::live("default", "one", "t")).await.unwrap();
    reaches(&router, ReplayState::Completed).await;
    stop(router).await;
}
