//! One field: why it fits or does not, in words, and what may have been meant.

use std::fmt::Write as _;

use expect_test::{Expect, expect};

use crate::explained;

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
            (r#"["com.*"]"#, r#""com.shop""#),
            (r#"["x", "com.*"]"#, r#""com.shop""#),
            (r#"["com.*"]"#, r#""org.shop""#),
            (r#"["com.**"]"#, r#""com.shop""#),
            (r#"[{"slipswitch:regex": "[a-z]+"}]"#, r#""abc1""#),
            (r#"[{"slipswitch:regex": "[a-z]+"}]"#, r#""abc""#),
            (r#"["a", {"prefix": "b"}, {"numeric": [">", 1]}]"#, r#""x""#),
            (r#"["a", {"prefix": "b"}, {"numeric": [">", 1]}]"#, "true"),
        ],
        expect![[r#"
            ✓ "running"
            ✗ "stopped" is not "running"
            ✗ "Running" differs from "running" in case only
                → {"equals-ignore-case": "running"} would fit
            ✗ "running " differs from "running" in white space only
            ✗ " RUNNING" differs from "running" in case and white space only
            ✗ "running\u00a0" differs from "running" in white space only
            ✗ "idle" is not one of "running", "stopped"
            ✗ "Stopped" differs from "stopped" in case only
                → {"equals-ignore-case": "stopped"} would fit
            ✗ "x" is not one of "a", "b", "c", "d", "e", "f" and 2 more
            ✗ "10.0.0.01" is not "10.0.0.1"
            ✓ "com.shop" begins with "com."
            ✗ "org.shop" does not begin with "com."
            ✗ "Com.shop" does not begin with "com.": only the case differs
                → {"prefix": {"equals-ignore-case": "com."}} would fit
            ✗ "a.PNG" does not end with ".png": only the case differs
                → {"suffix": {"equals-ignore-case": ".png"}} would fit
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
            ✗ "com.shop" is not "com.*"
                → * is plain text here; {"wildcard": "com.*"} would fit
            ✗ "com.shop" is not one of "x", "com.*"
                → * is plain text here; {"wildcard": "com.*"} would fit
            ✗ "org.shop" is not "com.*"
            ✗ "com.shop" is not "com.**"
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
                → {"equals-ignore-case": "x"} would fit
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
            (
                r#"{"detail": {"state": {"prefix": ["run"]}}}"#,
                r#"{"detail": {"state": "running"}}"#,
            ),
            (r#"{"state": {"anything-but": ["x"]}}"#, r#"{"state": ["a", "b"]}"#),
            (r#"{"state": {"prefix": ["run"]}}"#, r#"{"state": {"suffix": "run"}}"#),
            (r#"{"prefix": ["run"]}"#, r#"{"state": 5}"#),
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
            detail.state.prefix: absent, expected "run"
                → prefix is a field here; as an operator it stands in a list: {"state": [{"prefix": …}]}
                → detail.state is "running", not an object
            state.anything-but: absent, expected "x"
                → anything-but is a field here; as an operator it stands in a list: {"state": [{"anything-but": …}]}
                → state is "a", not an object
            state.prefix: absent, expected "run"
                → "run" is at state.suffix
            prefix: absent, expected "run"
            detail.a: absent, expected 1
                → detail is an empty array
            a: absent, expected any value
            .b: absent, expected 1
                → "" has c
        "#]],
    );
}
