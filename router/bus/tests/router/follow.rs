//! Following: what is sealed, what is hot, what comes, on one bus and on all; and what has expired.

use slipswitch_bus::{
    Begin, Follow, FollowEnd, FollowError, Followed, Follower, MatchedRule, Selection,
};

use super::retention::{MILLI, expired, forgetful, sealed};
use super::*;

fn all(bus: Option<&str>) -> Follow {
    let bus = bus.map(str::to_owned);
    Follow { bus, begin: Begin::First, pattern: None, names_rules: false }
}

/// Follows until `count` events have come.
async fn take(follower: &mut Follower, count: usize) -> Vec<Followed> {
    let mut found = Vec::new();
    while found.len() < count {
        match follower.take().await.unwrap() {
            Some(more) => found.extend(more),
            None => tokio::time::timeout(PATIENCE, follower.wait()).await.expect("more comes"),
        }
    }
    found
}

fn offsets(found: &[Followed]) -> Vec<u64> {
    found.iter().map(|one| one.offset).collect()
}

/// Sends one by one to two buses in turns, and seals all up to there.
async fn sent_and_sealed(router: &Router, numbers: std::ops::Range<usize>) {
    for number in numbers.clone() {
        let bus = if number % 3 == 0 { "other" } else { "default" };
        router.ingest(bus, vec![entry(number)]).await.unwrap();
    }
    sealed(router, u64::try_from(numbers.end).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_sealed_and_all_that_comes_is_shown_once_and_in_order() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let options = Options { seal_after: MILLI, ..options(folder.path()) };
    let router = open(options, rules(&rule("one", &target.url("/t")))).await;
    sent_and_sealed(&router, 0..60).await;
    let mut both = router.follow(all(None)).await.unwrap();
    let mut other = router.follow(all(Some("other"))).await.unwrap();
    // The border between sealed and hot moves under them.
    let (first, second) = tokio::join!(take(&mut both, 90), sent_and_sealed(&router, 60..90),);
    let () = second;
    assert_eq!(offsets(&first), (0..90).collect::<Vec<_>>());
    let multiples: Vec<u64> = (0..90).step_by(3).collect();
    assert_eq!(offsets(&take(&mut other, 30).await), multiples);
    assert!(first.iter().all(|one| (&*one.bus == "other") == (one.offset % 3 == 0)));

    // Who comes back goes on behind what he has.
    let again = Follow { begin: Begin::After(41), ..all(None) };
    let mut again = router.follow(again).await.unwrap();
    assert_eq!(offsets(&take(&mut again, 48).await), (42..90).collect::<Vec<_>>());
    let mut now = router.follow(Follow { begin: Begin::Now, ..all(None) }).await.unwrap();
    assert!(now.take().await.unwrap().is_none());
    router.ingest("other", vec![entry(90)]).await.unwrap();
    assert_eq!(offsets(&take(&mut now, 1).await), [90]);
    assert_eq!(now.position(), 91);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_chooses_and_the_rules_that_match_are_named() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let router = open(options(folder.path()), rules(&rule("one", &target.url("/t")))).await;
    for number in 0..20 {
        router.ingest("default", vec![entry(number)]).await.unwrap();
    }
    let pattern = Selection::parse(r#"{"detail":{"n":[{"numeric":[">=",18]}]}}"#).unwrap();
    let follow = Follow { pattern: Some(pattern), names_rules: true, ..all(Some("default")) };
    let mut follower = router.follow(follow).await.unwrap();
    let found = take(&mut follower, 2).await;
    assert_eq!(offsets(&found), [18, 19]);
    let named = MatchedRule { rule: "one".to_owned(), targets: vec!["t".to_owned()] };
    assert_eq!(found[0].matched, Some(vec![named]));
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expired_unseen_is_said_and_what_nobody_asked_for_is_not() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let router = open(forgetful(folder.path()), rules(&rule("one", &target.url("/t")))).await;
    let from_here = router.follow(Follow { begin: Begin::Now, ..all(Some("default")) });
    let mut left_behind = from_here.await.unwrap();
    router.ingest("other", vec![entry(1000)]).await.unwrap();
    send(&router, 0..20).await;
    accepted(&target, "/t", 20).await;
    expired(&router, 20).await;
    let end = left_behind.take().await.unwrap_err();
    assert!(matches!(end, FollowEnd::Expired { from: 0, first: 21 }), "{end}");
    assert!(left_behind.take().await.unwrap().is_none(), "nothing follows");

    let mut back = router.follow(Follow { begin: Begin::After(4), ..all(Some("default")) }).await;
    let end = back.as_mut().unwrap().take().await.unwrap_err();
    assert!(matches!(end, FollowEnd::Expired { from: 5, first: 21 }), "{end}");

    // All that is kept, of a bus that has let go of some and of one that has not.
    for bus in [None, Some("default"), Some("other")] {
        let mut follower = router.follow(all(bus)).await.unwrap();
        let before = follower.take().await.unwrap().unwrap_or_default();
        assert!(before.iter().all(|one| &*one.bus == "other"), "{bus:?}: {before:?}");
    }
    // A bus whose first event came late has missed nothing.
    let mut other = router.follow(Follow { begin: Begin::After(0), ..all(Some("other")) }).await;
    other.as_mut().unwrap().take().await.unwrap();
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_of_another_journal_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let router = open(options(folder.path()), Arc::new(RuleSet::empty())).await;
    router.ingest("default", vec![entry(0)]).await.unwrap();
    let ahead = router.follow(Follow { begin: Begin::After(1), ..all(None) }).await;
    assert!(matches!(ahead, Err(FollowError::Ahead { after: 1, end: 1 })));
    let unknown = router.follow(all(Some("nowhere"))).await;
    assert!(matches!(unknown, Err(FollowError::Bus(_))));
    stop(router).await;
}
