//! Of many patterns those that match, and those that nearly do.

use expect_test::expect;
use slipswitch_pattern::explain::Near;
use slipswitch_pattern::{Event, Pattern, nearest};

fn told(near: &Near, patterns: &[Pattern]) -> String {
    let Near { pattern, is_match, fits, of, why } = near;
    let mark = if *is_match { '✓' } else { '✗' };
    let text = patterns[pattern.0 as usize].text();
    format!("{mark} {fits}/{of} {text}\n    {why}\n")
}

#[test]
fn of_many_patterns_those_that_match_come_first_and_then_the_nearest() {
    let texts = [
        r#"{"nothing": ["x"]}"#,
        r#"{"source": ["shop"], "detail": {"state": ["gone"]}}"#,
        r#"{"source": ["shop"], "detail": {"state": [5]}}"#,
        r#"{"source": ["shop"], "detail": {"stat": ["on"]}}"#,
        r#"{"source": ["shop"], "detail": {"state": ["on"]}}"#,
        r#"{"source": ["shop"], "detail": {"state": ["ON"]}}"#,
        r#"{"source": ["shop"]}"#,
        r#"{"detail": {"items": {"a": [1], "b": [2]}}}"#,
        r#"{"source": ["shop"], "detail": {"state": ["gone"], "kind": ["big"]}}"#,
        r#"{"source": ["shop"], "detail": {"state": ["gone"], "kind": ["big"], "sum": [1]}}"#,
        r#"{"$or": [{"a": [1], "b": [1]}, {"source": ["shop"], "detail": {"sum": [2]}}]}"#,
    ];
    let patterns: Vec<Pattern> = texts.map(|text| Pattern::parse(text).unwrap()).into();
    let event = Event::check(
        br#"{"source": "shop", "detail": {"state": "on", "kind": "big", "sum": 1, "items": [{"a": 1, "b": 1}, {"b": 2}]}}"#,
    )
    .unwrap();
    let near = nearest(&patterns, event, 20).unwrap();
    assert_eq!((near.matched, near.patterns.len()), (2, patterns.len()));
    let list: String = near.patterns.iter().map(|near| told(near, &patterns)).collect();
    expect![[r#"
        ✓ 2/2 {"source": ["shop"], "detail": {"state": ["on"]}}
            every field fits
        ✓ 1/1 {"source": ["shop"]}
            every field fits
        ✗ 3/4 {"source": ["shop"], "detail": {"state": ["gone"], "kind": ["big"], "sum": [1]}}
            detail.state: "on" is not "gone"
        ✗ 2/3 {"source": ["shop"], "detail": {"state": ["gone"], "kind": ["big"]}}
            detail.state: "on" is not "gone"
        ✗ 1/2 {"detail": {"items": {"a": [1], "b": [2]}}}
            detail.items: no single element had both a and b
        ✗ 1/2 {"source": ["shop"], "detail": {"state": ["ON"]}}
            detail.state: "on" differs from "ON" in case only
        ✗ 1/2 {"source": ["shop"], "detail": {"state": ["gone"]}}
            detail.state: "on" is not "gone"
        ✗ 1/2 {"$or": [{"a": [1], "b": [1]}, {"source": ["shop"], "detail": {"sum": [2]}}]}
            detail.sum: 1 is not 2
        ✗ 1/2 {"source": ["shop"], "detail": {"state": [5]}}
            detail.state: "on" is a string, expected the number 5
        ✗ 1/2 {"source": ["shop"], "detail": {"stat": ["on"]}}
            detail.stat: absent, expected "on"
        ✗ 0/1 {"nothing": ["x"]}
            nothing: absent, expected "x"
    "#]]
    .assert_eq(&list);
    let few = nearest(&patterns, event, 3).unwrap();
    assert_eq!((few.matched, &few.patterns[..]), (2, &near.patterns[..3]));
    assert_eq!(nearest(&patterns, event, 0).unwrap().matched, 2);
    assert_eq!(nearest(&[], event, 5).unwrap().patterns, []);
}
