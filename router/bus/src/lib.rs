//! The path of an event: taken in, dispatched, delivered, replayed, resumed.
//!
//! ```text
//! ingest ─▶ journal ─▶ dispatch ─▶ lane ─▶ attempt ─▶ settle
//!              ▲                     │
//!              └──── catch up ◀──────┘   a lane that was full, new after a restart, or a replay
//! ```
//!
//! # Invariants
//!
//! - **durable**: `ingest` returns after the journal has synced.
//! - **one version**: a swap of rules takes effect between two events, in `dispatch`.
//! - **at least once**: `settled` of a subscription moves past an offset only when all that the
//!   event owed is delivered, dropped, or written down as postponed or dead, in one transaction.
//! - **no neighbour**: each subscription has a lane of its own; nobody waits for another's target.
//! - **bounded**: lanes, windows, postponed deliveries and hops have limits, named in [`Options`].
//!
//! # Not here
//!
//! - HTTP surfaces, files of rules, the system's clock: `server` brings them.

pub use {delivery, journal, plugin, ruleset};

mod archives;
mod attempt;
mod attributes;
mod batch;
mod beside;
mod clock;
mod compare;
mod core;
mod dispatch;
mod door;
mod flush;
mod folder;
mod follow;
mod forward;
mod heard;
mod ingest;
mod key;
mod lane;
mod letters;
mod making;
mod options;
mod outside;
mod plugin_state;
mod recall;
mod record;
mod removal;
mod replay;
mod retention;
mod router;
mod routes;
mod sealing;
mod selection;
mod shelf;
#[cfg(feature = "simulation")]
pub mod simulation;
mod state;
mod status;
mod stop;
#[cfg(test)]
mod testing;
mod trail;

pub use archives::{
    Archive, ArchiveChange, ArchiveContents, ArchiveError, NewArchive, stored_archives,
};
pub use beside::Verdicts;
pub use clock::Clock;
pub use compare::{CompareError, CompareRules, ComparedRules, Watch};
pub use door::{Deduplication, DeduplicationStatus};
pub use folder::verify_state;
pub use follow::{Begin, Follow, FollowEnd, FollowError, Followed, Follower, MatchedRule};
pub use ingest::{IngestError, Refusal, Taken};
pub use key::Key;
pub use letters::{
    Common, Counted, DeadLetterFilter, DeadLetterPage, Group, GroupBy, LetterChoice, Purged,
    Redrive, RedriveTo, Redriven,
};
pub use options::{CONNECTIONS_IDLE_MAX, Options};
pub use plugin_state::{EventState, View};
pub use record::envelope;
pub use replay::{
    Estimate, Replay, ReplayError, ReplayState, StartReplay, StoppedTarget, TargetEstimate,
};
pub use router::{Drained, OpenError, Router, SwapError, Waiting};
pub use sealing::{BusOptions, Durability, Retention};
pub use selection::Selection;
pub use shelf::{PluginFile, PluginStatus, Shelf};
pub use state::letters::Depth;
pub use state::{StateError, Stopped};
pub use status::{
    CircuitStatus, DamagedArchive, JournalStatus, SealedStatus, Status, SubscriptionStatus,
};
pub use stop::{LetGo, StopError};
pub use trail::{
    AttemptRecord, AttemptResult, DeliveryFate, DeliveryLog, DeliveryLogStatus, DeliveryPayload,
    DeliveryState, EventSearch, Fate, FoundEvent, FoundEvents, NearlyMatched, Origin, PayloadMade,
    Place, SearchError, Unreadable,
};
