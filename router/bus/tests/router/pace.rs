//! How long a replay says it will take.

use super::replays::{everything, state};
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_time_left_is_told_by_the_pace_of_this_process_while_nothing_is_stopped() {
    let (folder, target) = (tempfile::tempdir().unwrap(), receiver());
    let text = rules(&rule("one", &target.url("/1")));
    #[expect(clippy::disallowed_methods, reason = "the clock's beginning")]
    let clock = Arc::new(Ahead(System(Instant::now()), AtomicU64::new(0)));
    let later = || clock.1.fetch_add(100, Ordering::AcqRel);
    let router = open_with(Arc::clone(&clock), options(folder.path()), Arc::clone(&text)).await;
    send(&router, 0..1000).await;
    accepted(&target, "/1", 1000).await;
    target.forget();
    let gate = Gate::shut();
    target.always("/1", Answer::status(200).behind(&gate));
    target.script("/1", vec![Answer::status(200); 10]);
    router.start_replay(everything(&[])).await.unwrap();
    let settled = async |router: &Router| {
        until(router, "ten", async || state(router, "again").await.position.get() == 10).await;
    };
    settled(&router).await;
    assert_eq!(state(&router, "again").await.eta_seconds, None, "it has only begun");
    later();
    let left = state(&router, "again").await.eta_seconds.unwrap();
    assert!((9_900..12_000).contains(&left), "{left}");

    let key = Key::live("default", "one", "t");
    router.pause(&key, "the depot moves").await.unwrap();
    assert_eq!(state(&router, "again").await.eta_seconds, None, "it waits");
    later();
    router.resume(&key).await.unwrap();
    later();
    assert_eq!(state(&router, "again").await.eta_seconds, None, "it has not gone on");
    router.written().await;
    router.shutdown(Duration::ZERO).await;
    drop(router);

    let router = open_with(Arc::clone(&clock), options(folder.path()), text).await;
    settled(&router).await;
    later();
    assert_eq!(state(&router, "again").await.eta_seconds, None, "nothing was done here");
    gate.open();
    stop(router).await;
}
