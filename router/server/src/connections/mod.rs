//! The connections of a running router: their secrets read at the start, and read again when they change.
//!
//! ```text
//! configuration ─▶ Settings ──(environment, files, credentials)──▶ ConnectionOptions ─▶ delivery's Connections
//!                                    └── looked at with every poll of the folders
//! ```
//!
//! # Invariants
//!
//! - A secret that cannot be read stops the start; while the router runs, the one before stays in use.
//! - What is said of a secret is where it is from, never what it is.

mod fit;
mod reading;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bus::Clock;
use bus::delivery::{Connections, Moment};
use tracing::{error, info};

use crate::config::{Config, Settings};
pub(crate) use fit::Fit;
use reading::Reader;

/// Who reads the secrets.
#[derive(Clone)]
pub(crate) struct Keeper {
    settings: Arc<BTreeMap<String, Settings>>,
    folder: PathBuf,
    connections: Connections,
    /// What could not be read the last time, to be said once.
    broken: Vec<String>,
}

impl Keeper {
    /// Reads all secrets for the first time.
    ///
    /// # Errors
    ///
    /// All that cannot be read, for a person.
    pub(crate) fn open(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, String> {
        let clock = Arc::clone(clock);
        let moment = move || Moment { wall: clock.now(), steady: clock.monotonic() };
        let keeper = Self {
            settings: Arc::new(config.connections.clone()),
            folder: config.folder.clone(),
            connections: Connections::new(
                Arc::new(moment),
                bus::CONNECTIONS_IDLE_MAX,
                Arc::new(config.egress.clone()),
            ),
            broken: Vec::new(),
        };
        let (_, broken) = keeper.read();
        if broken.is_empty() { Ok(keeper) } else { Err(broken.join("\n")) }
    }

    pub(crate) fn connections(&self) -> Connections {
        self.connections.clone()
    }

    /// Reads all secrets again. May wait for a disk.
    pub(crate) fn refresh(mut self) -> Self {
        let (renewed, broken) = self.read();
        for name in renewed {
            info!(connection = %name, "another secret is in use");
        }
        for problem in broken.iter().filter(|problem| !self.broken.contains(problem)) {
            error!(%problem, "a connection's secret cannot be read, the one before stays in use");
        }
        self.broken = broken;
        self
    }

    /// The connections that became others, and what is wrong.
    fn read(&self) -> (Vec<String>, Vec<String>) {
        let (mut renewed, mut broken) = (Vec::new(), Vec::new());
        let reader = Reader::new(&self.folder);
        for (name, settings) in self.settings.iter() {
            let put = reader.options(settings).and_then(|options| {
                let put = self.connections.put(name, options);
                put.map_err(|error| vec![format!("connections.{name}: {error}")])
            });
            match put {
                Ok(true) => renewed.push(name.clone()),
                Ok(false) => (),
                Err(problems) => broken.extend(problems),
            }
        }
        (renewed, broken)
    }
}
