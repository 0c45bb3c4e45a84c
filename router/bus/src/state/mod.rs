//! What a subscription must remember over a restart: one SQLite database, one writer thread.
//!
//! Operators may read it with their own tools while the router runs (`state.sqlite`, WAL mode).
//!
//! # Invariants
//!
//! - A [`Change`] is applied whole: `settled` moves in the transaction that writes the postponed
//!   and dead rows which make it true.
//! - Losing the last changes in a crash repeats deliveries; it never loses one.
//!
//! # Not here
//!
//! - Events: they stay in the journal, rows name them by offset; only a dead letter has its own copy. A postponed delivery keeps its
//!   rendered payload, because a transform runs once per event.

mod archives;
pub(crate) mod belonging;
mod dead;
mod kept;
pub(crate) mod letters;
mod opening;
mod owing;
mod postponed;
mod replays;
mod schema;
mod subscriptions;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use event::Timestamp;
use rusqlite::{Connection, ErrorCode, Transaction};
use tokio::sync::oneshot;

pub(crate) use archives::ArchiveRow;
pub(crate) use belonging::Remembered;
pub(crate) use dead::{Dead, Recall, Recalled};
pub(crate) use kept::{Keeping, Kept, Owner, sweep};
pub(crate) use letters::Letter;
pub(crate) use owing::{Owing, owing};
pub(crate) use postponed::{InShort, Made, Payload, Place, Postponed};
pub(crate) use replays::ReplayRow;
#[cfg(test)]
pub(crate) use schema::prepare;
pub use subscriptions::Stopped;
pub(crate) use subscriptions::{Change, Counts, Subscription, postpone};

#[cfg(feature = "simulation")]
use crate::simulation::World;

/// Jobs that wait for the writer thread.
const QUEUE_MAX: usize = 256;

/// Why the database did not do what was asked. Nothing was half-applied.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StateError {
    #[error("state database: {0}")]
    Sqlite(Arc<rusqlite::Error>),

    #[error(
        "state database {path}: format {found} was written by a newer slipswitch; this one knows up to {known}; start that newer version, or another --data folder"
    )]
    NewerFormat { path: String, found: i64, known: i64 },

    #[error("open state database {path}: {reason}")]
    Open { path: String, reason: String },

    #[error(
        "open state database {path}: the disk is full ({error}): {free} are free on it; make room on that disk, and start again"
    )]
    NoRoom { path: String, free: String, error: String },

    /// It may pass.
    #[error("open state database {path}: {reason}")]
    Failed { path: String, reason: String },

    #[error("state database: its thread has ended")]
    Ended,

    #[error("the router is stopping")]
    Stopping,
}

impl StateError {
    /// Whether the same may work later, without a change of what was asked.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(
                    ErrorCode::DiskFull
                        | ErrorCode::SystemIoFailure
                        | ErrorCode::CannotOpen
                        | ErrorCode::ReadOnly
                        | ErrorCode::DatabaseBusy
                        | ErrorCode::DatabaseLocked
                        | ErrorCode::OutOfMemory
                )
            ),
            Self::NoRoom { .. } | Self::Failed { .. } | Self::Ended | Self::Stopping => true,
            Self::NewerFormat { .. } | Self::Open { .. } => false,
        }
    }

    /// Whether room on the disk would help.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code() == Some(ErrorCode::DiskFull),
            Self::NoRoom { .. } => true,
            _ => false,
        }
    }
}

impl From<rusqlite::Error> for StateError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(Arc::new(error))
    }
}

pub(crate) type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// What is written down at once.
#[derive(Debug)]
pub(crate) struct Round {
    pub changes: Vec<Change>,
    /// What plugins keep of the events that the changes are about.
    pub keeping: Vec<Keeping>,
}

/// The handle to the database. Cheap to clone.
#[derive(Clone)]
pub(crate) enum State {
    /// A thread of its own does the jobs.
    Thread(SyncSender<Job>),
    /// In place, on what outlives the router.
    #[cfg(feature = "simulation")]
    Inline(Arc<dyn World>),
}

impl State {
    pub(crate) fn open(path: &Path) -> Result<State, StateError> {
        let mut connection = schema::open(path)?;
        let (jobs, queue) = sync_channel::<Job>(QUEUE_MAX);
        thread::Builder::new()
            .name("state".to_owned())
            .spawn(move || {
                for job in queue {
                    job(&mut connection);
                }
            })
            .map_err(|error| StateError::Open {
                path: path.display().to_string(),
                reason: error.to_string(),
            })?;
        Ok(State::Thread(jobs))
    }

