//! The event: the EventBridge envelope, its limits, and the time written in it.
//!
//! ```text
//! {"version":"0","id":…,"detail-type":…,"source":…,"account":…,"time":…,"region":…,
//!  "replay-name":…,                      (only in a replayed event)
//!  "resources":[…],
//!  "cloudevents":{…},                    (only in what came as a CloudEvent)
//!  "detail":{…}}
//! ```
//!
//! # Invariants
//!
//! - An [`Event`] that exists is valid: JSON, within its limits, every required field there.
//! - The two other dialects, [`cloudevents`] and [`eventbridge`], become entries before anything else sees them.
//! - `detail` is the sender's own bytes: numbers, key order, escapes and white space are kept from
//!   ingestion to target. So are the texts of the other fields.
//!
//! # Not here
//!
//! - Clocks and random numbers: what an entry lacks comes in with a [`Stamp`].
//! - Matching, storage, HTTP.

pub mod cloudevents;
mod entry;
mod envelope;
pub mod eventbridge;
mod json;
mod key;
mod members;
mod time;

pub use entry::{Entry, EntryError, Stamp};
pub use envelope::{Event, ReadError};
pub use json::{JsonError, Limits, check_json};
pub use key::{IdempotencyKey, KeyError};
pub use time::{TimeError, Timestamp};
