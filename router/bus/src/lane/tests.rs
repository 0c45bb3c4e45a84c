//! The lane against a model: whatever the order of dispatching, reading, finishing, writing down
//! and crashing, every matched event is handed out, and `settled` never claims too much.

mod probing;
mod versions;

use std::collections::{BTreeMap, BTreeSet};

use delivery::{DeliveryId, ErrorKind};
use event::{Limits, Stamp};
use proptest::prelude::*;

use super::*;
use crate::attempt::{End, Outcome, Retry};
use crate::state::{Dead, Made, Payload, Place};
use crate::testing;

const BOUNDS: Bounds = Bounds {
    queue_max: 4,
    queue_bytes_max: 1 << 20,
    postponed_max: 6,
    window_max: 1000,
    replaying: 1,
    concurrency: 1000,
};

#[derive(Debug, Clone)]
enum Step {
    /// The dispatcher looks at the next event.
    Dispatch,
    /// The own reader looks at up to so many.
    Read(u8),
    Next,
    /// Ends one of those under way: which, and how.
    Finish(u8, Fate),
    /// Time passes, so that what is postponed is due.
    Later,
    /// What moved is written down; or only what matters, as in most rounds.
    Write(Forced),
    /// Somebody pauses the target, or resumes it.
    Pause(bool),
    /// The process dies, and starts again from what was written down.
    Crash,
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Delivered,
    Dropped,
    Postponed,
    Dead,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fate = prop_oneof![
        Just(Fate::Delivered),
        Just(Fate::Dropped),
        Just(Fate::Postponed),
        Just(Fate::Dead)
    ];
    let step = prop_oneof![
        6 => Just(Step::Dispatch),
        2 => (1_u8..8).prop_map(Step::Read),
        6 => Just(Step::Next),
        6 => (any::<u8>(), fate).prop_map(|(which, fate)| Step::Finish(which, fate)),
        1 => Just(Step::Later),
        2 => Just(Step::Write(Forced::No)),
        1 => Just(Step::Write(Forced::Yes)),
        1 => any::<bool>().prop_map(Step::Pause),
        1 => Just(Step::Crash),
    ];
    proptest::collection::vec(step, 0..200)
}

struct Model {
    lane: Arc<Lane>,
    route: Arc<Route>,
    /// Which order each offset is part of.
    orders: Vec<Option<u64>>,
    /// Which offsets the rule matches.
    matched: Vec<bool>,
    dispatched: u64,
    now: i64,
    /// Under way: an event's first run, or the retry of one.
    running: Vec<(u64, Option<Retry>)>,
    handed_out: BTreeMap<u64, usize>,
    /// Ended for good, in memory.
    ended: BTreeSet<u64>,
    crashes: usize,
    /// What the disk holds.
    stored: Subscription,
    rows: Vec<Postponed>,
    ended_on_disk: BTreeSet<u64>,
}

impl Model {
    fn new(matched: Vec<bool>) -> Self {
        Self::on(testing::route(), matched)
    }

    fn on(route: Arc<Route>, matched: Vec<bool>) -> Self {
        let stored = Subscription::new(Key::live("default", "rule", "target"), Offset::new(0));
        Self {
            lane: open(&stored, (&[], &route), 0),
            orders: (0_u64..)
                .zip(&matched)
                .map(|(offset, _)| route.order_of(&owed(offset, &route).event))
                .collect(),
            route,
            matched,
            dispatched: 0,
            now: 0,
            running: Vec::new(),
            handed_out: BTreeMap::new(),
            ended: BTreeSet::new(),
            crashes: 0,
            stored,
            rows: Vec::new(),
            ended_on_disk: BTreeSet::new(),
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Dispatch => self.dispatch(),
            Step::Read(count) => self.read(u64::from(*count)),
            Step::Next => self.next(),
            Step::Finish(which, fate) => self.finish(usize::from(*which), *fate),
            Step::Later => self.now += 1000,
            Step::Write(forced) => self.write(*forced),
            Step::Pause(is_paused) => self.pause(*is_paused),
            Step::Crash => self.crash(),
        }
    }

    fn end(&self) -> u64 {
        u64::try_from(self.matched.len()).unwrap()
    }

    fn is_matched(&self, offset: u64) -> bool {
        self.matched[usize::try_from(offset).unwrap()]
    }

