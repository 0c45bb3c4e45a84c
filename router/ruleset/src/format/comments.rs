//! Each comment to the key it belongs to, so that it goes where the key goes.
//!
//! A comment on a line of its own belongs to what follows it; one further to the right than that belongs
//! to what is above. A comment behind something belongs to that.

use std::collections::VecDeque;

use super::FormatError;
use super::layout::{Document, Item, Note, Shape, Written};
use super::text::{line_before, line_number};

/// Places `notes`, which come as they stand in the text.
pub(super) fn attach(
    text: &str,
    documents: &mut [Document],
    notes: Vec<Note>,
) -> Result<(), FormatError> {
    let mut notes = Notes { text, left: notes.into() };
    let mut starts: Vec<usize> = documents.iter().skip(1).map(begin).collect();
    starts.push(text.len());
    for (at, (document, end)) in documents.iter_mut().zip(starts).enumerate() {
        if let Some(marker) = document.marker {
            if at == 0 {
                document.above = notes.before(marker);
            }
            document.marker_note = notes.behind(marker);
        }
        let Some(root) = &mut document.root else {
            document.foot = notes.before(end);
            continue;
        };
        let own = notes.before(root.start);
        match &mut root.shape {
            Shape::Block { items, .. } => {
                (document.head, document.is_head_apart) = split(own, items);
            }
            _ => document.head = own,
        }
        notes.written(root);
        if !matches!(root.shape, Shape::Block { .. }) {
            document.root_note = notes.behind_value(root, root.end);
        }
        document.foot = notes.before(end);
        if let Shape::Block { items, .. } = &mut root.shape {
            document.foot = below(text, items, std::mem::take(&mut document.foot), 0);
        }
    }
    match notes.left.front() {
        None => Ok(()),
        Some(note) => {
            let what = "the place of this comment";
            Err(FormatError::Unkept { line: line_number(text, note.at), what })
        }
    }
}

/// What of the comments before the first of `items` is the document's, and whether a blank line stands behind.
///
/// The last of several blocks of comments is the first key's, when it stands directly above it.
fn split(notes: Vec<Note>, items: &mut [Item]) -> (Vec<Note>, bool) {
    let mut notes = notes;
    let Some(first) = items.first_mut().filter(|_| !notes.is_empty()) else {
        return (notes, false);
    };
    if first.is_after_blank {
        return (notes, true);
    }
    let last = notes.iter().skip(1).rposition(|note| note.is_after_blank);
    let Some(at) = last.map(|at| at + 1) else { return (notes, false) };
    first.head = notes.split_off(at);
    if let Some(note) = first.head.first_mut() {
        note.is_after_blank = false;
    }
    (notes, true)
}

fn begin(document: &Document) -> usize {
    let root = document.root.as_ref().map(|root| root.start);
    document.marker.or(root).unwrap_or(0)
}

/// Gives the comments further to the right than `column` to the last of `items`, or to what is last in it
/// and still further to the left than they; the others are left.
fn below(text: &str, items: &mut [Item], notes: Vec<Note>, column: usize) -> Vec<Note> {
    let depth_of = |note: &Note| {
        let place = line_before(text, note.at).len();
        let mut depth = 0;
        let mut items: &[Item] = items;
        while let Some(last) = items.last() {
            // Below a block of text it would be part of the text.
            let is_lines = matches!(last.value.shape, Shape::Lines { .. });
            if is_lines || place <= last.column.max(column) {
                break;
            }
            depth += 1;
            items = match &last.value.shape {
                Shape::Block { items, .. } => items,
                _ => &[],
            };
        }
        depth
    };
    let mut depth = usize::MAX;
    let depths: Vec<usize> = notes
        .iter()
        .map(|note| {
            // What comes later stands no further inside: else the two would change places.
            depth = depth.min(depth_of(note));
            depth
        })
        .collect();
    let mut rest = Vec::new();
    for (note, depth) in notes.into_iter().zip(depths) {
        match last_at(items, depth) {
            Some(item) => item.tail.push(note),
            None => rest.push(note),
        }
    }
    rest
}

/// The last of `items`, or the last within it, so many levels down; the first is 1.
fn last_at(items: &mut [Item], depth: usize) -> Option<&mut Item> {
    let last = items.last_mut().filter(|_| depth != 0)?;
    if depth == 1 {
        return Some(last);
    }
    match &mut last.value.shape {
        Shape::Block { items, .. } => last_at(items, depth - 1),
        _ => None,
    }
}

struct Notes<'t> {
    text: &'t str,
    left: VecDeque<Note>,
}

impl Notes<'_> {
    fn items(&mut self, items: &mut [Item]) {
        for at in 0..items.len() {
            let (done, rest) = items.split_at_mut(at);
            let [item, ..] = rest else { return };
            let own = self.before(item.start);
            if at == 0 {
                item.is_after_blank &= !own.is_empty();
                item.head.extend(own);
            } else {
                item.head = below(self.text, done, own, item.column);
            }
            let key_note = self.key_note(item);
            self.written(&mut item.value);
            match item.value.shape {
                Shape::Block { .. } => item.key_note = key_note,
                _ => {
                    let end = item.value.end.max(item.key_end);
                    item.note = key_note.or_else(|| self.behind_value(&item.value, end));
                }
            }
        }
    }

    /// Behind a value that is no block; of lines, behind the `|` that begins them.
    fn behind_value(&mut self, value: &Written, end: usize) -> Option<String> {
        let is_lines = matches!(value.shape, Shape::Lines { .. });
        self.behind(if is_lines { value.start } else { end })
    }

    /// Behind a key, or a dash, whose value stands below.
    fn key_note(&mut self, item: &Item) -> Option<String> {
        let next = self.left.front().filter(|note| !note.is_alone)?;
        let is_behind = next.at < item.value.start && self.is_on_line(item.key_end, next.at);
        if is_behind { self.left.pop_front().map(|note| note.text) } else { None }
    }

    fn written(&mut self, value: &mut Written) {
        match &mut value.shape {
            Shape::Block { items, .. } => self.items(items),
            Shape::Verbatim => {
                // They stay in its text.
                let within = value.start..value.end;
                while self.left.front().is_some_and(|note| within.contains(&note.at)) {
                    self.left.pop_front();
                }
            }
            Shape::Scalar(_) | Shape::Lines { .. } | Shape::Flow { .. } => (),
        }
    }

    /// Those on lines of their own that begin before byte `end`; one behind something stays, so that it
    /// is found to have no place.
    fn before(&mut self, end: usize) -> Vec<Note> {
        let mut found = Vec::new();
        while self.left.front().is_some_and(|note| note.is_alone && note.at < end) {
            found.extend(self.left.pop_front());
        }
        found
    }

    /// The one on the line of byte `at`.
    fn behind(&mut self, at: usize) -> Option<String> {
        let next = self.left.front().filter(|note| !note.is_alone)?;
        if at <= next.at && self.is_on_line(at, next.at) {
            self.left.pop_front().map(|note| note.text)
        } else {
            None
        }
    }

    fn is_on_line(&self, from: usize, to: usize) -> bool {
        self.text.get(from..to).is_some_and(|between| !between.contains('\n'))
    }
}
