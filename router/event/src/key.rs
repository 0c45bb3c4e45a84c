//! The key by which a sender says that it sends an event again, not another one.

use std::fmt;

/// The longest key, in bytes; its length stands in one byte of the journal's record.
const BYTES_MAX: usize = 255;

/// 1 to 255 visible characters of ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(Box<str>);

/// Why a text is no such key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("an idempotency key must not be empty; leave it away, or take a UUID")]
    Empty,

    #[error(
        "an idempotency key has at most {BYTES_MAX} bytes, and this one has {bytes}; take a UUID or a hash"
    )]
    TooLong { bytes: usize },

    #[error(
        "an idempotency key is made of visible ASCII characters, and byte {at} is none; take a UUID or a hash"
    )]
    NotVisible { at: usize },
}

impl IdempotencyKey {
    /// # Errors
    ///
    /// When `text` is empty, too long, or has spaces or anything else that cannot be seen.
    pub fn new(text: &str) -> Result<Self, KeyError> {
        match text.len() {
            0 => return Err(KeyError::Empty),
            1..=BYTES_MAX => (),
            bytes => return Err(KeyError::TooLong { bytes }),
        }
        match text.bytes().position(|byte| !byte.is_ascii_graphic()) {
            Some(at) => Err(KeyError::NotVisible { at }),
            None => Ok(Self(text.into())),
        }
    }

    /// The key of event number `index` (from 0) of a request that has this key. No sender can write such
    /// a key himself: it has a space.
    ///
    /// # Errors
    ///
    /// When both together are too long.
    pub fn of_event(&self, index: usize) -> Result<Self, KeyError> {
        let text = format!("{} {index}", self.0);
        if BYTES_MAX < text.len() {
            return Err(KeyError::TooLong { bytes: text.len() });
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_and_of_bounded_length() {
        assert_eq!(IdempotencyKey::new("8e03978e!~").unwrap().as_str(), "8e03978e!~");
        assert_eq!(IdempotencyKey::new(""), Err(KeyError::Empty));
        assert_eq!(IdempotencyKey::new("a b"), Err(KeyError::NotVisible { at: 1 }));
        assert_eq!(IdempotencyKey::new("é"), Err(KeyError::NotVisible { at: 0 }));
        assert!(IdempotencyKey::new(&"k".repeat(255)).is_ok());
        assert_eq!(IdempotencyKey::new(&"k".repeat(256)), Err(KeyError::TooLong { bytes: 256 }));
    }

    #[test]
    fn the_events_of_a_request_have_keys_that_no_request_has() {
        let key = IdempotencyKey::new("k").unwrap();
        assert_eq!(key.of_event(10).unwrap().as_str(), "k 10");
        assert!(IdempotencyKey::new("k 10").is_err());
        let long = IdempotencyKey::new(&"k".repeat(254)).unwrap();
        assert_eq!(long.of_event(0), Err(KeyError::TooLong { bytes: 256 }));
    }
}
