//! Rule files in one form: the order of keys, the indentation, the blanks; what is written stays.
//!
//! ```text
//! text ─▶ layout (what is written, in its style) ─▶ comments (each to its key) ─▶ order ─▶ write
//! ```
//!
//! # Invariants
//!
//! - What is formatted says the same: it is read again and compared, comments too, or refused.
//! - Formatting what is formatted changes nothing.
//! - Scalars keep their text, their quotes included; flow stays flow, block stays block.
//!
//! # Not here
//!
//! - Whether the rules are right: a file of YAML is enough.
//! - Files: the server reads and writes them.

mod comments;
mod layout;
mod order;
mod text;
mod write;

use std::collections::HashMap;

use crate::diagnostic::Diagnostic;
use crate::source::{Source, SourceFile};
use crate::yaml::{self, Node, Value};

/// Why a file is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// It is not YAML; every problem is told.
    #[error("not YAML")]
    Broken(Vec<Diagnostic>),

    /// Something has a form that could not be kept.
    #[error("line {line}: {what} cannot be kept: write it in a plainer way")]
    Unkept { line: usize, what: &'static str },

    /// What came out was not what went in: a fault of ours, which hurts nobody.
    #[error("formatted, it would not say the same")]
    Changed,
}

/// The text of `file` in the one form.
///
/// # Errors
///
/// When it cannot be read, or a part of it could not keep its place.
pub fn format(file: &SourceFile) -> Result<String, FormatError> {
    let (before, faults) = yaml::read(&file.text);
    if !faults.is_empty() {
        let source = Source::new(file);
        let found = faults.into_iter().map(|fault| fault.in_file(&source)).collect();
        return Err(FormatError::Broken(found));
    }
    let text = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text);
    let mut text = text.replace("\r\n", "\n").replace('\r', "\n");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let (mut documents, notes) = layout::read(&text)?;
    let said = sorted(&notes);
    comments::attach(&text, &mut documents, notes)?;
    for document in &mut documents {
        order::sort(document);
    }
    let out = write::write(&documents, &text);
    let (after, faults) = yaml::read(&out);
    let is_same = faults.is_empty()
        && before.len() == after.len()
        && before.iter().zip(&after).all(|(one, other)| same(one, other));
    let is_kept = layout::read(&out).is_ok_and(|(_, notes)| sorted(&notes) == said);
    if is_same && is_kept { Ok(out) } else { Err(FormatError::Changed) }
}

fn sorted(notes: &[layout::Note]) -> Vec<String> {
    let mut texts: Vec<String> = notes.iter().map(|note| note.text.clone()).collect();
    texts.sort_unstable();
    texts
}

/// Whether two trees say the same; keys may stand in another order.
fn same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::List(ones), Value::List(others)) => {
            ones.len() == others.len() && ones.iter().zip(others).all(|(a, b)| same(a, b))
        }
        (Value::Map(ones), Value::Map(others)) => {
            let found: HashMap<&str, &Node> =
                others.iter().map(|other| (other.key.as_str(), &other.value)).collect();
            ones.len() == others.len()
                && ones.iter().all(|one| {
                    found.get(one.key.as_str()).is_some_and(|other| same(&one.value, other))
                })
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests;
