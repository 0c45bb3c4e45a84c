//! Letting dead letters go.

use std::sync::Arc;

use delivery::LetterState;

use super::{Chosen, Redrive};
use crate::core::Core;
use crate::router::Router;
use crate::state::StateError;
use crate::state::letters;

/// How many are removed in one transaction.
const PAGE: usize = 500;

/// What a purge did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purged {
    pub purged: u64,
    /// Under way again, so that they were left alone; or not there.
    pub left: u64,
}

impl Router {
    /// Removes dead letters for good. What is being sent again is left alone.
    ///
    /// # Errors
    ///
    /// When the state database fails; what was removed before stays removed.
    pub async fn purge_dead_letters(&self, which: Redrive) -> Result<Purged, StateError> {
        let mut sum = Purged::default();
        let mut chosen = Chosen::new(which);
        while let Some(ids) = chosen.page(&self.core, PAGE).await? {
            self.remove(ids, &mut sum).await?;
        }
        Ok(sum)
    }

    async fn remove(&self, ids: Vec<i64>, sum: &mut Purged) -> Result<(), StateError> {
        let asked = ids.len();
        let core = Arc::clone(&self.core);
        let purged = self.core.carried_out(async move { core.purge(ids).await }).await??;
        let to_u64 = |count| u64::try_from(count).unwrap_or(u64::MAX);
        sum.purged += to_u64(purged);
        sum.left += to_u64(asked - purged);
        Ok(())
    }
}

impl Core {
    async fn purge(&self, ids: Vec<i64>) -> Result<usize, StateError> {
        let purged = self.state.run(move |tx| {
            let mut purged = 0_usize;
            for id in ids {
                let under_way = [LetterState::Queued, LetterState::Redriven];
                let state = letters::state_of(tx, id)?;
                if state.is_some_and(|state| !under_way.contains(&state)) {
                    letters::remove(tx, id)?;
                    purged += 1;
                }
            }
            Ok(purged)
        });
        let purged = purged.await?;
        self.letters.set_stale();
        Ok(purged)
    }
}
