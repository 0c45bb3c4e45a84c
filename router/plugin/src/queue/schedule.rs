//! Whose turn it is on a plugin thread, and how much of its work is taken at once: numbers only, no thread and no clock.
//!
//! # Invariants
//!
//! - Of the queues with work, the one goes first that has used the least CPU time. One that comes back from idle starts
//!   with the least of those that stayed: what it did not use is gone.
//! - A turn is expected to take no longer than [`SLICE`], whatever a job costs: nobody waits long for a thread. One that
//!   takes longer than [`OVERRUN`] all the same is over with the job that it is in, and the rest waits for its next turn.
//! - A queue whose jobs take long is served by the slow threads, one at a time, until they are short again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::turn::OVERRUN;

/// What a turn should take at most.
const SLICE: Duration = Duration::from_millis(5);
/// Jobs that take longer on average are long.
const LONG_FROM: Duration = Duration::from_millis(5);
/// Until they take no longer than this.
const LONG_UNTIL: Duration = Duration::from_millis(2);
/// Jobs of the first turn, which one thread serves: nothing is known of them, and each may spin.
const FIRST_JOBS: usize = 1;
/// The last turn's part of the average: one in so many.
const AVERAGED: u32 = 4;

/// Which threads serve a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Quick,
    Slow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct QueueId(u64);

/// A turn of a queue on a thread.
#[derive(Debug)]
pub(super) struct Turn {
    pub queue: QueueId,
    pub jobs: usize,
    /// What it was charged beforehand.
    expected: Duration,
}

#[derive(Debug)]
struct Entry {
    jobs_max: usize,
    turns_max: usize,
    waiting: usize,
    /// Turns under way.
    serving: usize,
    /// CPU time used, as far as it counts for the order.
    used: Duration,
    /// What a job takes; none before the first.
    average: Option<Duration>,
    kind: Kind,
}

/// Whether a queue changed its threads with a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    None,
    NowSlow,
    NowQuick,
}

#[derive(Debug, Default)]
pub(super) struct Schedule {
    entries: BTreeMap<QueueId, Entry>,
    next: u64,
    /// The queues that may be served, by what they used.
    quick: Line,
    slow: Line,
}

#[derive(Debug, Default)]
struct Line {
    queues: BTreeSet<(Duration, QueueId)>,
    /// What the one used that was served last: nobody starts below.
    floor: Duration,
}

impl Entry {
    fn is_runnable(&self) -> bool {
        let is_known = self.average.is_some();
        let turns_max = if self.kind == Kind::Quick && is_known { self.turns_max } else { 1 };
        0 < self.waiting && self.serving < turns_max
    }

    fn jobs_of_turn(&self) -> usize {
        let fitting = match self.average {
            None => FIRST_JOBS,
            Some(average) => {
                let fitting = SLICE.as_nanos() / average.as_nanos().max(1);
                usize::try_from(fitting).unwrap_or(usize::MAX)
            }
        };
        fitting.clamp(1, self.jobs_max).min(self.waiting)
    }

    fn learn(&mut self, jobs: usize, cpu: Duration) {
        let jobs = u32::try_from(jobs).unwrap_or(u32::MAX).max(1);
        let sample = cpu / jobs;
        let average = self.average.unwrap_or(sample);
        let average = average - average / AVERAGED + sample / AVERAGED;
        // A job in it overran: it counts as if all of it were that one's.
        self.average = Some(if cpu > OVERRUN { average.max(cpu) } else { average });
    }
}

impl Schedule {
    /// A queue of which a turn takes so many jobs at most, and so many threads serve at once.
    pub(super) fn add(&mut self, (jobs_max, turns_max): (usize, usize)) -> QueueId {
        let id = QueueId(self.next);
        self.next += 1;
        let entry = Entry {
            jobs_max: jobs_max.max(1),
            turns_max: turns_max.max(1),
            waiting: 0,
            serving: 0,
            used: self.quick.floor,
            average: None,
            kind: Kind::Quick,
        };
        self.entries.insert(id, entry);
        id
    }

    pub(super) fn remove(&mut self, id: QueueId) {
        self.step_out(id);
        self.entries.remove(&id);
    }

