//! The data folder: what is opened in it, in which order, and whether it belongs together.
//!
//! ```text
//! journal/   attempts/   state.sqlite
//! ```

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use journal::{Chain, ChainOptions, Journal, Offset, Recovery};

use crate::clock::Clock;
use crate::options::Options;
use crate::outside::Outside;
use crate::router::OpenError;
use crate::state::{Remembered, State, StateError, Subscription, belonging};
use crate::trail::Log;

pub(crate) struct Opened {
    pub journal: Journal,
    pub state: State,
    /// There are events, and nothing is known of what was owed.
    pub is_state_lost: bool,
    /// Or why there is none: a router delivers without its log.
    pub attempts: Result<Log, String>,
}

pub(crate) fn open(
    outside: &Outside,
    options: &Options,
    clock: Arc<dyn Clock>,
) -> Result<Opened, OpenError> {
    let path = state_path(options);
    let remembered = match outside {
        Outside::System => remembered(options, &path)?,
        #[cfg(feature = "simulation")]
        Outside::Simulated(_) => Remembered::default(),
    };
    let is_blank = remembered.is_blank();
    // First, because it takes the folder's lock.
    let (journal, recovery) = open_journal(outside, options, (remembered.end, clock))?;
    match &recovery.torn {
        Some(torn) => tracing::warn!(
            path = %torn.path.display(), position = torn.position, bytes = torn.bytes_cut, records = recovery.records,
            "a torn tail was cut: what stood there had not been acknowledged"
        ),
        None => tracing::debug!(records = recovery.records, "journal recovered"),
    }
    let is_state_lost =
        matches!(outside, Outside::System) && is_blank && 0 < journal.durable_end().get();
    let state = match outside {
        Outside::System => {
            if is_state_lost {
                tracing::warn!(
                    path = %path.display(), offset = journal.durable_end().get(),
                    "there is a journal but no state (state.sqlite, with its state.sqlite-wal): all subscriptions begin at this offset, and nothing before it is owed; \
                     what came before can be replayed"
                );
            }
            State::open(&path)?
        }
        #[cfg(feature = "simulation")]
        Outside::Simulated(world) => State::open_in(Arc::clone(world))?,
    };
    let attempts = open_attempts(outside, options);
    if let Err(reason) = &attempts {
        tracing::error!(%reason, "the delivery log cannot be opened: attempts are not recorded");
    }
    Ok(Opened { journal, state, is_state_lost, attempts })
}

pub(crate) fn state_path(options: &Options) -> PathBuf {
    options.data_dir.join("state.sqlite")
}

/// What the database knows of the journal, if the two belong together.
fn remembered(options: &Options, path: &Path) -> Result<Remembered, OpenError> {
    let remembered = Remembered::read(path).unwrap_or_default();
    let id = journal::store_id(&options.data_dir.join("journal"));
    let reason = match (remembered.id, id) {
        (Some(one), Some(other)) if one != other => {
            "state.sqlite is the database of another journal: the two do not belong together; restore \
             both from one backup, or move state.sqlite away to begin all subscriptions anew"
        }
        (Some(_), None)
            if remembered.end != Offset::ZERO && is_empty(&options.data_dir.join("journal")) =>
        {
            "there is state.sqlite, but the journal is gone that it belongs to; restore both from one \
             backup, or move state.sqlite away, too, to begin with an empty journal"
        }
        _ => return Ok(remembered),
    };
    let path = options.data_dir.display().to_string();
    Err(OpenError::Folder { path, reason: reason.to_owned() })
}

/// Whether a journal would be begun here.
fn is_empty(dir: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(dir) else { return true };
    let is_part = |name: &str| name == "store" || name.ends_with(".hot");
    !entries.flatten().any(|entry| entry.file_name().to_str().is_some_and(is_part))
}

fn open_attempts(outside: &Outside, options: &Options) -> Result<Log, String> {
    let chain = ChainOptions::new(options.data_dir.join("attempts"), "attempts");
    let opened = match outside {
        Outside::System => Chain::open(chain),
        #[cfg(feature = "simulation")]
        Outside::Simulated(world) => {
            let small = crate::simulation::log_options(chain);
            Chain::open_on(&world.disk().below("attempts"), small)
        }
    };
    let (chain, _said_in_the_log) = opened.map_err(|error| match &error {
        // It says what to do.
        journal::OpenError::Io { source, .. } if source.kind() == ErrorKind::StorageFull => {
            error.to_string()
        }
        _ => format!("{error}; move data/attempts away to begin a new one"),
    })?;
    Log::new(chain)
}

