//! What is wrong with a rule file: the place, what was found, what to write instead.
//!
//! # Invariants
//!
//! - A [`Diagnostic`] marks one line at most: what is wrong with a whole section is shown where it begins.
//! - Rendering never panics, even with the text of another version of the file.

use std::fmt;
use std::ops::Range;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use serde::Serialize;

use crate::source::Source;

/// How wide a rendered diagnostic gets before its sentences are wrapped.
const WIDTH: usize = 100;

/// One problem of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The file, as it is shown to people.
    pub path: String,
    /// Bytes of the file.
    pub span: Range<usize>,
    /// The first is 1.
    pub line: usize,
    /// In characters; the first is 1.
    pub column: usize,
    /// What is wrong, without the place.
    pub message: String,
    /// What stands at the place.
    pub label: String,
    /// What to write instead. May be empty.
    pub mend: String,
}

impl Diagnostic {
    /// The message, `path:line:column`, the line with its neighbours, a caret, the label and the mend.
    ///
    /// `text` is the whole file. Without `color` there are no escape sequences.
    pub fn render(&self, text: &str, color: bool) -> String {
        let theme =
            if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(WIDTH)
            .with_links(false)
            .with_context_lines(1);
        let span = within(&self.span, text);
        let label = Some(self.label.clone()).filter(|label| !label.is_empty());
        let report = Report {
            diagnostic: self,
            source: NamedSource::new(&self.path, text.to_owned()),
            label: LabeledSpan::new(label, span.start, span.len()),
        };
        let mut rendered = String::new();
        match handler.render_report(&mut rendered, &report) {
            Ok(()) => rendered,
            Err(fmt::Error) => self.to_string(),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, message, mend, .. } = self;
        write!(f, "{path}:{line}:{column}: {message}")?;
        if mend.is_empty() { Ok(()) } else { write!(f, " ({mend})") }
    }
}

/// A problem found while reading one file; the file is known to whoever collects it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub span: Range<usize>,
    pub message: String,
    pub label: String,
    pub mend: String,
}

impl Fault {
    /// `words` are the message, the label and the mend.
    pub(crate) fn new<M: Into<String>, L: Into<String>, N: Into<String>>(
        span: Range<usize>,
        (message, label, mend): (M, L, N),
    ) -> Self {
        Self { span, message: message.into(), label: label.into(), mend: mend.into() }
    }

    pub(crate) fn in_file(self, source: &Source<'_>) -> Diagnostic {
        let Self { span, message, label, mend } = self;
        let span = first_line(&within(&span, source.text), source.text);
        let (line, column) = source.line_and_column(span.start);
        Diagnostic { path: source.path.to_owned(), span, line, column, message, label, mend }
    }
}

struct Report<'a> {
    diagnostic: &'a Diagnostic,
    source: NamedSource<String>,
    label: LabeledSpan,
}

impl miette::Diagnostic for Report<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let mend = &self.diagnostic.mend;
        if mend.is_empty() { None } else { Some(Box::new(mend)) }
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(self.label.clone())))
    }
}

impl std::error::Error for Report<'_> {}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnostic.message)
    }
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The part of `span` that `text` has, on whole characters.
fn within(span: &Range<usize>, text: &str) -> Range<usize> {
    let start = text.floor_char_boundary(span.start);
    let end = text.floor_char_boundary(span.end.max(start));
    start..end.max(start)
}

/// `span` up to the end of the line it begins on.
fn first_line(span: &Range<usize>, text: &str) -> Range<usize> {
    let part = text.get(span.clone()).unwrap_or_default();
    let line = part.split(['\n', '\r']).next().unwrap_or_default().trim_end();
    span.start..span.start + line.len()
}
