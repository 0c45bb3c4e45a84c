//! Many rules on one and the same field.
//!
//! # Invariants
//!
//! - The events of a kind are the envelopes that other families have; only the field in question differs in scale.

use crate::envelopes::{self as envelope, KINDS, LATENCY_MAX};
use crate::families::{Family, rule};
use crate::random::Random;

/// `*/w17/*`: each event's path has one such part, and matches one rule.
pub(crate) fn wildcards(count: usize) -> Family {
    let scale = u64::try_from(count).expect("a count of rules");
    let pattern = |number| {
        let entry = format!(r#"{{"wildcard": "*{}*"}}"#, envelope::part(number));
        rule(&[("detail.request.path", &entry)])
    };
    let patterns = (0..scale).map(pattern).collect();
    Family { patterns, events: envelope::events(scale), probe: &["detail", "request", "path"] }
}

/// Half of the rules are bands, of which a value is in three; the others are thresholds of which most are
/// so high that few values pass: the n-th is passed by one value in n.
pub(crate) fn thresholds(count: usize) -> Family {
    let mut random = Random::new(0x7e5);
    #[expect(clippy::cast_precision_loss, reason = "a count of rules is far below 2^52")]
    let pattern = |index: usize| {
        if index.is_multiple_of(2) {
            let width = LATENCY_MAX * 6.0 / count as f64;
            let bottom = random.unit() * (LATENCY_MAX - width);
            let top = bottom + width;
            return latency(&format!(r#"">=", {bottom:.3}, "<", {top:.3}"#));
        }
        let passed = 1.0 / (index / 2 + 1) as f64;
        latency(&format!(
            r#"">", {:.3}"#,
            LATENCY_MAX * (1.0 - passed * (0.9 + 0.1 * random.unit()))
        ))
    };
    family((0..count).map(pattern).collect())
}

/// Thresholds anywhere: a value passes half of them.
pub(crate) fn half(count: usize) -> Family {
    let mut random = Random::new(0x4a1f);
    let pattern = |_| {
        let operator = random.one(&[">", ">=", "<", "<="]);
        latency(&format!(r#""{operator}", {:.3}"#, random.unit() * LATENCY_MAX))
    };
    family((0..count).map(pattern).collect())
}

/// Ten sources: every tenth rule matches.
pub(crate) fn tenth(count: usize) -> Family {
    let pattern = |kind| rule(&[("source", &format!("\"{}\"", envelope::source(kind % KINDS)))]);
    let count = u64::try_from(count).expect("a count of rules");
    let patterns = (0..count).map(pattern).collect();
    Family { patterns, events: envelope::events(100), probe: &["source"] }
}

fn latency(comparison: &str) -> String {
    rule(&[("detail.latency", &format!(r#"{{"numeric": [{comparison}]}}"#))])
}

fn family(patterns: Vec<String>) -> Family {
    Family { patterns, events: envelope::events(100), probe: &["detail", "latency"] }
}
