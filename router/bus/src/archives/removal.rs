//! Removing an archive, and what may be where a new one is to be made.
//!
//! ```text
//! row: removing ─▶ nobody sees it ─▶ its folder goes ─▶ the row goes ─▶ the name is free
//! ```
//!
//! # Invariants
//!
//! - A folder goes only if its archive was removed: the row says which chain goes with it.
//! - A removal that was interrupted is ended by the next start, or by whoever wants the name.
//! - What the state database does not know is left alone, and said.

use std::sync::Arc;

use journal::Chain;

use super::ArchiveError;
use crate::core::Core;
use crate::state::{ArchiveRow, StateError};

impl Core {
    pub(super) async fn remove_archive(&self, name: &str) -> Result<(), ArchiveError> {
        let _roster = self.roster.lock().await;
        if let Err(unknown) = self.archive(name) {
            // It may be one whose folder could not be removed the last time.
            return if self.end_removal_of(name).await? { Ok(()) } else { Err(unknown) };
        }
        let chain = self.journal.archive(name).map(|chain| chain.id().to_vec()).unwrap_or_default();
        let (gone, of) = (name.to_owned(), chain.clone());
        let replay = self.state.run(move |tx| ArchiveRow::begin_removal(tx, &gone, &of)).await?;
        if let Some(replay) = replay {
            return Err(ArchiveError::Replaying { name: name.to_owned(), replay });
        }
        let before = self.archives.load_full();
        self.archives.store(Arc::new(before.without(name)));
        self.end_removal(name, &chain).await?;
        tracing::info!(archive = %name, "archive removed");
        Ok(())
    }

    /// Makes sure that nothing is where the archive of this name will be.
    pub(super) async fn free_name(&self, name: &str) -> Result<(), ArchiveError> {
        self.end_removal_of(name).await?;
        if let Some(chain) = self.journal.archive(name).filter(holds_something) {
            return Err(ArchiveError::Unlisted {
                name: name.to_owned(),
                events: chain.stats().records,
                path: chain.folder().display().to_string(),
            });
        }
        self.drop_archive(name).await
    }

    /// Ends the removals that a process before has begun, and names the folders of archives that
    /// nobody knows.
    pub(crate) async fn tidy_archives(&self) -> Result<(), StateError> {
        for (name, chain) in self.state.run(ArchiveRow::removals).await? {
            if let Err(error) = self.end_removal(&name, &chain).await {
                tracing::error!(archive = %name, %error, "a removed archive is still on the disk");
            }
        }
        let known = self.archives.load();
        let removals = self.state.run(ArchiveRow::removals).await?;
        self.journal.recall_archives(&|name| known.get(name).is_some());
        for chain in self.journal.archives().into_iter().filter(holds_something) {
            let name = chain.name();
            if known.get(name).is_none() && !removals.iter().any(|(removed, _)| removed == name) {
                tracing::warn!(
                    archive = name, events = chain.stats().records, path = %chain.folder().display(),
                    "the state database does not know this archive: nothing comes into it, and it cannot be replayed; \
                     export it with `slipswitch journal export --archive` and move the folder away, both while the router \
                     does not run"
                );
            }
        }
        Ok(())
    }

    /// Whether there was one of this name.
    async fn end_removal_of(&self, name: &str) -> Result<bool, ArchiveError> {
        let all = self.state.run(ArchiveRow::removals).await?;
        let Some((_, chain)) = all.into_iter().find(|(removed, _)| removed == name) else {
            return Ok(false);
        };
        self.end_removal(name, &chain).await?;
        Ok(true)
    }

    /// The folder goes if it is the one that was removed, then the row.
    async fn end_removal(&self, name: &str, removed: &[u8]) -> Result<(), ArchiveError> {
        let found = self.journal.archive(name);
        // The database may be an older copy, and the archive another one of the same name.
        if found.filter(holds_something).is_none_or(|chain| chain.id() == removed) {
            self.drop_archive(name).await?;
        }
        let gone = name.to_owned();
        Ok(self.state.run(move |tx| ArchiveRow::end_removal(tx, &gone)).await?)
    }

    async fn drop_archive(&self, name: &str) -> Result<(), ArchiveError> {
        let (of, journal) = (name.to_owned(), self.journal.clone());
        let dropped = self.outside.blocking(move || journal.drop_archive(&of)).await;
        let expired = dropped.map_err(|error| {
            let (name, reason) = (name.to_owned(), error.to_string());
            ArchiveError::Disk { name, reason }
        })?;
        if 0 < expired.segments {
            tracing::info!(archive = %name, events = expired.records, "its events are removed from the disk");
        }
        Ok(())
    }
}

fn holds_something(chain: &Chain) -> bool {
    0 < chain.stats().segments
}
