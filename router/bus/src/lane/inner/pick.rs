//! What a lane does next, and when, if nothing happens before.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use delivery::Permit;
use event::Timestamp;
use ruleset::Batch;

use super::{Inner, Part, Work};
use crate::attempt::{HOLD_MAX, NOT_TRIED, Retry};
use crate::lane::gate::Pass;
use crate::lane::waiting::Turn;
use crate::lane::{Now, Owed};
use crate::making::Room;
use crate::routes::Route;
use crate::state::{Made, Postponed};

/// The order of everything in a replay that keeps it. It is on disk: it never changes.
const ONE_BY_ONE: u64 = 0;
/// A clock that is so much behind was set back; less is how clocks are.
const STEP_MIN: Duration = Duration::from_secs(1);
/// When what plugins are still to make is looked at again, while one event finds out whether they work.
const PLUGINS_AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Work {
    /// What it is about; the first of a batch.
    fn part(&self) -> Option<Part> {
        match self {
            Self::Event(owed, _) => Some(Part::Event(owed.offset)),
            Self::Batch(events) => events.first().map(|(owed, _)| Part::Event(owed.offset)),
            Self::Retry(retry) | Self::Bury(retry) => Some(Part::Retry(retry.place.clone())),
        }
    }
}

impl Inner {
    /// The next thing to do: first what is due again, then what is new.
    pub(crate) fn next(&mut self, now: Now) -> Option<Work> {
        self.notice(now);
        if self.is_cancelled || self.running >= self.concurrency() {
            return None;
        }
        self.gate.limit(self.route.target.flow.rate, now.steady);
        let is_retired = self.retired.is_some();
        if is_retired && let Some(retry) = self.waiting.take_due(now.wall) {
            self.running += 1;
            // What was only written down first is tried once, as an event is.
            return Some(if retry.is_untried { Work::Retry(retry) } else { Work::Bury(retry) });
        }
        let pass = self.gate.pass(now);
        let of_plugins = self.gate.plugins_permit(now.wall);
        // What is still to be made waits with the events while the plugins are left alone. Whether they work again, an
        // event shows that has not failed yet, if there is one.
        let made_only = match of_plugins {
            Permit::Probe if !is_retired && self.has_free_event() => {
                Some(now.wall.after(PLUGINS_AGAIN_AFTER))
            }
            Permit::Yes | Permit::Probe => None,
            Permit::NotBefore(at) => Some(at),
            Permit::Wait => Some(now.wall.after(PLUGINS_AGAIN_AFTER)),
        };
        self.full = None;
        let room = match made_only {
            None if !is_retired => self.room_of_retry(pass == Pass::Probe, now)?,
            _ => None,
        };
        let due = match pass {
            Pass::Shut(_) => return None,
            // What ends first tells nothing of the target, and would pass for the probe.
            Pass::Probe if is_retired && self.waiting.has_rows() => return None,
            _ if is_retired => None,
            Pass::Free | Pass::Probe if let Some(later) = made_only => {
                self.waiting.take_due_made(now.wall, later)
            }
            Pass::Free => self.waiting.take_due(now.wall),
            Pass::Probe => self.waiting.take_probe(now.wall),
        }
        .map(|retry| Work::Retry(Retry { room, ..retry }));
        let is_event = due.is_none() && !is_retired;
        let is_made = matches!(&due, Some(Work::Retry(retry)) if !retry.is_unmade);
        let plugins = match of_plugins {
            Permit::Probe if !is_made && !is_retired => Pass::Probe,
            Permit::NotBefore(_) | Permit::Wait if is_event => return None,
            _ => Pass::Free,
        };
        let pass_of_batch = if plugins == Pass::Probe { plugins } else { pass };
        let work = match (due, self.route.target.flow.batch) {
            (Some(due), _) => due,
            (None, None) => {
                let room = self.room(1)?;
                let owed = self.next_event(now, &BTreeSet::new())?;
                let room = room.filter(|(route, _)| Arc::ptr_eq(route, &owed.route));
                Work::Event(owed, room.and_then(|(_, mut rooms)| rooms.pop()))
            }
            (None, Some(batch)) => Work::Batch(self.next_batch(batch, pass_of_batch, now)?),
        };
        if pass == Pass::Probe {
            self.gate.probe();
        }
        if plugins == Pass::Probe {
            self.gate.probe_plugins();
            self.plugin_probe = work.part();
        }
        self.running += 1;
        let is_only_made =
            !matches!(work, Work::Retry(_)) && !self.route.target.stateful().is_empty();
        if !is_only_made {
            self.gate.take(now); // Else it is sent later.
        }
        Some(work)
    }