    /// A job has come. Which threads may have something to do now.
    pub(super) fn push(&mut self, id: QueueId) -> Option<Kind> {
        self.step_out(id);
        let entry = self.entries.get_mut(&id)?;
        if entry.waiting == 0 && entry.serving == 0 {
            let floor = match entry.kind {
                Kind::Quick => self.quick.floor,
                Kind::Slow => self.slow.floor,
            };
            entry.used = entry.used.max(floor);
        }
        entry.waiting += 1;
        self.step_in(id)
    }

    /// The next turn on a thread of this kind.
    pub(super) fn pick(&mut self, kind: Kind) -> Option<Turn> {
        let line = self.line(kind);
        let (used, id) = line.queues.pop_first()?;
        line.floor = line.floor.max(used);
        let entry = self.entries.get_mut(&id)?;
        let jobs = entry.jobs_of_turn();
        let count = u32::try_from(jobs).unwrap_or(u32::MAX);
        let expected = entry.average.unwrap_or_default().saturating_mul(count);
        entry.waiting -= jobs;
        entry.serving += 1;
        entry.used += expected;
        self.step_in(id);
        Some(Turn { queue: id, jobs, expected })
    }

    /// A turn has ended, and took this long; so many of its jobs are left, and wait again.
    pub(super) fn served(&mut self, turn: &Turn, left: usize, cpu: Duration) -> News {
        let id = turn.queue;
        self.step_out(id);
        let floors = (self.quick.floor, self.slow.floor);
        let Some(entry) = self.entries.get_mut(&id) else { return News::None };
        entry.serving -= 1;
        entry.waiting += left;
        entry.used = (entry.used + cpu).saturating_sub(turn.expected);
        entry.learn(turn.jobs.saturating_sub(left), cpu);
        let average = entry.average.unwrap_or_default();
        let news = match entry.kind {
            Kind::Quick if LONG_FROM < average => {
                (entry.kind, entry.used) = (Kind::Slow, floors.1);
                News::NowSlow
            }
            Kind::Slow if average <= LONG_UNTIL => {
                (entry.kind, entry.used) = (Kind::Quick, floors.0);
                News::NowQuick
            }
            Kind::Quick | Kind::Slow => News::None,
        };
        self.step_in(id);
        news
    }

    /// Whether a thread of this kind has something to do.
    pub(super) fn has_turn(&self, kind: Kind) -> bool {
        match kind {
            Kind::Quick => !self.quick.queues.is_empty(),
            Kind::Slow => !self.slow.queues.is_empty(),
        }
    }

    fn line(&mut self, kind: Kind) -> &mut Line {
        match kind {
            Kind::Quick => &mut self.quick,
            Kind::Slow => &mut self.slow,
        }
    }

    fn step_out(&mut self, id: QueueId) {
        let Some((kind, used)) = self.entries.get(&id).map(|entry| (entry.kind, entry.used)) else {
            return;
        };
        self.line(kind).queues.remove(&(used, id));
    }

