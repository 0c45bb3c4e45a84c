use proptest::prelude::*;

use super::*;
use crate::event::Event;
use crate::{PatternIndex, naive};

const SHAPE: Shape<'static> = Shape(&[
    ("source", Held::Text),
    ("replay-name", Held::MaybeText),
    ("resources", Held::Texts),
    ("detail", Held::Object),
]);

fn why(pattern: &str) -> Option<(String, Why)> {
    let pattern = Pattern::parse(pattern).expect("a pattern");
    never(&pattern, &SHAPE).map(|never| (never.path, never.why))
}

#[test]
fn what_no_event_is_like_is_told_with_its_field() {
    let told = [
        (r#"{"foo": ["x"]}"#, "foo", Why::NoSuchKey),
        (
            r#"{"detail": {"a": [1]}, "foo": {"bar": [{"exists": true}]}}"#,
            "foo.bar",
            Why::NoSuchKey,
        ),
        (r#"{"source": [1, null]}"#, "source", Why::ATextAlways),
        (r#"{"source": [{"numeric": [">", 1]}]}"#, "source", Why::ATextAlways),
        (r#"{"source": {"name": ["x"]}}"#, "source.name", Why::NothingBelow),
        (r#"{"source": [{"exists": false}]}"#, "source", Why::AlwaysThere),
        (r#"{"detail": ["x"]}"#, "detail", Why::AnObject),
        (r#"{"resources": [true]}"#, "resources", Why::ATextAlways),
        (
            r#"{"detail": {"n": [{"slipswitch:all": [{"numeric": [">", 5]}, {"numeric": ["<", 3]}]}]}}"#,
            "detail.n",
            Why::Contradiction,
        ),
        (
            r#"{"detail": {"n": [{"slipswitch:all": ["a", {"anything-but": ["a"]}]}]}}"#,
            "detail.n",
            Why::Contradiction,
        ),
        (r#"{"$or": [{"foo": [1]}, {"source": [1]}]}"#, "foo", Why::NoSuchKey),
    ];
    for (pattern, path, reason) in told {
        assert_eq!(why(pattern), Some((path.to_owned(), reason)), "{pattern}");
    }
}

#[test]
fn what_an_event_may_be_like_is_not() {
    for pattern in [
        r#"{"source": [1, "x"]}"#,
        r#"{"source": [{"anything-but": [1]}]}"#,
        r#"{"source": [{"exists": false}, {"prefix": "a"}]}"#,
        r#"{"replay-name": [{"exists": false}]}"#,
        r#"{"foo": [{"exists": false}]}"#,
        r#"{"resources": [{"exists": false}]}"#,
        r#"{"detail": [{"exists": false}]}"#,
        r#"{"detail.a": [1]}"#,
        r#"{"$or": [{"foo": [1]}, {"source": ["x"]}]}"#,
        r#"{"detail": {"n": [{"slipswitch:all": [{"numeric": [">=", 5]}, {"numeric": ["<=", 5]}]}]}}"#,
    ] {
        assert_eq!(why(pattern), None, "{pattern}");
    }
}

#[test]
fn patterns_exclude_each_other_by_fields_of_one_value_alone() {
    let exclude = |left: &str, right: &str| {
        let [left, right] = [left, right].map(|text| Pattern::parse(text).expect("a pattern"));
        exclude_each_other(&left, &right, &SHAPE)
    };
    assert!(exclude(r#"{"source": ["a"]}"#, r#"{"source": ["b", {"prefix": "c"}]}"#));
    assert!(!exclude(r#"{"source": ["ab"]}"#, r#"{"source": [{"prefix": "a"}]}"#));
    assert!(!exclude(r#"{"resources": ["a"]}"#, r#"{"resources": ["b"]}"#));
    assert!(!exclude(r#"{"detail": {"a": [1]}}"#, r#"{"detail": {"a": [2]}}"#));
    assert!(!exclude(r#"{"source": ["a"]}"#, r#"{"detail": {"a": [1]}}"#));
}

fn entry() -> impl Strategy<Value = String> {
    let plain = prop::sample::select(vec![
        r#""a""#,
        r#""ab""#,
        r#""b""#,
        r#""1""#,
        "1",
        "2",
        "1.0",
        "3",
        "true",
        "false",
        "null",
        r#"{"exists": true}"#,
        r#"{"prefix": "a"}"#,
        r#"{"prefix": "b"}"#,
        r#"{"suffix": "b"}"#,
        r#"{"suffix": "a"}"#,
        r#"{"anything-but": ["a"]}"#,
        r#"{"anything-but": [1]}"#,
        r#"{"numeric": [">", 1]}"#,
        r#"{"numeric": ["<", 2]}"#,
        r#"{"numeric": ["<=", 1]}"#,
        r#"{"numeric": [">=", 2, "<", 3]}"#,
        r#"{"numeric": ["=", 2]}"#,
        r#"{"equals-ignore-case": "AB"}"#,
        r#"{"wildcard": "*b"}"#,
        r#"{"anything-but": {"prefix": "a"}}"#,
        r#"{"cidr": "10.0.0.0/8"}"#,
        r#"{"slipswitch:regex": "a.*"}"#,
    ]);
    plain.prop_map(str::to_owned).prop_recursive(2, 6, 3, |inner| {
        prop::collection::vec(inner, 2..4)
            .prop_map(|all| format!(r#"{{"slipswitch:all": [{}]}}"#, all.join(", ")))
    })
}

fn field() -> impl Strategy<Value = String> {
    let path = prop::sample::select(vec![
        "source",
        "replay-name",
        "resources",
        "detail",
        "foo",
        "detail.n",
        "detail.n.m",
        "source.x",
        "foo.n",
    ]);
    let absent = prop::option::weighted(0.2, Just(r#"{"exists": false}"#.to_owned()));
    (path, prop::collection::vec(entry(), 1..3), absent).prop_map(|(path, mut list, absent)| {
        list.extend(absent);
        format!(r#""{path}": [{}]"#, list.join(", "))
    })
}

fn pattern() -> impl Strategy<Value = String> {
    let fields = || prop::collection::vec(field(), 1..3).prop_map(|all| all.join(", "));
    prop_oneof![
        fields().prop_map(|fields| format!("{{{fields}}}")),
        (fields(), fields())
            .prop_map(|(one, other)| format!(r#"{{"$or": [{{{one}}}, {{{other}}}]}}"#)),
    ]
}

/// Of the shape, with everything below `detail` that patterns look for.
fn event() -> impl Strategy<Value = String> {
    let text = || prop::sample::select(vec!["a", "ab", "b", "1", "AB", "10.0.0.1", ""]);
    let scalar = || {
        prop::sample::select(vec![
            r#""a""#,
            r#""ab""#,
            r#""b""#,
            "1",
            "1.0",
            "2",
            "1.5",
            "3",
            "true",
            "false",
            "null",
            "[]",
            r#"[1, "a", 2]"#,
            r#"{"m": "a"}"#,
            r#"[{"m": 1}, {"m": "b"}]"#,
        ])
    };
    let resources = prop::collection::vec(text(), 0..3);
    let detail = prop::option::of(scalar());
    (text(), prop::option::of(text()), resources, detail).prop_map(
        |(source, replay, resources, n)| {
            let replay = replay.map_or(String::new(), |name| format!(r#""replay-name":"{name}","#));
            let detail = n.map_or(String::new(), |n| format!(r#""n":{n}"#));
            format!(
                r#"{{"source":"{source}",{replay}"resources":{resources:?},"detail":{{{detail}}}}}"#
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    /// Twenty events each: a hundred thousand pairs.
    #[test]
    fn what_is_said_never_to_match_never_does(
        one in pattern(), other in pattern(), events in prop::collection::vec(event(), 20),
    ) {
        let patterns = [one, other].map(|text| Pattern::parse(&text).expect("a pattern"));
        let nevers = patterns.each_ref().map(|pattern| never(pattern, &SHAPE).is_some());
        let exclude = exclude_each_other(&patterns[0], &patterns[1], &SHAPE);
        let matcher = naive::Matcher::new(&patterns);
        let (mut scratch, mut matched) = (naive::Scratch::default(), Vec::new());
        for event in events {
            let checked = Event::check(event.as_bytes()).expect("an event");
            matcher.matches(checked, &mut scratch, &mut matched).expect("few combinations");
            for (at, never) in (0..).zip(nevers) {
                prop_assert!(!never || !matched.contains(&PatternIndex(at)), "{event} {:?}", patterns);
            }
            prop_assert!(!exclude || matched.len() < 2, "{event} {:?}", patterns);
        }
    }
}
