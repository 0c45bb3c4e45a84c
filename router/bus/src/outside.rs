//! What a router takes from outside, beside time: a simulation gives it something else.
//!
//! | | the router as shipped | in a simulation |
//! |---|---|---|
//! | random numbers | the system's | from the simulation's seed |
//! | work that blocks | a thread | in place, when the simulation lets it |
//! | the dispatcher | a thread | a task |
//! | HTTP targets | over the network | made by the simulation |
//! | journal and chains | a folder | a disk that loses, tears and fails |
//! | state | a file and a thread | a database in memory that outlives the router |
//!
//! # Not here
//!
//! - Decisions: all that is simulated is what answers, never what asks.

use std::path::Path;
use std::sync::Arc;

use delivery::Target;
use ruleset::TargetKind;

use crate::key::Key;
use crate::plugin_state::Reader;
#[cfg(feature = "simulation")]
use crate::simulation::World;

/// Where a router stands.
#[derive(Clone)]
pub(crate) enum Outside {
    System,
    #[cfg(feature = "simulation")]
    Simulated(Arc<dyn World>),
}

impl Outside {
    pub(crate) fn fill_random(&self, bytes: &mut [u8]) {
        match self {
            Self::System => getrandom::fill(bytes).expect("the system has random numbers"),
            #[cfg(feature = "simulation")]
            Self::Simulated(world) => world.fill_random(bytes),
        }
    }

    /// Does what may wait for a disk, off the threads that drive tasks.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        match self {
            Self::System => {
                let done = tokio::task::spawn_blocking(job);
                done.await.expect("it does not panic, and nobody aborts it")
            }
            #[cfg(feature = "simulation")]
            Self::Simulated(world) => {
                world.pass().await;
                let done = job();
                world.pass().await;
                done
            }
        }
    }

    /// What looks into the state database beside its writer.
    pub(crate) fn reader(&self, path: &Path) -> Reader {
        match self {
            Self::System => Reader::file(path),
            #[cfg(feature = "simulation")]
            Self::Simulated(world) => Reader::World(Arc::clone(world)),
        }
    }

    /// What stands at the other end of a target, when it is not what the rule says.
    pub(crate) fn target(&self, key: &Key, kind: &TargetKind) -> Option<Arc<dyn Target>> {
        match (self, key, kind) {
            (Self::System, _, _) => None,
            #[cfg(feature = "simulation")]
            (Self::Simulated(world), key, kind) => world.target(key, kind),
        }
    }
}
