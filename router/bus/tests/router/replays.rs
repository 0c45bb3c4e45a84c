//! Replays: the past once more.

use slipswitch_bus::{ReplayState, StartReplay};

use super::*;

/// A replay named `again` of all that the default bus holds.
fn everything(rules: &[&str]) -> StartReplay {
    StartReplay {
        name: Some("again".to_owned()),
        bus: "default".to_owned(),
        since: Timestamp::from_millis(0),
        until: None,
        rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_whose_rule_has_gone_is_completed() {
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
    assert_eq!(router.replays().await.unwrap()[0].state, ReplayState::Completed);
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
    let unknown = StartReplay { rules: vec!["three".to_owned()], name: None, ..start };
    let said = router.start_replay(unknown).await.unwrap_err().to_string();
    assert_eq!(said, "there is no enabled rule `three` on bus `default`; there are: one, two");
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
