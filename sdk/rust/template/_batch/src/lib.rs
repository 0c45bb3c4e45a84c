//! Puts a price on many events at once. Write here what your plugin does.
//!
//! How many events come together is the router's business, and never a reason to answer differently.

use serde::{Deserialize, Serialize};
use slipswitch_sdk::{Error, Event, Output, batch_transformer};

/// What a rule may write under `config`.
#[slipswitch_sdk::config]
pub struct Config {
    /// What one of anything costs.
    #[serde(default = "Config::price")]
    price: f64,
}

impl Config {
    fn price() -> f64 {
        1.0
    }
}

/// Of an event's detail, only what is needed.
#[derive(Deserialize)]
struct Item {
    quantity: u32,
}

#[derive(Serialize)]
struct Priced<'a> {
    id: &'a str,
    amount: f64,
}

/// One result per event, in their order: a bad event does not fail its neighbours.
#[batch_transformer]
pub fn {{ident}}(events: &[Event], config: &Config) -> Vec<Result<Output, Error>> {
    events.iter().map(|event| config.priced(event)).collect()
}

impl Config {
    fn priced(&self, event: &Event) -> Result<Output, Error> {
        let item: Item = event.detail()?;
        Output::json(&Priced { id: event.id(), amount: f64::from(item.quantity) * self.price })
    }
}

#[cfg(test)]
mod tests {
    /// Every case in tests/*.json, natively; and as WebAssembly once it is built and `slipswitch` is in the PATH.
    #[test]
    fn cases() {
        slipswitch_sdk::testing::cases(super::{{ident}});
    }
}
