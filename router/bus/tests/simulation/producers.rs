//! Who sends events, and remembers which were acknowledged.

use std::sync::Arc;

use bytes::Bytes;
use slipswitch_bus::{Clock, Router};

use crate::keys::Keyed;
use crate::model::Sent;
use crate::rules::{BUSES, KINDS};
use crate::world::{Sim, State};

pub(crate) async fn produce(sim: Arc<Sim>, router: Router, producer: u64) {
    for round in 0..1 + sim.draw(12) {
        let pause = if sim.chance(20) { 400 } else { 30 };
        sim.sleep(pause).await;
        let (bus, batch) = draw(&sim, producer, round);
        let ids: Vec<String> = batch.iter().map(|(id, _)| id.clone()).collect();
        let entries = batch.into_iter().map(|(_, entry)| entry).collect();
        match sim.ask(router.ingest(bus, entries)).await {
            Some(Ok(results)) => {
                let mut state = sim.lock();
                state.note(|| format!("acknowledged on {bus}: {}", ids.join(", ")));
                for (id, result) in ids.into_iter().zip(results) {
                    match result {
                        Ok(taken) => {
                            state.note_weak(bus, &taken);
                            state.model.note_answer(id, &taken);
                        }
                        Err(error) => state.model.wrong(format!("{id} was refused: {error}")),
                    }
                }
            }
            Some(Err(error)) => sim.note(|| format!("not taken, {}: {error}", ids.join(", "))),
            None => sim.note(|| format!("nobody knows of {}", ids.join(", "))),
        }
    }
}

fn draw(sim: &Sim, producer: u64, round: u64) -> (&'static str, Vec<(String, Bytes)>) {
    let wall = sim.now().as_millis();
    let mut state = sim.lock();
    let life = state.model.life();
    let bus = BUSES[usize::from(state.random.chance(20))];
    let mut batch = Vec::new();
    for number in 0..1 + state.random.below(5) {
        let id = format!("{life}-{producer}-{round}-{number}");
        let again = if state.random.chance(15) { state.draw_keyed(bus) } else { None };
        let is_keyed = again.is_some() || state.random.chance(20);
        let event = again.unwrap_or_else(|| draw_event(&mut state, bus, &id));
        let key = match is_keyed {
            true => format!(r#""idempotency-key":"{}","#, event.key),
            false => String::new(),
        };
        let detail = &event.detail;
        let entry = format!(r#"{{"id":"{id}",{key}"source":"sim","detail-type":"T",{detail}}}"#);
        state.model.sent.insert(id.clone(), event.sent.clone());
        if is_keyed {
            state.model.note_keyed(&id, event, wall);
        }
        batch.push((id, Bytes::from(entry)));
    }
    (bus, batch)
}

fn draw_event(state: &mut State, bus: &'static str, id: &str) -> Keyed {
    let kind = KINDS[state.random.index(KINDS.len())];
    let key = state.random.below(4);
    let padding = "x".repeat(state.random.index(500));
    let detail = format!(
        r#""detail":{{"id":"{id}","kind":"{kind}","key":{key},"n":1.10,"padding":"{padding}"}}"#
    );
    Keyed { sent: Sent { bus, kind, key }, key: format!("of-{id}"), detail }
}
