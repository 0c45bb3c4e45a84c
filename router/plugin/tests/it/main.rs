//! The host against small plugins written by hand, each wrong in one way.
#![expect(clippy::unwrap_used, reason = "what the tests share is a test, too")]

mod batch;
mod cache;
mod call;
mod determinism;
mod growth;
pub mod hostile;
mod imports;
mod limits;
mod load;
mod measure;
mod parts;
mod pool;
