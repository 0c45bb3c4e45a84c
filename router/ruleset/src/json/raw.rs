//! The parts of a JSON value, as slices of its text.

use std::fmt;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    Text,
    Array,
    Object,
}

/// A value that holds others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nested {
    Object,
    Array,
}

impl fmt::Display for Nested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Object => "an object",
            Self::Array => "an array",
        })
    }
}

/// Told by the first byte.
pub(crate) fn kind(value: &str) -> Kind {
    match value.trim_start().as_bytes().first() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b'"') => Kind::Text,
        Some(b't' | b'f') => Kind::Bool,
        Some(b'n') | None => Kind::Null,
        Some(_) => Kind::Number,
    }
}

/// Keys, without their quotes and still escaped, and values of an object; nothing of another value.
pub(crate) fn members(object: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut reader = Reader::within(object, b'{');
    std::iter::from_fn(move || {
        let key = reader.value()?;
        let key = key.strip_prefix('"')?.strip_suffix('"')?;
        reader.expect(b':')?;
        let value = reader.value()?;
        reader.comma();
        Some((key, value))
    })
}

/// The elements of an array; nothing of another value.
pub(crate) fn elements(array: &str) -> impl Iterator<Item = &str> {
    let mut reader = Reader::within(array, b'[');
    std::iter::from_fn(move || {
        let value = reader.value()?;
        reader.comma();
        Some(value)
    })
}

/// Copies `json` without the white space between its tokens.
pub(crate) fn compact(json: &str, out: &mut String) {
    let mut rest = json;
    while let Some(at) = rest.find(['"', ' ', '\t', '\n', '\r']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let taken = if from.starts_with('"') { string_len(from.as_bytes()) } else { 1 };
        let (token, after) = from.split_at(taken.min(from.len()));
        if from.starts_with('"') {
            out.push_str(token);
        }
        rest = after;
    }
    out.push_str(rest);
}

/// Copies `json` compact and without its double quotes, those within its texts included; other escapes
/// stay as they are.
pub(crate) fn bare(json: &str, out: &mut String) {
    let mut chars = json.chars();
    let mut is_inside = false;
    while let Some(c) = chars.next() {
        match c {
            '"' => is_inside = !is_inside,
            '\\' if is_inside => match chars.next() {
                Some('"') | None => (),
                Some(escaped) => out.extend(['\\', escaped]),
            },
            ' ' | '\t' | '\n' | '\r' if !is_inside => (),
            other => out.push(other),
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    /// Behind the opening bracket; at the end when the value begins with another byte.
    fn within(text: &'t str, open: u8) -> Self {
        let mut reader = Self { text, at: 0 };
        if reader.expect(open).is_none() {
            reader.at = text.len();
        }
        reader
    }

    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        self.at += blanks.count();
        self.text.as_bytes().get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        if self.peek()? != byte {
            return None;
        }
        self.at += 1;
        Some(())
    }

    fn comma(&mut self) {
        if self.peek() == Some(b',') {
            self.at += 1;
        }
    }

    /// The value here; none at a closing bracket or the end.
    fn value(&mut self) -> Option<&'t str> {
        let first = self.peek()?;
        let rest = self.text.as_bytes().get(self.at..)?;
        let len = match first {
            b'"' => string_len(rest),
            b'{' | b'[' => nested_len(rest),
            b'}' | b']' | b',' | b':' => return None,
            _ => rest
                .iter()
                .take_while(|byte| {
                    !matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r')
                })
                .count(),
        };
        let value = self.text.get(self.at..self.at + len)?;
        self.at += len;
        Some(value)
    }
}

/// The length of the string that `bytes` begin with, both quotes included.
fn string_len(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The length of the object or array that `bytes` begin with.
fn nested_len(bytes: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += string_len(bytes.get(at..).unwrap_or_default());
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => (),
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_the_senders_bytes() {
        let object = r#" { "a" : 1.10 , "b\"}" : [ 1, {"x":"]"} ] , "c":null}"#;
        let found: Vec<_> = members(object).collect();
        assert_eq!(found, [("a", "1.10"), (r#"b\"}"#, r#"[ 1, {"x":"]"} ]"#), ("c", "null")]);
        let items: Vec<_> = elements(r#"[ 1, {"x":"]"} , "\\" ,[]]"#).collect();
        assert_eq!(items, ["1", r#"{"x":"]"}"#, r#""\\""#, "[]"]);
        assert_eq!(members("[1]").count() + elements("{}").count() + elements("[]").count(), 0);
    }

    #[test]
    fn white_space_within_strings_is_kept() {
        let mut out = String::new();
        compact("{ \"a b\" :\n [1 , \"\\\" c\"] }", &mut out);
        assert_eq!(out, r#"{"a b":[1,"\" c"]}"#);
    }

    proptest! {
        #[test]
        fn any_text_is_safe_to_read(text in r#"[{}\[\]",:\\a1é \n]{0,40}"#) {
            let mut out = String::new();
            compact(&text, &mut out);
            let seen = members(&text).count() + elements(&text).count();
            prop_assert!(seen <= text.len());
        }
    }
}
