//! What a simulation brings in place of the world (feature `simulation`; the crate's own tests).
//!
//! Whoever drives it calls [`Journal::turn`](journal::Journal::turn) on [`Router::journal`]: there
//! is no thread that would.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use journal::{ChainOptions, Journal, SealWhat, SimulatedDisk};
use ruleset::{RuleSet, TargetKind};
use rusqlite::Connection;

use crate::clock::Clock;
use crate::key::Key;
use crate::options::Options;
use crate::outside::Outside;
use crate::router::{OpenError, Router};

/// Everything that a router does not decide itself. It outlives the routers on it.
pub trait World: Send + Sync {
    fn fill_random(&self, bytes: &mut [u8]);

    /// Time passes in which the others go on; nothing, or a while.
    fn pass(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// The data folder.
    fn disk(&self) -> SimulatedDisk;

    /// What is committed here survives everything.
    fn database(&self) -> Arc<Mutex<Connection>>;

    /// Asked before each transaction: whether the database works. It fails with this reason.
    ///
    /// # Errors
    ///
    /// When the simulation wants it so.
    fn transaction(&self) -> Result<(), String>;

    /// What stands at the other end of a target; `None` leaves it to the router.
    fn target(&self, key: &Key, kind: &TargetKind) -> Option<Arc<dyn delivery::Target>>;
}

/// Sizes that make segments change every few events; [`Options`] raises what is too small.
pub(crate) fn journal_options(defaults: journal::Options) -> journal::Options {
    journal::Options {
        inline: true,
        record_bytes_max: 1,
        group_bytes_max: 1,
        queue_bytes_max: 64 << 10,
        free_bytes_min: 0,
        ..defaults
    }
}

/// Files and blocks of the delivery log that end every few attempts.
pub(crate) fn log_options(defaults: ChainOptions) -> ChainOptions {
    ChainOptions { segment_bytes_max: 8 << 10, block_bytes_max: 1 << 10, ..defaults }
}

impl Router {
    /// [`Router::open`] in a simulated world.
    ///
    /// # Errors
    ///
    /// As `open`.
    pub async fn open_in(
        world: Arc<dyn World>,
        options: Options,
        clock: Arc<dyn Clock>,
        rules: Arc<RuleSet>,
        host: plugin::Host,
    ) -> Result<Router, OpenError> {
        Router::open_on(Outside::Simulated(world), options, clock, (rules, host)).await
    }

    pub fn journal(&self) -> &Journal {
        &self.core.journal
    }

    /// What the router does now and then by itself.
    ///
    /// # Errors
    ///
    /// Why not all was sealed.
    pub fn seal(&self, what: SealWhat) -> Result<(), String> {
        let Ok(_round) = self.core.sealing.try_lock() else {
            return Err("another round, or the making of an archive, is under way".to_owned());
        };
        self.core.seal(what).map(drop)
    }

    /// The same.
    pub async fn expire(&self) {
        self.core.expire().await;
    }
}
