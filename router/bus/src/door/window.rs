//! What was taken in lately, by its key.
//!
//! ```text
//! nobody's ──claim──▶ claimed ──stored──▶ stored at an offset ──▶ forgotten: too old, or too many
//!     ▲                  │
//!     └─────dropped──────┘   the journal did not take it
//! ```
//!
//! # Invariants
//!
//! - Of those who claim one key, one has it at a time; the others wait for what becomes of it.
//! - bounded: at most `keys_max` keys are remembered, the oldest are forgotten first. Claims are bounded
//!   by the requests under way.
//! - A repeat is answered out of memory: also when its bus has let the first one go.
//!
//! # Not here
//!
//! - The keys themselves: a [`Print`] stands for one, its bus and its kind.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use event::{Event, Timestamp};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// 128 bits of SHA-256: nobody finds two keys with one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Print([u8; 16]);

impl Print {
    pub(super) fn of_key(bus: &str, key: &[u8]) -> Self {
        Self::of(b'k', &[bus.as_bytes(), key])
    }

    pub(super) fn of_source_and_id(bus: &str, source: &str, id: &str) -> Self {
        Self::of(b'p', &[bus.as_bytes(), source.as_bytes(), id.as_bytes()])
    }

    fn of(kind: u8, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new_with_prefix([kind]);
        for part in parts {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(part);
        }
        let mut print = [0; 16];
        print.copy_from_slice(hash.finalize().get(..16).expect("SHA-256 has 32 bytes"));
        Self(print)
    }
}

/// What a repeat is answered with, and told from another event by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct First {
    id: Id,
    content: Print,
}

/// Most ids are UUIDs as the router writes them, in a third of their text's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Id {
    Uuid(Uuid),
    Text(Box<str>),
}

impl First {
    pub(super) fn of(event: &Event) -> Self {
        let uuid = Uuid::try_parse(event.id()).ok().filter(|uuid| uuid.to_string() == event.id());
        let (kind, resources) = (event.detail_type(), event.resources());
        // Last, and only where there are some: the print of every other event stays as it was.
        let parts = [event.source(), kind, resources, event.detail()].into_iter();
        let parts: Vec<&[u8]> = parts.chain(event.cloudevents()).map(str::as_bytes).collect();
        Self {
            id: uuid.map_or_else(|| Id::Text(event.id().into()), Id::Uuid),
            content: Print::of(b'c', &parts),
        }
    }

    pub(super) fn id(&self) -> String {
        match &self.id {
            Id::Uuid(uuid) => uuid.to_string(),
            Id::Text(text) => text.as_ref().to_owned(),
        }
    }

    pub(super) fn has_content_of(&self, event: &Event) -> bool {
        self.content == Self::of(event).content
    }
}

/// Bounds by name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub window: Duration,
    pub keys_max: usize,
}

/// What is known of a key.
pub(super) enum Claim {
    /// Nothing: whoever asked sends the event, and says what became of it.
    Yours(Hold),
    /// Its event was taken in.
    Stored(First),
    /// Somebody else has it now. Ask again when this is cancelled.
    Taken(CancellationToken),
}

pub(super) struct Window {
    bounds: Bounds,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    known: HashMap<Print, Known>,
    /// What is stored, in the order of storing.
    order: VecDeque<(Timestamp, Print)>,
    forgotten_early: u64,
}

enum Known {
    Claimed(CancellationToken),
    Stored { first: First, time: Timestamp },
}

impl Window {
    pub(super) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self { bounds, inner: Mutex::default() })
    }

    pub(super) fn claim(self: &Arc<Self>, print: Print, now: Timestamp) -> Claim {
        let mut inner = self.lock();
        inner.forget(&self.bounds, now);
        match inner.known.get(&print) {
            Some(Known::Stored { first, .. }) => Claim::Stored(first.clone()),
            Some(Known::Claimed(over)) => Claim::Taken(over.clone()),
            None => {
                let over = CancellationToken::new();
                inner.known.insert(print, Known::Claimed(over.clone()));
                Claim::Yours(Hold { window: Arc::clone(self), print, over, is_over: false })
            }
        }
    }

    /// Remembers what the journal holds.
    pub(super) fn remember(&self, print: Print, first: First, time: Timestamp) {
        let mut inner = self.lock();
        inner.known.insert(print, Known::Stored { first, time });
        inner.order.push_back((time, print));
        inner.forget(&self.bounds, time);
    }

    /// Keys that are remembered, and keys that were forgotten before their time.
    pub(super) fn counts(&self) -> (usize, u64) {
        let inner = self.lock();
        (inner.order.len(), inner.forgotten_early)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget(&mut self, bounds: &Bounds, now: Timestamp) {
        while let Some((time, print)) = self.order.front().copied() {
            let is_old = bounds.window <= now.since(time);
            if !is_old && self.order.len() <= bounds.keys_max {
                return;
            }
            if !is_old {
                self.warn(bounds);
            }
            self.order.pop_front();
            // It may have been stored again since.
            let is_this =
                |known: &Known| matches!(known, Known::Stored { time: at, .. } if *at == time);
            if self.known.get(&print).is_some_and(is_this) {
                self.known.remove(&print);
            }
        }
    }

    fn warn(&mut self, bounds: &Bounds) {
        if self.forgotten_early == 0 {
            let Bounds { window, keys_max } = bounds;
            tracing::warn!(
                ?window,
                keys_max,
                "more idempotency keys than are remembered: the oldest are forgotten before their time; raise deduplication.keys_max, or shorten deduplication.window"
            );
        }
        self.forgotten_early += 1;
    }
}

