//! The state of a lane, and every step it can take.

mod hear;
mod keep;
mod pick;
mod stops;

use std::collections::BTreeSet;
use std::sync::Arc;

use delivery::{Circuit, DeliveryId, ErrorKind};
use event::Timestamp;
use journal::Offset;
use roaring::RoaringTreemap;

use super::feed::Feed;
use super::gate::Gate;
use super::versions::{Versions, Written};
use super::waiting::Waiting;
use super::{Bounds, Forced, Now, Owed};
use crate::attempt::{End, Outcome, Retry};
use crate::key::Key;
use crate::making::Room;
use crate::routes::Route;
use crate::state::{Change, Counts, Dead, Place, Postponed, Stopped, Subscription};

/// Something to do, handed out by [`Inner::next`].
#[derive(Debug)]
pub(crate) enum Work {
    /// With room for it where its transform runs.
    Event(Owed, Option<Room>),
    /// Events that are sent together, each with room for it.
    Batch(Vec<(Owed, Option<Room>)>),
    /// A postponed delivery that is due.
    Retry(Retry),
    /// A postponed delivery whose rule is gone.
    Bury(Retry),
}

/// What a work was about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Event(Offset),
    Retry(Place),
}

/// A work that has ended, by its parts.
#[derive(Debug)]
pub(crate) struct Finished {
    pub parts: Vec<(Part, Outcome)>,
}

pub(crate) struct Inner {
    key: Key,
    /// The newest version, for what is tried again.
    pub(crate) route: Arc<Route>,
    bounds: Bounds,
    feed: Feed,
    gate: Gate,
    waiting: Waiting,
    /// The clock at the last look.
    seen: Option<Now>,
    /// Since when it has no rule: it has what it was owed until then, and ends.
    retired: Option<Timestamp>,
    /// Nothing more starts: its replay was cancelled, or its time without a rule is over.
    is_cancelled: bool,
    /// Whether all of a span has ended.
    is_over: bool,
    /// Whether the own reader is at work.
    is_reading: bool,
    /// The route whose plugins had no room for so many events at the last look.
    pub(super) full: Option<(Arc<Route>, usize)>,
    /// What is to find out whether the plugins work.
    plugin_probe: Option<Part>,
    /// Works under way.
    running: usize,
    /// Taken from the queue, and not ended.
    open: BTreeSet<Offset>,
    settled: Offset,
    /// What the last change said of `settled`.
    settled_written: Offset,
    /// What is on disk of it.
    settled_on_disk: Offset,
    /// The first offset of what the change carries that is being written down.
    unwritten_from: Option<Offset>,
    done: RoaringTreemap,
    pub(crate) counts: Counts,
    pub(crate) last_error: Option<String>,
    /// Sealed blocks that the own reader has read, and passed over, since the start of the process.
    pub(crate) blocks: (u64, u64),
    // What the next change will carry, beside what waits.
    dead: Vec<Dead>,
    newly_disabled: Option<Stopped>,
    is_dirty: bool,
}

impl Inner {
    pub(super) fn new(
        stored: Subscription,
        route: Arc<Route>,
        bounds: Bounds,
        dispatched: Offset,
    ) -> Self {
        let versions = Versions::read(&stored.versions, &route, stored.settled);
        let feed = Feed::new((stored.settled, stored.until), versions, dispatched);
        Self {
            key: stored.key,
            gate: Gate::new(route.circuit(), stored.paused, stored.disabled),
            route,
            bounds,
            feed,
            waiting: Waiting::load(stored.waiting),
            seen: None,
            retired: None,
            is_cancelled: false,
            is_over: false,
            is_reading: false,
            full: None,
            plugin_probe: None,
            running: 0,
            open: BTreeSet::new(),
            settled: stored.settled,
            settled_written: stored.settled,
            settled_on_disk: stored.settled,
            unwritten_from: None,
            done: stored.done,
            counts: stored.counts,
            last_error: None,
            blocks: (0, 0),
            dead: Vec::new(),
            newly_disabled: None,
            is_dirty: false,
        }
    }

    /// How many events may wait in memory from now on.
    pub(crate) fn set_room(&mut self, events: usize) {
        self.bounds.queue_max = events;
    }