    /// Whether an event is there that may start at once.
    fn has_free_event(&self) -> bool {
        let is_free = |owed| match self.order_of(owed) {
            Some(order) => self.waiting.turn(order) == Turn::Free,
            None => !self.is_full(),
        };
        self.waiting.first_released().is_some() || self.feed.front().is_some_and(is_free)
    }

    /// Room for the next events where their transform runs; `Some(None)` where they need none, or there is no event.
    fn room(&mut self, events: usize) -> Option<Option<(Arc<Route>, Vec<Room>)>> {
        let Some(next) = self.waiting.first_released().or_else(|| self.feed.front()) else {
            return Some(None);
        };
        let route = Arc::clone(&next.route);
        self.room_on(&route, events).map(|rooms| rooms.map(|rooms| (route, rooms)))
    }

    /// Room for what is tried again next, if it is still to be made.
    fn room_of_retry(&mut self, is_probe: bool, now: Now) -> Option<Option<Room>> {
        if self.route.making.is_none() || !self.waiting.is_next_unmade(now.wall, is_probe) {
            return Some(None);
        }
        let route = Arc::clone(&self.route);
        self.room_on(&route, 1).map(|rooms| rooms.and_then(|mut rooms| rooms.pop()))
    }

    fn room_on(&mut self, route: &Arc<Route>, events: usize) -> Option<Option<Vec<Room>>> {
        let Some(making) = &route.making else { return Some(None) };
        let rooms = making.try_admit_many(events);
        if rooms.is_none() {
            self.full = Some((Arc::clone(route), events));
        }
        rooms.map(Some)
    }

    /// Sees to it that a clock that stepped back makes nothing wait longer than it was to wait.
    pub(super) fn notice(&mut self, now: Now) {
        let Some(seen) = self.seen else {
            self.seen = Some(now);
            // What was written down may have been so before the clock was set.
            let latest = now.wall.after(self.route.policy.backoff_max.max(HOLD_MAX));
            self.waiting.move_due(|due_at| due_at.min(latest));
            return;
        };
        if now.steady < seen.steady {
            return; // It was read before the other one.
        }
        self.seen = Some(now);
        let back = seen.wall.after(now.steady - seen.steady).since(now.wall);
        if back < STEP_MIN {
            return;
        }
        self.waiting.move_due(|due_at| due_at.before(back));
        self.gate.step_back(back);
    }

    /// As many events as a batch holds; fewer when the first has waited long enough.
    fn next_batch(
        &mut self,
        batch: Batch,
        pass: Pass,
        now: Now,
    ) -> Option<Vec<(Owed, Option<Room>)>> {
        let is_ripe = self.batch_wait(batch, now).is_some_and(|wait| wait.is_zero());
        if !is_ripe && self.retired.is_none() && pass != Pass::Probe {
            return None;
        }
        let events_max = if pass == Pass::Probe { 1 } else { batch.events };
        let events_max = events_max.min(self.waiting.released() + self.feed.len());
        let (of, mut rooms) = self.room(events_max)?.unzip();
        // A queue that others have, too, may hold less than a batch.
        let events_max = rooms.as_ref().map_or(events_max, Vec::len);
        let (mut events, mut orders) = (Vec::new(), BTreeSet::new());
        while events.len() < events_max {
            let Some(owed) = self.next_event(now, &orders) else { break };
            orders.extend(owed.order);
            let is_of_it = of.as_ref().is_some_and(|of| Arc::ptr_eq(of, &owed.route));
            let room = rooms.as_mut().filter(|_| is_of_it).and_then(Vec::pop);
            events.push((owed, room));
        }
        (!events.is_empty()).then_some(events)
    }

