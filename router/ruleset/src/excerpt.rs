//! The lines around a place, as far as they fit on a screen.
//!
//! A file of JSON may be one line of a hundred thousand characters; only the part around the place is
//! shown of it.

use std::ops::Range;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use crate::diagnostic::Diagnostic;

/// How much of a line is shown, and how much of that before the place; in characters.
const SHOWN_CHARS: usize = 100;
const BEFORE_CHARS: usize = 40;
const CUT: char = '…';

pub(crate) struct Excerpt {
    path: String,
    text: String,
    /// Of the first line of the excerpt in the file; from 0.
    first_line: usize,
    /// Of the place in the file; from 0.
    line: usize,
    column: usize,
    /// Bytes of the excerpt.
    pub marked: Range<usize>,
}

impl Excerpt {
    /// `span` are bytes of `text`, on whole characters.
    pub(crate) fn around(diagnostic: &Diagnostic, span: &Range<usize>, text: &str) -> Self {
        let (before, from) = text.split_at(span.start);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let head = before.get(line_start..).unwrap_or_default();
        let tail = from.lines().next().unwrap_or_default();
        let previous = before.get(..line_start).and_then(|all| all.lines().next_back());
        let next = from.split_once('\n').and_then(|(_, rest)| rest.lines().next());

        let line = diagnostic.line.saturating_sub(1);
        let mut excerpt = Self {
            path: diagnostic.path.clone(),
            text: String::new(),
            first_line: line,
            line,
            column: diagnostic.column.saturating_sub(1),
            marked: 0..0,
        };
        if let Some(previous) = previous.filter(|_| 0 < line) {
            excerpt.first_line -= 1;
            excerpt.text.push_str(&start_of(previous));
            excerpt.text.push('\n');
        }
        excerpt.push_line(head, tail, span.len());
        if let Some(next) = next {
            excerpt.text.push('\n');
            excerpt.text.push_str(&start_of(next));
        }
        excerpt
    }

    /// The line of the place, which begins between `head` and `tail`.
    fn push_line(&mut self, head: &str, tail: &str, marked_len: usize) {
        let is_long = SHOWN_CHARS < head.chars().count() + tail.chars().count();
        if !is_long {
            let start = self.text.len() + head.len();
            self.text.push_str(head);
            self.text.push_str(tail);
            self.marked = start..(start + marked_len).min(self.text.len());
            return;
        }
        match head.char_indices().rev().nth(BEFORE_CHARS) {
            None => self.text.push_str(head),
            Some((at, _)) => {
                self.text.push(CUT);
                self.text.push_str(head.get(at..).unwrap_or_default());
            }
        }
        let start = self.text.len();
        let shown = match tail.char_indices().nth(SHOWN_CHARS - BEFORE_CHARS) {
            None => tail,
            Some((at, _)) => tail.get(..at).unwrap_or_default(),
        };
        self.text.push_str(shown);
        self.marked = start..start + marked_len.min(shown.len());
        if shown.len() < tail.len() {
            self.text.push(CUT);
        }
    }
}

impl SourceCode for Excerpt {
    /// The whole excerpt with its context; without context, which is how the place is asked for, the
    /// line and the column of the file.
    fn read_span<'a>(
        &'a self,
        _span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let (line, column) =
            if before + after == 0 { (self.line, self.column) } else { (self.first_line, 0) };
        Ok(Box::new(MietteSpanContents::new_named(
            self.path.clone(),
            self.text.as_bytes(),
            SourceSpan::from(0..self.text.len()),
            line,
            column,
            self.text.lines().count(),
        )))
    }
}

fn start_of(line: &str) -> String {
    match line.char_indices().nth(SHOWN_CHARS) {
        None => line.to_owned(),
        Some((at, _)) => format!("{}{CUT}", line.get(..at).unwrap_or_default()),
    }
}
