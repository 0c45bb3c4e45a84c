//! Where an event is that is asked for by its id.
//!
//! ```text
//! the delivery log: attempts at it, and attempts that made it
//! the time in the id, where there is one: the journal around it
//! nothing found: the whole journal
//! ```
//!
//! # Invariants
//!
//! - bounded: so many places, and so many records looked at; what was cut is said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use event::Timestamp;

use super::fate::{ATTEMPTS_MAX, Unreadable, earlier};
use super::line::{self, AttemptRecord};
use super::search::{FoundEvent, Page, SearchError, Span, Wanted};
use crate::core::Core;

/// Places of one id that are told; more is a mistake of the sender.
const PLACES_MAX: usize = 16;
/// Records looked at when neither time nor log know the id.
const LOOKED_AT_MAX: u64 = 20_000_000;
const STEP: u64 = 1 << 16;
/// How long after the time in its id an event may have been taken in.
const IN_THE_DOOR: Duration = Duration::from_secs(600);

impl Core {
    /// Where the id is, where it was and cannot be read, and whether that is all.
    pub(super) async fn places_of(
        self: &Arc<Self>,
        id: &str,
        buses: &[String],
    ) -> Result<(Vec<FoundEvent>, Vec<Unreadable>, bool), SearchError> {
        let mut unreadable = Vec::new();
        let mut found: BTreeMap<(u64, String), FoundEvent> = BTreeMap::new();
        let mut add =
            |event: FoundEvent| drop(found.insert((event.offset, event.bus.clone()), event));
        let (logged, _) = self
            .attempts(line::of_event(id), None, ATTEMPTS_MAX, {
                let id = id.to_owned();
                move |attempt| attempt.event == id || attempt.became.as_ref() == Some(&id)
            })
            .await;
        let made: Vec<_> = logged.iter().filter(|one| one.became.as_deref() == Some(id)).collect();
        for around in made.into_iter().take(PLACES_MAX).map(AttemptRecord::around) {
            let span = self.span_between(Some(around.0), Some(around.1)).await?;
            let (events, _) = self.look_for(id, buses, span).await?;
            events.into_iter().for_each(&mut add);
        }
        let logged = logged.into_iter().filter(|attempt| attempt.event == id);
        let seen: BTreeSet<(String, u64)> =
            logged.map(|attempt| (attempt.bus, attempt.offset)).collect();
        for (bus, offset) in
            seen.into_iter().filter(|(bus, _)| buses.contains(bus)).take(PLACES_MAX)
        {
            match self.found_at(&bus, offset) {
                Some(event) => add(event),
                None if 0 < self.damaged_in(&bus, offset..offset + 1) => {
                    unreadable.push(Unreadable { bus, offset });
                }
                None => (), // It has expired.
            }
        }
        let everything = self.span_between(None, None).await?;
        let near = match time_of(id) {
            Some(time) => {
                let until = Some(time.after(IN_THE_DOOR));
                Some(self.span_between(Some(earlier(time)), until).await?)
            }
            None => None,
        };
        let mut complete = true;
        if let Some(near) = near {
            let (events, whole) = self.look_for(id, buses, near).await?;
            complete = whole;
            events.into_iter().for_each(&mut add);
        }
        if found.is_empty() {
            let (events, whole) = self.look_for(id, buses, everything).await?;
            complete = whole;
            for event in events {
                found.insert((event.offset, event.bus.clone()), event);
            }
        }
        Ok((found.into_values().collect(), unreadable, complete))
    }

    async fn look_for(
        self: &Arc<Self>,
        id: &str,
        buses: &[String],
        span: Span,
    ) -> Result<(Vec<FoundEvent>, bool), SearchError> {
        let mut events = Vec::new();
        let mut complete = true;
        for bus in buses {
            let mut page = Page { items: Default::default(), limit: PLACES_MAX, newest: false };
            let (mut from, mut looked_at) = (span.from, 0);
            while from < span.to && page.items.len() < page.limit && looked_at < LOOKED_AT_MAX {
                let part = Span { from, to: span.to.min(from + STEP) };
                page = self.look(bus, part, Wanted::id(id), page).await?;
                looked_at += STEP;
                from = part.to;
            }
            complete &= span.to <= from;
            events.extend(page.items);
        }
        Ok((events, complete))
    }
}

/// The time in a UUID of version 7.
fn time_of(id: &str) -> Option<Timestamp> {
    let uuid = uuid::Uuid::try_parse(id).ok()?;
    if uuid.get_version_num() != 7 {
        return None;
    }
    let millis = uuid.as_u128() >> 80;
    Some(Timestamp::from_millis(i64::try_from(millis).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_an_id_is_read_where_there_is_one() {
        let millis = |id| time_of(id).map(Timestamp::as_millis);
        assert_eq!(millis("0198c5f2-6f0e-7c43-a9d5-0b7f6f9b1c11"), Some(0x0198_c5f2_6f0e));
        assert_eq!(millis("8e03978e-40d5-43dd-bc93-6894a57f9324"), None);
        assert_eq!(millis("order-1"), None);
    }
}
