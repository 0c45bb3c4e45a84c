//! Strings of JSON, in and out.

use std::borrow::Cow;
use std::fmt::Write;

/// What the inside of a JSON string says.
///
/// Half a surrogate pair, which JSON allows and no text can hold, becomes U+FFFD.
pub(crate) fn unescape(inside: &str) -> Cow<'_, str> {
    if !inside.contains('\\') {
        return Cow::Borrowed(inside);
    }
    let mut out = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some((before, escaped)) = rest.split_once('\\') {
        out.push_str(before);
        let mut chars = escaped.chars();
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let (character, after) = unicode(escaped);
                out.push(character);
                rest = after;
                continue;
            }
            Some(other) => out.push(other),
            None => (),
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character of `uXXXX`, or of `uXXXX\uXXXX`, and what follows it.
fn unicode(escaped: &str) -> (char, &str) {
    let unit = |text: &str| u32::from_str_radix(text.get(1..5)?, 16).ok();
    let after = |len: usize| escaped.get(len..).unwrap_or_default();
    let Some(first) = unit(escaped) else {
        return (char::REPLACEMENT_CHARACTER, after(1));
    };
    if (0xD800..0xDC00).contains(&first)
        && let Some(low) = after(5).strip_prefix('\\').filter(|low| low.starts_with('u'))
        && let Some(second) = unit(low).filter(|second| (0xDC00..0xE000).contains(second))
    {
        let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), after(11));
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), after(5))
}

/// `text` as the inside of a JSON string.
fn push_escaped(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                write!(out, "\\u{:04x}", u32::from(control)).expect("a String takes every text");
            }
            other => out.push(other),
        }
    }
}

/// `text` as a JSON string.
pub(crate) fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    push_escaped(out, text);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_escape_is_read() {
        assert_eq!(unescape(r#"a\"\\\/\b\f\n\r\té😀"#), "a\"\\/\u{8}\u{c}\n\r\té😀");
        assert_eq!(unescape(r"\ud83d\ude00"), "😀");
        assert_eq!(unescape(r"\ud83d x \udc00"), "\u{fffd} x \u{fffd}");
        assert_eq!(unescape(r"\u12"), "\u{fffd}12");
        assert_eq!(unescape("\\"), "");
    }

    proptest! {
        #[test]
        fn what_is_escaped_reads_back(text in any::<String>()) {
            let mut quoted = String::new();
            push_quoted(&mut quoted, &text);
            prop_assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text.clone());
            let mut inside = String::new();
            push_escaped(&mut inside, &text);
            prop_assert_eq!(unescape(&inside), text);
        }

        #[test]
        fn any_text_is_safe_to_unescape(text in r"[\\ud8c0-9a-fné]{0,30}") {
            unescape(&text);
        }
    }
}
