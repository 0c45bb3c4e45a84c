//! Dead letters: looking at them, counting them, sending them again, and letting them go.
//!
//! ```text
//! dead ──redrive──▶ (queued ─▶) redriven ──▶ delivered
//!   ▲                               │  └───▶ moved        through the rules, to other targets
//!   └─────────── dies again ────────┘
//! ```
//!
//! # Invariants
//!
//! - A letter that was sent again stays, with its history, until somebody purges it or retention does.
//! - Looking through many costs the router's other writing little: each step takes a bounded part.

mod purge;
mod redrive;
mod rehearse;
mod scan;
mod tend;

use std::collections::BTreeMap;

use delivery::{DeadLetter, ErrorKind, LetterState};
use event::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

pub use purge::Purged;
pub use redrive::{Redrive, RedriveTo, Redriven};
pub(crate) use tend::Tended;

use crate::core::Core;
use crate::router::Router;
use crate::selection::Selection;
use crate::state::letters::Contents;
use crate::state::{self, Letter, Made, StateError};
use crate::trail::AttemptRecord;
use scan::{Chosen, Scan};

/// A page that is as large as this is full.
const PAGE_BYTES: usize = 16 << 20;
/// Groups that a count tells apart; the letters of further ones are counted together.
const GROUPS_MAX: usize = 1000;

/// Which dead letters; all that wait for somebody by default, newest first.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterFilter {
    pub bus: Option<String>,
    pub rule: Option<String>,
    pub target: Option<String>,
    pub replay: Option<String>,
    pub kind: Option<ErrorKind>,
    /// A part of the error's text, in capitals or not.
    pub error: Option<String>,
    /// Died at this time or later.
    pub since: Option<Timestamp>,
    /// Died before this time.
    pub until: Option<Timestamp>,
    /// Over the event.
    pub pattern: Option<Selection>,
    pub choice: LetterChoice,
    /// Only those with a smaller id: the next page.
    pub before: Option<i64>,
    pub limit: usize,
}

/// Dead letters by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetterChoice {
    In(LetterState),
    /// Sent again at least once, whatever came of it.
    Redriven,
    All,
}

impl Default for LetterChoice {
    fn default() -> Self {
        Self::In(LetterState::Dead)
    }
}

/// By what a count is split up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    Rule,
    Target,
    Kind,
    Error,
}

/// Some dead letters.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DeadLetterPage {
    pub items: Vec<DeadLetter>,
    /// There may be more, below this id.
    pub next: Option<i64>,
}

/// Letters that have something in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    #[serde(flatten)]
    pub of: Common,
    pub letters: u64,
    pub oldest: Timestamp,
    pub newest: Timestamp,
}

/// What the letters of a group have in common; nothing for those of groups beyond the limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Common {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bus: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ErrorKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    pub letters: u64,
    /// The largest first; empty when nothing was asked to be told apart.
    pub groups: Vec<Group>,
}

impl Router {
    /// Dead letters, newest first: as many as the limit says, or fewer when they are large.
    ///
    /// # Errors
    ///
    /// When the state database cannot be read.
    pub async fn dead_letters(
        &self,
        filter: DeadLetterFilter,
    ) -> Result<DeadLetterPage, StateError> {
        let limit = filter.limit;
        let mut scan = Scan::new(filter, Contents::All);
        let (mut items, mut bytes) = (Vec::new(), 0);
        while items.len() < limit && bytes < PAGE_BYTES {
            let Some(page) = scan.page(&self.core, limit - items.len()).await? else {
                return Ok(DeadLetterPage { items, next: None });
            };
            for letter in page {
                let letter = self.core.letter(letter);
                bytes += letter.event.as_ref().map_or(0, |event| event.get().len());
                bytes += letter.payload.as_ref().map_or(0, String::len);
                items.push(letter);
            }
        }
        let next = items.last().map(|last| last.id).filter(|_| scan.has_more());
        Ok(DeadLetterPage { items, next })
    }

    /// One of them.
    ///
    /// # Errors
    ///
    /// When the state database cannot be read.
    pub async fn dead_letter(&self, id: i64) -> Result<Option<DeadLetter>, StateError> {
        let found = self.core.state.run(move |tx| state::letters::find(tx, id)).await?;
        Ok(found.map(|letter| self.core.letter(letter)))
    }

