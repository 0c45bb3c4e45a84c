//! The log: lines on standard error, as text or JSON.
//!
//! # Invariants
//!
//! - A reader that goes away costs lines, never the process: what cannot be written is dropped in silence.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts the log. A second start in one process changes nothing.
pub(crate) fn start(log: &Log) {
    // The level is about the router; of the libraries below it only warnings are worth a line.
    let filter = EnvFilter::new(format!("warn,slipswitch={}", log.level));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Else an error of standard error is told on standard error, which panics.
        .log_internal_errors(false)
        .with_target(false);
    let started = match log.format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    const CHILD: &str = "SLIPSWITCH_TEST_LOG_FORMAT";

    #[test]
    fn a_reader_that_goes_away_costs_lines_and_not_the_process() {
        if let Ok(format) = std::env::var(CHILD) {
            let format = if format == "json" { LogFormat::Json } else { LogFormat::Text };
            start(&Log { format, ..crate::config::Config::default().log });
            tracing::error!("nobody reads this");
            return;
        }
        for format in ["text", "json"] {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let own_name = "log::tests::a_reader_that_goes_away_costs_lines_and_not_the_process";
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", own_name, "--nocapture"])
                .env(CHILD, format)
                .stdin(Stdio::null())
                .stderr(writer)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&child.stdout);
            assert!(child.status.success(), "{format}: {}\n{said}", child.status);
            assert!(said.contains("1 passed"), "the child runs this test: {said}");
        }
    }
}
