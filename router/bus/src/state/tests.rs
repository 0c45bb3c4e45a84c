//! The database: what is written comes back, whole transactions only.

use bytes::Bytes;
use delivery::{DeliveryId, ErrorKind, LetterState};
use event::Timestamp;
use journal::Offset;
use roaring::RoaringTreemap;

use super::*;
use crate::key::Key;
use crate::letters::RedriveTo;

fn row(offset: u64, attempts: u32, made: Made) -> Postponed {
    Postponed {
        order: Some(u64::MAX - 1),
        id: key().delivery(Offset::new(offset), 1),
        event_id: format!("event-{offset}"),
        hops: 2,
        attempts,
        owed_at: Timestamp::from_millis(1),
        due_at: Timestamp::from_millis(2),
        last_attempt_at: Timestamp::from_millis(3),
        error: "503".to_owned(),
        made,
    }
}

fn key() -> Key {
    Key::live("shop", "orders", "crm")
}

fn here(text: &str) -> Made {
    let body = Bytes::copy_from_slice(text.as_bytes());
    Made::Here(Payload { body, content_type: "text/plain".to_owned(), ..Payload::default() })
}

fn change(settled: u64, postponed: Vec<Postponed>) -> Change {
    Change {
        key: key(),
        settled: Offset::new(settled),
        done: RoaringTreemap::from_iter([settled + 5]),
        counts: Counts { delivered: 4, dropped: 3, dead: 2, failed_attempts: 1, expired: 9 },
        postponed,
        resolved: Vec::new(),
        dead: Vec::new(),
        disabled: None,
    }
}

async fn open() -> (tempfile::TempDir, State) {
    let folder = tempfile::tempdir().unwrap();
    let state = State::open(&folder.path().join("state.sqlite")).unwrap();
    state.run(|tx| Subscription::begin(tx, &key(), Offset::new(7), None)).await.unwrap();
    (folder, state)
}

/// What stands in for the journal.
fn recall(id: &DeliveryId) -> Option<Recalled> {
    let event = Bytes::from(format!("event {}", id.offset));
    Some(Recalled { event, ingested: Timestamp::from_millis(1) })
}

async fn apply(state: &State, change: Change) {
    let now = Timestamp::from_millis(100);
    state
        .apply(
            Arc::new(Round { changes: vec![change], keeping: Vec::new() }),
            now,
            Box::new(recall),
        )
        .await
        .unwrap();
}

fn dead(last: Postponed, died_at: i64) -> Dead {
    let died_at = Timestamp::from_millis(died_at);
    Dead { last, died_at, kind: ErrorKind::Refused, rules: Some("0123456789abcdef".into()) }
}

async fn letter(state: &State, id: i64) -> Letter {
    state.run(move |tx| letters::find(tx, id)).await.unwrap().unwrap()
}

/// The row of a postponed delivery.
async fn found(state: &State, row: &Postponed) -> Option<Postponed> {
    let place = Place::of(&row.id);
    state.run(move |tx| Postponed::find(tx, &key(), &place)).await.unwrap()
}

async fn stored(state: &State) -> Subscription {
    state.run(Subscription::all).await.unwrap().remove(0)
}

#[tokio::test]
async fn a_change_comes_back_as_it_was_written() {
    let (folder, state) = open().await;
    let written = change(9, vec![row(8, 1, here("a")), row(4, 2, Made::NotYet)]);
    apply(&state, written.clone()).await;
    drop(state);

    let state = State::open(&folder.path().join("state.sqlite")).unwrap();
    let read = stored(&state).await;
    assert_eq!((read.key, read.settled, read.done), (written.key, written.settled, written.done));
    assert_eq!(read.counts, written.counts);
    assert_eq!(read.waiting, [row(4, 2, Made::NotYet).in_short(), row(8, 1, here("a")).in_short()]);
    for row in [row(4, 2, Made::NotYet), row(8, 1, here("a"))] {
        assert_eq!(found(&state, &row).await.as_ref(), Some(&row));
    }
}

#[tokio::test]
async fn a_payload_stays_in_its_row_when_only_the_attempts_change() {
    let (_folder, state) = open().await;
    apply(&state, change(9, vec![row(8, 1, here("a"))])).await;
    apply(&state, change(9, vec![row(8, 2, Made::OnDisk)])).await;
    let again = row(8, 2, here("a"));
    assert_eq!(found(&state, &again).await, Some(again));

    // A dead letter takes the payload out of the row it leaves.
    let mut last = change(9, vec![]);
    last.resolved.push(key().delivery(Offset::new(8), 1));
    last.dead.push(dead(row(8, 3, Made::OnDisk), 4));
    apply(&state, last).await;
    assert_eq!(stored(&state).await.waiting, []);
    let letter = letter(&state, 1).await;
    assert_eq!((letter.last.attempts, letter.last.made), (3, here("a")));
    assert_eq!(letter.event.unwrap().event, "event 8");
}

