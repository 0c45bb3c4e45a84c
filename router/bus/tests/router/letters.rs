//! Dead letters: what could not be delivered, looked at and sent again.

use slipswitch_bus::delivery::{DeadLetter, ErrorKind, LetterState};
use slipswitch_bus::{
    Counted, GroupBy, LetterChoice, Redrive, RedriveTo, Redriven, Selection, StartReplay,
};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_a_dead_letter_and_a_redrive_delivers_it() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.script("/t", [Answer::status(400).body("no such order")]);
    let text = rule("one", &target.url("/t"));
    let router = open(options(folder.path()), rules(&text)).await;
    send(&router, 0..1).await;
    until(&router, "dead", async || subscription(&router, "one").dead == 1).await;
    let all = || DeadLetterFilter { limit: 10, ..DeadLetterFilter::default() };
    until(&router, "written down", async || {
        router.dead_letters(all()).await.unwrap().items.len() == 1
    })
    .await;
    let letter = router.dead_letters(all()).await.unwrap().items.remove(0);
    assert_eq!((letter.rule.as_str(), letter.target.as_str(), letter.attempts), ("one", "t", 1));
    assert!(letter.error.contains("400 Bad Request: no such order"), "{}", letter.error);
    let event = letter.event.unwrap().get().to_owned();
    assert_eq!(letter.payload, Some(event));

    let nothing =
        router.redrive(Redrive::Ids(vec![letter.id + 1]), RedriveTo::Target).await.unwrap();
    assert_eq!(nothing.refused.len(), 1);
    let matching = Redrive::Matching(DeadLetterFilter { rule: Some("one".into()), ..all() });
    assert_eq!(router.redrive(matching, RedriveTo::Target).await.unwrap().redriven, 1);
    let requests = accepted(&target, "/t", 1).await;
    assert_eq!(requests[1].delivery_id(), Some(letter.delivery_id.as_str()));
    assert_eq!(requests[1].attempt(), Some(1));
    assert!(router.dead_letters(all()).await.unwrap().items.is_empty());
    until(&router, "done", async || subscription(&router, "one").postponed == 0).await;
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_was_owed_that_went_while_the_router_was_down_is_dead_and_not_lost() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.stop();
    let (one, two) = (rule("one", &target.url("/1")), rule("two", &target.url("/2")));
    let patient = rules(&one.replace("5ms", "1h").replace("1ms", "1h"));
    let router = open(options(folder.path()), patient).await;
    send(&router, 0..3).await;
    until(&router, "all have failed once", async || subscription(&router, "one").postponed == 3)
        .await;
    stop(router).await;

    let router = open(options(folder.path()), rules(&two)).await;
    let all = DeadLetterFilter { limit: 10, ..DeadLetterFilter::default() };
    let mut dead = router.dead_letters(all).await.unwrap().items;
    dead.sort_by_key(|letter| std::cmp::Reverse(letter.offset));
    assert_eq!(dead.iter().map(|letter| letter.offset).collect::<Vec<_>>(), [2, 1, 0]);
    assert!(
        dead[0].error.ends_with("(its rule or target was removed or disabled)"),
        "{}",
        dead[0].error
    );
    assert!(dead[0].payload.as_deref().unwrap().contains(r#""n":2"#));
    let ids = dead.iter().map(|letter| letter.id).collect();
    let redriven = router.redrive(Redrive::Ids(ids), RedriveTo::Target).await.unwrap();
    assert_eq!((redriven.redriven, redriven.refused.len()), (0, 3));
    stop(router).await;
}

pub(super) fn all() -> DeadLetterFilter {
    DeadLetterFilter { limit: 100, ..DeadLetterFilter::default() }
}

pub(super) fn whole_history() -> DeadLetterFilter {
    DeadLetterFilter { choice: LetterChoice::All, ..all() }
}

pub(super) async fn dead(router: &Router, count: usize) -> Vec<DeadLetter> {
    until(router, "the letters", async || {
        router.dead_letters(all()).await.unwrap().items.len() == count
    })
    .await;
    router.dead_letters(all()).await.unwrap().items
}

async fn depth(router: &Router, letters: u64) {
    until(router, "the depth", async || {
        router.dead_letter_depths().iter().map(|depth| depth.letters).sum::<u64>() == letters
    })
    .await;
}

/// Letters of two rules: 0 to 5 refused by `one`, 0 to 5 given up by `two`.
async fn twelve_letters(target: &Receiver, router: &Router) {
    target.always("/1", Answer::status(404).body("no such thing"));
    target.always("/2", Answer::status(503));
    send(router, 0..6).await;
    assert_eq!(dead(router, 12).await.len(), 12);
}

fn two_rules(target: &Receiver) -> String {
    let impatient = rule("two", &target.url("/2")).replace("attempts: 50", "attempts: 2");
    rule("one", &target.url("/1")) + &impatient
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_leaves_what_it_says_and_a_count_tells_them_apart() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let router = open(options(folder.path()), rules(&two_rules(&target))).await;
    twelve_letters(&target, &router).await;
    let letters = router.dead_letters(all()).await.unwrap().items;
    let middle = letters[6].died_at;
    let pattern = Selection::parse(r#"{"detail":{"n":[{"numeric":[">=",4]}]}}"#).unwrap();
    let some = |text: &str| Some(text.to_owned());
    let filters = [
        (DeadLetterFilter { rule: some("one"), ..all() }, 6),
        (DeadLetterFilter { rule: some("one"), target: some("u"), ..all() }, 0),
        (DeadLetterFilter { bus: some("other"), ..all() }, 0),
        (DeadLetterFilter { replay: some("again"), ..all() }, 0),
        (DeadLetterFilter { kind: Some(ErrorKind::Refused), ..all() }, 6),
        (DeadLetterFilter { kind: Some(ErrorKind::Unavailable), ..all() }, 6),
        (DeadLetterFilter { kind: Some(ErrorKind::Timeout), ..all() }, 0),
        (DeadLetterFilter { error: some("NO SUCH"), ..all() }, 6),
        (DeadLetterFilter { pattern: Some(pattern.clone()), ..all() }, 4),
        (DeadLetterFilter { pattern: Some(pattern), rule: some("two"), ..all() }, 2),
        (DeadLetterFilter { choice: LetterChoice::Redriven, ..all() }, 0),
        (whole_history(), 12),
    ];
    for (filter, count) in filters {
        let found = router.dead_letters(filter.clone()).await.unwrap().items;
        assert_eq!(found.len(), count, "{filter:?}");
        let counted = router.count_dead_letters(filter.clone(), None).await.unwrap();
        assert_eq!(counted.letters, u64::try_from(count).unwrap(), "{filter:?}");
        // Page after page, it is the same.
        let mut paged = Vec::new();
        let mut page = DeadLetterFilter { limit: 2, ..filter };
        loop {
            let found = router.dead_letters(page.clone()).await.unwrap();
            paged.extend(found.items.into_iter().map(|letter| letter.id));
            page.before = found.next;
            if found.next.is_none() {
                break;
            }
        }
        assert_eq!(paged, found.iter().map(|letter| letter.id).collect::<Vec<_>>());
    }
    let (since, until) = (Some(middle), Some(middle));
    let early = router.count_dead_letters(DeadLetterFilter { until, ..all() }, None).await.unwrap();
    let late = router.count_dead_letters(DeadLetterFilter { since, ..all() }, None).await.unwrap();
    assert_eq!(early.letters + late.letters, 12);
    assert!(0 < late.letters);

    for (by, groups) in
        [(GroupBy::Rule, 2), (GroupBy::Target, 2), (GroupBy::Kind, 2), (GroupBy::Error, 2)]
    {
        let counted = router.count_dead_letters(all(), Some(by)).await.unwrap();
        assert_eq!((counted.letters, counted.groups.len()), (12, groups), "{counted:?}");
        assert!(counted.groups.iter().all(|group| group.letters == 6), "{counted:?}");
    }
    depth(&router, 12).await;
    stop(router).await;

    // The counts are on disk.
    let router = open(options(folder.path()), rules(&two_rules(&target))).await;
    depth(&router, 12).await;
    let oldest = letters.iter().map(|letter| letter.died_at).min().unwrap();
    assert_eq!(router.dead_letter_depths().iter().map(|one| one.oldest).min(), Some(oldest));
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_of_more_than_a_target_has_room_for_goes_on_by_itself() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.always("/1", Answer::status(404));
    let few = Options { postponed_max: 3, concurrency: 2, ..options(folder.path()) };
    let text = rule("one", &target.url("/1"));
    let router = open(few.clone(), rules(&text)).await;
    send(&router, 0..20).await;
    dead(&router, 20).await;
    let gate = Gate::shut();
    target.forget();
    target.always("/1", Answer::status(200).behind(&gate));
    let redriven = router.redrive(Redrive::Matching(all()), RedriveTo::Target).await.unwrap();
    assert_eq!((redriven.redriven, redriven.queued, redriven.refused_total), (3, 17, 0));
    let again = router.redrive(Redrive::Matching(all()), RedriveTo::Target).await.unwrap();
    assert_eq!(again, Redriven::default(), "what is under way is not sent twice");
    let purged = router.purge_dead_letters(Redrive::Matching(whole_history())).await.unwrap();
    assert_eq!((purged.purged, purged.left), (0, 20), "what is under way is not purged");
    router.shutdown(Duration::ZERO).await;
    drop(router);

    gate.open();
    let router = open(few, rules(&text)).await;
    let delivered = DeadLetterFilter { choice: LetterChoice::In(LetterState::Delivered), ..all() };
    until(&router, "all arrived", async || {
        router.dead_letters(delivered.clone()).await.unwrap().items.len() == 20
    })
    .await;
    let mut seen = numbers(&target.requests_to("/1"));
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
    let purged = router.purge_dead_letters(Redrive::Matching(whole_history())).await.unwrap();
    assert_eq!((purged.purged, purged.left), (20, 0));
    assert!(router.dead_letters(whole_history()).await.unwrap().items.is_empty());
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_dies_again_stays_the_same_letter() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.always("/1", Answer::status(404));
    let router = open(options(folder.path()), rules(&rule("one", &target.url("/1")))).await;
    send(&router, 0..1).await;
    let first = dead(&router, 1).await.remove(0);
    target.always("/1", Answer::status(404).body("gone for good"));
    router.redrive(Redrive::Ids(vec![first.id]), RedriveTo::Target).await.unwrap();
    until(&router, "dead again", async || {
        let found = router.dead_letters(all()).await.unwrap().items;
        found.first().is_some_and(|letter| letter.error.contains("gone for good"))
    })
    .await;
    let again = router.dead_letter(first.id).await.unwrap().unwrap();
    assert_eq!((again.redriven, again.attempts, again.attempts_total), (1, 1, 2));
    assert_eq!(again.first_died_at, first.died_at);
    assert!(again.redriven_at.is_some() && again.ended_at.is_none());
    assert_eq!(router.dead_letters(whole_history()).await.unwrap().items.len(), 1);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn through_the_rules_a_letter_is_made_anew_for_the_rules_of_today() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.always("/1", Answer::status(404));
    let one = rule("one", &target.url("/1"));
    let router = open(options(folder.path()), rules(&one)).await;
    send(&router, 0..3).await;
    let mut letters = dead(&router, 3).await;
    letters.sort_by_key(|letter| letter.offset);
    // The rule is mended, and another one wants the same events.
    let input = "    transform: [{input: {template: '{\"made\": \"anew\"}'}}]\n";
    let mended = rule("one", &target.url("/mended")) + input;
    let both = mended + &rule("two", &target.url("/2"));
    router.swap(rules(&both)).await.unwrap();

    let ids = |number: usize| Redrive::Ids(vec![letters[number].id]);
    let to =
        |names: &[&str]| RedriveTo::Rules(names.iter().map(|name| (*name).to_owned()).collect());
    let rehearsed = router.rehearse_redrive(Redrive::Matching(all()), Vec::new()).await.unwrap();
    let targets = |counted: &Counted| {
        let groups = counted.groups.iter();
        groups.map(|group| (group.of.rule.clone().unwrap(), group.letters)).collect::<Vec<_>>()
    };
    assert_eq!(targets(&rehearsed), [("one".to_owned(), 3), ("two".to_owned(), 3)]);
    let narrowed = router.rehearse_redrive(ids(0), vec!["two".to_owned()]).await.unwrap();
    assert_eq!((narrowed.letters, targets(&narrowed)), (1, vec![("two".to_owned(), 1)]));
    let done = router.redrive(ids(0), to(&[])).await.unwrap();
    assert_eq!((done.redriven, done.refused_total), (1, 0));
    assert_eq!(accepted(&target, "/mended", 1).await[0].text(), r#"{"made":"anew"}"#);
    let requests = accepted(&target, "/2", 1).await;
    assert_eq!(requests[0].delivery_id(), Some("default/0/two/t/0"));

    router.redrive(ids(1), to(&["one"])).await.unwrap();
    let requests = accepted(&target, "/mended", 2).await;
    assert_eq!(requests[1].delivery_id(), Some("default/1/one/t/0"), "the same delivery as ever");
    let other = router.redrive(ids(2), to(&["two"])).await.unwrap();
    assert_eq!(other.redriven, 1);
    accepted(&target, "/2", 2).await;
    assert_eq!(target.requests_to("/2").len(), 2, "only where it was sent");
    let states = async || {
        let mut all = router.dead_letters(whole_history()).await.unwrap().items;
        all.sort_by_key(|letter| letter.offset);
        all.into_iter().map(|letter| letter.state).collect::<Vec<_>>()
    };
    let expected = [LetterState::Delivered, LetterState::Delivered, LetterState::Moved];
    until(&router, "all have ended", async || states().await == expected).await;

    let refused = router.redrive(ids(2), to(&[])).await.unwrap().refused;
    assert!(refused[0].1.contains("to other targets"), "{refused:?}");
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_rule_wants_any_more_is_refused_with_the_mend_and_stays() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.always("/1", Answer::status(404));
    let router = open(options(folder.path()), rules(&rule("one", &target.url("/1")))).await;
    send(&router, 0..1).await;
    let id = dead(&router, 1).await[0].id;
    let elsewhere = rule("two", &target.url("/2")).replace("source: [a]", "source: [b]");
    router.swap(rules(&elsewhere)).await.unwrap();
    until(&router, "the removed one is gone", async || router.status().subscriptions.len() == 1)
        .await;
    let refused = router.redrive(Redrive::Ids(vec![id]), RedriveTo::Target).await.unwrap().refused;
    assert!(refused[0].1.contains("`--to rules`"), "{refused:?}");
    let to = RedriveTo::Rules(Vec::new());
    let refused = router.redrive(Redrive::Ids(vec![id]), to).await.unwrap().refused;
    assert_eq!(refused[0].1, "no rule matches its event now");
    assert_eq!(dead(&router, 1).await[0].redriven, 0);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_letters_are_let_go_by_themselves() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.always("/1", Answer::status(404));
    let text = rule("one", &target.url("/1"));
    let router = open(options(folder.path()), rules(&text)).await;
    send(&router, 0..5).await;
    dead(&router, 5).await;
    stop(router).await;
    let few = Options { dead_letters_max: 2, ..options(folder.path()) };
    let router = open(few, rules(&text)).await;
    dead(&router, 2).await;
    depth(&router, 2).await;
    stop(router).await;
    let short = Options { dead_letters_age_max: Duration::ZERO, ..options(folder.path()) };
    let router = open(short, rules(&text)).await;
    until(&router, "all are gone", async || {
        router.dead_letters(whole_history()).await.unwrap().items.is_empty()
    })
    .await;
    depth(&router, 0).await;
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_delivery_that_is_made_anew_stays_the_one_of_its_replay() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let router = open(options(folder.path()), rules(&rule("one", &target.url("/t")))).await;
    send(&router, 0..1).await;
    accepted(&target, "/t", 1).await;
    target.script("/t", [Answer::status(400), Answer::status(400)]);
    let again = StartReplay {
        name: Some("again".to_owned()),
        ..StartReplay::new("default", Timestamp::from_millis(0))
    };
    router.start_replay(again).await.unwrap();
    let is_dead = async || {
        let filter = DeadLetterFilter { limit: 10, ..DeadLetterFilter::default() };
        router.dead_letters(filter).await.unwrap().items.len() == 1
    };
    until(&router, "dead", is_dead).await;
    let all = || Redrive::Matching(DeadLetterFilter::default());
    let redriven = router.redrive(all(), RedriveTo::Rules(Vec::new())).await.unwrap();
    assert_eq!(redriven.redriven, 1);
    until(&router, "the same letter is dead once more", is_dead).await;
    router.redrive(all(), RedriveTo::Rules(Vec::new())).await.unwrap();
    let requests = accepted(&target, "/t", 2).await;
    let ids: Vec<_> = requests.iter().map(Request::delivery_id).collect();
    let replayed = Some("default/0/one/t/0;replay=again");
    assert_eq!(ids, [Some("default/0/one/t/0"), replayed, replayed, replayed]);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_says_under_which_rules_it_died() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.always("/1", Answer::status(404));
    let text = rule("one", &target.url("/1"));
    let router = open(options(folder.path()), rules(&text)).await;
    send(&router, 0..1).await;
    let letter = dead(&router, 1).await.remove(0);
    until(&router, "the log", async || {
        !router.dead_letter_attempts(letter.id).await.unwrap().is_empty()
    })
    .await;
    let first = letter.rules.unwrap();
    let log = router.dead_letter_attempts(letter.id).await.unwrap();
    assert_eq!(first, log[0].rules.to_string(), "as the attempts have it");

    router.swap(rules(&(text + &rule("two", &target.url("/1"))))).await.unwrap();
    router.redrive(Redrive::Ids(vec![letter.id]), RedriveTo::Target).await.unwrap();
    until(&router, "dead again", async || {
        router.dead_letter(letter.id).await.unwrap().unwrap().attempts_total == 2
    })
    .await;
    let again = router.dead_letter(letter.id).await.unwrap().unwrap().rules.unwrap();
    assert_ne!(again, first);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_is_sent_again_keeps_no_order() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.always("/1", Answer::status(404));
    let text = rule("one", &target.url("/1"))
        .replace("circuit:", "order_by: $.detail.price\n    circuit:");
    let router = open(options(folder.path()), rules(&text)).await;
    send(&router, 0..3).await;
    dead(&router, 3).await;
    let gate = Gate::shut();
    target.forget();
    target.always("/1", Answer::status(200));
    target.script("/1", [Answer::status(200).behind(&gate)]);
    send(&router, 3..5).await;
    until(&router, "one is under way", async || target.requests_to("/1").len() == 1).await;
    // Its key is held by what is under way; all three letters pass it.
    router.redrive(Redrive::Matching(all()), RedriveTo::Target).await.unwrap();
    let mut seen = numbers(&accepted(&target, "/1", 4).await);
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 3], "3 is under way, and holds 4");
    gate.open();
    assert_eq!(numbers(&accepted(&target, "/1", 5).await)[4], 4);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_for_a_target_that_is_stopped_waits_until_it_goes_on() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.always("/1", Answer::status(404));
    let text = rule("one", &target.url("/1"));
    let router = open(options(folder.path()), rules(&text)).await;
    send(&router, 0..3).await;
    dead(&router, 3).await;
    let key = Key::live("default", "one", "t");
    router.pause(&key, "").await.unwrap();
    target.forget();
    target.always("/1", Answer::status(200));
    let redriven = router.redrive(Redrive::Matching(all()), RedriveTo::Target).await.unwrap();
    assert_eq!(redriven.redriven, 3);
    router.written().await;
    stop(router).await;
    let router = open(options(folder.path()), rules(&text)).await;
    let redriven = DeadLetterFilter { choice: LetterChoice::In(LetterState::Redriven), ..all() };
    assert_eq!(router.dead_letters(redriven).await.unwrap().items.len(), 3);
    assert!(target.requests().is_empty(), "nothing is sent while it is paused");

    // A 410 disables it: what is sent again then waits, and is owed.
    target.script("/1", [Answer::status(410)]);
    router.resume(&key).await.unwrap();
    until(&router, "disabled", async || subscription(&router, "one").disabled.is_some()).await;
    let sent = target.requests_to("/1").len();
    router.written().await;
    router.written().await;
    assert_eq!(target.requests_to("/1").len(), sent);
    router.enable(&key).await.unwrap();
    let delivered = DeadLetterFilter { choice: LetterChoice::In(LetterState::Delivered), ..all() };
    until(&router, "all arrived", async || {
        router.dead_letters(delivered.clone()).await.unwrap().items.len() == 3
    })
    .await;
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_of_a_rule_that_went_reach_the_rules_there_are() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    target.always("/1", Answer::status(404));
    let router = open(options(folder.path()), rules(&rule("one", &target.url("/1")))).await;
    send(&router, 0..2).await;
    dead(&router, 2).await;
    router.swap(rules(&rule("two", &target.url("/2")))).await.unwrap();
    until(&router, "the removed one is gone", async || router.status().subscriptions.len() == 1)
        .await;
    let done =
        router.redrive(Redrive::Matching(all()), RedriveTo::Rules(Vec::new())).await.unwrap();
    assert_eq!((done.redriven, done.refused_total), (2, 0));
    let mut seen = numbers(&accepted(&target, "/2", 2).await);
    seen.sort_unstable();
    assert_eq!(seen, [0, 1]);
    let moved = DeadLetterFilter { choice: LetterChoice::In(LetterState::Moved), ..all() };
    assert_eq!(router.dead_letters(moved).await.unwrap().items.len(), 2);
    depth(&router, 0).await;
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_takes_what_its_filter_says_and_the_depth_follows() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let router = open(options(folder.path()), rules(&two_rules(&target))).await;
    twelve_letters(&target, &router).await;
    depth(&router, 12).await;
    let pattern = Selection::parse(r#"{"detail":{"n":[{"numeric":["<",2]}]}}"#).unwrap();
    let early = DeadLetterFilter { pattern: Some(pattern), rule: Some("one".into()), ..all() };
    let purged = router.purge_dead_letters(Redrive::Matching(early)).await.unwrap();
    assert_eq!((purged.purged, purged.left), (2, 0));
    depth(&router, 10).await;
    let two = DeadLetterFilter { rule: Some("two".into()), ..all() };
    assert_eq!(router.purge_dead_letters(Redrive::Matching(two)).await.unwrap().purged, 6);
    depth(&router, 4).await;
    let left = router.dead_letters(all()).await.unwrap().items;
    assert!(left.iter().all(|letter| letter.rule == "one"), "{left:?}");
    let oldest = left.iter().map(|letter| letter.died_at).min();
    let depths = router.dead_letter_depths();
    assert_eq!((depths.len(), depths.first().map(|one| one.oldest)), (1, oldest));
    stop(router).await;

    let router = open(options(folder.path()), rules(&two_rules(&target))).await;
    depth(&router, 4).await;
    let depths = router.dead_letter_depths();
    assert_eq!((depths.len(), depths.first().map(|one| one.oldest)), (1, oldest));
    stop(router).await;
}
