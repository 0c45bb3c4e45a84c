//! Rules that are edited while their targets are behind: what was owed stays owed.

use super::*;

fn key() -> Key {
    Key::live("default", "one", "t")
}

/// The rule `one` for numbers below ten, or for all others.
fn below_ten(is_below: bool, url: &str) -> String {
    let operator = if is_below { "<" } else { ">=" };
    let pattern = format!("{{source: [a], detail: {{n: [{{numeric: ['{operator}', 10]}}]}}}}");
    rule("one", url).replace("{source: [a]}", &pattern)
}

async fn had(router: &Router, target: &Arc<Receiver>, settled: u64) -> Vec<usize> {
    until(router, "caught up", async || {
        let one = subscription(router, "one");
        one.settled == settled && one.in_flight == 0
    })
    .await;
    let mut had = numbers(&target.requests_to("/t"));
    had.sort_unstable();
    target.forget();
    had
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_meets_the_pattern_of_its_time_over_restarts_too() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let (below, above) = (below_ten(true, &target.url("/t")), below_ten(false, &target.url("/t")));
    let router = open(options(folder.path()), rules(&below)).await;
    router.pause(&key(), "").await.unwrap();
    send(&router, 0..20).await;
    until(&router, "dispatched", async || router.status().dispatched == 20).await;
    router.swap(rules(&above)).await.unwrap();
    send(&router, 20..30).await;
    stop(router).await;
    // Twice: what was read back is written down again.
    let router = open(options(folder.path()), rules(&above)).await;
    stop(router).await;
    let router = open(options(folder.path()), rules(&above)).await;
    router.resume(&key()).await.unwrap();
    let expected: Vec<usize> = (0..10).chain(20..30).collect();
    assert_eq!(had(&router, &target, 30).await, expected);

    // Edited while the router is down.
    router.pause(&key(), "").await.unwrap();
    send(&router, 5..15).await;
    stop(router).await;
    let router = open(options(folder.path()), rules(&below)).await;
    send(&router, 5..15).await;
    router.resume(&key()).await.unwrap();
    assert_eq!(had(&router, &target, 50).await, (5..15).collect::<Vec<_>>());
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reloads_of_other_rules_take_nothing_from_one_that_is_far_behind() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let (below, above) = (below_ten(true, &target.url("/t")), below_ten(false, &target.url("/t")));
    let router = open(options(folder.path()), rules(&below)).await;
    router.pause(&key(), "").await.unwrap();
    send(&router, 0..10).await;
    until(&router, "dispatched", async || router.status().dispatched == 10).await;
    for reload in 0..80 {
        let other = rule("two", &target.url(&format!("/{reload}"))).replace("[a]", "[b]");
        router.swap(rules(&(above.clone() + &other))).await.unwrap();
        send(&router, 5..6).await;
        until(&router, "dispatched", async || router.status().dispatched == 11 + reload).await;
    }
    router.resume(&key()).await.unwrap();
    assert_eq!(had(&router, &target, 90).await, (0..10).collect::<Vec<_>>());
    stop(router).await;
}
