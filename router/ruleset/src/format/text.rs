//! Looking around a place of a text.
//!
//! White space is what YAML calls so: a wide space or one that does not break is a character like others.

const WHITE: [char; 3] = [' ', '\t', '\n'];

pub(super) fn trimmed(text: &str) -> &str {
    text.trim_end_matches(WHITE)
}

/// How many spaces a line begins with.
pub(super) fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

pub(super) fn is_blank(line: &str) -> bool {
    trimmed(line).is_empty()
}

/// Whether a line of a block of text has nothing but its indentation.
pub(super) fn is_spaces(line: &str) -> bool {
    line.trim_matches(' ').is_empty()
}

/// What stands on the line of byte `at` before it.
pub(super) fn line_before(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or_default();
    before.rsplit('\n').next().unwrap_or_default()
}

pub(super) fn line_end(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |len| at + len)
}

/// Counted from 1.
pub(super) fn line_number(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or_default().matches('\n').count() + 1
}

/// Whether the line above that of `at` is blank.
pub(super) fn is_after_blank(text: &str, at: usize) -> bool {
    let start = at - line_before(text, at).len();
    let above = text.get(..start).and_then(|before| before.strip_suffix('\n'));
    above.and_then(|above| above.rsplit('\n').next()).is_some_and(is_blank)
}

/// Where something stands again behind the key, or the dash, that ends at byte `at`: a dash, a `|`.
///
/// Comments, anchors and tags are passed over.
pub(super) fn next(text: &str, at: usize) -> usize {
    let mut at = at;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let filled = rest.trim_start_matches(WHITE);
        at += rest.len() - filled.len();
        at = match filled.chars().next() {
            Some('#') => line_end(text, at),
            Some(':') => at + 1,
            // It may have any letter in it.
            Some('&' | '!') => at + filled.find(WHITE).unwrap_or(filled.len()),
            _ => return at,
        };
    }
}