#[tokio::test]
async fn a_change_that_fails_leaves_nothing_behind() {
    let (_folder, state) = open().await;
    let failed: Result<(), StateError> = state
        .run(|tx| {
            let written = change(9, vec![row(8, 1, here("a"))]);
            written.apply(tx, Timestamp::from_millis(0), &recall)?;
            Err(StateError::Ended)
        })
        .await;
    assert!(failed.is_err());
    let read = stored(&state).await;
    assert_eq!((read.settled, read.waiting), (Offset::new(7), vec![]));
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let (folder, state) = open().await;
    let path = folder.path().join("state.sqlite");
    drop(state);
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = State::open(&path).err().unwrap().to_string();
    assert!(error.contains("format 99 was written by a newer slipswitch"), "{error}");
}

#[tokio::test]
async fn what_is_no_database_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    std::fs::write(&path, "this is no database, but it is long enough to have a header").unwrap();
    let error = State::open(&path).err().unwrap().to_string();
    assert!(error.contains("file is not a database"), "{error}");
}

/// Gives a letter back to its subscription, as a redrive does.
async fn redrive(state: &State, id: i64, to: RedriveTo) {
    let moved = state.run(move |tx| {
        let letter = letters::find(tx, id)?.unwrap();
        let mut again = letter.last.clone();
        if let RedriveTo::Rules(_) = to {
            again.made = Made::NotYet;
            again.id.output = 0;
        }
        let now = Timestamp::from_millis(50);
        letters::mark(tx, &letter, (LetterState::Redriven, &to), now)?;
        postpone(tx, &key(), &again)
    });
    assert!(moved.await.unwrap());
}

fn depth(letters: u64, oldest: i64) -> letters::Depth {
    letters::Depth {
        bus: "shop".to_owned(),
        rule: "orders".to_owned(),
        target: "crm".to_owned(),
        letters,
        oldest: Timestamp::from_millis(oldest),
    }
}

