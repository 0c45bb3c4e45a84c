//! What became of an event: every way it can go, over a restart, and nothing silent.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use event::Timestamp;
use receiver::{Answer, Receiver};
use ruleset::RuleSet;
use slipswitch_bus::{
    AttemptResult, DeliveryFate, DeliveryState, EventSearch, Fate, Key, PayloadMade, Place,
    Redrive, Router, Selection, StartReplay, ruleset,
};

use super::{PATIENCE, options, rules, stop};

fn rule(name: &str, target: &str) -> String {
    format!("---\nname: {name}\npattern: {{source: [{name}]}}\ntargets:\n  - {{id: t, {target}}}\n")
}

async fn open(folder: &Path, rules: Arc<RuleSet>) -> Router {
    super::open(options(folder), rules).await
}

async fn send(router: &Router, id: &str, source: &str) {
    let entry =
        format!(r#"{{"id":"{id}","source":"{source}","detail-type":"Made","detail":{{"n":1}}}}"#);
    let results = router.ingest("default", vec![Bytes::from(entry)]).await.unwrap();
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}

/// Asks until something holds.
async fn fate(router: &Router, id: &str, holds: impl Fn(&Fate) -> bool) -> Fate {
    let asking = async {
        loop {
            let fate = router.fate(id, None).await.unwrap();
            if holds(&fate) {
                return fate;
            }
            router.written().await;
        }
    };
    let answer = tokio::time::timeout(PATIENCE, asking).await;
    match answer {
        Ok(fate) => fate,
        Err(_) => panic!("{:#?}", router.fate(id, None).await.unwrap()),
    }
}

fn place(fate: &Fate) -> &Place {
    assert_eq!(fate.places.len(), 1, "{fate:#?}");
    &fate.places[0]
}

fn only(fate: &Fate) -> &DeliveryFate {
    let deliveries = &place(fate).deliveries;
    assert_eq!(deliveries.len(), 1, "{fate:#?}");
    &deliveries[0]
}

fn is(state: DeliveryState) -> impl Fn(&Fate) -> bool {
    move |fate| {
        let mut all = fate.places.iter().flat_map(|place| &place.deliveries);
        all.any(|one| one.state == state)
    }
}

fn results(fate: &Fate) -> Vec<(u32, AttemptResult, Option<u16>)> {
    place(fate).attempts.iter().map(|one| (one.attempt, one.result, one.status)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_delivered_waits_died_or_was_dropped_is_told_over_a_restart() {
    let (folder, target) = (tempfile::tempdir().unwrap(), Receiver::start().unwrap());
    target.script("/good", [Answer::status(503)]);
    target.always("/slow", Answer::status(503));
    target.always("/bad", Answer::status(400));
    let text = [
        rule(
            "good",
            &format!("http: {}, retry: {{backoff: {{min: 1ms, max: 5ms}}}}", target.url("/good")),
        ),
        rule(
            "slow",
            &format!("http: {}, retry: {{backoff: {{min: 1h, max: 1h}}}}", target.url("/slow")),
        ),
        rule("bad", &format!("http: {}", target.url("/bad"))),
        rule("gone", &format!("http: {}, transform: [{{plugin: none}}]", target.url("/gone"))),
    ];
    let rules = rules(&text.concat());
    let router = open(folder.path(), Arc::clone(&rules)).await;
    for source in ["good", "slow", "bad", "gone"] {
        send(&router, source, source).await;
    }
    fate(&router, "good", is(DeliveryState::Delivered)).await;
    fate(&router, "slow", |fate| fate.places.iter().any(|place| place.attempts.len() == 1)).await;
    fate(&router, "bad", |fate| is(DeliveryState::Dead)(fate) && only(fate).dead_letter.is_some())
        .await;
    fate(&router, "gone", is(DeliveryState::Dropped)).await;
    router.written().await;
    stop(router).await;

    let router = open(folder.path(), rules).await;
    let good = fate(&router, "good", |_| true).await;
    let expected = [(1, AttemptResult::Retry, Some(503)), (2, AttemptResult::Delivered, Some(200))];
    assert_eq!(results(&good), expected);
    assert_eq!((only(&good).state, only(&good).attempts), (DeliveryState::Delivered, 2));
    assert_eq!(place(&good).attempts[0].rules, good.rules);
    assert_eq!(place(&good).matches, ["good"]);

    let slow = fate(&router, "slow", |_| true).await;
    assert_eq!((only(&slow).state, only(&slow).attempts), (DeliveryState::Postponed, 1));
    let (last, next) = (only(&slow).last_attempt_at.unwrap(), only(&slow).next_attempt_at.unwrap());
    assert!(last < next, "{slow:#?}");
    assert!(only(&slow).error.as_ref().unwrap().contains("503"), "{slow:#?}");

    let bad = fate(&router, "bad", |_| true).await;
    assert_eq!(results(&bad), [(1, AttemptResult::Dead, Some(400))]);
    assert_eq!((only(&bad).state, only(&bad).dead_letter), (DeliveryState::Dead, Some(1)));

    let gone = fate(&router, "gone", |_| true).await;
    assert_eq!(
        (only(&gone).state, results(&gone)),
        (DeliveryState::Dropped, vec![(1, AttemptResult::Dropped, None)])
    );
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_nothing_matched_says_what_came_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let near = "---\nname: near\npattern: {source: [a], detail: {n: [2]}}\ntargets: [{id: t, log: {file: unused}}]\n";
    let router = open(folder.path(), rules(near)).await;
    send(&router, "e", "a").await;
    let told = fate(&router, "e", |fate| fate.places.iter().any(|place| place.dispatched)).await;
    let place = place(&told);
    assert!(place.deliveries.is_empty() && place.attempts.is_empty() && place.matches.is_empty());
    assert_eq!(
        (place.nearly[0].rule.as_str(), place.nearly[0].fits, place.nearly[0].of),
        ("near", 1, 2)
    );
    assert!(place.nearly[0].why.starts_with("detail.n: "), "{told:#?}");
    assert!(told.complete);
    let nobody = router.fate("nobody", None).await.unwrap();
    assert!(nobody.places.is_empty() && nobody.complete);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_followed_to_other_buses_and_through_replays() {
    let (folder, target) = (tempfile::tempdir().unwrap(), Receiver::start().unwrap());
    let text = [
        rule("a", "bus: {name: other}"),
        format!(
            "---\nname: there\nbus: other\npattern: {{source: [a]}}\ntargets: [{{id: t, http: {}}}]\n",
            target.url("/t")
        ),
    ];
    let router =
        open(folder.path(), rules(&text.concat().replace("bus: {name: other}", "bus: other")))
            .await;
    send(&router, "e", "a").await;
    let reached = |fate: &Fate| {
        let there = fate.places.iter().find(|place| place.event.bus == "other");
        there.is_some_and(|place| {
            place.deliveries.iter().any(|one| one.state == DeliveryState::Delivered)
        })
    };
    let told = fate(&router, "e", reached).await;
    assert_eq!(told.places.len(), 2, "{told:#?}");
    assert_eq!(told.places[0].deliveries[0].became.as_deref(), Some("e"));
    assert_eq!((told.places[0].event.hops, told.places[1].event.hops), (0, 1));
    let from = &told.places[1].from;
    assert!(told.places[0].from.is_empty() && from.len() == 1, "{told:#?}");
    assert_eq!((from[0].bus.as_str(), from[0].offset, from[0].rule.as_str()), ("default", 0, "a"));

    let replay = StartReplay {
        name: Some("again".to_owned()),
        ..StartReplay::new("other", Timestamp::from_millis(0))
    };
    router.start_replay(replay).await.unwrap();
    let replayed = |fate: &Fate| {
        let mut all = fate.places.iter().flat_map(|place| &place.deliveries);
        all.any(|one| one.replay.as_deref() == Some("again"))
    };
    let told = fate(&router, "e", replayed).await;
    assert_eq!(told.places[1].deliveries.len(), 2, "{told:#?}");
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_transform_made_for_another_bus_knows_what_it_was_made_of() {
    let folder = tempfile::tempdir().unwrap();
    let made = r#"{"source": "made", "detail-type": "T", "detail": {}}"#;
    let text = rule("a", &format!("bus: other, transform: [{{input: {{constant: {made}}}}}]"))
        + &rule("b", "bus: other");
    let router = open(folder.path(), rules(&text)).await;
    for (id, source) in [("first", "a"), ("second", "a"), ("kept", "b")] {
        send(&router, id, source).await;
        let told = fate(&router, id, is(DeliveryState::Delivered)).await;
        let became = told.places[0].deliveries[0].became.clone().unwrap();
        assert_eq!(became == id, source == "b", "what was made is an event of its own");
        let has_origin = |fate: &Fate| fate.places.iter().any(|place| !place.from.is_empty());
        let told = fate(&router, &became, has_origin).await;
        let from = &told.places.last().unwrap().from;
        assert_eq!((from.len(), from[0].event.as_str(), from[0].rule.as_str()), (1, id, source));
    }
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_found_by_time_and_pattern_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let router = open(folder.path(), Arc::new(RuleSet::empty())).await;
    for number in 0..10 {
        let source = if number % 2 == 0 { "even" } else { "odd" };
        send(&router, &format!("e-{number}"), source).await;
    }
    let ids = async |search: EventSearch| {
        let found =
            router.search(EventSearch { bus: Some("default".to_owned()), ..search }).await.unwrap();
        let ids = found.items.iter().map(|found| found.offset).collect::<Vec<_>>();
        (ids, found.next)
    };
    let pattern = || Some(Selection::parse(r#"{"source": ["odd"]}"#).unwrap());
    let newest = EventSearch { limit: 3, pattern: pattern(), ..EventSearch::default() };
    assert_eq!(ids(newest.clone()).await, (vec![9, 7, 5], Some(5)));
    assert_eq!(ids(EventSearch { after: Some(5), ..newest.clone() }).await, (vec![3, 1], None));
    let oldest = EventSearch { is_oldest_first: true, ..newest };
    assert_eq!(ids(oldest.clone()).await, (vec![1, 3, 5], Some(5)));
    assert_eq!(ids(EventSearch { after: Some(5), ..oldest.clone() }).await, (vec![7, 9], None));
    let future = Some(Timestamp::from_millis(i64::MAX / 2));
    assert_eq!(ids(EventSearch { since: future, ..oldest }).await, (Vec::new(), None));
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_and_purged_is_not_told_to_be_on_its_way() {
    let (folder, target) = (tempfile::tempdir().unwrap(), Receiver::start().unwrap());
    target.always("/t", Answer::status(503));
    let retry = "retry: {attempts: 9, backoff: {min: 1h, max: 1h}}";
    let text = rule("a", &format!("http: '{}', {retry}", target.url("/t")));
    let router = open(folder.path(), rules(&text)).await;
    send(&router, "e", "a").await;
    fate(&router, "e", is(DeliveryState::Postponed)).await;
    router.swap(rules(&rule("b", &format!("http: '{}'", target.url("/t"))))).await.unwrap();
    let told = fate(&router, "e", is(DeliveryState::Dead)).await;
    let letter = only(&told).dead_letter.unwrap();
    router.purge_dead_letters(Redrive::Ids(vec![letter])).await.unwrap();
    let told = fate(&router, "e", |fate| only(fate).dead_letter.is_none()).await;
    assert_eq!(only(&told).state, DeliveryState::Unrecorded);
    assert_eq!(only(&told).next_attempt_at, None);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_all_buses_are_found_in_the_order_of_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let router = open(folder.path(), Arc::new(RuleSet::empty())).await;
    for number in 0..10 {
        let bus = if number % 3 == 0 { "other" } else { "default" };
        let entry = r#"{"source":"a","detail-type":"Made","detail":{}}"#;
        router.ingest(bus, vec![Bytes::from_static(entry.as_bytes())]).await.unwrap();
    }
    for is_oldest_first in [false, true] {
        let mut search = EventSearch { limit: 4, is_oldest_first, ..EventSearch::default() };
        let mut found = Vec::new();
        loop {
            let page = router.search(search.clone()).await.unwrap();
            found.extend(page.items.iter().map(|one| (one.offset, one.bus.clone())));
            search.after = page.next;
            if page.next.is_none() {
                break;
            }
        }
        let bus = |number: u64| if number.is_multiple_of(3) { "other" } else { "default" };
        let mut all: Vec<_> = (0..10).map(|number| (number, bus(number).to_owned())).collect();
        if !is_oldest_first {
            all.reverse();
        }
        assert_eq!(found, all);
    }
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_under_several_generations_and_dropped_ones_are_told_apart() {
    let (folder, target) = (tempfile::tempdir().unwrap(), Receiver::start().unwrap());
    target.always("/t", Answer::status(503));
    let to = |path: &str| {
        let retry =
            "retry: {attempts: 185, backoff: {min: 1ms, max: 5ms}}, circuit: {failures: 1000}";
        rule("a", &format!("http: {}, {retry}", target.url(path)))
    };
    let router = open(folder.path(), rules(&to("/t"))).await;
    send(&router, "e", "a").await;
    fate(&router, "e", |fate| fate.places.iter().any(|place| 2 <= place.attempts.len())).await;
    router.swap(rules(&to("/mended"))).await.unwrap();
    let told = fate(&router, "e", is(DeliveryState::Delivered)).await;
    let attempts = &place(&told).attempts;
    let (first, last) = (attempts.first().unwrap(), attempts.last().unwrap());
    assert_ne!(first.rules, last.rules, "each under its own rules");
    assert_eq!((&last.rules, last.result), (&told.rules, AttemptResult::Delivered));
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_log_a_router_delivers_and_says_so() {
    let (folder, target) = (tempfile::tempdir().unwrap(), Receiver::start().unwrap());
    target.script("/t", [Answer::status(503)]);
    // No folder can be made here.
    std::fs::write(folder.path().join("attempts"), "in the way").unwrap();
    let retry = "retry: {backoff: {min: 1ms, max: 5ms}}";
    let text = rule("a", &format!("http: {}, {retry}", target.url("/t")));
    let router = open(folder.path(), rules(&text)).await;
    send(&router, "e", "a").await;
    let told = fate(&router, "e", |_| target.requests_to("/t").len() == 2).await;
    assert!(place(&told).attempts.is_empty(), "{told:#?}");
    let log = router.status().delivery_log;
    assert!(log.stopped.is_some() && log.queued == 0 && log.attempts == 0, "{log:?}");
    send(&router, "f", "a").await;
    router.written().await;
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_says_whether_it_is_under_way_and_what_keeps_its_target() {
    let (folder, target) = (tempfile::tempdir().unwrap(), Receiver::start().unwrap());
    let gate = receiver::Gate::shut();
    target.script("/t", [Answer::status(503).behind(&gate)]);
    let url = target.url("/t");
    let keys = format!("http: {url}, concurrency: 1, circuit: {{failures: 1, probe_after: 1h}}");
    let router = open(folder.path(), rules(&rule("a", &keys))).await;
    send(&router, "first", "a").await;
    let is_under_way = |fate: &Fate| {
        fate.places.iter().flat_map(|place| &place.deliveries).any(|one| one.under_way)
    };
    let fate_now = fate(&router, "first", is_under_way).await;
    assert_eq!(only(&fate_now).stopped, None);
    gate.open();
    send(&router, "second", "a").await;
    let is_stopped = |what: &'static str| {
        move |fate: &Fate| {
            let mut all = fate.places.iter().flat_map(|place| &place.deliveries);
            all.any(|one| one.stopped.as_ref().is_some_and(|why| why.starts_with(what)))
        }
    };
    for id in ["first", "second"] {
        let fate_now = fate(&router, id, is_stopped("down since ")).await;
        assert!(only(&fate_now).stopped.as_ref().unwrap().contains(", probed again at "));
        assert!(!only(&fate_now).under_way, "{fate_now:#?}");
    }
    router.pause(&Key::live("default", "a", "t"), "a move").await.unwrap();
    fate(&router, "second", is_stopped("paused since ")).await;
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_payloads_of_an_event_are_kept_or_made_now_and_say_so() {
    let (folder, target) = (tempfile::tempdir().unwrap(), Receiver::start().unwrap());
    target.always("/slow", Answer::status(503));
    target.always("/bad", Answer::status(400));
    let to = |word: &str| {
        let all = [("good", ""), ("slow", ""), ("bad", ""), ("gone", ", {plugin: none}")];
        let made = |(name, more): (&str, &str)| {
            let url = target.url(&format!("/{name}"));
            let made = format!("transform: [{{input: {{constant: {word}}}}}{more}]");
            let retry = "retry: {backoff: {min: 1h, max: 1h}}";
            rule(name, &format!("http: {url}, {retry}, {made}"))
                .replace(&format!("[{name}]"), "[a]")
        };
        rules(&all.map(made).concat())
    };
    let router = open(folder.path(), to("was")).await;
    send(&router, "e", "a").await;
    let state = |fate: &Fate, rule: &str| {
        let one = place(fate).deliveries.iter().find(|one| one.rule == rule);
        one.map(|one| one.state)
    };
    let is_over = |fate: &Fate| {
        let letter = place(fate).deliveries.iter().any(|one| one.dead_letter.is_some());
        let is = |rule, wanted| state(fate, rule) == Some(wanted);
        letter
            && is("good", DeliveryState::Delivered)
            && is("slow", DeliveryState::Postponed)
            && is("gone", DeliveryState::Dropped)
    };
    let mut told = fate(&router, "e", is_over).await;
    assert!(place(&told).deliveries.iter().all(|one| one.payload.is_none()), "not asked for");
    router.written().await;
    let payload = |fate: &Fate, rule: &str| {
        let one = place(fate).deliveries.iter().find(|one| one.rule == rule).unwrap();
        let payload = one.payload.clone().unwrap();
        (payload.made, payload.rules_changed, payload.body.or(payload.error).unwrap())
    };
    router.add_payloads(&mut told).await;
    let now = |changed, text: &str| (PayloadMade::Now, Some(changed), text.to_owned());
    let kept = |text: &str| (PayloadMade::Kept, None, text.to_owned());
    assert_eq!(payload(&told, "good"), now(false, r#""was""#));
    assert_eq!(
        (payload(&told, "slow"), payload(&told, "bad")),
        (kept(r#""was""#), kept(r#""was""#))
    );
    assert_eq!(payload(&told, "gone"), now(false, "its transform lets the event go"));
    stop(router).await;

    // Under other rules, what is kept stays, and what is made now is said to be of other rules.
    let router = open(folder.path(), to("is")).await;
    let mut told = fate(&router, "e", |_| true).await;
    router.add_payloads(&mut told).await;
    assert_eq!(payload(&told, "good"), now(true, r#""is""#));
    assert_eq!(
        (payload(&told, "slow"), payload(&told, "bad")),
        (kept(r#""was""#), kept(r#""was""#))
    );
    router.swap(rules(&rule("other", &format!("http: {}", target.url("/x"))))).await.unwrap();
    let mut told = fate(&router, "e", |_| true).await;
    router.add_payloads(&mut told).await;
    let gone = "its rule or target is not among the running rules";
    assert_eq!(payload(&told, "good"), now(true, gone));
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_removed_rule_may_be_owed_is_told_as_long_as_its_place_is_kept() {
    let (folder, target) = (tempfile::tempdir().unwrap(), Receiver::start().unwrap());
    let one = |name: &str| rule(name, &format!("http: {}", target.url("/t")));
    let router = open(folder.path(), rules(&(one("a") + &one("b")))).await;
    router.pause(&Key::live("default", "a", "t"), "a move").await.unwrap();
    send(&router, "e", "a").await;
    send(&router, "f", "b").await;
    fate(&router, "f", is(DeliveryState::Delivered)).await;
    router.written().await;
    stop(router).await;

    let router = open(folder.path(), rules(&one("b"))).await;
    let told = fate(&router, "e", |_| true).await;
    let owed = only(&told);
    assert_eq!((owed.rule.as_str(), owed.state), ("a", DeliveryState::Removed));
    assert_eq!(owed.kept_until.unwrap().since(owed.removed_at.unwrap()).as_secs(), 86_400);
    // It may have matched that one as well: nobody knows any more.
    let told = fate(&router, "f", |_| true).await;
    assert_eq!(place(&told).deliveries.len(), 2, "{told:#?}");
    // The rule comes back: now it is known.
    router.swap(rules(&(one("a") + &one("b")))).await.unwrap();
    let told = fate(&router, "e", |_| true).await;
    assert_eq!(only(&told).state, DeliveryState::Waiting);
    let told = fate(&router, "f", |_| true).await;
    assert_eq!(only(&told).state, DeliveryState::Delivered);
    stop(router).await;
}
