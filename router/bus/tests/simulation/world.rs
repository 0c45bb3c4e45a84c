//! The world of one seed: time, chance, the disk, the database, and what is known of it all.
//!
//! It outlives every router in it. All of it runs on one thread; its locks are there because a
//! router asks for what could be shared.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use delivery::{Delivery, Target};
use event::Timestamp;
use journal::{Faults, SimulatedDisk};
use ruleset::TargetKind;
use rusqlite::Connection;
use slipswitch_bus::simulation::World;
use slipswitch_bus::{Clock, Key, delivery, journal, ruleset};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::model::Model;
use crate::random::Random;
use crate::targets::{Mood, Simulated};

/// 2026-11-01, or so.
const EPOCH: i64 = 1_793_500_000_000;
const TRACE_LINES_MAX: usize = 20_000;

/// What a run is made of, beside its seed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Setting {
    /// Syncs of the disk do nothing and say that they did.
    pub(crate) sync_lies: bool,
}

pub(crate) struct Sim {
    disk: SimulatedDisk,
    database: Arc<Mutex<Connection>>,
    state: Mutex<State>,
    over: Notify,
}

pub(crate) struct State {
    pub(crate) random: Random,
    /// What the router draws from.
    given: Random,
    pub(crate) model: Model,
    pub(crate) trace: Vec<String>,
    started: Option<Instant>,
    /// The time at which this life began, and what the wall clock is off by.
    began: Duration,
    pub(crate) skew: i64,
    pub(crate) is_dead: bool,
    /// Steps on the disk and the database until the process ends in one of them.
    pub(crate) steps_left: Option<u64>,
    /// How many of a hundred transactions fail.
    pub(crate) transactions_fail: u64,
    pub(crate) moods: Vec<Mood>,
    /// Requests on their way whose sender has died.
    pub(crate) orphans: Vec<Delivery>,
    /// The weather has cleared: everything works.
    pub(crate) is_clear: bool,
}

