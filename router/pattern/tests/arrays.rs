//! The matcher against the definition: arrays, dotted keys, `exists`, `$or`, repeated keys.
//!
//! The oracle shares nothing with the crate: patterns and events are made as trees, and it tries
//! every choice of leaves, one field after the other.

use std::collections::BTreeMap;

use proptest::prelude::*;
use slipswitch_pattern::{Event, Matcher, Pattern, PatternIndex, Scratch};

/// An event. Keys may repeat.
#[derive(Clone, Debug)]
enum Tree {
    Number(u8),
    Array(Vec<Tree>),
    Object(Vec<(&'static str, Tree)>),
}

/// An entry of a field's list.
#[derive(Clone, Copy, Debug)]
enum Entry {
    Number(u8),
    Not(u8),
    Exists(bool),
}

/// A member of an object of a pattern.
#[derive(Clone, Debug)]
enum Member {
    Field(&'static str, Vec<Entry>),
    Inner(&'static str, Vec<Member>),
    Or(Vec<Vec<Member>>),
}

const KEYS: [&str; 4] = ["a", "b", "a.b", "a-"];

impl Tree {
    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Array(entries) => {
                let entries: Vec<String> = entries.iter().map(Self::text).collect();
                format!("[{}]", entries.join(","))
            }
            Self::Object(members) => {
                let members: Vec<String> = members
                    .iter()
                    .map(|(key, value)| format!("\"{key}\":{}", value.text()))
                    .collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }
}

fn pattern_text(members: &[Member]) -> String {
    let text = |member: &Member| match member {
        Member::Field(key, entries) => {
            let entry = |entry: &Entry| match entry {
                Entry::Number(number) => number.to_string(),
                Entry::Not(number) => format!("{{\"anything-but\":{number}}}"),
                Entry::Exists(exists) => format!("{{\"exists\":{exists}}}"),
            };
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("\"{key}\":[{}]", entries.join(","))
        }
        Member::Inner(key, members) => format!("\"{key}\":{}", pattern_text(members)),
        Member::Or(objects) => {
            let objects: Vec<String> =
                objects.iter().map(|members| pattern_text(members)).collect();
            format!("\"$or\":[{}]", objects.join(","))
        }
    };
    let members: Vec<String> = members.iter().map(text).collect();
    format!("{{{}}}", members.join(","))
}

/// Which entry of which array, by a number for each array.
type Place = BTreeMap<usize, usize>;

#[derive(Default)]
struct Leaves {
    all: Vec<(String, u8, Place)>,
    arrays: usize,
}

impl Leaves {
    fn collect(&mut self, path: Option<&str>, tree: &Tree, place: &Place) {
        match tree {
            Tree::Number(number) => {
                self.all.push((path.unwrap_or("").to_owned(), *number, place.clone()));
            }
            Tree::Object(members) => {
                for (key, value) in members {
                    let path = path.map_or((*key).to_owned(), |path| format!("{path}.{key}"));
                    self.collect(Some(&path), value, place);
                }
            }
            Tree::Array(entries) => {
                let array = self.arrays;
                self.arrays += 1;
                for (at, entry) in entries.iter().enumerate() {
                    let mut place = place.clone();
                    if !matches!(entry, Tree::Number(_)) {
                        place.insert(array, at);
                    }
                    self.collect(path, entry, &place);
                }
            }
        }
    }
}

fn is_consistent(place: &Place, so_far: &Place) -> bool {
    place.iter().all(|(array, at)| so_far.get(array).is_none_or(|other| other == at))
}

type Fields = BTreeMap<String, Vec<Entry>>;

/// All ways to read the alternatives, each with the later of two fields of one path.
fn branches(members: &[Member], path: &str, before: Vec<Fields>) -> Vec<Fields> {
    members.iter().fold(before, |mut branches, member| match member {
        Member::Field(key, entries) => {
            for branch in &mut branches {
                branch.insert(format!("{path}{key}"), entries.clone());
            }
            branches
        }
        Member::Inner(key, members) => self::branches(members, &format!("{path}{key}."), branches),
        Member::Or(objects) => objects
            .iter()
            .flat_map(|members| self::branches(members, path, branches.clone()))
            .collect(),
    })
}

fn is_satisfied(fields: &[(&String, &Vec<Entry>)], leaves: &Leaves, so_far: &Place) -> bool {
    let Some(((path, entries), later)) = fields.split_first() else {
        return true;
    };
    let mut here =
        leaves.all.iter().filter(|(at, _, place)| at == *path && is_consistent(place, so_far));
    if entries.iter().any(|entry| matches!(entry, Entry::Exists(false)))
        && here.clone().next().is_none()
        && is_satisfied(later, leaves, so_far)
    {
        return true;
    }
    here.any(|(_, number, place)| {
        let fits = |entry: &Entry| match entry {
            Entry::Number(wanted) => wanted == number,
            Entry::Not(unwanted) => unwanted != number,
            Entry::Exists(exists) => *exists,
        };
        let mut tied = so_far.clone();
        tied.extend(place);
        entries.iter().any(fits) && is_satisfied(later, leaves, &tied)
    })
}

fn oracle(pattern: &[Member], event: &Tree) -> bool {
    let mut leaves = Leaves::default();
    leaves.collect(None, event, &Place::new());
    branches(pattern, "", vec![Fields::new()]).iter().any(|branch| {
        let fields: Vec<_> = branch.iter().collect();
        is_satisfied(&fields, &leaves, &Place::new())
    })
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(KEYS.as_slice())
}

fn object(inner: impl Strategy<Value = Tree>) -> impl Strategy<Value = Tree> {
    prop::collection::vec((key(), inner), 0..4).prop_map(Tree::Object)
}

fn event() -> impl Strategy<Value = Tree> {
    let leaf = (0..3_u8).prop_map(Tree::Number);
    let tree = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            2 => prop::collection::vec(inner.clone(), 0..4).prop_map(Tree::Array),
            3 => object(inner),
        ]
    });
    object(tree)
}

fn members() -> impl Strategy<Value = Vec<Member>> {
    let entry = prop_oneof![
        4 => (0..3_u8).prop_map(Entry::Number),
        1 => (0..3_u8).prop_map(Entry::Not),
        2 => any::<bool>().prop_map(Entry::Exists),
    ];
    let field = (key(), prop::collection::vec(entry, 1..3))
        .prop_map(|(key, entries)| Member::Field(key, entries));
    let member = field.prop_recursive(3, 12, 3, |inner| {
        let members = prop::collection::vec(inner, 1..4);
        prop_oneof![
            3 => (key(), members.clone()).prop_map(|(key, members)| Member::Inner(key, members)),
            1 => prop::collection::vec(members, 2..3).prop_map(Member::Or),
        ]
    });
    prop::collection::vec(member, 1..4)
}

/// Events of little but arrays of objects, with values that patterns ask for.
fn crowded() -> impl Strategy<Value = Tree> {
    let keys = || prop::sample::select(["b", "c", "d"].as_slice());
    let number = (0..2_u8).prop_map(Tree::Number);
    let object = |inner: BoxedStrategy<Tree>| {
        prop::collection::vec((keys(), inner), 0..4).prop_map(Tree::Object)
    };
    let array =
        |inner: BoxedStrategy<Tree>| prop::collection::vec(inner, 0..5).prop_map(Tree::Array);
    let inner =
        prop_oneof![3 => number.clone(), 1 => array(object(number.boxed()).boxed()).boxed()];
    array(object(inner.boxed()).boxed()).prop_map(|array| Tree::Object(vec![("a", array)]))
}

/// Patterns with several fields in one array.
fn close_together() -> impl Strategy<Value = Vec<Member>> {
    let entry = prop_oneof![
        4 => (0..2_u8).prop_map(Entry::Number),
        1 => any::<bool>().prop_map(Entry::Exists),
    ];
    let key = prop::sample::select(["b", "c", "d", "b.c", "b.d", "c.d"].as_slice());
    let field = (key, entry).prop_map(|(key, entry)| Member::Field(key, vec![entry]));
    prop::collection::vec(field, 2..5).prop_map(|fields| vec![Member::Inner("a", fields)])
}

fn check(patterns: &[Vec<Member>], event: &Tree) -> Result<(), TestCaseError> {
    let texts: Vec<String> = patterns.iter().map(|members| pattern_text(members)).collect();
    let parse = |text: &String| Pattern::parse(text).expect("the pattern is valid");
    let parsed: Vec<Pattern> = texts.iter().map(parse).collect();
    let (mut scratch, mut matched) = (Scratch::default(), Vec::new());
    let text = event.text();
    let checked = Event::check(text.as_bytes()).expect("the event is valid");
    let result = Matcher::new(&parsed).matches(checked, &mut scratch, &mut matched);
    prop_assert_eq!(result, Ok(()));
    matched.sort_unstable();
    let expected: Vec<PatternIndex> = (0..)
        .zip(patterns)
        .filter(|(_, pattern)| oracle(pattern, event))
        .map(|(index, _)| PatternIndex(index))
        .collect();
    prop_assert_eq!(matched, expected, "{:?} on {}", texts, text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3_000) })]

    #[test]
    fn the_matcher_agrees_with_trying_every_choice(
        patterns in prop::collection::vec(members(), 4),
        event in event(),
    ) {
        check(&patterns, &event)?;
    }

    #[test]
    fn fields_of_one_array_agree_with_trying_every_choice(
        patterns in prop::collection::vec(close_together(), 4),
        event in crowded(),
    ) {
        check(&patterns, &event)?;
    }
}