/// The right to store the event of a key. Dropped without a word, the key is nobody's again.
pub(super) struct Hold {
    window: Arc<Window>,
    print: Print,
    over: CancellationToken,
    is_over: bool,
}

impl Hold {
    pub(super) fn stored(mut self, first: First, time: Timestamp) {
        self.is_over = true;
        self.window.remember(self.print, first, time);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.is_over {
            self.window.lock().known.remove(&self.print);
        }
        self.over.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(300);

    fn window(keys_max: usize) -> Arc<Window> {
        Window::new(Bounds { window: WINDOW, keys_max })
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn print(key: &str) -> Print {
        Print::of_key("default", key.as_bytes())
    }

    fn event(number: u64) -> First {
        let content = Print::of_key("", &number.to_le_bytes());
        First { id: Id::Text(number.to_string().into()), content }
    }

    fn store(window: &Arc<Window>, key: &str, number: u64, seconds: i64) {
        match window.claim(print(key), at(seconds)) {
            Claim::Yours(hold) => hold.stored(event(number), at(seconds)),
            _ => panic!("{key} is known"),
        }
    }

    fn stored(window: &Arc<Window>, key: &str, seconds: i64) -> Option<u64> {
        match window.claim(print(key), at(seconds)) {
            Claim::Stored(first) => first.id().parse().ok(),
            Claim::Yours(_) => None,
            Claim::Taken(_) => panic!("{key} is taken"),
        }
    }

    #[test]
    fn a_key_is_known_for_the_window_and_no_longer() {
        let window = window(10);
        store(&window, "a", 7, 0);
        assert_eq!(stored(&window, "a", 299), Some(7));
        assert_eq!(stored(&window, "a", 300), None);
        // Stored again, it has a window of its own.
        store(&window, "a", 9, 300);
        assert_eq!(stored(&window, "a", 599), Some(9));
        assert_eq!(window.counts(), (1, 0));
    }

    #[test]
    fn beyond_the_bound_the_oldest_is_forgotten_and_counted() {
        let window = window(2);
        for (number, key) in (0..).zip(["a", "b", "c"]) {
            store(&window, key, number, 1);
        }
        assert_eq!(stored(&window, "a", 1), None);
        assert_eq!((stored(&window, "b", 1), stored(&window, "c", 1)), (Some(1), Some(2)));
        assert_eq!(window.counts(), (2, 1));
    }

    #[test]
    fn of_two_who_claim_a_key_one_has_it_and_the_other_hears_what_became_of_it() {
        let window = window(10);
        let Claim::Yours(hold) = window.claim(print("a"), at(0)) else { panic!("it is new") };
        let Claim::Taken(over) = window.claim(print("a"), at(0)) else { panic!("it is taken") };
        assert!(!over.is_cancelled());
        drop(hold); // It was not stored: the next one may try.
        assert!(over.is_cancelled());
        let Claim::Yours(hold) = window.claim(print("a"), at(0)) else { panic!("it is free") };
        hold.stored(event(3), at(0));
        assert_eq!(stored(&window, "a", 0), Some(3));
    }

    #[test]
    fn kinds_buses_and_borders_are_told_apart() {
        let prints = [
            Print::of_key("a", b"bc"),
            Print::of_key("ab", b"c"),
            Print::of_source_and_id("a", "b", "c"),
            Print::of_source_and_id("a", "bc", ""),
        ];
        for (index, one) in prints.iter().enumerate() {
            assert!(!prints[..index].contains(one), "{index}");
        }
    }
}
