//! What a rule says of the flow to a target, and what becomes of a target that is down or gone.

use slipswitch_bus::LetGo;

use super::*;

/// The rule of [`rule`] with more keys for its target.
fn with(keys: &str, url: &str) -> Arc<RuleSet> {
    rules(&(rule("one", url).replace("    circuit: {failures: 1000}\n", "") + keys))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_down_gets_one_probe_at_a_time_and_then_all_of_its_backlog() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.always("/t", Answer::status(503));
    let keys = "    circuit: {failures: 3, probe_after: 50ms}\n    concurrency: 1\n";
    let router = open(options(folder.path()), with(keys, &target.url("/t"))).await;
    send(&router, 0..500).await;
    until(&router, "open", async || subscription(&router, "one").circuit.failures > 5).await;
    let down = subscription(&router, "one");
    assert_ne!(down.circuit.state, "closed");
    assert!(down.postponed <= 3 && down.queued == 0, "{down:?}");
    assert!(down.behind && down.circuit.since.is_some());
    target.always("/t", Answer::status(200));
    let mut seen = numbers(&accepted(&target, "/t", 500).await);
    seen.sort_unstable();
    assert_eq!(seen, (0..500).collect::<Vec<_>>());
    until(&router, "closed", async || subscription(&router, "one").postponed == 0).await;
    assert_eq!(subscription(&router, "one").circuit.state, "closed");
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_gone_is_left_alone_until_somebody_has_looked() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.always("/t", Answer::status(410).body("moved to the other depot"));
    let rules = with("    concurrency: 1\n", &target.url("/t"));
    let router = open(options(folder.path()), Arc::clone(&rules)).await;
    send(&router, 0..20).await;
    until(&router, "disabled", async || subscription(&router, "one").disabled.is_some()).await;
    router.written().await;
    stop(router).await;

    let router = open(options(folder.path()), rules).await;
    let gone = subscription(&router, "one");
    assert!(gone.disabled.unwrap().reason.contains("410 Gone: moved to the other depot"));
    assert_eq!((gone.dead, gone.postponed), (0, 1), "what it did not take is still owed");
    assert_eq!(target.requests().len(), 1);
    target.always("/t", Answer::status(200));
    assert!(router.enable(&Key::live("default", "one", "t")).await.unwrap().was_stopped);
    let mut seen = numbers(&accepted(&target, "/t", 20).await);
    seen.sort_unstable();
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_one_key_is_sent_in_order_and_a_failing_key_holds_no_other() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.script("/t", (0..12).map(|n| Answer::status(if n % 3 == 1 { 200 } else { 503 })));
    let keys = "    order_by: $.detail.key\n    circuit: {failures: 1000}\n";
    let router = open(options(folder.path()), with(keys, &target.url("/t"))).await;
    let entries = (0..60).map(|n| {
        Bytes::from(format!(
            r#"{{"source":"a","detail-type":"Made","detail":{{"key":"k{}","n":{n},"x":0}}}}"#,
            n % 4
        ))
    });
    router.ingest("default", entries.collect()).await.unwrap();
    let requests = accepted(&target, "/t", 60).await;
    for key in 0..4 {
        let all: Vec<usize> = requests.iter().map(|one| number(&one.text())).collect();
        let of_key: Vec<usize> = all.into_iter().filter(|n| n % 4 == key).collect();
        assert!(of_key.is_sorted(), "every attempt of {key} in order: {of_key:?}");
    }
    assert_eq!(numbers(&requests).len(), 60);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_target_may_start_in_the_past() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let router = open(options(folder.path()), Arc::new(RuleSet::empty())).await;
    send(&router, 0..10).await;
    until(&router, "dispatched", async || router.status().dispatched == 10).await;
    let early = rule("early", &target.url("/early")) + "    start: earliest\n";
    let late = rule("late", &target.url("/late"));
    let timed = rule("timed", &target.url("/timed")) + "    start: 1999-12-31T23:59:59Z\n";
    router.swap(rules(&(early.clone() + &late + &timed))).await.unwrap();
    send(&router, 10..12).await;
    assert_eq!(accepted(&target, "/early", 12).await.len(), 12);
    assert_eq!(accepted(&target, "/timed", 12).await.len(), 12);
    assert_eq!(numbers(&accepted(&target, "/late", 2).await).len(), 2);
    // Of a target that is known, the place is known.
    router.swap(rules(&early)).await.unwrap();
    send(&router, 12..13).await;
    assert_eq!(accepted(&target, "/early", 13).await.len(), 13);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_spreads_requests_over_time() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let router = open(options(folder.path()), with("    rate: 100\n", &target.url("/t"))).await;
    #[expect(clippy::disallowed_methods, reason = "the rate is one of real time")]
    let began = Instant::now();
    send(&router, 0..60).await;
    accepted(&target, "/t", 60).await;
    // Ten may start at once, the other fifty take half a second.
    assert!(Duration::from_millis(490) <= began.elapsed(), "{:?}", began.elapsed());
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_circuit_without_anything_postponed_is_probed_with_a_new_event() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.always("/t", Answer::status(503));
    let keys = "    circuit: {failures: 2, probe_after: 10ms}\n    concurrency: 1\n";
    let once = rule("one", &target.url("/t"))
        .replace("attempts: 50", "attempts: 1")
        .replace("    circuit: {failures: 1000}\n", keys);
    let router = open(options(folder.path()), rules(&once)).await;
    send(&router, 0..30).await;
    until(&router, "some are dead", async || subscription(&router, "one").dead >= 4).await;
    target.always("/t", Answer::status(200));
    until(&router, "closed", async || {
        let now = subscription(&router, "one");
        now.settled == 30 && now.circuit.state == "closed"
    })
    .await;
    let end = subscription(&router, "one");
    assert_eq!(end.dead + end.delivered, 30);
    assert!(end.delivered > 0 && end.dead < 30, "{end:?}");
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_one_request_and_a_bad_event_in_it_takes_no_other_with_it() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    // The first batch is refused whole; of its parts, sent alone, the second is bad.
    let said = [400, 200, 400, 200, 200].map(Answer::status);
    target.script("/t", said);
    let keys = "    batch: {events: 4, within: 60s}\n    concurrency: 1\n";
    let router = open(options(folder.path()), with(keys, &target.url("/t"))).await;
    send(&router, 0..8).await;
    until(&router, "all have ended", async || subscription(&router, "one").settled == 8).await;
    let requests = target.requests_to("/t");
    let sizes: Vec<&str> =
        requests.iter().map(|one| one.header("slipswitch-batch").unwrap()).collect();
    assert_eq!(sizes, ["4", "1", "1", "1", "1", "4"]);
    assert_eq!(requests[0].header("slipswitch-delivery-ids"), Some("0/0 1/0 2/0 3/0"));
    assert_eq!(requests[0].header("content-type"), Some("application/json"));
    let last: Vec<serde_json::Value> = serde_json::from_str(&requests[5].text()).unwrap();
    let numbers: Vec<_> = last.iter().map(|event| event["detail"]["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [4, 5, 6, 7]);
    let end = subscription(&router, "one");
    assert_eq!((end.delivered, end.dead, end.failed_attempts), (7, 1, 1));
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_does_not_wait_for_ever_and_what_fails_is_tried_again() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.script("/t", [Answer::status(503)]);
    let keys = "    batch: {events: 100, within: 20ms}\n    order_by: $.source\n";
    let router = open(options(folder.path()), with(keys, &target.url("/t"))).await;
    send(&router, 0..7).await;
    until(&router, "all arrived", async || subscription(&router, "one").delivered == 7).await;
    let requests = target.requests_to("/t");
    // How many came together in the first, refused request is chance; that the rest follows in order is not.
    let ids = |one: &Request| one.header("slipswitch-delivery-ids").unwrap().to_owned();
    let again: Vec<String> = requests[1..].iter().map(ids).collect();
    assert_eq!(again.join(" "), "0/0 1/0 2/0 3/0 4/0 5/0 6/0", "in order");
    assert_eq!(requests[0].answered, 503);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_says_that_a_target_is_back_has_it_probed_at_once() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.always("/t", Answer::status(503));
    let keys = "    circuit: {failures: 1, probe_after: 1h}\n    concurrency: 1\n";
    let router = open(options(folder.path()), with(keys, &target.url("/t"))).await;
    let key = Key::live("default", "one", "t");
    let at_rest = LetGo { was_stopped: false, probes: false };
    assert_eq!(router.resume(&key).await.unwrap(), at_rest);
    send(&router, 0..10).await;
    let state = |router: &Router| subscription(router, "one").circuit.state;
    until(&router, "open", async || state(&router) == "open").await;
    // It is not, and then it is.
    assert_eq!(router.enable(&key).await.unwrap(), LetGo { probes: true, ..at_rest });
    until(&router, "probed", async || subscription(&router, "one").circuit.failures == 2).await;
    router.pause(&key, "").await.unwrap();
    target.always("/t", Answer::status(200));
    let let_go = LetGo { was_stopped: true, probes: true };
    until(&router, "it is open again", async || state(&router) == "open").await;
    assert_eq!(router.resume(&key).await.unwrap(), let_go);
    let mut seen = numbers(&accepted(&target, "/t", 10).await);
    seen.sort_unstable();
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_pause_keeps_since_when_and_why_unless_it_says_why() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let rules = with("", &target.url("/t"));
    let router = open(options(folder.path()), Arc::clone(&rules)).await;
    let key = Key::live("default", "one", "t");
    let first = router.pause(&key, "the depot moves").await.unwrap();
    assert_eq!(router.pause(&key, "").await.unwrap(), first);
    stop(router).await;
    let router = open(options(folder.path()), rules).await;
    assert_eq!(subscription(&router, "one").paused, Some(first.clone()));
    let second = router.pause(&key, "the depot burns").await.unwrap();
    assert_eq!((second.since, &*second.reason), (first.since, "the depot burns"));
    stop(router).await;
}
