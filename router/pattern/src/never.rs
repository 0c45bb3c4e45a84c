//! Patterns that no event can match, as far as that can be proved.
//!
//! A branch is impossible when one of its fields is; a pattern when all of its branches are. What is known beforehand of
//! every event is a [`Shape`]: which keys it has at the top, and what stands there.
//!
//! # Invariants
//!
//! - Only what is proved is said: the naive matcher agrees on every event of the shape. What is not understood (a regex, a
//!   wildcard, text beside text in other cases) counts as possible.
//!
//! # Not here
//!
//! - Which events there are: the caller brings the shape.

use crate::number::Decimal;
use crate::pattern::{Field, Pattern};
use crate::value::{Number, Range, Value, Wanted};

/// What stands at a key of every event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// One text, always.
    Text,
    /// One text, or nothing.
    MaybeText,
    /// A list of texts, maybe empty.
    Texts,
    /// An object, of whatever.
    Object,
}

/// The keys of every event at the top, none of which has a dot, and what stands there. There are no others.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a>(pub &'a [(&'a str, Held)]);

/// Why no event matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Never {
    /// The field that no event has: its keys, joined by dots.
    pub path: String,
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Events have no such key.
    NoSuchKey,
    /// A value is asked for below a key that holds a text or texts.
    NothingBelow,
    /// A value is asked for where an object stands.
    AnObject,
    /// The field is asked to be absent, and never is.
    AlwaysThere,
    /// A text stands there, and none of the entries is one for texts.
    ATextAlways,
    /// No value fits all conditions of any entry.
    Contradiction,
}

/// Why no event of this shape can match the pattern; none when one may.
///
/// Of a pattern with several branches it is the first impossible field of the first branch.
pub fn never(pattern: &Pattern, shape: &Shape<'_>) -> Option<Never> {
    let mut first = None;
    for branch in pattern.branches() {
        let fields = branch.iter().map(|at| &pattern.fields()[*at]);
        let impossible = fields.filter_map(|field| impossible(field, shape)).next()?;
        first.get_or_insert(impossible);
    }
    first
}

/// Whether it is proved that no event of this shape matches both.
pub fn exclude_each_other(left: &Pattern, right: &Pattern, shape: &Shape<'_>) -> bool {
    if never(left, shape).is_some() || never(right, shape).is_some() {
        return true;
    }
    let branches = left.branches();
    branches.iter().all(|one| {
        right.branches().iter().all(|other| {
            one.iter().any(|at| {
                let field = &left.fields()[*at];
                // Only a field that has one value at most: of several, each may fit one of the two.
                is_single_text(field, shape)
                    && other
                        .iter()
                        .map(|at| &right.fields()[*at])
                        .any(|other| other.path == field.path && !can_both_be(field, other))
            })
        })
    })
}

fn impossible(field: &Field, shape: &Shape<'_>) -> Option<Never> {
    let why = why_impossible(field, shape)?;
    Some(Never { path: String::from_utf8_lossy(&field.path).into_owned(), why })
}

fn why_impossible(field: &Field, shape: &Shape<'_>) -> Option<Why> {
    let dot = memchr::memchr(b'.', &field.path);
    let top = field.path.get(..dot.unwrap_or(field.path.len())).unwrap_or_default();
    let held = shape.0.iter().find(|(key, _)| key.as_bytes() == top).map(|(_, held)| *held);
    let nothing = match (held, dot) {
        (None, _) => Some(Why::NoSuchKey),
        (Some(Held::Object), None) => Some(Why::AnObject),
        (Some(Held::Object), Some(_)) => None,
        (Some(_), Some(_)) => Some(Why::NothingBelow),
        (Some(_), None) => None,
    };
    if let Some(why) = nothing {
        return (!field.or_absent).then_some(why);
    }
    if field.wanted.is_empty() && field.or_absent {
        return (held == Some(Held::Text)).then_some(Why::AlwaysThere);
    }
    if field.or_absent && held != Some(Held::Text) {
        return None;
    }
    let is_text = held != Some(Held::Object);
    if is_text && field.wanted.iter().all(|wanted| !may_be_text(wanted)) {
        return Some(Why::ATextAlways);
    }
    field
        .wanted
        .iter()
        .all(|wanted| is_contradiction(wanted, is_text))
        .then_some(Why::Contradiction)
}

