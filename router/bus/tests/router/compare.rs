//! What other rules would have done with the past.

use slipswitch_bus::{CompareError, CompareRules, NewArchive, Selection, Watch};

use super::retention::MILLI;
use super::*;

fn ask() -> CompareRules {
    CompareRules { examples: 2, ..CompareRules::default() }
}

/// Numbered, of a kilobyte, on the default bus.
fn large(number: usize) -> Bytes {
    let filling = "x".repeat(1000);
    Bytes::from(format!(
        r#"{{"source":"a","detail-type":"Made","detail":{{"n":{number},"f":"{filling}"}}}}"#
    ))
}

async fn send_large(router: &Router, numbers: std::ops::Range<usize>) {
    let entries: Vec<Bytes> = numbers.map(large).collect();
    for some in entries.chunks(500) {
        router.ingest("default", some.to_vec()).await.unwrap();
    }
}

fn with(pattern: &str, more: &str) -> Arc<RuleSet> {
    let rule = "targets:\n  - id: t\n    log: { file: /dev/null }\n";
    rules(&format!("name: one\npattern: {pattern}\n{rule}{more}"))
}

/// Gained, lost, changed, and of how many events.
async fn counts(router: &Router, other: &Arc<RuleSet>, ask: CompareRules) -> [u64; 4] {
    let compared = router.compare(Arc::clone(other), ask, Arc::default()).await.unwrap();
    let report = compared.report;
    let totals = report.totals;
    [totals.gained, totals.lost, totals.changed, report.events]
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_and_hot_events_are_compared_and_blocks_that_cannot_differ_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { seal_after: MILLI, ..options(folder.path()) };
    let running = with("{ detail: { n: [5, 1500, 2600] } }", "");
    let router = open(options.clone(), Arc::clone(&running)).await;
    let archive =
        NewArchive { name: "kept".to_owned(), bus: "default".to_owned(), ..NewArchive::default() };
    router.create_archive(archive).await.unwrap();
    send_large(&router, 0..2500).await;
    super::retention::sealed(&router, 2500).await;
    stop(router).await;
    let router = open(Options { seal_after: PATIENCE, ..options }, running).await;
    send_large(&router, 2500..3000).await;

    let other = with("{ detail: { n: [5, 7, 2600, 2700] } }", "");
    let compared = router.compare(Arc::clone(&other), ask(), Arc::default()).await.unwrap();
    let totals = compared.report.totals;
    assert_eq!((totals.gained, totals.lost, totals.same), (2, 1, 2));
    assert_eq!((compared.report.events, compared.damaged), (3000, 0));
    assert!(1000 < compared.skipped && compared.skipped < 2500, "{}", compared.skipped);
    let one = &compared.report.subscriptions[0];
    let examples: Vec<u64> = one.examples.iter().map(|example| example.offset).collect();
    assert_eq!(examples, [2700, 7, 1500], "the newest of each kind first");

    for archive in [None, Some("kept".to_owned())] {
        let ask = || CompareRules { archive: archive.clone(), ..ask() };
        let last = |limit| CompareRules { limit: Some(limit), ..ask() };
        assert_eq!(counts(&router, &other, last(500)).await, [1, 0, 0, 500], "hot");
        assert_eq!(counts(&router, &other, last(1499)).await, [1, 0, 0, 1499]);
        assert_eq!(counts(&router, &other, last(1500)).await, [1, 1, 0, 1500]);
        assert_eq!(counts(&router, &other, last(2993)).await, [2, 1, 0, 2993]);
        assert_eq!(counts(&router, &other, last(2992)).await, [1, 1, 0, 2992]);
        assert_eq!(counts(&router, &other, last(9999)).await, [2, 1, 0, 3000]);
        assert_eq!(counts(&router, &other, last(0)).await, [0; 4]);
        let pattern = Selection::parse(r#"{"detail":{"n":[7,8,1500]}}"#).unwrap();
        let some = CompareRules { pattern: Some(pattern), ..ask() };
        assert_eq!(counts(&router, &other, some).await, [1, 1, 0, 3]);
    }
    // A plugin that lets every event go, in its turn on the host's threads.
    let none = with("{ detail: { n: [5, 1500, 2600] } }", "    transform: [{ plugin: none }]\n");
    assert_eq!(counts(&router, &none, ask()).await, [0, 3, 0, 3000]);
    stop(router).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_gets_no_answer_and_a_turn_is_given_back_with_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let router = open(options(folder.path()), with("{ source: [a] }", "")).await;
    send(&router, 0..10).await;
    let other = with("{ source: [b] }", "");
    let turn = Arc::new(());
    let watch = Arc::new(Watch::holding(Arc::clone(&turn)));
    watch.leave();
    let left = router.compare(Arc::clone(&other), ask(), watch).await;
    assert!(matches!(left, Err(CompareError::Left)));
    assert_eq!(Arc::strong_count(&turn), 1);
    assert_eq!(counts(&router, &other, ask()).await, [0, 10, 0, 10]);
    let nowhere = CompareRules { bus: Some("nowhere".to_owned()), ..ask() };
    let error = router.compare(other, nowhere, Arc::default()).await.unwrap_err().to_string();
    assert!(error.contains("nowhere"), "{error}");
    stop(router).await;
}
