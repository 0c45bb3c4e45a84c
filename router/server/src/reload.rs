//! Which generation of rules runs, and what became of the last attempt to replace it.
//!
//! The watcher writes here; the HTTP surfaces read.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bus::PluginStatus;
use bus::ruleset::Diagnostic;
use event::Timestamp;
use serde::Serialize;

/// One set of rules in the life of this process. Numbers count swaps: 1 is what the router started with.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Generation {
    pub(crate) number: u64,
    pub(crate) digest: String,
    pub(crate) loaded_at: Timestamp,
    pub(crate) rules: usize,
}

/// Why the last attempt left the old rules running.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LastError {
    pub(crate) at: Timestamp,
    pub(crate) message: String,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The diagnostics as people read them.
    pub(crate) rendered: String,
    /// The plugins' files that were tried, by name: their digests.
    #[serde(skip)]
    pub(crate) plugins: BTreeMap<String, String>,
}

impl LastError {
    /// Whether another file of this plugin was among what was left.
    pub(crate) fn refuses(&self, plugin: &PluginStatus) -> bool {
        let tried = self.plugins.get(&plugin.name).zip(plugin.digest.as_ref());
        tried.is_some_and(|(tried, digest)| tried != digest)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Reloads {
    pub(crate) generation: Generation,
    pub(crate) last_error: Option<LastError>,
    pub(crate) plugins: Vec<PluginStatus>,
    pub(crate) swapped: u64,
    pub(crate) rejected: u64,
}

/// The one place that knows.
#[derive(Debug)]
pub(crate) struct Board(Mutex<Reloads>);

impl Board {
    /// Nothing runs yet.
    pub(crate) fn new(now: Timestamp) -> Self {
        let generation = Generation { number: 0, digest: String::new(), loaded_at: now, rules: 0 };
        let plugins = Vec::new();
        let reloads = Reloads { generation, last_error: None, plugins, swapped: 0, rejected: 0 };
        Self(Mutex::new(reloads))
    }

    /// What the router starts with runs.
    pub(crate) fn began(&self, generation: Generation, plugins: Vec<PluginStatus>) {
        let mut reloads = self.lock();
        reloads.generation = generation;
        reloads.plugins = plugins;
    }

    pub(crate) fn read(&self) -> Reloads {
        self.lock().clone()
    }

    /// New rules run. Returns their generation's number.
    pub(crate) fn swapped(
        &self,
        digest: &str,
        rules: usize,
        plugins: Vec<PluginStatus>,
        now: Timestamp,
    ) -> u64 {
        let mut reloads = self.lock();
        reloads.swapped += 1;
        reloads.generation = Generation {
            number: reloads.generation.number + 1,
            digest: digest.to_owned(),
            loaded_at: now,
            rules,
        };
        reloads.plugins = plugins;
        reloads.last_error = None;
        reloads.generation.number
    }

    /// The old rules stay. Returns their generation's number.
    pub(crate) fn rejected(&self, error: LastError) -> u64 {
        let mut reloads = self.lock();
        reloads.rejected += 1;
        reloads.last_error = Some(error);
        reloads.generation.number
    }

    fn lock(&self) -> MutexGuard<'_, Reloads> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
