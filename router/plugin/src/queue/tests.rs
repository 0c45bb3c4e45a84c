#![expect(clippy::disallowed_methods, reason = "each test awaits what it spawns")]

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;

use super::*;

fn crew() -> Arc<Crew> {
    Crew::start(1).unwrap()
}

fn all(jobs: Vec<u32>) -> Vec<Done<u32, u32>> {
    jobs.into_iter().map(Done::With).collect()
}

thread_local! {
    /// A thread's time, which goes by as its jobs say.
    static TIME: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

fn pass(time: Duration) {
    TIME.set(TIME.get() + time);
}

#[tokio::test]
async fn each_caller_gets_its_own_answer() {
    let queue = Queue::new(&crew(), "doubles", QueueOptions::default(), |jobs: Vec<u32>| {
        jobs.into_iter().map(|job| Done::With(job * 2)).collect()
    });
    let run = async |job| queue.admit().await.run(job).await;
    assert_eq!(tokio::join!(run(1), run(2), run(3), run(4)), (2, 4, 6, 8));
    assert_eq!(queue.spent().jobs, 4);
}

#[tokio::test]
async fn a_queue_has_room_for_so_many_and_no_more() {
    let options = QueueOptions { jobs_max: 2, ..QueueOptions::default() };
    let queue = Queue::new(&crew(), "bounded", options, all);
    let (one, two) = (queue.try_admit().unwrap(), queue.admit().await);
    assert!(queue.try_admit().is_none());
    drop(one);
    assert!(queue.try_admit().is_some());
    assert_eq!(two.run(7).await, 7);
    assert!(queue.try_admit().is_some());
}

#[tokio::test]
async fn several_are_admitted_together_or_not_at_all() {
    let options = QueueOptions { jobs_max: 3, ..QueueOptions::default() };
    let queue = Queue::new(&crew(), "together", options, all);
    let held = queue.try_admit().unwrap();
    assert!(queue.try_admit_many(3).is_none());
    let two = queue.try_admit_many(2).unwrap();
    assert_eq!((two.len(), queue.try_admit().is_none()), (2, true));
    let waits = std::pin::pin!(queue.wait_for_room(100));
    let mut waits = waits;
    let mut poll = async || {
        let poll = |cx: &mut std::task::Context<'_>| {
            std::task::Poll::Ready(waits.as_mut().poll(cx).is_ready())
        };
        std::future::poll_fn(poll).await
    };
    assert!(!poll().await);
    for (job, room) in (0..).zip(two) {
        assert_eq!(room.run(job).await, job);
    }
    assert!(!poll().await, "one is not back");
    drop(held);
    assert!(poll().await);
    assert_eq!(queue.try_admit_many(100).map(|rooms| rooms.len()), Some(3), "all that it holds");
}

#[tokio::test]
async fn a_panic_is_its_callers_and_the_thread_goes_on() {
    let queue = Queue::new(&crew(), "panics", QueueOptions::default(), |jobs: Vec<u32>| {
        assert!(!jobs.contains(&13), "no such number");
        all(jobs)
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
        all(jobs)
    });
    let first = tokio::spawn({
        let queue = queue.clone();
        async move { queue.admit().await.run(1).await }
    });
    let begun = async {
        while queue.spent().jobs == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), begun).await.expect("it begins");
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

#[tokio::test]
async fn a_neighbour_waits_for_one_job_that_spins_and_not_for_its_whole_turn() {
    const SPIN: Duration = Duration::from_millis(250);
    const HOLDS: u32 = 1000;
    let clocks = turn::Clocks { cpu: || TIME.get(), wall: || TIME.get() };
    let crew = Crew::start_with(1, clocks).unwrap();
    let (began, begins) = sync_channel::<Duration>(0);
    let (go, wait) = sync_channel::<()>(0);
    let (wait, ran) = (Mutex::new(wait), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&ran);
    let queue = Queue::new(&crew, "spins", QueueOptions::default(), move |jobs: Vec<u32>| {
        let one = |(index, job)| {
            if index > 0 && turn_is_over() {
                return Done::Not(job);
            }
            seen.lock().unwrap().push(job);
            if [HOLDS, HOLDS + 1].contains(&job) {
                began.send(TIME.get()).unwrap();
                wait.lock().unwrap().recv().unwrap();
            }
            pass(if job <= HOLDS { Duration::from_micros(10) } else { SPIN });
            Done::With(job)
        };
        jobs.into_iter().enumerate().map(one).collect()
    });
    let neighbour = Queue::new(&crew, "neighbour", QueueOptions::default(), |jobs: Vec<()>| {
        jobs.iter().map(|()| Done::With(TIME.get())).collect()
    });
    for job in 0..HOLDS {
        assert_eq!(queue.admit().await.run(job).await, job);
    }
    // While one holds the thread, a whole turn of jobs comes that spin; while the first of them does, the neighbour's.
    let later = |job| {
        let queue = queue.clone();
        tokio::spawn(async move { queue.admit().await.run(job).await })
    };
    let held = later(HOLDS);
    tokio::task::yield_now().await;
    begins.recv().unwrap();
    let spinning: Vec<_> = (HOLDS + 1..=HOLDS + 64).map(later).collect();
    tokio::task::yield_now().await;
    go.send(()).unwrap();
    let since = begins.recv().unwrap();
    let mut waits = Box::pin(neighbour.try_admit().unwrap().run(()));
    let poll = std::future::poll_fn(|cx| std::task::Poll::Ready(waits.as_mut().poll(cx)));
    assert!(poll.await.is_pending());
    go.send(()).unwrap();
    let waited = waits.await - since;
    assert!(waited <= SPIN + Duration::from_millis(5), "{waited:?}");
    assert_eq!(held.await.unwrap(), HOLDS);
    for (job, answer) in (HOLDS + 1..).zip(spinning) {
        assert_eq!(answer.await.unwrap(), job);
    }
    assert!(queue.spent().is_slow);
    let all: Vec<u32> = (0..=HOLDS + 64).collect();
    assert_eq!(*ran.lock().unwrap(), all, "each once, in order");
    assert_eq!(queue.spent().jobs, u64::from(HOLDS) + 65);
}
