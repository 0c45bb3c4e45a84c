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

use super::escape::Escape;
use crate::limits::REGEX_DEPTH_MAX;

/// What a regex has that I-Regexp has not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The bytes of the regex that are wrong.
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
    pub(crate) mend: &'static str,
}

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

/// A regex being read, and being written.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) out: String,
}

impl<'a> Reader<'a> {
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Writes a character that stands for itself, also where it would not.
    pub(super) fn plain(&mut self, character: char) {
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
}

pub(super) fn fault(span: Range<usize>, message: impl Into<String>, mend: &'static str) -> Fault {
    Fault { span, message: message.into(), mend }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message, and what of the regex it is about.
    #[track_caller]
    fn check(regex: &str, message: &str, wrong: &str) {
        let fault = translate(regex).expect_err("it is no I-Regexp");
        assert!(fault.message.contains(message), "{regex}: {}", fault.message);
        assert_eq!(regex.get(fault.span), Some(wrong), "{regex}");
        assert!(!fault.mend.is_empty());
    }

    #[test]
    fn what_other_dialects_have_is_refused_by_its_name() {
        check("^a", "^ is no anchor", "^");
        check("a$", "$ is no anchor", "$");
        check(r"é\d+", r"there is no \d in I-Regexp", r"\d");
        for escape in [r"\D", r"\w", r"\W", r"\s", r"\S"] {
            check(escape, "in I-Regexp", escape);
            check(&format!("[a{escape}]"), "in I-Regexp", escape);
        }
        check(r"a\b", "word boundaries", r"\b");
        check(r"\Aa", "no anchors", r"\A");
        check(r"(a)\1", "references to groups", r"\1");
        check(r"(a)\k<a>", "references to groups", r"\k");
        check(r"\u0041", "codes of characters", r"\u");
        check(r"\x41", "codes of characters", r"\x");
        check(r"\$", "a $ cannot be escaped", r"\$");
        check(r"a\/b", "a / cannot be escaped", r"\/");
        check(r"\é", r"\é is no escape", r"\é");
        for group in ["(?:a)", "(?=a)", "(?!a)", "(?<=a)", "(?<n>a)", "(?P<n>a)", "(?i)a"] {
            check(group, "(? is not possible", "(?");
        }
        check("a*?", "lazy", "?");
        check("a{2}?", "lazy", "?");
        check("a++", "possessive", "+");
        check("a**", "cannot follow another", "*");
        check("a*{2}", "cannot follow another", "{");
        check("[[:alpha:]]", "a [ cannot stand in a class", "[");
        check("[a&&[b]]", "a [ cannot stand in a class", "[");
        for category in [
            r"\p{Greek}",
            r"\pL",
            r"\p{IsGreek}",
            r"\p{Lx}",
            r"\p{}",
            r"\p{l}",
            r"\p{Cs}",
            r"\p{^L}",
            r"\p{L",
        ] {
            check(category, "no such category", r"\p");
        }
    }

    #[test]
    fn a_class_has_each_category_once() {
        let class = format!("[a{}]", r"\p{L}\P{N}b".repeat(100));
        assert_eq!(translate(&class).unwrap().matches("p{L}").count(), 1);
    }

    #[test]
    fn what_is_no_regex_at_all_is_refused() {
        check("*a", "nothing before *", "*");
        check("(+)", "nothing before +", "+");
        check("a|?", "nothing before ?", "?");
        check("{2}", "nothing before {", "{");
        check("a(b", "a group never ends", "(");
        check("a)b", "a group ends that never began", ")");
        check("a[b", "a class never ends", "[");
        check("[a-", "a class never ends", "[");
        check("a]", "a class ends that never began", "]");
        check("a}", "a quantifier ends that never began", "}");
        check("[]", "a class is empty", "[]");
        check("[^]", "a class is empty", "[^]");
        check("[]a]", "a class is empty", "[]");
        check("a\\", "a backslash escapes nothing", "\\");
        check("a{}", "begins no quantifier", "{");
        check("a{,2}", "begins no quantifier", "{");
        check("a{x}", "begins no quantifier", "{");
        check("a{2", "begins no quantifier", "{2");
        check("a{2,1}", "least is more than its most", "{2,1}");
        check("[b-a]", "ends before it begins", "b-a");
        check("[a-c-e]", "a - stands between", "-");
        check(r"[\p{L}-z]", "a - stands between", "-");
        check(r"[a-\p{L}]", "a - stands between", "-");
        check("[+--]", "a - stands between", "-");
    }
}
