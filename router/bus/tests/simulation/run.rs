//! One seed, from the first start to the end, when the weather has cleared and nothing is owed.

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use slipswitch_bus::{
    BusOptions, Clock, Deduplication, Durability, Options, Retention, Router, SubscriptionStatus,
    plugin,
};
use tokio::task::JoinSet;

use crate::director;
use crate::fates;
use crate::journal::Watch;
use crate::letters;
use crate::model::Version;
use crate::producers;
use crate::random::Random;
use crate::replays;
use crate::rules::{self, Generation};
use crate::stops;
use crate::weak::WEAK;
use crate::world::{Around, Setting, Sim};

/// What became of a run.
pub(crate) struct Run {
    pub(crate) violations: Vec<String>,
    pub(crate) trace: Vec<String>,
    pub(crate) events: usize,
}

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Killed,
    PowerLost,
    Stopped,
}

/// Longer than anything may take once the weather is clear, in simulated time.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
const LIVES: u64 = 5;

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

pub(crate) fn run(seed: u64, setting: Setting) -> Run {
    watch_panics();
    let sim = Sim::new(seed, setting);
    let around = Arc::new(Around(Arc::clone(&sim)));
    let lives = 1 + sim.draw(LIVES);
    let mut rules = rules::draw(&mut sim.lock().random, None);
    sim.lock().model.is_log_whole = true;
    let window = if sim.chance(70) { 300_000 } else { 1 + sim.draw(20_000) };
    sim.lock().model.keys.window = Duration::from_millis(window);
    let interval = sim.chance(40).then(|| Duration::from_millis(sim.draw(500)));
    sim.lock().model.weak.interval = interval;
    for life in 1..=lives {
        sim.lock().model.lives = usize::try_from(life).expect("lives are few");
        rules = live(&around, rules, life == lives);
        around.look(life == lives);
        if !sim.lock().model.violations.is_empty() {
            break;
        }
    }
    let mut state = sim.lock();
    let violations = std::mem::take(&mut state.model.violations);
    let trace = std::mem::take(&mut state.trace);
    Run { violations, trace, events: state.model.acknowledged.len() }
}

/// A panic of a task that nobody awaits any more is one all the same.
fn watch_panics() {
    static HOOK: OnceLock<()> = OnceLock::new();
    HOOK.get_or_init(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANIC.with(|panic| *panic.borrow_mut() = Some(info.to_string()));
            before(info);
        }));
    });
    PANIC.with(|panic| *panic.borrow_mut() = None);
}

/// One process, from its start to its end; returns the rules that are on disk then.
fn live(around: &Arc<Around>, rules: Generation, is_last: bool) -> Generation {
    let sim = &around.0;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let rules = Arc::new(std::sync::Mutex::new(rules));
    runtime.block_on(async {
        sim.begin();
        let end = tokio::select! {
            biased;
            () = sim.over() => if sim.chance(50) { End::Killed } else { End::PowerLost },
            () = struck(sim, is_last) => if sim.chance(50) { End::Killed } else { End::PowerLost },
            () = act(around, &rules, is_last) => End::Stopped,
        };
        sim.note(|| format!("end of the process: {end:?}"));
        // After a stop, too, the power may be lost.
        let loses_power = end == End::PowerLost || sim.chance(30);
        let at = sim.monotonic();
        sim.lock().model.weak.end = Some((at, end == End::Stopped));
        if loses_power || end != End::Stopped {
            sim.lock().model.is_log_whole = false;
        }
        sim.end(loses_power);
    });
    drop(runtime);
    sim.lock().orphans_arrive();
    if let Some(panic) = PANIC.with(|panic| panic.borrow_mut().take()) {
        sim.lock().model.wrong(format!("a panic: {panic}"));
    }
    Arc::into_inner(rules)
        .and_then(|rules| rules.into_inner().ok())
        .expect("nobody has it any more")
}

/// A process may end at any time, also while it does nothing.
async fn struck(sim: &Sim, is_last: bool) {
    if is_last || !sim.chance(35) {
        std::future::pending::<()>().await;
    }
    let within = if sim.chance(50) { 1500 } else { 6000 };
    sim.sleep(within).await;
}

fn options(sim: &Sim) -> Options {
    let mut state = sim.lock();
    let (window, interval) = (state.model.keys.window, state.model.weak.interval);
    let random = &mut state.random;
    let small = |random: &mut Random, most| 1 + random.index(most);
    Options {
        buses: rules::BUSES.map(str::to_owned).to_vec(),
        limits: event::Limits { event_bytes_max: 1500, ..event::Limits::default() },
        segment_bytes: 16 << 10,
        concurrency: small(random, 6),
        lane_events_max: small(random, 8),
        postponed_max: small(random, 12),
        bus_options: rules::BUSES
            .map(|bus| {
                let interval = interval.filter(|_| bus == WEAK);
                (bus.to_owned(), bus_options(random, interval))
            })
            .into(),
        seal_after: Duration::from_millis(200 + random.below(3000)),
        expire_every: Duration::from_millis(500 + random.below(3000)),
        deduplication: Deduplication { window, ..Deduplication::default() },
        window_max: 1 + random.below(30),
        flush_every: Duration::from_millis(1 + random.below(200)),
        ..Options::new("simulated")
    }
}

