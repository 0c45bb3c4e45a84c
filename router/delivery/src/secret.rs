//! A text that is sent to one place and said nowhere.
//!
//! # Invariants
//!
//! - Nothing prints it: there is no `Display` and no `Serialize`, and `Debug` shows a dash. Who needs the text says
//!   [`Secret::expose`], which is easy to find.
//! - Its memory is wiped when it is dropped.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::percent::{self, Kept};

/// A secret that is shorter stands in many a word: an answer that has it is not repeated at all.
const REPLACED_BYTES_MIN: usize = 4;

#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, for the one who sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("–")
    }
}

/// `text` without the secrets, in any of the forms in which a program that was sent one says it again.
pub(crate) fn without<'s>(text: &str, secrets: impl IntoIterator<Item = &'s Secret>) -> String {
    let mut forms: Vec<Secret> = secrets.into_iter().flat_map(forms).collect();
    // The longest first: one may be a part of another.
    forms.sort_by_key(|form| std::cmp::Reverse(form.expose().len()));
    let mut text = text.to_owned();
    for form in &forms {
        if !text.contains(form.expose()) {
            continue;
        }
        if form.expose().len() < REPLACED_BYTES_MIN {
            return "…".to_owned();
        }
        text = text.replace(form.expose(), "…");
    }
    text
}

fn forms(secret: &Secret) -> Vec<Secret> {
    let text = secret.expose();
    let bytes = text.as_bytes();
    let json = serde_json::to_string(text).unwrap_or_default();
    let json = json.trim_start_matches('"').strip_suffix('"').unwrap_or_default().to_owned();
    let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut forms = vec![
        text.to_owned(),
        // As a program reads it that takes headers for Latin-1.
        bytes.iter().copied().map(char::from).collect(),
        bytes.iter().filter(|byte| byte.is_ascii()).copied().map(char::from).collect(),
        percent::encoded(text, Kept::Unreserved),
        percent::encoded(text, Kept::Unreserved).to_lowercase(),
        percent::encoded(text, Kept::Path),
        percent::form(text),
        STANDARD.encode(bytes),
        STANDARD_NO_PAD.encode(bytes),
        URL_SAFE.encode(bytes),
        URL_SAFE_NO_PAD.encode(bytes),
        json.replace('/', "\\/"),
        ascii_json(&json),
        json,
        html.replace('"', "&quot;").replace('\'', "&#39;"),
        html.replace('"', "&#34;").replace('\'', "&#x27;"),
        html,
    ];
    forms.retain(|form| !form.is_empty());
    forms.sort_unstable();
    forms.dedup();
    forms.into_iter().map(Secret::new).collect()
}

/// JSON in which every character that is not ASCII is escaped, as Python and PHP write it.
fn ascii_json(json: &str) -> String {
    let mut out = String::new();
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn nothing_shows_it() {
        assert_eq!(format!("{:?}", Some(secret("hunter2"))), "Some(–)");
    }

    #[test]
    fn it_is_known_again_in_every_dress() {
        let all = [secret("p\"ä<s&s/ w+rd"), secret("hunter2")];
        for said in [
            "got p\"ä<s&s/ w+rd!",
            "got p%22%C3%A4%3Cs%26s%2F%20w%2Brd!",
            "got p%22%c3%a4%3cs%26s%2f%20w%2brd!",
            "got p%22%C3%A4%3Cs%26s%2F+w%2Brd!",
            "got cCLDpDxzJnMvIHcrcmQ=!",
            "got p\\\"ä<s&s/ w+rd!",
            "got p\\\"\\u00e4<s&s/ w+rd!",
            "got p&quot;ä&lt;s&amp;s/ w+rd!",
            "got hunter2!",
        ] {
            assert_eq!(without(said, &all), "got …!", "{said}");
        }
        assert_eq!(without("nothing of it", &all), "nothing of it");
    }

    #[test]
    fn an_answer_with_a_short_one_is_not_repeated() {
        assert_eq!(without("a word with x in it", &[secret("x")]), "…");
        assert_eq!(without("a word", &[secret("x")]), "a word");
    }

    #[test]
    fn one_that_is_part_of_another_leaves_nothing_of_it() {
        assert_eq!(
            without("key: abcdef-long", &[secret("abcdef"), secret("abcdef-long")]),
            "key: …"
        );
    }
}
