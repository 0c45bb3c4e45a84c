//! A template cut at its variables.
//!
//! # Not here
//!
//! - Whether a variable stands within quotes: that depends on the shape of the whole.

use std::ops::Range;

use super::Variable;
use super::reserved::{NAMES, PREFIX};
use super::shape::TemplateError;
use crate::json::Nested;
use crate::nearest::{list, nearest};

/// A variable that there will be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name<'n> {
    pub name: &'n str,
    /// What it is in every event, when that is known to be no text, number or boolean.
    pub always: Option<Nested>,
}

/// A piece of the text before it is known whether it is within quotes.
pub(super) enum Piece<'t> {
    Literal { text: &'t str, at: usize },
    Variable { variable: Variable, at: usize, len: usize },
}

/// Cuts at the variables. `\<` and `\>` are angle brackets that begin and end none.
pub(super) fn split<'t>(
    text: &'t str,
    names: &[Name<'_>],
    errors: &mut Vec<TemplateError>,
) -> Vec<Piece<'t>> {
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
        if rest.starts_with("\\<") || rest.starts_with("\\>") {
            pieces.push(literal(start..at));
            start = at + 1;
            at += 2;
        } else if rest.starts_with('\\') {
            let escaped = rest.chars().nth(1).map_or(0, char::len_utf8);
            at += 1 + escaped;
        } else if let Some(name) = name_of(rest) {
            pieces.push(literal(start..at));
            let len = name.len() + 2;
            let variable = variable(name, names).unwrap_or_else(|(message, mend)| {
                errors.push(TemplateError { span: at..at + len, message, label: "unknown", mend });
                // As if it were known, so that the rest is judged.
                Variable::Named(usize::MAX)
            });
            pieces.push(Piece::Variable { variable, at, len });
            at += len;
            start = at;
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

fn variable(name: &str, names: &[Name<'_>]) -> Result<Variable, (String, String)> {
    if let Some((_, reserved)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Ok(Variable::Reserved(*reserved));
    }
    if let Some(at) = names.iter().position(|known| known.name == name) {
        return Ok(Variable::Named(at));
    }
    let message = format!("`<{name}>` is no variable of this template");
    let reserved = NAMES.iter().map(|(name, _)| *name);
    let named = names.iter().map(|known| known.name);
    if let Some(near) = nearest(name, named.chain(reserved.clone())) {
        return Err((message, format!("did you mean `<{near}>`?")));
    }
    let mend = if name.starts_with(PREFIX) {
        format!("the reserved variables are {}", list(&reserved.collect::<Vec<_>>()))
    } else {
        format!("add `{name}: $.…` to `paths`, or write `\\<{name}>` if that is the text")
    };
    Err((message, mend))
}