fn bus_options(random: &mut Random, interval: Option<Duration>) -> BusOptions {
    let retention = Retention {
        age: random.chance(40).then(|| Duration::from_millis(random.below(5000))),
        bytes: random.chance(30).then(|| random.below(10_000)),
    };
    let durability = interval.map_or(Durability::Synced, Durability::Interval);
    BusOptions { retention, durability }
}

fn host() -> plugin::Host {
    static HOST: OnceLock<plugin::Host> = OnceLock::new();
    HOST.get_or_init(|| plugin::Host::new(plugin::Options::default()).expect("a host")).clone()
}

async fn act(around: &Arc<Around>, rules: &std::sync::Mutex<Generation>, is_last: bool) {
    let sim = &around.0;
    begin(sim, rules, is_last);
    let loaded = {
        let generation = rules.lock().expect("nothing panics with it");
        rules::load(&generation)
    };
    let clock: Arc<dyn Clock> = Arc::clone(sim) as _;
    let world = Arc::clone(around);
    let opened = Router::open_in(world, options(sim), clock, loaded, host()).await;
    let router = match opened {
        Ok(router) => router,
        Err(error) => {
            let may_fail = 0 < sim.lock().transactions_fail;
            sim.note(|| format!("the router does not open: {error}"));
            if !may_fail {
                sim.lock().model.wrong(format!("the router does not open: {error}"));
            }
            return;
        }
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(commit(Arc::clone(sim), router.clone()));
    let mut producing = JoinSet::new();
    for producer in 0..1 + sim.draw(3) {
        producing.spawn(producers::produce(Arc::clone(sim), router.clone(), producer));
    }
    director::direct(sim, &router, rules, is_last).await;
    while producing.join_next().await.is_some() {}
    if is_last {
        director::clear(sim);
        replays::resume_all(sim, &router).await;
        stops::end_all(sim, &router).await;
        if sim.chance(50) {
            letters::redrive_all(sim, &router).await;
        }
        settle(sim, &router).await;
        if router.status().delivery_log.lost != 0 {
            sim.lock().model.is_log_whole = false;
        }
        router.written().await;
        fates::ask(around, &router).await;
    }
    let drain = if is_last { PATIENCE } else { Duration::from_millis(sim.draw(3000)) };
    let drained = router.shutdown(drain).await;
    if router.status().delivery_log.lost != 0 || drained.in_flight_left != 0 {
        sim.lock().model.is_log_whole = false;
    }
    sim.note(|| format!("stopped: {drained:?}"));
}

/// The rules on disk are those of the first moment; how long it lives is drawn.
fn begin(sim: &Sim, rules: &std::sync::Mutex<Generation>, is_last: bool) {
    let mut state = sim.lock();
    if !is_last && state.random.chance(60) {
        state.steps_left = Some(state.random.below(400));
    }
    let mut rules = rules.lock().expect("nothing panics with it");
    if state.random.chance(25) {
        *rules = rules::draw(&mut state.random, Some(&rules));
    }
    let opened_at = state.model.opened_at;
    let version =
        Version { from: opened_at, surely: Some(opened_at), is_first: true, rules: rules.clone() };
    state.note(|| format!("start with {:?}", version.rules));
    let first_of = state.model.first_of.clone();
    state.model.life_from = state.model.versions.len();
    state.model.note_early(&rules, |bus| first_of.get(bus).copied().unwrap_or(0));
    state.model.forget_paused(&rules);
    state.model.versions.push(version);
    state.model.history.push(rules.clone());
    for replay in state.model.replays.values_mut() {
        replay.versions.push(rules.clone());
    }
}

/// What the journal's threads would do.
async fn commit(sim: Arc<Sim>, router: Router) {
    let mut watch = Watch::new(&sim, &router);
    loop {
        if sim.is_last_step() {
            let inside = sim.draw(6);
            sim.faults(|faults| faults.power_after = Some(inside));
            router.journal().turn();
            watch.look(&sim);
            sim.note(|| "the process ends in a commit".to_owned());
            sim.die();
            std::future::pending::<()>().await;
        }
        if !router.journal().turn() {
            sim.not_a_step();
        }
        watch.look(&sim);
        // Time goes in large steps when hardly anything happens any more.
        let pause = if sim.lock().is_clear { 40 } else { 6 };
        sim.sleep(pause).await;
    }
}

/// Waits until nothing is owed.
async fn settle(sim: &Sim, router: &Router) {
    let settled = async {
        loop {
            let status = router.status();
            let end = status.journal.next_offset;
            // What had no rule at the start keeps its place, wherever that is.
            let is_there = |one: &&SubscriptionStatus| one.removed.is_none() || one.draining;
            let mut present = status.subscriptions.iter().filter(is_there);
            let is_done = present.all(|one| {
                one.settled == end
                    && !one.draining
                    && one.postponed == 0
                    && one.in_flight == 0
                    && one.replay.is_none()
            });
            let is_synced = status.journal.unsynced == 0 || status.journal.stopped.is_some();
            let has_all = is_done && is_synced && status.dispatched == end;
            if has_all && !letters::has_queued(router).await {
                return;
            }
            // An answer that was on its way may have disabled its target.
            stops::end_all(sim, router).await;
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, settled).await.is_err() {
        let status = router.status();
        sim.lock().model.wrong(format!("it does not come to rest: {status:#?}"));
    }
}
