//! What is wrong with a rule file: the place, what was found, what to write instead.
//!
//! # Invariants
//!
//! - A [`Diagnostic`] marks one line at most: what is wrong with a whole section is shown where it begins.
//! - Rendering never panics, even with the text of another version of the file.

use std::fmt;
use std::ops::Range;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};
use serde::Serialize;

use crate::code::{Code, Severity};
use crate::excerpt::Excerpt;
use crate::source::Source;

/// How wide the sentences of a rendered diagnostic get, in characters.
const WIDTH: usize = 76;

const DIM: &str = "\u{1b}[2m";
const PLAIN: &str = "\u{1b}[0m";

/// One problem of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    pub severity: Severity,
    /// What kind of problem it is; stays the same over versions.
    pub code: Code,
    /// The file, as it is shown to people.
    pub path: String,
    /// Bytes of the file.
    pub span: Range<usize>,
    /// The first is 1.
    pub line: usize,
    /// In characters; the first is 1.
    pub column: usize,
    /// Behind the last character of the place, on the same line.
    pub end_column: usize,
    /// What is wrong, without the place.
    pub message: String,
    /// What stands at the place.
    pub label: String,
    /// What to write instead. May be empty.
    pub mend: String,
    /// Where to read on: a page of the documentation from the root of the repository, with a heading.
    pub page: &'static str,
}

impl Diagnostic {
    /// Whether what it is about does not run.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The message, `path:line:column`, the line with its neighbours, a caret, the label, the mend and the page.
    ///
    /// `text` is the whole file. Without `color` there are no escape sequences.
    pub fn render(&self, text: &str, color: bool) -> String {
        let theme =
            if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        // Lines are broken here and not by miette, which breaks `detail-type` at its hyphen.
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_wrap_lines(false)
            .with_links(false)
            .with_context_lines(1);
        let excerpt = Excerpt::around(self, &within(&self.span, text), text);
        let label = Some(self.label.clone()).filter(|label| !label.is_empty());
        let report = Report {
            severity: self.severity,
            message: wrapped(&self.message),
            mend: wrapped(&self.mend),
            label: LabeledSpan::new(label, excerpt.marked.start, excerpt.marked.len()),
            excerpt,
        };
        let mut rendered = String::new();
        match handler.render_report(&mut rendered, &report) {
            Ok(()) => {
                let (dim, plain) = if color { (DIM, PLAIN) } else { ("", "") };
                let Self { page, code, .. } = self;
                rendered.push_str(&format!("   {dim}see: {page} ({code}){plain}\n"));
                rendered
            }
            Err(fmt::Error) => self.to_string(),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, message, mend, .. } = self;
        let warning = if self.is_error() { "" } else { "warning: " };
        write!(f, "{path}:{line}:{column}: {warning}{message}")?;
        if mend.is_empty() { Ok(()) } else { write!(f, " ({mend})") }
    }
}

/// A problem found while reading one file; the file is known to whoever collects it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub span: Range<usize>,
    pub code: Code,
    /// The code's own when none.
    pub page: Option<&'static str>,
    pub message: String,
    pub label: String,
    pub mend: String,
}

impl Fault {
    /// `words` are the message, the label and the mend. The code says how much it weighs.
    pub(crate) fn new<M: Into<String>, L: Into<String>, N: Into<String>>(
        code: Code,
        span: Range<usize>,
        (message, label, mend): (M, L, N),
    ) -> Self {
        let (message, label, mend) = (message.into(), label.into(), mend.into());
        Self { span, code, page: None, message, label, mend }
    }

    pub(crate) fn in_file(self, source: &Source<'_>) -> Diagnostic {
        let Self { span, code, page, message, label, mend } = self;
        let span = first_line(&within(&span, source.text), source.text);
        let (line, column) = source.line_and_column(span.start);
        let end_column =
            column + source.text.get(span.clone()).map_or(0, |part| part.chars().count());
        let (severity, page) = (code.severity(), page.unwrap_or(code.page()));
        let path = source.path.to_owned();
        Diagnostic {
            severity,
            code,
            path,
            span,
            line,
            column,
            end_column,
            message,
            label,
            mend,
            page,
        }
    }
}

struct Report {
    severity: Severity,
    message: String,
    mend: String,
    excerpt: Excerpt,
    label: LabeledSpan,
}

impl miette::Diagnostic for Report {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        if self.mend.is_empty() { None } else { Some(Box::new(&self.mend)) }
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.excerpt)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(self.label.clone())))
    }
}

