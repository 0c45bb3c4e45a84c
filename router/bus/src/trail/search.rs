//! Looking for events in the journal: by time, by pattern, by id.
//!
//! # Invariants
//!
//! - bounded: a page looks at [`LOOKED_AT_MAX`] records at most, and for [`TIME_MAX`] or so, in steps;
//!   whoever goes away ends it after the step.
//! - A page of all buses is in the order of the journal, as that of one is.
//! - Blocks of sealed segments that cannot hold what is looked for are not read.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use event::Timestamp;
use journal::{Filter, Offset, ReadError, Record};
use ruleset::pattern::keys::{self, Needs};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::core::Core;
use crate::ingest::IngestError;
use crate::record::{self, Parts};
use crate::router::Router;
use crate::selection::{Asking, Selection};

/// Records looked at for one page; then the page ends where it is.
const LOOKED_AT_MAX: u64 = 2_000_000;
/// A page of which this much time has gone ends with the step that is under way.
const TIME_MAX: Duration = Duration::from_secs(5);
/// Offsets of the first step, and of the longest.
const STEP_MIN: u64 = 4_096;
const STEP_MAX: u64 = 1 << 18;

/// Which events.
#[derive(Debug, Clone, Default)]
pub struct EventSearch {
    /// None: of all buses.
    pub bus: Option<String>,
    /// Taken in at this time or later.
    pub since: Option<Timestamp>,
    /// Taken in before this time.
    pub until: Option<Timestamp>,
    pub pattern: Option<Selection>,
    pub is_oldest_first: bool,
    /// Only what comes after this offset in the order asked for: the next page.
    pub after: Option<u64>,
    pub limit: usize,
}

/// An event as the journal has it.
#[derive(Debug, Clone, Serialize)]
pub struct FoundEvent {
    pub bus: String,
    pub offset: u64,
    pub taken_at: Timestamp,
    /// How many buses had passed it on.
    pub hops: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Of the event as it stands there.
    pub bytes: usize,
    pub event: Box<RawValue>,
}

/// A page of events.
#[derive(Debug, Clone, Serialize)]
pub struct FoundEvents {
    pub items: Vec<FoundEvent>,
    /// What the next page comes after; none on the last.
    pub next: Option<u64>,
    /// Events that may have been wanted, where this page has looked, and cannot be read: their blocks
    /// are damaged. Those that a page before it has counted are not counted again.
    pub damaged: u64,
}

