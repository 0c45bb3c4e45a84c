//! Rules and targets that go, and perhaps come back.

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
