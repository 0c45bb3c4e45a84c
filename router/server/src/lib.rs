//! The router as a server: configuration, HTTP, watching of rules, the life of the process.
//!
//! ```text
//! run ─▶ config      what the router was told
//!     ─▶ watch ─▶ load ─▶ folder, values      rules and plugins from files, again and again
//!     ─▶ http ─▶ bus::Router                  events in, questions answered
//! offline            the same rules without a router: check, test, patterns
//! ```
//!
//! # Invariants
//!
//! - This crate alone touches the system's clock, the environment and the files of rules.
//! - It keeps no state of its own: what must outlive the process is in the bus's data folder.
//!
//! # Not here
//!
//! - How matching, delivery, the journal and plugins work: `bus` and what is below it.

mod asked;
mod clock;
mod config;
mod connections;
mod explain;
mod folder;
mod health;
mod http;
mod load;
mod log;
mod metrics;
pub mod offline;
mod owed;
mod plugins;
mod reload;
mod run;
mod sent_rules;
mod trial;
mod values;
mod watch;

pub use run::{Mode, RunError, ServeOptions, run};
