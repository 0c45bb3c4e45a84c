//! The `log` import: a plugin's lines go to the router's own log, counted by call and by second, and cut to size.
//!
//! # Invariants
//!
//! - A plugin cannot forge lines: control characters are shown as escapes.
//! - Left-out lines are not read out of the plugin's memory, and are reported once in a while.

use std::sync::Arc;

use tracing::{debug, error, info, trace, warn};
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, WasmList, WasmStr};

use crate::contract::LOG;
use crate::imports::Current;
use crate::imports::flow::Flow;
use crate::instance::State;
use crate::{Limits, clock};

/// How much a line matters.
#[derive(ComponentType, Lift, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[component(enum)]
#[repr(u8)]
pub enum Level {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

impl Level {
    /// As the contract calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// One line of a plugin, or of the host about it.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    pub plugin: &'a str,
    pub level: Level,
    /// None while the plugin is described or configured.
    pub event: Option<&'a str>,
    /// What the event's attribute `rule` says.
    pub rule: Option<&'a str>,
    /// Fields included, control characters escaped, cut to the limit.
    pub text: &'a str,
}

/// Who sees plugins' lines beside the process's own log. Called on the plugin's thread, within its budget.
pub trait LineSink: Send + Sync {
    /// Whether a line of this level is worth reading out of the plugin.
    fn is_wanted(&self, level: Level) -> bool;

    fn line(&self, line: &Line<'_>);
}

/// What one instance has logged in the current call.
pub(crate) struct Log {
    plugin: Arc<str>,
    flow: Arc<Flow>,
    sink: Option<Arc<dyn LineSink>>,
    lines: usize,
    left_out: u64,
    lines_max: usize,
    line_bytes_max: usize,
    /// The last line at level error: what a panic said before it became a trap.
    last_error: Option<String>,
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Written,
    /// Only kept, in case that it explains a trap.
    Kept,
    LeftOut,
}

impl Log {
    pub(crate) fn new(
        plugin: Arc<str>,
        flow: &Arc<Flow>,
        limits: &Limits,
        sink: Option<Arc<dyn LineSink>>,
    ) -> Self {
        let Limits { log_lines_max: lines_max, log_line_bytes_max: line_bytes_max, .. } = *limits;
        let flow = Arc::clone(flow);
        Self {
            plugin,
            flow,
            sink,
            lines: 0,
            left_out: 0,
            lines_max,
            line_bytes_max,
            last_error: None,
        }
    }

    pub(crate) fn begin_call(&mut self) {
        self.lines = 0;
        self.left_out = 0;
        self.last_error = None;
    }

    pub(crate) fn end_call(&self, current: &Current) {
        if self.left_out == 0 {
            return;
        }
        if let Some(left_out) = self.flow.left_out(self.left_out, clock::monotonic()) {
            let (event, rule) = (current.id(), current.rule());
            let (lines_max, lines_per_second) = (self.lines_max, self.flow.lines_per_second);
            let plugin = &self.plugin;
            warn!(%plugin, rule, event, left_out, lines_max, lines_per_second, "plugin logs too much");
        }
    }

    pub(crate) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// Counts a line: it is written while there is room for one more, and somebody wants it.
    fn count(&mut self, level: Level) -> Fate {
        self.lines += 1;
        // A panic comes last, and its message matters more than the limit: one line of errors may go over.
        let is_last_word = level == Level::Error && self.last_error.is_none();
        let is_over = self.lines > self.lines_max && !is_last_word;
        let is_wanted =
            || is_enabled(level) || self.sink.as_ref().is_some_and(|it| it.is_wanted(level));
        if !is_over && !is_wanted() {
            return Fate::LeftOut;
        }
        if !is_over && self.flow.take(clock::monotonic()) {
            return Fate::Written;
        }
        self.left_out += 1;
        if is_last_word { Fate::Kept } else { Fate::LeftOut }
    }