    /// How long the events that are there wait for company; none when there are none.
    fn batch_wait(&self, batch: Batch, now: Now) -> Option<Duration> {
        let released = self.waiting.first_released().map(|owed| owed.ingested);
        let queued = self.feed.front().map(|owed| owed.ingested);
        let oldest = released.into_iter().chain(queued).min()?;
        if self.feed.len() >= batch.events {
            return Some(Duration::ZERO);
        }
        // A clock that stepped back makes nobody wait longer than that.
        Some(oldest.after(batch.within).since(now.wall).min(batch.within))
    }

    /// The first event whose turn it is. What is behind another one of its order is put aside,
    /// unless that is one of `company`.
    fn next_event(&mut self, now: Now, company: &BTreeSet<u64>) -> Option<Owed> {
        if let Some(released) = self.waiting.take_released() {
            return Some(released);
        }
        loop {
            if self.is_full() {
                return None;
            }
            let front = self.feed.front()?;
            let order = self.order_of(front);
            let turn = match order {
                // Unless others of its order are put aside: they go before it.
                Some(order) if company.contains(&order) && !self.waiting.holds(order) => Turn::Free,
                Some(order) => self.waiting.turn(order),
                None => Turn::Free,
            };
            if turn == Turn::UnderWay && self.waiting.held() >= self.bounds.queue_max {
                return None;
            }
            if turn == Turn::Postponed && order == Some(ONE_BY_ONE) {
                return None; // All that comes would stand in this line.
            }
            let mut owed = self.feed.pop().expect("there is one in front");
            owed.order = order;
            self.open.insert(owed.offset);
            match (turn, order) {
                (Turn::UnderWay, Some(order)) => self.waiting.hold(order, owed),
                (Turn::Postponed, Some(_)) => self.stand_in_line(owed, now.wall),
                (Turn::Free, Some(order)) => {
                    self.waiting.begin(order);
                    return Some(owed);
                }
                (_, None) => return Some(owed),
            }
        }
    }

    /// A replay that sends one event at a time keeps the order, also when its target asks for none.
    fn order_of(&self, owed: &Owed) -> Option<u64> {
        let is_asked = owed.route.target.flow.order_by.is_some();
        if self.key.replay.is_some() && self.concurrency() == 1 && !is_asked {
            return Some(ONE_BY_ONE);
        }
        owed.route.order_of(&owed.event)
    }

    /// So much waits or is done out of order that nothing new may start.
    fn is_full(&self) -> bool {
        // With nothing open, the window is held up by the very event that is to start next.
        let has_window = self.done.len() < self.bounds.window_max || self.open.is_empty();
        self.waiting.len() >= self.bounds.postponed_max || !has_window
    }

    /// An event behind a postponed one of its order becomes a row without having been tried.
    pub(super) fn stand_in_line(&mut self, owed: Owed, now: Timestamp) {
        let was_open = self.open.remove(&owed.offset);
        assert!(was_open, "it was taken from the queue");
        self.done.insert(owed.offset.get());
        self.is_dirty = true;
        self.waiting.postpone(Postponed {
            id: self.key.delivery(owed.offset, 0),
            order: owed.order,
            event_id: owed.event.id().to_owned(),
            hops: owed.hops,
            attempts: 0,
            owed_at: owed.ingested,
            due_at: now,
            last_attempt_at: now,
            error: NOT_TRIED.to_owned(),
            made: Made::NotYet,
        });
    }

    /// In how long there may be something to start, if nothing else happens.
    pub(crate) fn wake_in(&self, now: Now) -> Option<Duration> {
        if self.running >= self.concurrency() {
            return None; // The end of one of them is the time.
        }
        let shut = match self.gate.pass(now) {
            Pass::Shut(wait) if self.retired.is_none() => return wait,
            Pass::Shut(wait) => wait, // What waits for a retry ends all the same.
            Pass::Free | Pass::Probe => None,
        };
        let due = self.waiting.next_due().map(|due_at| due_at.since(now.wall));
        let batch = self.route.target.flow.batch.and_then(|batch| self.batch_wait(batch, now));
        let plugins = match self.gate.plugins_permit(now.wall) {
            Permit::NotBefore(at) => Some(at.since(now.wall)),
            Permit::Yes | Permit::Probe | Permit::Wait => None,
        };
        // What is ripe and did not start waits for something else than time.
        due.into_iter().chain(batch.filter(|wait| !wait.is_zero())).chain(shut).chain(plugins).min()
    }
}

