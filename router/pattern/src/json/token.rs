//! The tokens of one JSON text, pulled one by one.
//!
//! # Invariants
//!
//! - A token's span is within the text; whatever the bytes, reading ends in `None` or an error.
//! - After an error nothing more is read: callers stop.
//! - The nesting never exceeds the depth given; nothing recurses.
//!
//! # Not here
//!
//! - What comes after the closing brace of the whole text: [`Tokens::finish`] is a call of its own,
//!   because the pattern parser wants to complain about the content first.

use std::ops::Range;

use super::{SyntaxError, line_and_column, quoted, scan};

/// What a token is. A key is a string in the place of a key.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    Key,
    String,
    Number,
    True,
    False,
    Null,
}

/// One token and its place. Strings and keys include their quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Range<usize>,
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum Shape {
    Object,
    Array,
}

struct Open {
    shape: Shape,
    start: usize,
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum Expect {
    /// The one value of the text, at its start.
    Root,
    /// The first key or element, or the end.
    First,
    /// A comma or the end.
    Next,
    /// The value of a key.
    Value,
    /// Nothing: the value is complete.
    Done,
}

/// Reads a text; see the module.
pub(crate) struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
    open: Vec<Open>,
    expect: Expect,
    depth_max: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(text: &'a [u8], depth_max: usize) -> Self {
        Self { text, at: 0, open: Vec::new(), expect: Expect::Root, depth_max }
    }

    pub(crate) fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The next token; `None` when the text's value is complete, or when there never was one.
    pub(crate) fn next(&mut self) -> Result<Option<Token>, SyntaxError> {
        self.skip_space();
        match self.expect {
            Expect::Done => Ok(None),
            Expect::Root if self.at == self.text.len() => Ok(None),
            Expect::Root | Expect::Value => self.value().map(Some),
            Expect::First => self.first().map(Some),
            Expect::Next => self.following().map(Some),
        }
    }

    /// Checks that nothing but space follows the value.
    pub(crate) fn finish(&mut self) -> Result<(), SyntaxError> {
        self.skip_space();
        if self.at == self.text.len() {
            return Ok(());
        }
        Err(SyntaxError {
            span: self.at..self.text.len(),
            message: format!(
                "Unexpected character ({}): nothing may follow the closing brace",
                quoted(self.text, self.at)
            ),
            mend: "remove what follows the closing brace",
        })
    }

    /// Passes over the rest of the container that was opened last.
    pub(crate) fn skip_open(&mut self) -> Result<(), SyntaxError> {
        let depth = self.open.len();
        while depth <= self.open.len() && self.next()?.is_some() {}
        Ok(())
    }

    fn first(&mut self) -> Result<Token, SyntaxError> {
        if let Some(token) = self.close()? {
            return Ok(token);
        }
        match self.shape() {
            Some(Shape::Object) => self.key(),
            _ => self.value(),
        }
    }

    fn following(&mut self) -> Result<Token, SyntaxError> {
        if let Some(token) = self.close()? {
            return Ok(token);
        }
        let shape = self.shape();
        match self.text.get(self.at) {
            None => return Err(self.end_of_input()),
            Some(b',') => self.at += 1,
            Some(_) => {
                let name = if shape == Some(Shape::Object) { "Object" } else { "Array" };
                return Err(self.unexpected(
                    &format!("was expecting comma to separate {name} entries"),
                    "write a comma between two entries, or close the brackets opened before",
                ));
            }
        }
        self.skip_space();
        if shape == Some(Shape::Object) { self.key() } else { self.value() }
    }

    /// A closing bracket, if one is next. It must be the one of the innermost container.
    fn close(&mut self) -> Result<Option<Token>, SyntaxError> {
        let (shape, kind) = match self.text.get(self.at) {
            Some(b'}') => (Shape::Object, Kind::ObjectEnd),
            Some(b']') => (Shape::Array, Kind::ArrayEnd),
            _ => return Ok(None),
        };
        let span = self.at..self.at + 1;
        let Some(open) = self.open.pop_if(|open| open.shape == shape) else {
            return Err(self.wrong_close());
        };
        debug_assert!(open.start < self.at);
        self.at += 1;
        self.expect = if self.open.is_empty() { Expect::Done } else { Expect::Next };
        Ok(Some(Token { kind, span }))
    }

