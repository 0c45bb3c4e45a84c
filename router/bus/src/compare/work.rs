//! The threads that look at the events.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use event::Timestamp;
use journal::{Filter, Offset, ReadError};
use ruleset::Finds;
use ruleset::compare::{Look, Seen, Tally};
use ruleset::pattern::keys::Needs;

use super::make::Making;
use super::{CompareError, Looking, Past, Watch};
use crate::record;
use crate::selection::Asking;

/// Threads that look at once.
const THREADS_MAX: usize = 4;
/// Offsets that a thread takes at a time: many blocks, so that few are read by two.
const PART_MIN: u64 = 8_192;
const PARTS: u64 = 64;
/// How far the threads step back for the others.
const NICE: i32 = 10;

/// What is left of a span.
struct Parts {
    next: AtomicU64,
    to: u64,
    step: u64,
}

impl Parts {
    fn of((from, to): (Offset, Offset)) -> Self {
        let (from, to) = (from.get(), to.get());
        let step = (to.saturating_sub(from) / PARTS).max(PART_MIN);
        Self { next: AtomicU64::new(from), to, step }
    }

    fn take(&self) -> Option<(Offset, Offset)> {
        let from = self.next.fetch_add(self.step, Ordering::Relaxed);
        let to = from.saturating_add(self.step).min(self.to);
        (from < self.to).then(|| (Offset::new(from), Offset::new(to)))
    }
}

pub(super) fn work(
    looking: &Looking<'_>,
    past: &Past<'_>,
    (making, watch): (&Making, &Watch),
) -> Result<Tally, CompareError> {
    let parts = Parts::of(past.span);
    let filter = filter(looking, past);
    let sum = Mutex::new(Ok(looking.comparison.tally()));
    let examples = looking.ask.examples;
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                plugin::step_back(NICE);
                let mut look = Look::new(looking.comparison, past.bus, examples);
                let mut outcome = Ok(());
                while let Some(part) = parts.take() {
                    let thread = Thread { looking, past, making, watch, filter: &filter };
                    outcome = thread.look(&mut look, part);
                    if outcome.is_err() {
                        // Of what nobody will hear of, no more is looked at.
                        parts.next.store(parts.to, Ordering::Relaxed);
                        break;
                    }
                }
                let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                let before = std::mem::replace(&mut *sum, Err(CompareError::Left));
                *sum = match (before, outcome) {
                    (Ok(tally), Ok(())) => Ok(tally.and(look.tally(), examples)),
                    (Err(error), _) | (Ok(_), Err(error)) => Err(error),
                };
            });
        }
    });
    sum.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Passes over the blocks in which no event meets a difference, or none is asked for.
fn filter(looking: &Looking<'_>, past: &Past<'_>) -> Option<Filter> {
    let own = looking.ask.pattern.as_ref().map(crate::selection::Selection::needs);
    let own = own.filter(|needs| !needs.is_empty());
    let differing: Option<Vec<Needs>> = looking.comparison.needs(past.bus).map(<[Needs]>::to_vec);
    if own.is_none() && differing.is_none() {
        return None;
    }
    Some(Arc::new(move |block| {
        let meets = |needs: &Needs| needs.may_match(&|key| block.may_hold_key(key));
        own.as_ref().is_none_or(meets) && differing.as_ref().is_none_or(|all| all.iter().any(meets))
    }))
}

struct Thread<'a> {
    looking: &'a Looking<'a>,
    past: &'a Past<'a>,
    making: &'a Making,
    watch: &'a Watch,
    filter: &'a Option<Filter>,
}

impl Thread<'_> {
    fn look(&self, look: &mut Look<'_>, (from, to): (Offset, Offset)) -> Result<(), CompareError> {
        let Self { past, making, watch, .. } = self;
        let journal = &self.looking.core.journal;
        let mut reader = past.source.read_with(journal, from, self.filter.clone());
        let (mut asking, finds) = (Asking::default(), Finds::default());
        while reader.position() < to {
            if watch.is_left() {
                return Err(CompareError::Left);
            }
            let at = reader.position();
            let batch = match reader.next_batch() {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                // What is damaged, or has expired meanwhile, is passed over.
                Err(ReadError::Damaged { .. } | ReadError::Gone { .. })
                    if at < reader.position() =>
                {
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let mut looked = 0;
            for record in batch.iter().filter(|one| from <= one.offset && one.offset < to) {
                looked += 1;
                let Ok((envelope, _)) = record::split(&record.payload) else {
                    look.unreadable();
                    continue;
                };
                if !past.source.wants(&envelope, &mut asking) {
                    continue;
                }
                let taken_at = Timestamp::from_millis(record.time);
                let seen = Seen { offset: record.offset.get(), envelope: &envelope, taken_at };
                look.event(seen, &|side, event, ingested| {
                    making.make(side, (event, ingested), &finds)
                });
            }
            watch.events.fetch_add(looked, Ordering::Relaxed);
        }
        Ok(())
    }
}
