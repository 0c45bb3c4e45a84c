//! The tokens of a pattern, and how its errors are made.

use std::borrow::Cow;
use std::ops::Range;

use crate::json::{SyntaxError, Token, Tokens, decode};
use crate::limits::PATTERN_DEPTH_MAX;
use crate::pattern::{Dialect, ParseError};
use crate::regex;

pub(super) struct Reader<'a> {
    tokens: Tokens<'a>,
    /// Where the last token ended.
    at: usize,
    pub(super) dialect: Dialect,
    pub(super) regexes: regex::Budget,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, dialect: Dialect) -> Self {
        let tokens = Tokens::new(text.as_bytes(), PATTERN_DEPTH_MAX);
        Self { tokens, at: 0, dialect, regexes: regex::Budget::default() }
    }

    /// The token that begins the text's value, if it has one.
    pub(super) fn first(&mut self) -> Result<Option<Token>, ParseError> {
        self.tokens.next().map_err(ParseError::from)
    }

    /// The next token inside the pattern's object, where the text cannot simply end.
    pub(super) fn next(&mut self) -> Result<Token, ParseError> {
        let token = self.tokens.next()?;
        let token = token.expect("inside an object there is a token or an error");
        self.at = token.span.end;
        Ok(token)
    }

    /// Where the last token ended.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn finish(&mut self) -> Result<(), ParseError> {
        self.tokens.finish().map_err(ParseError::from)
    }

    /// What a string or key says.
    pub(super) fn string(&self, token: &Token) -> Cow<'a, [u8]> {
        decode(self.raw(token))
    }

    /// The bytes of the text that say these bytes of what a string says.
    pub(super) fn within(&self, token: &Token, said: Range<usize>) -> Range<usize> {
        let inside = self.raw(token);
        let start = token.span.start + 1;
        start + place(inside, said.start)..start + place(inside, said.end)
    }

    /// The bytes of a token as they stand in the text.
    pub(super) fn raw(&self, token: &Token) -> &'a [u8] {
        &self.tokens.text()[token.span.clone()]
    }
}

/// Where in a string of whole characters, counted from behind its opening quote, the bytes begin that
/// say the byte at `said`.
fn place(quoted: &[u8], said: usize) -> usize {
    let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    let (mut at, mut passed) = (0, 0);
    while passed < said && at < inner.len() {
        let (written, says) = match inner.get(at..).unwrap_or_default() {
            [b'\\', b'u', digits @ ..] => {
                let digits = digits.get(..4).and_then(|digits| std::str::from_utf8(digits).ok());
                let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
                // What is no character is the first half of a pair: both halves say one.
                code.and_then(char::from_u32).map_or((12, 4), |c| (6, c.len_utf8()))
            }
            [b'\\', ..] => (2, 1),
            _ => (1, 1),
        };
        at += written;
        passed += says;
    }
    at.min(inner.len())
}

impl From<SyntaxError> for ParseError {
    fn from(error: SyntaxError) -> Self {
        Self { span: error.span, message: error.message, mend: error.mend.to_owned() }
    }
}

pub(super) fn error(span: Range<usize>, message: impl Into<String>, mend: &str) -> ParseError {
    ParseError { span, message: message.into(), mend: mend.to_owned() }
}
