//! The SDK as an author's native tests use it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use slipswitch_sdk::{
    Error, Event, NoConfig, Output, Outputs, Verdict, clock, config, log, random, state,
};

const ORDER: &str = r#"{"id":"e-1","source":"shop","detail-type":"OrderCreated","time":"2026-01-02T03:04:05Z",
    "detail":{"total":1.10,"big":123456789012345678901234567890}}"#;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Lax {
    greeting: String,
    nested: Vec<Inner>,
    strict: Strict,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {}

#[derive(Debug, Default, PartialEq, Deserialize)]
struct Inner {
    a: Option<u8>,
}

#[test]
fn an_event_shows_its_envelope_without_being_parsed_again() {
    let event = Event::parse(ORDER).unwrap().with_attribute("bus", "shop");
    assert_eq!(
        (event.id(), event.source(), event.detail_type(), event.time()),
        ("e-1", "shop", "OrderCreated", "2026-01-02T03:04:05Z")
    );
    assert_eq!(event.json(), ORDER);
    assert_eq!((event.attribute("bus"), event.attribute("rule")), (Some("shop"), None));
}

#[test]
fn numbers_keep_their_digits() {
    #[derive(Deserialize)]
    struct Detail<'a> {
        #[serde(borrow)]
        total: &'a RawValue,
        big: Box<RawValue>,
    }

    let event = Event::parse(ORDER).unwrap();
    let detail: Detail<'_> = event.detail().unwrap();
    assert_eq!((detail.total.get(), detail.big.get()), ("1.10", "123456789012345678901234567890"));
    assert_eq!(
        event.detail_json().unwrap(),
        r#"{"total":1.10,"big":123456789012345678901234567890}"#
    );
}

#[test]
fn a_detail_that_does_not_fit_is_invalid() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "read, never looked at")]
    struct Detail {
        missing: String,
    }

    let error = Event::parse(ORDER).unwrap().detail::<Detail>().unwrap_err();
    assert!(
        matches!(&error, Error::Invalid(words) if words.starts_with("detail: missing field `missing`")),
        "{error}"
    );
}

