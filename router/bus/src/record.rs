//! What the bus puts into a journal record.
//!
//! ```text
//! payload = format: u8 (1)   hops: u8   envelope: JSON
//! ```
//!
//! `hops` counts the buses that have passed the event on; the envelope has no room for it, because
//! targets get the envelope as it is.

use bytes::{BufMut, Bytes, BytesMut};
use event::{EntryError, Event, Limits, Stamp};

const FORMAT: u8 = 1;
const HEADER_BYTES: usize = 2;
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

pub(crate) fn encode(event: &Event, hops: u8) -> Bytes {
    let mut payload = BytesMut::with_capacity(HEADER_BYTES + event.bytes().len());
    payload.put_u8(FORMAT);
    payload.put_u8(hops);
    payload.put_slice(event.bytes());
    payload.freeze()
}

/// The payload of what a sender sent, and the event's id.
pub(crate) fn encode_entry(
    entry: &[u8],
    limits: &Limits,
    stamp: &Stamp<'_>,
) -> Result<(Bytes, String), EntryError> {
    let mut payload = Vec::with_capacity(HEADER_BYTES + ENVELOPE_BYTES + entry.len());
    payload.extend_from_slice(&[FORMAT, 0]);
    let id = Event::write_entry(entry, limits, stamp, &mut payload)?;
    Ok((Bytes::from(payload), id))
}

/// The envelope's bytes and the hops, without parsing.
pub(crate) fn split(payload: &Bytes) -> Result<(Bytes, u8), RecordError> {
    match payload.get(..HEADER_BYTES) {
        None => Err(RecordError::Short { bytes: payload.len() }),
        Some(&[FORMAT, hops]) => Ok((payload.slice(HEADER_BYTES..), hops)),
        Some(header) => Err(RecordError::Format { found: header[0] }),
    }
}

pub(crate) fn decode(payload: &Bytes) -> Result<(Event, u8), RecordError> {
    let (envelope, hops) = split(payload)?;
    Ok((Event::read(envelope)?, hops))
}

#[cfg(test)]
mod tests {
    use event::Timestamp;

    use super::*;

    #[test]
    fn an_event_and_its_hops_come_back() {
        let stamp =
            Stamp { id: "1", time: Timestamp::from_millis(5), account: "0", region: "local" };
        let entry = br#"{"source":"a","detail-type":"b","detail":{ "n": 1.10 }}"#;
        let event = Event::from_entry(entry, &Limits::default(), &stamp).unwrap();
        let (read, hops) = decode(&encode(&event, 3)).unwrap();
        assert_eq!((read.json(), hops), (event.json(), 3));
    }

    #[test]
    fn what_another_version_wrote_is_said() {
        let said =
            |bytes: &'static [u8]| decode(&Bytes::from_static(bytes)).unwrap_err().to_string();
        assert_eq!(said(b"\x01"), "payload of 1 bytes is shorter than its header");
        assert_eq!(
            said(b"\x02\x00{}"),
            "payload format 2 was written by a newer version; this one knows 1"
        );
        assert!(said(b"\x01\x00{}").starts_with("no envelope"));
    }
}
