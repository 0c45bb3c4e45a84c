//! What may have been meant, where nothing stands at a path.
//!
//! # Invariants
//!
//! - However many keys an event has, a constant number of them is looked at.

use super::closeness::is_same_folded;
use super::entry::Entry;
use super::survey::{Found, NodeId, Survey, What};
use super::words;
use crate::ignore_case::IgnoreCase;
use crate::parse::is_operator;
use crate::value::{Value, Wanted};
use crate::wildcard::Wildcard;

/// Hints for one field.
const HINTS_MAX: usize = 2;

/// Keys looked at for one field.
const KEYS_LOOKED_AT_MAX: usize = 5_000;

/// Keys of an object that are named.
const KEYS_SHOWN_MAX: usize = 5;

/// A key that is longer is not compared letter by letter.
const KEY_CHARS_MAX: usize = 40;

pub(super) struct Missing<'a> {
    pub(super) survey: &'a Survey<'a>,
    pub(super) path: &'a [u8],
    pub(super) entries: &'a [Entry<'a>],
}

impl Missing<'_> {
    pub(super) fn hints(&self) -> Vec<String> {
        let (at, rest) = self.survey.follow(self.path);
        let mut hints = Vec::new();
        if rest.is_empty() {
            hints.extend(self.keys_below(at));
            return hints;
        }
        hints.extend(self.operator(at, &rest));
        hints.extend(self.not_entered(at));
        let spelled = self.spelled_otherwise(at, &rest);
        let is_spelled_otherwise = spelled.is_some();
        hints.extend(spelled.map(|node| self.exists(node)));
        if !is_spelled_otherwise {
            hints.extend(self.elsewhere().map(|node| self.exists(node)));
            if rest.len() == 1 {
                hints.extend(self.beside(at));
            }
        }
        if hints.is_empty() && 1 < rest.len() {
            let mut missing = self.survey.path(0, at);
            if at != 0 {
                missing.push(b'.');
            }
            missing.extend_from_slice(rest[0]);
            hints.push(format!("there is no {} at all", words::path(&missing)));
        }
        if hints.is_empty() {
            hints.extend(self.siblings(at));
        }
        hints.truncate(HINTS_MAX);
        hints
    }

    /// An operator was written as if it were a key of the value.
    fn operator(&self, node: NodeId, rest: &[&[u8]]) -> Option<String> {
        let [name] = rest else { return None };
        if node == 0 || !is_operator(name) {
            return None;
        }
        self.survey.found(node).iter().find(|found| found.value().is_some())?;
        let (key, name) = (words::quoted(self.survey.key(node)), words::path(name));
        Some(format!(
            "{name} is a field here; as an operator it stands in a list: {{{key}: [{{\"{name}\": …}}]}}"
        ))
    }

    fn exists(&self, node: NodeId) -> String {
        let there = words::path(&self.survey.path(0, node));
        format!("{there} exists, {} does not", words::path(self.path))
    }

    /// The path ends at an object.
    fn keys_below(&self, node: NodeId) -> Option<String> {
        let mut paths: Vec<String> =
            self.children(node).map(|child| words::path(&self.survey.path(0, child))).collect();
        paths.reverse();
        let listed = words::list(&paths, KEYS_SHOWN_MAX, "and");
        (!paths.is_empty()).then(|| format!("a pattern has to go on to a value: there is {listed}"))
    }

    /// What there is instead.
    fn siblings(&self, node: NodeId) -> Option<String> {
        let mut keys: Vec<String> =
            self.children(node).map(|child| words::path(self.survey.key(child))).collect();
        keys.reverse();
        let there = words::path(&self.survey.path(0, node));
        let listed = words::list(&keys, KEYS_SHOWN_MAX, "and");
        (node != 0 && !keys.is_empty()).then(|| format!("{there} has {listed}"))
    }

    /// The path goes on behind a value.
    fn not_entered(&self, node: NodeId) -> Option<String> {
        if node == 0 {
            return None;
        }
        let path = words::path(&self.survey.path(0, node));
        let found = self.survey.found(node);
        if found.iter().any(|found| matches!(found.what, What::Object)) {
            return None;
        }
        match &found.first()?.what {
            What::Text(text) if matches!(text.trim_ascii_start(), [b'{' | b'[', ..]) => {
                Some(format!("{path} is a string that holds JSON: what is in it is not looked at"))
            }
            What::EmptyArray => Some(format!("{path} is an empty array")),
            What::Text(_) | What::Other(_) => {
                Some(format!("{path} is {}, not an object", value(found.first()?)))
            }
            What::Object => None,
        }
    }

    /// The same keys in another case, with other hyphens, or with a slip.
    fn spelled_otherwise(&self, from: NodeId, rest: &[&[u8]]) -> Option<NodeId> {
        rest.iter().try_fold(from, |at, key| {
            self.survey.child(at, key).or_else(|| {
                let key = std::str::from_utf8(key).ok()?;
                let other = |child: &NodeId| std::str::from_utf8(self.survey.key(*child)).ok();
                let is_folded = |child: &NodeId| {
                    other(child).is_some_and(|other| is_same_folded(&bare(other), &bare(key)))
                };
                let is_slip =
                    |child: &NodeId| other(child).is_some_and(|other| is_one_slip(other, key));
                self.children(at).find(is_folded).or_else(|| self.children(at).find(is_slip))
            })
        })
    }

    /// The path without its first keys, or with others before it.
    fn elsewhere(&self) -> Option<NodeId> {
        let keys: Vec<&[u8]> = self.path.split(|byte| *byte == b'.').collect();
        let last = keys.last()?;
        let nodes = self.survey.nodes().take(KEYS_LOOKED_AT_MAX);
        let mut ends = nodes.filter(|node| self.survey.key(*node) == *last);
        ends.find(|node| {
            if !self.survey.found(*node).iter().any(|found| found.value().is_some()) {
                return false;
            }
            // From the end on, all keys of the shorter of both.
            let mut at = *node;
            for key in keys.iter().rev() {
                if at == 0 {
                    return true;
                }
                if self.survey.key(at) != *key {
                    return false;
                }
                at = self.survey.parent(at);
            }
            true
        })
    }

    /// A value that fits stands under another key of the same object.
    fn beside(&self, parent: NodeId) -> Option<String> {
        let fits = |found: &Found<'_>| {
            let value = found.value()?;
            let is_telling = |entry: &&Entry<'_>| entry.wanted().is_some_and(is_telling);
            let mut telling = self.entries.iter().take(KEYS_LOOKED_AT_MAX).filter(is_telling);
            telling.any(|entry| entry.accepts(&value)).then(|| self::value(found))
        };
        self.children(parent).find_map(|child| {
            let value = self.survey.found(child).iter().take(KEYS_SHOWN_MAX).find_map(fits)?;
            Some(format!("{value} is at {}", words::path(&self.survey.path(0, child))))
        })
    }

    fn children(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        self.survey.children(node).take(KEYS_LOOKED_AT_MAX)
    }
}

