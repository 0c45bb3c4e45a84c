//! Text compared without regard to case, as AWS's engine does it.
//!
//! Each character of the pattern stands for itself, for its lower case and for its upper case, one
//! character at a time and in no particular language: `ß` also stands for `SS`, `Σ` never for the
//! final `ς`, and `I` neither for `ı` nor for `İ`.
//!
//! # Invariants
//!
//! - No two forms of one character begin, or end, alike; so reading takes the only form that fits
//!   and never has to go back.

/// A text of the pattern in all its forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IgnoreCase {
    /// As it is written: letters of ASCII have no other forms than the two of ASCII.
    Ascii(Box<[u8]>),
    /// Character by character, each in all forms.
    Any(Vec<Vec<Box<[u8]>>>),
}

impl IgnoreCase {
    pub(crate) fn new(text: &[u8]) -> Self {
        if text.is_ascii() {
            return Self::Ascii(text.into());
        }
        let mut characters = Vec::new();
        for chunk in text.utf8_chunks() {
            characters.extend(chunk.valid().chars().map(forms));
            // Half of a surrogate pair has no case.
            characters.extend(chunk.invalid().iter().map(|byte| vec![Box::from([*byte])]));
        }
        Self::Any(characters)
    }

    /// One text for all forms, to compare with what [`fold_into`] makes of a value. `None` when some
    /// character has forms that are no simple pair.
    pub(crate) fn folded(&self) -> Option<Box<[u8]>> {
        let characters = match self {
            Self::Ascii(text) => return Some(text.to_ascii_lowercase().into()),
            Self::Any(characters) => characters,
        };
        let mut folded = Vec::new();
        for forms in characters {
            let written = std::str::from_utf8(&forms[0]).ok().and_then(|text| text.chars().next());
            match written {
                Some(character) => {
                    let mut bytes = [0; 4];
                    folded.extend_from_slice(fold(character)?.encode_utf8(&mut bytes).as_bytes());
                }
                None => folded.extend_from_slice(&forms[0]),
            }
        }
        Some(folded.into())
    }

    pub(crate) fn equals(&self, value: &[u8]) -> bool {
        self.strip_prefix(value).is_some_and(<[u8]>::is_empty)
    }

    pub(crate) fn begins(&self, value: &[u8]) -> bool {
        self.strip_prefix(value).is_some()
    }

    pub(crate) fn ends(&self, value: &[u8]) -> bool {
        match self {
            Self::Ascii(text) => {
                let start = value.len().checked_sub(text.len());
                start.is_some_and(|start| value[start..].eq_ignore_ascii_case(text))
            }
            Self::Any(characters) => {
                let strip = |rest: &'_ [u8], forms: &Vec<Box<[u8]>>| {
                    forms
                        .iter()
                        .find(|form| rest.ends_with(form))
                        .map(|form| rest.len() - form.len())
                };
                let shorter = |end: usize, forms| strip(&value[..end], forms);
                characters.iter().rev().try_fold(value.len(), shorter).is_some()
            }
        }
    }

    fn strip_prefix<'v>(&self, value: &'v [u8]) -> Option<&'v [u8]> {
        match self {
            Self::Ascii(text) => {
                let (beginning, rest) = value.split_at_checked(text.len())?;
                beginning.eq_ignore_ascii_case(text).then_some(rest)
            }
            Self::Any(characters) => characters.iter().try_fold(value, |rest, forms| {
                forms.iter().find_map(|form| rest.strip_prefix(form.as_ref()))
            }),
        }
    }
}

/// Appends a value in the form in which [`IgnoreCase::folded`] texts are compared.
pub(crate) fn fold_into(value: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(value);
    if value.is_ascii() {
        return out.make_ascii_lowercase();
    }
    out.truncate(start);
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            let folded = fold(character).unwrap_or(character);
            out.extend_from_slice(folded.encode_utf8(&mut [0; 4]).as_bytes());
        }
        out.extend_from_slice(chunk.invalid());
    }
}

