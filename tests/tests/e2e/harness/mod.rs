//! What every test needs: folders of its own, the built binary as a process, and a client for it.
//!
//! # Invariants
//!
//! - Waiting is done on lines, on arrivals or on answers, each within [`LONG`]; nothing sleeps, and nothing spins.
//! - A process ends with its owner: a test that fails leaves nothing running.
//!
//! # Not here
//!
//! - Our own crates: what is tested is what a user has.

mod allowance;
mod built;
mod copy;
mod http;
mod lines;
mod process;
mod producers;
mod random;
mod router;
mod scene;
mod small_disk;
mod stream;
mod written;

use std::time::Duration;

pub(crate) use allowance::Allowance;
pub(crate) use built::{binary, plugin, repository};
pub(crate) use http::{Answer, Connection};
pub(crate) use process::{Ended, Process};
pub(crate) use producers::Producers;
pub(crate) use random::Random;
pub(crate) use router::Router;
pub(crate) use scene::{Scene, Syncs};
pub(crate) use small_disk::SmallDisk;
pub(crate) use stream::Stream;
pub(crate) use written::transformer;

/// Longer than anything takes on a loaded machine: only what hangs meets it.
pub(crate) const LONG: Duration = Duration::from_secs(90);
