//! What a plugin has beside the event while no router runs: a state in memory, and somebody who reads its lines.
//!
//! # Invariants
//!
//! - As in a router, a call that fails leaves the state as it was.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bus::plugin::{self, Configured, Level, Line, LineSink, StateAccess, StateError};

use super::judge::Came;

/// Lines of one call that are kept; the host bounds them by its own limit first.
const LINES_MAX: usize = 1_000;

/// A value, and when it goes.
type Entry = (Vec<u8>, Option<i64>);
pub(super) type Entries = BTreeMap<String, Entry>;

/// A plugin's state, from event to event.
#[derive(Clone, Default)]
pub(super) struct State(Arc<Mutex<Entries>>);

/// The state as one event sees it.
struct View {
    state: State,
    before: Entries,
}

/// What the plugin logged since somebody looked.
#[derive(Clone, Default)]
pub(in crate::offline) struct Lines(Arc<Mutex<Vec<String>>>);

/// Sends an event through the plugin, as the first step of a rule would.
pub(super) fn call(
    configured: &Configured,
    event: &event::Event,
    attributes: &[(String, String)],
    state: &State,
) -> Came {
    let view = View { state: state.clone(), before: state.lock().clone() };
    let view: Arc<dyn StateAccess> = Arc::new(view);
    let event = plugin::Event {
        id: event.id(),
        source: event.source(),
        detail_type: event.detail_type(),
        time: event.time_text(),
        time_ms: event.time().as_millis(),
        json: event.json(),
        detail: event.detail_span(),
        attributes,
        position: 0,
    };
    let came = configured.call_batch(&[event], &[Some(Arc::clone(&view))]).pop();
    let came = came.expect("one event has one answer");
    if came.is_err() {
        view.undo();
    }
    came
}

impl State {
    pub(super) fn of(entries: Entries) -> Self {
        Self(Arc::new(Mutex::new(entries)))
    }

    pub(super) fn entries(&self) -> Entries {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateAccess for View {
    fn get(&self, key: &str, now_ms: i64) -> Result<Option<Vec<u8>>, StateError> {
        let entries = self.state.lock();
        let found = entries.get(key).filter(|(_, ends)| ends.is_none_or(|ends| now_ms < ends));
        Ok(found.map(|(value, _)| value.clone()))
    }

    fn set(&self, key: &str, value: Vec<u8>, expires_at_ms: Option<i64>) -> Result<(), StateError> {
        self.state.lock().insert(key.to_owned(), (value, expires_at_ms));
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<(), StateError> {
        self.state.lock().remove(key);
        Ok(())
    }

    fn undo(&self) {
        self.before.clone_into(&mut self.state.lock());
    }
}

impl Lines {
    pub(in crate::offline) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl LineSink for Lines {
    fn is_wanted(&self, _: Level) -> bool {
        true
    }

    fn line(&self, line: &Line<'_>) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < LINES_MAX {
            lines.push(format!("{}: {}", line.level.name(), line.text));
        }
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648, section 4.
pub(super) fn to_base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .enumerate()
            .fold(0_u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for at in 0..4_usize {
            let digit = (bits >> (18 - 6 * at)) & 63;
            let digit = usize::try_from(digit).ok().and_then(|digit| DIGITS.get(digit));
            out.push(if at <= group.len() { char::from(*digit.unwrap_or(&b'=')) } else { '=' });
        }
    }
    out
}

/// None when it is no base64.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let digit = DIGITS.iter().position(|digit| *digit == byte)?;
        bits = bits << 6 | u32::try_from(digit).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 255).ok()?);
        }
    }
    (text.len().is_multiple_of(4)).then_some(out)
}

/// A state as cases write it: texts, or `{"base64": …}` of what is none.
pub(super) fn written(entries: &Entries) -> String {
    let mut out = String::from("{");
    for (at, (key, (value, _))) in entries.iter().enumerate() {
        let value = match std::str::from_utf8(value) {
            Ok(text) => serde_json::Value::from(text),
            Err(_) => serde_json::json!({ "base64": to_base64(value) }),
        };
        let comma = if at == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _infallible = write!(out, "{comma}{}:{value}", serde_json::Value::from(key.as_str()));
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(to_base64(bytes.as_bytes()), text);
            assert_eq!(from_base64(text).unwrap(), bytes.as_bytes());
        }
        assert_eq!(from_base64("Zg="), None);
        assert_eq!(from_base64("Z!=="), None);
        let entries =
            [("a".to_owned(), (vec![255], None)), ("b".to_owned(), (b"t".to_vec(), None))];
        assert_eq!(written(&entries.into()), r#"{"a":{"base64":"/w=="},"b":"t"}"#);
    }

    #[test]
    fn what_a_failed_call_wrote_is_undone_and_what_is_over_is_gone() {
        let state = State::of([("n".to_owned(), (b"2".to_vec(), Some(10)))].into());
        let view = View { state: state.clone(), before: state.entries() };
        assert_eq!(view.increment("n", 3, None, 9), Ok(5));
        assert!(view.increment("t", 1, None, 0).is_ok() && view.set("x", vec![1], None).is_ok());
        assert!(view.increment("x", 1, None, 0).is_err());
        view.undo();
        assert_eq!(written(&state.entries()), r#"{"n":"2"}"#);
        assert_eq!(view.get("n", 10), Ok(None));
    }
}
