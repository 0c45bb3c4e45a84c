//! What explanations say, and that they agree with the cases of the documents.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use serde_json::Value;
use slipswitch_pattern::explain::Near;
use slipswitch_pattern::{Event, Explanation, Pattern, explain, naive, nearest};

fn explained(pattern: &str, event: &str) -> Explanation {
    let pattern = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{error}: {pattern}"));
    let event = Event::check(event.as_bytes()).unwrap_or_else(|error| panic!("{error}: {event}"));
    explain(&pattern, event).expect("it has few combinations")
}

#[track_caller]
fn check(pattern: &str, event: &str, expected: Expect) {
    expected.assert_eq(&explained(pattern, event).to_string());
}

/// The lists of one field `a`, each with values of it: why it fits or does not, and the hints.
#[track_caller]
fn check_field(cases: &[(&str, &str)], expected: Expect) {
    let mut told = String::new();
    for (list, value) in cases {
        let explanation = explained(&format!("{{\"a\": {list}}}"), &format!("{{\"a\": {value}}}"));
        let field = &explanation.nearest().fields[0];
        let mark = if explanation.is_match() { '✓' } else { '✗' };
        writeln!(told, "{mark} {}", field.why).expect("a string takes everything");
        for hint in &field.hints {
            writeln!(told, "    → {hint}").expect("a string takes everything");
        }
    }
    expected.assert_eq(&told);
}

/// One field that is not there: its path, and the event.
#[track_caller]
fn check_hints(cases: &[(&str, &str)], expected: Expect) {
    let mut told = String::new();
    for (pattern, event) in cases {
        let explanation = explained(pattern, event);
        let field = &explanation.nearest().fields[0];
        writeln!(told, "{}: {}", field.path, field.why).expect("a string takes everything");
        for hint in &field.hints {
            writeln!(told, "    → {hint}").expect("a string takes everything");
        }
    }
    expected.assert_eq(&told);
}

