//! Lines for the router's log, under the plugin's name. Natively they go to standard error, which `cargo test`
//! shows for tests that fail.

use alloc::string::ToString as _;
use core::fmt::Display;

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
    router::log(level, message, fields);
}

#[cfg(target_arch = "wasm32")]
use crate::abi::imports as router;
#[cfg(not(target_arch = "wasm32"))]
use crate::native as router;
