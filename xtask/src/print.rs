//! The one place that writes to the terminal. A reader that has gone away (`| head`) is no reason to stop checking.

use std::io::Write as _;

/// A line on standard output.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).ok();
}

/// A line on standard error.
pub(crate) fn complaint(text: &str) {
    writeln!(std::io::stderr().lock(), "{text}").ok();
}
