//! What was counted so far.

use std::collections::VecDeque;

use event::Timestamp;

use super::verdict::Verdict;

/// In what way an event meets a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It would be delivered, and was not.
    Gained,
    /// It was delivered, and would not be.
    Lost,
    /// Something else would be delivered.
    Changed,
    /// It would go elsewhere.
    Moved,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Gained, Self::Lost, Self::Changed, Self::Moved];

    fn place(self) -> usize {
        match self {
            Self::Gained => 0,
            Self::Lost => 1,
            Self::Changed => 2,
            Self::Moved => 3,
        }
    }
}

/// Counts of the events that one thread, or all of them, looked at.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    pub events: u64,
    /// Records that hold no event that could be read.
    pub unreadable: u64,
    /// When the first and the last of them came in.
    pub times: Option<(Timestamp, Timestamp)>,
    /// By position among the subscriptions that differ.
    pub(super) of: Vec<Counts>,
}

/// Of one subscription.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    by_kind: [u64; 4],
    pub same: u64,
    /// Deliveries that die in a transform, on the one side and on the other.
    pub dead_before: u64,
    pub dead_after: u64,
    /// The offsets of the newest events of each kind.
    newest: [VecDeque<u64>; 4],
}

impl Tally {
    pub(super) fn of(subscriptions: usize) -> Self {
        Self { of: vec![Counts::default(); subscriptions], ..Self::default() }
    }

    pub(super) fn saw(&mut self, taken_at: Timestamp) {
        self.events += 1;
        let (first, last) = self.times.unwrap_or((taken_at, taken_at));
        self.times = Some((first.min(taken_at), last.max(taken_at)));
    }

    /// So many more lie there that no difference can meet, between these times with the others.
    pub fn passed_over(&mut self, events: u64, times: Option<(Timestamp, Timestamp)>) {
        self.events += events;
        if 0 < events {
            self.times = times.or(self.times);
        }
    }

    /// Adds what another thread has counted.
    #[must_use]
    pub fn and(mut self, other: Self, examples: usize) -> Self {
        self.events += other.events;
        self.unreadable += other.unreadable;
        self.times = match (self.times, other.times) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, another) => one.or(another),
        };
        if self.of.is_empty() {
            self.of = other.of;
            return self;
        }
        for (one, more) in self.of.iter_mut().zip(other.of) {
            one.add(more, examples);
        }
        self
    }
}

impl Counts {
    pub(super) fn count(&self, kind: Kind) -> u64 {
        self.by_kind[kind.place()]
    }

    pub(super) fn newest(&self, kind: Kind) -> impl Iterator<Item = u64> {
        self.newest[kind.place()].iter().rev().copied()
    }

    pub(super) fn note(&mut self, verdict: Verdict, offset: u64, examples: usize) {
        let Verdict { kinds, dead_before, dead_after, is_same } = verdict;
        self.same += u64::from(is_same);
        self.dead_before += u64::from(dead_before);
        self.dead_after += u64::from(dead_after);
        for kind in kinds.into_iter().flatten() {
            self.by_kind[kind.place()] += 1;
            let newest = &mut self.newest[kind.place()];
            // One thread does not always go forwards: it takes the next part that is left.
            let at = newest.partition_point(|before| *before < offset);
            if examples == 0 || newest.len() == examples && at == 0 {
                continue;
            }
            newest.insert(at, offset);
            if examples < newest.len() {
                newest.pop_front();
            }
        }
    }

    fn add(&mut self, more: Self, examples: usize) {
        self.same += more.same;
        self.dead_before += more.dead_before;
        self.dead_after += more.dead_after;
        for place in 0..4 {
            self.by_kind[place] += more.by_kind[place];
            let newest = &mut self.newest[place];
            newest.extend(&more.newest[place]);
            newest.make_contiguous().sort_unstable();
            while examples < newest.len() {
                newest.pop_front();
            }
        }
    }
}
