//! What somebody may have meant by a name that is no operator.

use super::ours;
use crate::pattern::Dialect;

/// A name that is longer was not meant to be an operator.
const NAME_BYTES_MAX: usize = 40;

const AMAZONS: [&str; 9] = [
    "prefix",
    "suffix",
    "equals-ignore-case",
    "wildcard",
    "anything-but",
    "numeric",
    "cidr",
    "exists",
    "exactly",
];

/// Names that other languages have for what we have.
const ELSEWHERE: [(&str, &str); 19] = [
    ("equals", "exactly"),
    ("exact", "exactly"),
    ("starts-with", "prefix"),
    ("ends-with", "suffix"),
    ("glob", "wildcard"),
    ("not", "anything-but"),
    ("exist", "exists"),
    ("ip", "cidr"),
    ("number", "numeric"),
    ("all", ours::ALL),
    ("all-of", ours::ALL),
    ("and", ours::ALL),
    ("$and", ours::ALL),
    ("regex", ours::REGEX),
    ("regexp", ours::REGEX),
    ("matches", ours::REGEX),
    ("match", ours::REGEX),
    ("i-regexp", ours::REGEX),
    ("iregexp", ours::REGEX),
];

/// Whether it is the name of one of Amazon's operators.
pub(crate) fn is_operator(name: &[u8]) -> bool {
    AMAZONS.iter().any(|known| known.as_bytes() == name)
}

/// What to write where a field has the name of an operator and a value that no field has.
pub(super) fn mend_of_field(name: &[u8], parent: Option<&[u8]>) -> Option<String> {
    if !is_operator(name) {
        return None;
    }
    let name = String::from_utf8_lossy(name);
    let list = format!("[{{\"{name}\": …}}]");
    let shown = match parent.map(String::from_utf8_lossy) {
        Some(parent) => format!("{{\"{parent}\": {list}}}"),
        None => list,
    };
    Some(format!("{name} is an operator: it stands in a list: {shown}"))
}

/// What to write where a key has a list of objects that are no entries, as `$or` has one.
pub(super) fn mend_of_alternatives(key: &[u8]) -> Option<&'static str> {
    if key.eq_ignore_ascii_case(b"$or") {
        Some("did you mean \"$or\"?")
    } else if key.eq_ignore_ascii_case(b"$and") {
        Some("\"$and\" is not needed: fields of one object must all match")
    } else {
        None
    }
}

/// What to write instead of `name`, where an operator has to stand.
pub(super) fn mend(name: &[u8], dialect: Dialect) -> String {
    if name.starts_with(ours::PREFIX) && dialect == Dialect::EventBridge {
        return "this is an operator of slipswitch; EventBridge has none like it".to_owned();
    }
    match meant(name).filter(|meant| dialect == Dialect::Slipswitch || !is_ours(meant)) {
        Some(meant) if is_ours(meant) => {
            format!("write {meant}; it is slipswitch's own, EventBridge has none like it")
        }
        Some(meant) if name.eq_ignore_ascii_case(meant.as_bytes()) => {
            format!("write {meant}, in lower case")
        }
        Some(meant) => format!("write {meant}"),
        None => format!("the operators are {}, in lower case", list(dialect)),
    }
}

fn list(dialect: Dialect) -> String {
    let mut names = AMAZONS.to_vec();
    if dialect == Dialect::Slipswitch {
        names.extend([ours::ALL, ours::REGEX]);
    }
    let last = names.pop().unwrap_or_default();
    format!("{} and {last}", names.join(", "))
}

fn is_ours(name: &str) -> bool {
    name.as_bytes().starts_with(ours::PREFIX)
}

