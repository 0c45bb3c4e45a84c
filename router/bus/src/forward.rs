//! The target that is another bus.
//!
//! The event keeps its id, so that it can be followed. What a transform made of it is an event of
//! its own, and gets an id that is made of its delivery's: a repeated delivery is the same event
//! again. A counter of hops, kept beside the event in the journal, ends loops.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use delivery::{Answer, Delivery, Sending, Target};
use event::{Event, Stamp};
use journal::Offset;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::attributes;
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
        let body = renamed(&delivery.body, &delivery.attributes);
        Event::from_forwarded(&body, &core.options.limits, &stamp)
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

/// The entry with the source and the detail-type that a plugin attached, in the place of its own.
fn renamed<'a>(body: &'a [u8], attributes: &[(String, String)]) -> Cow<'a, [u8]> {
    let names = ["source", "detail-type"];
    let given: Vec<(&str, &str)> = names
        .into_iter()
        .filter_map(|name| Some((name, attributes::find(attributes, name)?)))
        .collect();
    if given.is_empty() {
        return Cow::Borrowed(body);
    }
    // What is no object is told so, as ever.
    let Ok(mut entry) = serde_json::from_slice::<BTreeMap<String, Box<RawValue>>>(body) else {
        return Cow::Borrowed(body);
    };
    for (name, value) in given {
        let value = serde_json::value::to_raw_value(value).expect("a text can be written");
        entry.insert(name.to_owned(), value);
    }
    serde_json::to_vec(&entry).map_or(Cow::Borrowed(body), Cow::Owned)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attached_source_and_detail_type_take_the_place_of_the_entrys_own() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let body = br#"{"source":"a","detail-type":"T","detail":{"n":1.10}}"#;
        let attached = [pair("source", "b \"c\""), pair("other", "x")];
        let renamed_text = renamed(body, &attached);
        let expected = r#"{"detail":{"n":1.10},"detail-type":"T","source":"b \"c\""}"#;
        assert_eq!(std::str::from_utf8(&renamed_text).unwrap(), expected);
        assert_eq!(&*renamed(body, &attached[1..]), body);
        assert_eq!(&*renamed(b"[1]", &attached), b"[1]");
    }
}