/// Few values fit such an entry by chance.
fn is_telling(wanted: &Wanted) -> bool {
    use Wanted as W;
    match wanted {
        W::Text(text) => 1 < text.len(),
        W::Prefix(text) | W::Suffix(text) => 2 < text.len(),
        W::Number(number) => 1 < number.spelling.len(),
        W::Address(_) | W::Network(_) | W::Regex(_) => true,
        W::IgnoreCase(_) | W::PrefixIgnoreCase(_) | W::SuffixIgnoreCase(_) => true,
        W::All(wanted) => wanted.iter().any(is_telling),
        W::True | W::False | W::Null | W::Present => false,
        W::Wildcard(_) | W::Range(_) | W::AnythingBut(_) => false,
    }
}

/// The operator with which what was wanted would fit a value that it does not fit.
pub(super) fn operator_for(wanted: &Wanted, value: &Value<'_>) -> Option<String> {
    use Wanted as W;
    let Value::Text(found) = value else { return None };
    let folded = |text: &[u8]| IgnoreCase::new(text);
    let in_any_case = |text: &[u8]| format!("{{\"equals-ignore-case\": {}}}", words::quoted(text));
    match wanted {
        W::Text(text) if folded(text).equals(found) => {
            Some(format!("{} would fit", in_any_case(text)))
        }
        W::Prefix(text) if folded(text).begins(found) => {
            Some(format!("{{\"prefix\": {}}} would fit", in_any_case(text)))
        }
        W::Suffix(text) if folded(text).ends(found) => {
            Some(format!("{{\"suffix\": {}}} would fit", in_any_case(text)))
        }
        W::Text(text) if text.contains(&b'*') => {
            let wildcard = Wildcard::read(text).ok()?;
            let shown = words::quoted(text);
            let hint = format!("* is plain text here; {{\"wildcard\": {shown}}} would fit");
            wildcard.matches(found).then_some(hint)
        }
        _ => None,
    }
}

/// What was found, as JSON writes it.
pub(super) fn value(found: &Found<'_>) -> String {
    use crate::value::Value as V;
    match found.value() {
        Some(V::Text(text)) => words::quoted(text),
        Some(V::Number(number)) => words::bare(number.literal),
        Some(V::True) => "true".to_owned(),
        Some(V::False) => "false".to_owned(),
        Some(V::Null) => "null".to_owned(),
        None if matches!(found.what, What::Object) => "an object".to_owned(),
        None => "an empty array".to_owned(),
    }
}

fn bare(key: &str) -> String {
    key.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).collect()
}

/// One character is other, missing, one too many, or in the place of its neighbour.
fn is_one_slip(left: &str, right: &str) -> bool {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let (short, long) = if left.len() < right.len() { (left, right) } else { (right, left) };
    if short.len() < 4 || KEY_CHARS_MAX < long.len() || short.len() + 1 < long.len() {
        return false;
    }
    let same = short.iter().zip(&long).take_while(|(a, b)| a == b).count();
    if short.len() < long.len() {
        return short[same..] == long[same + 1..];
    }
    let (short, long) = (&short[same..], &long[same..]);
    match (short, long) {
        ([a, b, short @ ..], [c, d, long @ ..]) if (a, b) == (d, c) => short == long,
        ([_, short @ ..], [_, long @ ..]) => short == long,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_one_slip;

    #[test]
    fn one_slip_of_the_finger_is_forgiven() {
        for (left, right) in
            [("state", "stat"), ("state", "statte"), ("state", "staet"), ("state", "stare")]
        {
            assert!(is_one_slip(left, right) && is_one_slip(right, left), "{left} {right}");
        }
        for (left, right) in [("id", "is"), ("state", "status"), ("state", "total"), ("", "a")] {
            assert!(!is_one_slip(left, right) && !is_one_slip(right, left), "{left} {right}");
        }
    }
}
