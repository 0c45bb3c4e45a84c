//! A small HTTP/1.1 receiver: the target at the other end of a delivery, for tests and the demonstration.
//!
//! It listens on a free port of the loopback interface, keeps every request in the order of arrival, answers what it
//! was told to, and can be stopped and started again on the same port: a target that goes down and comes back.
//!
//! ```
//! # use slipswitch_receiver as receiver;
//! use receiver::{Answer, Receiver};
//!
//! let target = Receiver::start()?;
//! target.script("/orders", [Answer::status(503), Answer::status(503)]); // twice no, then 200 as everywhere
//! let url = target.url("/orders");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Invariants
//!
//! - Waiting is done on a condition variable: nothing polls and nothing sleeps.
//! - A request is kept before its answer leaves, so whoever has seen the answer also sees the request.
//! - After [`Receiver::stop`] returns, no further request is kept until [`Receiver::restart`].
//!
//! # Not here
//!
//! - TLS, HTTP/2, limits against hostile clients: the only client is the router under test.
//! - Dependencies: the standard library alone, so that it builds in a blink.

mod answer;
mod gate;
mod http;
mod receiver;
mod request;

pub use answer::Answer;
pub use gate::Gate;
pub use receiver::{Receiver, TimedOut};
pub use request::Request;
