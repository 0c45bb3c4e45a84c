//! What other rules would have done with the past: the journal of a bus, or an archive.
//!
//! ```text
//! survey   blocks are counted, not read ─▶ where the last N events begin, and how many there are
//! work     the span in parts ─▶ a few threads ─▶ read, match, judge ─▶ tallies, added up
//! show     a few events are read once more, to say why
//! ```
//!
//! # Invariants
//!
//! - Nothing is sent, and nothing is written down.
//! - no neighbour: it works on threads of its own that step back for the others, and plugins in a queue of the host that
//!   shares with the subscriptions'.
//! - bounded: in memory are one block a thread, and what a [`Tally`] keeps.
//! - Whoever goes away ends it with the block that is under way.

mod make;
mod survey;
mod work;

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use event::Timestamp;
use journal::{Offset, ReadError};
use ruleset::compare::{Comparison, Report, Tally};
use ruleset::{Finds, RuleSet};
use serde::Serialize;

use crate::archives::ArchiveError;
use crate::core::Core;
use crate::ingest::IngestError;
use crate::replay::Source;
use crate::router::Router;
use crate::selection::Selection;

/// Which events.
#[derive(Debug, Clone, Default)]
pub struct CompareRules {
    /// None: each bus on which something differs.
    pub bus: Option<String>,
    pub archive: Option<String>,
    /// Taken in at this time or later.
    pub since: Option<Timestamp>,
    /// Taken in before this time.
    pub until: Option<Timestamp>,
    pub pattern: Option<Selection>,
    /// The last ones of each bus.
    pub limit: Option<u64>,
    /// Of each kind and subscription.
    pub examples: usize,
}

/// How far a comparison is, for those who wait for it; and whether they still do.
#[derive(Default)]
pub struct Watch {
    events: AtomicU64,
    of: AtomicU64,
    is_left: AtomicBool,
    /// Until the work is over.
    _held: Option<Box<dyn Any + Send + Sync>>,
}

/// The answer.
#[derive(Debug, Clone, Serialize)]
pub struct ComparedRules {
    #[serde(flatten)]
    pub report: Report,
    /// The buses that were looked at.
    pub buses: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<String>,
    /// Events that need not be read: by the keys of their blocks, none of them meets a difference.
    pub skipped: u64,
    /// Events that cannot be read: their blocks are damaged.
    pub damaged: u64,
}

/// Why nothing was compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    #[error(transparent)]
    Bus(#[from] IngestError),

    #[error(transparent)]
    Archive(#[from] ArchiveError),

    #[error("the archive {archive} is of the bus {bus}, not of {asked}")]
    OtherBus { archive: String, bus: String, asked: String },

    #[error("the journal cannot be read: {0}")]
    Journal(#[from] ReadError),

    #[error("nobody waits for it any more")]
    Left,
}

impl Watch {
    /// Something that is given back when the work is over, which is later than somebody leaves.
    pub fn holding(held: impl Any + Send + Sync) -> Self {
        Self { _held: Some(Box::new(held)), ..Self::default() }
    }

    /// Events that were looked at, and how many there are.
    pub fn progress(&self) -> (u64, u64) {
        (self.events.load(Ordering::Relaxed), self.of.load(Ordering::Relaxed))
    }

    /// Nobody waits for the answer any more.
    pub fn leave(&self) {
        self.is_left.store(true, Ordering::Relaxed);
    }

    fn is_left(&self) -> bool {
        self.is_left.load(Ordering::Relaxed)
    }
}

/// The past of one bus.
struct Past<'a> {
    bus: &'a str,
    source: Source,
    span: (Offset, Offset),
}

impl Router {
    /// Compares the running rules with others by what they would have done.
    ///
    /// # Errors
    ///
    /// When there is no such bus or archive, or the journal cannot be read, or the watch is left.
    pub async fn compare(
        &self,
        candidate: Arc<RuleSet>,
        ask: CompareRules,
        watch: Arc<Watch>,
    ) -> Result<ComparedRules, CompareError> {
        let core = Arc::clone(&self.core);
        let archive = ask.archive.as_deref().map(|name| core.archive(name)).transpose()?;
        let of_archive = archive.as_ref().map(|archive| archive.bus.as_ref().to_owned());
        let bus = match (&ask.bus, of_archive, &ask.archive) {
            (Some(asked), Some(bus), Some(archive)) if *asked != bus => {
                let (archive, asked) = (archive.clone(), asked.clone());
                return Err(CompareError::OtherBus { archive, bus, asked });
            }
            (asked, of_archive, _) => asked.clone().or(of_archive),
        };
        if let Some(bus) = &bus {
            // A bus that only the other rules name is one without a past.
            core.know(bus)?;
        }
        let running = self.rules();
        let making = make::Making::new(&core.host);
        let looking = Arc::clone(&core);
        let compared = move || {
            let comparison = Comparison::new(running, candidate);
            let all = comparison.buses().filter(|one| bus.as_ref().is_none_or(|bus| bus == one));
            let buses: Vec<String> = all.map(str::to_owned).collect();
            let looked = Looking { core: &looking, comparison: &comparison, ask: &ask };
            looked.at(&buses, (&making, &watch))
        };
        core.outside.blocking(compared).await
    }
}

struct Looking<'a> {
    core: &'a Core,
    comparison: &'a Comparison,
    ask: &'a CompareRules,
}