    #[cfg(feature = "simulation")]
    pub(crate) fn open_in(world: Arc<dyn World>) -> Result<State, StateError> {
        let database = world.database();
        let connection = database.lock().expect("no job panics");
        schema::prepare(&connection, Path::new("memory"))?;
        Ok(State::Inline(world))
    }

    /// Runs one transaction on the database's thread: all of it, or an error and nothing.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, StateError> {
        let jobs = match self {
            Self::Thread(jobs) => jobs.clone(),
            #[cfg(feature = "simulation")]
            Self::Inline(world) => return inline(&**world, job).await,
        };
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let outcome = in_transaction(connection, job);
            // Whoever asked may have gone; what was done is done.
            drop(answer.send(outcome));
        });
        // The queue is short and the thread quick: only under pressure is there a wait at all.
        if let Err(std::sync::mpsc::TrySendError::Full(job)) = jobs.try_send(job) {
            let sent = tokio::task::spawn_blocking(move || jobs.send(job)).await;
            if !matches!(sent, Ok(Ok(()))) {
                return Err(StateError::Ended);
            }
        }
        answered.await.map_err(|_gone| StateError::Ended)?
    }

    /// Moves all that was written into the one file, so that it can be copied alone.
    pub(crate) async fn tidy(&self) {
        self.pragma("PRAGMA wal_checkpoint(TRUNCATE)").await;
    }

    /// Moves what was written into the one file, as far as nobody reads it: which journal it is of and which
    /// subscriptions there are then stands there, also when the write-ahead log is lost.
    pub(crate) async fn checkpoint(&self) {
        self.pragma("PRAGMA wal_checkpoint(PASSIVE)").await;
    }

    async fn pragma(&self, pragma: &'static str) {
        let jobs = match self {
            Self::Thread(jobs) => jobs,
            #[cfg(feature = "simulation")]
            Self::Inline(_) => return,
        };
        let (answer, answered) = oneshot::channel::<()>();
        let job: Job = Box::new(move |connection| {
            let done = connection.execute_batch(pragma);
            // Somebody else may be reading: then the next start does it.
            if let Err(error) = done {
                tracing::debug!(%error, "the state database keeps its write-ahead log");
            }
            // Whoever asked waits for no value, only for this end.
            drop(answer);
        });
        if jobs.try_send(job).is_ok() {
            drop(answered.await);
        }
    }

    /// Writes down the outcomes of many subscriptions in one transaction.
    pub(crate) async fn apply(
        &self,
        round: Arc<Round>,
        now: Timestamp,
        recall: Box<Recall>,
    ) -> Result<(), StateError> {
        self.run(move |tx| {
            round.changes.iter().try_for_each(|change| change.apply(tx, now, &*recall))?;
            round.keeping.iter().try_for_each(|keeping| keeping.apply(tx))
        })
        .await
    }
}

fn in_transaction<T>(
    connection: &mut Connection,
    job: impl FnOnce(&Transaction<'_>) -> Result<T, StateError>,
) -> Result<T, StateError> {
    let tx = connection.transaction()?;
    let outcome = job(&tx)?;
    tx.commit()?;
    Ok(outcome)
}

#[cfg(feature = "simulation")]
fn failure(reason: String) -> StateError {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR);
    StateError::from(rusqlite::Error::SqliteFailure(code, Some(reason)))
}

/// Whoever is killed before the end does not learn that it was committed.
#[cfg(feature = "simulation")]
async fn inline<T>(
    world: &dyn World,
    job: impl FnOnce(&Transaction<'_>) -> Result<T, StateError>,
) -> Result<T, StateError> {
    world.pass().await;
    let outcome = in_transaction(
        &mut world.database().lock().expect("no job panics"),
        // The failure comes last: what the job did is to be taken back.
        |tx| job(tx).and_then(|done| world.transaction().map(|()| done).map_err(failure)),
    );
    world.pass().await;
    outcome
}

/// Offsets are below 2^63: at a million events a second that lasts for 292,000 years.
pub(crate) fn to_sql(offset: u64) -> i64 {
    i64::try_from(offset).expect("offsets are below 2^63")
}

pub(crate) fn from_sql(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or(0)
}

#[cfg(test)]
mod tests;
