//! The target that is another bus.
//!
//! The event keeps its id, so that it can be followed. What a transform made of it is an event of
//! its own, and gets an id that is made of its delivery's: a repeated delivery is the same event
//! again. A counter of hops, kept beside the event in the journal, ends loops.

use std::ops::Range;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use delivery::{Answer, Delivery, Sending, Target};
use event::{Event, Stamp};
use journal::Offset;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::core::Core;
use crate::ingest::IngestError;
use crate::record;

pub(crate) struct BusTarget {
    /// The core holds the routes that hold this.
    core: Weak<Core>,
    to: String,
}

impl BusTarget {
    pub(crate) fn new(core: &Arc<Core>, to: &str) -> Self {
        Self { core: Arc::downgrade(core), to: to.to_owned() }
    }

    async fn publish(&self, core: &Core, deliveries: &[Delivery]) -> Answer {
        let to = &self.to;
        let records = deliveries.iter().map(|delivery| self.record(core, delivery));
        let records = match records.collect::<Result<Vec<Bytes>, String>>() {
            Ok(records) => records,
            Err(reason) => return Answer::Refused { reason },
        };
        match core.append(to, records).await {
            Ok(_offsets) => Answer::Accepted,
            Err(error @ IngestError::UnknownBus { .. }) => {
                Answer::Refused { reason: error.to_string() }
            }
            Err(error) => {
                Answer::Unavailable { reason: format!("bus {to}: {error}"), retry_after: None }
            }
        }
    }

    fn record(&self, core: &Core, delivery: &Delivery) -> Result<Bytes, String> {
        let (to, hops_max) = (&self.to, core.options.hops_max);
        let hops = delivery.hops.saturating_add(1);
        if hops > hops_max {
            return Err(format!(
                "bus {to}: the event has been passed on {hops_max} times, which is the limit \
                 (delivery.hops_max); is there a loop of buses?"
            ));
        }
        match self.event(core, delivery) {
            Ok(event) => {
                delivery.receipt.became.get_or_init(|| event.id().into());
                Ok(record::encode(&event, hops, None))
            }
            Err(error) => Err(format!("bus {to}: what was made is no event: {error}")),
        }
    }

    fn event(&self, core: &Core, delivery: &Delivery) -> Result<Event, event::EntryError> {
        let id = derived_id(&delivery.id.to_string());
        let stamp = Stamp {
            id: &id,
            time: core.clock.now(),
            account: &core.options.account,
            region: &core.options.region,
        };
        Event::from_forwarded(&delivery.body, &core.options.limits, &stamp)
    }
}

impl Target for BusTarget {
    fn send<'a>(&'a self, delivery: &'a Delivery) -> Sending<'a> {
        self.send_together(std::slice::from_ref(delivery))
    }

    fn send_together<'a>(&'a self, deliveries: &'a [Delivery]) -> Sending<'a> {
        Box::pin(async move {
            match self.core.upgrade() {
                Some(core) => self.publish(&core, deliveries).await,
                None => Answer::Unavailable {
                    reason: "the router is stopping".to_owned(),
                    retry_after: None,
                },
            }
        })
    }
}

/// A version 8 UUID (RFC 9562: the bits are ours to define) out of a delivery's id.
fn derived_id(delivery_id: &str) -> String {
    let hash = Sha256::digest(delivery_id.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(hash.get(..16).expect("SHA-256 has 32 bytes"));
    Uuid::new_v8(bytes).to_string()
}

/// Only the bytes are shared with the journal's queue.
impl Core {
    pub(crate) async fn append(
        &self,
        bus: &str,
        payloads: Vec<Bytes>,
    ) -> Result<Range<Offset>, IngestError> {
        self.know(bus)?;
        let now = self.clock.now().as_millis();
        self.journal.append(bus, payloads, now).await.map_err(IngestError::from)
    }

    /// For a bus that wants events acknowledged before they are synced: where they will be is not
    /// known then.
    pub(crate) async fn post(
        &self,
        bus: &str,
        payloads: Vec<Bytes>,
        within: Duration,
    ) -> Result<Range<Offset>, IngestError> {
        self.know(bus)?;
        let now = self.clock.now().as_millis();
        self.journal.post(bus, payloads, now, within).await?;
        let end = self.journal.durable_end();
        Ok(end..end)
    }
}