    fn dispatch(&mut self) {
        if self.dispatched < self.end() {
            if self.is_matched(self.dispatched) {
                self.lane
                    .offer(|| owed(self.dispatched, &self.route), Offset::new(self.dispatched));
            }
            self.dispatched += 1;
        }
    }

    fn read(&mut self, count: u64) {
        let Some(from) = self.lane.lock().reads_from() else { return };
        let to = (from.get() + count).min(self.dispatched);
        let found = (from.get()..to)
            .filter(|offset| self.is_matched(*offset))
            .map(|offset| owed(offset, &self.route))
            .collect();
        self.lane.lock().caught_up(found, (from, Offset::new(to)));
    }

    fn clock(&self) -> Now {
        let millis = u64::try_from(self.now).unwrap();
        Now { wall: Timestamp::from_millis(self.now), steady: Duration::from_millis(millis) }
    }

    fn next(&mut self) {
        let work = self.lane.lock().next(self.clock());
        match work {
            Some(Work::Event(owed, _)) => {
                self.check_order(owed.offset.get());
                *self.handed_out.entry(owed.offset.get()).or_default() += 1;
                self.running.push((owed.offset.get(), None));
            }
            Some(Work::Batch(_)) => panic!("this rule has no batches"),
            Some(Work::Retry(retry) | Work::Bury(retry)) => {
                self.check_order(retry.place.offset);
                self.running.push((retry.place.offset, Some(retry)));
            }
            None => (),
        }
    }

    fn order_of(&self, offset: u64) -> Option<u64> {
        self.orders[usize::try_from(offset).unwrap()]
    }

    /// What starts now is the first of its order that is still owed, and nothing else of it runs.
    fn check_order(&self, offset: u64) {
        let Some(order) = self.order_of(offset) else { return };
        let is_of_it = |other: &u64| self.order_of(*other) == Some(order);
        for earlier in (0..offset).filter(is_of_it).filter(|other| self.is_matched(*other)) {
            assert!(self.ended.contains(&earlier), "{offset} starts before {earlier} has ended");
        }
        assert!(
            !self.running.iter().any(|(running, _)| is_of_it(running)),
            "{offset} beside another"
        );
    }

    fn finish(&mut self, which: usize, fate: Fate) {
        if self.running.is_empty() {
            return;
        }
        let (offset, retry) = self.running.remove(which % self.running.len());
        let before = retry.as_ref().map(|retry| match &retry.row {
            Some(row) => row.as_ref().clone(),
            None => {
                let row = self.rows.iter().find(|row| Place::of(&row.id) == retry.place);
                row.expect("what is not in memory is on disk").clone()
            }
        });
        let order = self.order_of(offset);
        let mut row = Postponed { order, ..postponed(offset, 1, self.now + 500) };
        if let Some(before) = before {
            row = Postponed { attempts: before.attempts + 1, made: before.made, ..row };
            if retry.as_ref().is_some_and(|retry| retry.row.is_none()) {
                row.made = Made::OnDisk;
            }
        }
        let ends = match fate {
            Fate::Delivered => vec![End::Delivered],
            Fate::Dropped => vec![],
            Fate::Postponed => vec![End::Postponed(row)],
            Fate::Dead => {
                vec![End::Dead(Dead {
                    last: row,
                    died_at: Timestamp::from_millis(self.now),
                    kind: ErrorKind::Refused,
                    rules: None,
                })]
            }
        };
        if !matches!(fate, Fate::Postponed) {
            self.ended.insert(offset);
        }
        let outcome = Outcome { ends, order, ..Outcome::default() };
        let part = match retry {
            None => Part::Event(Offset::new(offset)),
            Some(retry) => Part::Retry(retry.place),
        };
        let now = self.clock();
        self.lane.lock().finish(Finished { parts: vec![(part, outcome)] }, now);
    }

    fn write(&mut self, forced: Forced) {
        let dispatched = Offset::new(self.dispatched);
        let change = self.lane.take_change(dispatched, forced);
        if let Some(change) = change {
            self.apply(&change);
        }
        if forced == Forced::Yes {
            assert_eq!(self.stored.settled, self.lane.lock().settled(), "a forced round tells all");
        }
    }

