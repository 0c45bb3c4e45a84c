//! Does on purpose what a plugin must not do, so that the router's tests can hold it to every limit.
//!
//! No rule of anybody's wants this one.

use std::hint::black_box;

use slipswitch_sdk::{Error, Event, Output, log, transformer};

#[slipswitch_sdk::config]
#[derive(Clone, Copy, Default)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// It does not: events go on as they are.
    #[default]
    Behave,
    /// Computes for ever.
    Spin,
    /// Takes memory for ever.
    Allocate,
    /// Calls itself for ever.
    Recurse,
    /// Panics.
    Panic,
    /// Panics on one event in four, by the last digit of its id.
    TrapSometimes,
    /// Puts out 1,024 times the same mebibyte.
    Gigabyte,
    /// Puts out one text of 8 MiB.
    Large,
    /// Logs for ever.
    Log,
    /// Puts out what is no JSON.
    Invalid,
    /// Says that the event can never work.
    Refuse,
    /// Says that the event may work later.
    Retry,
    /// Says that it is broken.
    Fatal,
}

#[slipswitch_sdk::config]
pub struct Config {
    /// In which way.
    #[serde(default)]
    how: How,
    /// On events of this detail-type alone; others go on as they are.
    only: Option<String>,
}

#[transformer]
pub fn misbehave(event: &Event, config: &Config) -> Result<Vec<Output>, Error> {
    let is_meant = config.only.as_deref().is_none_or(|only| only == event.detail_type());
    let how = if is_meant { config.how } else { How::Behave };
    match how {
        How::Behave => Ok(vec![Output::raw(event.json())]),
        How::Spin => loop {
            black_box(());
        },
        How::Allocate => {
            let mut kept = Vec::new();
            loop {
                kept.push(black_box(vec![1_u8; 1 << 20]));
            }
        }
        How::Recurse => Ok(vec![Output::raw(deeper(1).to_string())]),
        How::Panic => panic!("misbehaving on purpose, on event {}", event.id()),
        How::TrapSometimes if event.id().ends_with(['0', '4', '8', 'c']) => {
            panic!("misbehaving on purpose, on event {}", event.id())
        }
        How::TrapSometimes => Ok(vec![Output::raw(event.json())]),
        How::Gigabyte => {
            let mebibyte: &'static str = format!("\"{}\"", "x".repeat((1 << 20) - 2)).leak();
            Ok(vec![Output::fixed(mebibyte); 1024])
        }
        How::Large => Ok(vec![Output::text("x".repeat(8 << 20))]),
        How::Log => loop {
            log::info("again and again");
        },
        How::Invalid => Ok(vec![Output::raw("{\"half\": ")]),
        How::Refuse => Err(Error::invalid("refused on purpose")),
        How::Retry => Err(Error::retry("not now, on purpose")),
        How::Fatal => Err(Error::fatal("broken on purpose")),
    }
}

/// Never returns: every call keeps something to do after the one that it makes.
#[expect(unconditional_recursion, reason = "this is what it is for")]
fn deeper(depth: u64) -> u64 {
    let room = black_box([depth; 16]);
    deeper(depth + 1) + room[3]
}

#[cfg(test)]
mod tests {
    /// Those that break a limit run as WebAssembly alone.
    #[test]
    fn cases() {
        slipswitch_sdk::testing::cases(super::misbehave);
    }
}