#[test]
fn a_configuration_that_is_refused_names_the_key() {
    let refused = |json| config::<Lax>(json).unwrap_err().to_string();
    assert_eq!(refused(r#"{"greeting":"x","greting":"y"}"#), "unknown key `greting`");
    assert_eq!(refused(r#"{"nested":[{"a":1},{"b":2}]}"#), "unknown key `nested.1.b`");
    assert_eq!(
        refused(r#"{"greeting":7}"#),
        "config.greeting: invalid type: integer `7`, expected a string"
    );
    assert_eq!(
        refused(r#"{"nested":[{"a":1},{"a":"two"}]}"#),
        "config.nested[1].a: invalid type: string \"two\", expected u8"
    );
    assert_eq!(
        refused(r#"{"strict":{"b":1}}"#),
        "config.strict: unknown field `b`, there are no fields"
    );
    assert_eq!(refused("[7]"), "config[0]: invalid type: integer `7`, expected a string");
    assert_eq!(refused("{"), "EOF while parsing an object");
    assert_eq!(
        config::<NoConfig>(r#"{"a":1}"#).map(drop).unwrap_err().to_string(),
        "unknown field `a`, there are no fields"
    );
}

#[test]
fn a_plugin_without_a_configuration_takes_none() {
    let error = NoConfig::read(r#"{"a":1}"#).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "it takes none: write `config: {}`, or nothing");
}

#[test]
fn no_configuration_is_an_empty_one() {
    for json in ["", " ", "null", "{}"] {
        assert_eq!(config::<Lax>(json).unwrap(), Lax::default());
        assert!(config::<NoConfig>(json).is_ok() && NoConfig::read(json).is_ok());
    }
}

#[test]
fn every_error_is_invalid_unless_it_says_otherwise() {
    fn parse(text: &str) -> Result<u8, Error> {
        Ok(text.parse::<u8>()?)
    }
    assert_eq!(parse("x"), Err(Error::invalid("invalid digit found in string")));
    assert_eq!(Error::retry("later").message(), "later");
}

#[test]
fn a_transformer_returns_what_suits_it() {
    let output = || Output::raw("1");
    assert_eq!(output().outputs(), Ok(vec![output()]));
    assert_eq!(None::<Output>.outputs(), Ok(vec![]));
    assert_eq!(Ok::<_, Error>(Some(output())).outputs(), Ok(vec![output()]));
    assert_eq!(
        Err::<Vec<Output>, _>(std::fmt::Error).outputs().unwrap_err().message(),
        std::fmt::Error.to_string()
    );
    assert_eq!(true.verdict(), Ok(true));
    assert_eq!(Err::<bool, _>(Error::retry("later")).verdict(), Err(Error::retry("later")));
}

#[test]
fn natively_the_log_is_standard_error() {
    log::line(log::Level::Info, "order seen", &[("order", "o-1")]);
    log::debug("d");
    log::info("i");
    log::warn("w");
    log::error("e");
}

#[test]
fn the_last_attribute_of_a_name_counts() {
    let event = Event::parse("{}").unwrap().with_attribute("bus", "a").with_attribute("bus", "b");
    assert_eq!(event.attribute("bus"), Some("b"));
    assert_eq!(event.attributes().collect::<Vec<_>>(), [("bus", "a"), ("bus", "b")]);
    let output = Output::text("x").with_attribute("content-type", "text/x").with_attribute("a", "");
    assert_eq!(output.attribute("content-type"), Some("text/x"));
    assert_eq!((output.attributes().len(), output.attribute("b")), (3, None));
}

#[test]
fn a_batch_has_a_result_per_event() {
    use slipswitch_sdk::export::answers;

    let mut outputs = vec![Output::fixed("0")];
    let results = vec![Ok(vec![Output::raw("1"), Output::raw("2")]), Err(Error::retry("x"))];
    let answers_of_two = answers(results, 2, &mut outputs);
    assert_eq!(answers_of_two, [Ok(1..3), Err(Error::retry("x"))]);
    let wrong = answers(vec![Output::raw("1")], 2, &mut Vec::new());
    let words = "the batch transformer returned 1 results for 2 events";
    assert_eq!(wrong, [Err(Error::fatal(words)), Err(Error::fatal(words))]);
}

#[test]
fn state_lives_as_long_as_the_event_s_time_says() {
    let at = |second: u8| {
        Event::parse(format!(r#"{{"time":"2026-01-02T03:04:{second:02}Z"}}"#)).unwrap();
    };
    at(0);
    assert_eq!(state::get("a").unwrap(), None);
    state::set("a", "1").unwrap();
    state::set_for("b", b"2", Duration::from_secs(10)).unwrap();
    assert_eq!(state::increment_for("n", 3, Duration::from_secs(10)).unwrap(), 3);
    at(9);
    assert_eq!(state::get("b").unwrap().unwrap(), b"2");
    assert_eq!(state::increment("n", i64::MAX).unwrap(), i64::MAX);
    at(10);
    assert_eq!((state::get("a").unwrap().unwrap(), state::get("b").unwrap()), (b"1".into(), None));
    assert_eq!(state::get("n").unwrap().unwrap(), i64::MAX.to_string().into_bytes());
    state::delete("a").unwrap();
    assert_eq!(state::get("a").unwrap(), None);
    for text in ["", "three", "1.5", " 1", "9223372036854775808"] {
        state::set("t", text).unwrap();
        let error = Error::from(state::increment("t", 1).unwrap_err());
        assert_eq!(error, Error::retry("state: the value of `t` is no number"));
        assert_eq!(state::get("t").unwrap().unwrap(), text.as_bytes());
    }
    state::set("t", "+3").unwrap();
    assert_eq!(state::increment("t", 1).unwrap(), 4);
}

#[test]
fn too_large_is_invalid_and_unavailable_worth_a_retry() {
    let error: Error = state::set("k", vec![0; state::VALUE_BYTES_MAX + 1]).unwrap_err().into();
    assert_eq!(error, Error::invalid("state: the value has 65537 bytes of 65536"));
    let error: Error = state::get("").unwrap_err().into();
    assert_eq!(error, Error::invalid("state: the key has 0 bytes of 1 to 256"));
    let error: Error = state::Error::Unavailable("busy".into()).into();
    assert_eq!(error, Error::retry("state: busy"));
}

#[test]
fn the_same_event_gives_the_same_time_and_numbers() {
    let draw = |id: &str| {
        Event::parse(format!(r#"{{"id":"{id}","time":"2026-01-02T03:04:05.678Z"}}"#)).unwrap();
        (clock::now(), random::number(), random::bytes(11))
    };
    let (first, again, other) = (draw("a"), draw("a"), draw("b"));
    assert_eq!((first.0, first.2.len()), (1_767_323_045_678, 11));
    assert_eq!(first, again);
    assert_ne!(first.1, other.1);
    assert_eq!(random::bytes(100_000).len(), random::BYTES_MAX);
}
