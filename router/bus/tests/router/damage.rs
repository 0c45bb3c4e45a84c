//! Damage in the hot journal: whom it stops, and whom not. A state database that lost its write-ahead log.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use super::*;

/// More than a segment of events, and what leaves them hot.
async fn send_two_segments(router: &Router, folder: &Path) {
    let sealed = folder.join("sealed");
    fs::remove_dir(&sealed).or_else(|_none| fs::remove_file(&sealed)).ok();
    fs::write(&sealed, "").unwrap();
    let filling = "x".repeat(100_000);
    let large = |n| {
        Bytes::from(format!(
            r#"{{"source":"a","detail-type":"Made","detail":{{"n":{n},"filling":"{filling}"}}}}"#
        ))
    };
    for n in 0..250 {
        router.ingest("default", vec![large(n)]).await.unwrap();
    }
    assert_eq!(router.status().journal.sealed_to, 0);
}

/// The oldest hot segment.
fn first_segment(folder: &Path) -> std::path::PathBuf {
    let files = fs::read_dir(folder.join("journal")).unwrap().flatten().map(|one| one.path());
    files.filter(|path| path.extension().is_some_and(|ext| ext == "hot")).min().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_frame_that_somebody_has_not_had_keeps_nobody_else_waiting() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let gate = Gate::shut();
    target.always("/slow", Answer::status(200).behind(&gate));
    let other = rule("two", &target.url("/two")).replace("name: two", "name: two\nbus: other");
    let both = rule("one", &target.url("/slow")) + &other;
    let router = open(options(folder.path()), rules(&both)).await;
    send_two_segments(&router, folder.path()).await;
    let left = router.shutdown(Duration::ZERO).await.in_flight_left;
    assert!(0 < left, "nothing was delivered");
    fs::remove_file(folder.path().join("sealed")).unwrap();
    let segment = OpenOptions::new().write(true).open(first_segment(folder.path())).unwrap();
    segment.write_all_at(b"???", 300_000).unwrap();

    let router = open(options(folder.path()), rules(&both)).await;
    router.ingest("other", vec![entry(1)]).await.unwrap();
    assert_eq!(numbers(&accepted(&target, "/two", 1).await), [1]);
    router.ready().unwrap();
    until(&router, "told", async || {
        let told = subscription(&router, "one").last_error;
        told.is_some_and(|error| error.contains("damaged at byte"))
    })
    .await;
    gate.open();
    router.shutdown(Duration::ZERO).await;
}

/// The state database without its write-ahead log: read again where the router was just moving changes from the one to
/// the other.
fn state_alone(folder: &Path) -> Vec<u8> {
    let aside = tempfile::tempdir().unwrap();
    let copy = aside.path().join("state.sqlite");
    let is_whole = |bytes: &[u8]| {
        fs::write(&copy, bytes).unwrap();
        let database = rusqlite::Connection::open(&copy).unwrap();
        let told = database.query_row("PRAGMA quick_check", [], |row| row.get::<_, String>(0));
        told.is_ok_and(|told| told == "ok")
    };
    let mut copies = (0..100).map(|_| fs::read(folder.join("state.sqlite")).unwrap());
    copies.find(|bytes| is_whole(bytes)).expect("a whole database")
}

/// Puts a database in the place of the one that a stopped router has left.
fn replace_state(folder: &Path, with: &[u8]) {
    for aside in ["state.sqlite-wal", "state.sqlite-shm"] {
        fs::remove_file(folder.join(aside)).ok();
    }
    fs::write(folder.join("state.sqlite"), with).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_write_ahead_log_it_is_known_still_who_is_owed_what() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let gate = Gate::shut();
    target.always("/t", Answer::status(200).behind(&gate));
    let one = rules(&rule("one", &target.url("/t")));
    let router = open(options(folder.path()), Arc::new(RuleSet::empty())).await;
    router.swap(Arc::clone(&one)).await.unwrap();
    send(&router, 0..5).await;
    let file_alone = state_alone(folder.path());
    router.shutdown(Duration::ZERO).await;
    replace_state(folder.path(), &file_alone);

    gate.open();
    let router = open(options(folder.path()), one).await;
    assert!(!router.is_state_lost());
    // One that was on its way when the router went may be there twice.
    until(&router, "all have come", async || {
        let had: BTreeSet<usize> = numbers(&target.requests_to("/t")).into_iter().collect();
        had.into_iter().eq(0..5)
    })
    .await;
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_database_with_nothing_in_it_is_no_state() {
    let folder = tempfile::tempdir().unwrap();
    let router = open(options(folder.path()), Arc::new(RuleSet::empty())).await;
    send(&router, 0..5).await;
    assert!(!router.is_state_lost(), "it is a new folder");
    stop(router).await;
    let (faults, _) = slipswitch_bus::verify_state(folder.path());
    assert!(faults.is_empty(), "{faults:?}");

    replace_state(folder.path(), b"");
    let blank = rusqlite::Connection::open(folder.path().join("state.sqlite")).unwrap();
    blank.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    drop(blank);
    let (faults, _) = slipswitch_bus::verify_state(folder.path());
    assert!(faults.len() == 1 && faults[0].what.contains("state.sqlite-wal"), "{faults:?}");
    let router = open(options(folder.path()), Arc::new(RuleSet::empty())).await;
    assert!(router.is_state_lost());
    stop(router).await;
}
