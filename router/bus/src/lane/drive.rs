//! The driver: one task that serves all lanes, and starts what may start.
//!
//! ```text
//! offer, end of a work, command, due time ─▶ ready ─▶ driver ─▶ works, reads (a task each, bounded)
//! ```
//!
//! # Invariants
//!
//! - A lane with nothing to do has no task and no timer: ten thousand of them cost memory only.
//! - The driver waits for no lane: what takes time is a task of its own.
//! - Of one lane's works a few are started at a time; then it is the next lane's turn.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;

use super::read::{self, Read};
use super::{Finished, Lane, Now, Part, Work};
use crate::attempt;
use crate::batch;
use crate::core::Core;
use crate::routes::Route;

/// Due times are read off a clock that may be set: never wait longer on one reading of it.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// The dispatcher is about to pass the place where a lane waits to read on.
const EARLY_AGAIN_AFTER: Duration = Duration::from_millis(5);
/// After a place in the journal that cannot be read.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Works that one lane starts before the next lane has its turn.
const TURN_WORKS: usize = 8;
/// Lanes served before other tasks of this thread have their turn.
const TURN_LANES: usize = 64;
/// Lanes that read the journal at the same time.
const READS_MAX: usize = 4;

struct Driver {
    core: Arc<Core>,
    works: JoinSet<()>,
    reads: JoinSet<(Arc<Lane>, Read)>,
    /// Each waits for the plugins of a lane to have room.
    rooms: JoinSet<()>,
    /// Lanes that want to read, and wait for one that does.
    readers: VecDeque<Arc<Lane>>,
    timers: Timers,
}

/// Runs until the router stops; what is under way is finished.
pub(crate) async fn run(core: Arc<Core>) {
    let mut driver = Driver {
        core: Arc::clone(&core),
        works: JoinSet::new(),
        reads: JoinSet::new(),
        rooms: JoinSet::new(),
        readers: VecDeque::new(),
        timers: Timers::default(),
    };
    while !core.stop.is_cancelled() {
        while let Some(ended) = driver.works.try_join_next() {
            ended.expect("an attempt does not panic and is not aborted");
        }
        if !core.state_is_well() {
            // While outcomes cannot be written down, making more of them would only make repetitions.
            tokio::select! {
                biased;
                () = core.stop.cancelled() => (),
                () = tokio::time::sleep(core.options.flush_every) => (),
            }
            continue;
        }
        driver.turn().await;
        let nap = driver.timers.next().map_or(WAIT_MAX, |at| at.saturating_sub(driver.steady()));
        tokio::select! {
            biased;
            () = core.stop.cancelled() => (),
            Some(found) = driver.rooms.join_next() => found.expect("waiting does not panic"),
            Some(read) = driver.reads.join_next() => {
                let (lane, read) = read.expect("reading does not panic");
                driver.has_read(lane, read);
            }
            () = core.ready.wait() => (),
            () = tokio::time::sleep(nap) => (),
        }
    }
    while let Some(ended) = driver.works.join_next().await {
        ended.expect("an attempt does not panic and is not aborted");
    }
}

impl Driver {
    fn steady(&self) -> Duration {
        self.core.clock.monotonic()
    }

    async fn turn(&mut self) {
        self.timers.ring(self.steady());
        for served in 1..=TURN_LANES {
            let Some(lane) = self.core.ready.pop() else { return };
            lane.is_ready.store(false, Ordering::Release);
            self.serve(&lane);
            if served == TURN_LANES {
                self.core.ready.again();
                tokio::task::yield_now().await;
            }
        }
    }

    fn serve(&mut self, lane: &Arc<Lane>) {
        let now = self.core.now();
        for _ in 0..TURN_WORKS {
            let (work, route) = {
                let mut inner = lane.lock();
                if !self.core.ready.has_room(inner.running()) {
                    drop(inner);
                    self.core.ready.crowd(Arc::clone(lane));
                    return;
                }
                let Some(work) = inner.next(now) else {
                    drop(inner);
                    return self.rest(lane, now);
                };
                (work, Arc::clone(&inner.route))
            };
            self.core.ready.began();
            self.works.spawn(carry_out(Arc::clone(&self.core), Arc::clone(lane), route, work));
        }
        lane.wake(); // There may be more, after the others.
    }

    /// Nothing may start: perhaps there is something to read, or a time to wait for.
    fn rest(&mut self, lane: &Arc<Lane>, now: Now) {
        let (wait, ends_now) = {
            let mut inner = lane.lock();
            (inner.wake_in(now), inner.ends_now())
        };
        if ends_now {
            self.core.lane_over.notify_one();
        }
        self.timers.set(lane, wait.map(|wait| now.steady + wait.min(WAIT_MAX)));
        self.core.ready.pass_on();
        self.wait_for_room(lane);
        self.read(lane);
    }

