//! Percent-encoding, as queries, forms and AWS's signatures have it (RFC 3986, 2.1 and 2.3).

/// What stays as it is, beside letters, digits and `-._~`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    Unreserved,
    /// Slashes too.
    Path,
}

/// With capital digits.
pub(crate) fn encoded(text: &str, kept: Kept) -> String {
    text.bytes().map(|byte| one(byte, kept)).collect()
}

/// As `application/x-www-form-urlencoded`.
pub(crate) fn form(text: &str) -> String {
    encoded(text, Kept::Unreserved).replace("%20", "+")
}

fn one(byte: u8, kept: Kept) -> String {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        b'/' if kept == Kept::Path => "/".to_owned(),
        _ => format!("%{byte:02X}"),
    }
}

/// The text once more in one spelling: what is encoded needlessly is not, and all else is.
pub(crate) fn normal(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digit =
            |offset: usize| bytes.get(at + offset).and_then(|byte| char::from(*byte).to_digit(16));
        let escaped = (byte == b'%').then(|| Some(digit(1)? * 16 + digit(2)?)).flatten();
        match escaped.and_then(|value| u8::try_from(value).ok()) {
            Some(value) => {
                out.push_str(&one(value, Kept::Unreserved));
                at += 3;
            }
            None => {
                out.push_str(&one(byte, Kept::Unreserved));
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_plain_is_encoded() {
        assert_eq!(encoded("a b/ä~%", Kept::Unreserved), "a%20b%2F%C3%A4~%25");
        assert_eq!(encoded("a b/ä", Kept::Path), "a%20b/%C3%A4");
        assert_eq!(form("a b+c"), "a+b%2Bc");
    }

    #[test]
    fn one_spelling_of_what_was_encoded_before() {
        for (text, expected) in [
            ("a%7Eb", "a~b"),
            ("a%2fb", "a%2Fb"),
            ("a b", "a%20b"),
            ("100%", "100%25"),
            ("%zz%4", "%25zz%254"),
        ] {
            assert_eq!(normal(text), expected, "{text}");
        }
    }
}
