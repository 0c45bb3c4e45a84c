//! The families of patterns and events that matching is measured with, and the measuring.
//!
//! ```text
//! family   = name + patterns + events          made from a seed: the same bytes on every machine
//! engine   = ours, others beside it, ceilings  one family each, in a process of its own
//! measure  = rounds of every engine in turn    events per second of one thread's processor time
//! ```
//!
//! # Invariants
//!
//! - Every pattern of a family is one of ours, and every event an event; what another engine refuses is shown.
//! - The events of a family differ from each other, as those of a router do.
//! - The matches of all engines are counted before the clock starts, and differences are shown.
//!
//! # Not here
//!
//! - HTTP, delivery, plugins: `tests/bench`.

mod arrays;
mod checksum;
mod city_lots;
mod clock;
mod engine;
mod envelopes;
mod families;
mod heap;
mod measure;
mod one_field;
mod random;
mod report;
mod rules;
mod worker;

pub use clock::processor;
pub use engine::{Engine, Kind, Refusal};
pub use families::{Family, Spec, all, find};
pub use heap::Counting;
pub use measure::{Outcome, Plan, measure};
pub use report::{json, table};
pub use worker::serve;
