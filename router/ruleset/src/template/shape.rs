//! What a template is: one JSON value, texts in quotes, or any text; and whether it is so with values
//! in its gaps.

use std::ops::Range;

use super::pieces::Piece;
use super::{Format, Shape};
use crate::json;

/// What stands for a value when a JSON template is checked; nothing may be glued to it.
const VALUE_DUMMY: &str = "null";

const TEXT_MEND: &str = "or say `format: text` beside the template";

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateError {
    /// Bytes of the template.
    pub span: Range<usize>,
    pub message: String,
    pub label: &'static str,
    pub mend: String,
}

/// Told from how the template begins, unless `format` says it.
pub(super) fn shape(
    text: &str,
    pieces: &[Piece<'_>],
    format: Option<Format>,
) -> Result<(Shape, Format), TemplateError> {
    if format == Some(Format::Text) {
        return Ok((Shape::Text, Format::Text));
    }
    let filled = Filled::of(pieces);
    let is_open = format.is_none();
    let or_text = |error: TemplateError| match is_open {
        true => TemplateError { mend: format!("{}, {TEXT_MEND}", error.mend), ..error },
        false => error,
    };
    if text.trim_start().starts_with('"') {
        let lines = filled.quoted_lines().map_err(or_text)?;
        let made = if lines == 1 { Format::Json } else { Format::Text };
        if format == Some(Format::Json) && made == Format::Text {
            return Err(several_lines(text));
        }
        return Ok((Shape::Quoted, made));
    }
    match filled.json() {
        Ok(()) => Ok((Shape::Json, Format::Json)),
        Err(error) if !is_open || text.trim_start().starts_with(['{', '[']) => Err(or_text(error)),
        Err(_) => Ok((Shape::Text, Format::Text)),
    }
}

fn several_lines(text: &str) -> TemplateError {
    TemplateError {
        span: 0..text.len(),
        message: "several lines of texts in quotes are not JSON together".to_owned(),
        label: "not JSON",
        mend: "leave `format` out, or make a list of them: `[\"…\", \"…\"]`".to_owned(),
    }
}

/// A template with values in its gaps.
struct Filled {
    text: String,
    /// Where pieces of it stand in the template.
    places: Vec<(usize, usize)>,
}

impl Filled {
    fn of(pieces: &[Piece<'_>]) -> Self {
        let mut filled = Self { text: String::new(), places: Vec::new() };
        let mut quotes = Quotes::default();
        for piece in pieces {
            match piece {
                Piece::Literal { text, at } => {
                    filled.places.push((filled.text.len(), *at));
                    filled.text.push_str(text);
                    quotes.pass(text);
                }
                Piece::Variable { at, .. } => {
                    filled.places.push((filled.text.len(), *at));
                    filled.text.push_str(if quotes.is_inside { "x" } else { VALUE_DUMMY });
                }
            }
        }
        filled
    }

    /// Whether it is one JSON value.
    fn json(&self) -> Result<(), TemplateError> {
        let limits = event::Limits::default();
        let Err(error) = json::check(&self.text, &limits) else { return Ok(()) };
        let mut mend = "write JSON with a `<variable>` in place of a value or within quotes";
        let (reason, offset) = reason(error, &self.text);
        let reason = if reason.starts_with("control character") {
            mend = "close the quotes, write `\\n` for a line break";
            "a text in quotes goes beyond its line".to_owned()
        } else {
            reason
        };
        Err(TemplateError {
            label: "not JSON",
            span: self.place(offset),
            message: format!("the template is not JSON: {reason}"),
            mend: mend.to_owned(),
        })
    }

    /// How many texts in quotes it is, each a line of its own.
    fn quoted_lines(&self) -> Result<usize, TemplateError> {
        let limits = event::Limits::default();
        let mut count = 0;
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            let from = start + (line.len() - line.trim_start().len());
            start += line.len();
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            count += 1;
            let Err(error) = json::check(line, &limits) else {
                if line.starts_with('"') {
                    continue;
                }
                return Err(self.not_quoted("this line is none", from));
            };
            let (reason, offset) = reason(error, line);
            let reason = match reason.as_str() {
                "trailing characters" => "something follows it on its line",
                reason if reason.starts_with("EOF") => "it is not closed on its line",
                reason => reason,
            };
            return Err(self.not_quoted(reason, from + offset));
        }
        Ok(count)
    }

    fn not_quoted(&self, reason: &str, offset: usize) -> TemplateError {
        let what = "a template that begins with a quote is a text in quotes, or one on each line";
        TemplateError {
            span: self.place(offset),
            message: format!("{what}: {reason}"),
            label: "not a text in quotes",
            mend: "put the whole line in quotes, and write `\\\"` for a quote within".to_owned(),
        }
    }

    /// Of the byte in the template that this byte stands for.
    fn place(&self, offset: usize) -> Range<usize> {
        let found = self.places.iter().rev().find(|(from, _)| *from <= offset);
        let start = found.map_or(0, |(from, at)| at + (offset - from));
        start..start + 1
    }
}

/// What is wrong with `text`, and at which byte.
fn reason(error: event::JsonError, text: &str) -> (String, usize) {
    match error {
        event::JsonError::Syntax { reason, line, column } => {
            (reason, offset_of(text, line, column))
        }
        event::JsonError::TooDeep { offset, .. } => ("too deep".to_owned(), offset),
        event::JsonError::NotUtf8 { offset } => ("not UTF-8".to_owned(), offset),
        event::JsonError::TooLarge { .. } => ("too large".to_owned(), 0),
    }
}

/// `column` is that of the last byte read, from 1, and 0 when that was a line break: then the byte
/// before it is shown.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    if column == 0 { before.saturating_sub(2) } else { before + column - 1 }
}

/// Whether the reader of a template is within quotes.
#[derive(Default)]
pub(super) struct Quotes {
    pub(super) is_inside: bool,
    is_escaped: bool,
}

impl Quotes {
    pub(super) fn pass(&mut self, text: &str) {
        for c in text.chars() {
            self.step(c);
        }
    }

    fn step(&mut self, c: char) {
        match c {
            _ if self.is_escaped => self.is_escaped = false,
            '\\' if self.is_inside => self.is_escaped = true,
            '"' => self.is_inside = !self.is_inside,
            _ => (),
        }
    }

    /// `text` without the white space outside quotes.
    pub(super) fn without_blanks(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            let is_blank = !self.is_inside && matches!(c, ' ' | '\t' | '\n' | '\r');
            self.step(c);
            if !is_blank {
                out.push(c);
            }
        }
        out
    }

    /// `text` without what is outside quotes, and a line break before each quoted text that
    /// `is_first` does not say to be the first.
    pub(super) fn lines(&mut self, text: &str, is_first: &mut bool) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            let was_inside = self.is_inside;
            self.step(c);
            let begins = !was_inside && self.is_inside;
            if begins && !std::mem::replace(is_first, false) {
                out.push('\n');
            }
            if was_inside || self.is_inside {
                out.push(c);
            }
        }
        out
    }
}