    fn apply(&mut self, change: &Change) {
        self.stored.settled = change.settled;
        self.stored.done = change.done.clone();
        self.rows.retain(|row| !change.resolved.contains(&row.id));
        for row in &change.postponed {
            let before = self.rows.iter().position(|old| old.id == row.id);
            match (before, &row.made) {
                (Some(index), Made::OnDisk) => {
                    let made = self.rows[index].made.clone();
                    self.rows[index] = Postponed { made, ..row.clone() };
                }
                (Some(index), _) => self.rows[index] = row.clone(),
                (None, Made::OnDisk) => panic!("the payload of {} is on no disk", row.id),
                (None, _) => self.rows.push(row.clone()),
            }
        }
        self.ended_on_disk = self.ended.clone();
        self.lane.lock().applied(change);
        self.check_settled();
    }

    /// Below `settled`, and where `done` says so, all has ended or is postponed on disk.
    fn check_settled(&self) {
        for offset in (0..self.end()).filter(|offset| self.is_matched(*offset)) {
            let is_claimed =
                offset < self.stored.settled.get() || self.stored.done.contains(offset);
            let is_kept = self.ended_on_disk.contains(&offset)
                || self.rows.iter().any(|row| row.id.offset == offset);
            assert!(is_kept || !is_claimed, "{offset} is claimed and lost");
        }
    }

    fn crash(&mut self) {
        self.crashes += 1;
        self.running.clear();
        self.ended = self.ended_on_disk.clone();
        // The dispatcher begins at the journal's end; what lies before is the lane's own to read.
        self.dispatched = self.end();
        self.lane = open(&self.stored, (&self.rows, &self.route), self.end());
    }

    fn pause(&mut self, is_paused: bool) {
        let reason = Stopped { since: Timestamp::from_millis(0), reason: String::new() };
        self.lane.pause(is_paused.then_some(reason));
        if is_paused {
            assert_eq!(self.lane.lock().sizes().0, 0, "a paused lane keeps nothing in memory");
        }
    }

    fn drain(&mut self) {
        self.pause(false);
        for _ in 0..self.end() * 8 + 8 {
            self.dispatch();
            self.read(3);
            self.now += 1000;
            self.next();
            self.finish(0, Fate::Delivered);
            self.write(Forced::No);
        }
        self.write(Forced::Yes);
    }
}

pub(super) fn open(
    stored: &Subscription,
    (rows, route): (&[Postponed], &Arc<Route>),
    dispatched: u64,
) -> Arc<Lane> {
    let waiting = rows.iter().map(Postponed::in_short).collect();
    let stored = Subscription { waiting, ..stored.clone() };
    Lane::new(stored, Arc::clone(route), BOUNDS, Offset::new(dispatched), &Ready::new(10))
}

