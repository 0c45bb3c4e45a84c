//! Sealing on a schedule. What is kept of what was sealed: `retention`.
//!
//! ```text
//! hot segments ─ full: at once, the rest after `seal_after` ─▶ sealed ─ retention ─▶ gone
//! ```
//!
//! # Invariants
//!
//! - What the dispatcher has not passed stays hot.
//! - A round that fails is made again; nothing is lost by it, and retention goes on meanwhile: on a
//!   full disk it is what makes room.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use event::Event;
use journal::{Health, Keys, Offset, Record, SealWhat, Sealing};
use ruleset::pattern;

use crate::core::Core;
use crate::record;
use crate::selection::Asking;

/// How often the sealer looks whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The numbers of the values by which sealed blocks are skipped; they are on disk.
const SOURCE: u8 = 0;
const DETAIL_TYPE: u8 = 1;

/// What of a bus is kept. A file of sealed events goes when one of the two asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Since it was taken in.
    pub age: Option<Duration>,
    /// Of sealed events on disk, compressed.
    pub bytes: Option<u64>,
}

impl Default for Retention {
    fn default() -> Self {
        Self { age: Some(Duration::from_secs(7 * 24 * 60 * 60)), bytes: Some(10 << 30) }
    }
}

/// When an event is acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// When it is synced.
    #[default]
    Synced,
    /// When it is in memory; it is synced within this time.
    Interval(Duration),
}

/// What a bus has of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BusOptions {
    pub durability: Durability,
    pub retention: Retention,
}

/// Counts since the start of the process.
#[derive(Default)]
pub(crate) struct Counts {
    pub sealed_records: AtomicU64,
    pub expired_records: AtomicU64,
    pub failures: AtomicU64,
}

/// How much of a round was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Whole,
    /// What there was room for; the next round goes on.
    Cut,
}

/// When what is due.
struct Schedule {
    /// Since when something is hot that is not in a full segment.
    unsealed_since: Option<Duration>,
    expired_at: Duration,
}

/// Runs until the router stops.
pub(crate) async fn run(core: Arc<Core>) {
    let mut schedule = Schedule { unsealed_since: None, expired_at: core.clock.monotonic() };
    let mut is_failing = false;
    while !core.stop.is_cancelled() {
        tokio::select! {
            biased;
            () = core.stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => (),
        }
        core.note_refusal(false);
        let now = core.clock.monotonic();
        if schedule.expires(now, core.options.expire_every)
            || matches!(core.journal.health(), Health::Full { .. })
        {
            schedule.expired_at = now;
            core.expire().await;
        }
        let has_unsealed = core.journal.sealed_to() < core.journal.durable_end();
        let what = schedule.what(now, has_unsealed, core.options.seal_after);
        let sealed = {
            let _round = core.sealing.lock().await;
            let of = Arc::clone(&core);
            core.outside.blocking(move || of.seal(what)).await
        };
        if sealed == Ok(Extent::Whole) && what == SealWhat::All {
            schedule.unsealed_since = None;
        }
        match sealed {
            Ok(_) if is_failing => tracing::info!("events are sealed again"),
            Err(reason) if !is_failing => {
                tracing::error!(%reason, "events cannot be sealed: the journal grows until they can");
            }
            Ok(_) | Err(_) => (),
        }
        is_failing = core.sealing_trouble().is_some();
    }
}

impl Schedule {
    fn what(&mut self, now: Duration, has_unsealed: bool, seal_after: Duration) -> SealWhat {
        if !has_unsealed {
            self.unsealed_since = None;
            return SealWhat::Full;
        }
        let since = *self.unsealed_since.get_or_insert(now);
        if seal_after <= now.saturating_sub(since) { SealWhat::All } else { SealWhat::Full }
    }

    fn expires(&self, now: Duration, every: Duration) -> bool {
        every <= now.saturating_sub(self.expired_at)
    }
}

impl Core {
    pub(crate) fn bus_options(&self, bus: &str) -> BusOptions {
        self.options.bus_options.get(bus).cloned().unwrap_or_default()
    }

    /// Why the last round of sealing has failed.
    pub(crate) fn sealing_trouble(&self) -> Option<String> {
        self.sealing_trouble.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    pub(crate) fn seal(&self, what: SealWhat) -> Result<Extent, String> {
        let naming = Naming { core: self, asking: RefCell::default() };
        let sealed = self.journal.seal(&naming, what);
        let outcome = match sealed {
            Ok(sealed) => {
                if 0 < sealed.files {
                    tracing::debug!(
                        from = sealed.from.get(),
                        to = sealed.to.get(),
                        files = sealed.files,
                        bytes = sealed.bytes,
                        "events sealed"
                    );
                }
                self.counts.sealed_records.fetch_add(sealed.records, Ordering::Relaxed);
                Ok(if sealed.is_cut { Extent::Cut } else { Extent::Whole })
            }
            Err(error) => {
                self.counts.failures.fetch_add(1, Ordering::Relaxed);
                Err(error.to_string())
            }
        };
        let mut trouble =
            self.sealing_trouble.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *trouble = outcome.clone().err();
        outcome
    }
}

/// Names what sealed events are found by.
struct Naming<'a> {
    core: &'a Core,
    asking: RefCell<Asking>,
}

impl Sealing for Naming<'_> {
    fn keys(&self, entry: &Record, keys: &mut Keys) {
        // What is no event has no keys: no reader with a pattern misses it.
        let Ok((envelope, _)) = record::split(&entry.payload) else { return };
        let Ok(event) = Event::read(envelope) else { return };
        keys.value(SOURCE, event.source().as_bytes());
        keys.value(DETAIL_TYPE, event.detail_type().as_bytes());
        pattern::keys::of_event(event.bytes(), &mut |hash| keys.key(hash));
    }

    fn archives(&self, entry: &Record, into: &mut Vec<Arc<str>>) {
        let Ok((envelope, _)) = record::split(&entry.payload) else { return };
        let place = (&*entry.bus, entry.offset);
        // Asked anew for each event: one that came after an archive was made meets it.
        let archives = self.core.archives.load();
        into.extend(archives.of(place, &envelope, &mut self.asking.borrow_mut()));
    }

    fn hot_from(&self) -> Offset {
        self.core.dispatched()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_a_full_segment_is_sealed_when_it_is_old_enough() {
        let second = Duration::from_secs;
        let mut schedule = Schedule { unsealed_since: None, expired_at: second(0) };
        let mut at = |now, has_unsealed| schedule.what(second(now), has_unsealed, second(600));
        assert_eq!(at(100, false), SealWhat::Full);
        assert_eq!(at(200, true), SealWhat::Full);
        assert_eq!(at(799, true), SealWhat::Full);
        assert_eq!(at(800, true), SealWhat::All);
        assert_eq!(at(801, true), SealWhat::All, "until it has worked");
        assert_eq!(at(802, false), SealWhat::Full);
        assert_eq!(at(803, true), SealWhat::Full, "it begins anew");
    }
}
