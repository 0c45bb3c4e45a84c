//! Keeps the events that are worth enough. Write here what your plugin does.

use serde::Deserialize;
use slipswitch_sdk::{Error, Event, filter};

/// What a rule may write under `config`.
#[slipswitch_sdk::config]
pub struct Config {
    /// The least amount that goes on.
    #[serde(default)]
    from: f64,
}

/// Of the event's detail, only what is needed.
#[derive(Deserialize)]
struct Order {
    amount: f64,
}

#[filter]
pub fn {{ident}}(event: &Event, config: &Config) -> Result<bool, Error> {
    let order: Order = event.detail()?;
    Ok(order.amount >= config.from)
}

#[cfg(test)]
mod tests {
    /// Every case in tests/*.json, natively; and as WebAssembly once it is built and `slipswitch` is in the PATH.
    #[test]
    fn cases() {
        slipswitch_sdk::testing::cases(super::{{ident}});
    }
}
