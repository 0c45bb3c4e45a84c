//! What one event sees and writes of the state of the plugins on its way.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plugin::{StateAccess, StateError};

use super::space::Space;
use super::{PluginState, Reader};
use crate::state::Kept;

/// Keys of one plugin on one bus.
const KEYS_MAX: i64 = 1_000_000;
/// Of keys and values together.
const BYTES_MAX: i64 = 256 << 20;
/// Keys of one plugin that an event writes: they wait in memory, and go to the disk at once.
const EVENT_KEYS_MAX: usize = 1_000;
/// Of these keys and their values together.
const EVENT_BYTES_MAX: i64 = 1 << 20;

/// Calls of a plugin for an event, reads included: each may be a look at the disk, where all plugins look one by one.
const EVENT_CALLS_MAX: usize = 2_000;

/// The state of the plugins on an event's way. It is dropped when the event fails, with all that was written.
pub struct EventState {
    /// None: a scratch that begins empty.
    store: Option<Arc<PluginState>>,
    pub(super) bus: Arc<str>,
    pub(super) replay: Option<Arc<str>>,
    views: Mutex<BTreeMap<String, Arc<View>>>,
}

/// The state of one plugin.
pub struct View {
    below: Option<(Arc<PluginState>, Arc<Space>)>,
    writes: Mutex<Writes>,
    calls: AtomicUsize,
}

#[derive(Default)]
struct Writes {
    /// Of the calls so far.
    kept: BTreeMap<String, Written>,
    /// Of the call under way.
    current: BTreeMap<String, Written>,
    /// Of both together, and without the call under way.
    sum: Sum,
    sum_kept: Sum,
}

struct Written {
    kept: Kept,
    /// How long key and value were before the event, if they were there.
    before: Option<i64>,
}

#[derive(Default, Clone, Copy)]
struct Sum {
    /// Keys that are written, and the bytes of keys and values.
    keys: usize,
    bytes: i64,
    /// What that changes of the number of all keys, and of their bytes.
    grown: (i64, i64),
}

impl EventState {
    pub(crate) fn new(store: &Arc<PluginState>, bus: Arc<str>, replay: Option<Arc<str>>) -> Self {
        Self { store: Some(Arc::clone(store)), bus, replay, views: Mutex::default() }
    }

    /// Begins empty, and is thrown away.
    pub fn scratch() -> Self {
        Self { store: None, bus: "".into(), replay: None, views: Mutex::default() }
    }

    /// The state of a plugin.
    pub fn of(&self, plugin: &str) -> Arc<View> {
        let mut views = self.lock();
        if let Some(view) = views.get(plugin) {
            return Arc::clone(view);
        }
        let below = self.store.as_ref().map(|store| {
            let space = store.space(plugin, &self.bus, self.replay.as_ref());
            (Arc::clone(store), space)
        });
        let view = Arc::new(View { below, writes: Mutex::default(), calls: AtomicUsize::new(0) });
        views.insert(plugin.to_owned(), Arc::clone(&view));
        view
    }