fn is_single_text(field: &Field, shape: &Shape<'_>) -> bool {
    let mut keys = shape.0.iter();
    keys.any(|(key, held)| {
        key.as_bytes() == &*field.path && matches!(held, Held::Text | Held::MaybeText)
    })
}

/// Whether one value, or its absence, may satisfy both fields, of one path.
fn can_both_be(field: &Field, other: &Field) -> bool {
    field.or_absent && other.or_absent
        || field.wanted.iter().any(|one| other.wanted.iter().any(|other| may_agree(one, other)))
}

fn may_be_text(wanted: &Wanted) -> bool {
    match wanted {
        Wanted::Number(_) | Wanted::Range(_) | Wanted::True | Wanted::False | Wanted::Null => false,
        Wanted::All(all) => all.iter().all(may_be_text),
        _ => true,
    }
}

/// Whether no value fits an entry.
fn is_contradiction(wanted: &Wanted, is_text: bool) -> bool {
    let Wanted::All(all) = wanted else { return is_text && !may_be_text(wanted) };
    is_text && !may_be_text(wanted)
        || all.iter().any(|one| is_contradiction(one, is_text))
        || all
            .iter()
            .enumerate()
            .any(|(at, one)| all.iter().skip(at + 1).any(|other| !may_agree(one, other)))
        || are_ranges_apart(all)
}

/// Whether one value may fit both; false only when none does.
fn may_agree(one: &Wanted, other: &Wanted) -> bool {
    use Wanted as W;
    if let Some(value) = the_only(one) {
        return other.accepts(&value);
    }
    if let Some(value) = the_only(other) {
        return one.accepts(&value);
    }
    match (one, other) {
        (W::All(all), other) | (other, W::All(all)) => all.iter().all(|one| may_agree(one, other)),
        (W::Prefix(one), W::Prefix(other)) => one.starts_with(other) || other.starts_with(one),
        (W::Suffix(one), W::Suffix(other)) => one.ends_with(other) || other.ends_with(one),
        (W::Range(one), W::Range(other)) => overlap(one, other),
        (W::Present | W::AnythingBut(_), _) | (_, W::Present | W::AnythingBut(_)) => true,
        (W::Range(_) | W::Number(_), other) | (other, W::Range(_) | W::Number(_)) => {
            matches!(other, W::Range(_) | W::Number(_))
        }
        _ => true,
    }
}

/// The only value that an entry stands for.
fn the_only(wanted: &Wanted) -> Option<Value<'_>> {
    Some(match wanted {
        Wanted::Text(text) => Value::Text(text),
        Wanted::True => Value::True,
        Wanted::False => Value::False,
        Wanted::Null => Value::Null,
        // One without a value counts as it is spelled alone.
        Wanted::Number(number) => Value::Number(Number::read(&number.spelling)),
        _ => return None,
    })
}

/// Whether the ranges among them leave no number, though each two of them may.
fn are_ranges_apart(all: &[Wanted]) -> bool {
    let ranges: Vec<&Range> = all
        .iter()
        .filter_map(|one| if let Wanted::Range(range) = one { Some(range) } else { None })
        .collect();
    ranges
        .iter()
        .enumerate()
        .any(|(at, one)| ranges.iter().skip(at + 1).any(|other| !overlap(one, other)))
}

fn overlap(one: &Range, other: &Range) -> bool {
    let lies_below = |low: &Range, high: &Range| match (&low.top, &high.bottom) {
        (Some(top), Some(bottom)) => {
            let (top_value, bottom_value): (&Decimal<'_>, &Decimal<'_>) =
                (&top.value, &bottom.value);
            top_value < bottom_value
                || top_value == bottom_value && !(top.inclusive && bottom.inclusive)
        }
        _ => false,
    };
    !lies_below(one, other) && !lies_below(other, one)
}

#[cfg(test)]
mod tests;