/// The one character for all forms of a character: itself where it has no case, its lower case where
/// it is one of a pair whose sides have no other forms, and otherwise nothing.
fn fold(character: char) -> Option<char> {
    if character.is_ascii() {
        return Some(character.to_ascii_lowercase());
    }
    let (lower, upper) = pair(character)?;
    (pair(lower) == Some((lower, upper)) && pair(upper) == Some((lower, upper))).then_some(lower)
}

/// The lower and the upper case, where each is one character and one of them is the character.
fn pair(character: char) -> Option<(char, char)> {
    let (mut lowers, mut uppers) = (character.to_lowercase(), character.to_uppercase());
    let (Some(lower), None, Some(upper), None) =
        (lowers.next(), lowers.next(), uppers.next(), uppers.next())
    else {
        return None;
    };
    (lower == character || upper == character).then_some((lower, upper))
}

fn forms(character: char) -> Vec<Box<[u8]>> {
    let lower: String = character.to_lowercase().collect();
    let upper: String = character.to_uppercase().collect();
    let mut forms: Vec<Box<[u8]>> = vec![character.to_string().into_bytes().into()];
    for form in [lower, upper] {
        let form: Box<[u8]> = form.into_bytes().into();
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equals(pattern: &str, value: &str) -> bool {
        IgnoreCase::new(pattern.as_bytes()).equals(value.as_bytes())
    }

    #[test]
    fn each_character_has_its_lower_and_upper_case() {
        assert!(equals("Straße", "sTRASSE") && equals("straße", "STRAßE"));
        assert!(!equals("STRASSE", "straße"), "two characters never stand for one");
        assert!(equals("I", "i") && !equals("I", "ı") && !equals("I", "İ"));
        assert!(equals("ΟΔΟΣ", "οδοσ") && !equals("ΟΔΟΣ", "οδος"));
        assert!(equals("", "") && !equals("", "a") && !equals("a", ""));
        assert!(
            equals("ǅ", "ǅ") && equals("ǅ", "Ǆ"),
            "a title-case character at least equals itself"
        );
    }

    #[test]
    fn the_beginning_and_the_end_are_found() {
        let text = IgnoreCase::new("aß".as_bytes());
        assert!(text.begins("ASSx".as_bytes()) && text.begins("aß".as_bytes()));
        assert!(text.ends("xASS".as_bytes()) && text.ends("aß".as_bytes()));
        assert!(!text.begins(b"as") && !text.ends(b"SS") && !text.ends(b"xAS"));
    }

    #[test]
    fn no_form_of_a_character_begins_or_ends_another() {
        for character in '\0'..=char::MAX {
            let forms = forms(character);
            for (at, form) in forms.iter().enumerate() {
                for other in forms.iter().skip(at + 1) {
                    let apart = |a: &[u8], b: &[u8]| !a.starts_with(b) && !a.ends_with(b);
                    assert!(apart(form, other) && apart(other, form), "{character:?}");
                }
            }
        }
    }

    #[test]
    fn folded_texts_are_equal_when_and_only_when_a_form_fits() {
        // Of every character its own forms, and whatever else has a case in common with it.
        for character in '\0'..=char::MAX {
            let pattern = IgnoreCase::new(character.to_string().as_bytes());
            let Some(wanted) = pattern.folded() else { continue };
            let related = character
                .to_lowercase()
                .chain(character.to_uppercase())
                .flat_map(|form| form.to_lowercase().chain(form.to_uppercase()))
                .chain(['k', 'K', '\u{212a}', 's', 'ſ', 'i', 'ı', 'İ', 'σ', 'ς', 'å', '\u{212b}']);
            for value in related {
                let value = value.to_string();
                let mut folded = Vec::new();
                fold_into(value.as_bytes(), &mut folded);
                let fits = pattern.equals(value.as_bytes());
                assert_eq!(*folded == *wanted, fits, "{character:?} {value}");
            }
        }
    }
}
