//! What a test expects of a target, held against what the target would be sent; and the same written as JSON.
//!
//! # Invariants
//!
//! - What [`Came::written`] writes is what [`Came::differs`] takes for the same.
//! - Two JSON values are compared by value, anything else as text.

use crate::json::{self, Difference, Kind};
use crate::transform::{Payload, TransformError};

/// How much of an output is repeated in a failure.
const SHOWN_CHARS: usize = 600;
/// The word for no output at all.
pub(crate) const NONE: &str = "none";

/// Message, label and mend.
pub(crate) type Words = (String, String, String);

/// What one target would be sent.
pub(crate) type Came = Result<Vec<Payload>, TransformError>;

/// What one target is expected to get.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    /// JSON texts, one for each output, in their order.
    Outputs(Vec<String>),
    /// Its transform fails, with these words among others.
    Error(String),
}

impl Wanted {
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Outputs(outputs) if outputs.is_empty())
    }
}

/// Why `came` is not what was wanted for the target `id`; none when it is.
pub(crate) fn differs(id: &str, wanted: &Wanted, came: &Came) -> Option<Words> {
    match (wanted, came) {
        (Wanted::Outputs(wanted), Ok(outputs)) => outputs_differ(id, wanted, outputs),
        (Wanted::Outputs(_), Err(error)) => {
            let mend = "mend the transform; an error that is meant is written under `errors`";
            Some((format!("the transform of `{id}` failed"), error.to_string(), mend.to_owned()))
        }
        (Wanted::Error(part), Err(error)) => {
            let error = error.to_string();
            let message = format!("the transform of `{id}` fails with other words");
            let label = || format!("expected {}, got {}", quoted(part), shown(&quoted(&error)));
            (!error.contains(part.as_str())).then(|| (message, label(), String::new()))
        }
        (Wanted::Error(part), Ok(outputs)) => {
            let message = format!("the transform of `{id}` was expected to fail, and does not");
            let label = format!("expected an error with {}", quoted(part));
            Some((message, label, it_is_sent(outputs)))
        }
    }
}

fn outputs_differ(id: &str, wanted: &[String], outputs: &[Payload]) -> Option<Words> {
    if outputs.len() != wanted.len() {
        let message = format!("`{id}` is sent another number of outputs");
        let label = format!("expected {}, got {}", wanted.len(), outputs.len());
        return Some((message, label, it_is_sent(outputs)));
    }
    wanted.iter().zip(outputs).enumerate().find_map(|(at, (wanted, output))| {
        let label = one_differs(wanted, output)?;
        let message = match outputs.len() {
            1 => format!("`{id}` is sent something else"),
            all => format!("output {} of {all} to `{id}` is something else", at + 1),
        };
        Some((message, label, it_is_sent(std::slice::from_ref(output))))
    })
}

/// All of it, for a mend.
pub(crate) fn it_is_sent(outputs: &[Payload]) -> String {
    let all: Vec<String> = outputs.iter().map(|output| shown(&output.body)).collect();
    match all.as_slice() {
        [] => "a step dropped the event".to_owned(),
        all => format!("it is sent:\n{}", all.join("\n")),
    }
}

/// Where an output is not what was expected, in words.
fn one_differs(expected: &str, output: &Payload) -> Option<String> {
    let text = (json::kind(expected) == Kind::Text)
        .then(|| expected.strip_prefix('"').and_then(|text| text.strip_suffix('"')))
        .flatten()
        .map(json::unescape);
    if text.is_some_and(|text| *text == output.body) {
        return None;
    }
    if json::check(&output.body, &event::Limits::default()).is_err() {
        return Some(format!(
            "expected {}, got the text {}",
            shown(expected),
            shown(&quoted(&output.body))
        ));
    }
    let Difference { path, expected, actual } = json::difference(expected, &output.body)?;
    let value = |value: Option<String>| value.map_or("nothing".to_owned(), |text| shown(&text));
    let at = if path == "$" { String::new() } else { format!("at {path}: ") };
    Some(format!("{at}expected {}, got {}", value(expected), value(actual)))
}