    /// Has a lane looked at again when its plugins have room for what it is to take.
    fn wait_for_room(&mut self, lane: &Arc<Lane>) {
        let full = lane.lock().full.take();
        let Some((route, events)) = full else { return };
        let Some(making) = route.making.clone() else { return };
        if lane.waits_for_room.swap(true, Ordering::AcqRel) {
            return;
        }
        let lane = Arc::clone(lane);
        self.rooms.spawn(async move {
            making.wait_for_room(events).await;
            lane.waits_for_room.store(false, Ordering::Release);
            lane.wake();
        });
    }

    fn read(&mut self, lane: &Arc<Lane>) {
        if !lane.lock().wants_reading() {
            return;
        }
        lane.lock().begin_reading();
        if self.reads.len() < READS_MAX {
            self.start_reading(Arc::clone(lane));
        } else {
            self.readers.push_back(Arc::clone(lane));
        }
    }

    fn start_reading(&mut self, lane: Arc<Lane>) {
        let core = Arc::clone(&self.core);
        self.reads.spawn(async move {
            let read = read::read(&core, &lane).await;
            (lane, read)
        });
    }

    fn has_read(&mut self, lane: Arc<Lane>, read: Read) {
        match read {
            Read::Done => {
                lane.lock().end_reading();
                lane.wake();
            }
            // It counts as reading until then.
            Read::Early => self.timers.set_reading(lane, self.steady() + EARLY_AGAIN_AFTER),
            Read::Failed => self.timers.set_reading(lane, self.steady() + READ_AGAIN_AFTER),
        }
        if let Some(next) = self.readers.pop_front() {
            self.start_reading(next);
        }
    }
}

/// When to look at which lane again.
#[derive(Default)]
struct Timers {
    wakes: BTreeMap<(Duration, u64), Arc<Lane>>,
    /// The one time of each lane that is in `wakes`.
    times: HashMap<u64, Duration>,
    /// Lanes that may try to read again.
    reads: BTreeMap<(Duration, u64), Arc<Lane>>,
}

impl Timers {
    fn next(&self) -> Option<Duration> {
        let wakes = self.wakes.first_key_value().map(|((at, _), _)| *at);
        let reads = self.reads.first_key_value().map(|((at, _), _)| *at);
        wakes.into_iter().chain(reads).min()
    }

    fn set(&mut self, lane: &Arc<Lane>, at: Option<Duration>) {
        let number = lane.number;
        if let Some(before) = self.times.remove(&number) {
            self.wakes.remove(&(before, number));
        }
        if let Some(at) = at {
            self.times.insert(number, at);
            self.wakes.insert((at, number), Arc::clone(lane));
        }
    }

    fn set_reading(&mut self, lane: Arc<Lane>, at: Duration) {
        self.reads.insert((at, lane.number), lane);
    }

    /// Wakes every lane whose time has come.
    fn ring(&mut self, now: Duration) {
        while let Some(first) = self.wakes.first_entry().filter(|first| first.key().0 <= now) {
            let lane = first.remove();
            self.times.remove(&lane.number);
            lane.wake();
        }
        while let Some(first) = self.reads.first_entry().filter(|first| first.key().0 <= now) {
            let lane = first.remove();
            lane.lock().end_reading();
            lane.wake();
        }
    }
}

async fn carry_out(core: Arc<Core>, lane: Arc<Lane>, route: Arc<Route>, work: Work) {
    let key = &lane.key;
    let parts = match work {
        Work::Event(owed, room) => {
            let offset = owed.offset;
            let outcome = attempt::event(&core, &lane, owed, room).await;
            outcome.map(|outcome| (Part::Event(offset), outcome)).into_iter().collect()
        }
        Work::Batch(events) => {
            let outcomes = batch::events(&core, &lane, events).await.into_iter();
            outcomes.map(|(offset, outcome)| (Part::Event(offset), outcome)).collect()
        }
        Work::Retry(retry) => {
            let place = retry.place.clone();
            let outcome = attempt::retry(&core, &lane, &route, retry).await;
            outcome.map(|outcome| (Part::Retry(place), outcome)).into_iter().collect()
        }
        Work::Bury(retry) => {
            let place = retry.place.clone();
            vec![(Part::Retry(place), attempt::bury(&core, key, &route, retry).await)]
        }
    };
    let now = core.now();
    lane.lock().finish(Finished { parts }, now);
    core.ready.ended();
    lane.wake();
}