#[cfg(test)]
mod tests {
    use journal::Offset;

    use super::*;
    use crate::attempt::{End, Outcome};
    use crate::key::Key;
    use crate::lane::Finished;
    use crate::lane::tests::{open, owed, postponed};
    use crate::state::Subscription;
    use crate::testing;

    #[test]
    fn what_is_put_aside_goes_before_what_comes_later_in_a_batch_too() {
        let route = testing::batched_route();
        let stored = Subscription::new(Key::live("default", "rule", "target"), Offset::new(0));
        let lane = open(&stored, (&[], &route), 0);
        let now = Now { wall: Timestamp::from_millis(0), steady: Duration::ZERO };
        let offer = |offset| lane.offer(|| owed(offset, &route), Offset::new(offset));
        let next = || match lane.lock().next(now) {
            Some(Work::Batch(all)) => all.iter().map(|(owed, _)| owed.offset.get()).collect(),
            Some(work) => panic!("{work:?}"),
            None => Vec::new(),
        };
        // All of one order.
        offer(0);
        assert_eq!(next(), [0]);
        offer(6);
        offer(9);
        assert_eq!(next(), [0_u64; 0]);
        offer(12);
        let order = route.order_of(&owed(0, &route).event);
        let ends = Outcome { ends: vec![End::Delivered], order, ..Outcome::default() };
        let parts = vec![(Part::Event(Offset::new(0)), ends)];
        lane.lock().finish(Finished { parts }, now);
        assert_eq!(next(), [6], "12 does not pass 9 by");
    }

    fn lane_on(route: &Arc<Route>, waiting: &[Postponed]) -> Arc<crate::lane::Lane> {
        let stored = Subscription::new(Key::live("default", "rule", "target"), Offset::new(0));
        open(&stored, (waiting, route), 0)
    }

    #[test]
    fn a_batch_waits_until_there_is_room_for_all_its_events() {
        let (route, making) = testing::made_by_plugins(testing::batched_route(), 3);
        let (lane, mut held) = (lane_on(&route, &[]), making.try_admit_many(2).unwrap());
        // Each of an order of its own.
        for offset in 0..2 {
            lane.offer(|| owed(offset, &route), Offset::new(offset));
        }
        let now = Now { wall: Timestamp::from_millis(0), steady: Duration::ZERO };
        assert!(lane.lock().next(now).is_none());
        assert_eq!(lane.lock().full.take().map(|(_, events)| events), Some(2));
        held.pop();
        let Some(Work::Batch(events)) = lane.lock().next(now) else { panic!("there is room") };
        let rooms = events.iter().filter(|(_, room)| room.is_some()).count();
        assert_eq!((events.len(), rooms, making.try_admit().is_some()), (2, 2, false));
    }

    #[test]
    fn a_retry_whose_payload_is_still_to_be_made_waits_for_room() {
        let (route, making) = testing::made_by_plugins(testing::fresh_route(), 1);
        let held = making.try_admit_many(1);
        let at = Timestamp::from_millis(5);
        let row = |offset| {
            let made = if offset == 0 { Made::NotYet } else { Made::OnDisk };
            Postponed { made, due_at: at, ..postponed(offset, 1, 5) }
        };
        let lane = lane_on(&route, &[row(0), row(1)]);
        let now = Now { wall: at, steady: Duration::ZERO };
        assert!(lane.lock().next(now).is_none());
        assert_eq!(lane.lock().full.take().map(|(_, events)| events), Some(1));
        drop(held);
        let next = || match lane.lock().next(now) {
            Some(Work::Retry(retry)) => (retry.place.offset, retry.room.is_some()),
            other => panic!("{other:?}"),
        };
        assert_eq!((next(), next()), ((0, true), (1, false)));
    }
}
