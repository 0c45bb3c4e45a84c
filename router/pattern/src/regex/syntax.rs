//! I-Regexp read to the letter, and written again in the syntax that is compiled here.
//!
//! ```text
//! i-regexp   = branch { "|" branch }        branch = { atom [quantifier] }
//! quantifier = "*"  "+"  "?"  "{n}"  "{n,}"  "{n,m}"
//! atom       = a plain character   "."   "\" escaped   "\p{L}"   "\P{L}"   "[…]"   "[^…]"   "(…)"
//! ```
//!
//! What other dialects have besides is refused, each with what to write instead, so that a regex means
//! here what it means wherever RFC 9485 is spoken. In two places that grammar says what nobody means,
//! and there we refuse as well: `^` and `$` as plain characters, which most write to anchor, and `[^]`
//! as the class of `^` alone.
//!
//! # Invariants
//!
//! - One pass, nothing recurses, and what is written is proportional to what is read.

use std::fmt::Write;
use std::ops::Range;

use crate::limits::REGEX_DEPTH_MAX;

/// What a regex has that I-Regexp has not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The bytes of the regex that are wrong.
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
    pub(crate) mend: &'static str,
}

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
const NO_GROUPS: &str = "groups are plain, (…), without names, flags or looking around; several conditions go into slipswitch:all";

/// Writes an I-Regexp in the syntax of `regex_syntax`.
pub(super) fn translate(text: &str) -> Result<String, Fault> {
    let mut reader = Reader { text, at: 0, out: String::with_capacity(2 * text.len()) };
    let mut open = Vec::new();
    let mut before = Before::Nothing;
    while let Some(next) = reader.next() {
        let start = reader.at - next.len_utf8();
        before = match next {
            '(' => {
                if open.len() == REGEX_DEPTH_MAX {
                    let message =
                        format!("the groups are nested deeper than {REGEX_DEPTH_MAX} levels");
                    return Err(fault(start..reader.at, message, "use fewer groups"));
                }
                if reader.peek() == Some('?') {
                    let message = "(? is not possible in I-Regexp";
                    return Err(fault(start..reader.at + 1, message, NO_GROUPS));
                }
                open.push(start);
                reader.out.push_str("(?:");
                Before::Nothing
            }
            ')' => {
                if open.pop().is_none() {
                    let mend = "open the group, or write \\) for the character";
                    return Err(fault(start..reader.at, "a group ends that never began", mend));
                }
                reader.out.push(')');
                Before::Atom
            }
            '|' => {
                reader.out.push('|');
                Before::Nothing
            }
            '*' | '+' | '?' | '{' => {
                reader.quantifier(next, start, before)?;
                Before::Quantifier
            }
            _ => {
                reader.atom(next, start)?;
                Before::Atom
            }
        };
    }
    match open.pop() {
        None => Ok(reader.out),
        Some(start) => {
            let mend = "close the group, or write \\( for the character";
            Err(fault(start..start + 1, "a group never ends", mend))
        }
    }
}

