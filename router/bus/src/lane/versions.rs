//! Which version of a rule matches which part of the journal, for a lane that is behind.
//!
//! ```text
//! offsets  0 ────────── 70 ────────── 90 ──────────▶
//!          version 1     (absent)      version 2
//! ```
//!
//! A swap takes effect at the dispatcher's place. A lane that reads older events after the swap
//! meets them with the version that ran when they came, as if it had never been slow. Over a restart
//! the patterns are kept, in the state database: what was owed stays owed. All else of a version, how an
//! event is transformed and where it goes, is then as the newest version says.
//!
//! # Invariants
//!
//! - Beginnings ascend; the first covers everything before the second.
//! - bounded: at most [`VERSIONS_MAX`]; beyond, neighbours that match the same become one.
//! - nothing silent: when no neighbours do, the oldest part is given to the version after it, and that is said.

use std::collections::VecDeque;
use std::sync::Arc;

use journal::{Filter, Offset};
use ruleset::pattern::Pattern;
use ruleset::pattern::keys::Needs;

use crate::routes::Route;
use crate::selection::{Asking, Selection};

/// How many swaps behind a lane may be and still tell the versions apart.
const VERSIONS_MAX: usize = 64;

/// From which offset on a rule had which pattern; none where it was not there.
pub(crate) type Written = Vec<(Offset, Option<String>)>;

/// What follows on versions that are written down when the rule is another from an offset on.
pub(crate) fn then(before: &Written, from: Offset, pattern: Option<&str>) -> Written {
    let mut after = before.clone();
    match after.last_mut() {
        Some((_, last)) if last.as_deref() == pattern => {}
        Some((beginning, last)) if from <= *beginning => *last = pattern.map(str::to_owned),
        Some(_) => after.push((from, pattern.map(str::to_owned))),
        None => after.push((Offset::ZERO, pattern.map(str::to_owned))),
    }
    after
}

/// A rule as it was in a part of the journal.
#[derive(Clone)]
pub(crate) struct Version {
    pub(crate) route: Arc<Route>,
    /// The pattern that it had in another process.
    was: Option<Selection>,
}

impl Version {
    fn new(route: &Arc<Route>) -> Self {
        Self { route: Arc::clone(route), was: None }
    }

    fn pattern(&self) -> &Pattern {
        self.was.as_ref().map_or(&self.route.rule.pattern, Selection::pattern)
    }

    /// `event`: an envelope, which was checked when it came in.
    pub(crate) fn matches(
        &self,
        event: &[u8],
        (scratch, asking): (&mut ruleset::Scratch, &mut Asking),
    ) -> bool {
        match &self.was {
            Some(was) => was.matches(event, asking),
            None => self.route.rule.matches(event, scratch),
        }
    }
}

#[derive(Clone)]
pub(crate) struct Versions {
    spans: VecDeque<(Offset, Option<Version>)>,
    /// Told apart by whoever has worked something out of them.
    changes: u64,
}

impl Versions {
    pub(super) fn new(route: &Arc<Route>) -> Self {
        Self { spans: VecDeque::from([(Offset::ZERO, Some(Version::new(route)))]), changes: 0 }
    }

    /// Those that were written down, for who has had everything below `settled`. The last is `route`'s.
    pub(super) fn read(written: &Written, route: &Arc<Route>, settled: Offset) -> Self {
        let version = |text: &String| {
            if text == route.rule.pattern.text() {
                return Version::new(route);
            }
            let was = Selection::parse(text);
            if let Err(error) = &was {
                tracing::error!(subscription = %route.key, %error, "a pattern that the rule had cannot be read in the state database: events of then meet the pattern of now");
            }
            Version { was: was.ok(), ..Version::new(route) }
        };
        let spans = written.iter().map(|(from, text)| (*from, text.as_ref().map(version)));
        let mut versions = Self { spans: spans.collect(), changes: 0 };
        if versions.spans.is_empty() {
            return Self::new(route);
        }
        versions.forget_below(settled);
        versions
    }

    /// As they are written down.
    pub(super) fn written(&self) -> Written {
        let mut written = Written::new();
        for (from, version) in &self.spans {
            let text = version.as_ref().map(|version| version.pattern().text());
            written = then(&written, *from, text);
        }
        written
    }

    pub(super) fn present_from(&mut self, from: Offset, route: &Arc<Route>) {
        self.push(from, Some(Version::new(route)));
    }

    pub(super) fn absent_from(&mut self, from: Offset) {
        self.push(from, None);
    }

    /// From now on it is this one, also for what came before.
    pub(super) fn replace(&mut self, route: &Arc<Route>) {
        *self = Self { changes: self.changes + 1, ..Self::new(route) };
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// The pattern of the one version that there is.
    pub(super) fn only(&self) -> Option<&Pattern> {
        let (first, more) = (self.spans.front()?, self.spans.get(1));
        first.1.as_ref().filter(|_| more.is_none()).map(Version::pattern)
    }

    /// Where the last one begins, if there are several.
    pub(super) fn last_from(&self) -> Option<Offset> {
        self.spans.back().filter(|_| 1 < self.spans.len()).map(|(from, _)| *from)
    }

    /// What sealed blocks must hold to be read at all; none where nothing can be ruled out.
    pub(super) fn filter(&self) -> Option<Filter> {
        let needs = |(from, version): &(Offset, Option<Version>)| {
            (*from, version.as_ref().map(|version| version.pattern().needs()))
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

    fn push(&mut self, from: Offset, version: Option<Version>) {
        self.changes += 1;
        if let Some(last) = self.spans.back_mut().filter(|(beginning, _)| from <= *beginning) {
            last.1 = version;
            return;
        }
        self.spans.push_back((from, version));
        if self.spans.len() > VERSIONS_MAX {
            self.join();
        }
    }

    /// Makes one of two neighbours.
    fn join(&mut self) {
        let text =
            |version: &Option<Version>| version.as_ref().map(|one| one.pattern().text().to_owned());
        let pairs = self.spans.iter().zip(self.spans.iter().skip(1));
        let same = pairs.map(|((_, one), (_, next))| text(one) == text(next)).position(|same| same);
        if same.is_none()
            && let Some(version) = self.spans.iter().find_map(|(_, version)| version.as_ref())
        {
            tracing::warn!(subscription = %version.route.key, versions = VERSIONS_MAX, "it is more versions of its rule behind than are told apart: the events of the oldest meet the version after it");
        }
        let at = same.unwrap_or(0);
        if let Some((_, next)) = self.spans.remove(at + 1)
            && let Some((_, version)) = self.spans.get_mut(at)
        {
            // Rather once too often than not at all.
            *version = next.or(version.take());
        }
    }

    /// What has been read needs no version any more.
    pub(super) fn forget_below(&mut self, read_to: Offset) {
        while self.spans.get(1).is_some_and(|(from, _)| *from <= read_to) {
            self.spans.pop_front();
        }
    }

    /// The version at an offset; none where the rule was not there.
    pub(super) fn at(&self, offset: Offset) -> Option<&Version> {
        let after = self.spans.partition_point(|(from, _)| *from <= offset);
        self.spans.get(after.saturating_sub(1))?.1.as_ref()
    }
}
