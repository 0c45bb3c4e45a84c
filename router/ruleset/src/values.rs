//! Values from outside in texts: `${NAME}`, `${NAME:-default}`, `${file:/path}`, `${credential:NAME}`.
//!
//! # Invariants
//!
//! - The file is parsed first: whatever a value holds, it is one text and never structure.
//! - `$${` is a `${`; a `$` before anything else is itself, so that JSONPaths need no escape.
//!
//! # Not here
//!
//! - Patterns, tests and input templates: they say the same on every machine.
//! - The environment and the disk: [`Values`] is somebody else's.

use std::ops::Range;

use crate::code::Code;
use crate::diagnostic::Fault;
use crate::source::Source;
use crate::yaml::{Filling, Member, Node, Value};

/// Where values come from.
pub trait Values {
    /// The environment variable `name`; none when it is not set.
    fn env(&self, name: &str) -> Option<String>;

    /// The content of a file.
    ///
    /// # Errors
    ///
    /// Why there is none, in words for a person.
    fn file(&self, path: &str) -> Result<String, String>;

    /// What systemd gave the process under this name; none by default.
    ///
    /// # Errors
    ///
    /// As [`Values::file`].
    fn credential(&self, _name: &str) -> Result<String, String> {
        Err("there are no credentials here".to_owned())
    }

    /// Whether the rules of this file may name values, write files and go over whatever connection they like: whoever
    /// wrote it could do so without us. By default every file's may.
    fn trusts(&self, _path: &str) -> bool {
        true
    }
}

/// A copy of `node` with the values of its texts filled in. What cannot be is added to `faults`.
pub(crate) fn fill(
    node: &Node,
    source: &Source<'_>,
    values: &dyn Values,
    faults: &mut Vec<Fault>,
) -> Node {
    let value = match &node.value {
        Value::Text(text) if text.contains("${") => {
            let is_trusted = values.trusts(source.path);
            let found = if is_trusted {
                fill_text(text, &|name| look_up(name, values))
            } else {
                fill_text(text, &|_| Err(withheld()))
            };
            let (filled, filling) = match found {
                Ok(filled) => (filled, Filling::Done),
                Err((part, words)) => {
                    let code = if is_trusted { Code::MissingValue } else { Code::OnlyInFiles };
                    faults.push(Fault::new(code, node.place_of(part, source.text), words));
                    (text.clone(), Filling::Failed)
                }
            };
            return Node { span: node.span.clone(), value: Value::Text(filled), filling };
        }
        Value::List(items) => {
            Value::List(items.iter().map(|item| fill(item, source, values, faults)).collect())
        }
        Value::Map(members) => {
            let filled = members.iter().map(|member| Member {
                value: fill(&member.value, source, values, faults),
                ..member.clone()
            });
            Value::Map(filled.collect())
        }
        other => other.clone(),
    };
    Node { span: node.span.clone(), value, filling: node.filling }
}

/// `text` with its values filled in, for what is no rule file.
///
/// # Errors
///
/// What is missing; never a value.
pub fn filled(text: &str, values: &dyn Values) -> Result<String, String> {
    fill_text(text, &|name| look_up(name, values)).map_err(|(_, (message, ..))| message)
}

type Words = (String, &'static str, String);

/// Said to those who have no right to a value: whether there is one is not told.
fn withheld() -> Words {
    (
        "a rule made over an interface has no values from outside".to_owned(),
        "a value from outside",
        "write the value itself, use a connection for a secret, or keep the rule in a file of the router's folder; \
         `$${` is a plain `${`"
            .to_owned(),
    )
}

fn fill_text(
    text: &str,
    look_up: &dyn Fn(&str) -> Result<String, Words>,
) -> Result<String, (Range<usize>, Words)> {
    let mut out = String::new();
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find("${")) {
        let start = at + found;
        let before = text.get(at..start).unwrap_or_default();
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            at = start + 2;
            continue;
        }
        out.push_str(before);
        let rest = text.get(start + 2..).unwrap_or_default();
        let Some((name, _)) = rest.split_once('}') else {
            let words = (
                "a `${` has no `}`".to_owned(),
                "never closed",
                "close it, or write `$${` for the characters themselves".to_owned(),
            );
            return Err((start..text.len(), words));
        };
        let end = start + 2 + name.len() + 1;
        out.push_str(&look_up(name).map_err(|words| (start..end, words))?);
        at = end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    Ok(out)
}

