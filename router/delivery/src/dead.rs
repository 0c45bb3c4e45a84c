//! The record of a delivery that was given up.

use event::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

/// What kind of error ended a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The target answered that it will never take it.
    Refused,
    /// The retries ran out while the target could not be reached, or said "not now".
    Unavailable,
    /// The retries ran out, and the last attempt had no answer in time.
    Timeout,
    /// A transform failed, so that nothing was sent.
    Transform,
    /// The rule or the target was removed before it was delivered.
    TargetGone,
    /// Its event had left the journal before anything was made of it.
    EventGone,
}

impl ErrorKind {
    pub const ALL: [Self; 6] = [
        Self::Refused,
        Self::Unavailable,
        Self::Timeout,
        Self::Transform,
        Self::TargetGone,
        Self::EventGone,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Transform => "transform",
            Self::TargetGone => "target-gone",
            Self::EventGone => "event-gone",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Where a dead letter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LetterState {
    /// Waits for somebody.
    Dead,
    /// Somebody sent it again, and it waits until its target has room for it.
    Queued,
    /// It is being delivered again.
    Redriven,
    /// It was delivered after all.
    Delivered,
    /// It went through the rules again, and its own target is not among those they chose.
    Moved,
}

impl LetterState {
    pub const ALL: [Self; 5] =
        [Self::Dead, Self::Queued, Self::Redriven, Self::Delivered, Self::Moved];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Queued => "queued",
            Self::Redriven => "redriven",
            Self::Delivered => "delivered",
            Self::Moved => "moved",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A delivery that ended undelivered, with all that is needed to understand it and to send it
/// again.
#[derive(Debug, Clone, Serialize)]
pub struct DeadLetter {
    pub id: i64,
    pub bus: String,
    pub rule: String,
    pub target: String,
    pub replay: Option<String>,
    /// The event's place in the journal.
    pub offset: u64,
    pub event_id: String,
    /// The event itself, as a copy of its own; none where the journal had lost it before it died.
    pub event: Option<Box<RawValue>>,
    /// What would have been sent; none when a transform failed, so that nothing was made.
    pub payload: Option<String>,
    pub content_type: Option<String>,
    pub delivery_id: String,
    pub state: LetterState,
    pub kind: ErrorKind,
    /// The last error.
    pub error: String,
    /// The beginning of the digest of the rules that it died under, as the attempts have it; none
    /// where the rules did not know it any more.
    pub rules: Option<String>,
    /// Since it became owed.
    pub attempts: u32,
    /// Since it was owed for the first time.
    pub attempts_total: u32,
    /// When the delivery became owed: its event's time of ingestion, or the last redrive.
    pub owed_at: Timestamp,
    pub last_attempt_at: Timestamp,
    pub first_died_at: Timestamp,
    pub died_at: Timestamp,
    /// How often it was sent again.
    pub redriven: u32,
    pub redriven_at: Option<Timestamp>,
    /// When it was delivered, or moved.
    pub ended_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_shown() {
        for kind in ErrorKind::ALL {
            assert_eq!(ErrorKind::parse(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        for state in LetterState::ALL {
            assert_eq!(LetterState::parse(state.as_str()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        assert_eq!((ErrorKind::parse("Refused"), LetterState::parse("")), (None, None));
    }
}
