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
//! - Rendering cannot fail.
//!
//! # Not here
//!
//! - Where values come from: `transform` finds them.

mod parse;
mod reserved;

use std::borrow::Cow;

use crate::json::{self, Kind};

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
    pub(crate) fn render(&self, values: &[Option<Cow<'_, str>>], facts: &Facts<'_>) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Value(variable) => match variable.find(values, facts) {
                    Some(value) => out.push_str(&value),
                    None => out.push_str("\"\""),
                },
                Part::Inside(variable) => {
                    if let Some(value) = variable.find(values, facts) {
                        self.push_inside(&mut out, &value);
                    }
                }
            }
        }
        out
    }

    fn push_inside(&self, out: &mut String, value: &str) {
        let kind = json::kind(value);
        if kind == Kind::Text {
            let inside = value.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            let inside = inside.unwrap_or_default();
            match self.format {
                Format::Json => out.push_str(inside), // Escaped by its sender.
                Format::Text => out.push_str(&json::unescape(inside)),
            }
            return;
        }
        let mut text = String::new();
        json::compact(value, &mut text);
        match self.format {
            Format::Json => json::push_escaped(out, &text),
            Format::Text => out.push_str(&text),
        }
    }
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
