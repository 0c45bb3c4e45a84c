//! The state of a lane, and every step it can take.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use delivery::{DeliveryId, ErrorKind};
use event::Timestamp;
use journal::Offset;
use roaring::RoaringTreemap;

use super::versions::Versions;
use super::{Bounds, Forced, Owed};
use crate::attempt::{End, Outcome};
use crate::key::Key;
use crate::routes::Route;
use crate::state::{Change, Counts, Dead, Made, Postponed, Subscription};

/// Who brings the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Feed {
    /// The dispatcher, from this offset on.
    Live { from: Offset },
    /// The lane's own reader.
    Behind,
}

/// Something to do, handed out by [`Inner::next`].
pub(crate) enum Work {
    Event(Owed),
    /// A postponed delivery that is due; its payload may have to be loaded.
    Retry(Postponed),
}

pub(crate) struct Inner {
    key: Key,
    /// The newest version, for what is tried again.
    pub(crate) route: Arc<Route>,
    versions: Versions,
    bounds: Bounds,
    feed: Feed,
    /// The highest matched offset that the dispatcher kept to itself because the lane was behind.
    skipped: Option<Offset>,
    /// While behind: everything below has been queued.
    read_to: Offset,
    /// Where the span of a replay, or of a retired subscription, ends.
    until: Option<Offset>,
    is_retired: bool,
    /// Whether a task drives this lane.
    has_task: bool,
    queue: VecDeque<Owed>,
    open: BTreeSet<Offset>,
    settled: Offset,
    /// What the last change said of `settled`.
    settled_written: Offset,
    done: RoaringTreemap,
    waiting: HashMap<DeliveryId, Postponed>,
    /// The waiting ones that are not under way, by due time.
    schedule: BTreeSet<(Timestamp, u64, DeliveryIdOrd)>,
    pub(crate) counts: Counts,
    pub(crate) last_error: Option<String>,
    // What the next change will carry.
    dirty: HashSet<DeliveryId>,
    resolved: Vec<DeliveryId>,
    dead: Vec<Dead>,
    is_dirty: bool,
}

/// A delivery's id in the order of a schedule; the order itself means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
struct DeliveryIdOrd(DeliveryId);

impl DeliveryIdOrd {
    fn rank(&self) -> (u32, Option<&str>) {
        (self.0.output, self.0.replay.as_deref())
    }
}

impl PartialOrd for DeliveryIdOrd {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DeliveryIdOrd {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl Inner {
    pub(super) fn new(
        stored: Subscription,
        route: Arc<Route>,
        bounds: Bounds,
        dispatched: Offset,
    ) -> Self {
        let is_live = stored.until.is_none() && dispatched <= stored.settled;
        let feed = if is_live { Feed::Live { from: stored.settled } } else { Feed::Behind };
        let mut inner = Self {
            key: stored.key,
            versions: Versions::new(Arc::clone(&route)),
            route,
            bounds,
            feed,
            // What lies between `settled` and the dispatcher's place is for the own reader.
            skipped: dispatched.get().checked_sub(1).map(Offset::new).filter(|_| !is_live),
            read_to: stored.settled,
            until: stored.until,
            is_retired: false,
            has_task: false,
            queue: VecDeque::new(),
            open: BTreeSet::new(),
            settled: stored.settled,
            settled_written: stored.settled,
            done: stored.done,
            waiting: HashMap::new(),
            schedule: BTreeSet::new(),
            counts: stored.counts,
            last_error: None,
            dirty: HashSet::new(),
            resolved: Vec::new(),
            dead: Vec::new(),
            is_dirty: false,
        };
        inner.resume(stored.postponed);
        inner
    }

    /// True when there is something new to do.
    pub(super) fn offer(&mut self, owed: impl FnOnce() -> Owed, offset: Offset) -> bool {
        match self.feed {
            Feed::Live { from } if offset < from => false, // The own reader was ahead: it has this one.
            Feed::Live { .. } if self.queue.len() < self.bounds.queue_max => {
                self.queue.push_back(owed());
                true
            }
            Feed::Live { .. } => {
                self.feed = Feed::Behind;
                self.read_to = offset;
                self.skipped = Some(offset);
                true
            }
            Feed::Behind => {
                self.skipped = self.skipped.max(Some(offset));
                false
            }
        }
    }

