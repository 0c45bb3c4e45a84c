//! What rules do together that none of them says: deliver an event twice to one place, and send it round in circles.
//!
//! # Invariants
//!
//! - Only what is sure is said: twins are written alike, and a circle is one of targets that pass events on as they are,
//!   with patterns of which no two are proved to exclude each other.
//! - Its cost is bounded: no more than [`LINKS_MAX`] targets between buses are followed.

use std::collections::{BTreeMap, HashMap, VecDeque};

use pattern::Pattern;
use pattern::never::exclude_each_other;

use crate::code::Code;
use crate::diagnostic::Fault;
use crate::schema::{Draft, SHAPE};
use crate::source::Source;
use crate::yaml::Span;

/// How many targets between buses are followed.
const LINKS_MAX: usize = 1_000;

/// A target as it is written: which events go where, and as what.
pub(crate) struct Written {
    pub id: String,
    pub span: Span,
    /// The same for two that send the same.
    pub sends: String,
    /// The bus that events go to as they are.
    pub passes_on_to: Option<String>,
}

/// A file as far as this is concerned.
pub(crate) struct Seen<'a, 'f> {
    pub source: &'a Source<'f>,
    pub drafts: &'a [Draft],
}

/// One target that passes events of a bus on to another.
struct Link<'a> {
    file: usize,
    rule: &'a str,
    from: &'a str,
    to: &'a str,
    pattern: &'a Pattern,
    span: &'a Span,
}

/// The warnings, each with the position of its file.
pub(crate) fn warnings(files: &[Seen<'_, '_>]) -> Vec<(usize, Fault)> {
    let mut found = twins(files);
    found.extend(circles(files));
    found
}

fn twins(files: &[Seen<'_, '_>]) -> Vec<(usize, Fault)> {
    let mut first: HashMap<(&str, &str, &str), String> = HashMap::new();
    let mut found = Vec::new();
    for (file, Seen { source, drafts }) in files.iter().enumerate() {
        for draft in drafts.iter().filter(|draft| draft.is_enabled()) {
            for Written { id, span, sends, .. } in &draft.written {
                let line = source.line_and_column(span.start).0;
                let rule = draft.name.as_ref().map_or("", |(name, _)| name);
                let place = format!("`{rule}/{id}` at {}:{line}", source.path);
                let key = (draft.bus.as_str(), draft.asks.as_str(), sends.as_str());
                let Some(other) = first.get(&key) else {
                    first.insert(key, place);
                    continue;
                };
                let words = (
                    format!(
                        "the target `{id}` gets the same events as {other}, and sends the same to the same place"
                    ),
                    "each event arrives twice",
                    "remove one of the two, or make their patterns differ",
                );
                found.push((file, Fault::new(Code::TwinTarget, span.clone(), words)));
            }
        }
    }
    found
}

fn circles(files: &[Seen<'_, '_>]) -> Vec<(usize, Fault)> {
    let links: Vec<Link<'_>> = links(files).take(LINKS_MAX + 1).collect();
    if LINKS_MAX < links.len() {
        return Vec::new();
    }
    let mut from: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, link) in links.iter().enumerate() {
        from.entry(link.from).or_default().push(at);
    }
    let mut found: Vec<(usize, Fault)> = Vec::new();
    let mut told = vec![false; links.len()];
    for start in 0..links.len() {
        let Some(circle) = circle(start, &links, &from) else { continue };
        if circle.iter().any(|at| told[*at]) {
            continue;
        }
        circle.iter().for_each(|at| told[*at] = true);
        let mut way: Vec<&str> = circle.iter().map(|at| links[*at].from).collect();
        way.push(links[start].from);
        let others: Vec<String> =
            circle.iter().skip(1).map(|at| format!("`{}`", links[*at].rule)).collect();
        let by =
            if others.is_empty() { String::new() } else { format!(", by {}", others.join(", ")) };
        let words = (
            format!("an event that comes here goes round: {}", way.join(" → ")),
            format!("comes back{by}"),
            "make one of the patterns exclude what comes back; an event ends as a dead letter after `delivery.hops_max` buses, 8 unless configured",
        );
        let link = &links[start];
        found.push((link.file, Fault::new(Code::BusLoop, link.span.clone(), words)));
    }
    found
}

fn links<'a>(files: &'a [Seen<'_, '_>]) -> impl Iterator<Item = Link<'a>> {
    files.iter().enumerate().flat_map(|(file, seen)| {
        let drafts = seen.drafts.iter().filter(|draft| draft.is_enabled());
        drafts.filter_map(|draft| Some((draft, draft.rule.as_ref()?))).flat_map(
            move |(draft, rule)| {
                draft.written.iter().filter_map(move |written| {
                    Some(Link {
                        file,
                        rule: &rule.name,
                        from: &rule.bus,
                        to: written.passes_on_to.as_deref()?,
                        pattern: &rule.pattern,
                        span: &written.span,
                    })
                })
            },
        )
    })
}

/// The shortest way from a link back to the bus it begins at, on which an event may go.
fn circle(
    start: usize,
    links: &[Link<'_>],
    from: &BTreeMap<&str, Vec<usize>>,
) -> Option<Vec<usize>> {
    let mut before: BTreeMap<usize, usize> = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(at) = next.pop_front() {
        if links[at].to == links[start].from {
            let mut way = vec![at];
            while let Some(at) = before.get(way.last()?) {
                way.push(*at);
            }
            way.reverse();
            let mut pairs = way
                .iter()
                .enumerate()
                .flat_map(|(n, one)| way.iter().skip(n + 1).map(move |other| (one, other)));
            let is_possible = !pairs.any(|(one, other)| excludes(&links[*one], &links[*other]));
            return is_possible.then_some(way);
        }
        for other in from.get(links[at].to).into_iter().flatten() {
            let is_new = *other != start && !before.contains_key(other);
            if is_new && !excludes(&links[start], &links[*other]) {
                before.insert(*other, at);
                next.push_back(*other);
            }
        }
    }
    None
}

fn excludes(one: &Link<'_>, other: &Link<'_>) -> bool {
    exclude_each_other(one.pattern, other.pattern, &SHAPE)
}
