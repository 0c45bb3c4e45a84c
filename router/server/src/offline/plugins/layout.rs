//! JSON as people like to read it, and what came out of a plugin written as a case expects it.
//!
//! # Invariants
//!
//! - Numbers, strings and escapes stay as they are: only the space between them changes.

use bus::plugin::{CallError, Output, Role};
use serde_json::Value;

use super::judge::{Came, word};

/// A value longer than this is spread over several lines.
const LINE_CHARS_MAX: usize = 100;
const STEP: &str = "  ";
/// The words of an error up to here: what follows is where in which build it happened.
const MESSAGE_CHARS_MAX: usize = 120;

/// Whether the body claims to be JSON.
pub(super) fn is_json(output: &Output) -> bool {
    let content_type =
        output.attributes.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    content_type.is_none_or(|(_, value)| value.contains("json"))
}

/// What came, as the value of `expect`; lines after the first begin with `indent`.
pub(super) fn expectation(came: &Came, role: Role, indent: &str) -> String {
    let text = match came {
        Err(CallError::Trap { message, .. }) => error("trap", message),
        Err(found) => error(word(found), &found.to_string()),
        Ok(outputs) if role == Role::Filter => (!outputs.is_empty()).to_string(),
        Ok(outputs) => {
            let all: Vec<String> = outputs.iter().map(output).collect();
            format!("[{}]", all.join(","))
        }
    };
    spread(&text, indent)
}

fn error(kind: &str, message: &str) -> String {
    let message: String = message.chars().take(MESSAGE_CHARS_MAX).collect();
    let (kind, message) = (Value::from(kind), Value::from(message));
    format!(r#"{{"error":{kind},"message":{message}}}"#)
}

pub(super) fn output(output: &Output) -> String {
    let body = if is_json(output) {
        output.body.clone()
    } else {
        Value::from(output.body.as_str()).to_string()
    };
    let is_clear = serde_json::from_str::<serde_json::Map<String, Value>>(&body)
        .map_or(true, |map| !map.contains_key("body"));
    if output.attributes.is_empty() && is_clear {
        return body;
    }
    let mut text = format!(r#"{{"body":{body}"#);
    if !output.attributes.is_empty() {
        let attributes: serde_json::Map<String, Value> = output
            .attributes
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        text.push_str(&format!(r#","attributes":{}"#, Value::from(attributes)));
    }
    text.push('}');
    text
}

/// On one line when it is short, else a member or element a line.
pub(super) fn spread(json: &str, indent: &str) -> String {
    let line = one_line(json);
    if line.chars().count() + indent.len() <= LINE_CHARS_MAX {
        return line;
    }
    let mut out = String::new();
    let mut depth = 0_usize;
    let mut tokens = Tokens(json).peekable();
    while let Some(token) = tokens.next() {
        let wrap = |out: &mut String, depth: usize| {
            out.push('\n');
            out.push_str(indent);
            out.push_str(&STEP.repeat(depth));
        };
        match token {
            "{" | "[" => {
                out.push_str(token);
                if let Some(end) = tokens.next_if(|next| matches!(*next, "}" | "]")) {
                    out.push_str(end);
                } else {
                    depth += 1;
                    wrap(&mut out, depth);
                }
            }
            "}" | "]" => {
                depth = depth.saturating_sub(1);
                wrap(&mut out, depth);
                out.push_str(token);
            }
            "," => {
                out.push(',');
                wrap(&mut out, depth);
            }
            ":" => out.push_str(": "),
            _ => out.push_str(token),
        }
    }
    out
}

/// With one space after each comma and colon.
pub(super) fn one_line(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for token in Tokens(json) {
        out.push_str(token);
        if matches!(token, "," | ":") {
            out.push(' ');
        }
    }
    out
}

/// The tokens of a JSON text; of any other text, pieces of it.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.0.trim_start();
        let first = rest.chars().next()?;
        let len = match first {
            '{' | '}' | '[' | ']' | ',' | ':' => 1,
            '"' => string_len(rest),
            _ => rest
                .find(|c: char| c.is_whitespace() || "{}[],:\"".contains(c))
                .unwrap_or(rest.len()),
        };
        let (token, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some(token)
    }
}

fn string_len(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => (),
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_values_stay_on_a_line_and_long_ones_are_spread() {
        let json = "{\"a\" :1.10,\n\"b\":[ \"x, y\\\"\" ,{}]}";
        assert_eq!(one_line(json), r#"{"a": 1.10, "b": ["x, y\"", {}]}"#);
        assert_eq!(spread(json, ""), one_line(json));
        let indent = " ".repeat(90);
        let spread = spread(json, &indent).replace(&indent, "|");
        assert_eq!(
            spread,
            "{\n|  \"a\": 1.10,\n|  \"b\": [\n|    \"x, y\\\"\",\n|    {}\n|  ]\n|}"
        );
    }

    #[test]
    fn what_came_is_written_as_shortly_as_it_is_read() {
        let one = |body: &str, attributes: &[(&str, &str)]| Output {
            body: body.to_owned(),
            attributes: attributes
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        let written = |outputs| expectation(&Ok(outputs), Role::Transformer, "");
        assert_eq!(written(vec![]), "[]");
        assert_eq!(written(vec![one("{\"a\":1.10}", &[]), one("2", &[])]), r#"[{"a": 1.10}, 2]"#);
        assert_eq!(
            written(vec![one("a", &[("content-type", "text/plain")])]),
            r#"[{"body": "a", "attributes": {"content-type": "text/plain"}}]"#
        );
        // Else it would be read as the output itself.
        assert_eq!(written(vec![one("{\"body\":1}", &[])]), r#"[{"body": {"body": 1}}]"#);
        assert_eq!(expectation(&Ok(vec![]), Role::Filter, ""), "false");
        let failed = Err(CallError::Invalid("no total".to_owned()));
        assert_eq!(
            expectation(&failed, Role::Filter, ""),
            r#"{"error": "invalid", "message": "no total"}"#
        );
    }
}
