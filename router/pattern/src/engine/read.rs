//! From the bytes of an event to its leaves, without a look at what no pattern names.
//!
//! The event was checked before; here it is only walked. A key that leads nowhere is passed over with
//! all of its value by counting brackets in [`Blocks`], at several bytes a cycle.
//!
//! # Invariants
//!
//! - Bytes that are no JSON end in an error or in some answer, after one pass over them.
//! - The depth of recursion is bounded by [`EVENT_DEPTH_MAX`].
//!
//! # Not here
//!
//! - An early end. A key may repeat and a dotted key may stand for a nested one, so there is always
//!   something that could still matter; passing over the rest costs less than to know better.

use super::blocks::Blocks;
use super::hash::Probe;
use super::index;
use super::leaves::{Kind, Leaves};
use super::paths::{Node, Paths};
use crate::event::EventError;
use crate::limits::EVENT_DEPTH_MAX;

/// The event is no JSON, at this byte.
pub(super) struct Broken(usize);

impl From<Broken> for EventError {
    fn from(Broken(offset): Broken) -> Self {
        Self { offset, message: "the event is not JSON".to_owned() }
    }
}

/// Puts the values at `paths` into `leaves`.
pub(super) fn read(
    text: &[u8],
    paths: &Paths,
    blocks: &mut Blocks,
    leaves: &mut Leaves,
) -> Result<(), EventError> {
    if u32::try_from(text.len()).is_err() {
        let message = "the event is larger than 4 GiB".to_owned();
        return Err(EventError { offset: 0, message });
    }
    leaves.clear(paths.len());
    if paths.len() == 0 {
        leaves.finish();
        return Ok(());
    }
    blocks.read(text);
    if blocks.ends_in_string {
        return Err(Broken(text.len()).into());
    }
    let mut walk = Walk { text, paths, blocks, leaves };
    let start = walk.space(0);
    if text.get(start) != Some(&b'{') {
        let message = "Event must be a JSON object".to_owned();
        return Err(EventError { offset: start, message });
    }
    walk.object(start + 1, Paths::ROOT, 0, 1)?;
    leaves.finish();
    Ok(())
}

struct Walk<'a> {
    text: &'a [u8],
    paths: &'a Paths,
    blocks: &'a Blocks,
    leaves: &'a mut Leaves,
}