    /// True when there is something new to do.
    pub(super) fn offer(&mut self, owed: impl FnOnce() -> Owed, offset: Offset) -> bool {
        // The dispatcher begins before what some have had already.
        if self.done.contains(offset.get()) {
            return false;
        }
        let room = if self.keeps_nothing() && !self.needs_a_probe() {
            (0, 0)
        } else {
            let held = self.waiting.held();
            (self.bounds.queue_max.saturating_sub(held), self.bounds.queue_bytes_max)
        };
        let is_new = self.feed.offer(owed, offset, room);
        // While as much as may run does, the next end looks at the queue anyway.
        is_new && self.running < self.concurrency()
    }

    fn concurrency(&self) -> usize {
        if self.key.replay.is_some() {
            return self.bounds.replaying;
        }
        self.route.target.flow.concurrency.unwrap_or(self.bounds.concurrency)
    }

    fn keeps_nothing(&self) -> bool {
        self.gate.keeps_nothing()
    }

    /// Whether an event is needed to find out whether the target is back: nothing else could be sent.
    fn needs_a_probe(&self) -> bool {
        // What waits where the rule is gone is not tried again.
        let has_probe = self.retired.is_none() && self.waiting.has_probe();
        let is_broken = self.gate.is_only_broken() && !has_probe || self.gate.is_for_plugins();
        is_broken && self.running == 0
    }

    /// Whether the own reader should be at work, and is not.
    pub(super) fn wants_reading(&self) -> bool {
        !self.is_reading && self.reads_from().is_some()
    }

    /// Where the own reader should go on, when it should.
    pub(crate) fn reads_from(&self) -> Option<Offset> {
        if self.keeps_nothing() && !self.needs_a_probe() {
            return None;
        }
        self.feed.wants_reading(self.waiting.held(), &self.bounds)
    }

    pub(super) fn begin_reading(&mut self) {
        self.is_reading = true;
    }

    /// What matches which part of the journal, for the own reader.
    pub(crate) fn versions(&self) -> Versions {
        self.feed.versions()
    }

    /// The same, as it is written down.
    pub(crate) fn written_versions(&self) -> Written {
        self.feed.versions().written()
    }

    pub(super) fn end_reading(&mut self) {
        self.is_reading = false;
    }

    /// Takes in what the own reader found: every matched offset of `from..to`.
    pub(crate) fn caught_up(&mut self, mut found: Vec<Owed>, span: (Offset, Offset)) {
        // It may have been read before, and have started then.
        found.retain(|owed| {
            !self.done.contains(owed.offset.get()) && !self.open.contains(&owed.offset)
        });
        let needed = self.needs_versions_from();
        self.feed.caught_up(found, span, needed);
    }

    /// What is not known on disk to have ended is read again after a restart.
    fn needs_versions_from(&self) -> Offset {
        let on_disk = self.settled_on_disk;
        self.waiting.oldest_held().map_or(on_disk, |held| held.min(on_disk))
    }

    pub(crate) fn until(&self) -> Option<Offset> {
        self.feed.until
    }

