//! Where a scalar ends: strings, numbers and words, checked but not read.

use std::ops::Range;

use super::{Kind, SyntaxError, quoted};

const WORDS: &str =
    "was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

/// The string whose opening quote is at `start`, with its quotes.
pub(super) fn string(text: &[u8], start: usize) -> Result<Range<usize>, SyntaxError> {
    let mut at = start + 1;
    loop {
        match text.get(at) {
            None => return Err(unclosed(text)),
            Some(b'"') => return Ok(start..at + 1),
            Some(b'\\') => at = escape(text, at)?,
            Some(0..=0x1f) => {
                return Err(SyntaxError {
                    span: at..at + 1,
                    message: format!(
                        "Illegal unquoted character ({}): has to be escaped using backslash to be included in string value",
                        quoted(text, at)
                    ),
                    mend: "write the character as an escape, such as \\n or \\u0000",
                });
            }
            Some(_) => at += 1,
        }
    }
}

/// The end of the escape whose backslash is at `at`.
fn escape(text: &[u8], at: usize) -> Result<usize, SyntaxError> {
    match text.get(at + 1) {
        None => Err(unclosed(text)),
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => {
            for digit in at + 2..at + 6 {
                match text.get(digit) {
                    None => return Err(unclosed(text)),
                    Some(byte) if byte.is_ascii_hexdigit() => (),
                    Some(_) => {
                        return Err(SyntaxError {
                            span: at..digit,
                            message: format!(
                                "Unexpected character ({}): expected a hex-digit for character escape sequence",
                                quoted(text, digit)
                            ),
                            mend: "write four hexadecimal digits after \\u",
                        });
                    }
                }
            }
            Ok(at + 6)
        }
        Some(_) => Err(SyntaxError {
            span: at..char_end(text, at + 1),
            message: format!("Unrecognized character escape {}", quoted(text, at + 1)),
            mend: "a backslash stands only before \" \\ / b f n r t u; write \\\\ for itself",
        }),
    }
}

fn unclosed(text: &[u8]) -> SyntaxError {
    SyntaxError {
        span: text.len()..text.len(),
        message: "Unexpected end-of-input: was expecting closing quote for a string value"
            .to_owned(),
        mend: "close the string with a double quote",
    }
}

/// The number that begins at `start`.
pub(super) fn number(text: &[u8], start: usize) -> Result<Range<usize>, SyntaxError> {
    let minus = usize::from(text[start] == b'-');
    let whole = start + minus;
    let mut at = digits(text, whole);
    if at == whole {
        return Err(bad_number(
            text,
            at,
            "expected digit (0-9) to follow minus sign, for valid numeric value",
        ));
    }
    if text[whole] == b'0' && whole + 1 < at {
        return Err(SyntaxError {
            span: start..at,
            message: "Invalid numeric value: Leading zeroes not allowed".to_owned(),
            mend: "remove the leading zeroes, or quote the number to make it a string",
        });
    }
    if text.get(at) == Some(&b'.') {
        let fraction = at + 1;
        at = digits(text, fraction);
        if at == fraction {
            return Err(bad_number(text, at, "Decimal point not followed by a digit"));
        }
    }
    if let Some(b'e' | b'E') = text.get(at) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        let exponent = at + 1 + sign;
        at = digits(text, exponent);
        if at == exponent {
            return Err(bad_number(text, at, "Exponent indicator not followed by a digit"));
        }
    }
    Ok(start..at)
}

fn digits(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

fn bad_number(text: &[u8], at: usize, why: &str) -> SyntaxError {
    let message = if at == text.len() {
        format!("Unexpected end-of-input in numeric value: {why}")
    } else {
        format!("Unexpected character ({}) in numeric value: {why}", quoted(text, at))
    };
    SyntaxError {
        span: at..char_end(text, at),
        message,
        mend: "write the number out, such as -1.5e3",
    }
}

/// `true`, `false` or `null`, and where it ends.
pub(super) fn word(text: &[u8], start: usize) -> Result<(Kind, usize), SyntaxError> {
    let letters = text[start..].iter();
    let len = letters.take_while(|byte| is_word(**byte)).count();
    let end = start + len;
    match &text[start..end] {
        b"true" => Ok((Kind::True, end)),
        b"false" => Ok((Kind::False, end)),
        b"null" => Ok((Kind::Null, end)),
        b"" => Err(unexpected(
            text,
            start,
            "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
            "write a value; strings stand in double quotes",
        )),
        found => Err(SyntaxError {
            span: start..end,
            message: format!(
                "Unrecognized token '{}': {WORDS}",
                String::from_utf8_lossy(&found[..found.len().min(256)])
            ),
            mend: "put strings in double quotes; the only bare words are true, false and null",
        }),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii()
}

/// The character at `at` is none that can be there.
pub(super) fn unexpected(
    text: &[u8],
    at: usize,
    expected: &str,
    mend: &'static str,
) -> SyntaxError {
    let (expected, mend) = match text.get(at) {
        Some(b'/') => ("maybe a (non-standard) comment?", "remove the comment: JSON has none"),
        _ => (expected, mend),
    };
    SyntaxError {
        span: at..char_end(text, at),
        message: format!("Unexpected character ({}): {expected}", quoted(text, at)),
        mend,
    }
}

/// Where the character at `at` ends, for spans that cover whole characters.
pub(super) fn char_end(text: &[u8], at: usize) -> usize {
    let mut end = (at + 1).min(text.len());
    while text.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end += 1;
    }
    end
}
