//! Events, one after the other, against what differs.

use bytes::Bytes;
use event::{Event, Timestamp};
use pattern::PatternIndex;

use super::tally::Tally;
use super::verdict::Verdict;
use super::{AFTER, BEFORE, Comparison, OnBus, Side};
use crate::rule_set::{BusRules, Scratch};
use crate::transform::{Payload, TransformError};

/// Runs the transform of a target that has one.
pub type Make<'m> = dyn Fn(&Side, &Event, Timestamp) -> Result<Vec<Payload>, TransformError> + 'm;

/// An event as it lies somewhere.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'e> {
    pub offset: u64,
    /// Checked when it came in.
    pub envelope: &'e Bytes,
    pub taken_at: Timestamp,
}

/// One thread's look at the events of one bus.
pub struct Look<'c> {
    comparison: &'c Comparison,
    bus: &'c str,
    on_bus: Option<&'c OnBus>,
    examples: usize,
    scratch: Scratch,
    /// By position among those that differ: the sides that match the event.
    sides: Vec<u8>,
    touched: Vec<usize>,
    tally: Tally,
}

impl<'c> Look<'c> {
    /// `examples`: so many events of each kind are remembered for each subscription.
    pub fn new(comparison: &'c Comparison, bus: &'c str, examples: usize) -> Self {
        Self {
            comparison,
            bus,
            on_bus: comparison.buses.get(bus),
            examples,
            scratch: Scratch::default(),
            sides: vec![0; comparison.differing.len()],
            touched: Vec::new(),
            tally: Tally::of(comparison.differing.len()),
        }
    }

    pub fn event(&mut self, seen: Seen<'_>, make: &Make<'_>) {
        self.tally.saw(seen.taken_at);
        self.find(seen.envelope);
        if self.touched.is_empty() {
            return;
        }
        let mut event: Option<Option<Event>> = None;
        let mut touched = std::mem::take(&mut self.touched);
        for at in touched.drain(..) {
            let sides = std::mem::take(&mut self.sides[at]);
            let one = &self.comparison.differing[at];
            // Most differences need no event, but its bytes.
            let event = if one.runs(sides) {
                let read = event.get_or_insert_with(|| Event::read(seen.envelope.clone()).ok());
                let Some(event) = read else { continue };
                Some(&*event)
            } else {
                None
            };
            let verdict = Verdict::new(one, sides, event, (make, seen.taken_at));
            self.tally.of[at].note(verdict, seen.offset, self.examples);
        }
        self.touched = touched;
        if matches!(event, Some(None)) {
            self.tally.unreadable += 1;
        }
    }

    /// A record that holds no event.
    pub fn unreadable(&mut self) {
        self.tally.unreadable += 1;
    }

    /// What was counted so far.
    pub fn so_far(&self) -> &Tally {
        &self.tally
    }

    pub fn tally(self) -> Tally {
        self.tally
    }

    /// Whose patterns match, and on which sides.
    fn find(&mut self, envelope: &Bytes) {
        let Some(on_bus) = self.on_bus else { return };
        let Scratch { pattern, matched } = &mut self.scratch;
        let event = pattern::Event::checked_before(envelope);
        if on_bus.matcher.matches(event, pattern, matched).is_err() {
            self.find_apart(envelope);
            return;
        }
        for PatternIndex(number) in matched.iter() {
            let Ok(number) = usize::try_from(*number) else { continue };
            for wants in &on_bus.wants[number] {
                if self.sides[wants.at] == 0 {
                    self.touched.push(wants.at);
                }
                self.sides[wants.at] |= wants.sides;
            }
        }
    }

    /// What the patterns of both sides together cannot say of an event, because it allows too many
    /// combinations: each side is asked as it would be when it runs.
    fn find_apart(&mut self, envelope: &Bytes) {
        let Comparison { running, candidate, differing, .. } = self.comparison;
        let mut matching = |rules: Option<&BusRules>| {
            rules.and_then(|rules| rules.matches(envelope, &mut self.scratch).ok())
        };
        let before = matching(running.on(self.bus)).unwrap_or_default();
        let after = matching(candidate.on(self.bus)).unwrap_or_default();
        for (at, one) in differing.iter().enumerate() {
            if one.bus != self.bus || !one.is_looked_at() {
                continue;
            }
            for (rules, side, bit) in [(&before, &one.before, BEFORE), (&after, &one.after, AFTER)]
            {
                let is_in = side
                    .as_ref()
                    .is_some_and(|side| rules.iter().any(|rule| rule.name == side.rule.name));
                if is_in {
                    if self.sides[at] == 0 {
                        self.touched.push(at);
                    }
                    self.sides[at] |= bit;
                }
            }
        }
    }
}
