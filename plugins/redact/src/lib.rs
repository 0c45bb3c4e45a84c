//! Removes the configured JSON paths from an event, or masks their values; every other byte stays as it was sent.

use serde_json::value::RawValue;
use slipswitch_sdk::{Error, Event, Output, transformer};

#[slipswitch_sdk::config]
pub struct Config {
    /// What to take out. A path that an event does not have is no error.
    fields: Vec<Path>,
    /// Put in place of each value; without it the value goes, together with its key.
    mask: Option<String>,
}

/// From the event down: keys, `[0` for an index, and `[*` for every one of either.
#[slipswitch_sdk::config]
#[serde(try_from = "String")]
pub struct Path(Vec<String>);

impl TryFrom<String> for Path {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let expected = "`.name`, `.*`, `[0]`, `[*]` or `['name']`, as in `$.detail.items[*].note`";
        let refuse = |at: &str| format!("path `{text}`, at `{at}`: expected `$`, then {expected}");
        let mut rest = text.strip_prefix('$').ok_or_else(|| refuse(&text))?;
        let mut segments = Vec::new();
        while !rest.is_empty() || segments.is_empty() {
            let (segment, after) = first(rest).ok_or_else(|| refuse(rest))?;
            segments.push(segment.to_owned());
            rest = after;
        }
        Ok(Self(segments))
    }
}

/// The first segment of a path, and what is behind it.
fn first(path: &str) -> Option<(&str, &str)> {
    if let Some(rest) = path.strip_prefix('.') {
        let (name, rest) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
        return (!name.is_empty()).then_some((if name == "*" { "[*" } else { name }, rest));
    }
    let rest = path.strip_prefix('[')?;
    match rest.strip_prefix(['\'', '"']) {
        Some(quoted) => quoted.split_once(if rest.starts_with('"') { "\"]" } else { "']" }),
        None => path.split_once(']').filter(|(at, _)| *at == "[*" || index_of(at).is_some()),
    }
}

fn index_of(segment: &str) -> Option<usize> {
    segment.strip_prefix('[')?.parse().ok()
}

#[transformer]
pub fn redact(event: &Event, config: &Config) -> Result<Output, Error> {
    let mask = config.mask.as_ref().map(serde_json::to_string).transpose()?;
    let paths: Vec<&[String]> = config.fields.iter().map(|path| &*path.0).collect();
    let mut output = String::with_capacity(event.json().len());
    copy(event.json().trim(), &paths, mask.as_deref(), &mut output)?;
    Ok(Output::raw(output))
}

/// Copies JSON without the values at `paths`, or with `mask` in their place.
fn copy(json: &str, paths: &[&[String]], mask: Option<&str>, to: &mut String) -> Result<(), Error> {
    if paths.is_empty() || !json.starts_with(['{', '[']) {
        to.push_str(json);
        return Ok(());
    }
    let (bracket, mut rest) = json.split_at(1);
    to.push_str(bracket);
    let mut index = 0;
    while !rest.trim_start().starts_with(['}', ']']) {
        let (key, after_key) = token(rest)?;
        let (value, behind) = if bracket == "{" { token(after_key)? } else { (key, after_key) };
        let leads = |path: &&[String]| match bracket {
            _ if path[0] == "[*" => true,
            "[" => index_of(&path[0]) == Some(index),
            _ if key.contains('\\') => serde_json::from_str(key).ok().as_ref() == Some(&path[0]),
            _ => key.trim_matches('"') == path[0],
        };
        let before = rest.split_at(rest.len() - behind.len() - value.len()).0;
        let below: Vec<_> = paths.iter().copied().filter(leads).map(|path| &path[1..]).collect();
        (rest, index) = (behind, index + 1);
        let is_named = below.iter().any(|path| path.is_empty());
        if is_named && mask.is_none() {
            continue; // With what is before it: a comma and a key.
        }
        // The first that stays has no comma.
        let bare = before.trim_start().strip_prefix(',').filter(|_| to.ends_with(['{', '[']));
        to.push_str(bare.unwrap_or(before));
        match mask.filter(|_| is_named) {
            Some(mask) => to.push_str(mask),
            None => copy(value, &below, mask, to)?,
        }
    }
    to.push_str(rest);
    Ok(())
}

/// The next value of a text, as it stands there, and what is behind it.
fn token(json: &str) -> Result<(&str, &str), Error> {
    let json = json.trim_start_matches([',', ':', ' ', '\n', '\r', '\t']);
    let mut tokens = serde_json::Deserializer::from_str(json).into_iter::<&RawValue>();
    let token = tokens.next().ok_or_else(|| Error::invalid("the event is not valid JSON"))??;
    Ok((token.get(), json.split_at(token.get().len()).1))
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
    fn a_key_is_no_index_and_no_wildcard() {
        let event = r#"{"detail":{"a":{"0":1,"*":2,"x":3},"b":[4]}}"#;
        let config = r#"{"fields":["$.detail.a[0]","$.detail.a['*']","$.detail.b.0"]}"#;
        assert_eq!(redacted(event, config).unwrap(), r#"{"detail":{"a":{"0":1,"x":3},"b":[4]}}"#);
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
                "config.fields[1]: path `detail.a`, at `detail.a`: expected `$`, then `.name`, `.*`, `[0]`, `[*]` or `['name']`, as in `$.detail.items[*].note`",
            ),
        ] {
            assert_eq!(
                slipswitch_sdk::config::<Config>(config).map(drop).unwrap_err().to_string(),
                words
            );
        }
        for (path, at) in [
            ("$", ""),
            ("$.a..b", "..b"),
            ("$.a[x]", "[x]"),
            ("$['a]", "['a]"),
            ("$.a[1", "[1"),
            ("$a", "a"),
        ] {
            let words = Path::try_from(path.to_owned()).map(drop).unwrap_err();
            let start = format!("path `{path}`, at `{at}`: expected `$`, then `.name`");
            assert!(words.starts_with(&start), "{words}");
        }
    }
}
