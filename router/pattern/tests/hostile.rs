//! Bytes that mean harm: always an answer or an error, never a panic, a full stack or a hang.

use std::fmt::Write;

use proptest::prelude::*;
use slipswitch_pattern::{
    Dialect, Event, EventError, Matcher, ParseError, Pattern, Scratch, limits,
};

fn ask(pattern: &str, event: &[u8]) -> Result<bool, EventError> {
    let pattern = Pattern::parse(pattern).expect("the pattern is valid");
    let mut matched = Vec::new();
    Matcher::new(&[pattern]).matches(
        Event::check(event)?,
        &mut Scratch::default(),
        &mut matched,
    )?;
    Ok(!matched.is_empty())
}

fn refusal(pattern: &str) -> ParseError {
    Pattern::parse(pattern).expect_err("the pattern is refused")
}

#[test]
fn an_event_of_a_million_brackets_is_an_error_at_the_first_too_deep() {
    for bracket in ["[", "{\"a\":"] {
        let event = format!("{{\"a\":{}", bracket.repeat(1_000_000));
        let error = ask(r#"{"a":[1]}"#, event.as_bytes()).unwrap_err();
        assert_eq!(error.message, "nested deeper than 512 levels");
        assert_eq!(error.offset, 5 + 511 * bracket.len());
        // Also where no pattern looks.
        assert_eq!(ask(r#"{"b":[1]}"#, event.as_bytes()).unwrap_err(), error);
    }
}

#[test]
fn a_pattern_of_many_brackets_is_refused() {
    assert_eq!(refusal(&"{\"a\":".repeat(50_000)).message, "nested deeper than 128 levels");
    assert_eq!(refusal(&"{\"$or\":[".repeat(30_000)).message, "nested deeper than 128 levels");
    assert_eq!(refusal(&"[".repeat(100_000)).message, "Filter is not an object");
}

#[test]
fn the_product_of_or_lists_is_refused_before_it_is_built() {
    let mut pattern = String::from("{");
    for at in 0..1_000 {
        write!(pattern, r#""$or":[{{"a{at}":[1]}},{{"b{at}":[1]}},{{"c{at}":[1]}}],"#).unwrap();
    }
    pattern.push_str(r#""z":[1]}"#);
    let error = refusal(&pattern);
    assert!(error.message.contains("more than 1000 combinations"), "{}", error.message);
    assert_eq!(pattern.get(error.span), Some("\"$or\""));

    let alternatives: Vec<String> = (0..1_000).map(|at| format!(r#"{{"a":[{at}]}}"#)).collect();
    let fields: String = (0..200).map(|at| format!(r#","b{at}":[1]"#)).collect();
    let error = refusal(&format!(r#"{{"$or":[{}]{fields}}}"#, alternatives.join(",")));
    assert!(error.message.contains("more than 100000 fields"), "{}", error.message);
}

#[test]
fn a_wildcard_that_could_branch_forever_ends() {
    let value = "a".repeat(2_000_000);
    let event = format!(r#"{{"a":"{value}"}}"#);
    assert!(!ask(r#"{"a":[{"wildcard":"*aaa*aaa*b*"}]}"#, event.as_bytes()).unwrap());
    assert!(!ask(r#"{"a":[{"wildcard":"*a*a*a*a*b"}]}"#, event.as_bytes()).unwrap());
    for text in ["*ab".repeat(80_000), format!("*{}", "ab".repeat(100_000))] {
        let pattern = format!(r#"{{"a":[{{"wildcard":"{text}"}}]}}"#);
        assert!(!ask(&pattern, event.as_bytes()).unwrap());
        let error = Pattern::parse_in(&pattern, Dialect::EventBridge).unwrap_err();
        assert!(error.message.starts_with("Rule is too complex"));
    }
}

#[test]
fn a_regex_that_could_be_tried_in_many_ways_ends() {
    let event = format!(r#"{{"a":"{}"}}"#, "a".repeat(1_000_000));
    for regex in ["(a*)*b", "(a|aa)+b", "(.*a){20}b", "(a|b)*a(a|b){30}c", ".*.*.*.*.*b"] {
        let pattern = format!(r#"{{"a":[{{"slipswitch:regex":"{regex}"}}]}}"#);
        assert!(!ask(&pattern, event.as_bytes()).unwrap(), "{regex}");
    }
}

#[test]
fn regexes_that_would_be_huge_are_refused_before_they_are_built() {
    for regex in ["((a{9999}){9999}){9999}", "(((.{99}){99}){99}){99}", "\\\\p{L}{500}"] {
        let pattern = format!(r#"{{"a":[{{"slipswitch:regex":"{regex}"}}]}}"#);
        assert!(refusal(&pattern).message.contains("too large"), "{regex}");
    }
    for regex in ["(a|b)*a(a|b){14}", "[a-z]{200}", "\\\\p{L}+"] {
        let one = format!(r#"{{"slipswitch:regex":"{regex}"}}"#);
        let pattern = format!(r#"{{"a":[{}]}}"#, vec![one; 4_000].join(","));
        assert!(refusal(&pattern).message.contains("regexes of the pattern are too large"));
    }
    let class = r#"[\\p{L}\\P{L}\\p{N}\\P{N}\\p{S}\\P{S}\\p{C}\\P{C}]"#;
    let one = format!(r#"{{"slipswitch:regex":"{}"}}"#, class.repeat(100));
    let pattern = format!(r#"{{"a":[{}]}}"#, vec![one; 40].join(","));
    assert!(refusal(&pattern).message.contains("regexes of the pattern are too large"));
}

#[test]
fn conditions_in_conditions_are_as_deep_as_a_pattern_may_be() {
    let nested = |depth: usize| {
        let open = r#"{"slipswitch:all":["a","#.repeat(depth);
        format!(r#"{{"a":[{open}"a"{}]}}"#, "]}".repeat(depth))
    };
    assert!(ask(&nested(63), br#"{"a":"a"}"#).unwrap());
    assert!(!ask(&nested(63), br#"{"a":"b"}"#).unwrap());
    assert_eq!(refusal(&nested(64)).message, "nested deeper than 128 levels");
    assert_eq!(refusal(&nested(10_000)).message, "nested deeper than 128 levels");
}

#[test]
fn wildcards_that_share_their_literal_are_asked_once_about_each_text() {
    // Each occurrence of the letter finds all of them: 2,000 × 1,000 times.
    let texts: Vec<String> = (1..1_000).map(|stars| "*a".repeat(stars % 40 + 1)).collect();
    let patterns: Vec<Pattern> = texts
        .iter()
        .map(|text| Pattern::parse(&format!(r#"{{"x":[{{"wildcard":"{text}"}}]}}"#)).unwrap())
        .collect();
    let matcher = Matcher::new(&patterns);
    let event = format!(r#"{{"x":["{}","c"]}}"#, "a".repeat(2_000));
    let event = Event::check(event.as_bytes()).unwrap();
    let mut matched = Vec::new();
    matcher.matches(event, &mut Scratch::default(), &mut matched).unwrap();
    assert_eq!(matched.len(), patterns.len());
}

#[test]
fn many_numbers_against_many_thresholds_are_not_multiplied() {
    // A product of these, kept, would be 800 MB.
    let text = |at: usize| format!(r#"{{"x":[{{"numeric":[">",{at}]}}]}}"#);
    let patterns: Vec<Pattern> = (0..5_000).map(|at| Pattern::parse(&text(at)).unwrap()).collect();
    let matcher = Matcher::new(&patterns);
    let numbers: Vec<String> = (0..40_000).map(|at| (at % 4_000).to_string()).collect();
    let event = format!(r#"{{"x":[{}]}}"#, numbers.join(","));
    let event = Event::check(event.as_bytes()).unwrap();
    let mut matched = Vec::new();
    matcher.matches(event, &mut Scratch::default(), &mut matched).unwrap();
    assert_eq!(matched.len(), 3_999);
}

#[test]
fn long_lists_and_many_alternatives_do_not_multiply_what_is_kept() {
    let alternatives: Vec<String> =
        (0..1_000).map(|at| format!(r#"{{"o{at}":[{{"exists":false}}]}}"#)).collect();
    let values: Vec<String> = (0..600).map(|at| at.to_string()).collect();
    let values = values.join(",");
    let fields: String = (0..80).map(|at| format!(r#","f{at}":[{values}]"#)).collect();
    let text = format!(r#"{{"$or":[{}]{fields}}}"#, alternatives.join(","));
    let pattern = Pattern::parse(&text).unwrap();
    let kept = Matcher::new(&[pattern]).memory_bytes();
    assert!(kept < 200 * text.len(), "{} bytes of text became {kept}", text.len());
}

#[test]
fn arrays_whose_elements_never_fit_together_are_not_multiplied() {
    // A product of these would be 2,500,000,000 comparisons.
    let mut event = String::from(r#"{"x":["#);
    for at in 0..50_000 {
        event.push_str(if at % 2 == 0 { r#"{"a":1,"b":0},"# } else { r#"{"a":0,"b":1},"# });
    }
    event.push_str("{}]}");
    assert!(!ask(r#"{"x":{"a":[1],"b":[1]}}"#, event.as_bytes()).unwrap());
    assert!(!ask(r#"{"x":{"a":[1],"b":[0],"c":[1]}}"#, event.as_bytes()).unwrap());
    assert!(ask(r#"{"x":{"a":[1],"b":[0],"c":[{"exists":false}]}}"#, event.as_bytes()).unwrap());

    // And independent arrays are not multiplied with each other: 1,000 to the fifth power.
    let array = format!("[{}]", vec![r#"{"a":1}"#; 1_000].join(","));
    let arrays = format!(r#"{{"p":{array},"q":{array},"r":{array},"s":{array},"t":{array}}}"#);
    let fields = |last| {
        format!(
            r#"{{"p":{{"a":[1]}},"q":{{"a":[1]}},"r":{{"a":[1]}},"s":{{"a":[1]}},"t":{{"a":[{last}]}}}}"#
        )
    };
    assert!(ask(&fields("1"), arrays.as_bytes()).unwrap());
    assert!(!ask(&fields("2"), arrays.as_bytes()).unwrap());
    let nested = format!(r#"{{"x":[{arrays},{{"u":1}}]}}"#);
    let pattern = format!(r#"{{"x":{{"u":[1],"$or":[{},{}]}}}}"#, fields("1"), fields("2"));
    assert!(!ask(&pattern, nested.as_bytes()).unwrap());
}

#[test]
fn combinations_that_cannot_be_forgotten_are_an_error() {
    // Two arrays at one path, and fields that find values in one and in the other, in turns.
    let left = vec![r#"{"b":1,"d":1}"#; 1_100].join(",");
    let right = vec![r#"{"c":1,"e":1}"#; 1_100].join(",");
    let event = format!(r#"{{"a":[{left}],"a":[{right}]}}"#);
    let error = ask(r#"{"a":{"b":[1],"c":[1],"d":[1],"e":[1]}}"#, event.as_bytes()).unwrap_err();
    assert_eq!(error.message, "the event's arrays allow too many combinations");
}

#[test]
fn numbers_of_any_size_are_read() {
    let nines = "9".repeat(100_000);
    for number in [
        "1e400",
        "-1e-400",
        "1e99999999999999999999",
        &nines,
        &format!("0.{nines}"),
        &format!("1e{nines}"),
    ] {
        let event = format!(r#"{{"a":{number}}}"#);
        assert!(ask(r#"{"a":[{"exists":true}]}"#, event.as_bytes()).unwrap());
        assert!(ask(r#"{"a":[{"anything-but":1}]}"#, event.as_bytes()).unwrap());
        assert!(!ask(r#"{"a":[1, {"numeric":[">", 1]}]}"#, event.as_bytes()).unwrap());
    }
    assert!(
        ask(
            r#"{"a":[{"numeric":[">", 1]}]}"#,
            format!(r#"{{"a":{}}}"#, "9".repeat(300)).as_bytes()
        )
        .unwrap()
    );
}

#[test]
fn what_is_not_utf_8_is_an_error_with_its_offset() {
    for (event, offset) in [
        (b"{\"a\":\"\xff\"}".as_slice(), 6),
        (b"{\"b\":\"\xc3\"}", 6),
        (b"\xef\xbb\xbf{}", 0),
        (b"{}\xff", 2),
        (b"{\"a\":1} x", 8),
        (b"{\"a\":tru}", 5),
    ] {
        assert_eq!(ask(r#"{"a":[1]}"#, event).unwrap_err().offset, offset);
    }
}

#[test]
fn an_error_leaves_nothing_behind_for_the_next_event() {
    let patterns =
        [Pattern::parse(r#"{"a":{"b":[1]}}"#).unwrap(), Pattern::parse(r#"{"c":["é"]}"#).unwrap()];
    let matcher = Matcher::new(&patterns);
    let (mut scratch, mut matched) = (Scratch::default(), Vec::new());
    let event = |bytes| Event::checked_before(bytes);
    let whole = event(br#"{"a":[{"b":1}],"c":"\u00e9"}"#);
    matcher.matches(whole, &mut scratch, &mut matched).unwrap();
    assert_eq!(matched.len(), 2);
    let torn = event(br#"{"a":[{"b":1}],"c":"\u00e9""#);
    matcher.matches(torn, &mut scratch, &mut matched).unwrap_err();
    assert!(matched.is_empty());
    matcher.matches(event(b"{}"), &mut scratch, &mut matched).unwrap();
    assert!(matched.is_empty());
}

/// Texts that are nearly patterns or events.
fn nearly_json() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"b.c\"",
        "\"$or\"",
        "\"exists\"",
        "\"prefix\"",
        "\"numeric\"",
        "\"anything-but\"",
        "\"wildcard\"",
        "\"cidr\"",
        "\">\"",
        "\"=\"",
        "\"*a\\\\*\"",
        "\"10.0.0.0/8\"",
        "\"\\ud800\"",
        "\"é\"",
        "true",
        "null",
        "1",
        "-0.5e3",
        "1e999",
        " ",
        "\n",
        "x",
        "\u{0}",
        "🚀",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// A valid text with some characters changed.
fn damaged() -> impl Strategy<Value = String> {
    let whole = r#"{"a":{"b":["x",1,{"anything-but":{"prefix":["y"]}}]},"$or":[{"c":[{"numeric":[">",0,"<",5]}]},{"d":[{"cidr":"::/8"}]}],"e":[{"slipswitch:all":[{"slipswitch:regex":"(a|[^b-d\\n]{2,3}\\p{L})*"},null]}]}"#;
    (0..whole.len(), 0..20_usize, "[\\PC]{0,2}").prop_map(move |(at, cut, with)| {
        let (before, rest) = whole.split_at(at);
        let (_, after) = rest.split_at(cut.min(rest.len()));
        format!("{before}{with}{after}")
    })
}

fn check_pattern(text: &str) -> Result<(), TestCaseError> {
    for dialect in [Dialect::Slipswitch, Dialect::EventBridge] {
        match Pattern::parse_in(text, dialect) {
            Ok(pattern) => prop_assert_eq!(pattern.text(), text),
            Err(error) => {
                prop_assert!(text.get(error.span.clone()).is_some(), "{error:?}");
                prop_assert!(!error.message.is_empty() && !error.mend.is_empty());
            }
        }
    }
    Ok(())
}

/// What looks like a regex, some of its characters escaped for JSON.
fn nearly_regex() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "é",
        "🚀",
        "\\u0061",
        "\\ud83d\\ude80",
        "\\ud800",
        "\\n",
        "-",
        "^",
        "$",
        ".",
        "|",
        "*",
        "+",
        "?",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "{2}",
        "{1,3}",
        ",",
        "\\\\",
        "\\u005c",
        "\\\\p{L}",
        "\\\\P",
        "\\\\d",
        "\\\\]",
        "[^",
        "(?",
        "1",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_pattern_or_an_error(text in "\\PC{0,60}", near in nearly_json(), cut in damaged()) {
        check_pattern(&text)?;
        check_pattern(&near)?;
        check_pattern(&cut)?;
    }

    #[test]
    fn any_regex_is_one_or_an_error_inside_it(regex in nearly_regex(), value in "[a1é🚀\\n]{0,4}") {
        let pattern = format!(r#"{{"a":[{{"slipswitch:regex":"{regex}"}}]}}"#);
        let start = pattern.len() - regex.len() - r#""}]}"#.len();
        match Pattern::parse(&pattern) {
            Ok(_) => {
                let event = serde_json::json!({ "a": value }).to_string();
                ask(&pattern, event.as_bytes()).unwrap();
            }
            Err(error) => {
                let span = error.span;
                prop_assert!(start - 1 <= span.start && span.end <= start + regex.len() + 1);
                prop_assert!(pattern.get(span).is_some());
            }
        }
    }

    #[test]
    fn any_bytes_are_an_event_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..60),
        near in nearly_json(),
        cut in damaged(),
    ) {
        let pattern = r#"{"a":["x",{"anything-but":{"wildcard":"*a"}}],"b.c":[{"exists":false},{"numeric":["<",5]}]}"#;
        for event in [bytes.as_slice(), near.as_bytes(), cut.as_bytes()] {
            let is_json = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(event).is_ok();
            match ask(pattern, event) {
                Ok(_) => (),
                Err(error) => {
                    prop_assert!(error.offset <= event.len());
                    prop_assert!(!is_json, "{error} in {}", String::from_utf8_lossy(event));
                }
            }
        }
    }

    #[test]
    fn an_event_is_read_when_and_only_when_it_is_json(near in nearly_json()) {
        // serde_json refuses what cannot be a Rust string or a double; this is not JSON's business.
        let text = near.replace("\\ud800", "\\u0041").replace("1e999", "1e99");
        let is_json = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text).is_ok();
        prop_assert_eq!(ask(r#"{"a":[1]}"#, text.as_bytes()).is_ok(), is_json, "{}", text);
    }
}

#[test]
fn the_limits_are_those_of_the_document() {
    let document = include_str!("../../../docs/patterns.md");
    let rows = [
        ("text of a pattern", format!("{} KiB", limits::PATTERN_BYTES_MAX / 1024)),
        ("nesting of a pattern", limits::PATTERN_DEPTH_MAX.to_string()),
        ("combinations of the `$or` lists", "1,000".to_owned()),
        ("fields written or copied to make them", "100,000".to_owned()),
        ("text of a regex", format!("{} KiB", limits::REGEX_TEXT_BYTES_MAX / 1024)),
        ("groups inside each other in a regex", limits::REGEX_DEPTH_MAX.to_string()),
        ("a regex, compiled", format!("{} KiB", limits::REGEX_BYTES_MAX / 1024)),
        ("all regexes of a pattern, compiled", format!("{} MiB", limits::REGEXES_BYTES_MAX >> 20)),
        (
            "complexity of a wildcard",
            format!("{}, for EventBridge only", limits::WILDCARD_COMPLEXITY_MAX),
        ),
        ("nesting of an event", limits::EVENT_DEPTH_MAX.to_string()),
        ("combinations of array elements, one pattern and one event", "1,000,000".to_owned()),
    ];
    assert_eq!(
        (limits::OR_BRANCHES_MAX, limits::BRANCH_FIELDS_MAX, limits::COMBINATIONS_MAX),
        (1_000, 100_000, 1_000_000)
    );
    for (what, limit) in rows {
        assert!(document.contains(&format!("| {what} | {limit}")), "{what}: {limit}");
    }
}
