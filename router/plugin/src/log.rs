//! The `log` import: a plugin's lines go to the router's own log, counted and cut to size.
//!
//! # Invariants
//!
//! - A plugin cannot forge lines: control characters are shown as escapes.
//! - Left-out lines are not read out of the plugin's memory, and are reported once per call.

use std::fmt::Write as _;
use std::sync::Arc;

use tracing::{Level, debug, error, info, trace, warn};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmList, WasmStr};

use crate::contract::LOG;
use crate::instance::State;
use crate::wit;

/// What one instance has logged in the current call.
pub(crate) struct Log {
    plugin: Arc<str>,
    lines: usize,
    lines_max: usize,
    line_bytes_max: usize,
    /// The last line at level error: what a panic said before it became a trap.
    last_error: Option<String>,
}

impl Log {
    pub(crate) fn new(plugin: Arc<str>, lines_max: usize, line_bytes_max: usize) -> Self {
        Self { plugin, lines: 0, lines_max, line_bytes_max, last_error: None }
    }

    pub(crate) fn begin_call(&mut self) {
        self.lines = 0;
        self.last_error = None;
    }

    pub(crate) fn end_call(&self) {
        let left_out = self.lines.saturating_sub(self.lines_max);
        if left_out > 0 {
            warn!(plugin = %self.plugin, left_out, lines_max = self.lines_max, "plugin logs too much");
        }
    }

    pub(crate) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// True while there is room for one more line.
    fn count(&mut self, level: wit::Level) -> bool {
        self.lines += 1;
        // A panic comes last, and its message matters more than the limit: one line of errors may go over.
        let is_last_word = matches!(level, wit::Level::Error) && self.last_error.is_none();
        self.lines <= self.lines_max || is_last_word
    }

    fn write(&mut self, level: wit::Level, line: String) {
        let plugin = &self.plugin;
        match level {
            wit::Level::Trace => trace!(%plugin, line, "plugin"),
            wit::Level::Debug => debug!(%plugin, line, "plugin"),
            wit::Level::Info => info!(%plugin, line, "plugin"),
            wit::Level::Warn => warn!(%plugin, line, "plugin"),
            wit::Level::Error => error!(%plugin, line, "plugin"),
        }
        if matches!(level, wit::Level::Error) {
            self.last_error = Some(line);
        }
    }
}

type Fields = WasmList<(WasmStr, WasmStr)>;

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let log = |mut store: StoreContextMut<'_, State>,
               (level, message, fields): (wit::Level, WasmStr, Fields)| {
        let is_wanted = is_enabled(level);
        if !store.data_mut().log.count(level) || !is_wanted {
            return Ok(());
        }
        let mut line = Line::new(store.data().log.line_bytes_max);
        line.push(&message.to_str(&store)?);
        for index in 0..fields.len() {
            let Some(field) = fields.get(&mut store, index) else { break };
            let (name, value) = field?;
            line.push(" ");
            line.push(&name.to_str(&store)?);
            line.push("=");
            line.push(&value.to_str(&store)?);
            if line.is_full() {
                break;
            }
        }
        store.data_mut().log.write(level, line.text);
        Ok(())
    };
    linker.instance(LOG)?.func_wrap("log", log)
}

/// Error lines are always read: they explain traps.
fn is_enabled(level: wit::Level) -> bool {
    match level {
        wit::Level::Trace => tracing::enabled!(Level::TRACE),
        wit::Level::Debug => tracing::enabled!(Level::DEBUG),
        wit::Level::Info => tracing::enabled!(Level::INFO),
        wit::Level::Warn => tracing::enabled!(Level::WARN),
        wit::Level::Error => true,
    }
}

/// Text with a limit; what is over becomes one `…`.
struct Line {
    text: String,
    room: usize,
    is_cut: bool,
}

impl Line {
    fn new(bytes_max: usize) -> Self {
        Self { text: String::new(), room: bytes_max, is_cut: false }
    }

    fn is_full(&self) -> bool {
        self.is_cut
    }

    fn push(&mut self, text: &str) {
        for character in text.chars() {
            if self.is_cut {
                return;
            }
            if character.len_utf8() > self.room {
                self.is_cut = true;
                self.text.push('…');
                return;
            }
            self.room -= character.len_utf8();
            if character.is_control() {
                // Writing to a string cannot fail.
                let _infallible = write!(self.text, "{}", character.escape_default());
            } else {
                self.text.push(character);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_its_limit_and_shows_control_characters_as_escapes() {
        let mut line = Line::new(6);
        line.push("ab\n\u{1b}");
        line.push("éx");
        assert_eq!(line.text, "ab\\n\\u{1b}é…");
        assert!(line.is_full());
    }
}