/// Every fourth has no key, the others one of three.
pub(super) fn owed(offset: u64, route: &Arc<Route>) -> Owed {
    let stamp = Stamp { id: "1", time: Timestamp::from_millis(0), account: "0", region: "r" };
    let key = if offset % 4 == 3 { "null".to_owned() } else { (offset % 3).to_string() };
    let entry = format!(r#"{{"source":"a","detail-type":"b","detail":{{"k":{key}}}}}"#);
    Owed {
        offset: Offset::new(offset),
        event: Event::from_entry(entry.as_bytes(), &Limits::default(), &stamp).unwrap(),
        hops: 0,
        ingested: Timestamp::from_millis(0),
        route: Arc::clone(route),
        order: None,
    }
}

pub(super) fn postponed(offset: u64, attempts: u32, due_at: i64) -> Postponed {
    let id: DeliveryId = Key::live("default", "rule", "target").delivery(Offset::new(offset), 0);
    let payload = Payload {
        body: "{}".into(),
        content_type: "application/json".to_owned(),
        ..Payload::default()
    };
    Postponed {
        id,
        order: None,
        event_id: "1".to_owned(),
        hops: 0,
        attempts,
        owed_at: Timestamp::from_millis(0),
        due_at: Timestamp::from_millis(due_at),
        last_attempt_at: Timestamp::from_millis(0),
        error: "503".to_owned(),
        made: Made::Here(payload),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_matched_event_is_handed_out_and_nothing_is_claimed_that_is_owed(
        matched in proptest::collection::vec(any::<bool>(), 0..60),
        steps in steps(),
    ) {
        let mut model = Model::new(matched);
        for step in &steps {
            model.take(step);
        }
        model.drain();
        let expected: BTreeSet<u64> =
            (0..model.end()).filter(|offset| model.is_matched(*offset)).collect();
        prop_assert_eq!(&model.ended, &expected, "all that matched has ended, and nothing else");
        prop_assert_eq!(model.stored.settled.get(), model.end(), "nothing is owed any more");
        prop_assert!(model.rows.is_empty());
        if model.crashes == 0 {
            prop_assert!(model.handed_out.values().all(|times| *times == 1), "nothing runs twice");
        }
    }

    #[test]
    fn what_has_one_key_runs_one_at_a_time_in_order_whatever_fails_and_crashes(
        matched in proptest::collection::vec(any::<bool>(), 0..60),
        steps in steps(),
    ) {
        let mut model = Model::on(testing::ordered_route(), matched);
        for step in &steps {
            model.take(step);
        }
        model.drain();
        let expected: BTreeSet<u64> =
            (0..model.end()).filter(|offset| model.is_matched(*offset)).collect();
        prop_assert_eq!(&model.ended, &expected, "no key is held for ever");
        prop_assert_eq!(model.stored.settled.get(), model.end());
        prop_assert!(model.rows.is_empty());
    }
}

#[test]
fn a_full_lane_falls_behind_and_comes_back_without_loss_or_repetition() {
    let mut model = Model::new(vec![true; 12]);
    for _ in 0..9 {
        model.dispatch();
    }
    assert!(model.lane.lock().is_behind());
    assert_eq!(model.lane.lock().sizes().0, BOUNDS.queue_max);
    model.drain();
    assert!(!model.lane.lock().is_behind());
    assert_eq!(model.handed_out.values().copied().collect::<Vec<_>>(), vec![1; 12]);
}

#[test]
fn too_much_postponed_stops_new_events_but_not_retries() {
    let mut model = Model::new(vec![true; 20]);
    for _ in 0..20 {
        model.dispatch();
        model.read(8);
        model.next();
        model.finish(0, Fate::Postponed);
    }
    assert_eq!(model.handed_out.len(), BOUNDS.postponed_max);
    model.now += 1000;
    model.next();
    assert!(matches!(model.running.as_slice(), [(0, Some(_))]), "the oldest is tried again");
}

#[test]
fn a_full_window_does_not_hold_up_the_event_that_it_waits_for() {
    let mut model = Model::new(vec![true; 1001]);
    // The oldest was under way when the process died; all after it had ended.
    model.stored.done = (1..=BOUNDS.window_max).collect();
    model.crash();
    model.read(4);
    model.next();
    assert!(matches!(model.running.as_slice(), [(0, None)]), "{:?}", model.running);
}

#[test]
fn what_a_removed_rule_was_owed_is_tried_once_and_then_ends() {
    let mut model = Model::new(vec![true; 8]);
    for _ in 0..3 {
        model.dispatch();
    }
    model.next();
    model.finish(0, Fate::Postponed);
    model.lane.retire(Offset::new(3), Timestamp::from_millis(0));
    for _ in 0..4 {
        model.next();
        model.finish(0, Fate::Postponed);
    }
    assert!(model.lane.lock().ends_now());
    let change = model.lane.take_change(Offset::new(3), Forced::No).unwrap();
    let dead: Vec<u64> = change.dead.iter().map(|dead| dead.last.id.offset).collect();
    assert_eq!((change.settled.get(), dead), (3, vec![0, 1, 2]));
    assert!(change.dead[0].last.error.ends_with("its rule or target was removed or disabled)"));
    assert!(model.lane.lock().is_ended());
}

#[test]
fn what_a_removed_rule_was_owed_and_cannot_be_given_up_now_is_given_up_later() {
    let mut model = Model::on(testing::ordered_route(), vec![true; 2]);
    model.dispatch();
    model.next();
    model.finish(0, Fate::Postponed);
    model.lane.retire(Offset::new(1), Timestamp::from_millis(0));
    let now = model.clock();
    let mut inner = model.lane.lock();
    let Some(Work::Bury(retry)) = inner.next(now) else { panic!("it is given up") };
    let later = Timestamp::from_millis(5);
    let put_off = Outcome { ends: vec![End::PutOff(later)], ..Outcome::default() };
    inner.finish(Finished { parts: vec![(Part::Retry(retry.place), put_off)] }, now);
    assert_eq!(inner.next_due(), Some(later));
}
