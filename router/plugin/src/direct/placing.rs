//! What a plugin is given, written into its memory.

use wasmtime::{AsContextMut, Result, bail};

use super::Room;
use crate::Event;
use crate::instance::State;

/// Of a pair of texts in the attributes' table.
const PAIR_BYTES: usize = 16;
/// Of an event in a list: fourteen numbers.
const EVENT_BYTES: usize = 56;
const ALIGN: u32 = 4;

impl Room {
    /// The bytes' place: address and length.
    pub(super) fn place(
        &self,
        store: &mut impl AsContextMut<Data = State>,
        bytes: &[u8],
        align: u32,
    ) -> Result<(u32, u32)> {
        let (at, room) = self.take(store, bytes.len(), align)?;
        room.copy_from_slice(bytes);
        Ok((at, u32::try_from(bytes.len())?))
    }

    /// The numbers of an event whose texts are in one piece.
    pub(super) fn place_event(
        &self,
        store: &mut impl AsContextMut<Data = State>,
        event: &Event<'_>,
    ) -> Result<[u32; 14]> {
        let Event { id, source, detail_type, time, json, detail, attributes, .. } = event;
        let texts = [id, source, detail_type, time, json];
        let table_bytes = attributes.len() * PAIR_BYTES;
        let attribute_bytes: usize =
            attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
        let text_bytes: usize = texts.iter().map(|text| text.len()).sum();
        let (start, room) = self.take(store, table_bytes + attribute_bytes + text_bytes, ALIGN)?;
        let (table, mut rest) = room.split_at_mut(table_bytes);
        let mut at = start + u32::try_from(table_bytes)?;
        let mut write = |text: &str| {
            let (room, after) = std::mem::take(&mut rest).split_at_mut(text.len());
            room.copy_from_slice(text.as_bytes());
            rest = after;
            // The whole block has an address of 32 bits.
            let pair = [at, u32::try_from(text.len())?];
            at += pair[1];
            Ok::<_, wasmtime::Error>(pair)
        };
        let mut numbers = [0; 14];
        for (pair, text) in numbers.chunks_exact_mut(2).zip(texts) {
            pair.copy_from_slice(&write(text)?);
        }
        for (entry, (name, value)) in table.chunks_exact_mut(PAIR_BYTES).zip(*attributes) {
            let ([a, b], [c, d]) = (write(name)?, write(value)?);
            for (room, number) in entry.chunks_exact_mut(4).zip([a, b, c, d]) {
                room.copy_from_slice(&number.to_le_bytes());
            }
        }
        // One that does not fit is left out: a plugin then looks for the detail itself.
        if let (Ok(start), Ok(len)) = (u32::try_from(detail.start), u32::try_from(detail.len())) {
            numbers[10] = start;
            numbers[11] = len;
        }
        numbers[12] = start;
        numbers[13] = u32::try_from(attributes.len())?;
        Ok(numbers)
    }

    /// Address and length of a list of events.
    pub(super) fn place_list(
        &self,
        store: &mut impl AsContextMut<Data = State>,
        events: &[Event<'_>],
    ) -> Result<(u32, u32)> {
        let mut list = Vec::with_capacity(events.len() * EVENT_BYTES);
        for event in events {
            let numbers = self.place_event(store, event)?;
            list.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        }
        let (at, _) = self.place(store, &list, ALIGN)?;
        Ok((at, u32::try_from(events.len())?))
    }

    /// So many bytes of the plugin's memory, which it has given away.
    fn take<'s>(
        &self,
        store: &'s mut impl AsContextMut<Data = State>,
        len: usize,
        align: u32,
    ) -> Result<(u32, &'s mut [u8])> {
        store.as_context_mut().data_mut().is_asked_for_room = true;
        let at = self.realloc.call(&mut *store, (0, 0, align, u32::try_from(len)?))?;
        store.as_context_mut().data_mut().is_asked_for_room = false;
        if !at.is_multiple_of(align) {
            bail!("realloc return: result not aligned");
        }
        let memory = self.memory.data_mut(store.as_context_mut());
        match memory.get_mut(at as usize..).and_then(|rest| rest.get_mut(..len)) {
            Some(room) => Ok((at, room)),
            None => bail!("realloc return: beyond end of memory"),
        }
    }
}