    fn key(&mut self) -> Result<Token, SyntaxError> {
        match self.text.get(self.at) {
            None => return Err(self.end_of_input()),
            Some(b'"') => (),
            Some(_) => {
                return Err(self.unexpected(
                    "was expecting double-quote to start field name",
                    "put the key in double quotes, and no comma after the last entry",
                ));
            }
        }
        let span = scan::string(self.text, self.at)?;
        self.at = span.end;
        self.skip_space();
        match self.text.get(self.at) {
            None => return Err(self.end_of_input()),
            Some(b':') => self.at += 1,
            Some(_) => {
                return Err(self.unexpected(
                    "was expecting a colon to separate field name and value",
                    "write a colon between the key and its value",
                ));
            }
        }
        self.expect = Expect::Value;
        Ok(Token { kind: Kind::Key, span })
    }

    fn value(&mut self) -> Result<Token, SyntaxError> {
        let start = self.at;
        let (kind, end) = match self.text.get(start) {
            None => return Err(self.end_of_input()),
            Some(b'{') => return self.open(Shape::Object, Kind::ObjectStart),
            Some(b'[') => return self.open(Shape::Array, Kind::ArrayStart),
            Some(b'"') => (Kind::String, scan::string(self.text, start)?.end),
            Some(b'-' | b'0'..=b'9') => (Kind::Number, scan::number(self.text, start)?.end),
            Some(b'}' | b']') => {
                return Err(self.unexpected("expected a value", "write a value here"));
            }
            Some(_) => scan::word(self.text, start)?,
        };
        self.at = end;
        self.expect = if self.open.is_empty() { Expect::Done } else { Expect::Next };
        Ok(Token { kind, span: start..end })
    }

    fn open(&mut self, shape: Shape, kind: Kind) -> Result<Token, SyntaxError> {
        let span = self.at..self.at + 1;
        if self.open.len() == self.depth_max {
            return Err(SyntaxError {
                span,
                message: format!("nested deeper than {} levels", self.depth_max),
                mend: "nest less deeply",
            });
        }
        self.open.push(Open { shape, start: self.at });
        self.at += 1;
        self.expect = Expect::First;
        Ok(Token { kind, span })
    }

    fn shape(&self) -> Option<Shape> {
        self.open.last().map(|open| open.shape)
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    fn unexpected(&self, expected: &str, mend: &'static str) -> SyntaxError {
        scan::unexpected(self.text, self.at, expected, mend)
    }

    fn end_of_input(&self) -> SyntaxError {
        let message = match self.open.last() {
            None => "Unexpected end-of-input".to_owned(),
            Some(open) => {
                let (line, column) = line_and_column(self.text, open.start);
                let name = if open.shape == Shape::Object { "Object" } else { "Array" };
                format!(
                    "Unexpected end-of-input: expected close marker for {name} (start marker at line: {line}, column: {column})"
                )
            }
        };
        let end = self.text.len();
        SyntaxError { span: end..end, message, mend: "close what was opened" }
    }

    fn wrong_close(&self) -> SyntaxError {
        let found = if self.text[self.at] == b'}' { '}' } else { ']' };
        let (expected, name, start) = match self.open.last() {
            Some(Open { shape: Shape::Object, start }) => ('}', "Object", *start),
            Some(Open { shape: Shape::Array, start }) => (']', "Array", *start),
            None => unreachable!("a closing bracket is only looked for inside a container"),
        };
        let (line, column) = line_and_column(self.text, start);
        SyntaxError {
            span: self.at..self.at + 1,
            message: format!(
                "Unexpected close marker '{found}': expected '{expected}' (for {name} starting at line: {line}, column: {column})"
            ),
            mend: "close the brackets in the order in which they were opened",
        }
    }
}
