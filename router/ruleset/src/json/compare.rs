//! Whether two JSON values mean the same, and if not, where they first differ.

use std::collections::BTreeMap;

use super::{Kind, elements, kind, members, same_number, unescape};

/// The first place where two values differ.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// As a JSONPath.
    pub path: String,
    /// JSON text; none when there is nothing at this place.
    pub expected: Option<String>,
    pub actual: Option<String>,
}

/// Compares by value: the order of keys, white space and the spelling of numbers do not count.
///
/// Of a key that stands twice in an object the last counts.
pub fn difference(expected: &str, actual: &str) -> Option<Difference> {
    find(expected, actual, "$")
}

fn find(expected: &str, actual: &str, path: &str) -> Option<Difference> {
    let is_same = match (kind(expected), kind(actual)) {
        (Kind::Object, Kind::Object) => return in_objects(expected, actual, path),
        (Kind::Array, Kind::Array) => return in_arrays(expected, actual, path),
        (Kind::Number, Kind::Number) => same_number(expected.trim(), actual.trim()),
        (Kind::Text, Kind::Text) => unescape(expected.trim()) == unescape(actual.trim()),
        _ => expected.trim() == actual.trim(),
    };
    (!is_same).then(|| differ(path, Some(expected), Some(actual)))
}

fn in_objects(expected: &str, actual: &str, path: &str) -> Option<Difference> {
    let by_key = |object| members(object).map(|(key, value)| (unescape(key), value));
    let actual: BTreeMap<_, _> = by_key(actual).collect();
    let expected: BTreeMap<_, _> = by_key(expected).collect();
    let of_expected = expected.iter().find_map(|(key, &value)| {
        let inner = step(path, key);
        match actual.get(key) {
            Some(found) => find(value, found, &inner),
            None => Some(differ(&inner, Some(value), None)),
        }
    });
    of_expected.or_else(|| {
        let (key, value) = actual.iter().find(|(key, _)| !expected.contains_key(*key))?;
        Some(differ(&step(path, key), None, Some(value)))
    })
}

fn in_arrays(expected: &str, actual: &str, path: &str) -> Option<Difference> {
    let mut expected = elements(expected);
    let mut actual = elements(actual);
    for at in 0.. {
        let inner = format!("{path}[{at}]");
        match (expected.next(), actual.next()) {
            (None, None) => break,
            (Some(one), Some(other)) => {
                if let Some(difference) = find(one, other, &inner) {
                    return Some(difference);
                }
            }
            (one, other) => return Some(differ(&inner, one, other)),
        }
    }
    None
}

fn differ(path: &str, expected: Option<&str>, actual: Option<&str>) -> Difference {
    let text = |value: Option<&str>| value.map(|value| value.trim().to_owned());
    Difference { path: path.to_owned(), expected: text(expected), actual: text(actual) }
}

fn step(path: &str, key: &str) -> String {
    let is_plain =
        !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    if is_plain { format!("{path}.{key}") } else { format!("{path}['{key}']") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: &str, actual: &str, found: &str) {
        let words = match difference(expected, actual) {
            None => "same".to_owned(),
            Some(Difference { path, expected, actual }) => {
                let text = |value: Option<String>| value.unwrap_or("nothing".to_owned());
                format!("{path}: {} but {}", text(expected), text(actual))
            }
        };
        assert_eq!(words, found);
    }

    #[test]
    fn order_spacing_and_spelling_do_not_count() {
        check(r#"{"a":1.10,"b":["x"]}"#, r#"{ "b": [ "\u0078" ], "a": 1.1 }"#, "same");
        check(r#"{"a":1,"a":2}"#, r#"{"a":2}"#, "same");
        check("null", " null ", "same");
    }

    #[test]
    fn the_first_difference_is_named() {
        check(r#"{"a":{"b-c":[1,2]}}"#, r#"{"a":{"b-c":[1,3]}}"#, "$.a.b-c[1]: 2 but 3");
        check("[1]", "[1,2]", "$[1]: nothing but 2");
        check(r#"{"a b":1}"#, "{}", "$['a b']: 1 but nothing");
        check("{}", r#"{"x":null}"#, "$.x: nothing but null");
        check("1", r#""1""#, r#"$: 1 but "1""#);
    }
}
