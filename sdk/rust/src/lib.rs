//! Write a slipswitch plugin: one function with one attribute.
//!
//! ```
//! use serde::Deserialize;
//! use slipswitch_sdk::{Error, Event, Output, transformer};
//!
//! #[slipswitch_sdk::config]
//! struct Config {
//!     /// What to say before the name.
//!     greeting: String,
//! }
//!
//! #[derive(Deserialize)]
//! struct SignedUp {
//!     name: String,
//! }
//!
//! #[transformer]
//! fn welcome(event: &Event, config: &Config) -> Result<Output, Error> {
//!     let user: SignedUp = event.detail()?;
//!     Ok(Output::text(format!("{}, {}!", config.greeting, user.name)))
//! }
//!
//! # fn main() -> Result<(), Error> {
//! // Natively it is an ordinary function: `cargo test` needs no router and no wasm.
//! let event = Event::parse(r#"{"source": "shop", "detail-type": "UserSignedUp", "detail": {"name": "Lan"}}"#)?;
//! let config = slipswitch_sdk::config(r#"{"greeting": "Hello"}"#)?;
//! assert_eq!(welcome(&event, &config)?.body(), "Hello, Lan!");
//! # Ok(())
//! # }
//! ```
//!
//! The crate is a `cdylib`; `cargo build --release --target wasm32-unknown-unknown` makes the file that goes
//! into the router's plugin folder, as it is. Name, version and description are those of its `Cargo.toml`.
//!
//! # The three roles
//!
//! - [`transformer`]: none, one or many outputs per event. May return [`Output`], `Option<Output>`, `Vec<Output>`,
//!   each alone or in a `Result`.
//! - [`filter`]: keeps an event or drops it. May return `bool`, alone or in a `Result`.
//! - [`batch_transformer`]: a transformer of many events at once, for a plugin that gains from seeing several.
//!
//! All take `&Event` (the last one `&[Event]`), and `&Config` where the plugin has a configuration: a struct with
//! [`macro@config`], or any type that serde can read. It is read once per instance, and a key that the type does not know
//! is refused.
//!
//! # What is not in the event
//!
//! [`log`] is for every plugin. [`state`], [`clock`], [`random`] and [`metrics`] are for those whose rule grants them
//! by name, and only what the code calls is asked for. Natively each has a stand-in, so tests need nothing.
//!
//! # Not here
//!
//! - Files, sockets, a clock that runs: the same event always gives the same output.
//! - A prelude: every name is imported where it is used.

#![no_std]

extern crate alloc;
#[cfg(any(feature = "std", not(target_arch = "wasm32")))]
extern crate std;

#[cfg(target_arch = "wasm32")]
mod abi;
#[cfg(any(all(target_arch = "wasm32", feature = "allocator"), test))]
mod allocator;
#[cfg(all(test, not(target_arch = "wasm32")))]
#[path = "abi/arena.rs"]
#[expect(unsafe_code, reason = "as in `abi`, of which it is a part")]
mod arena;
pub mod clock;
mod config;
mod error;
mod event;
#[doc(hidden)]
pub mod export;
pub mod log;
pub mod metrics;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod output;
mod path;
pub mod random;
#[cfg(all(target_arch = "wasm32", feature = "runtime", not(feature = "std")))]
mod runtime;
mod schema;
pub mod state;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use config::{ConfigError, NoConfig, config};
pub use error::Error;
pub use event::Event;
pub use output::{BatchOutputs, Output, Outputs, Verdict};
pub use path::Path;
pub use schema::{Schema, SchemaText};
#[doc(hidden)]
pub use serde;
pub use slipswitch_sdk_macros::{Schema, batch_transformer, config, filter, transformer};
