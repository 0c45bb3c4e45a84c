//! Putting what was sent into a sentence: quoted, cut, and harmless to a terminal.
//!
//! # Invariants
//!
//! - No text from outside is shown longer than a constant, whatever its length.
//! - What would steer a terminal, or not be seen at all, is shown as an escape.

use std::fmt::Write as _;

/// Characters of one value that are shown.
const VALUE_CHARS_MAX: usize = 60;

/// Characters of one path that are shown.
const PATH_CHARS_MAX: usize = 160;

/// A string as JSON writes it. A long one is cut, and its length said.
pub(super) fn quoted(text: &[u8]) -> String {
    let (shown, is_whole) = escaped(text, VALUE_CHARS_MAX);
    if is_whole {
        format!("\"{shown}\"")
    } else {
        format!("\"{shown}…\" ({})", count(text.len(), "byte"))
    }
}

/// A path, its keys as they are.
pub(super) fn path(path: &[u8]) -> String {
    let (shown, is_whole) = escaped(path, PATH_CHARS_MAX);
    if path.is_empty() {
        "\"\"".to_owned()
    } else if is_whole {
        shown
    } else {
        format!("{shown}…")
    }
}

/// A number, or another bare word, as it was spelled.
pub(super) fn bare(literal: &[u8]) -> String {
    let (shown, is_whole) = escaped(literal, VALUE_CHARS_MAX);
    if is_whole { shown } else { format!("{shown}… ({} characters)", literal.len()) }
}

/// `a`, `a and b`, `a, b and c`; of more than `max` the rest is counted.
pub(super) fn list(items: &[String], max: usize, conjunction: &str) -> String {
    let shown = &items[..items.len().min(max)];
    let more = items.len() - shown.len();
    match shown.split_last() {
        None => String::new(),
        Some(_) if 0 < more => format!("{} {conjunction} {more} more", shown.join(", ")),
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} {conjunction} {last}", before.join(", ")),
    }
}

/// `1 value`, `2 values`.
pub(super) fn count(number: usize, what: &str) -> String {
    let number = grouped(number);
    if number == "1" { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// A number with its thousands set apart.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if 0 < at && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The text up to `max` characters, and whether that is all of it.
fn escaped(text: &[u8], max: usize) -> (String, bool) {
    let mut out = String::new();
    let mut rest = text;
    let mut chars = 0;
    while !rest.is_empty() {
        if chars == max {
            return (out, false);
        }
        chars += 1;
        rest = escape_one(rest, &mut out);
    }
    (out, true)
}

/// Appends the first character, and returns what follows it.
fn escape_one<'a>(text: &'a [u8], out: &mut String) -> &'a [u8] {
    let first = text[..text.len().min(4)].utf8_chunks().next();
    if let Some(c) = first.and_then(|chunk| chunk.valid().chars().next()) {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_hidden(c) => push_units(c, out),
            c => out.push(c),
        }
        return &text[c.len_utf8()..];
    }
    // Half a surrogate pair, as `json::decode` keeps it.
    if let [0xed, high @ 0xa0..=0xbf, low @ 0x80..=0xbf, rest @ ..] = text {
        let unit = 0xd000 | u32::from(high & 0x3f) << 6 | u32::from(low & 0x3f);
        push_unit(unit, out);
        return rest;
    }
    out.push(char::REPLACEMENT_CHARACTER);
    &text[1..]
}

/// It steers a terminal, turns the direction of the text, or takes no place.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
        || (c.is_whitespace() && c != ' ')
}

fn push_units(c: char, out: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        push_unit(u32::from(*unit), out);
    }
}

fn push_unit(unit: u32, out: &mut String) {
    write!(out, "\\u{unit:04x}").expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_short_and_harmless() {
        assert_eq!(quoted("a\"b\\c\n\u{1b}[2Jé🚀".as_bytes()), r#""a\"b\\c\n\u001b[2Jé🚀""#);
        assert_eq!(
            quoted("a\u{202e}b\u{a0}\u{e0041}".as_bytes()),
            r#""a\u202eb\u00a0\udb40\udc41""#
        );
        assert_eq!(quoted(b"\xed\xa0\x80x\xff"), "\"\\ud800x\u{fffd}\"");
        assert_eq!(quoted(b"\xed\xbf\xbf"), r#""\udfff""#);
        let long = "é".repeat(1_000);
        assert_eq!(quoted(long.as_bytes()), format!("\"{}…\" (2,000 bytes)", "é".repeat(60)));
        assert_eq!(bare("9".repeat(61).as_bytes()), format!("{}… (61 characters)", "9".repeat(60)));
        assert_eq!((path(b""), path(b"a b.c")), ("\"\"".to_owned(), "a b.c".to_owned()));
    }

    #[test]
    fn lists_and_counts_read_as_people_write_them() {
        let items: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).into();
        assert_eq!(list(&items[..1], 3, "and"), "a");
        assert_eq!(list(&items[..2], 3, "or"), "a or b");
        assert_eq!(list(&items[..3], 3, "or"), "a, b or c");
        assert_eq!(list(&items, 2, "and"), "a, b and 2 more");
        assert_eq!(count(1, "value"), "1 value");
        assert_eq!(count(12_345, "value"), "12,345 values");
        assert_eq!((grouped(123), grouped(1_234_567)), ("123".to_owned(), "1,234,567".to_owned()));
    }
}
