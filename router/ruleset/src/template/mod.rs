//! Input templates: `{"order": <id>, "text": "new <kind>"}`.
//!
//! ```text
//! JSON template   <x> as a value      → the value as the sender wrote it
//!                 <x> within quotes   → its text, escaped; of an object or array its compact JSON
//! text template   <x>                 → its text; of an object or array its compact JSON
//! a path that finds nothing           → "" as a value, else no text at all
//! ```
//!
//! # Invariants
//!
//! - A JSON template renders JSON, whatever the values: it was checked with values in its gaps, and a
//!   value only ever fills a gap of its kind.
//! - Rendering fails only for want of room, and asks for it before it writes.
//!
//! # Not here
//!
//! - Where values come from: `transform` finds them.

mod parse;
mod reserved;

use std::borrow::Cow;

use crate::json::{self, Kind};
use crate::room::{Full, Room};

pub(crate) use parse::TemplateError;
pub(crate) use parse::is_name;
pub(crate) use reserved::{Facts, PREFIX, Reserved};

/// What a template makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Text,
}

#[derive(Debug, Clone)]
pub(crate) struct Template {
    format: Format,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Literal(String),
    /// A JSON value.
    Value(Variable),
    /// Text: within a JSON string, or anywhere in a text template.
    Inside(Variable),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Variable {
    /// Position among the names given to [`Template::parse`].
    Named(usize),
    Reserved(Reserved),
}

impl Template {
    /// `names` are the variables that there will be; `format` is told from the template when none.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub(crate) fn parse(
        text: &str,
        names: &[&str],
        format: Option<Format>,
    ) -> Result<Self, Vec<TemplateError>> {
        parse::parse(text, names, format)
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// `values` are JSON texts in the order of the names.
    pub(crate) fn render(
        &self,
        values: &[Option<Cow<'_, str>>],
        facts: &Facts<'_>,
        room: &mut Room,
    ) -> Result<String, Full> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => push(&mut out, text, room)?,
                Part::Value(variable) => match variable.find(values, facts) {
                    Some(value) => push(&mut out, &value, room)?,
                    None => push(&mut out, "\"\"", room)?,
                },
                Part::Inside(variable) => {
                    if let Some(value) = variable.find(values, facts) {
                        self.push_inside(&mut out, &value, room)?;
                    }
                }
            }
        }
        Ok(out)
    }

    fn push_inside(&self, out: &mut String, value: &str, room: &mut Room) -> Result<(), Full> {
        let kind = json::kind(value);
        if kind == Kind::Text {
            let inside = value.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            let inside = inside.unwrap_or_default();
            return match self.format {
                Format::Json => push(out, inside, room), // Escaped by its sender.
                Format::Text => push(out, &json::unescape(inside), room),
            };
        }
        let mut text = String::new();
        json::compact(value, &mut text);
        match self.format {
            Format::Json => {
                room.take(json::escaped_len(&text))?;
                json::push_escaped(out, &text);
                Ok(())
            }
            Format::Text => push(out, &text, room),
        }
    }
}

fn push(out: &mut String, text: &str, room: &mut Room) -> Result<(), Full> {
    room.take(text.len())?;
    out.push_str(text);
    Ok(())
}

impl Variable {
    fn find<'v>(
        self,
        values: &'v [Option<Cow<'v, str>>],
        facts: &Facts<'v>,
    ) -> Option<Cow<'v, str>> {
        match self {
            Self::Named(at) => values.get(at)?.as_deref().map(Cow::Borrowed),
            Self::Reserved(reserved) => Some(facts.json(reserved)),
        }
    }
}

#[cfg(test)]
mod tests;