/// What came, as a test expects it: JSON on one line, or `none`. The words of an error are not here.
pub(crate) fn written(outputs: &[Payload]) -> String {
    let all: Vec<String> = outputs.iter().map(one_written).collect();
    match all.as_slice() {
        [] => quoted(NONE),
        // A list would be taken for several outputs, and the word for no output.
        [one] if json::kind(one) != Kind::Array && *one != quoted(NONE) => one.clone(),
        all => format!("[{}]", all.join(", ")),
    }
}

fn one_written(output: &Payload) -> String {
    let is_json = output.content_type.contains("json")
        && json::check(&output.body, &event::Limits::default()).is_ok();
    let mut out = String::new();
    if is_json {
        push_spaced(&output.body, &mut out);
    } else {
        json::push_quoted(&mut out, &output.body);
    }
    out
}

/// Copies a value with a space behind commas and colons, and with as few escapes as can be: YAML, which
/// this is written into as well, knows fewer of them.
fn push_spaced(value: &str, out: &mut String) {
    let value = value.trim();
    match json::kind(value) {
        Kind::Object => {
            out.push('{');
            for (at, (key, value)) in json::members(value).enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                json::push_quoted(out, &json::unescape(key));
                out.push_str(": ");
                push_spaced(value, out);
            }
            out.push('}');
        }
        Kind::Array => {
            out.push('[');
            for (at, value) in json::elements(value).enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                push_spaced(value, out);
            }
            out.push(']');
        }
        Kind::Text => {
            let inner = value.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            json::push_quoted(out, &json::unescape(inner.unwrap_or(value)));
        }
        Kind::Null | Kind::Bool | Kind::Number => out.push_str(value),
    }
}

/// As a text of JSON.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    json::push_quoted(&mut quoted, text);
    quoted
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(body: &str, content_type: &str) -> Payload {
        Payload {
            body: body.to_owned(),
            content_type: content_type.to_owned(),
            attributes: Vec::new(),
        }
    }

    #[test]
    fn what_is_written_is_what_is_expected() {
        let json = |body: &str| payload(body, "application/json");
        let text = |body: &str| payload(body, "text/plain; charset=utf-8");
        for (outputs, expected) in [
            (vec![], r#""none""#),
            (vec![json(r#"{"a":[1.10,"\ud83d\ude00"]}"#)], r#"{"a": [1.10, "😀"]}"#),
            (vec![json("[1,2]")], "[[1, 2]]"),
            (vec![json("1"), text("two")], r#"[1, "two"]"#),
            (vec![text("none")], r#"["none"]"#),
            (vec![text("5")], r#""5""#),
            (vec![json(r#""5""#)], r#""5""#),
            (vec![json("not json")], r#""not json""#),
        ] {
            let text = written(&outputs);
            assert_eq!(text, expected);
            let wanted = match json::kind(&text) {
                Kind::Array => json::elements(&text).map(str::to_owned).collect(),
                _ if outputs.is_empty() => Vec::new(),
                _ => vec![text],
            };
            assert_eq!(differs("t", &Wanted::Outputs(wanted), &Ok(outputs)), None);
        }
    }

    #[test]
    fn an_error_is_expected_by_a_part_of_its_words() {
        let came = || Err(TransformError::Final("step 1 (input): there is no `$.a`".to_owned()));
        let wanted = |part: &str| Wanted::Error(part.to_owned());
        assert_eq!(differs("t", &wanted("no `$.a`"), &came()), None);
        let (message, label, _) = differs("t", &wanted("no `$.b`"), &came()).unwrap();
        assert_eq!(message, "the transform of `t` fails with other words");
        assert!(label.contains("$.b") && label.contains("$.a"), "{label}");
        assert!(differs("t", &Wanted::Outputs(Vec::new()), &came()).is_some());
        assert!(differs("t", &wanted(""), &Ok(Vec::new())).is_some());
    }
}
