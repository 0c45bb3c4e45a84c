//! A log of records on disk: appended durably in groups, read from any record or time on.
//!
//! ```text
//! append ─▶ queue ─▶ commit thread ─▶ frame in a hot segment ─▶ sync ─▶ watermark ─▶ answers, cursors
//!                        ▲
//!                     spare thread: the next segment, zeroed and synced beforehand
//! ```
//!
//! `docs/journal-format.md` draws the files.
//!
//! # Invariants
//!
//! - durable: an [`Offset`] handed out is of a record that was synced. [`Journal::post`] hands out
//!   none.
//! - No record is ever changed. Offsets are dense; times never fall.
//! - A torn tail is cut and reported; any other damage is reported and never passed over.
//! - After a failed write or sync nothing is appended any more: what the kernel then holds is
//!   unknown.
//! - bounded: waiting appends, groups and what a reader holds in memory have limits in [`Options`].
//!
//! # Not here
//!
//! - What a payload means, and who reads up to where.
//! - Which chain a record goes to when it is sealed, and its keys: the caller names them.
//! - The clock: the time of an append is an argument.

mod bus_reader;
mod chain;
mod chains;
mod commit;
mod cursor;
mod disk;
mod error;
mod frame;
mod frontier;
mod group;
mod index;
mod journal;
mod layout;
mod log;
mod offset;
mod options;
mod outcome;
mod queue;
mod recovery;
mod roll;
mod running;
mod sealed;
mod sealing;
mod segment;
mod size;
mod spare;
mod stats;
mod store;
#[cfg(test)]
mod tests;
pub mod tools;
mod walk;
mod writer;

pub use bus_reader::BusReader;
pub use chain::{
    Appender, Chain, ChainCursor, ChainError, ChainOptions, ChainReport, ChainStats, Damage,
    Expired, Fault, Filter, Reading, Retention, SealedSpan, Sealer,
};
pub use cursor::Cursor;
#[cfg(any(test, feature = "simulation"))]
pub use disk::simulated::{Faults, SimulatedDisk};
pub use disk::{free_bytes, make_folder};
pub use error::{AppendError, CloseError, OpenError, ReadError};
pub use frame::Record;
pub use journal::{Health, Journal};
pub use offset::Offset;
pub use options::{Monotonic, Options};
pub use recovery::{Recovery, Torn};
pub use sealed::{ChainRecord, Keys, Summary};
pub use sealing::{SealError, SealWhat, Sealed, Sealing};
pub use size::Size;
pub use stats::{Histogram, LATENCY_BOUNDS, Stats};
pub use store::store_id;
