//! Input templates: `{"order": <id>, "text": "new <kind>"}`.
//!
//! ```text
//!                  <x> as a value            <x> within quotes, or in a text
//! JSON template    the value as it was sent  a text, number or boolean; an object or array: an error
//! string template  (none)                    the text; an object or array without double quotes
//! text template    (none)                    the same, its escapes read
//! finds nothing    ""                        nothing
//! ```
//!
//! `docs/input-templates.md` has the rules and a table of cases, which a test reads.
//!
//! # Invariants
//!
//! - A JSON template renders JSON, and each line of a string template is a JSON string, whatever the
//!   values: it was checked with values in its gaps, and a value only ever fills a gap of its kind.
//! - Rendering fails for want of room, for which it asks before it writes, and where EventBridge would
//!   lose the event: for an object or array within the quotes of a JSON template.
//!
//! # Not here
//!
//! - Where values come from: `transform` finds them.

mod parse;
mod pieces;
mod reserved;
mod shape;

use std::borrow::Cow;

use crate::json::{self, Kind, Nested};
use crate::room::{Full, Room};

pub(crate) use pieces::{Name, is_name};
pub(crate) use reserved::{Facts, PREFIX, Reserved};
pub(crate) use shape::TemplateError;

/// How long a template may be. EventBridge takes 8,192 characters.
pub(crate) const BYTES_MAX: usize = 64 << 10;

/// What a template makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Text,
}

/// What a template is; it decides what a variable within it becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// One JSON value.
    Json,
    /// EventBridge's string template: texts in quotes, one a line, sent with their quotes.
    Quoted,
    /// Any other text, which EventBridge does not have.
    Text,
}

#[derive(Debug, Clone)]
pub(crate) struct Template {
    format: Format,
    shape: Shape,
    parts: Vec<Part>,
    names: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Literal(String),
    /// A JSON value.
    Value(Variable),
    /// Text: within quotes, or anywhere in a text template.
    Inside(Variable),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Variable {
    /// Position among the names given to [`Template::parse`].
    Named(usize),
    Reserved(Reserved),
}

/// Why a template and its values make nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RenderError {
    #[error(transparent)]
    Full(#[from] Full),

    #[error(
        "`<{name}>` is {nested} in this event, and cannot stand within the quotes of a JSON template: \
         write it without quotes, or name one of its values in `paths`"
    )]
    Nested { name: String, nested: Nested },
}

impl Template {
    /// `names` are the variables that there will be; `format` is told from the template when none.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub(crate) fn parse(
        text: &str,
        names: &[Name<'_>],
        format: Option<Format>,
    ) -> Result<Self, Vec<TemplateError>> {
        parse::parse(text, names, format)
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// `values` are JSON texts in the order of the names.
    ///
    /// # Errors
    ///
    /// When the values do not fit.
    pub(crate) fn render(
        &self,
        values: &[Option<Cow<'_, str>>],
        facts: &Facts<'_>,
        room: &mut Room,
    ) -> Result<String, RenderError> {
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
                        push(&mut out, &self.inside(*variable, &value)?, room)?;
                    }
                }
            }
        }
        Ok(out)
    }

    /// What stands for `value` within quotes, or in a text; never longer than it.
    fn inside<'v>(&self, variable: Variable, value: &'v str) -> Result<Cow<'v, str>, RenderError> {
        let nested = match json::kind(value) {
            Kind::Text => {
                let inside = value.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
                let inside = inside.unwrap_or_default();
                return Ok(match self.shape {
                    Shape::Json | Shape::Quoted => Cow::Borrowed(inside), // Escaped by its sender.
                    Shape::Text => json::unescape(inside),
                });
            }
            Kind::Object => Nested::Object,
            Kind::Array => Nested::Array,
            Kind::Null | Kind::Bool | Kind::Number => return Ok(Cow::Borrowed(value)),
        };
        let mut text = String::new();
        match (self.shape, variable) {
            (Shape::Json, _) => {
                return Err(RenderError::Nested { name: self.name(variable), nested });
            }
            // The whole event is of use as JSON alone.
            (Shape::Text, Variable::Reserved(_)) => json::compact(value, &mut text),
            (Shape::Quoted | Shape::Text, _) => json::bare(value, &mut text),
        }
        Ok(Cow::Owned(text))
    }

    fn name(&self, variable: Variable) -> String {
        match variable {
            Variable::Named(at) => self.names.get(at).cloned().unwrap_or_default(),
            Variable::Reserved(reserved) => reserved.name().to_owned(),
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
