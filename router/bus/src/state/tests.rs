//! The database: what is written comes back, whole transactions only.

use bytes::Bytes;
use event::Timestamp;
use journal::Offset;
use roaring::RoaringTreemap;

use super::*;
use crate::key::Key;
use crate::redrive::DeadLetterFilter;

fn row(offset: u64, attempts: u32, made: Made) -> Postponed {
    Postponed {
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
    Made::Here(Payload { body, content_type: "text/plain".to_owned() })
}

fn change(settled: u64, postponed: Vec<Postponed>) -> Change {
    Change {
        key: key(),
        settled: Offset::new(settled),
        done: RoaringTreemap::from_iter([settled + 5]),
        counts: Counts { delivered: 4, dropped: 3, dead: 2, failed_attempts: 1 },
        postponed,
        resolved: Vec::new(),
        dead: Vec::new(),
    }
}

async fn open() -> (tempfile::TempDir, State) {
    let folder = tempfile::tempdir().unwrap();
    let state = State::open(&folder.path().join("state.sqlite")).unwrap();
    state.run(|tx| Subscription::begin(tx, &key(), Offset::new(7), None)).await.unwrap();
    (folder, state)
}

async fn stored(state: &State) -> Subscription {
    state.run(Subscription::all).await.unwrap().remove(0)
}

#[tokio::test]
async fn a_change_comes_back_as_it_was_written() {
    let (folder, state) = open().await;
    let written = change(9, vec![row(8, 1, here("a")), row(4, 2, Made::NotYet)]);
    state.apply(Arc::new(vec![written.clone()])).await.unwrap();
    drop(state);

    let state = State::open(&folder.path().join("state.sqlite")).unwrap();
    let read = stored(&state).await;
    assert_eq!((read.key, read.settled, read.done), (written.key, written.settled, written.done));
    assert_eq!(read.counts, written.counts);
    assert_eq!(read.postponed, [row(4, 2, Made::NotYet), row(8, 1, Made::OnDisk)]);
    let id = key().delivery(Offset::new(8), 1);
    let found = state.run(move |tx| payload(tx, &key(), &id)).await.unwrap();
    assert_eq!(found.map(Made::Here), Some(here("a")));
}

#[tokio::test]
async fn a_payload_stays_in_its_row_when_only_the_attempts_change() {
    let (_folder, state) = open().await;
    state.apply(Arc::new(vec![change(9, vec![row(8, 1, here("a"))])])).await.unwrap();
    state.apply(Arc::new(vec![change(9, vec![row(8, 2, Made::OnDisk)])])).await.unwrap();
    let read = stored(&state).await;
    assert_eq!(read.postponed, [row(8, 2, Made::OnDisk)]);

    // A dead letter takes the payload out of the row it leaves.
    let mut last = change(9, vec![]);
    last.resolved.push(key().delivery(Offset::new(8), 1));
    let dead = Dead { last: row(8, 3, Made::OnDisk), died_at: Timestamp::from_millis(4) };
    last.dead.push(dead);
    state.apply(Arc::new(vec![last])).await.unwrap();
    assert_eq!(stored(&state).await.postponed, []);
    let all = DeadLetterFilter { limit: 10, ..DeadLetterFilter::default() };
    let dead = state.run(move |tx| select_dead(tx, &all)).await.unwrap().remove(0).1;
    assert_eq!((dead.last.attempts, dead.last.made), (3, here("a")));
}

#[tokio::test]
async fn a_change_that_fails_leaves_nothing_behind() {
    let (_folder, state) = open().await;
    let failed: Result<(), StateError> = state
        .run(|tx| {
            change(9, vec![row(8, 1, here("a"))]).apply(tx)?;
            Err(StateError::Ended)
        })
        .await;
    assert!(failed.is_err());
    let read = stored(&state).await;
    assert_eq!((read.settled, read.postponed), (Offset::new(7), vec![]));
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
