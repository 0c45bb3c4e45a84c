//! The task that drives a lane: starts what may start, reads when behind, waits for the rest.

use std::sync::Arc;
use std::time::Duration;

use delivery::DeliveryId;
use event::Timestamp;
use journal::{Cursor, Offset};
use tokio::task::JoinSet;

use super::versions::Versions;
use super::{Lane, Owed, Work};
use crate::attempt::{self, Outcome};
use crate::core::Core;
use crate::key::Key;
use crate::record;

/// Due times are read off a clock that may be set: never sleep longer on one reading of it.
const SLEEP_MAX: Duration = Duration::from_secs(10);
/// The dispatcher is about to pass the place where a lane waits to read on.
const EARLY_AGAIN_AFTER: Duration = Duration::from_millis(5);
/// After a place in the journal that cannot be read.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// What a finished attempt was about.
enum Finished {
    Event(Offset, Outcome),
    Retry(DeliveryId, Outcome),
}

/// Runs until the lane's span is over or the router stops; what is under way is finished.
pub(crate) async fn run(core: Arc<Core>, lane: Arc<Lane>) {
    let mut running = JoinSet::new();
    let mut cursor = None;
    let mut trouble = Trouble::None;
    while !core.stop.is_cancelled() {
        start(&core, &lane, &mut running);
        let reading = lane.lock().wants_reading().filter(|_| matches!(trouble, Trouble::None));
        if let Some(from) = reading {
            trouble = read(&core, &lane, &mut cursor, from).await;
            finish_ready(&lane, &mut running);
            continue;
        }
        if running.is_empty() && lane.lock().end_if_over() {
            core.lane_over.notify_one();
            break;
        }
        let nap = match trouble {
            Trouble::Reading => READ_AGAIN_AFTER,
            Trouble::Early => EARLY_AGAIN_AFTER,
            Trouble::None if !core.state_is_well() => core.options.flush_every,
            Trouble::None => lane.due_in(core.clock.now()).unwrap_or(SLEEP_MAX).min(SLEEP_MAX),
        };
        // A due delivery may have to wait for a place among those under way.
        let is_full = running.len() >= core.concurrency_of(&lane.key);
        tokio::select! {
            Some(finished) = running.join_next(), if !running.is_empty() => {
                settle(&lane, finished);
                finish_ready(&lane, &mut running);
            }
            () = lane.wake.notified() => (),
            () = tokio::time::sleep(nap), if !is_full => trouble = Trouble::None,
            () = core.stop.cancelled() => (),
        }
    }
    while let Some(finished) = running.join_next().await {
        settle(&lane, finished);
    }
}

enum Trouble {
    None,
    /// The journal cannot be read here.
    Reading,
    /// The dispatcher has not been here yet.
    Early,
}

fn start(core: &Arc<Core>, lane: &Arc<Lane>, running: &mut JoinSet<Finished>) {
    // While outcomes cannot be written down, making more of them would only make repetitions.
    while running.len() < core.concurrency_of(&lane.key) && core.state_is_well() {
        let (work, route) = {
            let mut inner = lane.lock();
            let Some(work) = inner.next(core.clock.now()) else { return };
            (work, Arc::clone(&inner.route))
        };
        let (core, key) = (Arc::clone(core), lane.key.clone());
        match work {
            Work::Event(owed) => running.spawn(async move {
                let offset = owed.offset;
                Finished::Event(offset, attempt::event(core, key, owed).await)
            }),
            Work::Retry(waiting) => running.spawn(async move {
                let id = waiting.id.clone();
                Finished::Retry(id, attempt::retry(core, key, route, waiting).await)
            }),
        };
    }
}

fn finish_ready(lane: &Lane, running: &mut JoinSet<Finished>) {
    while let Some(finished) = running.try_join_next() {
        settle(lane, finished);
    }
}

fn settle(lane: &Lane, finished: Result<Finished, tokio::task::JoinError>) {
    match finished.expect("an attempt does not panic and is not aborted") {
        Finished::Event(offset, outcome) => lane.lock().finish_event(offset, outcome),
        Finished::Retry(id, outcome) => lane.lock().finish_retry(&id, outcome),
    }
}

/// Reads one batch of the journal with the lane's own rule.
async fn read(
    core: &Arc<Core>,
    lane: &Arc<Lane>,
    cursor: &mut Option<Cursor>,
    from: Offset,
) -> Trouble {
    let mut reader = cursor
        .take()
        .filter(|cursor| cursor.position() == from)
        .unwrap_or_else(|| core.journal.read_from(from));
    // one version: first the place, then the versions. A swap that comes later is beyond the place.
    let dispatched = core.dispatched();
    let (versions, end) = {
        let inner = lane.lock();
        (inner.versions(), inner.until().map_or(dispatched, |until| until.min(dispatched)))
    };
    if end <= from {
        // Nothing to read, but perhaps the lane can go live here.
        lane.lock().caught_up(Vec::new(), from);
        return Trouble::Early;
    }
    let key = lane.key.clone();
    let read = tokio::task::spawn_blocking(move || {
        let found = read_batch(&mut reader, &key, &versions, end);
        (reader, found)
    });
    let (reader, found) = read.await.expect("reading does not panic");
    match found {
        Ok((found, read_to)) => {
            lane.lock().caught_up(found, read_to);
            *cursor = Some(reader);
            Trouble::None
        }
        Err(reason) => {
            tracing::error!(subscription = %lane.key, offset = from.get(), %reason, "the journal cannot be read here");
            lane.lock().last_error = Some(reason);
            Trouble::Reading
        }
    }
}

/// The matched events of one batch, and how far it reached: never beyond `end`.
fn read_batch(
    reader: &mut Cursor,
    key: &Key,
    versions: &Versions,
    end: Offset,
) -> Result<(Vec<Owed>, Offset), String> {
    let batch = reader.next_batch().map_err(|error| error.to_string())?;
    let read_to = end.min(reader.position());
    let mut scratch = ruleset::Scratch::default();
    let mut found = Vec::new();
    for entry in batch.unwrap_or_default() {
        if end <= entry.offset || *entry.bus != *key.bus {
            continue;
        }
        let Some(route) = versions.at(entry.offset) else { continue };
        let (event, hops) = record::decode(&entry.payload).map_err(|error| error.to_string())?;
        let event = match &key.replay {
            Some(name) => event.replayed(name),
            None => event,
        };
        if route.rule.matches(event.bytes(), &mut scratch) {
            let (offset, ingested) = (entry.offset, Timestamp::from_millis(entry.time));
            found.push(Owed { offset, event, hops, ingested, route: Arc::clone(route) });
        }
    }
    Ok((found, read_to))
}
