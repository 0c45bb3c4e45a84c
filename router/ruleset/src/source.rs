//! The text of a rule file, and where in it a byte stands.

/// One file to read rules from.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// As it is shown to people.
    pub path: String,
    pub text: String,
}

/// A file that is being read.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    pub path: &'a str,
    pub text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(file: &'a SourceFile) -> Self {
        let breaks = file.text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
        let lines = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Self { path: &file.path, text: &file.text, lines }
    }

    /// Both counted from 1; the column in characters.
    pub(crate) fn line_and_column(&self, byte: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|&start| start <= byte);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start..byte).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}
