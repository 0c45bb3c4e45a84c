//! Archives: what is asked of them, and what is refused.

use rusqlite::Connection;
use slipswitch_bus::{
    ArchiveChange, ArchiveError, BusOptions, Durability, NewArchive, ReplayState, Selection,
    StartReplay,
};

use slipswitch_bus::journal::tools::{StoppedData, Verification};

use super::retention::{Ahead, HOUR, MILLI, expired, forgetful, in_journal, open_at};
use super::*;

fn new(name: &str) -> NewArchive {
    NewArchive { name: name.to_owned(), bus: "default".to_owned(), ..NewArchive::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_made_changed_found_again_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let router = open(options(folder.path()), Arc::new(RuleSet::empty())).await;
    send(&router, 0..3).await;
    let pattern = Selection::parse(r#"{"source":["a"]}"#).unwrap();
    let asked = NewArchive {
        pattern: Some(pattern),
        retention_days: 30,
        description: "orders".to_owned(),
        ..new("orders")
    };
    let made = router.create_archive(asked).await.unwrap();
    assert_eq!((made.from_offset.get(), made.retention_days), (3, 30));
    router.create_archive(new("all")).await.unwrap();
    let change =
        ArchiveChange { pattern: Some(None), retention_days: Some(0), ..ArchiveChange::default() };
    router.change_archive("orders", change).await.unwrap();
    stop(router).await;

    let router = open(options(folder.path()), Arc::new(RuleSet::empty())).await;
    let names: Vec<String> = router.archives().iter().map(|one| one.name.to_string()).collect();
    assert_eq!(names, ["all", "orders"]);
    let orders = router.archive("orders").unwrap();
    assert!(orders.pattern.is_none());
    assert_eq!((orders.retention_days, orders.description.as_str()), (0, "orders"));
    assert_eq!(orders.created_at, made.created_at);
    router.remove_archive("orders").await.unwrap();
    let said = router.archive("orders").unwrap_err().to_string();
    assert_eq!(said, "there is no archive `orders`; there are: all");
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_cannot_be_is_refused_with_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    let router = open(options(folder.path()), Arc::new(RuleSet::empty())).await;
    router.create_archive(new("all")).await.unwrap();
    let elsewhere = NewArchive { bus: "nowhere".to_owned(), ..new("one") };
    let for_long = NewArchive { retention_days: 99_999, ..new("one") };
    let wordy = NewArchive { description: "x".repeat(513), ..new("one") };
    for (asked, says) in [
        (new("all"), "already"),
        (new("a/b"), "1 to 48"),
        (new(".."), "1 to 48"),
        (new(""), "1 to 48"),
        (new(&"x".repeat(49)), "1 to 48"),
        (elsewhere, "there are: default"),
        (for_long, "0 for ever"),
        (wordy, "up to 512"),
    ] {
        let said = router.create_archive(asked).await.unwrap_err().to_string();
        assert!(said.contains(says), "{said}");
    }
    assert!(router.remove_archive("none").await.is_err());
    assert_eq!(router.archives().len(), 1);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_pattern_takes_nothing_away_that_came_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    let within = Durability::Interval(Duration::from_millis(50));
    let weak = BusOptions { durability: within, ..BusOptions::default() };
    options.bus_options.insert("other".to_owned(), weak);
    let router = open(options, Arc::new(RuleSet::empty())).await;
    let of_other = NewArchive { bus: "other".to_owned(), ..new("others") };
    router.create_archive(new("orders")).await.unwrap();
    router.create_archive(of_other).await.unwrap();
    send(&router, 0..30).await;
    let narrow = Selection::parse(r#"{"detail":{"n":[31]}}"#).unwrap();
    let change = ArchiveChange { pattern: Some(Some(narrow)), ..ArchiveChange::default() };
    router.change_archive("orders", change.clone()).await.unwrap();
    assert_eq!(holds(&router, "orders").await, 30);
    router.ingest("other", (0..5).map(entry).collect()).await.unwrap();
    router.change_archive("others", change).await.unwrap();
    assert_eq!(holds(&router, "others").await, 5, "acknowledged, and not yet synced");
    send(&router, 30..33).await;
    assert_eq!(holds(&router, "orders").await, 31);
    stop(router).await;
}

async fn holds(router: &Router, name: &str) -> u64 {
    let archive = router.archive(name).unwrap();
    router.archive_contents(&archive).await.unwrap().event_count
}

fn replay(archive: &str) -> StartReplay {
    StartReplay {
        name: Some(format!("again-{archive}")),
        archive: Some(archive.to_owned()),
        rules: vec!["one".to_owned()],
        ..StartReplay::new("default", Timestamp::from_millis(0))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_outlives_the_journal_and_gives_its_events_back() {
    let (folder, target, clock) = (tempfile::tempdir().unwrap(), receiver(), Ahead::new());
    let passes_on = "---\nname: on\npattern: {source: [a]}\ntargets: [{id: t, bus: other}]\n";
    let text = rules(&(rule("one", &target.url("/t")) + passes_on));
    let router = open_at(&clock, forgetful(folder.path()), text).await;
    send(&router, 0..5).await;
    let pattern = Selection::parse(r#"{"detail":{"n":[{"numeric":["<",8]}]}}"#).unwrap();
    router.create_archive(NewArchive { pattern: Some(pattern), ..new("early") }).await.unwrap();
    let of_other = NewArchive { bus: "other".to_owned(), ..new("others") };
    until(&router, "all is passed on", async || router.status().journal.next_offset == 10).await;
    router.create_archive(of_other).await.unwrap();
    send(&router, 5..10).await;
    accepted(&target, "/t", 10).await;
    expired(&router, 10).await;
    assert_eq!(in_journal(&router), 0);
    until(&router, "sealed", async || router.status().journal.sealed_to == 20).await;

    let early = router.archive("early").unwrap();
    let contents = router.archive_contents(&early).await.unwrap();
    let files = folder.path().join("archives/early");
    let files = std::fs::read_dir(files).unwrap().map(|file| file.unwrap());
    let segments = files.filter(|file| file.path().extension().is_some_and(|kind| kind == "evs"));
    let on_disk: u64 = segments.map(|file| file.metadata().unwrap().len()).sum();
    assert_eq!((contents.event_count, contents.size_bytes, contents.exact), (3, on_disk, true));
    assert!(contents.oldest.unwrap() <= contents.newest.unwrap());
    assert_eq!(holds(&router, "others").await, 5, "what came before it was made is not in it");

    target.forget();
    let all = StartReplay { rules: Vec::new(), ..replay("early") };
    let estimate = router.estimate_replay(all.clone()).await.unwrap();
    assert_eq!((estimate.events, estimate.matched, estimate.exact), (3, 3, true));
    router.start_replay(all).await.unwrap();
    let requests = accepted(&target, "/t", 3).await;
    assert_eq!(numbers(&requests), [5, 6, 7]);
    assert!(requests.iter().all(|one| one.text().contains(r#""replay-name":"again-early""#)));
    until(&router, "completed", async || {
        router.replay("again-early").await.unwrap().state == ReplayState::Completed
    })
    .await;
    let ended = router.replay("again-early").await.unwrap();
    assert_eq!(ended.delivered, estimate.targets.iter().map(|one| one.events).sum::<u64>());
    // They were passed on to the other bus, whose archive takes in everything but them.
    assert_eq!(router.status().journal.next_offset, 23);
    until(&router, "sealed", async || router.status().journal.sealed_to == 23).await;
    assert_eq!((holds(&router, "early").await, holds(&router, "others").await), (3, 5));
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn archived_events_expire_unless_they_are_being_replayed() {
    let (folder, target, clock) = (tempfile::tempdir().unwrap(), receiver(), Ahead::new());
    let text = rules(&rule("one", &target.url("/t")));
    let router = open_at(&clock, forgetful(folder.path()), text).await;
    for name in ["one", "two"] {
        router.create_archive(NewArchive { retention_days: 1, ..new(name) }).await.unwrap();
    }
    router.create_archive(new("for-ever")).await.unwrap();
    send(&router, 0..5).await;
    accepted(&target, "/t", 5).await;
    expired(&router, 5).await;
    router.start_replay(StartReplay { rate: Some(0.001), ..replay("two") }).await.unwrap();
    router.pause_replay("again-two").await.unwrap();
    clock.set(25 * HOUR);
    until(&router, "expired", async || holds(&router, "one").await == 0).await;
    assert_eq!((holds(&router, "two").await, holds(&router, "for-ever").await), (5, 5));
    let said = router.remove_archive("two").await.unwrap_err().to_string();
    assert!(said.contains("is being replayed by `again-two`"), "{said}");
    router.cancel_replay("again-two").await.unwrap();
    until(&router, "expired", async || holds(&router, "two").await == 0).await;
    router.remove_archive("two").await.unwrap();
    assert_eq!(holds(&router, "for-ever").await, 5);
    stop(router).await;
}

/// Five events in the chain of an archive `kept`, and the router that wrote them stopped.
async fn five_archived(folder: &Path) {
    let options = Options { seal_after: MILLI, ..options(folder) };
    let router = open(options, Arc::new(RuleSet::empty())).await;
    router.create_archive(new("kept")).await.unwrap();
    send(&router, 0..5).await;
    until(&router, "sealed", async || router.status().journal.sealed_to == 5).await;
    stop(router).await;
}

/// The files in the folder of `kept`, with what is in them.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(folder.join("archives/kept")) else { return Vec::new() };
    let file = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, std::fs::read(entry.path()).unwrap())
    };
    let mut files: Vec<_> = entries.map(|entry| file(entry.unwrap())).collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_the_database_does_not_know_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    five_archived(folder.path()).await;
    let before = files(folder.path());
    assert!(!before.is_empty());
    for name in ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm"] {
        drop(std::fs::remove_file(folder.path().join(name)));
    }
    let router = open(options(folder.path()), Arc::new(RuleSet::empty())).await;
    let refused = router.create_archive(new("kept")).await.unwrap_err();
    assert!(matches!(refused, ArchiveError::Unlisted { events: 5, .. }), "{refused}");
    let said = refused.to_string();
    assert!(said.contains("archives/kept") && said.contains("journal export --archive kept"));
    assert!(router.archives().is_empty());
    router.create_archive(new("other")).await.unwrap();
    stop(router).await;
    assert_eq!(files(folder.path()), before);

    std::fs::rename(folder.path().join("archives/kept"), folder.path().join("moved")).unwrap();
    let router = open(options(folder.path()), Arc::new(RuleSet::empty())).await;
    router.create_archive(new("kept")).await.unwrap();
    assert_eq!(holds(&router, "kept").await, 0);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_removal_ends_with_the_next_start_and_hits_no_other_archive() {
    let folder = tempfile::tempdir().unwrap();
    five_archived(folder.path()).await;
    let removing = |chain: &[u8]| {
        let database = Connection::open(folder.path().join("state.sqlite")).unwrap();
        database.execute("UPDATE archives SET removing = ?1", [chain]).unwrap();
    };
    let rows = || {
        let database = Connection::open(folder.path().join("state.sqlite")).unwrap();
        let count = "SELECT COUNT(*) FROM archives";
        database.query_row(count, [], |row| row.get::<_, u32>(0)).unwrap()
    };
    let before = files(folder.path());
    let manifest = &before.iter().find(|(name, _)| name == "chain").unwrap().1;
    let copy = std::fs::read(folder.path().join("state.sqlite")).unwrap();

    removing(&[7; 16]);
    let router = open(options(folder.path()), Arc::new(RuleSet::empty())).await;
    assert!(router.create_archive(new("kept")).await.is_err());
    stop(router).await;
    assert_eq!((files(folder.path()), rows()), (before.clone(), 0));

    std::fs::write(folder.path().join("state.sqlite"), copy).unwrap();
    removing(&manifest[16..32]);
    let router = open(options(folder.path()), Arc::new(RuleSet::empty())).await;
    assert!(!folder.path().join("archives/kept").exists());
    assert_eq!((router.archives().len(), rows()), (0, 0));
    router.create_archive(new("kept")).await.unwrap();
    stop(router).await;
}

fn verify(folder: &Path) -> Verification {
    let known = slipswitch_bus::stored_archives(folder).unwrap();
    StoppedData::open(folder).unwrap().knowing(known).verify().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_whose_folder_is_gone_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    five_archived(folder.path()).await;
    assert_eq!(verify(folder.path()).faults, []);
    std::fs::remove_dir_all(folder.path().join("archives")).unwrap();
    let faults = verify(folder.path()).faults;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(
        (faults[0].what.as_str(), faults[0].records),
        ("the archive \"kept\" is missing", Some(5))
    );

    // A start goes on, and forgets nothing.
    for _start in 0..2 {
        let router = open(options(folder.path()), Arc::new(RuleSet::empty())).await;
        let damaged = router.status().journal.damaged_archives;
        assert_eq!((damaged.len(), damaged[0].archive.as_str()), (1, "kept"));
        stop(router).await;
        assert_eq!(verify(folder.path()).faults_count, 1);
    }
    let known = slipswitch_bus::stored_archives(folder.path()).unwrap();
    let data = StoppedData::open(folder.path()).unwrap().knowing(known);
    let done = data.repair().unwrap();
    assert_eq!((done.lost, data.verify().unwrap().faults), (vec![], vec![]), "{:?}", done.actions);
    drop(data);
    let router = open(options(folder.path()), Arc::new(RuleSet::empty())).await;
    assert_eq!(holds(&router, "kept").await, 5);
    assert!(router.status().journal.damaged_archives.is_empty());
    router.remove_archive("kept").await.unwrap();
    stop(router).await;
    assert_eq!(verify(folder.path()).faults, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_or_forgotten_archive_is_not_missed() {
    let folder = tempfile::tempdir().unwrap();
    five_archived(folder.path()).await;
    for name in ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm"] {
        drop(std::fs::remove_file(folder.path().join(name)));
    }
    std::fs::remove_dir_all(folder.path().join("archives/kept")).unwrap();
    let router = open(options(folder.path()), Arc::new(RuleSet::empty())).await;
    router.create_archive(new("kept")).await.unwrap();
    assert!(router.status().journal.damaged_archives.is_empty());
    stop(router).await;
    assert_eq!(verify(folder.path()).faults, []);
}