#[tokio::test]
async fn a_letter_that_dies_again_is_the_same_one_with_its_history() {
    let (_folder, state) = open().await;
    let mut died = change(9, vec![]);
    died.dead = vec![dead(row(8, 3, here("a")), 4), dead(row(9, 1, here("b")), 5)];
    apply(&state, died.clone()).await;
    assert_eq!(state.run(letters::depths).await.unwrap(), [depth(2, 4)]);

    redrive(&state, 1, RedriveTo::Target).await;
    assert_eq!(state.run(letters::depths).await.unwrap(), [depth(1, 5)]);
    // A retry that fails is neither the end nor an arrival.
    let mut failed = change(9, vec![row(8, 1, here("a"))]);
    failed.resolved.push(key().delivery(Offset::new(8), 1));
    apply(&state, failed).await;
    assert_eq!(letter(&state, 1).await.state, LetterState::Redriven);

    let mut again = change(9, vec![]);
    again.resolved.push(key().delivery(Offset::new(8), 1));
    again.dead.push(dead(row(8, 2, Made::OnDisk), 60));
    apply(&state, again).await;
    let one = letter(&state, 1).await;
    assert_eq!((one.state, one.redriven, one.attempts_total), (LetterState::Dead, 1, 5));
    assert_eq!((one.first_died_at.as_millis(), one.died_at.as_millis()), (4, 60));
    assert_eq!(one.last.made, here("a"));
    assert_eq!(state.run(letters::depths).await.unwrap(), [depth(2, 5)]);
    assert!(state.run(|tx| letters::find(tx, 3)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_letter_that_arrives_says_so_and_no_other_does() {
    let (_folder, state) = open().await;
    let mut died = change(9, vec![]);
    died.dead = vec![dead(row(8, 3, here("a")), 4), dead(row(9, 1, here("b")), 5)];
    apply(&state, died).await;
    redrive(&state, 1, RedriveTo::Target).await;
    redrive(&state, 2, RedriveTo::Target).await;
    let mut arrived = change(9, vec![]);
    arrived.resolved.push(key().delivery(Offset::new(8), 1));
    apply(&state, arrived).await;
    let one = letter(&state, 1).await;
    assert_eq!(
        (one.state, one.ended_at),
        (LetterState::Delivered, Some(Timestamp::from_millis(100)))
    );
    assert_eq!(letter(&state, 2).await.state, LetterState::Redriven);
    assert_eq!(state.run(letters::depths).await.unwrap(), []);
}

#[tokio::test]
async fn a_run_through_the_rules_ends_the_letter_of_another_output_unless_that_waits() {
    let (_folder, state) = open().await;
    let mut died = change(9, vec![]);
    died.dead = vec![dead(row(8, 3, here("a")), 4), dead(row(9, 3, here("a")), 4)];
    apply(&state, died).await;
    for id in [1, 2] {
        redrive(&state, id, RedriveTo::Rules(Vec::new())).await;
    }
    // Both runs made their outputs anew; the second one's output 1 is to be tried again.
    let mut ran = change(9, vec![row(9, 1, here("anew"))]);
    ran.resolved = vec![key().delivery(Offset::new(8), 0), key().delivery(Offset::new(9), 0)];
    apply(&state, ran).await;
    assert_eq!(letter(&state, 1).await.state, LetterState::Delivered);
    assert_eq!(letter(&state, 2).await.state, LetterState::Redriven);
    let mut arrived = change(9, vec![]);
    arrived.resolved.push(key().delivery(Offset::new(9), 1));
    apply(&state, arrived).await;
    assert_eq!(letter(&state, 2).await.state, LetterState::Delivered);
}

#[tokio::test]
async fn old_letters_go_and_too_many_and_none_that_is_under_way() {
    let (_folder, state) = open().await;
    let mut died = change(9, vec![]);
    died.dead = (1..=6).map(|at| dead(row(at, 1, here("a")), 10 * at.cast_signed())).collect();
    apply(&state, died).await;
    redrive(&state, 1, RedriveTo::Target).await;
    let expire = async |time: i64, kept_max| {
        let time = Timestamp::from_millis(time);
        state.run(move |tx| letters::expire(tx, time, (kept_max, 2))).await.unwrap()
    };
    assert_eq!((expire(31, 100).await, expire(31, 100).await), (2, 0));
    assert_eq!(state.run(letters::depths).await.unwrap(), [depth(3, 40)]);
    assert_eq!((expire(0, 2).await, expire(0, 2).await), (2, 0));
    assert_eq!(state.run(letters::depths).await.unwrap(), [depth(1, 60)]);
    let rows: i64 = state
        .run(|tx| {
            let count = "SELECT COUNT(*) FROM dead_letter_contents";
            Ok(tx.query_row(count, [], |row| row.get(0))?)
        })
        .await
        .unwrap();
    assert_eq!(rows, 2, "their contents go with them");
}

#[test]
fn what_plugins_kept_before_it_was_counted_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(&schema::before_plugins_were_counted()).unwrap();
    old.execute_batch(
        "INSERT INTO plugin_state VALUES ('p', 'shop', '', 'a', x'0102', NULL);
         INSERT INTO plugin_state VALUES ('p', 'shop', '', 'ä', x'03', 5);
         INSERT INTO plugin_state VALUES ('p', 'shop', 'again', 'a', x'', NULL);",
    )
    .unwrap();
    drop(old);
    let connection = schema::open(&path).unwrap();
    let owner = |replay: Option<&str>| Owner {
        plugin: "p".into(),
        bus: "shop".into(),
        replay: replay.map(Into::into),
    };
    let totals = |replay| owner(replay).totals(&connection).unwrap();
    assert_eq!((totals(None), totals(Some("again")), totals(Some("x"))), ((2, 6), (1, 1), (0, 0)));
}

#[tokio::test]
async fn letters_of_the_first_version_are_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(schema::TABLES).unwrap();
    old.execute_batch(
        "PRAGMA user_version = 1;
         INSERT INTO dead_letters VALUES (7, 'shop', 'orders', 'crm', '', 8, 1, 'e', 2, 3, 1, 3, 4, 'x', x'626f6479', 'text/plain');
         INSERT INTO dead_letters VALUES (9, 'shop', 'orders', 'crm', '', 9, 1, 'e', 2, 3, 1, 3, 5,
            'x (its rule or target was removed)', NULL, NULL);",
    )
    .unwrap();
    drop(old);
    let state = State::open(&path).unwrap();
    let one = letter(&state, 7).await;
    assert_eq!(
        (one.last.made, one.kind, one.attempts_total),
        (here("body"), ErrorKind::Unavailable, 3)
    );
    assert!(one.event.is_none());
    assert_eq!(letter(&state, 9).await.kind, ErrorKind::TargetGone);
    assert_eq!(state.run(letters::depths).await.unwrap(), [depth(2, 4)]);
}