impl std::error::Error for Report {}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `text` in lines of at most [`WIDTH`], broken at spaces only.
fn wrapped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut width = 0;
    for (at, line) in text.split('\n').enumerate() {
        if at != 0 {
            out.push('\n');
            width = 0;
        }
        if line.starts_with(['{', '[', '"']) {
            out.push_str(line); // JSON: to be read as it is, and copied.
            continue;
        }
        for word in line.split(' ') {
            let chars = word.chars().count();
            if 0 < width {
                let fits = width + 1 + chars <= WIDTH;
                out.push(if fits { ' ' } else { '\n' });
                width = if fits { width + 1 } else { 0 };
            }
            out.push_str(word);
            width += chars;
        }
    }
    out
}

/// The part of `span` that `text` has, on whole characters.
fn within(span: &Range<usize>, text: &str) -> Range<usize> {
    let start = text.floor_char_boundary(span.start);
    start..text.floor_char_boundary(span.end.max(start))
}

/// `span` up to the end of the line it begins on.
fn first_line(span: &Range<usize>, text: &str) -> Range<usize> {
    let part = text.get(span.clone()).unwrap_or_default();
    let line = part.split(['\n', '\r']).next().unwrap_or_default().trim_end();
    span.start..span.start + line.len()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;
    use crate::source::SourceFile;

    fn diagnostic(text: &str, span: Range<usize>) -> Diagnostic {
        let file = SourceFile { path: "rules/a.yaml".to_owned(), text: text.to_owned() };
        let words = ("something is wrong", "this", "write `that`");
        Fault::new(Code::InvalidValue, span, words).in_file(&Source::new(&file))
    }

    /// Behind a first line that keeps `expect!` from taking the margin for indentation.
    fn shown(found: &Diagnostic, text: &str) -> String {
        format!("|\n{}", found.render(text, false))
    }

    #[test]
    fn the_place_is_counted_in_characters() {
        let text = "a: 1\nđơn: hàng\n";
        let found = diagnostic(text, text.find("hàng").unwrap()..text.len());
        assert_eq!((found.line, found.column), (2, 6));
        assert_eq!(found.to_string(), "rules/a.yaml:2:6: something is wrong (write `that`)");
        expect![[r#"
            |
              × something is wrong
               ╭─[rules/a.yaml:2:6]
             1 │ a: 1
             2 │ đơn: hàng
               ·      ──┬─
               ·        ╰── this
               ╰────
              help: write `that`
               see: docs/rules.md (invalid-value)
        "#]]
        .assert_eq(&shown(&found, text));
    }

    #[test]
    fn a_long_line_is_shown_in_part() {
        let text = format!("{}HERE{}\n{}", "a, ".repeat(300), ", b".repeat(300), "c".repeat(500));
        let found = diagnostic(&text, 900..904);
        assert_eq!((found.line, found.column), (1, 901));
        expect![[r#"
            |
              × something is wrong
               ╭─[rules/a.yaml:1:901]
             1 │ …, a, a, a, a, a, a, a, a, a, a, a, a, a, HERE, b, b, b, b, b, b, b, b, b, b, b, b, b, b, b, b, b, b, …
               ·                                           ──┬─
               ·                                             ╰── this
             2 │ cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc…
               ╰────
              help: write `that`
               see: docs/rules.md (invalid-value)
        "#]]
        .assert_eq(&shown(&found, &text));
    }

    #[test]
    fn colour_is_only_there_when_it_is_asked_for() {
        let found = diagnostic("a: 1", 0..1);
        assert!(found.render("a: 1", true).contains('\u{1b}'));
        assert!(!found.render("a: 1", false).contains('\u{1b}'));
    }

    #[test]
    fn the_end_of_an_empty_file_is_a_place() {
        assert!(diagnostic("", 0..0).render("", false).contains("[rules/a.yaml:1:1]"));
        assert!(diagnostic("a\n", 2..2).render("a\n", false).contains("[rules/a.yaml:2:1]"));
    }

    proptest! {
        #[test]
        fn any_diagnostic_renders_with_any_text(
            text in "[a-cé\t\r\n ]{0,300}", other in "[a-cé\n]{0,20}", span in 0..400_usize, len in 0..400_usize,
        ) {
            let found = diagnostic(&text, span..span + len);
            prop_assert!(found.render(&text, false).contains("something is wrong"));
            found.render(&other, true);
        }
    }
}
