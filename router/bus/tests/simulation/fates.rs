//! What the router tells of events, held against what the model knows.
//!
//! # Invariants that it checks
//!
//! - Nothing is told to be delivered that did not arrive, and nothing to be dead that is no letter.
//! - At rest nothing is told to be on its way.
//! - Where no process died and no disk failed, nothing is missing: what arrived is told.

use slipswitch_bus::{AttemptResult, DeliveryState, Place, Router};

use crate::claims::Found;
use crate::model::Key;
use crate::world::{Around, Sim};

/// Events that are asked for.
const ASKED: u64 = 8;

/// Asks what became of some events, when nothing is owed any more.
pub(crate) async fn ask(around: &Around, router: &Router) {
    let sim = &around.0;
    router.written().await; // What has just ended may still have its row.
    for _ in 0..ASKED {
        let event = {
            let mut state = sim.lock();
            let count = state.model.log.len();
            if count == 0 {
                return;
            }
            let at = state.random.index(count);
            state.model.log[at].event.clone()
        };
        match router.fate(&event, None).await {
            Ok(fate) => {
                let found = around.read_database();
                for place in &fate.places {
                    if let Err(what) = check(sim, &found, &event, place) {
                        sim.lock()
                            .model
                            .wrong(format!("{event} is told wrong: {what}: {place:#?}"));
                    }
                }
            }
            Err(error) => sim.lock().model.wrong(format!("{event} is not told: {error}")),
        }
    }
}

fn check(sim: &Sim, found: &Found, event: &str, place: &Place) -> Result<(), String> {
    let model = &sim.lock().model;
    let (bus, offset) = (&place.event.bus, place.event.offset);
    let logged = model.log.get(crate::journal::index(offset)).ok_or("there is no such offset")?;
    if (&logged.bus, logged.event.as_str()) != (bus, event) {
        return Err(format!("the journal has {logged:?} there"));
    }
    let of = |rule: &str, target: &str| Key {
        bus: bus.clone(),
        rule: rule.to_owned(),
        target: target.to_owned(),
    };
    let mut told = Vec::new();
    for one in &place.deliveries {
        let (key, replay) = (of(&one.rule, &one.target), one.replay.clone().unwrap_or_default());
        let has_arrived = model.has_arrived(&key, &replay, offset);
        let at = (key.clone(), replay.clone(), offset);
        let is_right = match one.state {
            DeliveryState::Delivered => has_arrived,
            DeliveryState::Dead => found.dead.contains(&at) || model.is_purgeable(&at),
            DeliveryState::Unrecorded | DeliveryState::Removed => true,
            DeliveryState::Dropped | DeliveryState::Postponed | DeliveryState::Waiting => false,
        };
        if !is_right {
            return Err(format!("{key:?} {replay} is {:?}, arrived: {has_arrived}", one.state));
        }
        told.push((at, one.state));
    }
    for one in place.attempts.iter().filter(|one| one.result == AttemptResult::Delivered) {
        let replay = one.replay.clone().unwrap_or_default();
        if !model.has_arrived(&of(&one.rule, &one.target), &replay, offset) {
            return Err(format!("attempt {one:?} never arrived"));
        }
    }
    if model.is_log_whole {
        let here = model.arrived.keys().filter(|(key, _, at)| *at == offset && key.bus == *bus);
        // An attempt under way when its replay failed is nobody's any more.
        let here = here.filter(|(_, replay, _)| !found.has_failed(replay));
        for at in here {
            let is_told = told.iter().any(|(told, state)| {
                told == at && matches!(state, DeliveryState::Delivered | DeliveryState::Dead)
            });
            if !is_told {
                return Err(format!("{at:?} arrived, and is not told"));
            }
        }
    }
    Ok(())
}
