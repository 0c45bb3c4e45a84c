//! Keeps the events of the configured sources, and shows a plugin without the standard library.

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

use alloc::string::String;
use alloc::vec::Vec;

use slipswitch_sdk::{Event, filter};

#[slipswitch_sdk::config]
pub struct Config {
    /// An event of one of these goes on; `shop.*` stands for every source that begins with `shop.`.
    sources: Vec<String>,
}

#[filter]
pub fn keep(event: &Event, config: &Config) -> bool {
    config.sources.iter().any(|wanted| match wanted.strip_suffix('*') {
        Some(start) => event.source().starts_with(start),
        None => event.source() == wanted,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn cases() {
        slipswitch_sdk::testing::cases(super::keep);
    }
}
