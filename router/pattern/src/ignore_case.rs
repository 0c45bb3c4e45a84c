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

/// A text of the pattern, character by character in all forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IgnoreCase {
    characters: Vec<Vec<Box<[u8]>>>,
}

impl IgnoreCase {
    pub(crate) fn new(text: &[u8]) -> Self {
        let mut characters = Vec::new();
        for chunk in text.utf8_chunks() {
            characters.extend(chunk.valid().chars().map(forms));
            // Half of a surrogate pair has no case.
            characters.extend(chunk.invalid().iter().map(|byte| vec![Box::from([*byte])]));
        }
        Self { characters }
    }

    pub(crate) fn equals(&self, value: &[u8]) -> bool {
        self.strip_prefix(value).is_some_and(<[u8]>::is_empty)
    }

    pub(crate) fn begins(&self, value: &[u8]) -> bool {
        self.strip_prefix(value).is_some()
    }

    pub(crate) fn ends(&self, value: &[u8]) -> bool {
        let strip = |rest: &'_ [u8], forms: &Vec<Box<[u8]>>| {
            forms.iter().find(|form| rest.ends_with(form)).map(|form| rest.len() - form.len())
        };
        let mut end = value.len();
        for forms in self.characters.iter().rev() {
            let Some(shorter) = strip(&value[..end], forms) else {
                return false;
            };
            end = shorter;
        }
        true
    }

    fn strip_prefix<'v>(&self, value: &'v [u8]) -> Option<&'v [u8]> {
        self.characters.iter().try_fold(value, |rest, forms| {
            forms.iter().find_map(|form| rest.strip_prefix(form.as_ref()))
        })
    }
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
}