fn open_journal(
    outside: &Outside,
    options: &Options,
    (end_min, clock): (Offset, Arc<dyn Clock>),
) -> Result<(Journal, Recovery), OpenError> {
    let folder = &options.data_dir;
    let defaults = journal::Options {
        end_min,
        sealed_dir: folder.join("sealed"),
        archives_dir: folder.join("archives"),
        free_bytes_min: options.free_bytes_min,
        monotonic: Arc::new(move || clock.monotonic()),
        ..journal::Options::new(folder.join("journal"))
    };
    match outside {
        Outside::System => {
            journal::make_folder(folder).map_err(|source| not_made(folder, source))?;
            Ok(Journal::open(sized(defaults, options))?)
        }
        #[cfg(feature = "simulation")]
        Outside::Simulated(world) => {
            let small = crate::simulation::journal_options(defaults);
            Ok(Journal::open_on(&world.disk().below("journal"), sized(small, options))?)
        }
    }
}

fn not_made(folder: &Path, source: io::Error) -> OpenError {
    if source.kind() == ErrorKind::StorageFull {
        let path = folder.to_owned();
        return journal::OpenError::Io { path, action: "make the data folder", source }.into();
    }
    OpenError::Folder {
        path: folder.display().to_string(),
        reason: format!("{source}; choose a folder that this user may write to (--data)"),
    }
}

/// The journal's sizes, raised to what the largest event needs.
fn sized(mut journal: journal::Options, options: &Options) -> journal::Options {
    // What a bus adds to an event (id, time, account) is small beside the room of a second one.
    let largest = options.limits.event_bytes_max.saturating_mul(2);
    journal.record_bytes_max = journal.record_bytes_max.max(largest);
    journal.group_bytes_max = journal.group_bytes_max.max(2 * journal.record_bytes_max);
    // A segment holds a largest group with room to spare.
    let smallest = u64::try_from(2 * journal.group_bytes_max).unwrap_or(u64::MAX);
    journal.segment_bytes = options.segment_bytes.max(smallest);
    journal
}

/// Writes down which journal the database is of, in the file itself.
pub(crate) async fn bind(state: &State, options: &Options) -> Result<(), StateError> {
    let Some(id) = journal::store_id(&options.data_dir.join("journal")) else { return Ok(()) };
    state.run(move |tx| Remembered::write_id(tx, id)).await?;
    state.checkpoint().await;
    Ok(())
}

/// A journal that ends before a subscription has read is not the one that was read.
pub(crate) fn check_belonging(
    options: &Options,
    stored: &[Subscription],
    end: Offset,
) -> Result<(), OpenError> {
    let Some(ahead) = stored.iter().find(|one| end < one.settled) else { return Ok(()) };
    Err(OpenError::Folder {
        path: options.data_dir.display().to_string(),
        reason: format!(
            "the journal ends at offset {end}, but {} has had everything below {}: journal and \
             state.sqlite do not belong together, or the journal has lost its end; restore both \
             from one backup, or move state.sqlite away to begin all subscriptions anew",
            ahead.key, ahead.settled
        ),
    })
}

/// What is wrong with the state database of a stopped router, and up to where its journal must go.
pub fn verify_state(data_dir: &Path) -> (Vec<journal::Fault>, Offset) {
    let path = data_dir.join("state.sqlite");
    let id = journal::store_id(&data_dir.join("journal"));
    let (complaints, end) = if path.exists() {
        belonging::verify(&path, id)
    } else {
        let what = "the state database is missing; restore it from a copy, or start the router to \
                    begin all subscriptions anew";
        return (vec![fault(&path, what.to_owned())], Offset::ZERO);
    };
    let faults = complaints.into_iter().map(|what| fault(&path, what));
    (faults.collect(), end)
}

fn fault(path: &Path, what: String) -> journal::Fault {
    journal::Fault { path: path.to_owned(), position: 0, what, offsets: None, records: None }
}
