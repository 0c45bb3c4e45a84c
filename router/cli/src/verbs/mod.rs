//! The verbs, each a file: its options, its help, and what it does.

pub(crate) mod archive;
pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod connection;
pub(crate) mod dev;
pub(crate) mod diff;
pub(crate) mod dlq;
pub(crate) mod doctor;
pub(crate) mod event;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod fmt;
pub(crate) mod import;
pub(crate) mod journal;
pub(crate) mod listen;
pub(crate) mod pattern;
pub(crate) mod plugin;
pub(crate) mod reload;
pub(crate) mod replay;
pub(crate) mod schema;
pub(crate) mod send;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod tail;
pub(crate) mod target;
pub(crate) mod test;
