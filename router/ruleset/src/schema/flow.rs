//! `concurrency`, `rate`, `timeout`, `order_by`, `batch`, `start` and `circuit` of a target.

use std::ops::RangeInclusive;
use std::time::Duration;

use event::Timestamp;

use super::Reading;
use super::duration::Bounds;
use super::keys::{BATCH, CIRCUIT};
use crate::flow::{Batch, Circuit, Flow, OrderBy, Start};
use crate::rule::TargetKind;
use crate::yaml::{Filling, Node, Value};

const CONCURRENCY_MAX: u64 = 1024;
const RATE_MIN: f64 = 0.001;
const RATE_MAX: f64 = 1_000_000.0;
const BATCH_EVENTS_MAX: u64 = 1000;
const CIRCUIT_FAILURES_MAX: u64 = 10_000;

const MILLISECOND: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);
pub(super) const TIMEOUT: RangeInclusive<Duration> = MILLISECOND..=Duration::from_secs(5 * 60);

impl Reading<'_> {
    pub(super) fn flow(&mut self, target: &Node, kind: Option<&TargetKind>) -> Flow {
        let mut flow = Flow::default();
        if let Some(TargetKind::Http(http)) = kind {
            flow.timeout = http.timeout;
        }
        if let Some(member) = target.member("concurrency") {
            let allowed = 1..=CONCURRENCY_MAX;
            let filled = self.filled(&member.value);
            let found = self.whole(&filled, ("`concurrency`", "of requests at once"), allowed);
            flow.concurrency = found.and_then(|found| usize::try_from(found).ok());
        }
        if let Some(member) = target.member("rate") {
            let filled = self.filled(&member.value);
            flow.rate = self.rate(&filled);
        }
        if let Some(member) = target.member("timeout") {
            let filled = self.filled(&member.value);
            let bounds = Bounds { what: "`timeout`", allowed: TIMEOUT };
            flow.timeout = self.duration(&filled, &bounds).unwrap_or(flow.timeout);
            let of_http = target.member("http").and_then(|http| http.value.member("timeout"));
            if of_http.is_some() {
                let words = (
                    "the `timeout` of this target is given twice",
                    "the second one stands in `http`",
                    "keep one of the two",
                );
                self.fault(member.key_span.clone(), words);
            }
        }
        if let Some(member) = target.member("order_by") {
            flow.order_by = self.json_path(&member.value).map(OrderBy);
        }
        if let Some(member) = target.member("batch") {
            flow.batch = self.batch(&member.value);
        }
        if let Some(member) = target.member("start") {
            flow.start = self.start(&member.value).unwrap_or(Start::Latest);
        }
        if let Some(member) = target.member("circuit") {
            flow.circuit = self.circuit(&member.value);
        }
        flow
    }

    /// A whole number; `what` and `of` are for the sentence about one that is none.
    fn whole(
        &mut self,
        node: &Node,
        (what, of): (&str, &str),
        allowed: RangeInclusive<u64>,
    ) -> Option<u64> {
        let number = match &node.value {
            Value::Text(_) if node.filling == Filling::Failed => return None,
            Value::Number(text) => text.parse().ok(),
            Value::Text(text) if node.filling == Filling::Done => text.parse().ok(),
            Value::Null | Value::Bool(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => None,
        };
        let number = number.filter(|number| allowed.contains(number));
        if number.is_none() {
            let mend =
                format!("write a whole number from {} to {}", allowed.start(), allowed.end());
            let message = format!("{what} is no number {of}");
            self.fault(node.span.clone(), (message, "not allowed", mend));
        }
        number
    }

    fn rate(&mut self, node: &Node) -> Option<f64> {
        let number: Option<f64> = match &node.value {
            Value::Text(_) if node.filling == Filling::Failed => return None,
            Value::Number(text) => text.parse().ok(),
            Value::Text(text) if node.filling == Filling::Done => text.parse().ok(),
            Value::Null | Value::Bool(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => None,
        };
        let number = number.filter(|rate| (RATE_MIN..=RATE_MAX).contains(rate));
        if number.is_none() {
            let words = (
                "`rate` is no number of requests a second",
                "not allowed",
                "write a number from 0.001 to 1000000, such as `50`; to send nothing, pause the target",
            );
            self.fault(node.span.clone(), words);
        }
        number
    }

    fn batch(&mut self, node: &Node) -> Option<Batch> {
        if !self.is_section(node, &BATCH) {
            return None;
        }
        let filled = self.filled_section(node, &BATCH);
        let events = self.required(node, &BATCH, "events").is_some().then(|| {
            let events = &filled.member("events")?.value;
            self.whole(events, ("`events`", "of events in a batch"), 1..=BATCH_EVENTS_MAX)
        });
        let within = match filled.member("within") {
            Some(within) => {
                let allowed = Duration::ZERO..=MINUTE;
                self.duration(&within.value, &Bounds { what: "`within`", allowed })
            }
            None => Some(Duration::from_millis(200)),
        };
        let events = usize::try_from(events.flatten()?).ok()?;
        Some(Batch { events, within: within? })
    }

    /// `latest`, `earliest`, or a time.
    fn start(&mut self, node: &Node) -> Option<Start> {
        let filled = self.filled(node);
        let text = self.text(&filled, "`start`")?;
        match text {
            "latest" => return Some(Start::Latest),
            "earliest" => return Some(Start::Earliest),
            _ => (),
        }
        let time = Timestamp::parse(text).ok();
        if time.is_none() {
            let words = (
                "`start` is no place to begin at",
                "not understood",
                "write `latest`, `earliest`, or a time such as `2026-11-23T08:00:00Z`",
            );
            self.fault(node.span.clone(), words);
        }
        time.map(Start::At)
    }

    fn circuit(&mut self, node: &Node) -> Circuit {
        let mut circuit = Circuit::default();
        if !self.is_section(node, &CIRCUIT) {
            return circuit;
        }
        let filled = self.filled_section(node, &CIRCUIT);
        if let Some(member) = filled.member("failures") {
            let allowed = 1..=CIRCUIT_FAILURES_MAX;
            let found = self.whole(&member.value, ("`failures`", "of failures in a row"), allowed);
            let found = found.and_then(|found| u32::try_from(found).ok());
            circuit.failures = found.unwrap_or(circuit.failures);
        }
        if let Some(member) = filled.member("probe_after") {
            let allowed = Duration::from_millis(10)..=60 * MINUTE;
            let bounds = Bounds { what: "`probe_after`", allowed };
            let found = self.duration(&member.value, &bounds);
            circuit.probe_after = found.unwrap_or(circuit.probe_after);
        }
        circuit
    }
}
