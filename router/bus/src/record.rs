//! What the bus puts into a journal record.
//!
//! ```text
//! payload = format: u8 (2)   hops: u8   length: u8   key: [u8; length]   envelope: JSON
//!           format: u8 (1)   hops: u8   envelope: JSON                            (read, no longer written)
//! ```
//!
//! `hops` counts the buses that have passed the event on; the envelope has no room for it, because
//! targets get the envelope as it is. `key` is the sender's idempotency key, empty when there was none.

use bytes::{BufMut, Bytes, BytesMut};
use event::{EntryError, Event, IdempotencyKey, Limits, Stamp};

const FORMAT: u8 = 2;
/// Without a key.
const FORMAT_KEYLESS: u8 = 1;
const KEYLESS_HEADER_BYTES: usize = 2;
const HEADER_BYTES: usize = 3;
/// What the router adds to an entry, seldom more.
const ENVELOPE_BYTES: usize = 256;

/// Why a record's payload is not an event.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("payload of {bytes} bytes is shorter than its header")]
    Short { bytes: usize },

    #[error("payload format {found} was written by a newer version; this one knows {FORMAT}")]
    Format { found: u8 },

    #[error(transparent)]
    Event(#[from] event::ReadError),
}

/// A payload, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub envelope: Bytes,
    pub hops: u8,
    /// The idempotency key; empty when there is none.
    pub key: Bytes,
}

pub(crate) fn encode(event: &Event, hops: u8, key: Option<&IdempotencyKey>) -> Bytes {
    let key = key.map_or("", IdempotencyKey::as_str).as_bytes();
    let mut payload = BytesMut::with_capacity(HEADER_BYTES + key.len() + event.bytes().len());
    payload.put_u8(FORMAT);
    payload.put_u8(hops);
    payload.put_u8(u8::try_from(key.len()).expect("a key is that short"));
    payload.put_slice(key);
    payload.put_slice(event.bytes());
    payload.freeze()
}

/// The payload of what a sender sent, and the event's id; none when it has an idempotency key.
pub(crate) fn encode_entry(
    entry: &[u8],
    limits: &Limits,
    stamp: &Stamp<'_>,
) -> Result<Option<(Bytes, String)>, EntryError> {
    let mut payload = Vec::with_capacity(HEADER_BYTES + ENVELOPE_BYTES + entry.len());
    payload.extend_from_slice(&[FORMAT, 0, 0]);
    let id = Event::write_entry(entry, limits, stamp, &mut payload)?;
    Ok(id.map(|id| (Bytes::from(payload), id)))
}

/// Takes a payload apart, without parsing.
pub(crate) fn parts(payload: &Bytes) -> Result<Parts, RecordError> {
    let short = RecordError::Short { bytes: payload.len() };
    match payload.first_chunk() {
        Some(&[FORMAT_KEYLESS, hops]) => {
            let envelope = payload.slice(KEYLESS_HEADER_BYTES..);
            Ok(Parts { envelope, hops, key: Bytes::new() })
        }
        Some(&[FORMAT, hops]) => {
            let Some(length) = payload.get(KEYLESS_HEADER_BYTES) else { return Err(short) };
            let end = HEADER_BYTES + usize::from(*length);
            if payload.len() < end {
                return Err(short);
            }
            let (key, envelope) = (payload.slice(HEADER_BYTES..end), payload.slice(end..));
            Ok(Parts { envelope, hops, key })
        }
        Some(&[found, _]) => Err(RecordError::Format { found }),
        None => Err(short),
    }
}

/// The envelope's bytes and the hops, without parsing.
pub(crate) fn split(payload: &Bytes) -> Result<(Bytes, u8), RecordError> {
    parts(payload).map(|parts| (parts.envelope, parts.hops))
}

/// The event's JSON in a record of the journal, for tools that read journals without a router.
pub fn envelope(payload: &Bytes) -> Result<Bytes, String> {
    split(payload).map(|(envelope, _hops)| envelope).map_err(|error| error.to_string())
}

pub(crate) fn decode(payload: &Bytes) -> Result<(Event, u8), RecordError> {
    let (envelope, hops) = split(payload)?;
    Ok((Event::read(envelope)?, hops))
}

#[cfg(test)]
mod tests {
    use event::Timestamp;

    use super::*;

    fn event() -> Event {
        let stamp =
            Stamp { id: "1", time: Timestamp::from_millis(5), account: "0", region: "local" };
        let entry = br#"{"source":"a","detail-type":"b","detail":{ "n": 1.10 }}"#;
        Event::from_entry(entry, &Limits::default(), &stamp).unwrap()
    }

    #[test]
    fn an_event_its_hops_and_its_key_come_back() {
        let event = event();
        let long = IdempotencyKey::new(&"k".repeat(255)).unwrap();
        for key in [None, Some(&IdempotencyKey::new("k-1").unwrap()), Some(&long)] {
            let payload = encode(&event, 3, key);
            let (read, hops) = decode(&payload).unwrap();
            assert_eq!((read.json(), hops), (event.json(), 3));
            let found = parts(&payload).unwrap().key;
            assert_eq!(found, key.map_or("", IdempotencyKey::as_str).as_bytes());
        }
    }

    #[test]
    fn a_payload_without_room_for_a_key_is_still_read() {
        let payload = Bytes::from([b"\x01\x03", event().bytes().as_ref()].concat());
        let found = parts(&payload).unwrap();
        assert_eq!(
            (found.envelope, found.hops, found.key),
            (event().bytes().clone(), 3, Bytes::new())
        );
    }

    #[test]
    fn what_another_version_wrote_is_said() {
        let said =
            |bytes: &'static [u8]| decode(&Bytes::from_static(bytes)).unwrap_err().to_string();
        assert_eq!(said(b"\x01"), "payload of 1 bytes is shorter than its header");
        assert_eq!(said(b"\x02\x00"), "payload of 2 bytes is shorter than its header");
        assert_eq!(said(b"\x02\x00\x03ab"), "payload of 5 bytes is shorter than its header");
        assert_eq!(
            said(b"\x03\x00{}"),
            "payload format 3 was written by a newer version; this one knows 2"
        );
        assert!(said(b"\x01\x00{}").starts_with("no envelope"));
        assert!(said(b"\x02\x00\x00{}").starts_with("no envelope"));
    }
}
