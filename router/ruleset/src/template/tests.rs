use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

const NAMES: [&str; 10] =
    ["text", "number", "is", "none", "object", "list", "missing", "quoted", "user-id", "every"];
const VALUES: [Option<&str>; 10] = [
    Some(r#""OrderCreated""#),
    Some("1.10"),
    Some("true"),
    Some("null"),
    Some(r#"{ "a": "b \"c\" d", "n": 1e400 }"#),
    Some(r#"[ "HIGH", 2 ]"#),
    None,
    Some(r#""say \"hi\"\n\u00e9""#),
    Some(r#""u-1""#),
    Some("[1]"),
];

fn event() -> event::Event {
    let stamp = event::Stamp {
        id: "e-1",
        time: event::Timestamp::from_millis(0),
        account: "123456789012",
        region: "eu-1",
    };
    let entry = br#"{"source":"s","detail-type":"d","detail":{"n":1.0},"resources":["r"]}"#;
    event::Event::from_entry(entry, &event::Limits::default(), &stamp).unwrap()
}

fn render(template: &Template) -> String {
    let event = event();
    let facts = Facts {
        event: &event,
        rule: "big-orders",
        bus: "shop",
        ingested: event::Timestamp::from_millis(1_000),
    };
    let values: Vec<_> = VALUES.iter().map(|value| value.map(Cow::Borrowed)).collect();
    match template.render(&values, &facts, &mut Room::of_step()) {
        Ok(text) => text,
        Err(error) => format!("error: {error}"),
    }
}

/// The list is one in every event.
fn names() -> Vec<Name<'static>> {
    let always = |name| (name == "every").then_some(Nested::Array);
    NAMES.iter().map(|name| Name { name, always: always(*name) }).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "reads as a table")]
fn check(text: &str, expected: Expect) {
    let said = match Template::parse(text, &names(), None) {
        Ok(template) => format!("{:?}: {}", template.format(), render(&template)),
        Err(errors) => {
            let lines = errors.iter().map(|error| {
                let at = text.get(error.span.clone()).unwrap_or("?");
                format!("{at} | {} | {}", error.message, error.mend)
            });
            lines.collect::<Vec<_>>().join("\n")
        }
    };
    expected.assert_eq(&said);
}

#[test]
fn an_unquoted_variable_is_the_value_as_it_was_sent() {
    check(
        r#"{"a" : <text>, "b": [ 9, <number>, <is> ], "c": <object>}"#,
        expect![[
            r#"Json: {"a":"OrderCreated","b":[9,1.10,true],"c":{ "a": "b \"c\" d", "n": 1e400 }}"#
        ]],
    );
    check("<object>", expect![[r#"Json: { "a": "b \"c\" d", "n": 1e400 }"#]]);
    check(" <number>\n", expect!["Json: 1.10"]);
}

#[test]
fn a_variable_within_quotes_is_text_and_keeps_the_json_whole() {
    check(
        r#"{"path": "users/<user-id>/<text>", "q": "<quoted>", "n": "<number> <is> <none>"}"#,
        expect![[
            r#"Json: {"path":"users/u-1/OrderCreated","q":"say \"hi\"\n\u00e9","n":"1.10 true null"}"#
        ]],
    );
    check(
        r#"{"payload": "<object>", "l": "<list> single", "<text>": 1}"#,
        expect![
            "Json: error: `<object>` is an object in this event, and cannot stand within the quotes of a JSON template: write it without quotes, or name one of its values in `paths`"
        ],
    );
}

#[test]
fn a_text_in_quotes_keeps_its_quotes() {
    check(
        r#""instance <user-id> is in <text>""#,
        expect![[r#"Json: "instance u-1 is in OrderCreated""#]],
    );
    check(r#""{[/Check <text> type""#, expect![[r#"Json: "{[/Check OrderCreated type""#]]);
    check(
        "\"a <text>\"\n\"b <number>\"",
        expect![[r#"
        Text: "a OrderCreated"
        "b 1.10""#]],
    );
}

#[test]
fn any_other_template_is_text() {
    check(
        "order <user-id>: <quoted>",
        expect![[r#"
        Text: order u-1: say "hi"
        é"#]],
    );
    check("<object> <list>", expect!["Text: {a:b c d,n:1e400} [HIGH,2]"]);
    check("", expect!["Text: "]);
}

#[test]
fn a_missing_value_is_an_empty_text() {
    check(
        r#"{"command": <missing>, "t": "[<missing>]"}"#,
        expect![[r#"Json: {"command":"","t":"[]"}"#]],
    );
    check(
        "[<missing>] x",
        expect![
            "x | the template is not JSON: trailing characters | write JSON with a `<variable>` in place of a value or within quotes, or say `format: text` beside the template"
        ],
    );
    check("-<missing>-", expect!["Text: --"]);
}

#[test]
fn angle_brackets_that_hold_no_name_are_text() {
    check("1 < 2 > 0 <> </b> <a b>", expect!["Text: 1 < 2 > 0 <> </b> <a b>"]);
    check(r"\<text> is \\<text>", expect![[r"Text: <text> is \\OrderCreated"]]);
    check(
        r#"{"a": "\<text>", "b": "\\<text>"}"#,
        expect![[r#"Json: {"a":"<text>","b":"\\OrderCreated"}"#]],
    );
}

#[test]
fn reserved_variables_need_no_path() {
    check(
        r#"[<aws.events.rule-arn>, "<aws.events.rule-name>", <aws.events.event.ingestion-time>]"#,
        expect![[
            r#"Json: ["arn:aws:events:eu-1:123456789012:rule/shop/big-orders","big-orders","1970-01-01T00:00:01.000Z"]"#
        ]],
    );
    check(
        r#"{"head": <aws.events.event>}"#,
        expect![[
            r#"Json: {"head":{"id":"e-1","account":"123456789012","detailType":"d","time":"1970-01-01T00:00:00.000Z","source":"s","region":"eu-1","resources":["r"],"version":"0"}}"#
        ]],
    );
    check(
        "<aws.events.event.json>",
        expect![[
            r#"Json: {"version":"0","id":"e-1","detail-type":"d","source":"s","account":"123456789012","time":"1970-01-01T00:00:00.000Z","region":"eu-1","resources":["r"],"detail":{"n":1.0}}"#
        ]],
    );
}

#[test]
fn an_unknown_variable_is_refused_with_the_nearest_name() {
    check(
        r#"{"a": <txet>, "b": <aws.events.rule_name>, "c": "<order>"}"#,
        expect![[r#"
            <txet> | `<txet>` is no variable of this template | did you mean `<text>`?
            <aws.events.rule_name> | `<aws.events.rule_name>` is no variable of this template | did you mean `<aws.events.rule-name>`?
            <order> | `<order>` is no variable of this template | add `order: $.…` to `paths`, or write `\<order>` if that is the text"#]],
    );
}

#[test]
fn a_template_that_begins_as_json_must_be_json() {
    check(
        r#"{"a": <text>, }"#,
        expect![
            "} | the template is not JSON: key must be a string | write JSON with a `<variable>` in place of a value or within quotes, or say `format: text` beside the template"
        ],
    );
    check(
        r#"{"a": <text><number>}"#,
        expect![
            "< | the template is not JSON: expected `,` or `}` | write JSON with a `<variable>` in place of a value or within quotes, or say `format: text` beside the template"
        ],
    );
    check(
        r#"{<text>: 1}"#,
        expect![
            "< | the template is not JSON: key must be a string | write JSON with a `<variable>` in place of a value or within quotes, or say `format: text` beside the template"
        ],
    );
}

#[test]
fn the_format_can_be_said() {
    let text = Template::parse("{<text>}", &names(), Some(Format::Text)).unwrap();
    assert_eq!(render(&text), "{OrderCreated}");
    let text = Template::parse(r#"{"a": "<quoted>"}"#, &names(), Some(Format::Text)).unwrap();
    assert_eq!(render(&text), "{\"a\": \"say \"hi\"\né\"}");
    assert!(Template::parse("a <text>", &names(), Some(Format::Json)).is_err());
}

#[test]
fn what_is_an_object_in_every_event_is_refused_within_quotes() {
    check(
        r#"{"a": "<every>", "b": <every>, "c": "x <aws.events.event.json>"}"#,
        expect![[r#"
            <every> | `<every>` is an array in every event, and cannot stand within the quotes of a JSON template | write it without quotes, or name one of its values in `paths`
            <aws.events.event.json> | `<aws.events.event.json>` is an object in every event, and cannot stand within quotes | write it without quotes, as a value of a JSON template"#]],
    );
    check(
        r#""<every> <aws.events.event>""#,
        expect![
            "<aws.events.event> | `<aws.events.event>` is an object in every event, and cannot stand within quotes | write it without quotes, as a value of a JSON template"
        ],
    );
    check(r#""<every>""#, expect![[r#"Json: "[1]""#]]);
    check(
        "<every> <aws.events.event>",
        expect![[
            r#"Text: [1] {"id":"e-1","account":"123456789012","detailType":"d","time":"1970-01-01T00:00:00.000Z","source":"s","region":"eu-1","resources":["r"],"version":"0"}"#
        ]],
    );
}

#[test]
fn a_template_that_begins_with_a_quote_is_texts_in_quotes() {
    check(
        r#""a" <text>"#,
        expect![[
            r#"< | a template that begins with a quote is a text in quotes, or one on each line: something follows it on its line | put the whole line in quotes, and write `\"` for a quote within, or say `format: text` beside the template"#
        ]],
    );
    check(
        "\"a <text>\n\"",
        expect![[
            r#"< | a template that begins with a quote is a text in quotes, or one on each line: it is not closed on its line | put the whole line in quotes, and write `\"` for a quote within, or say `format: text` beside the template"#
        ]],
    );
    check(
        "\"a\"\n <text>",
        expect![[
            r#"< | a template that begins with a quote is a text in quotes, or one on each line: this line is none | put the whole line in quotes, and write `\"` for a quote within, or say `format: text` beside the template"#
        ]],
    );
    check(
        "\"a\"\n  \"b",
        expect![[
            r#"b | a template that begins with a quote is a text in quotes, or one on each line: it is not closed on its line | put the whole line in quotes, and write `\"` for a quote within, or say `format: text` beside the template"#
        ]],
    );
    check(
        " \"a\" \r\n\n  \"b <quoted>\"\n",
        expect![[r#"
        Text: "a"
        "b say \"hi\"\n\u00e9""#]],
    );
    let json = |text: &str| Template::parse(text, &names(), Some(Format::Json));
    assert_eq!(json(r#""a""#).unwrap().format(), Format::Json);
    let errors = json("\"a\"\n\"b\"").unwrap_err();
    assert_eq!(errors[0].message, "several lines of texts in quotes are not JSON together");
}

#[test]
fn a_template_has_an_end() {
    let long = |len: usize| Template::parse(&"x".repeat(len), &[], None);
    assert!(long(BYTES_MAX).is_ok());
    let errors = long(BYTES_MAX + 1).unwrap_err();
    assert_eq!(errors[0].message, "a template has at most 65536 bytes, and this has 65537");
}

proptest! {
    #[test]
    fn a_json_template_renders_json_and_no_template_panics(
        text in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", "\"", ":", ",", "\\", "<", ">", " ", "a", "1", "é", "\n",
            "<text>", "<number>", "<object>", "<missing>", "<quoted>", "\"k\":", "\"<list>\"",
            "<aws.events.event.json>",
        ]), 0..12)
    ) {
        if let Ok(template) = Template::parse(&text.concat(), &names(), None) {
            let out = render(&template);
            let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            if out.starts_with("error: ") {
                prop_assert_eq!(template.shape, Shape::Json, "{}", out);
            } else if template.shape == Shape::Quoted {
                prop_assert!(out.lines().all(is_json), "{}", out);
            } else if template.shape == Shape::Json {
                prop_assert!(is_json(&out), "{}", out);
            }
        }
    }
}
