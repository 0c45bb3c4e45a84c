//! A file that was loaded and tried out, and why one was not.

use std::sync::Arc;
use std::time::Duration;

use crate::code::{Code, Pre};
use crate::configured::{ConfigureError, Configured};
use crate::contract::CONTRACT;
use crate::host::Shared;
use crate::imports::flow::Flow;
use crate::imports::metrics::Names;
use crate::tally::Counters;
use crate::{CallError, Grant, Role, Setup};

/// A file that was loaded and tried out. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) name: Arc<str>,
    pub(crate) code: Arc<Code>,
    pub(crate) names: Arc<Names>,
    pub(crate) flow: Arc<Flow>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) host: Arc<Shared>,
    pub(crate) loading: Loading,
}

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    pub name: String,
    pub version: String,
    pub description: String,
    /// JSON Schema of the configuration; empty when the plugin publishes none.
    pub config_schema: String,
    /// The same event and configuration always give the same answer.
    pub pure: bool,
}

/// What loading a plugin took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loading {
    pub took: Duration,
    pub code: CodeFrom,
}

/// Where a plugin's compiled code came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeFrom {
    /// It was compiled now.
    Compiler,
    /// It was compiled before, maybe by another process.
    Cache,
    /// The same bytes were in use already.
    Memory,
}

impl CodeFrom {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Compiler => "compiler",
            Self::Cache => "cache",
            Self::Memory => "memory",
        }
    }
}

/// Why a file is no plugin that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    #[error(
        "too large: {size} bytes, and at most {limit} are loaded; build it without what it does not need, debug \
         information first"
    )]
    TooLarge { size: usize, limit: usize },

    #[error(
        "not WebAssembly: it {found}; put the .wasm file here that `slipswitch plugin build` makes"
    )]
    NotWasm { found: String },

    #[error("damaged or unknown WebAssembly: {problem}; build it again")]
    Damaged { problem: String },

    #[error(
        "WebAssembly, but no slipswitch plugin: it does not export {}; build it with `slipswitch plugin build`, \
         from a project with one transformer, filter or batch transformer", missing.join(", nor ")
    )]
    WrongWorld { missing: Vec<String> },

    #[error("both a {one} and a {two}: a plugin has one role; make two plugins of it")]
    TwoRoles { one: &'static str, two: &'static str },

    #[error(
        "a batch transformer that asks for `state`, whose writes belong to one event each: make it a transformer"
    )]
    BatchState,

    #[error(
        "made for the contract {found}, and this router speaks {CONTRACT}: rebuild it with slipswitch-sdk 0.2"
    )]
    OlderContract { found: String },

    #[error(
        "made for the contract {found}, and this router speaks {CONTRACT}: update the router, or rebuild the plugin \
         with slipswitch-sdk 0.2"
    )]
    NewerContract { found: String },

    #[error(
        "asks for `{import}`, which no plugin may have: a plugin gets the event, the log, and of metrics, clock, random \
         and state what its rule grants; no files, no network; remove what uses it, and build with \
         `slipswitch plugin build` (a build for wasm32-wasip1 or wasip2 imports it unasked)"
    )]
    ImportRefused { import: String },

    #[error(
        "asks for {import}, which this router does not offer yet: update the router, or do without it"
    )]
    NotOffered { import: String },

    #[error(
        "its `{function}` is not that of {CONTRACT}: {problem}; rebuild it with slipswitch-sdk 0.2"
    )]
    Mismatch { function: &'static str, problem: String },

    #[error(
        "its imports are not those of {CONTRACT}: {problem}; rebuild it with slipswitch-sdk 0.2"
    )]
    ImportMismatch { problem: String },

    #[error("cannot be compiled: {problem}; build it again with `slipswitch plugin build`")]
    Compile { problem: String },

    /// It failed when it was started and asked what it is.
    #[error(
        "failed on being tried out: {0}; mend what it does as it starts, before there is an event"
    )]
    Trial(CallError),

    #[error(
        "not tried out, because every plugin instance was in use: bring it again when the router has less to do"
    )]
    Busy,
}

impl Plugin {
    /// What the host calls it, as given to [`Host::load`](crate::Host::load).
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn info(&self) -> &Info {
        &self.code.info
    }

    pub fn role(&self) -> Role {
        self.code.role
    }

    /// Whether it is called as the core module that it is; else it is a component, or was made one.
    pub fn is_called_directly(&self) -> bool {
        matches!(self.code.pre, Pre::Direct(_))
    }

    /// SHA-256 of the file, in hex.
    pub fn digest(&self) -> &str {
        &self.code.digest
    }

    /// How long the loading took that made this handle, and where the code came from.
    pub fn loading(&self) -> Loading {
        self.loading
    }

    /// What it asks for, the log excepted.
    pub fn imports(&self) -> &[Grant] {
        &self.code.imports
    }

    /// Sets it up with a configuration (JSON text), which is tried on an instance at once.
    pub fn configure(&self, config: &str, setup: Setup) -> Result<Configured, ConfigureError> {
        Configured::new(self, config, setup)
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.name)
            .field("digest", &self.code.digest)
            .finish_non_exhaustive()
    }
}
