//! From a template's text to its parts.

use std::ops::Range;

use super::reserved::{NAMES, PREFIX};
use super::{Format, Part, Template, Variable};
use crate::json;
use crate::nearest::{list, nearest};

/// What stands for a value when a JSON template is checked; nothing may be glued to it.
const VALUE_DUMMY: &str = "null";

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateError {
    /// Bytes of the template.
    pub span: Range<usize>,
    pub message: String,
    pub label: &'static str,
    pub mend: String,
}

/// A piece of the text before it is known whether it is within quotes.
enum Piece<'t> {
    Literal { text: &'t str, at: usize },
    Variable { variable: Variable, at: usize },
}

pub(super) fn parse(
    text: &str,
    names: &[&str],
    format: Option<Format>,
) -> Result<Template, Vec<TemplateError>> {
    let mut errors = Vec::new();
    let pieces = split(text, names, &mut errors);
    let checked = check(&pieces);
    let format = match (format, &checked) {
        (Some(Format::Text), _) => Format::Text,
        (Some(Format::Json), Err(error)) => {
            errors.push(error.clone());
            Format::Json
        }
        (None, Err(error)) if text.trim_start().starts_with(['{', '[']) => {
            let mend = format!("{}, or say `format: text` beside the template", error.mend);
            errors.push(TemplateError { mend, ..error.clone() });
            Format::Json
        }
        (None, Err(_)) => Format::Text,
        (_, Ok(())) => Format::Json,
    };
    if errors.is_empty() {
        Ok(Template { format, parts: parts(&pieces, format) })
    } else {
        Err(errors)
    }
}

/// Cuts at the variables. `\<` is an angle bracket that begins none.
fn split<'t>(text: &'t str, names: &[&str], errors: &mut Vec<TemplateError>) -> Vec<Piece<'t>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut at = 0;
    let literal = |range: Range<usize>| Piece::Literal {
        at: range.start,
        text: text.get(range).unwrap_or_default(),
    };
    while let Some(found) = text.get(at..).and_then(|rest| rest.find(['<', '\\'])) {
        at += found;
        let rest = text.get(at..).unwrap_or_default();
        if rest.starts_with("\\<") {
            pieces.push(literal(start..at));
            start = at + 1;
            at += 2;
        } else if rest.starts_with('\\') {
            let escaped = rest.chars().nth(1).map_or(0, char::len_utf8);
            at += 1 + escaped;
        } else if let Some(name) = name_of(rest) {
            pieces.push(literal(start..at));
            let end = at + name.len() + 2;
            match variable(name, names) {
                Ok(variable) => pieces.push(Piece::Variable { variable, at }),
                Err((message, mend)) => {
                    errors.push(TemplateError { span: at..end, message, label: "unknown", mend });
                    // As if it were known, so that the rest is judged.
                    pieces.push(Piece::Variable { variable: Variable::Named(usize::MAX), at });
                }
            }
            start = end;
            at = end;
        } else {
            at += 1;
        }
    }
    pieces.push(literal(start..text.len()));
    pieces
}

/// The name of the variable that `rest` begins with.
fn name_of(rest: &str) -> Option<&str> {
    let (name, _) = rest.strip_prefix('<')?.split_once('>')?;
    is_name(name).then_some(name)
}

/// Whether a variable may have this name.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

fn variable(name: &str, names: &[&str]) -> Result<Variable, (String, String)> {
    if let Some((_, reserved)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Ok(Variable::Reserved(*reserved));
    }
    if let Some(at) = names.iter().position(|known| *known == name) {
        return Ok(Variable::Named(at));
    }
    let message = format!("`<{name}>` is no variable of this template");
    let reserved = NAMES.iter().map(|(name, _)| *name);
    if let Some(near) = nearest(name, names.iter().copied().chain(reserved.clone())) {
        return Err((message, format!("did you mean `<{near}>`?")));
    }
    let mend = if name.starts_with(PREFIX) {
        format!("the reserved variables are {}", list(&reserved.collect::<Vec<_>>()))
    } else {
        format!("add `{name}: $.…` to `paths`, or write `\\<{name}>` if that is the text")
    };
    Err((message, mend))
}

/// Whether the template is JSON with any values in its gaps.
fn check(pieces: &[Piece<'_>]) -> Result<(), TemplateError> {
    let mut filled = String::new();
    // Where pieces of `filled` stand in the template.
    let mut places = Vec::new();
    let mut quotes = Quotes::default();
    for piece in pieces {
        match piece {
            Piece::Literal { text, at } => {
                places.push((filled.len(), *at));
                filled.push_str(text);
                quotes.pass(text);
            }
            Piece::Variable { at, .. } => {
                places.push((filled.len(), *at));
                filled.push_str(if quotes.is_inside { "x" } else { VALUE_DUMMY });
            }
        }
    }
    let limits = event::Limits::default();
    let Err(error) = json::check(&filled, &limits) else { return Ok(()) };
    let place = |offset: usize| {
        let (from, at) = places.iter().rev().find(|(from, _)| *from <= offset).copied()?;
        Some(at + (offset - from))
    };
    let mut mend = "write JSON with a `<variable>` in place of a value or within quotes";
    let (reason, offset) = match error {
        event::JsonError::Syntax { reason, line, column } => {
            let at = offset_of(&filled, line, column);
            if reason.starts_with("control character") {
                mend = "close the quotes, write `\\n` for a line break";
                ("a text in quotes goes beyond its line".to_owned(), at)
            } else {
                (reason, at)
            }
        }
        event::JsonError::TooDeep { offset, .. } | event::JsonError::NotUtf8 { offset } => {
            ("too deep".to_owned(), offset)
        }
        event::JsonError::TooLarge { .. } => ("too large".to_owned(), 0),
    };
    let start = place(offset).unwrap_or(0);
    Err(TemplateError {
        label: "not JSON",
        span: start..start + 1,
        message: format!("the template is not JSON: {reason}"),
        mend: mend.to_owned(),
    })
}

/// `column` is that of the last byte read, from 1, and 0 when that was a line break: then the byte
/// before it is shown.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    if column == 0 { before.saturating_sub(2) } else { before + column - 1 }
}

fn parts(pieces: &[Piece<'_>], format: Format) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut quotes = Quotes::default();
    for piece in pieces {
        match piece {
            Piece::Literal { text, .. } => {
                let text = match format {
                    Format::Json => quotes.without_blanks(text),
                    Format::Text => (*text).to_owned(),
                };
                match parts.last_mut() {
                    Some(Part::Literal(before)) => before.push_str(&text),
                    _ if text.is_empty() => (),
                    _ => parts.push(Part::Literal(text)),
                }
            }
            Piece::Variable { variable, .. } => parts.push(match format {
                Format::Json if !quotes.is_inside => Part::Value(*variable),
                Format::Json | Format::Text => Part::Inside(*variable),
            }),
        }
    }
    parts
}

/// Whether the reader of a JSON text is within a string.
#[derive(Default)]
struct Quotes {
    is_inside: bool,
    is_escaped: bool,
}

impl Quotes {
    fn pass(&mut self, text: &str) {
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

    /// `text` without the white space between tokens.
    fn without_blanks(&mut self, text: &str) -> String {
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
}
