//! Which version of a rule matches which part of the journal, for a lane that is behind.
//!
//! ```text
//! offsets  0 ────────── 70 ────────── 90 ──────────▶
//!          version 1     (absent)      version 2
//! ```
//!
//! A swap takes effect at the dispatcher's place. A lane that reads older events after the swap
//! meets them with the version that ran when they came, as if it had never been slow.
//!
//! # Invariants
//!
//! - Beginnings ascend; the first covers everything before the second.
//! - bounded: at most [`VERSIONS_MAX`]; beyond, the oldest part is given to the version after it.

use std::collections::VecDeque;
use std::sync::Arc;

use journal::{Filter, Offset};
use ruleset::pattern::Pattern;
use ruleset::pattern::keys::Needs;

use crate::routes::Route;

/// How many swaps behind a lane may be and still tell the versions apart.
const VERSIONS_MAX: usize = 64;

#[derive(Clone)]
pub(crate) struct Versions {
    spans: VecDeque<(Offset, Option<Arc<Route>>)>,
    /// Told apart by whoever has worked something out of them.
    changes: u64,
}

impl Versions {
    pub(super) fn new(route: Arc<Route>) -> Self {
        Self { spans: VecDeque::from([(Offset::new(0), Some(route))]), changes: 0 }
    }

    pub(super) fn present_from(&mut self, from: Offset, route: Arc<Route>) {
        self.push(from, Some(route));
    }

    pub(super) fn absent_from(&mut self, from: Offset) {
        self.push(from, None);
    }

    /// From now on it is this one, also for what came before.
    pub(super) fn replace(&mut self, route: Arc<Route>) {
        *self = Self { changes: self.changes + 1, ..Self::new(route) };
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// The pattern of the one version that there is.
    pub(super) fn only(&self) -> Option<&Pattern> {
        let (first, more) = (self.spans.front()?, self.spans.get(1));
        let route = first.1.as_ref().filter(|_| more.is_none())?;
        Some(&route.rule.pattern)
    }

    /// What sealed blocks must hold to be read at all; none where nothing can be ruled out.
    pub(super) fn filter(&self) -> Option<Filter> {
        let needs = |(from, route): &(Offset, Option<Arc<Route>>)| {
            (*from, route.as_ref().map(|route| route.rule.pattern.needs()))
        };
        let spans: Vec<(Offset, Option<Needs>)> = self.spans.iter().map(needs).collect();
        // A version without needs wants to see everything; no version at all wants nothing.
        if spans.iter().all(|(_, needs)| needs.as_ref().is_some_and(Needs::is_empty)) {
            return None;
        }
        Some(Arc::new(move |block| {
            let offsets = block.offsets();
            let first = spans.partition_point(|(from, _)| *from <= offsets.start).saturating_sub(1);
            // The first covers everything before the second, wherever it begins.
            let after = spans.partition_point(|(from, _)| *from < offsets.end).max(first + 1);
            let mut present =
                spans.iter().take(after).skip(first).filter_map(|(_, needs)| needs.as_ref());
            present.any(|needs| needs.may_match(&|key| block.may_hold_key(key)))
        }))
    }

    fn push(&mut self, from: Offset, route: Option<Arc<Route>>) {
        self.changes += 1;
        if let Some(last) = self.spans.back_mut().filter(|(beginning, _)| *beginning == from) {
            last.1 = route;
            return;
        }
        self.spans.push_back((from, route));
        if self.spans.len() > VERSIONS_MAX {
            self.spans.pop_front();
        }
    }

    /// What has been read needs no version any more.
    pub(super) fn forget_below(&mut self, read_to: Offset) {
        while self.spans.get(1).is_some_and(|(from, _)| *from <= read_to) {
            self.spans.pop_front();
        }
    }

    /// The version at an offset; none where the rule was not there.
    pub(super) fn at(&self, offset: Offset) -> Option<&Arc<Route>> {
        let after = self.spans.partition_point(|(from, _)| *from <= offset);
        self.spans.get(after.saturating_sub(1))?.1.as_ref()
    }
}
