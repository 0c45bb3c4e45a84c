//! From a layout to its text.

use super::layout::{Document, Item, Note, Shape, Written};
use super::text::{indentation, is_blank, trimmed};

/// How far each level stands to the right.
const STEP: usize = 2;

/// `source` is the text that the layout was read from.
pub(super) fn write(documents: &[Document], source: &str) -> String {
    let mut out = Writer { source, text: String::new(), is_held: false };
    for (at, document) in documents.iter().enumerate() {
        out.notes(&document.above, 0, true);
        if document.marker.is_some() || at != 0 {
            out.text.push_str("---");
            out.note(document.marker_note.as_deref());
            out.text.push('\n');
            out.is_held = false;
        }
        out.notes(&document.head, 0, true);
        if let Some(root) = &document.root {
            out.root(root, document);
        }
        out.notes(&document.foot, 0, document.root.is_none());
    }
    out.text
}

struct Writer<'s> {
    source: &'s str,
    text: String,
    /// Blank lines would belong to the text above them.
    is_held: bool,
}

impl Writer<'_> {
    fn root(&mut self, root: &Written, document: &Document) {
        if document.is_head_apart {
            self.blank();
        }
        let Shape::Block { is_list, items } = &root.shape else {
            let start = self.text.len();
            self.value(root, 0, document.root_note.as_deref());
            // A value stands behind a space; this one behind nothing.
            self.text.remove(start);
            return;
        };
        if let Some(properties) = &root.properties {
            self.text.push_str(properties);
            self.text.push('\n');
        }
        self.items(items, *is_list, 0, false);
    }

    /// `is_begun`: the dash of a list stands already where the first item goes.
    fn items(&mut self, items: &[Item], is_list: bool, indent: usize, is_begun: bool) {
        for (at, item) in items.iter().enumerate() {
            self.notes(&item.head, indent, at == 0);
            if !(is_begun && at == 0) {
                if item.is_after_blank && (at != 0 || !item.head.is_empty()) {
                    self.blank();
                }
                self.indent(indent);
            }
            if is_list {
                self.text.push('-');
            } else {
                self.text.push_str(item.key.as_deref().unwrap_or_default());
                self.text.push(':');
            }
            self.item(item, indent, is_list);
            self.notes(&item.tail, indent + STEP, false);
        }
    }

    /// What stands behind the dash or the colon, its line break included.
    fn item(&mut self, item: &Item, indent: usize, in_list: bool) {
        self.is_held = false;
        let Item { value, key_note, note, .. } = item;
        let Shape::Block { is_list, items } = &value.shape else {
            return self.value(value, indent, note.as_deref());
        };
        let has_head = items.first().is_some_and(|first| !first.head.is_empty());
        if in_list && value.properties.is_none() && key_note.is_none() && !has_head {
            self.text.push(' ');
            return self.items(items, *is_list, indent + STEP, true);
        }
        self.properties(value);
        self.note(key_note.as_deref());
        self.text.push('\n');
        self.items(items, *is_list, indent + STEP, false);
    }

    /// A value that is no block, behind a space, its line break included.
    fn value(&mut self, value: &Written, indent: usize, note: Option<&str>) {
        self.properties(value);
        match &value.shape {
            Shape::Lines { header, lines } => {
                self.text.push(' ');
                self.text.push_str(header);
                self.note(note);
                for line in lines {
                    self.text.push('\n');
                    self.line(line, indent + STEP);
                }
                self.is_held = header.contains('+');
            }
            Shape::Scalar(text) => {
                self.scalar(text, indent);
                self.note(note);
            }
            Shape::Verbatim => {
                self.text.push(' ');
                self.verbatim(value, indent);
                self.note(note);
            }
            Shape::Flow { .. } => {
                self.text.push(' ');
                self.flow(value, indent);
                self.note(note);
            }
            Shape::Block { .. } => (),
        }
        self.text.push('\n');
    }

    fn scalar(&mut self, text: &str, indent: usize) {
        if text.is_empty() {
            return;
        }
        self.text.push(' ');
        for (at, line) in text.split('\n').enumerate() {
            if at == 0 {
                self.text.push_str(unpadded(line));
            } else {
                self.text.push('\n');
                self.line(unpadded(line.trim_start_matches([' ', '\t'])), indent + STEP);
            }
        }
    }

    /// Lines in brackets, as far from each other to the right as they were.
    fn verbatim(&mut self, value: &Written, indent: usize) {
        let raw = self.source.get(value.start..value.end).unwrap_or_default();
        let mut lines = raw.split('\n');
        self.text.push_str(unpadded(lines.next().unwrap_or_default()));
        let lines: Vec<&str> = lines.collect();
        let filled = lines.iter().filter(|line| !is_blank(line));
        let depth = filled.map(|line| indentation(line)).min().unwrap_or(0);
        let is_closed_below = lines.last().is_some_and(|last| {
            indentation(last) == depth && last.trim_start_matches(' ').starts_with([']', '}'])
        });
        let indent = if is_closed_below { indent } else { indent + STEP };
        for line in lines {
            self.text.push('\n');
            let line = line.get(depth.min(indentation(line))..).unwrap_or_default();
            self.line(unpadded(line), indent);
        }
    }

    fn flow(&mut self, value: &Written, indent: usize) {
        let Shape::Flow { is_list, is_one_line, items } = &value.shape else {
            if let Shape::Scalar(text) = &value.shape {
                self.text.push_str(text);
            }
            return;
        };
        let (open, close) = if *is_list { ('[', ']') } else { ('{', '}') };
        let space = if *is_list || items.is_empty() { "" } else { " " };
        let is_one_line = *is_one_line || items.is_empty();
        self.text.push(open);
        for (at, item) in items.iter().enumerate() {
            if at != 0 {
                self.text.push(',');
            }
            if !is_one_line {
                self.text.push('\n');
                self.indent(indent + STEP);
            } else {
                self.text.push_str(if at == 0 { space } else { " " });
            }
            if let Some(key) = &item.key {
                self.text.push_str(key);
                self.text.push_str(": ");
            }
            if let Some(properties) = &item.value.properties {
                self.text.push_str(properties);
                self.text.push(' ');
            }
            self.flow(&item.value, indent + STEP);
        }
        if is_one_line {
            self.text.push_str(space);
        } else {
            self.text.push('\n');
            self.indent(indent);
        }
        self.text.push(close);
    }

    fn notes(&mut self, notes: &[Note], indent: usize, is_first: bool) {
        for (at, note) in notes.iter().enumerate() {
            if note.is_after_blank && !(is_first && at == 0) {
                self.blank();
            }
            self.line(&note.text, indent);
            self.text.push('\n');
            self.is_held = false;
        }
    }

    fn note(&mut self, note: Option<&str>) {
        if let Some(note) = note {
            self.text.push(' ');
            self.text.push_str(note);
        }
    }

    fn properties(&mut self, value: &Written) {
        if let Some(properties) = &value.properties {
            self.text.push(' ');
            self.text.push_str(properties);
        }
    }

    fn blank(&mut self) {
        if !self.is_held {
            self.text.push('\n');
        }
    }

    /// Nothing of an empty one.
    fn line(&mut self, line: &str, indent: usize) {
        if !line.is_empty() {
            self.indent(indent);
            self.text.push_str(line);
        }
    }

    fn indent(&mut self, indent: usize) {
        self.text.extend(std::iter::repeat_n(' ', indent));
    }
}

/// Without the spaces at its end, unless the last of them is escaped.
fn unpadded(line: &str) -> &str {
    let trimmed = trimmed(line);
    if trimmed.ends_with('\\') { line } else { trimmed }
}