impl Sim {
    pub(crate) fn new(seed: u64, setting: Setting) -> Arc<Self> {
        let disk = SimulatedDisk::new(seed);
        disk.faults(|faults| faults.sync_lies = setting.sync_lies);
        let database = Connection::open_in_memory().expect("memory is there");
        let state = State {
            random: Random::seeded(seed, 1),
            given: Random::seeded(seed, 2),
            model: Model::default(),
            trace: Vec::new(),
            started: None,
            began: Duration::ZERO,
            skew: 0,
            is_dead: false,
            steps_left: None,
            transactions_fail: 0,
            moods: Vec::new(),
            orphans: Vec::new(),
            is_clear: false,
        };
        Arc::new(Self {
            disk,
            database: Arc::new(Mutex::new(database)),
            state: Mutex::new(state),
            over: Notify::new(),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics with it")
    }

    pub(crate) fn note(&self, what: impl FnOnce() -> String) {
        self.lock().note(what);
    }

    /// A process begins.
    pub(crate) fn begin(&self) {
        let mut state = self.lock();
        state.started = Some(Instant::now());
        state.is_dead = false;
        state.steps_left = None;
        state.transactions_fail = 0;
        drop(state);
        // Nobody starts on a full disk: making room comes first.
        self.disk.faults(|faults| faults.capacity = None);
    }

    /// A process has ended; its runtime is about to be dropped.
    pub(crate) fn end(&self, loses_power: bool) {
        let mut state = self.lock();
        state.is_dead = true;
        state.began = state.elapsed();
        state.started = None;
        drop(state);
        if loses_power {
            self.disk.crash();
        } else {
            self.disk.kill();
        }
    }

    /// The process does nothing more from here on.
    pub(crate) fn die(&self) {
        let was_dead = std::mem::replace(&mut self.lock().is_dead, true);
        self.disk.faults(|faults| faults.power_after = Some(0));
        if !was_dead {
            self.over.notify_one(); // Once: the next life is another one's.
        }
    }

    /// Waits for the end of the process.
    pub(crate) async fn over(&self) {
        self.over.notified().await;
    }

    pub(crate) fn faults(&self, change: impl FnOnce(&mut Faults)) {
        self.disk.faults(change);
    }

    /// A step on disk or database begins. True when it is the last one, which may end halfway.
    pub(crate) fn is_last_step(&self) -> bool {
        match &mut self.lock().steps_left {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }

    /// There was nothing to do.
    pub(crate) fn not_a_step(&self) {
        if let Some(left) = &mut self.lock().steps_left {
            *left += 1;
        }
    }

    pub(crate) fn draw(&self, end: u64) -> u64 {
        self.lock().random.below(end)
    }

    pub(crate) fn chance(&self, percent: u64) -> bool {
        self.lock().random.chance(percent)
    }

    /// Asks the router for something, as a client that may hang up before the answer: None then.
    pub(crate) async fn ask<T>(&self, what: impl Future<Output = T>) -> Option<T> {
        if !self.chance(15) {
            return Some(what.await);
        }
        tokio::select! {
            biased;
            answer = what => Some(answer),
            () = self.sleep(30) => {
                self.note(|| "a client hangs up".to_owned());
                None
            }
        }
    }

    /// Sleeps for up to so many milliseconds.
    pub(crate) async fn sleep(&self, millis: u64) {
        let millis = self.draw(millis + 1);
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

impl State {
    pub(crate) fn elapsed(&self) -> Duration {
        let started = self.started.map_or(Duration::ZERO, |started| Instant::now() - started);
        self.began + started
    }

    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        if self.trace.len() < TRACE_LINES_MAX {
            let at = self.elapsed().as_millis();
            let life = self.model.life();
            self.trace.push(format!("{at:>7} ms, life {life}: {}", what()));
        }
    }
}

impl Clock for Sim {
    fn now(&self) -> Timestamp {
        let state = self.lock();
        let millis = i64::try_from(state.elapsed().as_millis()).expect("runs are short");
        Timestamp::from_millis(EPOCH + millis + state.skew)
    }

    fn monotonic(&self) -> Duration {
        self.lock().elapsed()
    }
}

/// The world as the router of one life sees it.
pub(crate) struct Around(pub(crate) Arc<Sim>);

impl World for Around {
    fn fill_random(&self, bytes: &mut [u8]) {
        let given = &mut self.0.lock().given;
        for byte in bytes {
            *byte = u8::try_from(given.below(256)).expect("it is below 256");
        }
    }

    fn pass(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            match self.0.draw(10) {
                0..=4 => (),
                5..=7 => {
                    for _ in 0..self.0.draw(4) {
                        tokio::task::yield_now().await;
                    }
                }
                _ => self.0.sleep(20).await,
            }
            if self.0.lock().is_dead {
                pending::<()>().await;
            }
        })
    }

    fn disk(&self) -> SimulatedDisk {
        self.0.disk.clone()
    }

    fn database(&self) -> Arc<Mutex<Connection>> {
        Arc::clone(&self.0.database)
    }

    fn transaction(&self) -> Result<(), String> {
        if self.0.is_last_step() {
            self.0.note(|| "the process ends in a transaction".to_owned());
            self.0.die();
        }
        let mut state = self.0.lock();
        let fails = state.transactions_fail;
        if state.is_dead {
            Err("the process is dead".to_owned())
        } else if 0 < fails && state.random.chance(fails) {
            state.note(|| "a transaction fails".to_owned());
            Err("the simulated database fails".to_owned())
        } else {
            Ok(())
        }
    }

    fn target(&self, key: &Key, kind: &TargetKind) -> Option<Arc<dyn Target>> {
        match kind {
            TargetKind::Http(http) => {
                Some(Arc::new(Simulated::new(Arc::clone(&self.0), key, http.timeout)))
            }
            TargetKind::Log(_) | TargetKind::Bus(_) => None,
        }
    }
}
