//! The host against small plugins written by hand, each wrong in one way.
#![expect(clippy::unwrap_used, reason = "what the tests share is a test, too")]

mod batch;
mod cache;
mod call;
mod components;
mod determinism;
mod growth;
pub mod hostile;
mod imports;
mod limits;
mod load;
mod measure;
mod parts;
mod pool;

/// How the plugins of `imports` are built: such that they are called directly.
const BUILD: fn(&parts::Parts) -> Vec<u8> = parts::Parts::build;