    /// Every attempt at a dead letter's delivery that the delivery log still has, oldest first.
    ///
    /// # Errors
    ///
    /// When the state database cannot be read.
    pub async fn dead_letter_attempts(&self, id: i64) -> Result<Vec<AttemptRecord>, StateError> {
        let found = self.core.state.run(move |tx| state::letters::find(tx, id)).await?;
        match found {
            Some(letter) => Ok(self.core.attempts_at(&letter.last.id).await),
            None => Ok(Vec::new()),
        }
    }

    /// How many the filter wants; its `limit` is not looked at.
    ///
    /// # Errors
    ///
    /// When the state database cannot be read.
    pub async fn count_dead_letters(
        &self,
        filter: DeadLetterFilter,
        by: Option<GroupBy>,
    ) -> Result<Counted, StateError> {
        let contents = if filter.pattern.is_some() { Contents::Event } else { Contents::None };
        let mut scan = Scan::new(filter, contents);
        let mut counted = Counted::default();
        let mut groups: BTreeMap<Common, Group> = BTreeMap::new();
        while let Some(page) = scan.page(&self.core, usize::MAX).await? {
            for letter in page {
                counted.letters += 1;
                if let Some(by) = by {
                    join(&mut groups, by, &letter);
                }
            }
        }
        counted.groups = groups.into_values().collect();
        counted.groups.sort_by_key(|group| std::cmp::Reverse(group.letters));
        Ok(counted)
    }

    /// The buses, rules and targets of which there are letters.
    ///
    /// # Errors
    ///
    /// When the state database cannot be read.
    pub async fn dead_letter_names(&self) -> Result<Vec<[String; 3]>, StateError> {
        self.core.state.run(state::letters::names).await
    }
}

fn join(groups: &mut BTreeMap<Common, Group>, by: GroupBy, letter: &Letter) {
    let id = &letter.last.id;
    let some = |text: &str| Some(text.to_owned());
    let (bus, rule) = (some(&id.bus), some(&id.rule));
    let of = match by {
        GroupBy::Rule => Common { bus, rule, ..Common::default() },
        GroupBy::Target => Common { bus, rule, target: some(&id.target), ..Common::default() },
        GroupBy::Kind => Common { kind: Some(letter.kind), ..Common::default() },
        GroupBy::Error => Common { error: some(&letter.last.error), ..Common::default() },
    };
    let is_new = !groups.contains_key(&of);
    let of = if is_new && GROUPS_MAX <= groups.len() { Common::default() } else { of };
    let (oldest, newest) = (letter.died_at, letter.died_at);
    let blank = || Group { of: of.clone(), letters: 0, oldest, newest };
    let group = groups.entry(of.clone()).or_insert_with(blank);
    group.letters += 1;
    group.oldest = group.oldest.min(oldest);
    group.newest = group.newest.max(newest);
}

impl Core {
    fn letter(&self, letter: Letter) -> DeadLetter {
        let Letter { id, last, event, .. } = letter;
        let (payload, content_type) = match last.made {
            Made::Here(payload) => (
                Some(String::from_utf8_lossy(&payload.body).into_owned()),
                Some(payload.content_type),
            ),
            Made::NotYet | Made::OnDisk => (None, None),
        };
        let event = event.map(|copy| String::from_utf8_lossy(&copy.event).into_owned());
        let from_journal = || {
            let found = self.event_at(&last.id);
            found.ok().map(|(event, _)| event.json().to_owned())
        };
        let event = event.or_else(from_journal);
        DeadLetter {
            id,
            delivery_id: last.id.to_string(),
            bus: last.id.bus.as_ref().to_owned(),
            rule: last.id.rule.as_ref().to_owned(),
            target: last.id.target.as_ref().to_owned(),
            replay: last.id.replay.as_deref().map(ToOwned::to_owned),
            offset: last.id.offset,
            event_id: last.event_id,
            event: event.and_then(|event| RawValue::from_string(event).ok()),
            payload,
            content_type,
            state: letter.state,
            kind: letter.kind,
            error: last.error,
            rules: letter.rules,
            attempts: last.attempts,
            attempts_total: letter.attempts_total,
            owed_at: last.owed_at,
            last_attempt_at: last.last_attempt_at,
            first_died_at: letter.first_died_at,
            died_at: letter.died_at,
            redriven: letter.redriven,
            redriven_at: letter.redriven_at,
            ended_at: letter.ended_at,
        }
    }
}
