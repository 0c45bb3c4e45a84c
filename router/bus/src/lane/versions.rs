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

use journal::Offset;

use crate::routes::Route;

/// How many swaps behind a lane may be and still tell the versions apart.
const VERSIONS_MAX: usize = 64;

#[derive(Clone)]
pub(crate) struct Versions(VecDeque<(Offset, Option<Arc<Route>>)>);

impl Versions {
    pub(super) fn new(route: Arc<Route>) -> Self {
        Self(VecDeque::from([(Offset::new(0), Some(route))]))
    }

    pub(super) fn present_from(&mut self, from: Offset, route: Arc<Route>) {
        self.push(from, Some(route));
    }

    pub(super) fn absent_from(&mut self, from: Offset) {
        self.push(from, None);
    }

    fn push(&mut self, from: Offset, route: Option<Arc<Route>>) {
        if let Some(last) = self.0.back_mut().filter(|(beginning, _)| *beginning == from) {
            last.1 = route;
            return;
        }
        self.0.push_back((from, route));
        if self.0.len() > VERSIONS_MAX {
            self.0.pop_front();
        }
    }

    /// What has been read needs no version any more.
    pub(super) fn forget_below(&mut self, read_to: Offset) {
        while self.0.get(1).is_some_and(|(from, _)| *from <= read_to) {
            self.0.pop_front();
        }
    }

    /// The version at an offset; none where the rule was not there.
    pub(super) fn at(&self, offset: Offset) -> Option<&Arc<Route>> {
        let after = self.0.partition_point(|(from, _)| *from <= offset);
        self.0.get(after.saturating_sub(1))?.1.as_ref()
    }
}
