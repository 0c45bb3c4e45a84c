//! Problems as workflow commands of GitHub Actions, which shows them at their lines.

use server::offline::Diagnostic;

use crate::sarif::sentences;

/// One line.
pub(crate) fn annotation(one: &Diagnostic) -> String {
    let kind = if one.is_error() { "error" } else { "warning" };
    let Diagnostic { path, line, column, end_column, code, .. } = one;
    let (file, title) = (property(path), property(&format!("slipswitch {code}")));
    let message = data(&sentences(one));
    format!(
        "::{kind} file={file},line={line},endLine={line},col={column},endColumn={end_column},title={title}::{message}"
    )
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_command_or_a_property_is_escaped() {
        assert_eq!(data("100%\r\nof: a, b"), "100%25%0D%0Aof: a, b");
        assert_eq!(property("a:b,c%\n"), "a%3Ab%2Cc%25%0A");
    }
}