fn look_up(name: &str, values: &dyn Values) -> Result<String, Words> {
    if let Some(path) = name.strip_prefix("file:") {
        return match values.file(path) {
            Ok(content) => Ok(without_last_break(content)),
            Err(reason) => Err((
                format!("the file `{path}` cannot be read: {reason}"),
                "needed here",
                "put the value into this file, readable by the router".to_owned(),
            )),
        };
    }
    if let Some(name) = name.strip_prefix("credential:") {
        return match values.credential(name) {
            Ok(content) => Ok(without_last_break(content)),
            Err(reason) => Err((
                format!("the credential `{name}` cannot be read: {reason}"),
                "needed here",
                format!("add `LoadCredential={name}:/path` to the router's systemd unit"),
            )),
        };
    }
    let (name, default) = match name.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (name, None),
    };
    if !is_name(name) {
        let words = (
            format!("`{name}` is no name of an environment variable"),
            "not understood",
            "write `${NAME}`, `${NAME:-default}`, `${file:/path}` or `${credential:NAME}`, and `$${` for a plain `${`"
                .to_owned(),
        );
        return Err(words);
    }
    match (values.env(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err((
            format!("the environment variable `{name}` is not set"),
            "needed here",
            format!("set it where the router starts, or write `${{{name}:-default}}`"),
        )),
    }
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Files that hold one value mostly end in a line break that is not part of it.
fn without_last_break(mut content: String) -> String {
    if content.ends_with('\n') {
        content.pop();
        if content.ends_with('\r') {
            content.pop();
        }
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Values for Fixed {
        fn env(&self, name: &str) -> Option<String> {
            let value = match name {
                "HOST" => "example.org",
                "EMPTY" => "",
                "TRICK" => "a\nb: [${HOST}]",
                _ => return None,
            };
            Some(value.to_owned())
        }

        fn file(&self, path: &str) -> Result<String, String> {
            match path {
                "/run/key" => Ok("s3cret\r\n".to_owned()),
                _ => Err("no such file".to_owned()),
            }
        }
    }

    fn filled(text: &str) -> String {
        fill_text(text, &|name| look_up(name, &Fixed)).unwrap_or_else(|(part, (message, ..))| {
            format!("{}: {message}", text.get(part).unwrap())
        })
    }

    #[test]
    fn values_stand_where_they_are_named() {
        assert_eq!(filled("http://${HOST}:80/${EMPTY}"), "http://example.org:80/");
        assert_eq!(filled("${NONE:-http://127.0.0.1:9}"), "http://127.0.0.1:9");
        assert_eq!(filled("${EMPTY:-x}${HOST:-y}"), "xexample.org");
        assert_eq!(filled("Bearer ${file:/run/key}"), "Bearer s3cret");
    }

    #[test]
    fn a_value_is_not_read_again() {
        assert_eq!(filled("${TRICK}"), "a\nb: [${HOST}]");
    }

    #[test]
    fn dollars_without_a_brace_are_themselves() {
        assert_eq!(
            filled("$.detail.id costs 5$ or $HOST, é$"),
            "$.detail.id costs 5$ or $HOST, é$"
        );
        assert_eq!(filled("$${HOST} $$${HOST}"), "${HOST} $${HOST}");
    }

    #[test]
    fn what_is_not_there_is_named() {
        assert_eq!(filled("x ${NONE} y"), "${NONE}: the environment variable `NONE` is not set");
        assert_eq!(
            filled("${file:/none}"),
            "${file:/none}: the file `/none` cannot be read: no such file"
        );
        assert_eq!(filled("${a-b}"), "${a-b}: `a-b` is no name of an environment variable");
        assert_eq!(filled("x ${HOST"), "${HOST: a `${` has no `}`");
    }
}
