//! What plugins keep between events, durable, by plugin and bus.
//!
//! ```text
//! an event in turn ─▶ its writes ─┬─▶ pending ─▶ on their way ─▶ state.sqlite
//!                                 └─▶ its outputs, in its lane ───────▲   one transaction
//! ```
//!
//! # Invariants
//!
//! - All or nothing: the writes of an event and its outcome take effect together, under `effect`, and whoever gathers
//!   what is to be written down holds it, too. So the state on disk is always that of events whose outcomes are there.
//! - Events that read and write one plugin's state on one bus run one after the other; the turns of several plugins
//!   are taken in the order of their names.
//! - An event that fails leaves nothing.
//! - Keys that have expired go by the times of the events that their plugin sees; a replay's go with it.

mod seen;
mod space;
mod view;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use event::Timestamp;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::Notify;

pub use view::{EventState, View};

use space::Space;

#[cfg(feature = "simulation")]
use crate::simulation::World;
use crate::state::{Keeping, Owner};

pub(crate) struct PluginState {
    /// There is something to be written down, and somebody waits for it.
    pub(crate) kept: Notify,
    reader: Reader,
    effect: Mutex<()>,
    spaces: Mutex<HashMap<Owner, Arc<Space>>>,
}

/// Looks at once into the database.
const READERS: usize = 4;

/// Looks into the database beside its writer.
pub(crate) enum Reader {
    File {
        path: PathBuf,
        /// Each is opened when it is needed.
        open: Box<[Mutex<Option<Connection>>; READERS]>,
    },
    #[cfg(feature = "simulation")]
    World(Arc<dyn World>),
}

impl Reader {
    pub(crate) fn file(path: &Path) -> Self {
        Self::File { path: path.to_owned(), open: Box::default() }
    }

    fn on<T>(&self, look: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        match self {
            Self::File { path, open } => {
                let free = open.iter().find_map(|one| one.try_lock().ok());
                let mut open =
                    free.unwrap_or_else(|| open[0].lock().unwrap_or_else(PoisonError::into_inner));
                if let Some(connection) = &*open {
                    return look(connection);
                }
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let connection = Connection::open_with_flags(path, flags)?;
                look(open.insert(connection))
            }
            #[cfg(feature = "simulation")]
            Self::World(world) => look(&world.database().lock().expect("no job panics")),
        }
    }
}

impl PluginState {
    pub(crate) fn new(reader: Reader) -> Arc<Self> {
        Arc::new(Self {
            kept: Notify::new(),
            reader,
            effect: Mutex::default(),
            spaces: Mutex::default(),
        })
    }

    fn space(&self, plugin: &str, bus: &Arc<str>, replay: Option<&Arc<str>>) -> Arc<Space> {
        let owner = Owner { plugin: plugin.into(), bus: Arc::clone(bus), replay: replay.cloned() };
        let mut spaces = self.spaces();
        let space =
            spaces.entry(owner).or_insert_with_key(|owner| Arc::new(Space::new(owner.clone())));
        Arc::clone(space)
    }

    /// Runs `work` in the turn of these plugins, sorted by name, for an event of this time.
    pub(crate) fn in_turn<T>(
        self: &Arc<Self>,
        plugins: &[&str],
        (bus, replay, time): (&Arc<str>, Option<&Arc<str>>, Timestamp),
        work: impl FnOnce(&EventState) -> T,
    ) -> T {
        let spaces: Vec<_> = plugins.iter().map(|plugin| self.space(plugin, bus, replay)).collect();
        let _turns: Vec<MutexGuard<'_, ()>> = spaces
            .iter()
            .map(|space| space.turn.lock().unwrap_or_else(PoisonError::into_inner))
            .collect();
        spaces.iter().for_each(|space| space.note(time));
        work(&EventState::new(self, Arc::clone(bus), replay.cloned()))
    }

    /// What an event wrote takes effect, together with its outcome.
    pub(crate) fn take_effect(&self, state: &EventState, outcome: impl FnOnce()) {
        let effect = self.effect.lock().unwrap_or_else(PoisonError::into_inner);
        state.take_effect();
        outcome();
        drop(effect);
        self.kept.notify_one();
    }

    /// Gathers outcomes, and with them what the events wrote that they are of.
    pub(crate) fn gather<T>(&self, outcomes: impl FnOnce() -> T) -> (T, Vec<Keeping>) {
        let _effect = self.effect.lock().unwrap_or_else(PoisonError::into_inner);
        let outcomes = outcomes();
        let spaces: BTreeMap<Owner, Arc<Space>> =
            self.spaces().iter().map(|(owner, space)| (owner.clone(), Arc::clone(space))).collect();
        (outcomes, spaces.values().flat_map(|space| space.gather()).collect())
    }

    /// What was gathered is on disk.
    pub(crate) fn written(&self, keeping: &[Keeping]) {
        let spaces = self.spaces();
        let mut last = None;
        for Keeping { owner, .. } in keeping {
            if last.replace(owner) != Some(owner)
                && let Some(space) = spaces.get(owner)
            {
                space.written();
            }
        }
    }

    /// Whose live keys no event asks for any more when they have expired before when.
    pub(crate) fn over(&self, now: Timestamp) -> Vec<(Owner, Timestamp)> {
        let spaces = self.spaces();
        let live = spaces.iter().filter(|(owner, _)| owner.replay.is_none());
        live.filter_map(|(owner, space)| Some((owner.clone(), space.over(now)?))).collect()
    }

    /// Keys that had expired are gone from the disk.
    pub(crate) fn swept(&self, keys: &[(Owner, String)]) {
        let spaces = self.spaces();
        for (owner, key) in keys {
            if let Some(space) = spaces.get(owner) {
                space.swept(key);
            }
        }
    }

    /// A replay has ended.
    pub(crate) fn forget(&self, replay: &str) {
        self.spaces().retain(|owner, _| owner.replay.as_deref() != Some(replay));
    }

    fn spaces(&self) -> MutexGuard<'_, HashMap<Owner, Arc<Space>>> {
        self.spaces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