    fn step_in(&mut self, id: QueueId) -> Option<Kind> {
        let entry = self.entries.get(&id).filter(|entry| entry.is_runnable())?;
        let (kind, used) = (entry.kind, entry.used);
        self.line(kind).queues.insert((used, id));
        Some(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);
    const MICRO: Duration = Duration::from_micros(1);

    /// Serves turns one after the other until they have taken `span`; `cost` is what a job of a queue takes.
    fn serve(
        schedule: &mut Schedule,
        kind: Kind,
        span: Duration,
        cost: impl Fn(QueueId) -> Duration,
    ) -> BTreeMap<QueueId, usize> {
        let (mut done, mut time) = (BTreeMap::new(), Duration::ZERO);
        while time < span {
            let Some(turn) = schedule.pick(kind) else { break };
            let took = cost(turn.queue) * u32::try_from(turn.jobs).unwrap();
            schedule.served(&turn, 0, took);
            *done.entry(turn.queue).or_insert(0) += turn.jobs;
            time += took;
        }
        done
    }

    fn fill(schedule: &mut Schedule, id: QueueId, jobs: usize) {
        for _ in 0..jobs {
            schedule.push(id);
        }
    }

    #[test]
    fn queues_share_the_time_and_not_the_turns() {
        let mut schedule = Schedule::default();
        let (cheap, dear) = (schedule.add((64, 2)), schedule.add((64, 2)));
        fill(&mut schedule, cheap, 100_000);
        fill(&mut schedule, dear, 100_000);
        let cost = |id| if id == cheap { 10 * MICRO } else { MILLI };
        let done = serve(&mut schedule, Kind::Quick, 1000 * MILLI, cost);
        assert!((45_000..55_000).contains(&done[&cheap]), "{done:?}");
        assert!((450..550).contains(&done[&dear]), "{done:?}");
    }

    #[test]
    fn who_was_idle_has_saved_nothing() {
        let mut schedule = Schedule::default();
        let (busy, idle) = (schedule.add((64, 2)), schedule.add((64, 2)));
        fill(&mut schedule, busy, 1_000_000);
        serve(&mut schedule, Kind::Quick, 1000 * MILLI, |_| 100 * MICRO);
        fill(&mut schedule, idle, 1_000_000);
        let done = serve(&mut schedule, Kind::Quick, 1000 * MILLI, |_| 100 * MICRO);
        assert!(4_000 < done[&busy], "it is not kept out until the other has caught up: {done:?}");
    }

    #[test]
    fn two_threads_serve_one_queue_unless_its_jobs_are_long() {
        let mut schedule = Schedule::default();
        let id = schedule.add((4, 2));
        fill(&mut schedule, id, 100);
        let first = schedule.pick(Kind::Quick).unwrap();
        assert!(first.jobs == 1 && schedule.pick(Kind::Quick).is_none(), "nothing is known of it");
        schedule.served(&first, 0, 100 * MICRO);
        let both = [schedule.pick(Kind::Quick).unwrap(), schedule.pick(Kind::Quick).unwrap()];
        assert_eq!(both.each_ref().map(|turn| turn.jobs), [4, 4]);
        assert_eq!(schedule.served(&both[0], 0, 400 * MILLI), News::NowSlow);
        assert!(schedule.pick(Kind::Quick).is_none() && !schedule.has_turn(Kind::Slow));
        assert_eq!(schedule.served(&both[1], 0, 400 * MILLI), News::None);
        let alone = schedule.pick(Kind::Slow).unwrap();
        assert_eq!(alone.jobs, 1, "no more at once than fits a slice");
        assert!(schedule.pick(Kind::Slow).is_none());
        schedule.served(&alone, 0, 400 * MILLI);
        // It takes a while of short ones until it counts as short again.
        let mut turns = 0;
        loop {
            let turn = schedule.pick(Kind::Slow).unwrap();
            turns += 1;
            if schedule.served(&turn, 0, 100 * MICRO) == News::NowQuick {
                break;
            }
        }
        assert!((10..40).contains(&turns), "{turns}");
        assert!(schedule.has_turn(Kind::Quick));
    }

    #[test]
    fn one_job_that_overruns_makes_its_queue_slow_whatever_the_others_of_its_turn_took() {
        let mut schedule = Schedule::default();
        let id = schedule.add((64, 2));
        fill(&mut schedule, id, 1000);
        serve(&mut schedule, Kind::Quick, MILLI, |_| 10 * MICRO);
        let turn = schedule.pick(Kind::Quick).unwrap();
        assert_eq!(turn.jobs, 64);
        assert_eq!(schedule.served(&turn, 0, 250 * MILLI), News::NowSlow);
    }

    #[test]
    fn what_a_turn_has_left_waits_again_on_a_slow_thread() {
        let mut schedule = Schedule::default();
        let id = schedule.add((64, 2));
        fill(&mut schedule, id, 1064);
        serve(&mut schedule, Kind::Quick, 10 * MILLI, |_| 10 * MICRO);
        let turn = schedule.pick(Kind::Quick).unwrap();
        let others = schedule.entries[&id].waiting;
        assert_eq!(schedule.served(&turn, turn.jobs - 1, 250 * MILLI), News::NowSlow);
        assert!(!schedule.has_turn(Kind::Quick));
        let mut jobs = 0;
        while let Some(turn) = schedule.pick(Kind::Slow) {
            jobs += turn.jobs;
            schedule.served(&turn, 0, 250 * MILLI);
        }
        assert_eq!(jobs, others + turn.jobs - 1);
    }

    #[test]
    fn a_queue_that_goes_takes_its_turns_along() {
        let mut schedule = Schedule::default();
        let id = schedule.add((64, 2));
        fill(&mut schedule, id, 3);
        let turn = schedule.pick(Kind::Quick).unwrap();
        fill(&mut schedule, id, 3);
        schedule.remove(id);
        assert!(schedule.pick(Kind::Quick).is_none());
        assert_eq!(schedule.served(&turn, 0, MILLI), News::None);
        assert_eq!(schedule.push(id), None);
    }
}
