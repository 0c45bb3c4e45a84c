//! The record of a delivery that was given up.

use event::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

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
    /// The event itself; none where the journal no longer holds it.
    pub event: Option<Box<RawValue>>,
    /// What would have been sent; none when a transform failed, so that nothing was made.
    pub payload: Option<String>,
    pub content_type: Option<String>,
    pub delivery_id: String,
    /// The last error.
    pub error: String,
    pub attempts: u32,
    /// When the delivery became owed: its event's time of ingestion, or the last redrive.
    pub owed_at: Timestamp,
    pub last_attempt_at: Timestamp,
    pub died_at: Timestamp,
}
