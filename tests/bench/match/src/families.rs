//! All families by name.
//!
//! # Invariants
//!
//! - A name ends in the number of its rules where families differ in nothing else.
//! - A family is made when it is asked for, and is the same each time.

use crate::city_lots::{self, Coordinates, Rules};
use crate::{arrays, one_field, rules};

/// Patterns and the events to hold against them.
pub struct Family {
    /// One JSON text each.
    pub patterns: Vec<String>,
    pub events: Vec<Vec<u8>>,
    /// A path that each event has, for a reader that finds one value.
    pub probe: &'static [&'static str],
}

/// A family that has not been made yet.
pub struct Spec {
    pub name: &'static str,
    /// For people.
    pub about: &'static str,
    /// How many patterns it has.
    pub patterns: usize,
    make: fn(usize) -> Family,
}

impl Spec {
    pub fn make(&self) -> Family {
        let family = (self.make)(self.patterns);
        assert_eq!(family.patterns.len(), self.patterns, "{} says how many it has", self.name);
        family
    }
}

/// Every family, in the order of the table.
pub fn all() -> &'static [Spec] {
    &ALL
}

/// The families that the words name; all when there is no word. A word that is no name stands for all
/// names that begin so. An error is a word that names none.
pub fn find(words: &[String]) -> Result<Vec<&'static Spec>, String> {
    let is_name = |word: &str| ALL.iter().any(|spec| spec.name == word);
    let names = |word: &str, spec: &Spec| {
        if is_name(word) { spec.name == word } else { spec.name.starts_with(word) }
    };
    if let Some(nothing) = words.iter().find(|word| !ALL.iter().any(|spec| names(word, spec))) {
        return Err(nothing.clone());
    }
    let wanted =
        |spec: &&Spec| words.is_empty() || words.iter().any(|word| names(word.as_str(), spec));
    Ok(ALL.iter().filter(wanted).collect())
}

/// The text of a pattern: the entries of each path. Keys nest, as people write them.
pub(crate) fn rule(fields: &[(&str, &str)]) -> String {
    let fields: Vec<(Vec<&str>, &str)> =
        fields.iter().map(|(path, entries)| (path.split('.').collect(), *entries)).collect();
    let fields: Vec<(&[&str], &str)> =
        fields.iter().map(|(keys, entries)| (keys.as_slice(), *entries)).collect();
    object(&fields)
}

fn object(fields: &[(&[&str], &str)]) -> String {
    let mut members: Vec<String> = Vec::new();
    let mut rest = fields.to_vec();
    while let Some(&(keys, entries)) = rest.first() {
        let (key, deeper) =
            keys.split_first().expect("a path has a key, and no path begins another");
        if deeper.is_empty() {
            rest.remove(0);
            members.push(format!(r#""{key}": [{entries}]"#));
            continue;
        }
        let is_below = |field: &(&[&str], &str)| field.0.first() == Some(key);
        let below: Vec<_> = rest.iter().filter(|field| is_below(field)).collect();
        let below: Vec<_> =
            below.into_iter().map(|(keys, entries)| (&keys[1..], *entries)).collect();
        members.push(format!(r#""{key}": {}"#, object(&below)));
        rest.retain(|field| !is_below(field));
    }
    format!("{{{}}}", members.join(", "))
}

const fn spec(
    name: &'static str,
    about: &'static str,
    patterns: usize,
    make: fn(usize) -> Family,
) -> Spec {
    Spec { name, about, patterns, make }
}

static ALL: [Spec; 34] = [
    spec("city-exact", "city lots, exact", 5, |_| city(&[Rules::Exact])),
    spec("city-prefix", "city lots, prefix", 5, |_| city(&[Rules::Prefix])),
    spec("city-suffix", "city lots, suffix", 5, |_| city(&[Rules::Suffix])),
    spec("city-wildcard", "city lots, wildcard", 5, |_| city(&[Rules::Wildcard])),
    spec("city-ignore-case", "city lots, equals-ignore-case", 5, |_| city(&[Rules::IgnoreCase])),
    spec("city-anything-but", "city lots, anything-but", 5, |_| city(&[Rules::AnythingBut])),
    spec("city-numeric", "city lots, numeric", 5, |_| {
        city_lots::family(&[Rules::Numeric], Coordinates::Objects)
    }),
    spec("city-common", "city lots, the common kinds", 25, |_| city(&city_lots::COMMON)),
    spec("city-all", "city lots, every kind, coordinates", 40, |_| {
        city_lots::family(&city_lots::ALL, Coordinates::Objects)
    }),
    spec("exact-1", "3 exact fields", 1, rules::exact),
    spec("exact-100", "3 exact fields", 100, rules::exact),
    spec("exact-1k", "3 exact fields", 1_000, rules::exact),
    spec("exact-10k", "3 exact fields", 10_000, rules::exact),
    spec("exact-100k", "3 exact fields", 100_000, rules::exact),
    spec("common-first-1k", "3 exact fields, commonest first", 1_000, rules::common_first),
    spec("common-first-100k", "3 exact fields, commonest first", 100_000, rules::common_first),
    spec("mixed-100", "mixed operators", 100, rules::mixed),
    spec("mixed-1k", "mixed operators", 1_000, rules::mixed),
    spec("mixed-10k", "mixed operators", 10_000, rules::mixed),
    spec("mixed-100k", "mixed operators", 100_000, rules::mixed),
    spec("every-1k", "every operator", 1_000, rules::every),
    spec("every-100k", "every operator", 100_000, rules::every),
    spec("wildcards-100", "wildcards on one field", 100, one_field::wildcards),
    spec("wildcards-1k", "wildcards on one field", 1_000, one_field::wildcards),
    spec("wildcards-10k", "wildcards on one field", 10_000, one_field::wildcards),
    spec("thresholds-100", "thresholds, few match", 100, one_field::thresholds),
    spec("thresholds-1k", "thresholds, few match", 1_000, one_field::thresholds),
    spec("thresholds-10k", "thresholds, few match", 10_000, one_field::thresholds),
    spec("half-100", "thresholds, half match", 100, one_field::half),
    spec("half-1k", "thresholds, half match", 1_000, one_field::half),
    spec("half-10k", "thresholds, half match", 10_000, one_field::half),
    spec("tenth-1k", "a tenth matches each event", 1_000, one_field::tenth),
    spec("tenth-10k", "a tenth matches each event", 10_000, one_field::tenth),
    spec("arrays", "110 KB of nested arrays", 50, |_| arrays::family()),
];

fn city(kinds: &[Rules]) -> Family {
    city_lots::family(kinds, Coordinates::Arrays)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_nest_and_keep_their_order() {
        let text = rule(&[("a.b", "1"), ("c", "\"x\", null"), ("a.d.e", "2")]);
        assert_eq!(text, r#"{"a": {"b": [1], "d": {"e": [2]}}, "c": ["x", null]}"#);
    }

    #[test]
    fn families_are_found_by_their_name_or_its_beginning() {
        let names = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            find(&words).map(|specs| specs.iter().map(|spec| spec.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&["tenth", "arrays"]).unwrap(), ["tenth-1k", "tenth-10k", "arrays"]);
        assert_eq!(names(&["exact-1", "mixed-100"]).unwrap(), ["exact-1", "mixed-100"]);
        assert_eq!(names(&[]).unwrap().len(), ALL.len());
        assert_eq!(names(&["mixed", "nonsense"]).unwrap_err(), "nonsense");
    }
}