    /// Where the own reader should go on, when it should.
    pub(crate) fn wants_reading(&self) -> Option<Offset> {
        let has_room = self.queue.len() <= self.bounds.queue_max / 2;
        let is_behind = self.feed == Feed::Behind && !self.has_read_all();
        (is_behind && has_room).then_some(self.read_to)
    }

    /// What matches which part of the journal, for the own reader.
    pub(crate) fn versions(&self) -> Versions {
        self.versions.clone()
    }

    /// Takes in what the own reader found: every matched offset from `read_to` up to `read_to_now`.
    pub(crate) fn caught_up(&mut self, found: Vec<Owed>, read_to_now: Offset) {
        assert!(self.feed == Feed::Behind, "only a lane that is behind reads by itself");
        // The span may have been cut short while the reader was at work.
        let end = self.until.unwrap_or(read_to_now).min(read_to_now);
        let is_owed = |owed: &Owed| owed.offset < end && !self.done.contains(owed.offset.get());
        self.queue.extend(found.into_iter().filter(is_owed));
        self.read_to = self.read_to.max(end);
        self.versions.forget_below(self.read_to);
        let has_all = self.skipped.is_none_or(|skipped| skipped < read_to_now);
        if has_all && self.until.is_none() {
            self.feed = Feed::Live { from: read_to_now };
            self.skipped = None;
        }
    }

    pub(crate) fn until(&self) -> Option<Offset> {
        self.until
    }

    fn has_read_all(&self) -> bool {
        self.until.is_some_and(|until| until <= self.read_to)
    }

    /// The next thing to do: first what is due again, then what is new.
    pub(crate) fn next(&mut self, now: Timestamp) -> Option<Work> {
        if let Some(first) = self.schedule.first().filter(|(due, ..)| *due <= now).cloned() {
            self.schedule.remove(&first);
            let waiting = self.waiting.get(&first.2.0).expect("what is scheduled waits");
            return Some(Work::Retry(waiting.clone()));
        }
        let is_full = self.waiting.len() >= self.bounds.postponed_max
            || self.done.len() >= self.bounds.window_max;
        if is_full {
            return None;
        }
        let owed = self.queue.pop_front()?;
        self.open.insert(owed.offset);
        Some(Work::Event(owed))
    }

    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.schedule.first().map(|(due, ..)| *due)
    }

    /// Takes in what became of an event's first run.
    pub(crate) fn finish_event(&mut self, offset: Offset, outcome: Outcome) {
        let was_open = self.open.remove(&offset);
        assert!(was_open, "an event is finished once");
        self.done.insert(offset.get());
        self.take_in(outcome);
    }

