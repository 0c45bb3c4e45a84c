//! Whoever asks for a change and hangs up in the middle: the change is made whole all the same.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use slipswitch_bus::{
    ArchiveChange, LetterChoice, NewArchive, Redrive, RedriveTo, ReplayState, StartReplay,
};

use super::*;

/// After so many polls a future is dropped.
const POLLS: std::ops::Range<usize> = 1..6;

/// Drops it after some polls, as the server does when the client goes.
async fn hang_up(asked: impl Future, polls: usize) {
    let (mut asked, mut polled) = (pin!(asked), 0);
    poll_fn(|context| {
        polled += 1;
        let is_over = asked.as_mut().poll(context).is_ready() || polls <= polled;
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_of_which_nobody_waits_for_the_end_is_sent() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.always("/t", Answer::status(400));
    let router = open(options(folder.path()), rules(&rule("one", &target.url("/t")))).await;
    send(&router, 0..10).await;
    let all = || DeadLetterFilter { limit: 100, ..DeadLetterFilter::default() };
    until(&router, "all are dead", async || {
        router.dead_letters(all()).await.unwrap().items.len() == 10
    })
    .await;
    target.always("/t", Answer::status(200));
    let letters = router.dead_letters(all()).await.unwrap().items;
    for (letter, polls) in letters.iter().zip(POLLS.cycle()) {
        let which = Redrive::Ids(vec![letter.id]);
        hang_up(router.redrive(which, RedriveTo::Target), polls).await;
    }
    let mut seen = numbers(&accepted(&target, "/t", 10).await);
    seen.sort_unstable();
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
    let delivered = || DeadLetterFilter { choice: LetterChoice::All, ..all() };
    for (letter, polls) in letters.iter().zip(POLLS.cycle()) {
        until(&router, "it is purged", async || {
            hang_up(router.purge_dead_letters(Redrive::Ids(vec![letter.id])), polls).await;
            let left = router.dead_letters(delivered()).await.unwrap().items;
            left.iter().all(|one| one.id != letter.id)
        })
        .await;
    }
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replay_was_told_by_somebody_who_went_is_done() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let router = open(options(folder.path()), rules(&rule("one", &target.url("/t")))).await;
    send(&router, 0..30).await;
    accepted(&target, "/t", 30).await;
    for polls in POLLS {
        let name = format!("again-{polls}");
        let gate = Gate::shut();
        target.always("/t", Answer::status(200).behind(&gate));
        let start = StartReplay {
            name: Some(name.clone()),
            ..StartReplay::new("default", Timestamp::from_millis(0))
        };
        let is = async |state: ReplayState| {
            until(&router, &format!("{state:?}"), async || {
                let replays = router.replays().await.unwrap();
                replays.iter().any(|one| one.name == name && one.state == state)
            })
            .await;
        };
        hang_up(router.start_replay(start), polls).await;
        is(ReplayState::Running).await;
        until(&router, "it has a lane", async || lanes(&router, &name).len() == 1).await;
        hang_up(router.pause_replay(&name), polls).await;
        is(ReplayState::Paused).await;
        until(&router, "it stands still", async || lanes(&router, &name)[0].paused.is_some()).await;
        hang_up(router.resume_replay(&name), polls).await;
        is(ReplayState::Running).await;
        until(&router, "it goes on", async || lanes(&router, &name)[0].paused.is_none()).await;
        hang_up(router.cancel_replay(&name), polls).await;
        is(ReplayState::Cancelled).await;
        gate.open();
        until(&router, "its lane has gone", async || lanes(&router, &name).is_empty()).await;
    }
    stop(router).await;
}

fn lanes(router: &Router, replay: &str) -> Vec<SubscriptionStatus> {
    let all = router.status().subscriptions;
    all.into_iter().filter(|one| one.replay.as_deref() == Some(replay)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_paused_resumed_and_enabled_for_somebody_who_went() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let router = open(options(folder.path()), rules(&rule("one", &target.url("/t")))).await;
    let key = Key::live("default", "one", "t");
    for (turn, polls) in POLLS.enumerate() {
        hang_up(router.pause(&key, "the depot moves"), polls).await;
        until(&router, "paused", async || subscription(&router, "one").paused.is_some()).await;
        hang_up(router.resume(&key), polls).await;
        until(&router, "resumed", async || subscription(&router, "one").paused.is_none()).await;
        target.always("/t", Answer::status(410));
        send(&router, turn..turn + 1).await;
        let is_disabled = async || subscription(&router, "one").disabled.is_some();
        until(&router, "disabled", is_disabled).await;
        target.always("/t", Answer::status(200));
        hang_up(router.enable(&key), polls).await;
        assert_eq!(accepted(&target, "/t", turn + 1).await.len(), 2 * (turn + 1));
    }
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_are_made_changed_and_removed_for_somebody_who_went() {
    let folder = tempfile::tempdir().unwrap();
    let router = open(options(folder.path()), Arc::new(RuleSet::empty())).await;
    for polls in POLLS {
        let new = NewArchive {
            name: "orders".to_owned(),
            bus: "default".to_owned(),
            ..NewArchive::default()
        };
        hang_up(router.create_archive(new), polls).await;
        until(&router, "made", async || router.archive("orders").is_ok()).await;
        let days = ArchiveChange { retention_days: Some(30), ..ArchiveChange::default() };
        hang_up(router.change_archive("orders", days), polls).await;
        let is_changed = async || router.archive("orders").unwrap().retention_days == 30;
        until(&router, "changed", is_changed).await;
        hang_up(router.remove_archive("orders"), polls).await;
        until(&router, "removed", async || router.archive("orders").is_err()).await;
    }
    stop(router).await;
}
