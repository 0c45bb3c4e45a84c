//! A plugin beside another one in a rule: it sees the same events and nothing of it is delivered (`shadow`), or it takes
//! a share of them (`canary`).
//!
//! # Invariants
//!
//! - What runs beside delays nothing and loses nothing: a shadow that does not keep up misses events, and an event that a
//!   canary fails goes to the plugin that was there before, at once.
//! - Only what is delivered is counted. Tests of rules are made by the one or by the other plugin alone.

mod canary;
mod shadow;
mod verdicts;

use std::sync::{Mutex, PoisonError};

use ruleset::{Beside, StepOutput, Unlike};

pub(crate) use canary::Canary;
pub(crate) use shadow::Shadow;
pub(crate) use verdicts::Verdict;
pub use verdicts::Verdicts;

/// How much is shown of what both made.
const SHOWN_CHARS: usize = 500;

/// What is counted, and shown.
struct Figures(Mutex<Beside>);

impl Figures {
    fn new(kind: &'static str, plugin: &str) -> Self {
        Self(Mutex::new(Beside { kind, plugin: plugin.to_owned(), ..Beside::default() }))
    }

    fn note<T>(&self, note: impl FnOnce(&mut Beside) -> T) -> T {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn unlike(event: &str, delivered: &str, beside: &str) -> Unlike {
    let cut = |text: &str| text.chars().take(SHOWN_CHARS).collect();
    Unlike { event: event.to_owned(), delivered: cut(delivered), beside: cut(beside) }
}

/// Whether two plugins made the same: as many outputs, with the same attributes, and bodies that are equal as JSON
/// values, or byte for byte where they are no JSON.
fn is_same(one: &[StepOutput], other: &[StepOutput]) -> bool {
    let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    let same_body = |one: &str, other: &str| {
        one == other || is_json(one) && is_json(other) && ruleset::difference(one, other).is_none()
    };
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| {
            one.attributes == other.attributes && same_body(&one.body, &other.body)
        })
}

fn shown(outputs: &[StepOutput]) -> String {
    outputs.iter().map(|output| output.body.as_str()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
