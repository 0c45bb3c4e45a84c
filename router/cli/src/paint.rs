//! A little colour for lines that people read.

use crate::output::flat;

/// Between two words of a row.
const GAP: &str = "  ";

/// What a word is printed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Plain,
    Bold,
    Dim,
    Good,
    Warning,
    Bad,
}

/// Puts colours around words, or leaves them as they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    has_color: bool,
}

impl Paint {
    pub(crate) fn new(has_color: bool) -> Self {
        Self { has_color }
    }

    /// Words in a line of their own, at most `width` characters long; empty words are left out.
    pub(crate) fn row(self, indent: &str, words: &[(Ink, &str)], width: Option<usize>) -> String {
        let mut line = indent.to_owned();
        let mut left = width.unwrap_or(usize::MAX).saturating_sub(indent.chars().count());
        let words = words.iter().filter(|(_, text)| !text.is_empty()).enumerate();
        for (at, (ink, text)) in words {
            let gap = if at == 0 { 0 } else { GAP.len() };
            let Some(room) = left.checked_sub(gap).filter(|room| 0 < *room) else { break };
            let text = flat(text);
            let chars = text.chars().count();
            let text = if chars <= room {
                text
            } else {
                text.chars().take(room - 1).chain(['…']).collect()
            };
            if at != 0 {
                line.push_str(GAP);
            }
            line.push_str(&self.word(*ink, &text));
            left = room - chars.min(room);
        }
        line.push('\n');
        line
    }

    pub(crate) fn word(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Plain => return text.to_owned(),
            Ink::Bold => "1",
            Ink::Dim => "2",
            Ink::Good => "32",
            Ink::Warning => "33",
            Ink::Bad => "31",
        };
        if !self.has_color || text.is_empty() {
            return text.to_owned();
        }
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}
