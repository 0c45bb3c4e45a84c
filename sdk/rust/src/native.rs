//! What stands in for the router when a plugin is tested natively.
//!
//! # Invariants
//!
//! - Each thread has a world of its own, so tests that run side by side do not meet.

mod numbers;
mod sha256;

use alloc::borrow::ToOwned as _;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::Event;
use crate::log::Level;
use crate::state::{Error, KEY_BYTES_MAX, VALUE_BYTES_MAX};
use numbers::Numbers;

#[derive(Default)]
pub(crate) struct World {
    /// The time of the current event.
    now_ms: i64,
    numbers: Numbers,
    /// The interfaces that were called, by their names in a rule's `grant`.
    pub(crate) asked: BTreeSet<&'static str>,
    pub(crate) state: BTreeMap<String, Value>,
    pub(crate) counters: BTreeMap<String, u64>,
    pub(crate) observed: BTreeMap<String, Vec<f64>>,
}

pub(crate) struct Value {
    pub(crate) bytes: Vec<u8>,
    expires_at_ms: Option<i64>,
}

std::thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

pub(crate) fn world<T>(with: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with_borrow_mut(with)
}

/// From here on this is the event that time and random numbers come from.
pub(crate) fn begin(event: &Event) {
    world(|world| {
        world.now_ms = millis(event.time()).unwrap_or(0);
        // The router takes the name of the plugin's file, which is most often that of its package.
        let plugin = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
        world.numbers = Numbers::new(&plugin, event.id());
    });
}

impl World {
    pub(crate) fn value(&mut self, key: &str) -> Option<&mut Value> {
        let now_ms = self.now_ms;
        self.state.get_mut(key).filter(|value| value.expires_at_ms.is_none_or(|at| now_ms < at))
    }

    fn expires_at(&self, ttl_ms: Option<u64>) -> Option<i64> {
        ttl_ms.map(|ttl| self.now_ms.saturating_add_unsigned(ttl))
    }

    pub(crate) fn put(&mut self, key: &str, bytes: Vec<u8>, ttl_ms: Option<u64>) {
        let value = Value { bytes, expires_at_ms: self.expires_at(ttl_ms) };
        self.state.insert(key.to_owned(), value);
    }
}

#[expect(clippy::print_stderr, reason = "natively, a test's output is where a line can be seen")]
pub(crate) fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    let level = std::format!("{level:?}").to_uppercase();
    let fields: String =
        fields.iter().map(|(name, value)| std::format!(" {name}={value}")).collect();
    std::eprintln!("{level} {message}{fields}");
}

pub(crate) fn count(name: &str, by: u64) {
    world(|world| {
        world.asked.insert("metrics");
        let sum = world.counters.entry(name.to_owned()).or_default();
        *sum = sum.saturating_add(by);
    });
}

pub(crate) fn observe(name: &str, value: f64) {
    world(|world| {
        world.asked.insert("metrics");
        world.observed.entry(name.to_owned()).or_default().push(value);
    });
}

pub(crate) fn now() -> i64 {
    world(|world| {
        world.asked.insert("clock");
        world.now_ms
    })
}

pub(crate) fn number() -> u64 {
    world(|world| {
        world.asked.insert("random");
        world.numbers.number()
    })
}

pub(crate) fn bytes(len: u32) -> Vec<u8> {
    world(|world| {
        world.asked.insert("random");
        (0..len).map(|_| world.numbers.byte()).collect()
    })
}

pub(crate) fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
    check(key, &[])?;
    Ok(world(|world| world.value(key).map(|value| value.bytes.clone())))
}

pub(crate) fn set(key: &str, value: &[u8], ttl_ms: Option<u64>) -> Result<(), Error> {
    check(key, value)?;
    world(|world| world.put(key, value.to_owned(), ttl_ms));
    Ok(())
}

pub(crate) fn delete(key: &str) -> Result<(), Error> {
    check(key, &[])?;
    world(|world| world.state.remove(key));
    Ok(())
}

pub(crate) fn increment(key: &str, by: i64, ttl_ms: Option<u64>) -> Result<i64, Error> {
    check(key, &[])?;
    world(|world| {
        let number = world.value(key).map_or(Some(0_i64), |value| {
            core::str::from_utf8(&value.bytes).ok().and_then(|text| text.parse().ok())
        });
        let problem = || Error::Unavailable(std::format!("the value of `{key}` is no number"));
        let sum = number.ok_or_else(problem)?.saturating_add(by);
        world.put(key, sum.to_string().into_bytes(), ttl_ms);
        Ok(sum)
    })
}

fn check(key: &str, value: &[u8]) -> Result<(), Error> {
    world(|world| world.asked.insert("state"));
    if !(1..=KEY_BYTES_MAX).contains(&key.len()) {
        let words = std::format!("the key has {} bytes of 1 to {KEY_BYTES_MAX}", key.len());
        return Err(Error::TooLarge(words));
    }
    if value.len() > VALUE_BYTES_MAX {
        let words = std::format!("the value has {} bytes of {VALUE_BYTES_MAX}", value.len());
        return Err(Error::TooLarge(words));
    }
    Ok(())
}

/// `2026-01-02T03:04:05.678Z`, with any offset, as milliseconds since 1970.
pub(crate) fn millis(time: &str) -> Option<i64> {
    let number = |from: usize, to: usize| time.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let rest = time.get(19..)?;
    let zone = rest.find(['Z', 'z', '+', '-'])?;
    let (fraction, zone) = rest.split_at(zone);
    let digits: String = fraction.chars().skip(1).chain("000".chars()).take(3).collect();
    let offset_minutes = match zone.split_at(1) {
        ("Z" | "z", _) => 0,
        (sign, zone) => {
            let (hours, minutes) = zone.split_once(':')?;
            let minutes = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
            if sign == "-" { -minutes } else { minutes }
        }
    };
    // Days since 1970 of the Gregorian calendar, whose years are counted from March here.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 1
        - 719_468;
    let minutes = days * 1440 + hour * 60 + minute - offset_minutes;
    Some((minutes * 60 + second) * 1000 + digits.parse::<i64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_become_milliseconds() {
        for (time, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-01-02T03:04:05.678Z", Some(1_767_323_045_678)),
            ("2024-02-29T23:59:59.9999Z", Some(1_709_251_199_999)),
            ("1970-01-01T01:30:00+01:30", Some(0)),
            ("1969-12-31T19:00:00-05:00", Some(0)),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(millis(time), expected, "{time}");
        }
    }
}
