//! The SDK as an author's native tests use it.

use serde::Deserialize;
use serde_json::value::RawValue;
use slipswitch_sdk::{Error, Event, NoConfig, Output, Outputs, Verdict, config, log};

const ORDER: &str = r#"{"id":"e-1","source":"shop","detail-type":"OrderCreated","time":"2026-01-02T03:04:05Z",
    "detail":{"total":1.10,"big":123456789012345678901234567890}}"#;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Lax {
    greeting: String,
    nested: Vec<Inner>,
}

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
fn a_key_that_the_configuration_does_not_know_is_refused() {
    let refused = |json| config::<Lax>(json).unwrap_err().to_string();
    assert_eq!(refused(r#"{"greeting":"x","greting":"y"}"#), "unknown key `greting`");
    assert_eq!(refused(r#"{"nested":[{"a":1},{"b":2}]}"#), "unknown key `nested.1.b`");
    assert_eq!(refused(r#"{"greeting":7}"#), "invalid type: integer `7`, expected a string");
    assert_eq!(
        config::<NoConfig>(r#"{"a":1}"#).map(drop).unwrap_err().to_string(),
        "unknown field `a`, there are no fields"
    );
}

#[test]
fn no_configuration_is_an_empty_one() {
    for json in ["", " ", "null", "{}"] {
        assert_eq!(config::<Lax>(json).unwrap(), Lax::default());
        assert!(config::<NoConfig>(json).is_ok());
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
