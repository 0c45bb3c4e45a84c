//! What a JSON string says.
//!
//! The result is bytes, not `str`: an escape may name half a surrogate pair, which no UTF-8 text can
//! hold. It is kept the way WTF-8 keeps it, so that two strings are equal when, and only when, their
//! characters are.

use std::borrow::Cow;

/// Reads the string between the quotes of `quoted`, which the scanner has accepted.
pub(crate) fn decode(quoted: &[u8]) -> Cow<'_, [u8]> {
    let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    if memchr::memchr(b'\\', inner).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut out = Vec::with_capacity(inner.len());
    decode_into(inner, &mut out);
    Cow::Owned(out)
}

/// Appends what a string says, given what is between its quotes.
pub(crate) fn decode_into(inner: &[u8], out: &mut Vec<u8>) {
    let mut rest = inner;
    while let Some(backslash) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..backslash]);
        rest = escape(&rest[backslash + 1..], out);
    }
    out.extend_from_slice(rest);
}

/// Reads one escape, without its backslash, and returns what follows it.
fn escape<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let Some((letter, rest)) = rest.split_first() else {
        return rest;
    };
    let byte = match letter {
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => return unicode(rest, out),
        itself => *itself,
    };
    out.push(byte);
    rest
}

fn unicode<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let Some((unit, rest)) = hex(rest) else {
        return rest;
    };
    if let 0xd800..=0xdbff = unit
        && let Some(escape) = rest.strip_prefix(b"\\u")
        && let Some((low @ 0xdc00..=0xdfff, rest)) = hex(escape)
    {
        push(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00), out);
        return rest;
    }
    push(unit, out);
    rest
}

fn hex(rest: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = rest.split_at_checked(4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

fn push(code: u32, out: &mut Vec<u8>) {
    match char::from_u32(code) {
        Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None => {
            // Half a surrogate pair: three bytes, as UTF-8 would write it if it could.
            let low_six = |shift: u32| 0x80 | u8::try_from((code >> shift) & 0x3f).unwrap_or(0);
            out.extend_from_slice(&[0xed, low_six(6), low_six(0)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn escapes_become_their_characters() {
        assert_eq!(&*decode(br#""plain""#), b"plain");
        assert_eq!(&*decode(br#""a\"\\\/\b\f\n\r\t""#), b"a\"\\/\x08\x0c\n\r\t");
        assert_eq!(&*decode(br#""\u00e9\ud83d\ude80\u0000""#), "é🚀\0".as_bytes());
    }

    #[test]
    fn half_a_surrogate_pair_equals_only_itself() {
        assert_eq!(&*decode(br#""\ud800""#), b"\xed\xa0\x80");
        assert_eq!(&*decode(br#""\udfffx""#), b"\xed\xbf\xbfx");
        assert_eq!(&*decode(br#""\ud800\ud83d\ude80""#), b"\xed\xa0\x80\xf0\x9f\x9a\x80");
    }
}
