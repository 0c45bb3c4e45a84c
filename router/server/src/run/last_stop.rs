//! Whether the last router on a data folder has ended in order.
//!
//! A file `running` lies in the folder while a router has it open, and is removed as the last thing of a stop. Who finds
//! it at a start comes after a kill, a crash or a loss of power.
//!
//! # Not here
//!
//! - What keeps two routers apart: the journal's lock does. This file promises nothing, it only tells.

use std::path::{Path, PathBuf};

use bus::Router;
use tracing::{info, warn};

pub(super) struct Mark {
    path: PathBuf,
    was_there: bool,
}

impl Mark {
    /// Only once the folder is locked.
    pub(super) fn set(data_dir: &Path) -> Self {
        let path = data_dir.join("running");
        let was_there = path.exists();
        if let Err(error) = std::fs::write(&path, "") {
            warn!(path = %path.display(), %error, "file not written: the next start cannot tell whether this router has ended in order");
        }
        Self { path, was_there }
    }

    /// Says once what there was to take up.
    pub(super) fn tell(&self, router: &Router) {
        let status = router.status();
        let events = status.journal.next_offset;
        let all = &status.subscriptions;
        let behind = all.iter().filter(|one| 0 < one.lag).count();
        let postponed: usize = all.iter().map(|one| one.postponed).sum();
        let stopped =
            all.iter().filter(|one| one.paused.is_some() || one.disabled.is_some()).count();
        if self.was_there && router.is_state_lost() {
            warn!(
                events,
                "the last router here was killed or lost power: what was acknowledged and synced is here; what was owed is not known any more"
            );
        } else if self.was_there {
            warn!(
                events,
                subscriptions = all.len(),
                behind,
                postponed,
                stopped,
                "the last router here was killed or lost power: what was acknowledged and synced is here, what was being delivered is sent once more"
            );
        } else if 0 < events {
            info!(
                events,
                subscriptions = all.len(),
                behind,
                postponed,
                stopped,
                "journal and subscriptions taken up"
            );
        }
    }

    pub(super) fn clear(&self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            warn!(path = %self.path.display(), %error, "file not removed: the next start will take this stop for a crash");
        }
    }
}
