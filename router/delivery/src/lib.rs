//! One delivery to one target, and the judgement of its answer.
//!
//! ```text
//! Delivery ──▶ Target::send ──▶ Answer ──▶ RetryPolicy::judge ──▶ Verdict
//!                                            delivered · retry at t · dead
//! ```
//!
//! # Invariants
//!
//! - A target always answers: within its timeout, whatever the other end does.
//! - Every owed delivery ends, because each verdict but "retry" is final and retries are counted.
//! - A [`DeliveryId`] is the same at every attempt, so that a target can tell a repetition.
//!
//! # Not here
//!
//! - Which events are owed to whom, and remembering it: `bus`.
//! - Clocks: judging takes the time as a value, and a connection is given one.

mod batch;
mod circuit;
mod client;
mod connection;
mod console;
mod dead;
mod dial;
mod egress;
mod http;
mod id;
mod log;
mod percent;
mod rate;
mod retry;
mod secret;
mod target;

pub use circuit::{Circuit, CircuitOptions, CircuitState, Permit};
pub use client::Client;
pub use connection::{
    Authorization, Basic, ClientIn, Clock, Connection, ConnectionOptions, ConnectionStatus,
    Connections, HostPattern, Identity, Moment, OAuth, Parameter, Pem, SigV4, Standing, Tls,
    TlsError,
};
pub use dead::{DeadLetter, ErrorKind, LetterState};
pub use dial::{Looking, Lookup};
pub use egress::{Egress, EgressError, egress_range};
pub use http::{HttpOptions, HttpTarget, HttpTargetError, Over, shown_url};
pub use id::DeliveryId;
pub use ipnet::IpNet;
pub use log::LogTarget;
pub use rate::Rate;
pub use retry::{Attempt, RetryPolicy, Verdict};
pub use secret::Secret;
pub use target::{Answer, Delivery, Receipt, RetryAfter, Sending, Target};
