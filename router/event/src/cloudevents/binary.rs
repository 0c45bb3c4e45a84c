//! A CloudEvent in HTTP's binary mode: attributes beside the data, the data as it is.

use std::borrow::Cow;

use super::{CloudEventError, Data, Draft, quoted, shown};
use crate::json::{JsonError, Limits, check_json};

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The entry of attributes, `media` (which is their `datacontenttype`) and data.
///
/// `attributes` are names without `ce-` and the bytes of the headers' values. Without a media type the data is JSON,
/// as in the JSON format. Data of another type is kept as a string, or as base64 where it is no text.
///
/// # Errors
///
/// The first thing that is wrong, in words for the sender.
pub fn entry_of<'a>(
    attributes: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    media: Option<&str>,
    data: &'a [u8],
    limits: &Limits,
) -> Result<String, CloudEventError> {
    let mut draft = Draft { attributes: Vec::new(), data: read(media, data, limits)? };
    if let Some(media) = media {
        draft.attributes.push(("datacontenttype".into(), quoted(media).into()));
    }
    for (name, value) in attributes {
        if draft.attributes.iter().any(|(known, _)| known == name) {
            return Err(CloudEventError::Twice { attribute: shown(name) });
        }
        let not_text = || CloudEventError::NotText { attribute: shown(name) };
        let text = String::from_utf8(decoded(value)).map_err(|_bytes| not_text())?;
        draft.attributes.push((name.into(), quoted(&text).into()));
    }
    draft.entry()
}

fn read<'a>(
    media: Option<&str>,
    data: &'a [u8],
    limits: &Limits,
) -> Result<Data<'a>, CloudEventError> {
    if limits.event_bytes_max < data.len() {
        let max = limits.event_bytes_max;
        return Err(JsonError::TooLarge { bytes: data.len(), max }.into());
    }
    if data.is_empty() {
        return Ok(Data::None);
    }
    if media.is_none_or(is_json) {
        let media = media.unwrap_or("JSON, as no `content-type` says otherwise,").to_owned();
        let text =
            check_json(data, limits).map_err(|reason| CloudEventError::Data { media, reason })?;
        return Ok(Data::Json(text.trim_ascii().into()));
    }
    Ok(match std::str::from_utf8(data) {
        Ok(text) => Data::Json(quoted(text).into()),
        Err(_binary) => Data::Base64(format!("\"{}\"", base64(data)).into()),
    })
}

fn is_json(media: &str) -> bool {
    let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.ends_with("/json") || essence.ends_with("+json")
}

/// A header's value as the HTTP binding has it read: out of its double quotes, then percent-decoded once. What
/// follows a `%` and is no number is left as it is: senders of old do not encode.
fn decoded(value: &[u8]) -> Vec<u8> {
    let value = unescaped(value);
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value.as_ref();
    while let Some((&byte, after)) = rest.split_first() {
        let digits =
            after.get(..2).filter(|pair| byte == b'%' && pair.iter().all(u8::is_ascii_hexdigit));
        let coded = digits
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        out.push(coded.unwrap_or(byte));
        rest = match coded {
            Some(_) => after.get(2..).unwrap_or_default(),
            None => after,
        };
    }
    out
}

/// Without the double quotes around it and the backslashes in it (RFC 9110, section 5.6.4).
fn unescaped(value: &[u8]) -> Cow<'_, [u8]> {
    let inner = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let Some(inner) = inner else { return value.into() };
    let mut out = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        let escaped = if byte == b'\\' { bytes.next() } else { None };
        out.push(escaped.copied().unwrap_or(byte));
    }
    out.into()
}

fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let group = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4_usize {
            let index = (group >> (18 - 6 * digit)) & 63;
            let letter = usize::try_from(index).ok().and_then(|index| BASE64.get(index));
            let letter = letter.filter(|_| digit <= chunk.len());
            out.push(letter.map_or('=', |letter| char::from(*letter)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        for (bytes, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("???", "Pz8/"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), coded);
        }
    }

    #[test]
    fn a_header_is_unquoted_then_decoded_once() {
        let read = |value: &str| String::from_utf8(decoded(value.as_bytes())).unwrap();
        assert_eq!(read("Euro%20%E2%82%AC%20%F0%9F%98%80"), "Euro € 😀");
        assert_eq!(read(r#""a \"b\" %25""#), r#"a "b" %"#);
        assert_eq!(read("%2541"), "%41");
        assert_eq!(read("100% %zz %2"), "100% %zz %2");
        assert_eq!(read("\""), "\"");
        assert_eq!(decoded(b"%ff"), [0xff]);
    }
}
