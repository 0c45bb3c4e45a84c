//! The bytes of an event, known to be one JSON object.
//!
//! Checking all of an event costs more than matching it, so it is done once, where the event comes
//! in, and the type remembers. The matcher then reads what patterns name and passes over the rest.
//!
//! # Not here
//!
//! - What the keys of an event mean: for patterns it is any object.

use crate::json::{Kind, SyntaxError, Tokens};
use crate::limits::EVENT_DEPTH_MAX;

/// One JSON object in UTF-8, nested no deeper than [`EVENT_DEPTH_MAX`].
#[derive(Copy, Clone, Debug)]
pub struct Event<'a> {
    bytes: &'a [u8],
}

/// Why bytes are not an event, or an event cannot be matched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at byte {offset})")]
pub struct EventError {
    /// Where in the event.
    pub offset: usize,
    pub message: String,
}

impl<'a> Event<'a> {
    /// Checks all of the bytes, also what no pattern will name.
    ///
    /// # Errors
    ///
    /// At the first byte that is wrong.
    pub fn check(bytes: &'a [u8]) -> Result<Self, EventError> {
        if let Err(error) = std::str::from_utf8(bytes) {
            let message = "the event is not UTF-8".to_owned();
            return Err(EventError { offset: error.valid_up_to(), message });
        }
        let mut tokens = Tokens::new(bytes, EVENT_DEPTH_MAX);
        match tokens.next()? {
            Some(token) if token.kind == Kind::ObjectStart => (),
            token => {
                let offset = token.map_or(bytes.len(), |token| token.span.start);
                let message = "Event must be a JSON object".to_owned();
                return Err(EventError { offset, message });
            }
        }
        while tokens.next()?.is_some() {}
        tokens.finish()?;
        Ok(Self { bytes })
    }

    /// Takes the caller's word that the bytes were checked, here or by another reader of JSON.
    ///
    /// With bytes that are no event a matcher gives some answer or an error; it does not panic.
    pub fn checked_before(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }
}

impl From<SyntaxError> for EventError {
    fn from(error: SyntaxError) -> Self {
        Self { offset: error.span.start, message: error.message }
    }
}
