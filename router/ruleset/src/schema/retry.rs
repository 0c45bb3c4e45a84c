//! `retry: { attempts, max_age, backoff: { min, max } }`.

use std::time::Duration;

use super::Reading;
use super::duration::Bounds;
use super::keys::{BACKOFF, RETRY};
use crate::rule::Retry;
use crate::yaml::{Filling, Node, Value};

const ATTEMPTS_MAX: u32 = 185;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const MILLISECOND: Duration = Duration::from_millis(1);

impl Reading<'_> {
    /// `node` is `written` with its values filled in.
    pub(super) fn retry(&mut self, written: &Node, node: &Node) -> Retry {
        let mut retry = Retry::default();
        if !self.is_section(written, &RETRY) {
            return retry;
        }
        if let Some(attempts) = node.member("attempts") {
            retry.attempts_max = self.attempts(&attempts.value).unwrap_or(retry.attempts_max);
        }
        if let Some(age) = node.member("max_age") {
            let allowed = Duration::from_secs(1)..=DAY * 7;
            let bounds = Bounds { what: "`max_age`", allowed };
            retry.age_max = self.duration(&age.value, &bounds).unwrap_or(retry.age_max);
        }
        if let Some(backoff) = node.member("backoff") {
            self.backoff(&backoff.value, &mut retry);
        }
        retry
    }

    /// At least 1: the first attempt is made however small the number.
    fn attempts(&mut self, node: &Node) -> Option<u32> {
        let number = match &node.value {
            Value::Number(text) => text.parse::<u32>().ok(),
            Value::Text(_) if node.filling == Filling::Failed => return None,
            Value::Text(text) if node.filling == Filling::Done => text.parse::<u32>().ok(),
            Value::Null | Value::Bool(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => None,
        };
        match number {
            Some(number) if number <= ATTEMPTS_MAX => Some(number.max(1)),
            _ => {
                let words = (
                    "`attempts` is no number of attempts",
                    "not allowed",
                    format!("write a whole number from 0 to {ATTEMPTS_MAX}"),
                );
                self.fault(node.span.clone(), words);
                None
            }
        }
    }

    fn backoff(&mut self, node: &Node, retry: &mut Retry) {
        if !self.is_section(node, &BACKOFF) {
            return;
        }
        let mut bound = |key: &str, what| {
            let member = node.member(key)?;
            self.duration(&member.value, &Bounds { what, allowed: MILLISECOND..=DAY })
        };
        let (min, max) = (bound("min", "`min`"), bound("max", "`max`"));
        match (min, max) {
            (Some(min), None) if node.member("max").is_none() => {
                (retry.backoff_min, retry.backoff_max) = (min, retry.backoff_max.max(min));
            }
            (None, Some(max)) if node.member("min").is_none() => {
                (retry.backoff_min, retry.backoff_max) = (retry.backoff_min.min(max), max);
            }
            (Some(min), Some(max)) if min <= max => {
                (retry.backoff_min, retry.backoff_max) = (min, max);
            }
            (Some(_), Some(_)) => {
                let words = (
                    "`min` of the backoff is longer than `max`",
                    "the two are swapped",
                    "`min` bounds the first delay, `max` every delay",
                );
                self.fault(node.span.clone(), words);
            }
            _ => (), // Reported already.
        }
    }
}