/// Why nothing was looked for.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    #[error(transparent)]
    Bus(#[from] IngestError),

    #[error("the journal cannot be read: {0}")]
    Journal(#[from] ReadError),
}

/// What to look for in records.
#[derive(Clone)]
pub(super) enum Wanted {
    Any,
    Matching(Selection),
    Id { key: u64, begins: Arc<str> },
}

impl Wanted {
    pub(super) fn id(id: &str) -> Self {
        Self::Id { key: keys::text_at("id", id), begins: beginning(id).into() }
    }

    fn filter(&self) -> Option<Filter> {
        let needs: Needs = match self {
            Self::Any => return None,
            Self::Matching(selection) => selection.needs(),
            Self::Id { key, .. } => {
                let key = *key;
                return Some(Arc::new(move |block| block.may_hold_key(key)));
            }
        };
        if needs.is_empty() {
            return None;
        }
        Some(Arc::new(move |block| needs.may_match(&|key| block.may_hold_key(key))))
    }

    fn accepts(&self, envelope: &[u8], asking: &mut Asking) -> bool {
        match self {
            Self::Any => true,
            Self::Matching(selection) => selection.matches(envelope, asking),
            Self::Id { begins, .. } => envelope.starts_with(begins.as_bytes()),
        }
    }
}

/// How the envelope begins that has this id: the router writes it, always so.
fn beginning(id: &str) -> String {
    format!(r#"{{"version":"0","id":{},"#, serde_json::Value::from(id))
}

/// The offsets from `from` up to `to`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub from: u64,
    pub to: u64,
}

/// Where to look.
struct Spans {
    /// For all pages.
    all: Span,
    /// For this one and those after it.
    span: Span,
}

impl Router {
    /// A page of events.
    ///
    /// # Errors
    ///
    /// When there is no such bus, or the journal cannot be read.
    pub async fn search(&self, search: EventSearch) -> Result<FoundEvents, SearchError> {
        let core = &self.core;
        let buses = match &search.bus {
            Some(bus) => {
                core.know(bus)?;
                vec![bus.clone()]
            }
            None => core.buses_in_journal(),
        };
        let Spans { all, span } = core.spans_of(&search).await?;
        let wanted = search.pattern.clone().map_or(Wanted::Any, Wanted::Matching);
        let newest = !search.is_oldest_first;
        let mut page = Page { items: VecDeque::new(), limit: search.limit.max(1), newest };
        let (mut left, mut step, mut looked_at) = (span, STEP_MIN, 0);
        let begun = core.clock.monotonic();
        while left.from < left.to && page.items.len() < page.limit && looked_at < LOOKED_AT_MAX {
            if TIME_MAX <= core.clock.monotonic().saturating_sub(begun) {
                break;
            }
            let part = left.take(step, newest);
            let before = page.items.len();
            page = core.look_on(&buses, part, &wanted, page).await?;
            // Each bus is a reading of its own.
            let readings = u64::try_from(buses.len()).unwrap_or(u64::MAX);
            looked_at += (part.to - part.from).saturating_mul(readings);
            if page.items.len() == before {
                step = (step * 2).min(STEP_MAX);
            }
        }
        let is_full = page.items.len() == page.limit;
        let items: Vec<FoundEvent> = page.items.into();
        let next = match (is_full, items.last()) {
            (true, Some(last)) => Some(last.offset),
            _ if left.from < left.to => {
                Some(if newest { left.to } else { left.from.saturating_sub(1) })
            }
            _ => None,
        };
        // Of a block that two pages touch, the earlier one says it.
        let (before, now) = if newest {
            let from = next.unwrap_or(span.from);
            (span.to..all.to.max(span.to), from..all.to.max(span.to))
        } else {
            let to = next.map_or(span.to, |next| next.saturating_add(1));
            (all.from..span.from, all.from..to)
        };
        let new = |bus: &String| {
            let known = core.damaged_in(bus, before.clone());
            core.damaged_in(bus, now.clone()).saturating_sub(known)
        };
        let damaged = buses.iter().map(new).sum();
        Ok(FoundEvents { items, next, damaged })
    }
}

/// What was found so far, in the order asked for.
pub(super) struct Page {
    pub items: VecDeque<FoundEvent>,
    pub limit: usize,
    pub newest: bool,
}

impl Span {
    /// Takes the next part in the order of looking.
    fn take(&mut self, step: u64, newest: bool) -> Span {
        if newest {
            let from = self.from.max(self.to.saturating_sub(step));
            let part = Span { from, to: self.to };
            self.to = from;
            part
        } else {
            let to = self.to.min(self.from.saturating_add(step));
            let part = Span { from: self.from, to };
            self.from = to;
            part
        }
    }
}

impl Core {
    async fn spans_of(self: &Arc<Self>, search: &EventSearch) -> Result<Spans, ReadError> {
        let end = self.journal.durable_end().get();
        let all = self.span_between(search.since, search.until).await?;
        let all = Span { to: all.to.min(end), ..all };
        let mut span = all;
        match search.after {
            Some(after) if search.is_oldest_first => {
                span.from = span.from.max(after.saturating_add(1))
            }
            Some(after) => span.to = span.to.min(after),
            None => (),
        }
        Ok(Spans { all, span })
    }

    /// The offsets taken in between two times.
    pub(crate) async fn span_between(
        self: &Arc<Self>,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<Span, ReadError> {
        let core = Arc::clone(self);
        self.outside
            .blocking(move || {
                let at = |time: Timestamp| core.journal.offset_at(time.as_millis());
                let first = Timestamp::from_millis(i64::MIN);
                let from = at(since.unwrap_or(first))?.get();
                let to = until.map_or(Ok(core.journal.durable_end()), at)?.get();
                Ok(Span { from, to })
            })
            .await
    }

    /// Events of a bus between two offsets that cannot be read, as far as that is known.
    pub(super) fn damaged_in(&self, bus: &str, span: std::ops::Range<u64>) -> u64 {
        let span = Offset::new(span.start)..Offset::new(span.end);
        self.journal.damaged_within(bus, &span).records
    }

    /// All buses of which there may be events.
    fn buses_in_journal(&self) -> Vec<String> {
        let sealed = self.journal.sealed_buses().into_iter().map(|(bus, _)| bus);
        let all: BTreeSet<String> = self.buses().into_iter().chain(sealed).collect();
        all.into_iter().collect()
    }

    /// Looks through a part on several buses, and adds what it finds to the page.
    async fn look_on(
        self: &Arc<Self>,
        buses: &[String],
        part: Span,
        wanted: &Wanted,
        mut page: Page,
    ) -> Result<Page, ReadError> {
        let (limit, newest) = (page.limit.saturating_sub(page.items.len()), page.newest);
        let mut found = Vec::new();
        for bus in buses {
            let of_bus = Page { items: VecDeque::new(), limit, newest };
            found.extend(self.look(bus, part, wanted.clone(), of_bus).await?.items);
        }
        found.sort_by_key(|one| one.offset);
        if newest {
            found.reverse();
        }
        page.items.extend(found.into_iter().take(limit));
        Ok(page)
    }

    /// Looks through a part, and adds what it finds to the page.
    pub(super) async fn look(
        self: &Arc<Self>,
        bus: &str,
        part: Span,
        wanted: Wanted,
        mut page: Page,
    ) -> Result<Page, ReadError> {
        let (core, bus) = (Arc::clone(self), bus.to_owned());
        self.outside
            .blocking(move || {
                let mut asking = Asking::default();
                let mut found = VecDeque::new();
                let room = page.limit.saturating_sub(page.items.len());
                let mut reader = core.journal.read_bus(&bus, Offset::new(part.from)).skip_damaged();
                if let Some(filter) = wanted.filter() {
                    reader = reader.skipping(filter);
                }
                'reading: while reader.position().get() < part.to {
                    let at = reader.position();
                    let batch = match reader.next_batch() {
                        Ok(Some(batch)) => batch,
                        Ok(None) => break,
                        // What is damaged is passed over; the journal says so in the log and in its figures.
                        Err(ReadError::Damaged { .. }) if at < reader.position() => continue,
                        Err(error) => return Err(error),
                    };
                    for record in batch {
                        if part.to <= record.offset.get() || !page.newest && found.len() == room {
                            break 'reading;
                        }
                        found.extend(wanted.found(&record, &mut asking));
                        if room < found.len() {
                            found.pop_front(); // Newest first: later ones come before it.
                        }
                    }
                }
                if page.newest {
                    page.items.extend(found.into_iter().rev());
                } else {
                    page.items.extend(found);
                }
                Ok(page)
            })
            .await
    }

    /// The event at a place.
    pub(super) fn found_at(&self, bus: &str, offset: u64) -> Option<FoundEvent> {
        let record = self.journal.get(bus, Offset::new(offset)).ok()?;
        Wanted::Any.found(&record, &mut Asking::default())
    }
}

impl Wanted {
    fn found(&self, record: &Record, asking: &mut Asking) -> Option<FoundEvent> {
        let Parts { envelope, hops, key } = record::parts(&record.payload).ok()?;
        if !self.accepts(&envelope, asking) {
            return None;
        }
        let text = std::str::from_utf8(&envelope).ok()?.to_owned();
        Some(FoundEvent {
            bus: record.bus.as_ref().to_owned(),
            offset: record.offset.get(),
            taken_at: Timestamp::from_millis(record.time),
            hops,
            idempotency_key: std::str::from_utf8(&key)
                .ok()
                .filter(|key| !key.is_empty())
                .map(ToOwned::to_owned),
            bytes: text.len(),
            event: RawValue::from_string(text).ok()?,
        })
    }
}