    /// Takes in what became of a retry.
    pub(crate) fn finish_retry(&mut self, id: &DeliveryId, outcome: Outcome) {
        let before = self.waiting.remove(id).expect("what was retried waits");
        self.dirty.remove(id);
        self.resolved.push(id.clone());
        self.take_in(outcome.over(&before));
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
                End::Postponed(waiting) if self.is_retired => {
                    self.bury(waiting.last_attempt_at, waiting);
                }
                End::Postponed(waiting) => {
                    self.last_error = Some(waiting.error.clone());
                    self.dirty.insert(waiting.id.clone());
                    self.wait(waiting);
                }
                End::Dead(dead) => {
                    self.last_error = Some(dead.last.error.clone());
                    self.counts.dead += 1;
                    self.dead.push(dead);
                }
            }
        }
    }

    fn wait(&mut self, waiting: Postponed) {
        // A retry that only updates its row must not be deleted with what was resolved before.
        self.resolved.retain(|id| *id != waiting.id || waiting.made != Made::OnDisk);
        let id = waiting.id.clone();
        self.schedule.insert((waiting.due_at, id.offset, DeliveryIdOrd(id.clone())));
        self.waiting.insert(id, waiting);
    }

    pub(super) fn resume(&mut self, waiting: Vec<Postponed>) {
        for one in waiting {
            self.wait(one);
        }
    }

    /// Makes a dead letter of a delivery whose rule is gone.
    fn bury(&mut self, now: Timestamp, mut last: Postponed) {
        last.error = format!("{} (not tried again: its rule or target was removed)", last.error);
        self.counts.dead += 1;
        self.dead.push(Dead { last, died_at: now, kind: ErrorKind::TargetGone });
    }

    pub(super) fn retire(&mut self, until: Offset, now: Timestamp) {
        self.is_retired = true;
        self.versions.absent_from(until);
        self.until = Some(self.until.map_or(until, |end| end.min(until)));
        if let Feed::Live { .. } = self.feed {
            // All that was matched below `until` is in the queue already.
            self.read_to = until;
            self.feed = Feed::Behind;
        }
        // What is under way right now is judged when it ends.
        for (_, _, DeliveryIdOrd(id)) in std::mem::take(&mut self.schedule) {
            let last = self.waiting.remove(&id).expect("what is scheduled waits");
            self.dirty.remove(&id);
            self.resolved.push(id);
            self.bury(now, last);
        }
        self.is_dirty = true;
    }

    /// The rule has this target (again). True when the lane needs a task.
    pub(super) fn adopt(&mut self, route: Arc<Route>, position: Offset) -> bool {
        match self.feed {
            // What is not read yet was matched by nobody: each part meets the version of its time.
            Feed::Behind => self.versions.present_from(position, Arc::clone(&route)),
            Feed::Live { .. } => self.versions = Versions::new(Arc::clone(&route)),
        }
        self.route = route;
        if self.is_retired && self.key.replay.is_none() {
            // It came back before all that it was owed had been tried: it goes on where it is.
            self.is_retired = false;
            self.until = None;
            self.skipped = position.get().checked_sub(1).map(Offset::new);
        }
        !std::mem::replace(&mut self.has_task, true)
    }

    /// Lets the task go once all of a bounded span is settled.
    pub(super) fn end_if_over(&mut self) -> bool {
        let is_over = self.has_read_all()
            && self.queue.is_empty()
            && self.open.is_empty()
            && self.waiting.is_empty();
        if is_over {
            self.has_task = false;
        }
        is_over
    }

    /// Whether the span is over, and all of it written down.
    pub(crate) fn is_ended(&self) -> bool {
        self.until.is_some() && !self.has_task && !self.is_dirty
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.is_retired
    }

    /// The waiting deliveries of one event, with whether their payloads are still to be made.
    pub(crate) fn waiting_of(&self, offset: Offset) -> impl Iterator<Item = (&DeliveryId, bool)> {
        let of_event = self.waiting.iter().filter(move |(id, _)| id.offset == offset.get());
        of_event.map(|(id, waiting)| (id, waiting.made == Made::NotYet))
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
        let postponed =
            self.dirty.drain().map(|id| self.waiting.get(&id).expect("dirty ones wait").clone());
        Some(Change {
            key: self.key.clone(),
            settled: self.settled,
            postponed: postponed.collect(),
            done: self.done.clone(),
            counts: self.counts,
            resolved: std::mem::take(&mut self.resolved),
            dead: std::mem::take(&mut self.dead),
        })
    }

    /// Moves `settled` as far as it goes.
    fn settle(&mut self, dispatched: Offset) {
        let seen = match self.feed {
            Feed::Live { from } => from.max(dispatched),
            Feed::Behind => self.read_to,
        };
        let oldest_queued = self.queue.front().map(|owed| owed.offset);
        let oldest_open = self.open.first().copied();
        let settled = [oldest_queued, oldest_open].into_iter().flatten().fold(seen, Offset::min);
        // A queue is in order, but an old queue may stand below what the reader has seen.
        if self.settled < settled {
            self.settled = settled;
            self.done.remove_range(..settled.get());
        }
    }

    /// After a change is on disk: payloads that are in their rows leave memory.
    pub(crate) fn applied(&mut self, change: &Change) {
        for written in &change.postponed {
            if let Some(waiting) = self.waiting.get_mut(&written.id) {
                let is_same = waiting.attempts == written.attempts;
                if is_same && matches!(waiting.made, Made::Here(_)) {
                    waiting.made = Made::OnDisk;
                }
            }
        }
    }

    pub(crate) fn settled(&self) -> Offset {
        self.settled
    }

    pub(crate) fn read_to(&self, dispatched: Offset) -> Offset {
        match self.feed {
            Feed::Live { from } => from.max(dispatched),
            Feed::Behind => self.read_to,
        }
    }

    pub(crate) fn is_behind(&self) -> bool {
        self.feed == Feed::Behind
    }

    pub(crate) fn sizes(&self) -> (usize, usize, usize) {
        (self.queue.len(), self.open.len(), self.waiting.len())
    }
}
