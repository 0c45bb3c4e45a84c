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

use super::blocks::{Block, Blocks};
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
    let mut walk = Walk { text, paths, blocks, leaves, word: 0, marks: 0 };
    let start = walk.space(0);
    if text.get(start) != Some(&b'{') {
        let message = "Event must be a JSON object".to_owned();
        return Err(EventError { offset: start, message });
    }
    walk.seek(start);
    walk.object(Paths::ROOT, 0, 1)?;
    leaves.finish();
    Ok(())
}

/// Goes from mark to mark: quotes, commas and closing brackets. That the next mark is one of the bits at
/// hand, and not a place to be computed from the last, lets the processor work on several at a time.
struct Walk<'a> {
    text: &'a [u8],
    paths: &'a Paths,
    blocks: &'a Blocks,
    leaves: &'a mut Leaves,
    /// The block at hand, and what is left of its marks.
    word: usize,
    marks: u64,
}

impl Walk<'_> {
    /// Reads the object whose first mark is the next one; its closing brace is the last mark taken.
    fn object(&mut self, node: Node, element: u32, depth: usize) -> Result<(), Broken> {
        let mut start = self.next()?;
        if self.text.get(start) == Some(&b'}') {
            return Ok(());
        }
        loop {
            if self.text.get(start) != Some(&b'"') {
                return Err(Broken(start));
            }
            let end = self.next()?;
            let child = self.child(node, start + 1, end);
            let colon = self.space(end + 1);
            if self.text.get(colon) != Some(&b':') {
                return Err(Broken(colon));
            }
            let at = self.space(colon + 1);
            match child {
                Some(child) => self.value(at, child, element, depth)?,
                None => self.skip(at)?,
            }
            let end = self.next()?;
            match self.text.get(end) {
                Some(b',') => start = self.next()?,
                Some(b'}') => return Ok(()),
                _ => return Err(Broken(end)),
            }
        }
    }

    #[inline(always)]
    fn child(&mut self, node: Node, start: usize, end: usize) -> Option<Node> {
        let key = &self.text[start..end];
        if self.blocks.has_escapes && key.contains(&b'\\') {
            let key = self.leaves.decoded_key(key);
            return self.paths.child(node, &Probe::new(key), key);
        }
        self.paths.child(node, &Probe::within(self.text, start, end), key)
    }

    /// Reads the value at `at`, at a node that some path leads to or through, up to the mark behind it.
    fn value(&mut self, at: usize, node: Node, element: u32, depth: usize) -> Result<(), Broken> {
        match self.text.get(at) {
            Some(b'{') if !self.paths.leads_on(node) => self.skip(at),
            Some(b'{') if depth < EVENT_DEPTH_MAX => self.object(node, element, depth + 1),
            Some(b'[') if depth < EVENT_DEPTH_MAX => self.array(at + 1, node, element, depth + 1),
            Some(b'{' | b'[') | None => Err(Broken(at)),
            Some(b'"') => {
                let (start, end) = (self.next()? + 1, self.next()?);
                if let Some(field) = self.paths.field(node) {
                    let text = &self.text[start..end];
                    if self.blocks.has_escapes && text.contains(&b'\\') {
                        self.leaves.push_escaped(field, element, text);
                    } else {
                        self.leaves.push(field, element, Kind::Text, (start, end));
                    }
                }
                Ok(())
            }
            Some(first) => {
                let Some(field) = self.paths.field(node) else { return Ok(()) };
                let literal = self.text.get(at..self.peek()?).ok_or(Broken(at))?.trim_ascii_end();
                let place = (at, at + literal.len());
                match first {
                    b't' => self.leaves.push(field, element, Kind::True, place),
                    b'f' => self.leaves.push(field, element, Kind::False, place),
                    b'n' => self.leaves.push(field, element, Kind::Null, place),
                    _ => self.leaves.push_number(field, element, self.text, place),
                }
                Ok(())
            }
        }
    }

    /// Reads what is behind an opening bracket; the closing one is the last mark taken.
    fn array(
        &mut self,
        start: usize,
        node: Node,
        element: u32,
        depth: usize,
    ) -> Result<(), Broken> {
        let array = self.leaves.open_array();
        let mut at = self.space(start);
        if self.text.get(at) == Some(&b']') {
            self.next()?;
            self.leaves.close_array(array);
            return Ok(());
        }
        loop {
            if let Some(b'{' | b'[') = self.text.get(at) {
                let entry = self.leaves.open_element(array, element);
                self.value(at, node, entry, depth)?;
                self.leaves.close_element(entry);
            } else {
                self.value(at, node, element, depth)?;
            }
            let end = self.next()?;
            match self.text.get(end) {
                Some(b',') => at = self.space(end + 1),
                Some(b']') => {
                    self.leaves.close_array(array);
                    return Ok(());
                }
                _ => return Err(Broken(end)),
            }
        }
    }

    /// Passes over a value, up to the mark behind it.
    #[inline(always)]
    fn skip(&mut self, at: usize) -> Result<(), Broken> {
        match self.text.get(at) {
            Some(b'"') => {
                self.next()?;
                self.next()?;
            }
            Some(b'{' | b'[') => {
                let end = self.blocks.container_end(at).ok_or(Broken(self.text.len()))?;
                self.seek(end);
            }
            _ => (),
        }
        Ok(())
    }

    /// Takes the next mark.
    #[inline(always)]
    fn next(&mut self) -> Result<usize, Broken> {
        let at = self.peek()?;
        self.marks &= self.marks - 1;
        Ok(at)
    }

    #[inline(always)]
    fn peek(&mut self) -> Result<usize, Broken> {
        while self.marks == 0 {
            self.word += 1;
            let block = self.blocks.get(self.word).ok_or(Broken(self.text.len()))?;
            self.marks = block.marks();
        }
        Ok(64 * self.word + index(self.marks.trailing_zeros()))
    }

    /// Goes on at the first mark at `at` or behind it.
    fn seek(&mut self, at: usize) {
        self.word = at / 64;
        let marks = self.blocks.get(self.word).map_or(0, Block::marks);
        self.marks = marks & u64::MAX << (at % 64);
    }

    #[inline(always)]
    fn space(&self, mut at: usize) -> usize {
        // Of the bytes that are no larger than a space JSON has only white space between its tokens.
        while self.text.get(at).is_some_and(|byte| *byte <= b' ') {
            at += 1;
        }
        at
    }
}