/// What a quantifier would stand after.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Before {
    Nothing,
    Atom,
    Quantifier,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    out: String,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Writes a character that stands for itself, also where it would not.
    fn plain(&mut self, character: char) {
        if character.is_ascii_alphanumeric() || !character.is_ascii() {
            self.out.push(character);
        } else {
            write!(self.out, "\\x{:02x}", u32::from(character)).expect("a string takes all");
        }
    }

    fn atom(&mut self, first: char, start: usize) -> Result<(), Fault> {
        let (message, mend) = match first {
            '.' => {
                self.out.push_str("[^\\n\\r]");
                return Ok(());
            }
            '[' => return self.class(start),
            '\\' => {
                match self.escape(start)? {
                    Escape::Character(character) => self.plain(character),
                    Escape::Category => self.copy(start),
                }
                return Ok(());
            }
            '^' => (
                "^ is no anchor in I-Regexp",
                "a regex always describes the whole string: leave it out, or write \\^ for the character",
            ),
            '$' => (
                "$ is no anchor in I-Regexp",
                "a regex always describes the whole string: leave it out, or write [$] for the character",
            ),
            ']' => {
                ("a class ends that never began", "open it with [, or write \\] for the character")
            }
            '}' => (
                "a quantifier ends that never began",
                "open it with {, or write \\} for the character",
            ),
            _ => {
                self.plain(first);
                return Ok(());
            }
        };
        Err(fault(start..self.at, message, mend))
    }

    /// Writes what was read from `start` as it is.
    fn copy(&mut self, start: usize) {
        self.out.push_str(self.text.get(start..self.at).unwrap_or_default());
    }

    /// The rest of a quantifier.
    fn quantifier(&mut self, first: char, start: usize, before: Before) -> Result<(), Fault> {
        if before == Before::Quantifier {
            let (message, mend) = match first {
                '?' => (
                    "a quantifier cannot be made lazy in I-Regexp",
                    "leave the ? out: what fits the whole string is the same",
                ),
                '+' => (
                    "a quantifier cannot be made possessive in I-Regexp",
                    "leave the + out: what fits the whole string is found in one pass",
                ),
                _ => (
                    "a quantifier cannot follow another",
                    "put the repeated part in a group: (a*){2}",
                ),
            };
            return Err(fault(start..self.at, message, mend));
        }
        if before == Before::Nothing {
            let message = format!("there is nothing before {first} that could repeat");
            let mend = "write a backslash before it for the character";
            return Err(fault(start..self.at, message, mend));
        }
        if first != '{' {
            self.out.push(first);
            return Ok(());
        }
        let (least, most) = self.range().ok_or_else(|| {
            let mend = "write {2}, {2,} or {2,5}; or \\{ for the character";
            fault(start..self.at, "a { begins no quantifier here", mend)
        })?;
        if most.is_some_and(|most| most < least) {
            let message = "a quantifier's least is more than its most";
            return Err(fault(start..self.at, message, "write the smaller number first"));
        }
        let most = most.map_or(String::new(), |most| most.to_string());
        write!(self.out, "{{{least},{most}}}").expect("a string takes all");
        Ok(())
    }

    /// The rest of `{n}`, `{n,}` or `{n,m}`: the least and the most.
    fn range(&mut self) -> Option<(u32, Option<u32>)> {
        let least = self.number()?;
        let most = match self.next()? {
            '}' => return Some((least, Some(least))),
            ',' if self.peek() == Some('}') => None,
            ',' => Some(self.number()?),
            _ => return None,
        };
        (self.next()? == '}').then_some((least, most))
    }

    /// Digits. What is beyond 32 bits is far beyond what may be compiled.
    fn number(&mut self) -> Option<u32> {
        let mut value = None;
        while let Some(digit) = self.peek().and_then(|next| next.to_digit(10)) {
            self.at += 1;
            value = Some(value.unwrap_or(0_u32).saturating_mul(10).saturating_add(digit));
        }
        value
    }

    /// The rest of an escape.
    fn escape(&mut self, start: usize) -> Result<Escape, Fault> {
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

    /// The rest of a class.
    fn class(&mut self, start: usize) -> Result<(), Fault> {
        self.out.push('[');
        if self.peek() == Some('^') {
            self.at += 1;
            self.out.push('^');
        }
        let first = self.at;
        // Each counts once: they are large, and a class could repeat them at will.
        let mut categories: Vec<&str> = Vec::new();
        loop {
            let at = self.at;
            let Some(next) = self.next() else {
                let mend = "close it with ], or write \\[ for the character";
                return Err(fault(start..start + 1, "a class never ends", mend));
            };
            match next {
                ']' if at == first => {
                    let mend = "name a character; a ] is written \\], a ^ alone \\^";
                    return Err(fault(start..self.at, "a class is empty", mend));
                }
                ']' => {
                    self.out.push(']');
                    return Ok(());
                }
                '-' if at != first && self.peek() != Some(']') => return Err(hyphen(at..self.at)),
                '-' => self.plain('-'),
                _ => match self.member(next, at)? {
                    Escape::Character(low) => self.span(low, at)?,
                    Escape::Category => {
                        let category = self.text.get(at..self.at).unwrap_or_default();
                        if !categories.contains(&category) {
                            categories.push(category);
                            self.out.push_str(category);
                        }
                    }
                },
            }
        }
    }

    /// A character, escape or category in a class.
    fn member(&mut self, first: char, start: usize) -> Result<Escape, Fault> {
        match first {
            '\\' => self.escape(start),
            '[' => {
                let mend = "write \\[ for the character; classes do not nest and have no names";
                Err(fault(start..self.at, "a [ cannot stand in a class", mend))
            }
            other => Ok(Escape::Character(other)),
        }
    }

    /// A character of a class, or the range that it begins.
    fn span(&mut self, low: char, start: usize) -> Result<(), Fault> {
        let mut following = self.rest().chars();
        self.plain(low);
        if following.next() != Some('-') || following.next() == Some(']') {
            return Ok(());
        }
        let hyphen_at = self.at;
        self.at += 1;
        let at = self.at;
        let high = match self.next() {
            // The class never ends, which is said there.
            None => return Ok(()),
            Some('-') => return Err(hyphen(hyphen_at..at)),
            Some(next) => self.member(next, at)?,
        };
        let Escape::Character(high) = high else {
            return Err(hyphen(hyphen_at..at));
        };
        if high < low {
            let message = "a range ends before it begins";
            return Err(fault(start..self.at, message, "write the smaller character first"));
        }
        self.out.push('-');
        self.plain(high);
        Ok(())
    }
}

enum Escape {
    Character(char),
    /// As it was written.
    Category,
}

fn hyphen(span: Range<usize>) -> Fault {
    let mend = "write \\- for the character, or put it first or last";
    fault(span, "a - stands between what is no range", mend)
}

fn is_category(name: &str) -> bool {
    let mut letters = name.chars();
    let parts = letters.next().and_then(|whole| CATEGORIES.iter().find(|(name, _)| *name == whole));
    let part = letters.next();
    let known = |(_, parts): &(char, &str)| part.is_none_or(|part| parts.contains(part));
    parts.is_some_and(known) && letters.next().is_none()
}

fn fault(span: Range<usize>, message: impl Into<String>, mend: &'static str) -> Fault {
    Fault { span, message: message.into(), mend }
}
