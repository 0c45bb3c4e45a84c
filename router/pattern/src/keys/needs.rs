//! What an event must hold for a pattern to match it.
//!
//! ```text
//! {"source": ["a", "b"], "$or": [{"x": [1]}, {"y": [{"prefix": "p"}]}]}
//!
//! branches   source a or b, and x 1      or      source a or b
//! ```
//!
//! # Invariants
//!
//! - Sound: a field that some value without a key of its own could satisfy needs nothing.
//! - Asking costs at most one look at each value of the pattern and one at each field of each branch.

use super::hash::{Path, Room};
use crate::pattern::{Field, Pattern};
use crate::value::Wanted;

/// The keys a pattern asks for: of each field in one of the branches, one.
#[derive(Clone, Debug)]
pub struct Needs {
    /// For each field that needs something: one of these keys.
    fields: Vec<Vec<u64>>,
    /// Each a list of positions in `fields`. One that is empty needs nothing.
    branches: Vec<Vec<usize>>,
}

impl Pattern {
    /// What the pattern needs of an event's keys.
    pub fn needs(&self) -> Needs {
        let mut fields = Vec::new();
        let places: Vec<Option<usize>> = self
            .fields()
            .iter()
            .map(|field| {
                fields.push(keys(field)?);
                Some(fields.len() - 1)
            })
            .collect();
        let needed =
            |branch: &Vec<usize>| branch.iter().filter_map(|field| places[*field]).collect();
        Needs { fields, branches: self.branches().iter().map(needed).collect() }
    }
}

impl Needs {
    /// What is needed of nobody: everything may match.
    pub fn nothing() -> Self {
        Self { fields: Vec::new(), branches: vec![Vec::new()] }
    }

    /// Nothing can be skipped.
    pub fn is_empty(&self) -> bool {
        self.branches.iter().any(Vec::is_empty)
    }

    /// Whether events that hold only keys for which `may_hold` is true could match.
    pub fn may_match(&self, may_hold: &dyn Fn(u64) -> bool) -> bool {
        if self.is_empty() {
            return true;
        }
        let mut known: Vec<Option<bool>> = vec![None; self.fields.len()];
        let mut is_met = |field: usize| {
            *known[field].get_or_insert_with(|| self.fields[field].iter().any(|key| may_hold(*key)))
        };
        self.branches.iter().any(|branch| branch.iter().all(|field| is_met(*field)))
    }
}

/// The keys of which a field needs one; `None` when it may do without.
fn keys(field: &Field) -> Option<Vec<u64>> {
    if field.or_absent {
        return None;
    }
    let path = Path::new(&field.path);
    let mut keys = Vec::new();
    for wanted in &field.wanted {
        add(wanted, path, &mut keys)?;
    }
    Some(keys)
}

/// Adds the keys of which a value that is wanted so has one; `None` when it may have any other.
fn add(wanted: &Wanted, path: Path, keys: &mut Vec<u64>) -> Option<()> {
    let room = &mut Room::new();
    match wanted {
        Wanted::Text(text) => keys.push(path.text(text, room)),
        Wanted::Address(address) => keys.push(path.address(*address)),
        Wanted::Number(number) => keys.push(path.literal(&number.spelling, room)),
        Wanted::Range(range) => keys.push(path.number(range.the_only()?, room)),
        Wanted::True => keys.push(path.word(b't')),
        Wanted::False => keys.push(path.word(b'f')),
        Wanted::Null => keys.push(path.word(b'z')),
        // Each must accept the value: the keys of any one of them will do.
        Wanted::All(all) => {
            let one = all.iter().find_map(|wanted| {
                let mut keys = Vec::new();
                add(wanted, path, &mut keys).map(|()| keys)
            });
            keys.extend(one?);
        }
        Wanted::Present
        | Wanted::Prefix(_)
        | Wanted::Suffix(_)
        | Wanted::IgnoreCase(_)
        | Wanted::PrefixIgnoreCase(_)
        | Wanted::SuffixIgnoreCase(_)
        | Wanted::Wildcard(_)
        | Wanted::Network(_)
        | Wanted::AnythingBut(_)
        | Wanted::Regex(_) => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::of_event;

    fn may_match(pattern: &str, event: &str) -> bool {
        let mut keys = Vec::new();
        of_event(event.as_bytes(), &mut |key| keys.push(key));
        Pattern::parse(pattern).unwrap().needs().may_match(&|key| keys.contains(&key))
    }

    #[track_caller]
    fn assert_skips(pattern: &str, held: &[&str], skipped: &[&str]) {
        for event in held {
            assert!(may_match(pattern, event), "{pattern} may match {event}");
        }
        for event in skipped {
            assert!(!may_match(pattern, event), "{pattern} cannot match {event}");
        }
    }

    #[test]
    fn exact_values_are_needed_and_all_fields_are() {
        assert_skips(
            r#"{"source": ["a", "b"], "detail": {"n": [300, null, true]}}"#,
            &[r#"{"source":"b","detail":{"n":3e2}}"#, r#"{"source":"a","detail":{"n":[1,true]}}"#],
            &[r#"{"source":"b","detail":{"n":301}}"#, r#"{"source":"c","detail":{"n":300}}"#, "{}"],
        );
        assert_skips(r#"{"n": [{"numeric": ["=", 5]}]}"#, &[r#"{"n":5.0}"#], &[r#"{"n":6}"#]);
        assert_skips(
            r#"{"ip": ["10.0.0.1"]}"#,
            &[r#"{"ip":"::ffff:a00:1"}"#],
            &[r#"{"ip":"10.0.0.2"}"#],
        );
        assert_skips(r#"{"n": [1e999]}"#, &[r#"{"n":1e999}"#], &[r#"{"n":1e998}"#]);
    }

    #[test]
    fn of_branches_one_is_enough_and_one_without_needs_spoils_it() {
        let pattern = r#"{"source": ["a"], "$or": [{"x": [1]}, {"y": [2]}]}"#;
        assert_skips(
            pattern,
            &[r#"{"source":"a","x":1}"#, r#"{"source":"a","y":2}"#],
            &[r#"{"source":"a"}"#, r#"{"x":1,"y":2}"#, r#"{"source":"a","x":2,"y":1}"#],
        );
        let spoilt = Pattern::parse(r#"{"$or": [{"x": [1]}, {"y": [{"prefix": "p"}]}]}"#).unwrap();
        assert!(spoilt.needs().is_empty() && spoilt.needs().may_match(&|_| false));
    }

    #[test]
    fn what_asks_for_more_than_single_values_needs_nothing() {
        for entry in [
            r#"{"prefix": "a"}"#,
            r#"{"suffix": "a"}"#,
            r#"{"wildcard": "a*"}"#,
            r#"{"equals-ignore-case": "a"}"#,
            r#"{"anything-but": "a"}"#,
            r#"{"numeric": [">", 5]}"#,
            r#"{"numeric": [">=", 5, "<=", 6]}"#,
            r#"{"cidr": "10.0.0.0/8"}"#,
            r#"{"exists": true}"#,
            r#"{"exists": false}"#,
            r#"{"slipswitch:regex": "a"}"#,
        ] {
            let needs = Pattern::parse(&format!(r#"{{"a": [1, {entry}]}}"#)).unwrap().needs();
            assert!(needs.is_empty(), "{entry}");
        }
        let all = r#"{"a": [{"slipswitch:all": [{"prefix": "x"}, {"exactly": "xy"}]}]}"#;
        assert_skips(all, &[r#"{"a":"xy"}"#], &[r#"{"a":"xz"}"#]);
    }
}
