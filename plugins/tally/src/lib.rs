//! Counts events by a key, and says at every so many of them how many there were: `{"key", "count", "ms", "ticket"}`.
//!
//! It shows all that a rule can grant: the counts are state, `ms` (since the first one) comes from the clock, the ticket
//! is drawn at random, and the events are counted among the router's metrics.

use std::time::Duration;

use serde::Serialize;
use slipswitch_sdk::{Error, Event, Output, Path, clock, log, metrics, random, state, transformer};

#[slipswitch_sdk::config]
pub struct Config {
    /// What is counted by, such as `$.detail.orderId`.
    key: Path,
    /// Something is said at every so many events of a key.
    every: u16,
    /// A key that has no event for so many seconds begins anew; without it, never.
    seconds: Option<u64>,
}

#[derive(Serialize)]
struct Tally<'a> {
    key: &'a str,
    count: i64,
    ms: i64,
    ticket: String,
}

#[transformer]
pub fn tally(event: &Event, config: &Config) -> Result<Option<Output>, Error> {
    metrics::count("events_total", 1);
    let Some(key) = event.at(&config.key)?.map(|value| value.get().trim_matches('"')) else {
        return Ok(None);
    };
    let (began_key, kept) = (format!("{key} began"), config.seconds.map(Duration::from_secs));
    let count = match kept {
        Some(kept) => state::increment_for(key, 1, kept)?,
        None => state::increment(key, 1)?,
    };
    let began = if count > 1 { state::get(&began_key)? } else { None };
    let began = began.and_then(|text| String::from_utf8(text).ok()?.parse().ok());
    let began: i64 = began.unwrap_or_else(clock::now);
    if count < i64::from(config.every) {
        match kept {
            // As long as the count.
            Some(kept) => state::set_for(&began_key, began.to_string(), kept)?,
            None => state::set(&began_key, began.to_string())?,
        }
        return Ok(None);
    }
    let ms = clock::now() - began;
    metrics::observe("tally_seconds", Duration::from_millis(ms.unsigned_abs()).as_secs_f64());
    log::line(log::Level::Info, "tally", &[("key", key), ("count", &count.to_string())]);
    state::delete(key)?;
    state::delete(&began_key)?;
    let suffix: String = random::bytes(2).iter().map(|byte| format!("{byte:02x}")).collect();
    let ticket = format!("{:016x}-{suffix}", random::number());
    Ok(Some(Output::json(&Tally { key, count, ms, ticket })?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases() {
        slipswitch_sdk::testing::cases(tally);
    }

    #[test]
    fn events_are_counted_with_or_without_a_key() {
        slipswitch_sdk::testing::reset();
        let config = slipswitch_sdk::config(r#"{"key":"$.detail.id","every":2}"#).unwrap();
        let said = |detail: &str| {
            let event = Event::parse(format!(r#"{{"detail":{detail}}}"#)).unwrap();
            tally(&event, &config).unwrap().is_some()
        };
        assert_eq!(
            ["{}", r#"{"id":1}"#, r#"{"id":1}"#, r#"{"id":1}"#].map(said),
            [false, false, true, false]
        );
        assert_eq!(slipswitch_sdk::testing::counted("events_total"), 4);
        assert_eq!(slipswitch_sdk::testing::observed("tally_seconds"), [0.0]);
    }

    #[test]
    fn all_of_a_key_lives_as_long_as_its_last_event_says() {
        slipswitch_sdk::testing::reset();
        let config = slipswitch_sdk::config(r#"{"key":"$.id","every":3,"seconds":40}"#).unwrap();
        let at = |second: u8| {
            let event = format!(r#"{{"id":"o","time":"2026-01-02T03:04:{second:02}Z"}}"#);
            tally(&Event::parse(event).unwrap(), &config).unwrap()
        };
        assert!(at(0).is_none() && at(30).is_none());
        assert!(at(59).unwrap().body().contains(r#""ms":59000"#));
        assert!(at(0).is_none());
        Event::parse(r#"{"time":"2026-01-02T03:04:40Z"}"#).unwrap();
        assert_eq!((state::get("o"), state::get("o began")), (Ok(None), Ok(None)));
    }
}
