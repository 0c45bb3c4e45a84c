//! What dead letters need between requests: counts that are cheap to read, room for those that wait
//! to be sent again, and an end for the old ones.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::redrive::Course;
use crate::core::Core;
use crate::router::Router;
use crate::state::StateError;
use crate::state::letters::{self, Depth};

/// Old letters are looked for this often.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How many are removed in one transaction.
const SWEPT_MAX: usize = 1000;
/// How many go from the queue of one target to its lane in one transaction.
const FED_MAX: usize = 200;

pub(crate) struct Tended {
    depths: ArcSwap<Vec<Depth>>,
    is_stale: AtomicBool,
    has_queued: AtomicBool,
    swept_at: Mutex<Option<Duration>>,
}

impl Default for Tended {
    /// Nothing is known yet of what is on disk.
    fn default() -> Self {
        Self {
            depths: ArcSwap::default(),
            is_stale: AtomicBool::new(true),
            has_queued: AtomicBool::new(true),
            swept_at: Mutex::default(),
        }
    }
}

impl Tended {
    /// Letters came, went, or changed their state.
    pub(crate) fn set_stale(&self) {
        self.is_stale.store(true, Ordering::Release);
    }

    pub(super) fn set_queued(&self) {
        self.has_queued.store(true, Ordering::Release);
    }

    fn is_sweep_due(&self, now: Duration) -> bool {
        let mut swept_at = self.swept_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = swept_at.is_none_or(|last| SWEEP_EVERY <= now.saturating_sub(last));
        if is_due {
            *swept_at = Some(now);
        }
        is_due
    }
}

impl Router {
    /// How many letters wait for somebody, by target, and since when. Costs nothing to ask.
    pub fn dead_letter_depths(&self) -> Arc<Vec<Depth>> {
        self.core.letters.depths.load_full()
    }
}

impl Core {
    /// Called after every round of writing down.
    pub(crate) async fn tend_letters(&self) {
        if !self.state_is_well() {
            return;
        }
        let tended = async {
            if self.letters.is_sweep_due(self.clock.monotonic()) {
                self.sweep_letters().await?;
            }
            if self.letters.has_queued.swap(false, Ordering::AcqRel) {
                self.feed_letters().await?;
            }
            if self.letters.is_stale.swap(false, Ordering::AcqRel) {
                let depths = self.state.run(letters::depths).await?;
                self.letters.depths.store(Arc::new(depths));
            }
            Ok::<(), StateError>(())
        };
        if let Err(error) = tended.await {
            self.letters.set_stale();
            self.letters.set_queued();
            tracing::warn!(%error, "dead letters cannot be tended");
        }
    }

    async fn sweep_letters(&self) -> Result<(), StateError> {
        let age_max = i64::try_from(self.options.dead_letters_age_max.as_millis());
        let now = self.clock.now().as_millis();
        let time = event::Timestamp::from_millis(now.saturating_sub(age_max.unwrap_or(i64::MAX)));
        let kept_max = self.options.dead_letters_max;
        let mut gone = 0;
        loop {
            let swept =
                self.state.run(move |tx| letters::expire(tx, time, (kept_max, SWEPT_MAX))).await?;
            if swept == 0 {
                break;
            }
            gone += swept;
        }
        if 0 < gone {
            self.letters.set_stale();
            tracing::warn!(
                gone,
                "dead letters were older than `dead_letters.days`, or more than `dead_letters.count`, and are gone"
            );
        }
        Ok(())
    }

    /// Gives queued letters to the lanes that have room.
    async fn feed_letters(&self) -> Result<(), StateError> {
        let _roster = self.roster.lock().await;
        for key in self.state.run(letters::queues).await? {
            let mut course = Course::new(self);
            let of_key = key.clone();
            let fed = self.state.run(move |tx| {
                for letter in letters::queued(tx, &of_key, FED_MAX)? {
                    let id = letter.id;
                    if course.along.contains(&id) {
                        continue;
                    }
                    let to = letter.redriven_to.clone();
                    course.give(tx, letter, &to)?;
                    if let Some(refused) = course.refused.pop() {
                        letters::unqueue(tx, id)?;
                        tracing::warn!(letter = id, reason = %refused.1, "a dead letter cannot be sent again after all");
                    }
                    if course.queued > 0 {
                        break; // The lane is full again.
                    }
                }
                Ok(course)
            });
            let course = fed.await?;
            let may_have_more = course.queued > 0 || !course.moved.is_empty();
            if may_have_more {
                self.letters.set_queued();
            }
            self.letters.set_stale();
            course.wake();
        }
        Ok(())
    }
}
