//! The log: lines on standard error, as text or JSON.

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
        .with_target(false);
    let started = match log.format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.unwrap_or_default();
}