    /// All that was written takes effect.
    pub(super) fn take_effect(&self) {
        for view in self.lock().values() {
            view.take_effect();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<View>>> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View {
    /// The call under way went well: what it wrote is the event's.
    pub fn keep(&self) {
        let mut writes = self.lock();
        let current = std::mem::take(&mut writes.current);
        writes.kept.extend(current);
        writes.sum_kept = writes.sum;
    }

    fn lock(&self) -> MutexGuard<'_, Writes> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn below(&self, key: &str) -> Result<Kept, StateError> {
        match &self.below {
            Some((store, space)) => space.get(key, &store.reader),
            None => Ok(Kept::NOTHING),
        }
    }

    /// As it is now, also when it has expired.
    fn raw(&self, key: &str) -> Result<Kept, StateError> {
        let writes = self.lock();
        if let Some(written) = writes.of(key) {
            return Ok(written.kept.clone());
        }
        drop(writes);
        self.below(key)
    }

    fn write(&self, key: &str, kept: Kept) -> Result<(), StateError> {
        // Known before anything of it changes.
        let totals = self.totals()?;
        let known = self.lock().of(key).map(|written| written.before);
        let before = match known {
            Some(before) => before,
            None => bytes(key, &self.below(key)?),
        };
        let mut writes = self.lock();
        let sum = writes.sum_with(key, &kept, before);
        sum.check(totals, kept.value.is_some())?;
        writes.sum = sum;
        writes.current.insert(key.to_owned(), Written { kept, before });
        Ok(())
    }

    /// Before each call.
    fn begin_call(&self) -> Result<(), StateError> {
        if self.calls.fetch_add(1, Ordering::Relaxed) < EVENT_CALLS_MAX {
            return Ok(());
        }
        let problem = format!(
            "a plugin reads and writes its state at most {EVENT_CALLS_MAX} times for an event"
        );
        Err(StateError::TooLarge(problem))
    }

    fn totals(&self) -> Result<(i64, i64), StateError> {
        match &self.below {
            Some((store, space)) => space.totals(&store.reader),
            None => Ok((0, 0)),
        }
    }

    fn take_effect(&self) {
        let Some((_, space)) = &self.below else { return };
        let Writes { kept, sum_kept, .. } = std::mem::take(&mut *self.lock());
        let kept = kept.into_iter().map(|(key, written)| (key, written.kept));
        space.take(kept, sum_kept.grown);
    }
}

impl Writes {
    fn of(&self, key: &str) -> Option<&Written> {
        self.current.get(key).or_else(|| self.kept.get(key))
    }

    fn undo(&mut self) {
        self.current.clear();
        self.sum = self.sum_kept;
    }

    /// The sum, with one more write.
    fn sum_with(&self, key: &str, kept: &Kept, before: Option<i64>) -> Sum {
        let Sum { keys, bytes: sum, grown } = self.sum;
        let earlier = self.of(key).map(|written| bytes(key, &written.kept));
        let (was, is) = (earlier.unwrap_or(before), bytes(key, kept));
        // Also to remove a key is to write it.
        let written = |bytes: Option<i64>| bytes.unwrap_or(key_bytes(key));
        let count = |bytes: Option<i64>| i64::from(bytes.is_some());
        Sum {
            keys: keys + usize::from(earlier.is_none()),
            bytes: sum + written(is) - earlier.map_or(0, written),
            grown: (grown.0 + count(is) - count(was), grown.1 + is.unwrap_or(0) - was.unwrap_or(0)),
        }
    }
}

impl Sum {
    /// `totals` are those before the event.
    fn check(&self, totals: (i64, i64), is_value: bool) -> Result<(), StateError> {
        let problem = if EVENT_KEYS_MAX < self.keys {
            format!("an event writes at most {EVENT_KEYS_MAX} keys of a plugin")
        } else if EVENT_BYTES_MAX < self.bytes {
            format!(
                "an event writes at most {EVENT_BYTES_MAX} bytes of keys and values of a plugin"
            )
        } else if is_value && KEYS_MAX < totals.0 + self.grown.0 {
            format!("a plugin has at most {KEYS_MAX} keys on a bus")
        } else if is_value && BYTES_MAX < totals.1 + self.grown.1 {
            format!("a plugin has at most {BYTES_MAX} bytes of keys and values on a bus")
        } else {
            return Ok(());
        };
        Err(StateError::TooLarge(problem))
    }
}

/// Of a key and its value; none where there is nothing.
fn bytes(key: &str, kept: &Kept) -> Option<i64> {
    let value = kept.value.as_ref()?;
    Some(key_bytes(key).saturating_add(i64::try_from(value.len()).unwrap_or(i64::MAX)))
}

fn key_bytes(key: &str) -> i64 {
    i64::try_from(key.len()).unwrap_or(i64::MAX)
}

impl StateAccess for View {
    fn get(&self, key: &str, now_ms: i64) -> Result<Option<Vec<u8>>, StateError> {
        self.begin_call()?;
        let Kept { value, expires_at } = self.raw(key)?;
        let is_over = expires_at.is_some_and(|at| at <= now_ms);
        Ok(value.filter(|_| !is_over).map(|value| value.to_vec()))
    }

    fn set(&self, key: &str, value: Vec<u8>, expires_at_ms: Option<i64>) -> Result<(), StateError> {
        self.begin_call()?;
        self.write(key, Kept { value: Some(value.into()), expires_at: expires_at_ms })
    }

    fn delete(&self, key: &str) -> Result<(), StateError> {
        self.begin_call()?;
        self.write(key, Kept::NOTHING)
    }

    fn undo(&self) {
        self.lock().undo();
    }
}

impl std::fmt::Debug for EventState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventState").field("bus", &self.bus).finish_non_exhaustive()
    }
}

impl Reader {
    pub(super) fn read<T>(
        &self,
        look: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StateError> {
        self.on(look).map_err(|error| StateError::Unavailable(format!("state database: {error}")))
    }
}
