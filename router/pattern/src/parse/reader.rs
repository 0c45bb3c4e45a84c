//! The tokens of a pattern, and how its errors are made.

use std::borrow::Cow;
use std::ops::Range;

use crate::json::{SyntaxError, Token, Tokens, decode};
use crate::limits::PATTERN_DEPTH_MAX;
use crate::pattern::ParseError;

pub(super) struct Reader<'a> {
    tokens: Tokens<'a>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { tokens: Tokens::new(text.as_bytes(), PATTERN_DEPTH_MAX) }
    }

    /// The token that begins the text's value, if it has one.
    pub(super) fn first(&mut self) -> Result<Option<Token>, ParseError> {
        self.tokens.next().map_err(ParseError::from)
    }

    /// The next token inside the pattern's object, where the text cannot simply end.
    pub(super) fn next(&mut self) -> Result<Token, ParseError> {
        let token = self.tokens.next()?;
        Ok(token.expect("inside an object there is a token or an error"))
    }

    pub(super) fn finish(&mut self) -> Result<(), ParseError> {
        self.tokens.finish().map_err(ParseError::from)
    }

    /// What a string or key says.
    pub(super) fn string(&self, token: &Token) -> Cow<'a, [u8]> {
        decode(self.raw(token))
    }

    /// The bytes of a token as they stand in the text.
    pub(super) fn raw(&self, token: &Token) -> &'a [u8] {
        &self.tokens.text()[token.span.clone()]
    }
}

impl From<SyntaxError> for ParseError {
    fn from(error: SyntaxError) -> Self {
        Self { span: error.span, message: error.message, mend: error.mend.to_owned() }
    }
}

pub(super) fn error(span: Range<usize>, message: impl Into<String>, mend: &str) -> ParseError {
    ParseError { span, message: message.into(), mend: mend.to_owned() }
}
