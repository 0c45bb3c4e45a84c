//! What a plugin hands over, read out of its memory.
//!
//! # Invariants
//!
//! - Nothing is allocated before what it takes was charged: a plugin cannot describe a huge output with little memory
//!   of its own.

use wasmtime::{Result, bail};

use crate::{Output, wit};

/// More than one call may hand over.
#[derive(Debug, thiserror::Error)]
#[error("more is handed over than one call may")]
pub(crate) struct TooMuch;

/// From this length on `simdutf8` looks at many bytes at once; most of what plugins hand over is shorter.
const VECTOR_BYTES: usize = 64;

/// The text, unless it is no UTF-8. A short one is looked at in `room`, with zeros behind it: a character that is cut
/// off is no better for them.
fn checked(text: &[u8], room: &mut [u8; VECTOR_BYTES]) -> Option<String> {
    let Some(short) = room.get_mut(..text.len()) else {
        return Some(simdutf8::basic::from_utf8(text).ok()?.to_owned());
    };
    short.copy_from_slice(text);
    let padded = simdutf8::basic::from_utf8(room).ok()?;
    Some(padded.get(..text.len())?.to_owned())
}

pub(super) struct Reading<'a> {
    memory: &'a [u8],
    /// Bytes on our side that may yet be taken.
    left: usize,
}

impl<'a> Reading<'a> {
    pub(super) fn new(memory: &'a [u8], bytes_max: usize) -> Self {
        Self { memory, left: bytes_max }
    }

    /// Where a record of so many bytes is, if it is there. The contract's are aligned to four bytes.
    pub(super) fn record(&self, at: u32, len: usize) -> Result<usize> {
        let at = at as usize;
        if !at.is_multiple_of(4) {
            bail!("pointer not aligned");
        }
        match at.checked_add(len) {
            Some(end) if end <= self.memory.len() => Ok(at),
            _ => bail!("pointer out of bounds of memory"),
        }
    }

    pub(super) fn byte(&self, at: usize) -> Result<u8> {
        Ok(self.bytes::<1>(at)?[0])
    }

    /// Which case of a variant it is.
    pub(super) fn case(&self, at: usize, count: u8) -> Result<u8> {
        let case = self.byte(at)?;
        if case >= count {
            bail!("unexpected discriminant: {case}");
        }
        Ok(case)
    }

    /// A `string`.
    pub(super) fn text(&mut self, at: usize) -> Result<String> {
        let (start, len) = self.pair(at)?;
        let text = self.range(start, len);
        let Some(text) = text else { bail!("string pointer/length out of bounds of memory") };
        self.charge(text.len(), 1)?;
        match checked(text, &mut [0; VECTOR_BYTES]) {
            Some(text) => Ok(text),
            // It has the words for what is wrong.
            None => Ok(std::str::from_utf8(text)?.to_owned()),
        }
    }

    /// A `list` of records of so many bytes.
    pub(super) fn list<T>(
        &mut self,
        at: usize,
        size: usize,
        mut read: impl FnMut(&mut Self, u32) -> Result<T>,
    ) -> Result<Vec<T>> {
        let (start, len) = self.pair(at)?;
        let bytes = (len as usize).checked_mul(size).and_then(|bytes| u32::try_from(bytes).ok());
        if bytes.and_then(|bytes| self.range(start, bytes)).is_none() {
            bail!("list pointer/length out of bounds of memory");
        }
        self.charge(len as usize, size_of::<T>())?;
        if !start.is_multiple_of(4) {
            bail!("list pointer is not aligned");
        }
        let mut list = Vec::with_capacity(len as usize);
        for index in 0..len {
            // Within the range, whose end is a number of 32 bits.
            list.push(read(self, start + index * u32::try_from(size)?)?);
        }
        Ok(list)
    }

    /// A `result` whose error is the contract's.
    pub(super) fn answer<T>(
        &mut self,
        at: u32,
        ok: impl FnOnce(&mut Self, usize) -> Result<T>,
    ) -> Result<Result<T, wit::Error>> {
        let at = self.record(at, 16)?;
        if self.case(at, 2)? == 0 {
            return ok(self, at + 4).map(Ok);
        }
        let kind = self.case(at + 4, 3)?;
        let words = self.text(at + 8)?;
        Ok(Err(match kind {
            0 => wit::Error::Invalid(words),
            1 => wit::Error::Retry(words),
            _ => wit::Error::Fatal(words),
        }))
    }

    pub(super) fn outputs(&mut self, at: usize) -> Result<Vec<Output>> {
        self.list(at, 16, |reading, at| {
            let at = at as usize;
            let body = reading.text(at)?;
            let pair = |reading: &mut Self, at: u32| {
                Ok((reading.text(at as usize)?, reading.text(at as usize + 8)?))
            };
            Ok(Output { body, attributes: reading.list(at + 8, 16, pair)? })
        })
    }

    /// An address and a length.
    fn pair(&self, at: usize) -> Result<(u32, u32)> {
        Ok((u32::from_le_bytes(self.bytes(at)?), u32::from_le_bytes(self.bytes(at + 4)?)))
    }

    fn range(&self, start: u32, len: u32) -> Option<&'a [u8]> {
        let start = start as usize;
        self.memory.get(start..start.checked_add(len as usize)?)
    }

    fn bytes<const N: usize>(&self, at: usize) -> Result<[u8; N]> {
        match self.memory.get(at..).and_then(|rest| rest.first_chunk()) {
            Some(bytes) => Ok(*bytes),
            None => bail!("pointer out of bounds of memory"),
        }
    }

    fn charge(&mut self, count: usize, size: usize) -> Result<()> {
        let left = count.checked_mul(size).and_then(|bytes| self.left.checked_sub(bytes));
        self.left = left.ok_or(TooMuch)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_any_length_is_held_to_utf8() {
        for len in 0..3 * VECTOR_BYTES {
            for tail in ["", "é", "€", "🚚"] {
                let text = "x".repeat(len) + tail;
                let all = text.as_bytes();
                // Cut off within its last character, it is none.
                for end in len..=all.len() {
                    let cut = &all[..end];
                    let expected = std::str::from_utf8(cut).ok().map(str::to_owned);
                    assert_eq!(checked(cut, &mut [0; VECTOR_BYTES]), expected);
                }
            }
        }
    }
}
