//! One field of an alternative: what was found at its path, and why that fits or does not.

use super::closeness::{self, Closeness};
use super::conflict;
use super::entry::Entry;
use super::hints::{self, Missing};
use super::inquiry;
use super::judge::Case;
use super::survey::{self, NodeId, What};
use super::{Field, Found, Verdict, words};

/// Fields after one that are looked at.
const LATER_MAX: usize = 40;

/// Values of a field that are shown.
const VALUES_SHOWN_MAX: usize = 5;

/// Values of a field that are compared to find the nearest ones.
const VALUES_COMPARED_MAX: usize = 1_000;

/// Pairs of value and entry that are compared to find the nearest values.
const PAIRS_MAX: usize = 10_000;

/// Entries for which another operator is tried.
const OPERATORS_MAX: usize = 1_000;

/// Entries of a list that are put into words.
const ENTRIES_SHOWN_MAX: usize = 6;

/// Elements that are named of those with a value that must not be.
const PLACES_SHOWN_MAX: usize = 3;

/// One field of a branch, asked of the event.
pub(super) struct Asked<'c> {
    pub(super) case: &'c Case<'c>,
    pub(super) field: usize,
    pub(super) entries: Vec<Entry<'c>>,
    /// The fields after it.
    pub(super) later: &'c [usize],
}

/// Something found, and how near it is; `None` if it fits.
struct Compared<'c> {
    found: &'c survey::Found<'c>,
    closeness: Option<Closeness>,
}

