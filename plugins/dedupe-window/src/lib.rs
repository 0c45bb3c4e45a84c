//! Lets an event pass once per key within a window of time; repeats are dropped.
//!
//! Time is the events' own, so a replay drops what the first run dropped. The rule grants `state`.

use std::time::Duration;

use slipswitch_sdk::{Error, Event, Path, filter, state};

#[slipswitch_sdk::config]
pub struct Config {
    /// What tells events apart, such as `$.detail.orderId`. An event without it always passes.
    key: Path,
    /// How long, in seconds after an event that passed, others with its key are repeats.
    #[serde(default = "ten_minutes")]
    seconds: u64,
}

fn ten_minutes() -> u64 {
    600
}

#[filter]
pub fn dedupe_window(event: &Event, config: &Config) -> Result<bool, Error> {
    let Some(key) = event.at(&config.key)?.map(|value| value.get()) else { return Ok(true) };
    if key.len() > state::KEY_BYTES_MAX {
        let words = format!("{} has {} bytes of {}", config.key, key.len(), state::KEY_BYTES_MAX);
        return Err(Error::invalid(words));
    }
    if state::get(key)?.is_some() {
        return Ok(false);
    }
    state::set_for(key, event.id(), Duration::from_secs(config.seconds))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases() {
        slipswitch_sdk::testing::cases(dedupe_window);
    }

    #[test]
    fn the_window_begins_with_the_event_that_passed() {
        let config = slipswitch_sdk::config(r#"{"key":"$.detail.id","seconds":10}"#).unwrap();
        let passes = |second: u8, id: &str| {
            let time = format!("2026-01-01T00:00:{second:02}Z");
            let event = Event::parse(format!(r#"{{"time":"{time}","detail":{{"id":"{id}"}}}}"#));
            dedupe_window(&event.unwrap(), &config).unwrap()
        };
        assert!(passes(0, "a"));
        assert!(!passes(9, "a") && passes(9, "b"));
        assert!(passes(10, "a"));
        assert!(!passes(19, "a"));
    }
}