#[test]
fn texts_are_compared_in_words() {
    check_field(
        &[
            (r#"["running"]"#, r#""running""#),
            (r#"["running"]"#, r#""stopped""#),
            (r#"["running"]"#, r#""Running""#),
            (r#"["running"]"#, r#""running ""#),
            (r#"["running"]"#, r#"" RUNNING""#),
            (r#"["running"]"#, "\"running\u{a0}\""),
            (r#"["running", "stopped"]"#, r#""idle""#),
            (r#"["running", "stopped"]"#, r#""Stopped""#),
            (r#"["a", "b", "c", "d", "e", "f", "g", "h"]"#, r#""x""#),
            (r#"[{"exactly": "10.0.0.1"}]"#, r#""10.0.0.01""#),
            (r#"[{"prefix": "com."}]"#, r#""com.shop""#),
            (r#"[{"prefix": "com."}]"#, r#""org.shop""#),
            (r#"[{"prefix": "com."}]"#, r#""Com.shop""#),
            (r#"[{"suffix": ".png"}]"#, r#""a.PNG""#),
            (r#"[{"suffix": ".png"}]"#, r#""a.jpg""#),
            (r#"[{"equals-ignore-case": "yes"}]"#, r#""YES""#),
            (r#"[{"equals-ignore-case": "yes"}]"#, r#""no""#),
            (r#"[{"equals-ignore-case": "yes"}]"#, r#""Yes ""#),
            (r#"[{"prefix": {"equals-ignore-case": "a"}}]"#, r#""b""#),
            (r#"[{"suffix": {"equals-ignore-case": "a"}}]"#, r#""A""#),
            (r#"[{"wildcard": "arn:*:bus/*-eu"}]"#, r#""arn:x:bus/a-eu""#),
            (r#"[{"wildcard": "arn:*:bus/*-eu"}]"#, r#""urn:x:bus/a-eu""#),
            (r#"[{"wildcard": "arn:*:bus/*-eu"}]"#, r#""arn:x:bos/a-eu""#),
            (r#"[{"wildcard": "arn:*:bus/*-eu"}]"#, r#""arn:x:bus/a-us""#),
            (r#"[{"wildcard": "*a*b*c"}]"#, r#""xaxc""#),
            (r#"[{"wildcard": "a\\*b*"}]"#, r#""axb""#),
            (r#"[{"wildcard": "ab*ba"}]"#, r#""aba""#),
            (r#"[{"wildcard": "same"}]"#, r#""other""#),
            (r#"[{"slipswitch:regex": "[a-z]+"}]"#, r#""abc1""#),
            (r#"[{"slipswitch:regex": "[a-z]+"}]"#, r#""abc""#),
            (r#"["a", {"prefix": "b"}, {"numeric": [">", 1]}]"#, r#""x""#),
            (r#"["a", {"prefix": "b"}, {"numeric": [">", 1]}]"#, "true"),
        ],
        expect![[r#"
            ✓ "running"
            ✗ "stopped" is not "running"
            ✗ "Running" differs from "running" in case only
            ✗ "running " differs from "running" in white space only
            ✗ " RUNNING" differs from "running" in case and white space only
            ✗ "running\u00a0" differs from "running" in white space only
            ✗ "idle" is not one of "running", "stopped"
            ✗ "Stopped" differs from "stopped" in case only
            ✗ "x" is not one of "a", "b", "c", "d", "e", "f" and 2 more
            ✗ "10.0.0.01" is not "10.0.0.1"
            ✓ "com.shop" begins with "com."
            ✗ "org.shop" does not begin with "com."
            ✗ "Com.shop" does not begin with "com.": only the case differs
            ✗ "a.PNG" does not end with ".png": only the case differs
            ✗ "a.jpg" does not end with ".png"
            ✓ "YES" is "yes" in any case
            ✗ "no" is not "yes" in any case
            ✗ "Yes " is not "yes" in any case: only white space differs
            ✗ "b" does not begin with "a" in any case
            ✓ "A" ends with "a" in any case
            ✓ "arn:x:bus/a-eu" matches "arn:*:bus/*-eu"
            ✗ "urn:x:bus/a-eu" does not match "arn:*:bus/*-eu": it does not begin with "arn:"
            ✗ "arn:x:bos/a-eu" does not match "arn:*:bus/*-eu": there is no ":bus/" after "arn:"
            ✗ "arn:x:bus/a-us" does not match "arn:*:bus/*-eu": it does not end with "-eu"
            ✗ "xaxc" does not match "*a*b*c": there is no "b" after "a"
            ✗ "axb" does not match "a\\*b*": it does not begin with "a*b"
            ✗ "aba" does not match "ab*ba": it does not end with "ba"
            ✗ "other" does not match "same"
            ✗ "abc1" does not match the regex "[a-z]+"
            ✓ "abc" matches the regex "[a-z]+"
            ✗ "x" does not fit, expected one of "a", a string that begins with "b", a number > 1
            ✗ true does not fit, expected one of "a", a string that begins with "b", a number > 1
        "#]],
    );
}

#[test]
fn numbers_are_compared_in_words() {
    check_field(
        &[
            ("[5]", "5.0"),
            ("[5]", "6"),
            ("[5, 6]", "7"),
            ("[1e400]", "2e400"),
            ("[1e400]", "1E400"),
            (r#"[{"numeric": [">", 100]}]"#, "5"),
            (r#"[{"numeric": [">", 100]}]"#, "250"),
            (r#"[{"numeric": [">", 0, "<=", 5]}]"#, "0"),
            (r#"[{"numeric": [">", 0, "<=", 5]}]"#, "5.01"),
            (r#"[{"numeric": [">", 0, "<=", 5]}]"#, "3"),
            (r#"[{"numeric": ["=", 5]}]"#, "6"),
            (r#"[{"numeric": [">", 5]}]"#, "1e400"),
            (r#"[{"numeric": [">", 100]}]"#, r#""5""#),
            (r#"[{"numeric": [">", 100]}]"#, r#""250""#),
            ("[5]", r#""5""#),
            ("[5]", r#""five""#),
        ],
        expect![[r#"
            ✓ 5.0 is 5
            ✗ 6 is not 5
            ✗ 7 is not one of 5, 6
            ✗ 2e400 is not 1e400: numbers of this size fit only as they are spelled
            ✗ 1E400 is not 1e400: numbers of this size fit only as they are spelled
            ✗ 5 is not > 100
            ✓ 250 is > 100
            ✗ 0 is not > 0
            ✗ 5.01 is not <= 5
            ✓ 3 is > 0 and <= 5
            ✗ 6 is not = 5
            ✗ 1e400 is too large, or too near to zero, to be compared
            ✗ "5" is a string, expected a number > 100
            ✗ "250" is a string, expected a number > 100
                → without its quotes it would fit
            ✗ "5" is a string, expected the number 5
                → without its quotes it would fit
            ✗ "five" is a string, expected the number 5
        "#]],
    );
}

#[test]
fn values_of_other_types_and_addresses_are_compared_in_words() {
    check_field(
        &[
            (r#"["5"]"#, "5"),
            (r#"["true"]"#, "true"),
            ("[true]", r#""true""#),
            ("[true]", "false"),
            ("[true, false]", "null"),
            ("[null]", "0"),
            (r#"["x"]"#, "null"),
            (r#"[{"prefix": "1"}]"#, "12"),
            (r#"["10.0.0.1"]"#, r#""10.0.0.2""#),
            (r#"["10.0.0.1"]"#, r#""010.0.0.1""#),
            (r#"[{"cidr": "10.0.0.0/8"}]"#, r#""11.0.0.1""#),
            (r#"[{"cidr": "10.0.0.0/8"}]"#, r#""10.2.0.1""#),
            (r#"[{"cidr": "10.0.0.0/8"}]"#, r#""localhost""#),
            (r#"[{"cidr": "10.0.0.1/32"}]"#, r#""10.0.0.2""#),
        ],
        expect![[r#"
            ✗ 5 is a number, expected the string "5"
                → in quotes it would fit
            ✗ true is a boolean, expected the string "true"
                → in quotes it would fit
            ✗ "true" is a string, expected true
                → without its quotes it would fit
            ✗ false is not true
            ✗ null is there, expected one of true, false
            ✗ 0 is a number, expected null
            ✗ null is there, expected the string "x"
            ✗ 12 is a number, expected a string that begins with "1"
                → in quotes it would fit
            ✗ "10.0.0.2" is not "10.0.0.1"
            ✓ "010.0.0.1" is "10.0.0.1"
            ✗ "11.0.0.1" is not in 10.0.0.0/8
            ✓ "10.2.0.1" is in 10.0.0.0/8
            ✗ "localhost" is not an IP address, expected an address in 10.0.0.0/8
            ✗ "10.0.0.2" is not in 10.0.0.1/32
        "#]],
    );
}

#[test]
fn exclusion_existence_and_several_conditions_are_put_into_words() {
    check_field(
        &[
            (r#"[{"anything-but": "test"}]"#, r#""test""#),
            (r#"[{"anything-but": "test"}]"#, r#""live""#),
            (r#"[{"anything-but": ["test", "dev"]}]"#, r#""dev""#),
            (r#"[{"anything-but": ["test", "dev"]}]"#, r#""live""#),
            (r#"[{"anything-but": [1, 2]}]"#, "2.0"),
            (r#"[{"anything-but": {"prefix": "te"}}]"#, r#""test""#),
            (r#"[{"anything-but": {"prefix": "te"}}]"#, "5"),
            (r#"[{"anything-but": {"suffix": ["a", "st"]}}]"#, r#""test""#),
            (r#"[{"anything-but": {"equals-ignore-case": "TEST"}}]"#, r#""test""#),
            (r#"[{"anything-but": {"wildcard": "t*t"}}]"#, r#""test""#),
            (r#"[{"anything-but": {"slipswitch:regex": "t.*"}}]"#, r#""test""#),
            (r#"[{"anything-but": "test"}]"#, r#"["test", "test"]"#),
            (r#"[{"anything-but": "test"}]"#, "[]"),
            (r#"[{"exists": true}]"#, "null"),
            (r#"[{"exists": true}]"#, "{}"),
            (r#"[{"exists": true}]"#, "[[], []]"),
            (r#"[{"exists": false}]"#, "5"),
            (r#"[{"exists": false}]"#, "[5, 6]"),
            (r#"[{"exists": false}]"#, "[]"),
            (r#"["x", {"exists": false}]"#, r#""y""#),
            (r#"["x", {"exists": false}]"#, r#""x""#),
            (r#"["x", {"exists": false}]"#, "{}"),
            (r#"[{"slipswitch:all": [{"prefix": "a"}, {"suffix": "z"}]}]"#, r#""abc""#),
            (r#"[{"slipswitch:all": [{"prefix": "a"}, {"suffix": "z"}]}]"#, r#""a-z""#),
            (r#"[{"slipswitch:all": [{"prefix": "a"}, {"suffix": "z"}]}]"#, "5"),
            (r#"[{"slipswitch:all": [{"numeric": [">", 1]}, {"anything-but": 5}]}]"#, "5"),
        ],
        expect![[r#"
            ✗ "test" is excluded, expected anything but "test"
            ✓ "live" is not "test"
            ✗ "dev" is excluded, expected anything but "test" and "dev"
            ✓ "live" is none of "test" and "dev"
            ✗ 2.0 is excluded, expected anything but 1 and 2
            ✗ "test" begins with "te", which is excluded
            ✓ 5 does not begin with "te"
            ✗ "test" ends with "st", which is excluded
            ✗ "test" equals "TEST", which is excluded
            ✗ "test" matches "t*t", which is excluded
            ✗ "test" matches "t.*", which is excluded
            ✗ "test" and "test" are there, expected anything but "test"
            ✗ an empty array is there, expected anything but "test"
            ✓ null is a value
            ✗ an object is there, expected any value
            ✗ 2 empty arrays are there, expected any value
            ✗ 5 is there, expected no value
            ✗ 5 and 6 are there, expected no value
            ✓ absent, as it has to be
            ✗ "y" does not fit, expected one of "x", no value
            ✓ "x"
            ✓ absent, as it has to be
            ✗ "abc" does not end with "z"
            ✓ "a-z" begins with "a" and ends with "z"
            ✗ 5 is a number, expected a value that begins with "a" and ends with "z"
            ✗ 5 is excluded, expected anything but 5
        "#]],
    );
}

#[test]
fn several_values_are_told_apart_and_counted() {
    check_field(
        &[
            (r#"["x"]"#, r#"["a", "x"]"#),
            (r#"["x"]"#, r#"["a", "b"]"#),
            (r#"["x", "y"]"#, r#"["a", "b"]"#),
            (r#"["x"]"#, r#"["a", "X", "b"]"#),
            (r#"[{"numeric": [">", 100]}]"#, "[5, 7]"),
            (r#"[{"numeric": [">", 100]}]"#, r#"["5", "7", "x", "y", "z"]"#),
            (r#"["x"]"#, "[5, null]"),
            (r#"["x"]"#, "{\"b\": 1}"),
            (r#"["x"]"#, "[{\"b\": 1}, []]"),
            (r#"["x"]"#, "[{\"b\": 1}, {}]"),
            (r#"["x"]"#, "[]"),
            (r#"["x"]"#, "[1, [2, {\"b\": 1}]]"),
            (r#"[true, {"exists": false}]"#, "[1, 2]"),
        ],
        expect![[r#"
            ✓ "x"
            ✗ none of "a" and "b" is "x"
            ✗ none of "a" and "b" is one of "x", "y"
            ✗ "X" differs from "x" in case only (the nearest of 3 values)
            ✗ none of 5 and 7 is > 100
            ✗ "5", "7", "x" and 2 more are strings, expected a number > 100
            ✗ 5 and null are there, expected "x"
            ✗ an object is there, expected "x"
                → a pattern has to go on to a value: there is a.b
            ✗ only objects and empty arrays are there, expected "x"
                → a pattern has to go on to a value: there is a.b
            ✗ 2 objects are there, expected "x"
                → a pattern has to go on to a value: there is a.b
            ✗ an empty array is there, expected "x"
            ✗ 1 and 2 are numbers, expected "x"
            ✗ 1 and 2 are numbers, expected one of true, no value
        "#]],
    );
}

#[test]
fn what_was_meant_is_guessed_where_nothing_is() {
    check_hints(
        &[
            (r#"{"detail": {"state": ["running"]}}"#, r#"{"detail": {"State": "running"}}"#),
            (r#"{"detail": {"state": ["a", "b"]}}"#, r#"{"detail": {"stat": "x"}}"#),
            (r#"{"Detail": {"state": ["a"]}}"#, r#"{"detail": {"state": "x"}}"#),
            (r#"{"detailType": ["a"]}"#, r#"{"detail-type": "x"}"#),
            (r#"{"total": [5]}"#, r#"{"detail": {"total": 5}}"#),
            (r#"{"detail": {"source": ["x"]}}"#, r#"{"source": "x", "detail": {}}"#),
            (r#"{"detail": {"state": ["running"]}}"#, r#"{"detail": {"status": "running"}}"#),
            (r#"{"detail": {"total": [{"numeric": [">", 5]}]}}"#, r#"{"detail": {"sum": 6}}"#),
            (r#"{"detail": {"order": {"id": [1]}}}"#, r#"{"detail": {"user": 2}}"#),
            (r#"{"detail": {"order": ["x"]}}"#, r#"{"detail": {"order": {"id": 1, "sum": 2}}}"#),
            (r#"{"detail": {"order": ["x"]}}"#, r#"{"detail.order.id": 2}"#),
            (r#"{"detail": {"a": [1]}}"#, r#"{"detail": "{\"a\": 1}"}"#),
            (r#"{"detail": {"a": [1]}}"#, r#"{"detail": 5}"#),
            (r#"{"detail": {"a": [1]}}"#, r#"{"detail": []}"#),
            (r#"{"a": [{"exists": true}]}"#, "{}"),
            (r#"{"": {"b": [1]}}"#, r#"{"": {"c": 2}}"#),
        ],
        expect![[r#"
            detail.state: absent, expected "running"
                → detail.State exists, detail.state does not
            detail.state: absent, expected one of "a", "b"
                → detail.stat exists, detail.state does not
            Detail.state: absent, expected "a"
                → detail.state exists, Detail.state does not
            detailType: absent, expected "a"
                → detail-type exists, detailType does not
            total: absent, expected 5
                → detail.total exists, total does not
            detail.source: absent, expected "x"
                → source exists, detail.source does not
            detail.state: absent, expected "running"
                → "running" is at detail.status
            detail.total: absent, expected a number > 5
                → detail has sum
            detail.order.id: absent, expected 1
                → there is no detail.order at all
            detail.order: an object is there, expected "x"
                → a pattern has to go on to a value: there is detail.order.id and detail.order.sum
            detail.order: absent, expected "x"
                → a pattern has to go on to a value: there is detail.order.id
            detail.a: absent, expected 1
                → detail is a string that holds JSON: what is in it is not looked at
            detail.a: absent, expected 1
                → detail is 5, not an object
            detail.a: absent, expected 1
                → detail is an empty array
            a: absent, expected any value
            .b: absent, expected 1
                → "" has c
        "#]],
    );
}

#[test]
fn one_pattern_is_a_list_of_its_fields() {
    check(
        r#"{"source": ["com.shop"], "detail": {"state": ["running", "stopped"], "total": [{"numeric": [">", 100]}], "coupon": [{"exists": false}]}}"#,
        r#"{"source": "com.shop", "detail": {"State": "running", "total": 5}}"#,
        expect![[r#"
            ✗ no match: detail.state: absent, expected one of "running", "stopped" (and 1 more)

              ✓ detail.coupon: absent, as it has to be
              ✗ detail.state: absent, expected one of "running", "stopped"
                → detail.State exists, detail.state does not
              ✗ detail.total: 5 is not > 100
              ✓ source: "com.shop"
        "#]],
    );
    check(
        r#"{"source": [{"prefix": "com."}], "detail": {"coupon": [{"exists": false}], "tags": ["new"]}}"#,
        r#"{"source": "com.shop", "detail": {"tags": ["old", "new"]}}"#,
        expect![[r#"
            ✓ match: every field fits

              ✓ detail.coupon: absent, as it has to be
              ✓ detail.tags: "new"
              ✓ source: "com.shop" begins with "com."
        "#]],
    );
    check(
        r#"{"detail": {"items": {"sku": ["TV-55"]}}}"#,
        r#"{"detail": {"items": [{"sku": "TV-5"}, {"sku": "tv-55"}, {"sku": 3}, {}, {"sku": []}, {"sku": "x"}, {"sku": "y"}]}}"#,
        expect![[r#"
            ✗ no match: detail.items.sku: "tv-55" differs from "TV-55" in case only (the nearest of 5 values)

              ✗ detail.items.sku: "tv-55" differs from "TV-55" in case only (the nearest of 5 values)
                detail.items[1].sku: "tv-55" differs from "TV-55" in case only
                detail.items[0].sku: "TV-5" is not "TV-55"
                detail.items[5].sku: "x" is not "TV-55"
                detail.items[6].sku: "y" is not "TV-55"
                detail.items[2].sku: 3 is a number, expected the string "TV-55"
                … and 1 more
        "#]],
    );
}

#[test]
fn fields_that_fit_only_apart_are_named_with_their_array() {
    let items = r#"{"detail": {"items": [{"sku": "TV", "qty": 1}, {"sku": "PC", "qty": 5}, {"sku": "TV", "qty": 2, "gift": true}]}}"#;
    check(
        r#"{"detail": {"items": {"sku": ["TV"], "qty": [5]}}}"#,
        items,
        expect![[r#"
            ✗ no match: detail.items: no single element had both qty and sku

              ~ detail.items.qty: 5, at detail.items[1].qty
              ~ detail.items.sku: "TV", at detail.items[0].sku
              ✗ detail.items: no single element had both qty and sku
                qty fits in detail.items[1]
                sku fits in detail.items[0] and detail.items[2]
        "#]],
    );
    // Each two of the three are together somewhere.
    check(
        r#"{"a": {"b": [1], "c": [1], "d": [1]}}"#,
        r#"{"a": [{"b": 1, "c": 1}, {"b": 1, "d": 1}, {"c": 1, "d": 1}]}"#,
        expect![[r#"
            ✗ no match: a: no single element had all of b, c and d

              ~ a.b: 1, at a[0].b
              ~ a.c: 1, at a[0].c
              ~ a.d: 1, at a[1].d
              ✗ a: no single element had all of b, c and d
                b fits in a[0] and a[1]
                c fits in a[0] and a[2]
                d fits in a[1] and a[2]
        "#]],
    );
    check(
        r#"{"a": {"x": {"v": [1]}, "x.w": [1], "y": [2]}}"#,
        r#"{"a": [{"x": [{"v": 1}, {"w": 1}], "y": 2}, {"x": [{"v": 1, "w": 1}], "y": 3}]}"#,
        expect![[r#"
            ✗ no match: a: no single element, with one of each array in it, had all of x.v, x.w and y

              ~ a.x.v: 1, at a[0].x[0].v
              ~ a.x.w: 1, at a[0].x[1].w
              ~ a.y: 2, at a[0].y
              ✗ a: no single element, with one of each array in it, had all of x.v, x.w and y
                x.v fits in a[0].x[0] and a[1].x[0]
                x.w fits in a[0].x[1] and a[1].x[0]
                y fits in a[0]
        "#]],
    );
}

#[test]
fn fields_that_fit_only_apart_are_named_whatever_the_shape_of_the_arrays() {
    check(
        r#"{"a": [1], "a.b": [2]}"#,
        r#"{"a": [[1], {"b": 2}]}"#,
        expect![[r#"
            ✗ no match: a: no single element had both a value of its own and b

              ~ a: 1, at a[0][0]
              ~ a.b: 2, at a[1].b
              ✗ a: no single element had both a value of its own and b
                a value of its own fits in a[0]
                b fits in a[1]
        "#]],
    );
    // Keys that repeat: the same path, once in an array, once not.
    check(
        r#"{"a": {"b": [1], "c": [2]}}"#,
        r#"{"a": [{"b": 1}, {"c": 2}], "a": {"b": 3}}"#,
        expect![[r#"
            ✗ no match: a: no single element had both b and c

              ~ a.b: 1, at a[0].b
              ~ a.c: 2, at a[1].c
              ✗ a: no single element had both b and c
                b fits in a[0]
                c fits in a[1]
        "#]],
    );
}

#[test]
fn absence_in_arrays_is_explained_by_the_order_of_paths() {
    let items = r#"{"items": [{"sku": "TV", "waste": true}, {"sku": "PC", "gift": true}, {"sku": "TV", "waste": 1, "gift": 2}]}"#;
    check(
        r#"{"items": {"sku": ["TV"], "waste": [{"exists": false}]}}"#,
        items,
        expect![[r#"
        ✗ no match: items: no single element had both sku and no waste

          ~ items.sku: "TV", at items[0].sku
          ~ items.waste: absent, except in items[0] and items[2]
          ✗ items: no single element had both sku and no waste
            sku fits in items[0] and items[2]
            waste is there, in items[0] and items[2]
    "#]],
    );
    check(
        r#"{"items": {"sku": ["PC"], "gift": [{"exists": false}]}}"#,
        items,
        expect![[r#"
            ✗ no match: items.gift: true and 2 are there, expected no value

              ✗ items.gift: true and 2 are there, expected no value
                → it looks at every element: items.sku comes after it in the order of paths, so it rules none out (P44)
                items[1].gift: true is there, expected no value
                items[2].gift: 2 is there, expected no value
              ✓ items.sku: "PC", at items[1].sku
        "#]],
    );
    // c comes after b and sees only its element: this matches.
    check(
        r#"{"a": {"b": [1], "c": [{"exists": false}]}}"#,
        r#"{"a": [{"b": 1}, {"c": 2}]}"#,
        expect![[r#"
            ✓ match: every field fits

              ✓ a.b: 1, at a[0].b
              ✓ a.c: absent, except in a[1]
        "#]],
    );
    // Here it comes before, and sees all.
    check(
        r#"{"a": {"b": [{"exists": false}], "c": [2]}}"#,
        r#"{"a": [{"b": 1}, {"c": 2}]}"#,
        expect![[r#"
            ✗ no match: a.b: 1 is there, at a[0].b, expected no value

              ✗ a.b: 1 is there, at a[0].b, expected no value
                → it looks at every element: a.c comes after it in the order of paths, so it rules none out (P44)
              ✓ a.c: 2, at a[1].c
        "#]],
    );
}

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
fn alternatives_are_ordered_by_how_near_they_are() {
    check(
        r#"{"source": ["shop"], "$or": [{"a": [1], "b": [2]}, {"a": ["x"]}, {"a": [5]}]}"#,
        r#"{"source": "shop", "a": "X", "b": 2}"#,
        expect![[r#"
            ✗ no match: none of 3 alternatives; the nearest, number 1: a: "X" is a string, expected the number 1

              ✗ alternative 1 of 3: 2 of 3 fields fit
                ✗ a: "X" is a string, expected the number 1
                ✓ b: 2
                ✓ source: "shop"

              ✗ alternative 2 of 3: 1 of 2 fields fit
                ✗ a: "X" differs from "x" in case only
                ✓ source: "shop"

              ✗ alternative 3 of 3: 1 of 2 fields fit
                ✗ a: "X" is a string, expected the number 5
                ✓ source: "shop"
        "#]],
    );
    check(
        r#"{"$or": [{"a": [1]}, {"b": [2]}]}"#,
        r#"{"a": 5, "b": 2}"#,
        expect![[r#"
            ✓ match: every field fits, by alternative 2 of 2

              ✓ alternative 2 of 2: 1 of 1 field fits
                ✓ b: 2

              … and 1 more alternative
        "#]],
    );
}

fn cases(file: &str) -> impl Iterator<Item = Value> {
    file.lines().map(|line| serde_json::from_str(line).expect("a case is JSON"))
}

/// Those cases of a file that a pattern and an event make, and how many of them match.
fn agreement(file: &str) -> (usize, usize) {
    let (mut asked, mut matches) = (0, 0);
    for case in cases(file) {
        let (Some(pattern), Some(event)) = (case["pattern"].as_str(), case["event"].as_str())
        else {
            continue;
        };
        let (Ok(pattern), Ok(event)) = (Pattern::parse(pattern), Event::check(event.as_bytes()))
        else {
            continue;
        };
        let mut matched = Vec::new();
        let matcher = naive::Matcher::new(std::slice::from_ref(&pattern));
        let result = matcher.matches(event, &mut naive::Scratch::default(), &mut matched);
        asked += 1;
        match (result, explain(&pattern, event)) {
            (Ok(()), Ok(explanation)) => {
                matches += matched.len();
                assert_eq!(explanation.is_match(), !matched.is_empty(), "{case}\n{explanation}");
            }
            (expected, told) => assert_eq!(expected.err(), told.err(), "{case}"),
        }
    }
    (asked, matches)
}

#[test]
fn explanations_agree_with_the_matcher_on_every_case() {
    for file in
        [include_str!("../testdata/patterns.jsonl"), include_str!("../testdata/musts.jsonl")]
    {
        let (asked, matches) = agreement(file);
        assert!(100 < matches && matches < asked - 100, "{matches} of {asked} match");
    }
}

#[test]
fn an_event_with_too_many_combinations_is_an_error_as_it_is_for_the_matcher() {
    // Two arrays at one path, and fields that find values in one and in the other, in turns.
    let left = vec![r#"{"b":1,"d":1}"#; 1_100].join(",");
    let right = vec![r#"{"c":1,"e":1}"#; 1_100].join(",");
    let event = format!(r#"{{"a":[{left}],"a":[{right}],"f":1}}"#);
    let event = Event::check(event.as_bytes()).unwrap();
    let (many, one) = (r#""a":{"b":[1],"c":[1],"d":[1],"e":[1]}"#, r#""f":[1]"#);
    // After an alternative that matches, no other is asked.
    for (first, second, is_error) in [(many, one, true), (one, many, false)] {
        let pattern = format!(r#"{{"$or": [{{{first}}}, {{{second}}}]}}"#);
        let pattern = [Pattern::parse(&pattern).unwrap()];
        let mut matched = Vec::new();
        let matcher = naive::Matcher::new(&pattern);
        let result = matcher.matches(event, &mut naive::Scratch::default(), &mut matched);
        assert_eq!(result.is_err(), is_error);
        assert_eq!(explain(&pattern[0], event).err(), result.clone().err());
        assert_eq!(nearest(&pattern, event, 1).err(), result.err());
    }
}

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
