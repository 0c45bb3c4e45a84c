//! The verbs, each a file: its options, its help, and what it does.

pub(crate) mod dlq;
pub(crate) mod replay;
pub(crate) mod send;
pub(crate) mod status;