impl Asked<'_> {
    pub(super) fn report(&self, verdict: Verdict) -> Field {
        let path = &self.case.field(self.field).path;
        let compared = self.compared();
        let (why, hints) = match verdict {
            Verdict::Misses => (self.why_not(&compared), self.hints(&compared)),
            Verdict::Fits | Verdict::Apart => (self.why(&compared), Vec::new()),
        };
        let expected = self.entries.iter().take(ENTRIES_SHOWN_MAX).map(|entry| entry.claim().noun);
        Field {
            path: words::path(path),
            verdict,
            why,
            hints,
            expected: expected.collect(),
            expected_total: self.entries.len(),
            found: compared.iter().take(VALUES_SHOWN_MAX).map(|one| self.found(one)).collect(),
            found_total: self.all_found().len(),
        }
    }

    fn node(&self) -> Option<NodeId> {
        self.case.seen(self.field).node
    }

    fn all_found(&self) -> &[survey::Found<'_>] {
        self.node().map_or(&[], |node| self.case.survey.found(node))
    }

    /// What was found: what fits first, then the nearest values, then what is no value.
    fn compared(&self) -> Vec<Compared<'_>> {
        let wanted = &self.case.field(self.field).wanted;
        let pairs_each = (PAIRS_MAX / self.all_found().len().clamp(1, VALUES_COMPARED_MAX)).max(1);
        let compare = |found| {
            let found: &survey::Found<'_> = found;
            let Some(value) = found.value() else {
                return Compared { found, closeness: Some(Closeness::Absent) };
            };
            if wanted.iter().any(|wanted| wanted.accepts(&value)) {
                return Compared { found, closeness: None };
            }
            let nearest = wanted.iter().take(pairs_each).map(|one| closeness::of(one, &value));
            Compared { found, closeness: Some(nearest.min().unwrap_or(Closeness::Value)) }
        };
        let found = self.all_found();
        let mut compared: Vec<_> = found.iter().take(VALUES_COMPARED_MAX).map(compare).collect();
        if compared.iter().all(|one| one.closeness.is_some()) {
            // One that fits may be far behind.
            let rest = found.iter().skip(VALUES_COMPARED_MAX).map(compare);
            compared.extend(rest.filter(|one| one.closeness.is_none()).take(1));
        }
        compared.sort_by_key(|one| one.closeness);
        compared
    }

    fn found(&self, one: &Compared<'_>) -> Found {
        let found = one.found;
        let node = self.node().expect("something was found there");
        let kind = match (found.value(), &found.what) {
            (Some(value), _) => closeness::kind(&value).name(),
            (None, What::Object) => "object",
            (None, _) => "empty array",
        };
        let fitting = |value| {
            let entries = self.entries.iter().enumerate();
            entries.filter(move |(_, entry)| entry.accepts(&value)).map(|(at, _)| at).collect()
        };
        Found {
            place: words::path(&self.case.survey.place_of(node, found)),
            shown: hints::value(found),
            kind,
            fits: found.value().map(fitting).unwrap_or_default(),
            why: match one.closeness {
                None => self.fit(found),
                Some(_) => self.miss(found),
            },
        }
    }

    /// Why the field fits.
    fn why(&self, compared: &[Compared<'_>]) -> String {
        let fitting = compared.first().filter(|one| one.closeness.is_none());
        let Some(Compared { found, .. }) = fitting else {
            return match self.case.seen(self.field).values {
                0 => "absent, as it has to be".to_owned(),
                _ => format!("absent, except in {}", self.elements_present()),
            };
        };
        let fit = self.fit(found);
        match (found.element, self.node()) {
            (1.., Some(node)) => {
                let place = self.case.survey.place_of(node, found);
                format!("{fit}, at {}", words::path(&place))
            }
            _ => fit,
        }
    }

    fn fit(&self, found: &survey::Found<'_>) -> String {
        let shown = hints::value(found);
        let value = found.value();
        let fits = |entry: &&Entry<'_>| value.as_ref().is_some_and(|value| entry.accepts(value));
        match self.entries.iter().find(fits) {
            Some(entry) => {
                let claim = entry.claim();
                if claim.noun == shown { shown } else { format!("{shown} {}", claim.does) }
            }
            None => shown,
        }
    }

    /// Why the field does not fit.
    fn why_not(&self, compared: &[Compared<'_>]) -> String {
        let values: Vec<&Compared<'_>> =
            compared.iter().filter(|one| one.found.value().is_some()).collect();
        match &values[..] {
            [] if compared.is_empty() => format!("absent, expected {}", self.expected()),
            [] => format!("{}, expected {}", there(compared), self.expected()),
            [one] => self.miss_alone(one.found),
            [nearest, ..] => self.none_fits(nearest, &values),
        }
    }

    /// Why the only value does not fit.
    fn miss_alone(&self, found: &survey::Found<'_>) -> String {
        let has_no_wanted = self.entries.iter().all(|entry| entry.wanted().is_none());
        match (found.element, self.node()) {
            (1.., Some(node)) if has_no_wanted => {
                let place = words::path(&self.case.survey.place_of(node, found));
                format!("{} is there, at {place}, expected no value", hints::value(found))
            }
            _ => self.miss(found),
        }
    }

    /// Why one thing that was found does not fit.
    fn miss(&self, found: &survey::Found<'_>) -> String {
        let shown = hints::value(found);
        let Some(value) = found.value() else {
            return format!("{shown} is there, expected {}", self.expected());
        };
        let wanted = self.entries.iter().filter(|entry| entry.wanted().is_some());
        let near = |entry: &&Entry<'_>| {
            entry.wanted().map_or(Closeness::Absent, |wanted| closeness::of(wanted, &value))
        };
        let nearest = wanted.take(PAIRS_MAX).min_by_key(near);
        let Some(nearest) = nearest else {
            return format!("{shown} is there, expected no value");
        };
        let closeness = near(&nearest);
        let is_one_kind = self.kind_expected().is_some();
        if self.entries.len() == 1 || closeness == Closeness::Almost {
            nearest.miss(&value, &shown)
        } else if closeness == Closeness::Kind && is_one_kind {
            format!("{shown} {}, expected {}", closeness::kind(&value).is_one(), self.expected())
        } else if self.entries.iter().all(|entry| entry.is_literal()) {
            format!("{shown} is not {}", self.expected())
        } else {
            format!("{shown} does not fit, expected {}", self.expected())
        }
    }

    /// Why none of several values fits.
    fn none_fits(&self, nearest: &Compared<'_>, values: &[&Compared<'_>]) -> String {
        let count = self.case.seen(self.field).values;
        if nearest.closeness == Some(Closeness::Almost) {
            let miss = self.miss(nearest.found);
            return format!("{miss} (the nearest of {})", words::count(count, "value"));
        }
        let shown = values.iter().take(3).map(|one| hints::value(one.found)).collect::<Vec<_>>();
        let more = count - shown.len();
        let listed = match more {
            0 => words::list(&shown, 3, "and"),
            more => format!("{} and {} more", shown.join(", "), words::grouped(more)),
        };
        let is_other_kind = nearest.closeness == Some(Closeness::Kind);
        match &self.entries[..] {
            [entry] if !is_other_kind && !entry.is_exclusion() && entry.wanted().is_some() => {
                format!("none of {listed} {}", entry.claim().does)
            }
            entries if !is_other_kind && entries.iter().all(|entry| entry.is_literal()) => {
                format!("none of {listed} is {}", self.expected())
            }
            _ => {
                let are = if is_other_kind { self.kinds(values) } else { "are there" };
                format!("{listed} {are}, expected {}", self.expected())
            }
        }
    }

    fn kinds(&self, values: &[&Compared<'_>]) -> &'static str {
        use closeness::Kind;
        let mut kinds = values.iter().filter_map(|one| Some(closeness::kind(&one.found.value()?)));
        match kinds.next() {
            Some(Kind::String) if kinds.all(|kind| kind == Kind::String) => "are strings",
            Some(Kind::Number) if kinds.all(|kind| kind == Kind::Number) => "are numbers",
            _ => "are there",
        }
    }

    fn kind_expected(&self) -> Option<closeness::Kind> {
        let mut kinds = self.entries.iter().map(|entry| closeness::kind_wanted(entry.wanted()?));
        let first = kinds.next()??;
        kinds.all(|kind| kind == Some(first)).then_some(first)
    }

    /// `5`, or `one of 5, "x", a number > 100 and 3 more`.
    fn expected(&self) -> String {
        let nouns = self.entries.iter().take(ENTRIES_SHOWN_MAX).map(|entry| entry.claim().noun);
        let nouns: Vec<String> = nouns.collect();
        let more = self.entries.len() - nouns.len();
        match (&nouns[..], more) {
            ([one], 0) => one.clone(),
            (_, 0) => format!("one of {}", nouns.join(", ")),
            (_, more) => format!("one of {} and {} more", nouns.join(", "), words::grouped(more)),
        }
    }

    fn hints(&self, compared: &[Compared<'_>]) -> Vec<String> {
        let path = &self.case.field(self.field).path;
        let seen = self.case.seen(self.field);
        if seen.values == 0 {
            let missing = Missing { survey: self.case.survey, path, entries: &self.entries };
            return missing.hints();
        }
        let mut hints = Vec::new();
        if let Some(value) = compared.first().and_then(|one| one.found.value()) {
            let requoted = |entry: &Entry<'_>| closeness::requoted(entry.wanted()?, &value);
            let hint = self.entries.iter().take(PAIRS_MAX).find_map(requoted);
            hints.extend(hint.map(str::to_owned));
            let operator = |entry: &Entry<'_>| hints::operator_for(entry.wanted()?, &value);
            hints.extend(self.entries.iter().take(OPERATORS_MAX).find_map(operator));
        }
        hints.extend(self.order_of_absence());
        hints
    }

    /// A field that has to be absent does not see what comes after it.
    fn order_of_absence(&self) -> Option<String> {
        if !self.case.field(self.field).or_absent || !self.case.seen(self.field).accepted.is_empty()
        {
            return None;
        }
        let arrays = inquiry::arrays_of(self.case, self.field);
        let is_related = |later: &&usize| {
            let others = inquiry::arrays_of(self.case, **later);
            others.iter().any(|array| arrays.contains(array))
        };
        let later = self.later.iter().take(LATER_MAX).find(is_related)?;
        let path = words::path(&self.case.field(*later).path);
        Some(format!(
            "it looks at every element: {path} comes after it in the order of paths, so it rules none out (P44)"
        ))
    }

    fn elements_present(&self) -> String {
        let elements = &self.case.seen(self.field).present;
        let places: Vec<String> = elements
            .iter()
            .take(PLACES_SHOWN_MAX)
            .map(|one| conflict::place(self.case, *one))
            .collect();
        match elements.len() - places.len() {
            0 => words::list(&places, PLACES_SHOWN_MAX, "and"),
            more => format!("{} and {} more", places.join(", "), words::grouped(more)),
        }
    }
}

/// What stands where a value was wanted.
fn there(compared: &[Compared<'_>]) -> String {
    let is_object = |one: &&Compared<'_>| matches!(one.found.what, What::Object);
    let objects = compared.iter().filter(is_object).count();
    match (objects, compared.len()) {
        (0, 1) => "an empty array is there".to_owned(),
        (1, 1) => "an object is there".to_owned(),
        (0, arrays) => format!("{} are there", words::count(arrays, "empty array")),
        (objects, all) if objects == all => {
            format!("{} are there", words::count(objects, "object"))
        }
        _ => "only objects and empty arrays are there".to_owned(),
    }
}
