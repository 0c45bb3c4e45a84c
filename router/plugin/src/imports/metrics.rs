//! The `metrics` import: figures of a plugin's own.
//!
//! # Invariants
//!
//! - bounded: a plugin has at most `metric_names_max` names, whichever configurations and versions of it run; what is
//!   over is left out. Each reason to leave a figure out is said once.
//! - A name stays what it was first: a counter or a histogram.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::warn;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmStr};

use crate::contract::METRICS;
use crate::instance::State;

const NAME_BYTES_MAX: usize = 64;

/// Where plugins' figures go. Names are checked before: `[a-z][a-z0-9_]*`, at most 64 bytes, a bounded number of them,
/// each either a counter or a histogram for good.
pub trait MetricSink: Send + Sync {
    /// Adds to a counter.
    fn count(&self, plugin: &str, name: &str, by: u64);

    /// One observation of a histogram. `value` is finite.
    fn observe(&self, plugin: &str, name: &str, value: f64);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Histogram,
}

/// Why a figure is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Form,
    TwoKinds,
    TooMany,
    NotFinite,
}

impl Refusal {
    fn words(self) -> &'static str {
        match self {
            Self::Form => "a name is [a-z][a-z0-9_]*, at most 64 bytes",
            Self::TwoKinds => "it is used as a counter and as a histogram",
            Self::TooMany => "the plugin has too many names",
            Self::NotFinite => "an observation is a finite number",
        }
    }
}

/// The names that a plugin has used.
pub(crate) struct Names {
    plugin: Arc<str>,
    known: Mutex<HashMap<String, Kind>>,
    count_max: usize,
    /// A bit for each reason that was said.
    said: AtomicU8,
}

impl Names {
    pub(crate) fn new(plugin: Arc<str>, count_max: usize) -> Self {
        Self { plugin, known: Mutex::default(), count_max, said: AtomicU8::new(0) }
    }

    /// Why a figure is left out, if it is.
    fn refusal(&self, name: &str, kind: Kind) -> Option<Refusal> {
        if !is_name(name) {
            return Some(Refusal::Form); // Before it is hashed: it may be as long as the plugin's memory.
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(name) {
            Some(first) if *first == kind => None,
            Some(_) => Some(Refusal::TwoKinds),
            None if known.len() >= self.count_max => Some(Refusal::TooMany),
            None => {
                known.insert(name.to_owned(), kind);
                None
            }
        }
    }

    fn is_taken(&self, name: &str, kind: Kind) -> bool {
        let Some(why) = self.refusal(name, kind) else { return true };
        self.say(name, why);
        false
    }

    fn say(&self, name: &str, why: Refusal) {
        let bit = 1 << why as u8;
        if self.said.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
            let why = why.words();
            let name: String = name.chars().take(NAME_BYTES_MAX).collect();
            warn!(plugin = %self.plugin, name, why, names_max = self.count_max, "plugin's figure left out");
        }
    }
}

fn is_name(name: &str) -> bool {
    let is_part = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.as_bytes().iter().all(is_part)
}

/// What one instance needs to count.
pub(crate) struct Metrics {
    sink: Option<Arc<dyn MetricSink>>,
    names: Arc<Names>,
}

impl Metrics {
    pub(crate) fn new(sink: Option<Arc<dyn MetricSink>>, names: &Arc<Names>) -> Self {
        Self { sink, names: Arc::clone(names) }
    }

    pub(crate) fn count(&self, name: &str, by: u64) {
        let Self { sink, names } = self;
        if names.is_taken(name, Kind::Counter)
            && let Some(sink) = sink
        {
            sink.count(&names.plugin, name, by);
        }
    }

    pub(crate) fn observe(&self, name: &str, value: f64) {
        let Self { sink, names } = self;
        if !value.is_finite() {
            names.say(name, Refusal::NotFinite);
        } else if names.is_taken(name, Kind::Histogram)
            && let Some(sink) = sink
        {
            sink.observe(&names.plugin, name, value);
        }
    }
}

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    type Store<'a> = StoreContextMut<'a, State>;

    let mut metrics = linker.instance(METRICS)?;
    metrics.func_wrap("count", |store: Store<'_>, (name, by): (WasmStr, u64)| {
        store.data().metrics.count(&name.to_str(&store)?, by);
        Ok(())
    })?;
    metrics.func_wrap("observe", |store: Store<'_>, (name, value): (WasmStr, f64)| {
        store.data().metrics.observe(&name.to_str(&store)?, value);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_in_form_and_number_and_keep_their_kind() {
        let names = Names::new("test".into(), 2);
        let long = "a".repeat(64);
        let mut outcomes = Vec::new();
        for (name, kind) in [
            (long.as_str(), Kind::Counter),
            (&format!("{long}a"), Kind::Counter),
            ("", Kind::Counter),
            ("1a", Kind::Counter),
            ("Up", Kind::Counter),
            ("a-b", Kind::Counter),
            ("b_2", Kind::Histogram),
            ("b_2", Kind::Counter),
            ("c", Kind::Counter),
            ("b_2", Kind::Histogram),
        ] {
            outcomes.push(names.refusal(name, kind));
        }
        let form = Some(Refusal::Form);
        let (two_kinds, too_many) = (Some(Refusal::TwoKinds), Some(Refusal::TooMany));
        assert_eq!(outcomes, [None, form, form, form, form, form, None, two_kinds, too_many, None]);
    }
}
