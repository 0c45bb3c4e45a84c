//! Writing what came out of a plugin into its cases, as what they expect.
//!
//! # Invariants
//!
//! - Only what a case expects is touched; every other byte of a file stays.

use std::fs;
use std::path::Path;

use bus::plugin::Role;

use super::PluginError;
use super::cases::Case;
use super::judge::Came;
use super::layout::{expectation, spread};
use super::pretend::{Entries, written};

/// A replacement of bytes of a file.
pub(super) struct Change {
    from: usize,
    to: usize,
    text: String,
}

/// What has to change so that `came` is what the case expects.
pub(super) fn change(text: &str, case: &Case, came: &Came, role: Role) -> Change {
    if let Some(place) = &case.place.expect {
        let value = expectation(came, role, indent(text, place.start));
        return Change { from: place.start, to: place.end, text: value };
    }
    // Behind the last member, and as far to the right as the first one.
    let whole = &case.place.case;
    let body = text.get(whole.start..whole.end).unwrap_or_default();
    let inside = body.strip_suffix('}').unwrap_or(body).trim_end();
    let at = whole.start + inside.len();
    let first_key = whole.start + body.find('"').unwrap_or(0);
    let is_spread = text.get(whole.start..first_key).is_some_and(|space| space.contains('\n'));
    let indent = indent(text, first_key);
    let gap = if is_spread { format!("\n{indent}") } else { " ".to_owned() };
    let value = expectation(came, role, indent);
    Change { from: at, to: at, text: format!(",{gap}\"expect\": {value}") }
}

/// The same of the state afterwards, where the case looks at it.
pub(super) fn state_change(text: &str, case: &Case, state: &Entries) -> Option<Change> {
    let place = case.place.expect_state.as_ref()?;
    let value = spread(&written(state), indent(text, place.start));
    Some(Change { from: place.start, to: place.end, text: value })
}

/// The space at the begin of the line that byte `at` is in.
fn indent(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or_default();
    let line = text.get(before.rfind('\n').map_or(0, |end| end + 1)..).unwrap_or_default();
    let space = line.len() - line.trim_start_matches([' ', '\t']).len();
    line.get(..space).unwrap_or_default()
}

pub(super) fn changed(text: &str, mut changes: Vec<Change>) -> String {
    changes.sort_by_key(|change| std::cmp::Reverse(change.from));
    let mut out = text.to_owned();
    for Change { from, to, text } in changes {
        out.replace_range(from..to, &text);
    }
    out
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), PluginError> {
    let aside = path.with_extension("json.new");
    fs::write(&aside, text)
        .and_then(|()| fs::rename(&aside, path))
        .map_err(|source| PluginError::Unwritable { path: path.to_owned(), source })
}
