//! Long texts, many fields, values and alternatives, and bytes that are no event.

use expect_test::expect;
use slipswitch_pattern::{Event, Pattern, explain};

use crate::{check, explained};

#[test]
fn what_is_hostile_is_cut_and_harmless() {
    let text = "x".repeat(100_000);
    check(
        &format!(r#"{{"a": ["{text}", "\u001b[31mred\u202e"]}}"#),
        &format!(r#"{{"a": "\u001b]0;{text}"}}"#),
        expect![[r#"
            ✗ no match: a: "\u001b]0;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…" (100,004 bytes) is not one of "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…" (100,000 bytes), "\u001b[31mred\u202e"

              ✗ a: "\u001b]0;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…" (100,004 bytes) is not one of "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…" (100,000 bytes), "\u001b[31mred\u202e"
        "#]],
    );
    check(
        &format!(r#"{{"{text}": ["\ud800"]}}"#),
        r#"{"a": 1}"#,
        expect![[r#"
        ✗ no match: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…: absent, expected "\ud800"

          ✗ xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…: absent, expected "\ud800"
    "#]],
    );
}

#[test]
fn of_many_alternatives_and_values_the_nearest_are_told() {
    let objects: Vec<String> =
        (0..1_000).map(|at| format!(r#"{{"f{at}": [1], "g{at}": [2]}}"#)).collect();
    let pattern = format!(r#"{{"a": [{{"prefix": "y"}}], "$or": [{}]}}"#, objects.join(", "));
    let values = vec![r#"{"b": "x"}, "x""#; 30_000].join(", ");
    let event = format!(r#"{{"f500": 1, "a": [{values}]}}"#);
    let told = explained(&pattern, &event).to_string();
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines.len() < 100, "{told}");
    let ends = [&lines[..13], &["  […]"], &lines[lines.len() - 1..]].concat().join("\n");
    expect![[r#"
        ✗ no match: none of 1,000 alternatives; the nearest, number 501: a: none of "x", "x", "x" and 29,997 more begins with "y" (and 1 more)

          ✗ alternative 501 of 1,000: 1 of 3 fields fit
            ✗ a: none of "x", "x", "x" and 29,997 more begins with "y"
              a[1]: "x" does not begin with "y"
              a[3]: "x" does not begin with "y"
              a[5]: "x" does not begin with "y"
              a[7]: "x" does not begin with "y"
              a[9]: "x" does not begin with "y"
              … and 59,995 more
            ✓ f500: 1
            ✗ g500: absent, expected 2
              → f500 exists, g500 does not
          […]
          … and 994 more alternatives"#]].assert_eq(&ends);
}

#[test]
fn of_many_fields_those_that_fail_are_told() {
    let fields = |one: &str| {
        let fields: Vec<String> = (0..200)
            .map(|at| format!(r#""f{at:03}": {}"#, one.replace('x', &at.to_string())))
            .collect();
        format!("{{{}}}", fields.join(", "))
    };
    let pattern = fields("[x]").replace("[77]", "[0, 1, 2]").replace("[88]", r#"["88"]"#);
    let told = explained(&pattern, &fields("x")).to_string();
    let failed: Vec<&str> = told.lines().filter(|line| !line.contains('✓')).collect();
    expect![[r#"
        ✗ no match: f077: 77 is not one of 0, 1, 2 (and 1 more)

          ✗ f077: 77 is not one of 0, 1, 2
          ✗ f088: 88 is a number, expected the string "88"
            → in quotes it would fit
          … and 160 more fields"#]]
    .assert_eq(&failed.join("\n"));
}

#[test]
fn bytes_that_nobody_checked_are_explained_or_an_error() {
    let texts = [
        r#"{"a": {"b": ["x", {"exists": false}], "c": [{"wildcard": "*a*b*"}]}}"#,
        r#"{"$or": [{"a.b": [1]}, {"a": [{"cidr": "10.0.0.0/8"}]}, {"é": [{"numeric": ["<", 5]}]}]}"#,
    ];
    let patterns = texts.map(|text| Pattern::parse(text).unwrap());
    let good =
        r#"{"a": [{"b": "x", "c": "\ud83d\ude80b"}, {"b": 1e400}], "é": "10.0.0.1", "": [[]]}"#;
    for at in 0..good.len() {
        for byte in [b'"', b'\\', b'{', b']', b',', b':', 0, 0xff, 0xed] {
            let mut bytes = good.as_bytes().to_vec();
            bytes[at] = byte;
            for bytes in [&bytes[..], &bytes[..at]] {
                let event = Event::checked_before(bytes);
                for pattern in &patterns {
                    match explain(pattern, event) {
                        Ok(explanation) => assert!(!explanation.to_string().is_empty()),
                        Err(error) => assert!(error.offset <= bytes.len(), "{error}"),
                    }
                }
            }
        }
    }
}
