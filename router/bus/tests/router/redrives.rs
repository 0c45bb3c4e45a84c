//! What becomes of the letters of an event when one of them is sent again.

use slipswitch_bus::delivery::{ErrorKind, LetterState};
use slipswitch_bus::{Redrive, RedriveTo, StartReplay};

use super::letters::{all, dead, whole_history};
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn through_the_rules_no_delivery_gets_a_second_letter() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    for path in ["/1", "/2"] {
        target.always(path, Answer::status(400));
    }
    let both = rule("one", &target.url("/1")) + &rule("two", &target.url("/2"));
    let router = open(options(folder.path()), rules(&both)).await;
    send(&router, 0..1).await;
    let letters = dead(&router, 2).await;
    let one = letters.iter().find(|letter| letter.rule == "one").unwrap().id;
    let two = letters.iter().find(|letter| letter.rule == "two").unwrap().id;
    for path in ["/1", "/2"] {
        target.always(path, Answer::status(404));
    }
    let to_rules = || RedriveTo::Rules(Vec::new());
    let done = router.redrive(Redrive::Ids(vec![one, two]), to_rules()).await.unwrap();
    assert_eq!((done.redriven, done.refused_total), (2, 0), "the other one goes along");
    until(&router, "both are dead again", async || {
        let letters = router.dead_letters(whole_history()).await.unwrap().items;
        letters.iter().all(|letter| letter.error.contains("404") && letter.redriven == 1)
    })
    .await;
    let mut ids: Vec<i64> = dead(&router, 2).await.iter().map(|letter| letter.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [one.min(two), one.max(two)]);
    let again = router.dead_letter(two).await.unwrap().unwrap();
    assert_eq!((again.attempts, again.attempts_total), (1, 2));

    for path in ["/1", "/2"] {
        target.always(path, Answer::status(200));
    }
    router.redrive(Redrive::Ids(vec![one]), to_rules()).await.unwrap();
    until(&router, "both have arrived", async || {
        let letters = router.dead_letters(whole_history()).await.unwrap().items;
        letters.len() == 2 && letters.iter().all(|one| one.state == LetterState::Delivered)
    })
    .await;
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_without_payload_of_a_replay_keeps_its_id_and_its_history() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let broken =
        rule("one", &target.url("/t")) + "    transform: [{input: {path: $.detail.nothing}}]\n";
    let router = open(options(folder.path()), rules(&rule("one", &target.url("/t")))).await;
    send(&router, 0..1).await;
    accepted(&target, "/t", 1).await;
    router.swap(rules(&broken)).await.unwrap();
    let again = StartReplay {
        name: Some("again".to_owned()),
        ..StartReplay::new("default", Timestamp::from_millis(0))
    };
    router.start_replay(again).await.unwrap();
    let first = dead(&router, 1).await.remove(0);
    assert_eq!((first.kind, first.payload.as_deref()), (ErrorKind::Transform, None));
    for (round, to) in (1..).zip([RedriveTo::Target, RedriveTo::Rules(Vec::new())]) {
        router.redrive(Redrive::Ids(vec![first.id]), to).await.unwrap();
        until(&router, "dead again", async || {
            let letters = router.dead_letters(all()).await.unwrap().items;
            letters.first().is_some_and(|letter| letter.redriven == round)
        })
        .await;
    }
    let letters = router.dead_letters(whole_history()).await.unwrap().items;
    assert_eq!((letters.len(), letters[0].attempts_total), (1, 3), "the same letter");
    router.swap(rules(&rule("one", &target.url("/t")))).await.unwrap();
    router.redrive(Redrive::Ids(vec![first.id]), RedriveTo::Target).await.unwrap();
    let requests = accepted(&target, "/t", 2).await;
    assert_eq!(requests[1].delivery_id(), Some("default/0/one/t/0;replay=again"));
    assert!(requests[1].text().contains(r#""replay-name":"again""#));
    until(&router, "it has arrived", async || {
        let letter = router.dead_letter(first.id).await.unwrap().unwrap();
        letter.state == LetterState::Delivered
    })
    .await;
    stop(router).await;
}
