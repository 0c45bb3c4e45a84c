#![expect(clippy::disallowed_methods, reason = "each test awaits what it spawns")]

use std::sync::Mutex;
use std::sync::mpsc::sync_channel;

use super::*;

fn crew() -> Arc<Crew> {
    Crew::start(1).unwrap()
}

#[tokio::test]
async fn each_caller_gets_its_own_answer() {
    let queue = Queue::new(&crew(), "doubles", QueueOptions::default(), |jobs: Vec<u32>| {
        jobs.into_iter().map(|job| job * 2).collect()
    });
    let run = async |job| queue.admit().await.run(job).await;
    assert_eq!(tokio::join!(run(1), run(2), run(3), run(4)), (2, 4, 6, 8));
    assert_eq!(queue.spent().jobs, 4);
}

#[tokio::test]
async fn a_queue_has_room_for_so_many_and_no_more() {
    let options = QueueOptions { jobs_max: 2, ..QueueOptions::default() };
    let queue = Queue::new(&crew(), "bounded", options, |jobs: Vec<u32>| jobs);
    let (one, two) = (queue.try_admit().unwrap(), queue.admit().await);
    assert!(queue.try_admit().is_none());
    drop(one);
    assert!(queue.try_admit().is_some());
    assert_eq!(two.run(7).await, 7);
    assert!(queue.try_admit().is_some());
}

#[tokio::test]
async fn a_panic_is_its_callers_and_the_thread_goes_on() {
    let queue = Queue::new(&crew(), "panics", QueueOptions::default(), |jobs: Vec<u32>| {
        assert!(!jobs.contains(&13), "no such number");
        jobs
    });
    let caller = tokio::spawn({
        let queue = queue.clone();
        async move { queue.admit().await.run(13).await }
    });
    assert!(caller.await.unwrap_err().is_panic());
    assert_eq!(queue.admit().await.run(14).await, 14);
}

#[tokio::test]
async fn a_job_whose_caller_has_gone_is_not_run() {
    let (go, wait) = sync_channel::<()>(0);
    let (wait, ran) = (Mutex::new(wait), Arc::new(Mutex::new(Vec::<u32>::new())));
    let seen = Arc::clone(&ran);
    let queue = Queue::new(&crew(), "left", QueueOptions::default(), move |jobs: Vec<u32>| {
        wait.lock().unwrap().recv().ok(); // The sender goes: then nothing is waited for.
        seen.lock().unwrap().extend(&jobs);
        jobs
    });
    let first = tokio::spawn({
        let queue = queue.clone();
        async move { queue.admit().await.run(1).await }
    });
    while queue.spent().jobs == 0 {
        tokio::task::yield_now().await;
    }
    let mut left = Box::pin(queue.try_admit().unwrap().run(2));
    let last = Box::pin(queue.try_admit().unwrap().run(3));
    assert!(
        std::future::poll_fn(|cx| std::task::Poll::Ready(left.as_mut().poll(cx)))
            .await
            .is_pending()
    );
    drop(left);
    drop(go);
    assert_eq!((first.await.unwrap(), last.await), (1, 3));
    assert_eq!(*ran.lock().unwrap(), [1, 3]);
}
