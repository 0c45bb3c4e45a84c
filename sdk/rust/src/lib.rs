//! Write a slipswitch plugin: one function with one attribute.
//!
//! ```
//! use serde::Deserialize;
//! use slipswitch_sdk::{Error, Event, Output, transformer};
//!
//! #[derive(Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Config {
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
//! # The two roles
//!
//! - [`transformer`]: none, one or many outputs per event. May return [`Output`], `Option<Output>`, `Vec<Output>`,
//!   each alone or in a `Result`.
//! - [`filter`]: keeps an event or drops it. May return `bool`, alone or in a `Result`.
//!
//! Both take `&Event`, and `&Config` where the plugin has a configuration: any type that serde can read, read once
//! per instance. A key that the type does not know is refused, with or without `deny_unknown_fields`.
//!
//! # Not here
//!
//! - A clock, randomness, files, sockets: a plugin has none, so the same event always gives the same output.
//! - A prelude: every name is imported where it is used.

#[cfg(target_arch = "wasm32")]
mod bindings;
mod config;
mod error;
mod event;
#[doc(hidden)]
pub mod export;
pub mod log;
mod output;

pub use config::{ConfigError, NoConfig, config};
pub use error::Error;
pub use event::Event;
pub use output::{Output, Outputs, Verdict};
pub use slipswitch_sdk_macros::{filter, transformer};
