//! `*` in a text: any characters, any number of them, also none.
//!
//! A wildcard is a row of literals with a `*` between each two. The first must begin the value, the
//! last must end it, and each of the others is taken at the first place where it fits: taking it
//! earlier never hurts. So matching is one pass of substring searches, linear in the value.
//!
//! ```text
//! arn:*:bus/*-eu   =   ["arn:", ":bus/", "-eu"]
//! ```
//!
//! # Complexity
//!
//! AWS's automaton over many wildcards can be in many places at once, so EventBridge limits each: a
//! `*` counts two, and the text after one counts how often its own beginning can recur in it (for
//! `dir/dir/dir/x`, twice), the most repetitive text counting. Nothing here depends on the sum.

/// A text with at least one literal, maybe empty; one `*` between each two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wildcard {
    literals: Vec<Box<[u8]>>,
}

/// Why a text is no wildcard. Positions count bytes of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WildcardError {
    /// Two `*` in a row, the first at this position.
    Consecutive(usize),
    /// A backslash at this position that escapes nothing.
    Escape(usize),
}

impl Wildcard {
    /// Reads a text in which `\*` and `\\` are an asterisk and a backslash.
    pub(crate) fn read(text: &[u8]) -> Result<Self, WildcardError> {
        let mut literals = Vec::new();
        let mut literal = Vec::new();
        let mut bytes = text.iter().copied().enumerate().peekable();
        while let Some((at, byte)) = bytes.next() {
            let next = bytes.peek().map(|(_, next)| *next);
            match (byte, next) {
                (b'*', Some(b'*')) => return Err(WildcardError::Consecutive(at)),
                (b'*', _) => literals.push(std::mem::take(&mut literal).into()),
                (b'\\', Some(escaped @ (b'*' | b'\\'))) => {
                    literal.push(escaped);
                    bytes.next();
                }
                (b'\\', _) => return Err(WildcardError::Escape(at)),
                (byte, _) => literal.push(byte),
            }
        }
        literals.push(literal.into());
        Ok(Self { literals })
    }

    /// At least one; there is a `*` between each two.
    pub(crate) fn literals(&self) -> &[Box<[u8]>] {
        &self.literals
    }

    pub(crate) fn matches(&self, value: &[u8]) -> bool {
        let Some((first, later)) = self.literals.split_first() else {
            return false;
        };
        // The empty text is common at the ends. Comparing it is left out, because some processors take
        // hundreds of cycles to load nothing from the address of nothing.
        if !first.is_empty() && !value.starts_with(first) {
            return false;
        }
        let mut rest = &value[first.len()..];
        let Some((last, middle)) = later.split_last() else {
            return rest.is_empty();
        };
        for literal in middle {
            let Some(at) = memchr::memmem::find(rest, literal) else {
                return false;
            };
            rest = &rest[at + literal.len()..];
        }
        last.is_empty() || rest.ends_with(last)
    }

    /// What AWS counts, see the module.
    pub(crate) fn complexity(&self) -> usize {
        let after = self.literals.get(1..).unwrap_or_default();
        let repeats = after.iter().map(|literal| recurrences(literal)).max().unwrap_or(0);
        2 * after.len() + repeats
    }
}

/// How many beginnings of the text can at most be open at once while it is read: the longest chain
/// of borders of any prefix.
fn recurrences(text: &[u8]) -> usize {
    let mut border = vec![0; text.len()];
    let mut chain = vec![0; text.len()];
    let mut most = 0;
    for at in 1..text.len() {
        let mut len: usize = border[at - 1];
        while 0 < len && text[len] != text[at] {
            len = border[len - 1];
        }
        if text[len] == text[at] {
            len += 1;
            border[at] = len;
            chain[at] = chain[len - 1] + 1;
            most = most.max(chain[at]);
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(wildcard: &str, value: &str) -> bool {
        Wildcard::read(wildcard.as_bytes()).unwrap().matches(value.as_bytes())
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        assert!(matches("a*c", "ac") && matches("a*c", "abcbc") && !matches("a*c", "abcd"));
        assert!(matches("*", "") && matches("*", "x") && matches("", "") && !matches("", "x"));
        assert!(matches("*ab*ab*", "abab") && !matches("*ab*ab*", "abb"));
        assert!(!matches("aba*aba", "aba") && !matches("ab*ba", "aba"), "nothing is used twice");
    }

    #[test]
    fn an_escaped_star_is_a_star() {
        assert!(matches(r"a\*b", "a*b") && !matches(r"a\*b", "axb"));
        assert!(matches(r"\\*", r"\x") && !matches(r"\\*", "x"));
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_place() {
        let error = |text: &str| Wildcard::read(text.as_bytes()).unwrap_err();
        assert_eq!(error("foo**"), WildcardError::Consecutive(3));
        assert_eq!(error(r"a\b"), WildcardError::Escape(1));
        assert_eq!(error(r"ab\"), WildcardError::Escape(2));
    }

    #[test]
    fn the_complexity_is_what_aws_counts() {
        let complexity = |text: &str| Wildcard::read(text.as_bytes()).unwrap().complexity();
        assert_eq!(complexity("*:*:*:*:*:event-bus/*"), 12);
        assert_eq!(complexity("*=========="), 2 + 9);
        assert_eq!(complexity("==========*"), 2);
        assert_eq!(complexity("/Users/*/dir/dir/dir/dir/dir/doc.txt"), 2 + 5);
        assert_eq!(complexity("*a*b*c*d*"), 10);
        assert_eq!(complexity("abcabc"), 0);
    }

    #[test]
    fn a_hostile_text_is_judged_and_matched_in_one_pass() {
        let text = format!("*{}", "ab".repeat(100_000));
        assert!(100_000 < Wildcard::read(text.as_bytes()).unwrap().complexity());
        let value = "a".repeat(1_000_000);
        assert!(!matches("*aaab*aaab*b*", &value));
        assert!(!matches(&"*a".repeat(100_000), &"a".repeat(99_999)));
        assert!(matches(&"*a".repeat(100_000), &value));
    }

    /// The oracle: the definition, word for word.
    fn oracle(wildcard: &[u8], value: &[u8]) -> bool {
        match (wildcard, value) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=value.len()).any(|skip| oracle(rest, &value[skip..])),
            ([b'\\', byte, rest @ ..], [found, value @ ..]) if byte == found => oracle(rest, value),
            ([byte, rest @ ..], [found, value @ ..]) if *byte != b'\\' && byte == found => {
                oracle(rest, value)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_definition(
            wildcard in "(\\*?([ab]|\\\\\\*|\\\\\\\\)){0,5}\\*?",
            value in "[ab*\\\\]{0,9}",
        ) {
            if let Ok(read) = Wildcard::read(wildcard.as_bytes()) {
                let expected = oracle(wildcard.as_bytes(), value.as_bytes());
                prop_assert_eq!(read.matches(value.as_bytes()), expected);
            }
        }
    }
}
