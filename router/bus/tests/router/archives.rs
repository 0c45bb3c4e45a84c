//! Archives: what is asked of them, and what is refused.

use slipswitch_bus::{ArchiveChange, NewArchive, Selection};

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
