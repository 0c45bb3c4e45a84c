//! What was found, for people and programs.

use event::Timestamp;
use serde::Serialize;

use super::example::Example;
use super::look::{Make, Seen};
use super::tally::{Counts, Kind, Tally};
use super::{Change, Comparison};

/// Examples in one report: each is read once more.
const EXAMPLES_MAX: usize = 300;

/// Finds an event again, by its bus and its offset: the envelope, and when it came in.
pub type Find<'f> = dyn Fn(&str, u64) -> Option<(bytes::Bytes, Timestamp)> + 'f;

/// The answer to a comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Of both sets, each name once.
    pub rules: usize,
    pub rules_differ: usize,
    pub subscriptions_same: usize,
    /// That were looked at, or passed over because no difference could meet them.
    pub events: u64,
    pub unreadable: u64,
    /// When the first and the last of those that were looked at came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    #[serde(flatten)]
    pub totals: Totals,
    /// Those that differ.
    pub subscriptions: Vec<Compared>,
    /// What to bear in mind about the numbers.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    pub gained: u64,
    pub lost: u64,
    pub changed: u64,
    pub moved: u64,
    pub same: u64,
    pub dead_before: u64,
    pub dead_after: u64,
}

/// A subscription that differs.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    pub bus: String,
    pub rule: String,
    pub target: String,
    pub change: Change,
    /// `RULE/TARGET`, as it was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// Where its rule begins.
    pub path: String,
    pub line: usize,
    /// What changed, in words.
    pub what: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern_before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern_after: Option<String>,
    #[serde(flatten)]
    pub counts: Totals,
    pub examples: Vec<Example>,
}

impl Totals {
    fn of(counts: &Counts) -> Self {
        Self {
            gained: counts.count(Kind::Gained),
            lost: counts.count(Kind::Lost),
            changed: counts.count(Kind::Changed),
            moved: counts.count(Kind::Moved),
            same: counts.same,
            dead_before: counts.dead_before,
            dead_after: counts.dead_after,
        }
    }

    /// Deliveries that differ.
    pub fn differ(&self) -> u64 {
        self.gained + self.lost + self.changed + self.moved
    }

    fn and(self, other: Self) -> Self {
        Self {
            gained: self.gained + other.gained,
            lost: self.lost + other.lost,
            changed: self.changed + other.changed,
            moved: self.moved + other.moved,
            same: self.same + other.same,
            dead_before: self.dead_before + other.dead_before,
            dead_after: self.dead_after + other.dead_after,
        }
    }
}

impl Comparison {
    /// Nothing was looked at yet.
    pub fn tally(&self) -> Tally {
        Tally::of(self.differing.len())
    }

    /// The offsets of the events that a report shows, by bus, ascending: whoever has them is asked for them.
    pub fn shown(&self, tally: &Tally) -> Vec<(&str, u64)> {
        let wanted = self.wanted(tally);
        let mut all: Vec<(&str, u64)> = wanted
            .iter()
            .map(|(at, _, offset)| (self.differing[*at].bus.as_str(), *offset))
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Those where most differs come first.
    fn wanted(&self, tally: &Tally) -> Vec<(usize, Kind, u64)> {
        let mut order: Vec<(usize, &Counts)> = tally.of.iter().enumerate().collect();
        order.sort_by_key(|(_, counts)| std::cmp::Reverse(Totals::of(counts).differ()));
        let all = order.into_iter().flat_map(|(at, counts)| {
            let kinds = Kind::ALL.into_iter();
            kinds.flat_map(move |kind| counts.newest(kind).map(move |offset| (at, kind, offset)))
        });
        all.take(EXAMPLES_MAX).collect()
    }

    /// The report of what was counted. `find` gives the events of [`Comparison::shown`] again.
    pub fn report(&self, tally: &Tally, find: &Find<'_>, make: &Make<'_>) -> Report {
        let mut examples: Vec<Vec<Example>> = vec![Vec::new(); self.differing.len()];
        for (at, kind, offset) in self.wanted(tally) {
            let Some((envelope, taken_at)) = find(&self.differing[at].bus, offset) else {
                continue;
            };
            let seen = Seen { offset, envelope: &envelope, taken_at };
            examples[at].extend(self.example((at, kind), seen, make));
        }
        let subscriptions: Vec<Compared> = examples
            .into_iter()
            .enumerate()
            .map(|(at, examples)| self.compared(at, &tally.of[at], examples))
            .collect();
        let totals = subscriptions.iter().map(|one| one.counts);
        Report {
            rules: self.rules,
            rules_differ: self.rules_differ,
            subscriptions_same: self.same,
            events: tally.events,
            unreadable: tally.unreadable,
            since: tally.times.map(|times| times.0),
            until: tally.times.map(|times| times.1),
            totals: totals.fold(Totals::default(), Totals::and),
            subscriptions,
            notes: self.notes(),
        }
    }

    fn compared(&self, at: usize, counts: &Counts, examples: Vec<Example>) -> Compared {
        let one = &self.differing[at];
        let side = one.side();
        let was = one.before.as_ref().filter(|_| one.change == Change::Renamed);
        let text = |side: &super::Side| side.pattern().text().to_owned();
        let pattern =
            |side: &Option<super::Side>| side.as_ref().filter(|_| one.differs.pattern).map(text);
        Compared {
            bus: one.bus.clone(),
            rule: side.rule.name.clone(),
            target: side.target.id.clone(),
            change: one.change,
            was: was.map(|side| format!("{}/{}", side.rule.name, side.target.id)),
            path: side.rule.path.clone(),
            line: side.rule.line,
            what: one.words.clone(),
            pattern_before: pattern(&one.before),
            pattern_after: pattern(&one.after),
            counts: Totals::of(counts),
            examples,
        }
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let (_, true) = self.plugins() {
            notes.push(
                "plugins that keep state met each event with none: their outputs may be others"
                    .to_owned(),
            );
        }
        notes
    }
}
