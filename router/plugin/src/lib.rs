//! Runs WebAssembly plugins: loads files, tries them out, and calls them within limits.
//!
//! ```text
//! bytes ─▶ core module of the Rust SDK, or component ─▶ contract check ─▶ compile (or the cache) ─▶ trial ─▶ Plugin
//! Plugin + configuration ─▶ trial ─▶ Configured, a pool of instances
//! Configured + event ─▶ outputs, or a CallError
//! ```
//!
//! # Invariants
//!
//! - A plugin spends only its CPU time, wall time, memory, output and log lines; each limit is in [`Limits`] and named
//!   by the error that reports it.
//! - A trap is a value. The instance it happened in is never entered again.
//! - A plugin reaches nothing but the contract's imports, and of these only `log` and what its rule grants. Any other
//!   import refuses the file, by name.
//! - The host decides nothing about retries: a [`CallError`] says what happened and whether it is final.
//!
//! # Not here
//!
//! - Rules, targets, HTTP, folders: the crate sees bytes and strings.
//! - Async: calls are synchronous. [`Host::queue`] is the bridge that keeps them off the async threads.

mod batch;
mod cache;
mod call;
mod clock;
mod code;
mod configured;
mod contract;
mod direct;
mod engine;
mod explain;
mod faults;
mod grant;
mod host;
mod idle;
mod imports;
mod instance;
mod json;
mod measure;
mod options;
mod output;
mod plugin;
mod queue;
mod spending;
mod tally;
mod text;
mod ticker;
mod wit;
mod words;

pub use call::{Budget, CallError, Event, Output};
pub use configured::{ConfigureError, Configured};
pub use contract::{CONTRACT, Role};
pub use grant::{Grant, Grants, Isolation, Setup, UnknownGrant};
pub use host::{Host, HostError};
pub use imports::log::{Level, Line, LineSink};
pub use imports::metrics::MetricSink;
pub use imports::state::{StateAccess, StateError};
pub use measure::{Spent, measured};
pub use options::{Limits, Options};
pub use plugin::{CodeFrom, Info, LoadError, Loading, Plugin};
pub use queue::{Admission, Done, Queue, QueueOptions, Usage, step_back, turn_is_over};
pub use tally::Tally;
