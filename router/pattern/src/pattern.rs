//! A pattern: what has to be true of an event, ready to be asked.
//!
//! ```text
//! {"source": ["shop"], "$or": [{"a": [1]}, {"b": [2]}]}
//!
//! fields    0: source "shop"    1: a 1    2: b 2
//! branches  [a, source]  or  [b, source]            (by path, as AWS's engine visits them)
//! ```
//!
//! # Invariants
//!
//! - A `Pattern` has at least one branch; a branch has at least one field and names no path twice.
//! - The fields of a branch are in the order of their paths: `{"exists": false}` depends on it.
//!
//! # Not here
//!
//! - Rules, names and events as a type: a pattern knows paths and values.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::parse;
use crate::value::Wanted;

/// A parsed event pattern. Cheap to clone.
#[derive(Clone)]
pub struct Pattern {
    inner: Arc<Inner>,
}

struct Inner {
    text: String,
    rows: Rows,
}

/// What the parser makes of a text: the fields, and the ways to combine them.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) fields: Vec<Field>,
    /// Each a list of positions in `fields`.
    pub(crate) branches: Vec<Vec<usize>>,
}

/// A path and what its value may be.
#[derive(Debug)]
pub(crate) struct Field {
    /// The keys from the root, joined by dots, unescaped.
    pub(crate) path: Box<[u8]>,
    /// One of these is enough.
    pub(crate) wanted: Vec<Wanted>,
    /// It is also enough that there is no value.
    pub(crate) or_absent: bool,
}

/// Whose patterns to read.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Ours: Amazon's language, with our own operators and without limits that only AWS's engine needs.
    Slipswitch,
    /// What EventBridge takes and nothing more, for its interface: our operators, wildcards that are
    /// too complex for AWS and a `cidr` of one address are errors, with AWS's words for them.
    EventBridge,
}

/// Why a text is not a pattern. `Display` is the message alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// The bytes of the text that are wrong.
    pub span: Range<usize>,
    /// What is wrong, in the words of AWS where AWS has words for it.
    pub message: String,
    /// What to write instead.
    pub mend: String,
}

impl Pattern {
    /// Reads a pattern. Of several mistakes it reports the first.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::parse_in(text, Dialect::Slipswitch)
    }

    /// Reads a pattern of this dialect. One that both take means the same in both.
    pub fn parse_in(text: &str, dialect: Dialect) -> Result<Self, ParseError> {
        let rows = parse::rows(text, dialect)?;
        Ok(Self { inner: Arc::new(Inner { text: text.to_owned(), rows }) })
    }

    /// The text that was parsed.
    pub fn text(&self) -> &str {
        &self.inner.text
    }

    /// The bytes that it keeps, nearly.
    pub(crate) fn memory_bytes(&self) -> usize {
        let Inner { text, rows } = &*self.inner;
        let field = |field: &Field| {
            size_of::<Field>() + field.path.len() + field.wanted.len() * size_of::<Wanted>()
        };
        let fields: usize = rows.fields.iter().map(field).sum();
        let branch = |branch: &Vec<usize>| size_of::<Vec<usize>>() + size_of_val(branch.as_slice());
        let branches: usize = rows.branches.iter().map(branch).sum();
        // What entries keep besides is about as long as they are written.
        size_of::<Self>() + size_of::<Inner>() + 2 * text.len() + fields + branches
    }

    pub(crate) fn fields(&self) -> &[Field] {
        &self.inner.rows.fields
    }

    pub(crate) fn branches(&self) -> &[Vec<usize>] {
        &self.inner.rows.branches
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.inner.text).finish()
    }
}

/// The order in which AWS's engine visits paths: that of UTF-16 code units.
///
/// It differs from the order of UTF-8 bytes only in that U+E000 to U+FFFF come after all larger
/// characters.
pub(crate) fn path_order(left: &[u8], right: &[u8]) -> Ordering {
    let rank = |byte: &u8| match byte {
        0xee | 0xef => byte | 0xf0,
        _ => *byte,
    };
    left.iter().map(rank).cmp(right.iter().map(rank))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_in_the_order_of_utf_16() {
        let mut paths =
            ["a", "a-b", "a.b", "é", "\u{d7ff}", "\u{10000}", "\u{10ffff}", "\u{e000}", "\u{ffff}"];
        let expected = paths;
        paths.reverse();
        paths.sort_by(|left, right| path_order(left.as_bytes(), right.as_bytes()));
        assert_eq!(paths, expected);
        let units = |path: &str| path.encode_utf16().collect::<Vec<_>>();
        assert!(expected.windows(2).all(|pair| units(pair[0]) < units(pair[1])));
    }
}
