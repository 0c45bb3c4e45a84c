//! One line of the delivery log, and how it lies there.
//!
//! A payload is one JSON object with the keys of [`AttemptRecord`], so that the log can be read with
//! anybody's tools; blocks are compressed, and names that recur cost next to nothing.
//!
//! # Invariants
//!
//! - What was written is read back; keys that a later version adds are passed over.
//! - bounded: an error's text is cut at [`ERROR_CHARS_MAX`].

use std::sync::Arc;
use std::time::Duration;

use delivery::{Answer, DeliveryId, Receipt};
use event::Timestamp;
use ruleset::pattern::keys;
use serde::{Deserialize, Serialize};

/// How much of an error's text is kept.
const ERROR_CHARS_MAX: usize = 1000;
/// What is done within an attempt may seem to be so long before or after it.
const SLACK_MS: u64 = 1000;

/// The paths of the keys by which lines are found.
const EVENT: &str = "event";
const PLACE: &str = "place";

/// What came of an attempt, as the router judged it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttemptResult {
    Delivered,
    /// It failed, and is tried again at `retry_at`.
    Retry,
    /// It failed for good.
    Dead,
    /// A transform let the event go; nothing was sent.
    Dropped,
}

/// An attempt on its way into the log.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub time: Timestamp,
    pub id: DeliveryId,
    pub event_id: Arc<str>,
    /// The first is 1.
    pub attempt: u32,
    pub result: AttemptResult,
    /// Of the rules that matched.
    pub rules: Arc<str>,
    pub sent: Sent,
    /// Empty when there is none.
    pub error: String,
    pub retry_at: Option<Timestamp>,
}

/// What is known of the sending alone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sent {
    pub took: Duration,
    /// The answer's, when there was one.
    pub http_status: Option<u16>,
    /// The id of the event that a bus made of it.
    pub became: Option<Arc<str>>,
}

impl Sent {
    /// What a target told beside its answer, and how long it took.
    pub(crate) fn of(receipt: Receipt, took: Duration, answer: &Answer) -> Self {
        let Receipt { http_status, became } = receipt;
        let became = became.into_inner().filter(|_| *answer == Answer::Accepted);
        Self { took, http_status: http_status.into_inner(), became }
    }
}

/// An attempt as the log has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord {
    pub time: Timestamp,
    pub bus: String,
    pub offset: u64,
    /// The event's id.
    pub event: String,
    pub rule: String,
    pub target: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
    /// The number of the transform's output.
    pub output: u32,
    pub attempt: u32,
    pub result: AttemptResult,
    /// Of the HTTP answer, when there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// From sending to the answer, in microseconds.
    pub took_us: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// The id that the event has on the bus it was passed on to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub became: Option<String>,
    /// The digest of the rules that matched, shortened.
    pub rules: String,
}

/// [`AttemptRecord`], borrowed.
#[derive(Serialize)]
struct Written<'a> {
    time: Timestamp,
    bus: &'a str,
    offset: u64,
    event: &'a str,
    rule: &'a str,
    target: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<&'a str>,
    output: u32,
    attempt: u32,
    result: AttemptResult,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    took_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    became: Option<&'a str>,
    rules: &'a str,
}

impl Line {
    pub(super) fn encode(&self) -> Vec<u8> {
        let (id, sent) = (&self.id, &self.sent);
        let error = match self.error.char_indices().nth(ERROR_CHARS_MAX) {
            Some((end, _)) => self.error.get(..end).unwrap_or_default(),
            None => &self.error,
        };
        let written = Written {
            time: self.time,
            bus: &id.bus,
            offset: id.offset,
            event: &self.event_id,
            rule: &id.rule,
            target: &id.target,
            replay: id.replay.as_deref(),
            output: id.output,
            attempt: self.attempt,
            result: self.result,
            status: sent.http_status,
            took_us: u64::try_from(sent.took.as_micros()).unwrap_or(u64::MAX),
            error: (!error.is_empty()).then_some(error),
            retry_at: self.retry_at,
            became: sent.became.as_deref(),
            rules: &self.rules,
        };
        serde_json::to_vec(&written).expect("texts and numbers are JSON")
    }

    /// By what the line is found: its event's id and place, and the id of what it became.
    pub(super) fn keys(&self) -> impl Iterator<Item = u64> {
        let own = [of_event(&self.event_id), of_place(&self.id.bus, self.id.offset)];
        own.into_iter().chain(self.sent.became.as_deref().map(of_event))
    }
}

impl AttemptRecord {
    /// When it was made, from before it until after, by a clock that may have stepped a little.
    pub(super) fn around(&self) -> (Timestamp, Timestamp) {
        let begun = self.time.as_millis().saturating_sub_unsigned(self.took_us / 1000 + SLACK_MS);
        (Timestamp::from_millis(begun), self.time.after(Duration::from_millis(SLACK_MS)))
    }

    pub(super) fn decode(payload: &[u8]) -> Option<Self> {
        serde_json::from_slice(payload).ok()
    }
}

pub(super) fn of_event(id: &str) -> u64 {
    keys::text_at(EVENT, id)
}

pub(super) fn of_place(bus: &str, offset: u64) -> u64 {
    keys::text_at(PLACE, &format!("{bus}/{offset}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        Line {
            time: Timestamp::from_millis(1_800_000_000_123),
            id: DeliveryId {
                bus: "shop".into(),
                offset: 7,
                rule: "big \"orders\"".into(),
                target: "crm".into(),
                output: 1,
                replay: Some("again".into()),
            },
            event_id: "e-1".into(),
            attempt: 2,
            result: AttemptResult::Retry,
            rules: "0123456789ab".into(),
            sent: Sent { took: Duration::from_micros(1234), http_status: Some(503), became: None },
            error: "POST http://x: 503 ü".to_owned(),
            retry_at: Some(Timestamp::from_millis(1_800_000_001_000)),
        }
    }

    #[test]
    fn a_line_is_json_and_comes_back() {
        let text = String::from_utf8(line().encode()).unwrap();
        expect_test::expect![[r#"{"time":"2027-01-15T08:00:00.123Z","bus":"shop","offset":7,"event":"e-1","rule":"big \"orders\"","target":"crm","replay":"again","output":1,"attempt":2,"result":"retry","status":503,"took_us":1234,"error":"POST http://x: 503 ü","retry_at":"2027-01-15T08:00:01.000Z","rules":"0123456789ab"}"#]]
        .assert_eq(&text);
        let read = AttemptRecord::decode(text.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        assert!(AttemptRecord::decode(b"{").is_none());
    }

    #[test]
    fn a_line_is_found_by_its_event_its_place_and_what_it_became() {
        let keys = |line: &Line| line.keys().collect::<Vec<_>>();
        let own = [of_event("e-1"), of_place("shop", 7)];
        assert_eq!(keys(&line()), own);
        let sent = Sent { became: Some("e-2".into()), ..line().sent };
        assert_eq!(keys(&Line { sent, ..line() }), [own[0], own[1], of_event("e-2")]);
    }

    #[test]
    fn the_text_of_an_error_is_bounded() {
        let long = Line { error: "ü".repeat(5000), ..line() };
        let read = AttemptRecord::decode(&long.encode()).unwrap();
        assert_eq!(read.error.unwrap().chars().count(), ERROR_CHARS_MAX);
    }
}
