//! What follows a backslash.

use super::syntax::{Fault, Reader, fault};

/// The general categories of Unicode that have names in I-Regexp, each with its parts.
const CATEGORIES: [(char, &str); 7] = [
    ('L', "lmotu"),
    ('M', "cen"),
    ('N', "dlo"),
    ('P', "cdefios"),
    ('Z', "lps"),
    ('S', "ckmo"),
    ('C', "cfno"),
];

const WHOLE: &str = "a regex always describes the whole string: leave it out";
/// What an escape stands for.
pub(super) enum Escape {
    Character(char),
    /// As it was written.
    Category,
}

impl Reader<'_> {
    /// The rest of an escape.
    pub(super) fn escape(&mut self, start: usize) -> Result<Escape, Fault> {
        let Some(next) = self.next() else {
            let message = "a backslash escapes nothing";
            return Err(fault(start..self.at, message, "write \\\\ for a backslash"));
        };
        let (message, mend) = match next {
            'n' => return Ok(Escape::Character('\n')),
            'r' => return Ok(Escape::Character('\r')),
            't' => return Ok(Escape::Character('\t')),
            '(' | ')' | '*' | '+' | '-' | '.' | '?' | '[' | '\\' | ']' | '^' | '{' | '|' | '}' => {
                return Ok(Escape::Character(next));
            }
            'p' | 'P' => return self.category(start),
            'd' => (
                "there is no \\d in I-Regexp",
                "write [0-9], or \\p{Nd} for the digits of all scripts",
            ),
            'D' => (
                "there is no \\D in I-Regexp",
                "write [^0-9], or \\P{Nd} for what is no digit of any script",
            ),
            'w' => (
                "there is no \\w in I-Regexp",
                "write [A-Za-z0-9_], or [\\p{L}\\p{N}_] for the letters of all scripts",
            ),
            'W' => (
                "there is no \\W in I-Regexp",
                "write [^A-Za-z0-9_], or [^\\p{L}\\p{N}_] for the letters of all scripts",
            ),
            's' => (
                "there is no \\s in I-Regexp",
                "write [ \\t\\n\\r], or [\\p{Z}\\t\\n\\r] for the spaces of all scripts",
            ),
            'S' => (
                "there is no \\S in I-Regexp",
                "write [^ \\t\\n\\r], or [^\\p{Z}\\t\\n\\r] for the spaces of all scripts",
            ),
            'b' | 'B' => (
                "there are no word boundaries in I-Regexp",
                "describe what may stand around the word, such as (.*[^a-z])?word([^a-z].*)?",
            ),
            'A' | 'z' | 'Z' | 'G' => ("there are no anchors in I-Regexp", WHOLE),
            '0'..='9' | 'k' => {
                ("there are no references to groups in I-Regexp", "describe the text again")
            }
            'u' | 'x' => (
                "there are no codes of characters in I-Regexp",
                "write the character itself; in JSON also as \\u0041",
            ),
            '$' => ("a $ cannot be escaped in I-Regexp", "write [$]"),
            '/' => ("a / cannot be escaped in I-Regexp", "write the / alone"),
            _ => {
                let message = format!("\\{next} is no escape of I-Regexp");
                let mend =
                    "only ( ) * + - . ? [ \\ ] ^ { | } and n, r, t, p, P may follow a backslash";
                return Err(fault(start..self.at, message, mend));
            }
        };
        Err(fault(start..self.at, message, mend))
    }

    /// The rest of `\p{…}`.
    fn category(&mut self, start: usize) -> Result<Escape, Fault> {
        let name = self.rest().strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let name = name.map(|(name, _)| name).filter(|name| is_category(name));
        let Some(name) = name else {
            let mend = "after it comes {L}, {M}, {N}, {P}, {Z}, {S} or {C}, or one with its part such as {Lu}; scripts and blocks are written as ranges, [α-ω]";
            return Err(fault(start..self.at, "there is no such category in I-Regexp", mend));
        };
        self.at += name.len() + 2;
        Ok(Escape::Category)
    }
}

fn is_category(name: &str) -> bool {
    let mut letters = name.chars();
    let parts = letters.next().and_then(|whole| CATEGORIES.iter().find(|(name, _)| *name == whole));
    let part = letters.next();
    let known = |(_, parts): &(char, &str)| part.is_none_or(|part| parts.contains(part));
    parts.is_some_and(known) && letters.next().is_none()
}