    /// When the next postponed delivery is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.waiting.next_due()
    }

    /// Takes in what became of a work.
    pub(crate) fn finish(&mut self, finished: Finished, now: Now) {
        self.running -= 1;
        self.end_parts(finished.parts, now);
        self.miss_plugin_probe(now);
    }

    /// Takes in what became of a part of a work that goes on.
    pub(crate) fn took_effect(&mut self, part: Part, outcome: Outcome, now: Now) {
        self.end_parts(vec![(part, outcome)], now);
    }

    fn end_parts(&mut self, parts: Vec<(Part, Outcome)>, now: Now) {
        self.notice(now);
        let (mut orders, mut heard) = (Vec::new(), Vec::new());
        let (mut is_owed, mut has_probed) = (false, false);
        for (part, outcome) in parts {
            has_probed |= self.plugin_probe.as_ref() == Some(&part);
            is_owed |= outcome.is_owed();
            let put_off = outcome.ends.iter().find_map(|end| match end {
                End::PutOff(due_at) => Some(*due_at),
                End::Delivered | End::Written(_) | End::Postponed(_) | End::Dead(_) => None,
            });
            let order = match (part, put_off) {
                (Part::Retry(place), Some(due_at)) => {
                    self.waiting.put_off(&place, due_at);
                    continue;
                }
                (Part::Retry(place), None) => self.waiting.leave(&self.key, &place),
                (Part::Event(offset), _) => {
                    let was_open = self.open.remove(&offset);
                    assert!(was_open, "an event is finished once");
                    self.done.insert(offset.get());
                    outcome.order
                }
            };
            heard.push(outcome.heard.clone());
            self.take_in(outcome);
            orders.extend(order);
        }
        for order in orders {
            for owed in self.waiting.take_stranded(order) {
                self.stand_in_line(owed, now.wall);
            }
            // Once for each of its events: the last one frees it.
            self.waiting.end(order);
        }
        self.hear(&heard, is_owed, now);
        if has_probed {
            self.hear_plugin_probe(&heard, now);
        }
        self.fall_back_if_shut();
    }

    fn take_in(&mut self, outcome: Outcome) {
        self.is_dirty = true;
        self.counts.failed_attempts += u64::from(outcome.failed_attempts);
        if outcome.ends.is_empty() {
            self.counts.dropped += 1;
        }
        for end in outcome.ends {
            match end {
                End::Delivered => self.counts.delivered += 1,
                End::Written(row) => self.waiting.write_first(row),
                End::PutOff(_) => unreachable!("only a retry is put off, and that was seen to"),
                End::Postponed(waiting) if self.retired.is_some() => {
                    self.bury(waiting.last_attempt_at, waiting);
                }
                End::Postponed(waiting) => {
                    self.last_error = Some(waiting.error.clone());
                    self.waiting.postpone(waiting);
                }
                End::Dead(dead) => {
                    self.last_error = Some(dead.last.error.clone());
                    self.counts.dead += 1;
                    self.dead.push(dead);
                }
            }
        }
    }

    pub(super) fn resume(&mut self, waiting: Vec<Postponed>) {
        let rows = waiting.into_iter().map(|row| row.in_short()).collect();
        self.waiting.resume(rows);
    }

    /// Makes a dead letter of a delivery whose rule is gone.
    fn bury(&mut self, now: Timestamp, mut last: Postponed) {
        last.error =
            format!("{} (not tried again: its rule or target was removed or disabled)", last.error);
        self.counts.dead += 1;
        let rules = Some(Arc::clone(&self.route.digest));
        self.dead.push(Dead { last, died_at: now, kind: ErrorKind::TargetGone, rules });
    }

    /// The rule has this target (again).
    pub(super) fn adopt(&mut self, route: Arc<Route>, position: Offset) {
        if self.key.replay.is_some() {
            // Its span lies before any swap: what it has not read meets the rules there are.
            self.feed.replace(Arc::clone(&route));
        } else {
            let needed = self.needs_versions_from();
            self.feed.adopt(Arc::clone(&route), position, needed);
        }
        self.gate.change(route.circuit(), self.seen.map(|seen| seen.wall));
        self.route = route;
        if self.key.replay.is_none() && self.retired.take().is_some() {
            // It came back before all that it was owed had been tried: it goes on where it is.
            self.feed.reopen(position);
            self.waiting.line_up();
        }
        self.is_over = false;
    }

    fn fall_back_if_shut(&mut self) {
        if self.keeps_nothing() && !self.needs_a_probe() {
            self.fall_back();
        }
    }

    /// What has not started goes back to the journal: it costs nothing there, however long.
    fn fall_back(&mut self) {
        let held = self.waiting.drop_held();
        for offset in &held {
            self.open.remove(offset);
        }
        self.feed.fall_back(&held);
    }

    /// Whether all of a bounded span has ended. Says so once.
    pub(super) fn ends_now(&mut self) -> bool {
        let is_over = self.feed.has_read_all()
            && self.feed.len() == 0
            && self.open.is_empty()
            && self.running == 0
            && self.waiting.is_empty();
        let ends = is_over || self.is_cancelled && self.running == 0;
        ends && !std::mem::replace(&mut self.is_over, true)
    }

    /// The circuit of its plugins, and how they failed last.
    pub(crate) fn plugins(&self) -> (&Circuit, Option<&str>) {
        self.gate.plugins()
    }

    pub(crate) fn circuit(&self) -> &Circuit {
        self.gate.circuit()
    }

    /// By itself, or with the target of its replay.
    pub(crate) fn paused(&self) -> Option<&Stopped> {
        self.gate.paused.as_ref().or(self.gate.target_paused.as_ref())
    }

    pub(crate) fn paused_itself(&self) -> Option<&Stopped> {
        self.gate.paused.as_ref()
    }

    pub(crate) fn disabled(&self) -> Option<&Stopped> {
        self.gate.disabled.as_ref()
    }

    /// Whether the span is over, and all of it written down.
    pub(crate) fn is_ended(&self) -> bool {
        (self.is_over || self.is_cancelled && self.running == 0) && !self.is_dirty
    }

    /// Whether nothing more will start: its span is over, or its replay cancelled.
    pub(crate) fn has_ended_or_will(&self) -> bool {
        self.is_over || self.is_cancelled
    }

    /// Since when it has no rule.
    pub(crate) fn retired(&self) -> Option<Timestamp> {
        self.retired
    }

    /// The waiting deliveries of one event, with whether their payloads are still to be made.
    pub(crate) fn waiting_of(&self, offset: Offset) -> impl Iterator<Item = (DeliveryId, bool)> {
        let of_event = self.waiting.of_event(offset.get());
        of_event.map(|(place, is_unmade)| (place.in_lane(&self.key), is_unmade))
    }

    /// Whether an attempt at a delivery is being made, or the first run of its event.
    pub(crate) fn is_under_way(&self, id: &DeliveryId) -> bool {
        let offset = Offset::new(id.offset);
        let first = || self.open.contains(&offset) && !self.waiting.holds_back(offset);
        self.waiting.is_under_way(&Place::of(id)).unwrap_or_else(first)
    }

    /// Whether an event has had its first run here, or none is owed to it any more.
    pub(crate) fn is_past(&self, offset: Offset) -> bool {
        offset < self.settled || self.done.contains(offset.get())
    }

    pub(super) fn take_change(&mut self, dispatched: Offset, is_forced: Forced) -> Option<Change> {
        self.settle(dispatched);
        let has_moved = self.settled != self.settled_written;
        let is_wanted = self.is_dirty || (has_moved && is_forced == Forced::Yes);
        if !is_wanted {
            return None;
        }
        self.settled_written = self.settled;
        self.is_dirty = false;
        let (postponed, resolved) = self.waiting.take_changes();
        let dead = std::mem::take(&mut self.dead);
        let rows = postponed.iter().chain(dead.iter().map(|dead| &dead.last));
        self.unwritten_from = rows.map(|row| Offset::new(row.id.offset)).min();
        Some(Change {
            key: self.key.clone(),
            settled: self.settled,
            postponed,
            done: self.done.clone(),
            counts: self.counts,
            resolved,
            dead,
            disabled: self.newly_disabled.take(),
        })
    }

    /// Moves `settled` as far as it goes.
    fn settle(&mut self, dispatched: Offset) {
        let oldest_queued = self.feed.front().map(|owed| owed.offset);
        let oldest_open = self.open.first().copied();
        let oldest = [oldest_queued, oldest_open].into_iter().flatten();
        let settled = oldest.fold(self.feed.seen(dispatched), Offset::min);
        // A queue is in order, but an old queue may stand below what the reader has seen.
        if self.settled < settled {
            self.settled = settled;
            self.done.remove_range(..settled.get());
        }
    }

    /// After a change is on disk.
    ///
    /// True when there is something new to do.
    pub(crate) fn applied(&mut self, change: &Change) -> bool {
        self.settled_on_disk = change.settled;
        self.unwritten_from = None;
        self.waiting.written(&change.postponed)
    }

    pub(crate) fn settled(&self) -> Offset {
        self.settled
    }

    /// Every event below has been looked at.
    pub(crate) fn position(&self, dispatched: Offset) -> Offset {
        self.feed.seen(dispatched)
    }

    pub(crate) fn is_behind(&self) -> bool {
        self.feed.is_behind()
    }

    pub(crate) fn running(&self) -> usize {
        self.running
    }

    /// How many are queued or held, under way, and postponed.
    pub(crate) fn sizes(&self) -> (usize, usize, usize) {
        (self.feed.len() + self.waiting.held(), self.running, self.waiting.len())
    }
}