/// The operator whose name is nearest, if one is near.
fn meant(name: &[u8]) -> Option<&'static str> {
    let name = std::str::from_utf8(name).ok().filter(|name| name.len() <= NAME_BYTES_MAX)?;
    let name = name.to_ascii_lowercase().replace(['_', ' '], "-");
    let own = name.strip_prefix("slipswitch");
    let bare = own.unwrap_or(&name).trim_start_matches(|c: char| c != '$' && !c.is_alphanumeric());
    let elsewhere = ELSEWHERE.iter().find(|(other, _)| *other == bare || *other == name);
    if let Some((_, meant)) = elsewhere {
        return Some(*meant);
    }
    let known = AMAZONS.into_iter().chain([ours::ALL, ours::REGEX]);
    let distances = known.map(|known| {
        let spelled = strsim::damerau_levenshtein(&name, known);
        let distance = spelled.min(strsim::damerau_levenshtein(bare, known));
        (distance, known)
    });
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= nearest.len() / 5).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant_by(name: &str) -> Option<&'static str> {
        meant(name.as_bytes())
    }

    #[test]
    fn a_misspelt_operator_is_recognized() {
        for (name, expected) in [
            ("Prefix", "prefix"),
            ("prefx", "prefix"),
            ("sufix", "suffix"),
            ("NUMERIC", "numeric"),
            ("numerics", "numeric"),
            ("anything_but", "anything-but"),
            ("anythingbut", "anything-but"),
            ("equalsIgnoreCase", "equals-ignore-case"),
            ("equal-ignore-case", "equals-ignore-case"),
            ("exist", "exists"),
            ("regex", "slipswitch:regex"),
            ("regexp", "slipswitch:regex"),
            ("slipswitch:regexp", "slipswitch:regex"),
            ("slipswitch-regex", "slipswitch:regex"),
            ("slipswitch.regex", "slipswitch:regex"),
            ("Slipswitch:Regex", "slipswitch:regex"),
            ("slipswich:regex", "slipswitch:regex"),
            ("slipswitch:al", "slipswitch:all"),
            ("slipswitch/all", "slipswitch:all"),
            ("slipswitch:and", "slipswitch:all"),
            ("$and", "slipswitch:all"),
            ("slipswitch:prefix", "prefix"),
        ] {
            assert_eq!(meant_by(name), Some(expected), "{name}");
        }
        for name in ["", "a", "foo", "slipswitch:", "slipswitch", "date", &"prefix".repeat(20)] {
            assert_eq!(meant_by(name), None, "{name}");
        }
    }

    #[test]
    fn what_is_ours_is_not_proposed_for_eventbridge() {
        assert!(mend(b"regex", Dialect::Slipswitch).contains("write slipswitch:regex"));
        assert_eq!(mend(b"NUMERIC", Dialect::EventBridge), "write numeric, in lower case");
        assert_eq!(mend(b"prefx", Dialect::EventBridge), "write prefix");
        assert!(mend(b"slipswitch:all", Dialect::EventBridge).contains("operator of slipswitch"));
        for name in [b"regex".as_slice(), b"and"] {
            let mend = mend(name, Dialect::EventBridge);
            assert!(!mend.contains("slipswitch") && mend.contains("wildcard"), "{mend}");
        }
    }

    fn mend_of(pattern: &str) -> String {
        crate::Pattern::parse(pattern).expect_err("it is no pattern").mend
    }

    #[test]
    fn an_operator_that_is_written_as_a_field_is_put_in_a_list() {
        for operator in AMAZONS {
            let list = format!(r#"[{{"{operator}": …}}]"#);
            for (pattern, shown) in [
                (
                    format!(r#"{{"state": {{"{operator}": "run"}}}}"#),
                    format!(r#"{{"state": {list}}}"#),
                ),
                (
                    format!(r#"{{"a": {{"b.c": {{"x": [1], "{operator}": 5}}}}}}"#),
                    format!(r#"{{"b.c": {list}}}"#),
                ),
                (format!(r#"{{"{operator}": true}}"#), list.clone()),
            ] {
                let expected = format!("{operator} is an operator: it stands in a list: {shown}");
                assert_eq!(mend_of(&pattern), expected, "{pattern}");
            }
        }
        for pattern in [r#"{"state": "run"}"#, r#"{"prefix": {"state": "run"}}"#] {
            assert_eq!(mend_of(pattern), "put the value in a list: [value]", "{pattern}");
        }
    }

    #[test]
    fn a_list_for_an_operator_of_one_string_becomes_one_entry_for_each() {
        let each = |operator: &str| {
            format!(
                r#"write one string, or one entry for each: [{{"{operator}": "x"}}, {{"{operator}": "y"}}]"#
            )
        };
        for operator in ["exactly", "prefix", "suffix", "equals-ignore-case", "wildcard", "cidr"] {
            let list = format!(r#"{{"a": [{{"{operator}": ["x", "y", "z"]}}]}}"#);
            assert_eq!(mend_of(&list), each(operator));
            let number = format!(r#"{{"a": [{{"{operator}": 5}}]}}"#);
            assert_eq!(mend_of(&number), "write one string in double quotes");
        }
        let inner = r#"{"a": [{"prefix": {"equals-ignore-case": ["x"]}}]}"#;
        assert_eq!(mend_of(inner), "write one string in double quotes");
    }

    #[test]
    fn a_list_of_objects_of_fields_is_taken_for_alternatives() {
        for (key, expected) in [
            ("$Or", "did you mean \"$or\"?"),
            ("$OR", "did you mean \"$or\"?"),
            ("$and", "\"$and\" is not needed: fields of one object must all match"),
            ("$And", "\"$and\" is not needed: fields of one object must all match"),
        ] {
            let pattern = format!(r#"{{"{key}": [{{"a": [1]}}, {{"b": [2]}}]}}"#);
            assert_eq!(mend_of(&pattern), expected, "{pattern}");
            let other = format!(r#"{{"{key}": [[1]]}}"#);
            assert!(mend_of(&other).contains("lists do not nest"), "{other}");
        }
        let other = mend_of(r#"{"or": [{"a": [1]}]}"#);
        assert!(other.starts_with("the operators are"), "{other}");
    }
}
