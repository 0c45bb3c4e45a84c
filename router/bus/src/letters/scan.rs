//! Going through dead letters, part after part.

use super::{DeadLetterFilter, Redrive};
use crate::core::Core;
use crate::selection::Asking;
use crate::state::letters::{self, Contents, Ids};
use crate::state::{Letter, StateError};

/// Ids looked at in one transaction.
const IDS: i64 = 20_000;
/// Letters read with their event or payload in one transaction.
const WHOLE_MAX: usize = 16;

/// A walk from the newest to the oldest. Letters that come after its begin are not seen.
pub(super) struct Scan {
    filter: DeadLetterFilter,
    contents: Contents,
    /// Where the next part ends; none before the first.
    ids: Option<Ids>,
    asking: Asking,
}

/// The letters that somebody names, or that a filter finds, part after part.
pub(super) enum Chosen {
    Ids(std::vec::IntoIter<i64>),
    Matching(Box<Scan>),
}

impl Chosen {
    pub(super) fn new(which: Redrive) -> Self {
        match which {
            Redrive::Ids(ids) => Self::Ids(ids.into_iter()),
            Redrive::Matching(filter) => {
                let contents =
                    if filter.pattern.is_some() { Contents::Event } else { Contents::None };
                Self::Matching(Box::new(Scan::new(filter, contents)))
            }
        }
    }

    /// The ids of the next part, perhaps without any; none at the end.
    pub(super) async fn page(
        &mut self,
        core: &Core,
        limit: usize,
    ) -> Result<Option<Vec<i64>>, StateError> {
        match self {
            Self::Ids(ids) => {
                let page: Vec<i64> = ids.take(limit).collect();
                Ok((!page.is_empty()).then_some(page))
            }
            Self::Matching(scan) => {
                let page = scan.page(core, limit).await?;
                Ok(page.map(|page| page.into_iter().map(|letter| letter.id).collect()))
            }
        }
    }
}

impl Scan {
    pub(super) fn new(filter: DeadLetterFilter, contents: Contents) -> Self {
        Self { filter, contents, ids: None, asking: Asking::default() }
    }

    /// The next part, perhaps without any; none at the end.
    pub(super) async fn page(
        &mut self,
        core: &Core,
        limit: usize,
    ) -> Result<Option<Vec<Letter>>, StateError> {
        let Some(ids) = self.left(core).await? else { return Ok(None) };
        let part = Ids { floor: ids.floor.max(ids.before.saturating_sub(IDS)), before: ids.before };
        let whole_max = if self.contents == Contents::None { usize::MAX } else { WHOLE_MAX };
        let limit = limit.min(whole_max);
        let (filter, contents) = (self.filter.clone(), self.contents);
        let found = core.state.run(move |tx| letters::select(tx, &filter, part, (contents, limit)));
        let found = found.await?;
        // A full part may have left out some of its ids.
        let before = match found.last() {
            Some(last) if found.len() == limit => last.id,
            _ => part.floor,
        };
        self.ids = Some(Ids { before, ..ids });
        Ok(Some(found.into_iter().filter(|letter| self.is_wanted(core, letter)).collect()))
    }

    /// Whether something may come after the last part.
    pub(super) fn has_more(&self) -> bool {
        self.ids.is_none_or(|ids| ids.floor < ids.before)
    }

    async fn left(&mut self, core: &Core) -> Result<Option<Ids>, StateError> {
        if self.ids.is_none() {
            let Some((lowest, highest)) = core.state.run(letters::ends).await? else {
                return Ok(None);
            };
            let before = self.filter.before.unwrap_or(i64::MAX).min(highest.saturating_add(1));
            self.ids = Some(Ids { floor: lowest, before });
        }
        Ok(self.ids.filter(|ids| ids.floor < ids.before))
    }

    fn is_wanted(&mut self, core: &Core, letter: &Letter) -> bool {
        let Some(pattern) = &self.filter.pattern else { return true };
        if let Some(copy) = &letter.event {
            return pattern.matches(&copy.event, &mut self.asking);
        }
        let found = core.event_at(&letter.last.id);
        found.is_ok_and(|(event, _)| pattern.matches(event.bytes(), &mut self.asking))
    }
}
