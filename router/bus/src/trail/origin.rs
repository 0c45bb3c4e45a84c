//! Where an event came from that another bus passed on.
//!
//! # Not here
//!
//! - Where it went: that is told with the event that was passed on, which `became` this one.

use std::sync::Arc;

use event::Timestamp;
use ruleset::TargetKind;
use serde::Serialize;

use super::fate::earlier;
use super::line::{self, AttemptRecord};
use super::search::FoundEvent;
use crate::core::Core;
use crate::key::Key;

/// Attempts of which any may have made the event, told at most.
const ORIGINS_MAX: usize = 16;

/// The delivery that an event is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    pub bus: String,
    pub offset: u64,
    /// The id of the event there.
    pub event: String,
    pub rule: String,
    pub target: String,
    pub time: Timestamp,
}

impl Core {
    /// The deliveries to this bus that made the event, as far as they are on record. Which bus an
    /// attempt went to is told by the running rules; where they do not know its target, it may be any.
    pub(super) async fn origins(self: &Arc<Self>, event: &FoundEvent, id: &str) -> Vec<Origin> {
        if event.hops == 0 {
            return Vec::new();
        }
        let (key, id) = (line::of_event(id), id.to_owned());
        let (routes, bus) = (self.routes.load_full(), event.bus.clone());
        let goes_here = move |attempt: &AttemptRecord| {
            let AttemptRecord { bus: of, rule, target, .. } = attempt;
            match routes.of(&Key::live(of, rule, target)).map(|route| &route.target.kind) {
                Some(TargetKind::Bus(to)) => to.bus == bus,
                Some(TargetKind::Http(_) | TargetKind::Log(_)) | None => true,
            }
        };
        let at = event.taken_at;
        let is_made = move |attempt: &AttemptRecord| {
            let (from, to) = attempt.around();
            attempt.became.as_ref() == Some(&id) && from <= at && at <= to && goes_here(attempt)
        };
        // The log has the time before the journal has the event.
        let since = Some(earlier(event.taken_at));
        let (attempts, _) = self.attempts(key, since, ORIGINS_MAX, is_made).await;
        let origin = |attempt: AttemptRecord| Origin {
            bus: attempt.bus,
            offset: attempt.offset,
            event: attempt.event,
            rule: attempt.rule,
            target: attempt.target,
            time: attempt.time,
        };
        attempts.into_iter().map(origin).collect()
    }
}
