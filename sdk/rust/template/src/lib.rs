//! Greets whoever signed up. Write here what your plugin does.

use serde::Deserialize;
use slipswitch_sdk::{Error, Event, Output, transformer};

/// What a rule may write under `config`.
#[slipswitch_sdk::config]
pub struct Config {
    /// What to say before the name.
    #[serde(default = "Config::greeting")]
    greeting: String,
}

impl Config {
    fn greeting() -> String {
        "Hello".into()
    }
}

/// Of the event's detail, only what is needed.
#[derive(Deserialize)]
struct SignedUp {
    name: String,
}

#[transformer]
pub fn {{ident}}(event: &Event, config: &Config) -> Result<Output, Error> {
    let user: SignedUp = event.detail()?;
    if user.name.is_empty() {
        return Err(Error::invalid("detail.name is empty: there is nobody to greet"));
    }
    Ok(Output::text(format!("{}, {}!", config.greeting, user.name)))
}

#[cfg(test)]
mod tests {
    /// Every case in tests/*.json, natively; and as WebAssembly once it is built and `slipswitch` is in the PATH.
    #[test]
    fn cases() {
        slipswitch_sdk::testing::cases(super::{{ident}});
    }
}