impl Walk<'_> {
    /// Reads what is behind an opening brace, and returns what is behind its closing one.
    fn object(
        &mut self,
        start: usize,
        node: Node,
        element: u32,
        depth: usize,
    ) -> Result<usize, Broken> {
        let mut at = start;
        loop {
            at = self.space(at);
            match self.text.get(at) {
                Some(b'"') => (),
                Some(b'}') => return Ok(at + 1),
                _ => return Err(Broken(at)),
            }
            let end = self.quote(at + 1)?;
            let child = self.child(node, at + 1, end);
            at = self.space(end + 1);
            if self.text.get(at) != Some(&b':') {
                return Err(Broken(at));
            }
            at = self.space(at + 1);
            at = match child {
                Some(child) => self.value(at, child, element, depth)?,
                None => self.skip(at)?,
            };
            at = self.space(at);
            match self.text.get(at) {
                Some(b',') => at += 1,
                Some(b'}') => return Ok(at + 1),
                _ => return Err(Broken(at)),
            }
        }
    }

    #[inline]
    fn child(&mut self, node: Node, start: usize, end: usize) -> Option<Node> {
        let key = &self.text[start..end];
        if self.blocks.has_escapes && key.contains(&b'\\') {
            let key = self.leaves.decoded_key(key);
            return self.paths.child(node, &Probe::new(key), key);
        }
        self.paths.child(node, &Probe::within(self.text, start, end), key)
    }

    /// Reads the value at `at`, at a node that some path leads to or through.
    fn value(
        &mut self,
        at: usize,
        node: Node,
        element: u32,
        depth: usize,
    ) -> Result<usize, Broken> {
        match self.text.get(at) {
            Some(b'{') if !self.paths.leads_on(node) => self.container_end(at),
            Some(b'{') if depth < EVENT_DEPTH_MAX => self.object(at + 1, node, element, depth + 1),
            Some(b'[') if depth < EVENT_DEPTH_MAX => self.array(at + 1, node, element, depth + 1),
            Some(b'{' | b'[') | None => Err(Broken(at)),
            Some(b'"') => {
                let end = self.quote(at + 1)?;
                if let Some(field) = self.paths.field(node) {
                    let is_escaped =
                        self.blocks.has_escapes && self.text[at + 1..end].contains(&b'\\');
                    self.leaves.push_text(field, element, self.text, (at + 1, end), is_escaped);
                }
                Ok(end + 1)
            }
            Some(first) => {
                let end = self.value_end(at)?;
                let Some(field) = self.paths.field(node) else { return Ok(end) };
                let literal = self.text[at..end].trim_ascii_end();
                let place = (at, at + literal.len());
                match first {
                    b't' => self.leaves.push(field, element, Kind::True, place),
                    b'f' => self.leaves.push(field, element, Kind::False, place),
                    b'n' => self.leaves.push(field, element, Kind::Null, place),
                    _ => self.leaves.push_number(field, element, self.text, place),
                }
                Ok(end)
            }
        }
    }

    /// Reads what is behind an opening bracket, and returns what is behind its closing one.
    fn array(
        &mut self,
        start: usize,
        node: Node,
        element: u32,
        depth: usize,
    ) -> Result<usize, Broken> {
        let array = self.leaves.open_array();
        let mut at = self.space(start);
        if self.text.get(at) == Some(&b']') {
            self.leaves.close_array(array);
            return Ok(at + 1);
        }
        loop {
            at = match self.text.get(at) {
                Some(b'{' | b'[') => {
                    let entry = self.leaves.open_element(array, element);
                    let end = self.value(at, node, entry, depth)?;
                    self.leaves.close_element(entry);
                    end
                }
                _ => self.value(at, node, element, depth)?,
            };
            at = self.space(at);
            match self.text.get(at) {
                Some(b',') => at = self.space(at + 1),
                Some(b']') => {
                    self.leaves.close_array(array);
                    return Ok(at + 1);
                }
                _ => return Err(Broken(at)),
            }
        }
    }

    /// Passes over a value.
    #[inline]
    fn skip(&self, at: usize) -> Result<usize, Broken> {
        match self.text.get(at) {
            Some(b'{' | b'[') => self.container_end(at),
            _ => self.value_end(at),
        }
    }

    /// What is behind the container that opens at `at`.
    fn container_end(&self, at: usize) -> Result<usize, Broken> {
        let mut word = at / 64;
        // From behind the opening bracket on.
        let mut mask = (u64::MAX << (at % 64)) << 1;
        let mut depth = 1;
        loop {
            let block = self.blocks.all.get(word).ok_or(Broken(self.text.len()))?;
            let (opens, mut closes) = (block.opens & mask, block.closes & mask);
            if closes.count_ones() < depth {
                depth = depth + opens.count_ones() - closes.count_ones();
            } else {
                let mut closed = 0;
                while closes != 0 {
                    let lowest = closes & closes.wrapping_neg();
                    closed += 1;
                    let opened = (opens & (lowest - 1)).count_ones();
                    if depth + opened == closed {
                        return Ok(64 * word + index(closes.trailing_zeros()) + 1);
                    }
                    closes &= closes - 1;
                }
                depth = depth + opens.count_ones() - closed;
            }
            word += 1;
            mask = u64::MAX;
        }
    }

    /// The next unescaped quote at `from` or behind it.
    #[inline]
    fn quote(&self, from: usize) -> Result<usize, Broken> {
        let mut word = from / 64;
        let mut mask = u64::MAX << (from % 64);
        while let Some(block) = self.blocks.all.get(word) {
            let quotes = block.quotes & mask;
            if quotes != 0 {
                return Ok(64 * word + index(quotes.trailing_zeros()));
            }
            word += 1;
            mask = u64::MAX;
        }
        Err(Broken(self.text.len()))
    }

    /// The comma or closing bracket behind a value that is no container.
    #[inline]
    fn value_end(&self, from: usize) -> Result<usize, Broken> {
        let mut word = from / 64;
        let mut mask = u64::MAX << (from % 64);
        while let Some(block) = self.blocks.all.get(word) {
            let ends = (block.commas | block.closes) & mask;
            if ends != 0 {
                return Ok(64 * word + index(ends.trailing_zeros()));
            }
            word += 1;
            mask = u64::MAX;
        }
        Err(Broken(self.text.len()))
    }

    #[inline(always)]
    fn space(&self, mut at: usize) -> usize {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(at) {
            at += 1;
        }
        at
    }
}
