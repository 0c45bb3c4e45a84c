//! What one event sees and writes of the state of the plugins on its way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plugin::{StateAccess, StateError};

use super::space::Space;
use super::{PluginState, Reader};
use crate::state::Kept;

/// Keys of one plugin on one bus.
const KEYS_MAX: i64 = 1_000_000;
/// Of keys and values together.
const BYTES_MAX: i64 = 256 << 20;

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
}

#[derive(Default)]
struct Writes {
    /// Of the calls so far.
    kept: BTreeMap<String, Kept>,
    /// Of the call under way.
    current: BTreeMap<String, Kept>,
    /// How long keys and values were before, of those that were there.
    before: BTreeMap<String, Option<i64>>,
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
        let view = Arc::new(View { below, writes: Mutex::default() });
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
        if let Some(kept) = writes.current.get(key).or_else(|| writes.kept.get(key)) {
            return Ok(kept.clone());
        }
        drop(writes);
        self.below(key)
    }

    fn write(&self, key: &str, kept: Kept) -> Result<(), StateError> {
        let is_new = !self.lock().before.contains_key(key);
        if is_new {
            // Known before anything of it changes.
            self.totals()?;
            let before = bytes(key, &self.below(key)?);
            self.lock().before.insert(key.to_owned(), before);
        }
        let value = kept.value.is_some();
        let undone = self.lock().current.insert(key.to_owned(), kept);
        if value && let Err(error) = self.check() {
            let mut writes = self.lock();
            match undone {
                Some(undone) => writes.current.insert(key.to_owned(), undone),
                None => writes.current.remove(key),
            };
            return Err(error);
        }
        Ok(())
    }

    fn totals(&self) -> Result<(i64, i64), StateError> {
        match &self.below {
            Some((store, space)) => space.totals(&store.reader),
            None => Ok((0, 0)),
        }
    }

    fn check(&self) -> Result<(), StateError> {
        let totals = self.totals()?;
        let grown = self.lock().grown();
        let too_large = |words: String| Err(StateError::TooLarge(words));
        if KEYS_MAX < totals.0 + grown.0 {
            return too_large(format!("a plugin has at most {KEYS_MAX} keys on a bus"));
        }
        if BYTES_MAX < totals.1 + grown.1 {
            return too_large(format!(
                "a plugin has at most {BYTES_MAX} bytes of keys and values on a bus"
            ));
        }
        Ok(())
    }

    fn take_effect(&self) {
        let Some((_, space)) = &self.below else { return };
        let mut writes = std::mem::take(&mut *self.lock());
        writes.current.clear();
        let grown = writes.grown();
        space.take(writes.kept, grown);
    }
}

impl Writes {
    /// What the writes change of the number of keys, and of their bytes.
    fn grown(&self) -> (i64, i64) {
        let all = self.kept.iter().filter(|(key, _)| !self.current.contains_key(*key));
        all.chain(&self.current).fold((0, 0), |(keys, sum), (key, kept)| {
            let (before, after) = (self.before.get(key).copied().flatten(), bytes(key, kept));
            let count = |bytes: Option<i64>| i64::from(bytes.is_some());
            (keys + count(after) - count(before), sum + after.unwrap_or(0) - before.unwrap_or(0))
        })
    }
}

/// Of a key and its value; none where there is nothing.
fn bytes(key: &str, kept: &Kept) -> Option<i64> {
    let value = kept.value.as_ref()?;
    Some(i64::try_from(key.len() + value.len()).unwrap_or(i64::MAX))
}

impl StateAccess for View {
    fn get(&self, key: &str, now_ms: i64) -> Result<Option<Vec<u8>>, StateError> {
        let Kept { value, expires_at } = self.raw(key)?;
        let is_over = expires_at.is_some_and(|at| at <= now_ms);
        Ok(value.filter(|_| !is_over).map(|value| value.to_vec()))
    }

    fn set(&self, key: &str, value: Vec<u8>, expires_at_ms: Option<i64>) -> Result<(), StateError> {
        self.write(key, Kept { value: Some(value.into()), expires_at: expires_at_ms })
    }

    fn delete(&self, key: &str) -> Result<(), StateError> {
        self.write(key, Kept::NOTHING)
    }

    fn increment(
        &self,
        key: &str,
        by: i64,
        expires_at_ms: Option<i64>,
        now_ms: i64,
    ) -> Result<i64, StateError> {
        let before = self.get(key, now_ms)?.unwrap_or_default();
        let number = std::str::from_utf8(&before).ok().and_then(|text| text.parse::<i64>().ok());
        let sum = number.unwrap_or(0).saturating_add(by);
        self.set(key, sum.to_string().into_bytes(), expires_at_ms)?;
        Ok(sum)
    }

    fn undo(&self) {
        self.lock().current.clear();
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