impl Looking<'_> {
    fn at(
        &self,
        buses: &[String],
        (making, watch): (&make::Making, &Watch),
    ) -> Result<ComparedRules, CompareError> {
        let mut pasts = Vec::new();
        for bus in buses {
            let past = self.past(bus)?;
            let surveyed = survey::survey(self, &past, watch)?;
            watch.of.fetch_add(surveyed.events, Ordering::Relaxed);
            pasts.push((Past { span: (surveyed.from, past.span.1), ..past }, surveyed));
        }
        let mut tally: Tally = self.comparison.tally();
        let (mut skipped, mut damaged) = (0, 0);
        for (past, surveyed) in &pasts {
            let mut of_bus = work::work(self, past, (making, watch))?;
            damaged += past.source.damaged(&self.core.journal, past.span.0..past.span.1);
            if self.ask.pattern.is_none() {
                let passed = surveyed.events.saturating_sub(of_bus.events + of_bus.unreadable);
                skipped += passed;
                of_bus.passed_over(passed, surveyed.times);
            }
            tally = tally.and(of_bus, self.ask.examples);
        }
        let find = |bus: &str, offset: u64| {
            let (past, _) = pasts.iter().find(|(past, _)| past.bus == bus)?;
            self.find(past, Offset::new(offset))
        };
        let finds = Finds::default();
        let report = self.comparison.report(&tally, &find, &|side, event, ingested| {
            making.make(side, (event, ingested), &finds)
        });
        let archive = self.ask.archive.clone();
        Ok(ComparedRules { report, buses: buses.to_vec(), archive, skipped, damaged })
    }

    fn past<'b>(&self, bus: &'b str) -> Result<Past<'b>, CompareError> {
        let CompareRules { since, until, archive, pattern, .. } = self.ask;
        let journal = &self.core.journal;
        let archive = archive.as_deref().map(|name| self.core.archive(name)).transpose()?;
        let end = journal.durable_end();
        let (from, to) = match &archive {
            // The times of an archive are told by its own chain: the journal may know none so old.
            Some(archive) => (archive.from_offset, end),
            None => {
                let at = |time: &Timestamp| journal.offset_at(time.as_millis());
                let first = Timestamp::from_millis(i64::MIN);
                let from = at(since.as_ref().unwrap_or(&first))?;
                (from, until.as_ref().map_or(Ok(end), at)?.min(end))
            }
        };
        let times = (*since, *until);
        let source = Source::between(bus, archive, times, pattern.clone());
        Ok(Past { bus, source, span: (from, to.max(from)) })
    }

    /// An event again.
    fn find(&self, past: &Past<'_>, offset: Offset) -> Option<(bytes::Bytes, Timestamp)> {
        let journal = &self.core.journal;
        let chain = past.source.archive().and_then(|name| journal.archive(&name));
        let of_chain = chain.and_then(|chain| chain.get(offset).ok().flatten());
        let (payload, time) = match of_chain {
            Some(record) => (record.payload, record.time),
            None => journal.get(past.bus, offset).ok().map(|one| (one.payload, one.time))?,
        };
        let (envelope, _) = crate::record::split(&payload).ok()?;
        Some((envelope, Timestamp::from_millis(time)))
    }
}