    fn write(&self, level: Level, line: &str, current: &Current) {
        let plugin = &self.plugin;
        let (event, rule) = (current.id(), current.rule());
        match level {
            Level::Trace => trace!(%plugin, rule, event, line, "plugin"),
            Level::Debug => debug!(%plugin, rule, event, line, "plugin"),
            Level::Info => info!(%plugin, rule, event, line, "plugin"),
            Level::Warn => warn!(%plugin, rule, event, line, "plugin"),
            Level::Error => error!(%plugin, rule, event, line, "plugin"),
        }
        if let Some(sink) = &self.sink
            && sink.is_wanted(level)
        {
            sink.line(&Line { plugin, level, event, rule, text: line });
        }
    }
}

/// A line that is being read out of the plugin.
pub(crate) struct Begun {
    level: Level,
    fate: Fate,
    text: Text,
}

impl Begun {
    pub(crate) fn message(&mut self, text: &str) {
        self.text.push(text);
    }

    /// False when there is no room for more.
    pub(crate) fn field(&mut self, name: &str, value: &str) -> bool {
        for text in [" ", name, "=", value] {
            self.text.push(text);
        }
        !self.text.is_cut
    }
}

impl State {
    /// None when the line is left out.
    pub(crate) fn begin_line(&mut self, level: Level) -> Option<Begun> {
        let fate = self.log.count(level);
        let text = Text::new(self.log.line_bytes_max);
        (fate != Fate::LeftOut).then_some(Begun { level, fate, text })
    }

    pub(crate) fn end_line(&mut self, line: Begun) {
        let Begun { level, fate, text: Text { text, .. } } = line;
        if fate == Fate::Written {
            self.log.write(level, &text, &self.current);
        }
        if level == Level::Error {
            self.log.last_error = Some(text);
        }
    }
}

type Field = (WasmStr, WasmStr);
type Fields = WasmList<Field>;

/// What a call is charged for each field, by wasmtime and by the host's own hand alike.
pub(crate) const LIFTED_FIELD_BYTES: usize = size_of::<Field>();

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let log = |mut store: StoreContextMut<'_, State>,
               (level, message, fields): (Level, WasmStr, Fields)| {
        let Some(mut line) = store.data_mut().begin_line(level) else { return Ok(()) };
        line.message(&message.to_str(&store)?);
        for index in 0..fields.len() {
            let Some(field) = fields.get(&mut store, index) else { break };
            let (name, value) = field?;
            if !line.field(&name.to_str(&store)?, &value.to_str(&store)?) {
                break;
            }
        }
        store.data_mut().end_line(line);
        Ok(())
    };
    linker.instance(LOG)?.func_wrap("log", log)
}

/// Error lines are always read: they explain traps.
fn is_enabled(level: Level) -> bool {
    match level {
        Level::Trace => tracing::enabled!(tracing::Level::TRACE),
        Level::Debug => tracing::enabled!(tracing::Level::DEBUG),
        Level::Info => tracing::enabled!(tracing::Level::INFO),
        Level::Warn => tracing::enabled!(tracing::Level::WARN),
        Level::Error => true,
    }
}

/// Text with a limit; what is over becomes one `…`.
struct Text {
    text: String,
    room: usize,
    is_cut: bool,
}

impl Text {
    fn new(bytes_max: usize) -> Self {
        Self { text: String::new(), room: bytes_max, is_cut: false }
    }

    fn push(&mut self, text: &str) {
        for character in text.chars() {
            if self.is_cut {
                return;
            }
            let escaped = character.is_control().then(|| character.escape_default());
            let len = escaped.as_ref().map_or(character.len_utf8(), ExactSizeIterator::len);
            if len > self.room {
                self.is_cut = true;
                self.text.push('…');
                return;
            }
            self.room -= len;
            match escaped {
                Some(escaped) => self.text.extend(escaped),
                None => self.text.push(character),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_its_limit_and_shows_control_characters_as_escapes() {
        let cut = |bytes_max| {
            let mut line = Text::new(bytes_max);
            line.push("ab\n\u{1b}");
            line.push("éx");
            (line.is_cut, line.text)
        };
        // What the escapes take counts.
        assert_eq!(cut(13), (false, "ab\\n\\u{1b}éx".to_owned()));
        assert_eq!(cut(12), (true, "ab\\n\\u{1b}é…".to_owned()));
        assert_eq!(cut(9), (true, "ab\\n…".to_owned()));
        assert_eq!(cut(3), (true, "ab…".to_owned()));
    }
}
