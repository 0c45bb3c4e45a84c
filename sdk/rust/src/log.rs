//! Lines for the router's log, under the plugin's name. Natively they go to standard error, which `cargo test`
//! shows for tests that fail.

use std::fmt::Display;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// For following one event while a plugin is written.
pub fn debug(message: impl Display) {
    line(Level::Debug, &message.to_string(), &[]);
}

pub fn info(message: impl Display) {
    line(Level::Info, &message.to_string(), &[]);
}

/// Something unexpected that the plugin got over.
pub fn warn(message: impl Display) {
    line(Level::Warn, &message.to_string(), &[]);
}

pub fn error(message: impl Display) {
    line(Level::Error, &message.to_string(), &[]);
}

/// A line with fields of its own: `line(Level::Info, "order seen", &[("order", &order.id)])`.
pub fn line(level: Level, message: &str, fields: &[(&str, &str)]) {
    write(level, message, fields);
}

#[cfg(target_arch = "wasm32")]
fn write(level: Level, message: &str, fields: &[(&str, &str)]) {
    use crate::bindings::log;

    let level = match level {
        Level::Trace => log::Level::Trace,
        Level::Debug => log::Level::Debug,
        Level::Info => log::Level::Info,
        Level::Warn => log::Level::Warn,
        Level::Error => log::Level::Error,
    };
    let fields: Vec<_> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    log::log(level, message, &fields);
}

#[cfg(not(target_arch = "wasm32"))]
#[expect(clippy::print_stderr, reason = "natively, a test's output is where a line can be seen")]
fn write(level: Level, message: &str, fields: &[(&str, &str)]) {
    let level = format!("{level:?}").to_uppercase();
    let fields: String = fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    eprintln!("{level} {message}{fields}");
}
