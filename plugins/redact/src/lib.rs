//! Removes the configured JSON paths from an event, or masks their values; every other byte stays as it was sent.

mod edit;
mod path;
mod scan;

use slipswitch_sdk::{Error, Event, Output, transformer};

use crate::path::Path;

#[slipswitch_sdk::config]
#[derive(Debug)]
pub struct Config {
    /// What to take out. A path that an event does not have is no error.
    fields: Vec<Path>,
    /// Put in place of each value; without it the value goes, together with its key.
    mask: Option<String>,
}

#[transformer]
pub fn redact(event: &Event, config: &Config) -> Result<Output, Error> {
    let mask = config.mask.as_ref().map(serde_json::to_string).transpose()?;
    Ok(Output::raw(edit::without(event.json(), &config.fields, mask.as_deref())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases() {
        slipswitch_sdk::testing::cases(redact);
    }

    fn redacted(event: &str, config: &str) -> Result<String, Error> {
        let output = redact(&Event::parse(event)?, &slipswitch_sdk::config(config)?)?;
        Ok(output.body().to_owned())
    }

    const ORDER: &str = r#"{"source": "shop",  "detail":{"customer":{"name":"Lan", "email":"lan@example.com"},
        "items":[{"note":"x","price":1.10}, {"price":1e400,"note":"y"}, 7], "total":123456789012345678901234567890}}"#;

    #[test]
    fn fields_go_and_every_other_byte_stays() {
        assert_eq!(
            redacted(ORDER, r#"{"fields":["$.detail.customer.email","$.detail.items[*].note"]}"#)
                .unwrap(),
            r#"{"source": "shop",  "detail":{"customer":{"name":"Lan"},
        "items":[{"price":1.10}, {"price":1e400}, 7], "total":123456789012345678901234567890}}"#
        );
    }

    #[test]
    fn a_mask_takes_the_place_of_any_value() {
        assert_eq!(
            redacted(ORDER, r#"{"fields":["$.detail.customer","$.detail.items[1]","$['detail'][\"total\"]"],"mask":"*\"*"}"#)
                .unwrap(),
            r#"{"source": "shop",  "detail":{"customer":"*\"*",
        "items":[{"note":"x","price":1.10}, "*\"*", 7], "total":"*\"*"}}"#
        );
    }

    #[test]
    fn a_whole_object_can_be_emptied() {
        assert_eq!(
            redacted(r#"{"detail":{"a":1,"b":[1,2]}}"#, r#"{"fields":["$.detail.*"]}"#).unwrap(),
            r#"{"detail":{}}"#
        );
        assert_eq!(
            redacted(
                r#"{"detail":{"b":[ 1, 2 ,3]}}"#,
                r#"{"fields":["$.detail.b[0]","$.detail.b[2]"]}"#
            )
            .unwrap(),
            r#"{"detail":{"b":[ 2]}}"#
        );
    }

    #[test]
    fn paths_that_are_not_there_change_nothing() {
        let config =
            r#"{"fields":["$.nothing","$.source.deeper","$.detail.items[9]","$.detail[0]"]}"#;
        assert_eq!(redacted(ORDER, config).unwrap(), ORDER);
    }

    #[test]
    fn a_key_is_found_however_it_is_written() {
        let event = r#"{"detail":{"e\u006dail":"a","email":"b","x":"email"}}"#;
        assert_eq!(
            redacted(event, r#"{"fields":["$.detail.email"]}"#).unwrap(),
            r#"{"detail":{"x":"email"}}"#
        );
    }

    #[test]
    fn braces_and_quotes_in_strings_are_only_text() {
        let event = r#"{"a":"}],\"{[","b":["\\"],"c":{"d":"]}"}}"#;
        assert_eq!(
            redacted(event, r#"{"fields":["$.b"]}"#).unwrap(),
            r#"{"a":"}],\"{[","c":{"d":"]}"}}"#
        );
    }

    #[test]
    fn a_bad_configuration_is_refused_with_words() {
        for (config, words) in [
            ("{}", "missing field `fields`"),
            (r#"{"fields":[],"masc":"x"}"#, "unknown field `masc`, expected `fields` or `mask`"),
            (
                r#"{"fields":["$.a","detail.a"]}"#,
                "config.fields[1]: path `detail.a`: expected `$` at the beginning, as in `$.detail.email`",
            ),
        ] {
            assert_eq!(slipswitch_sdk::config::<Config>(config).unwrap_err().to_string(), words);
        }
        for (path, words) in [
            ("$", "path `$`: names the whole event; name a field in it, as in `$.detail.email`"),
            ("$.a..b", "path `$.a..b`: expected a name after `.` at character 5"),
            (
                "$.a[x]",
                "path `$.a[x]`: expected a number, `*` or a quoted name after `[` at character 5",
            ),
            ("$['a]", "path `$['a]`: expected a closing `'` for the name at character 4"),
            ("$.a[1", "path `$.a[1`: expected `]` at character 6"),
            ("$a", "path `$a`: expected `.` or `[` at character 2"),
        ] {
            assert_eq!(Path::try_from(path.to_owned()).unwrap_err(), words);
        }
    }
}
