//! Room that is handed out by moving one pointer on, and taken back all at once.
//!
//! # Invariants
//!
//! - What was taken stays where it is until `clear`, or until `rewind` to a place before it.
//! - Between calls it holds one chunk of at most [`KEPT_BYTES_MAX`].

use alloc::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use alloc::vec::Vec;
use core::ptr;

/// Enough for most events; one that needs more gets a chunk of its own.
const CHUNK_BYTES: usize = 16 << 10;
/// What a large event leaves behind for the next one.
const KEPT_BYTES_MAX: usize = 256 << 10;
/// Of every chunk; the contract knows nothing that is aligned more.
const ALIGN: usize = 16;

pub(super) struct Arena {
    /// The chunk in use: what comes next, and where it ends. Addresses, 0 when there is no chunk.
    next: *mut u8,
    free: usize,
    chunks: Vec<Chunk>,
}

struct Chunk {
    start: *mut u8,
    layout: Layout,
}

/// A place to go back to.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    next: *mut u8,
    free: usize,
    chunks: usize,
}

impl Arena {
    pub(super) const fn new() -> Self {
        Self { next: ptr::null_mut(), free: 0, chunks: Vec::new() }
    }

    /// `len` bytes that belong to nobody else. `align` is a power of two up to 16.
    #[inline]
    pub(super) fn take(&mut self, len: usize, align: usize) -> *mut u8 {
        let gap = self.next.addr().wrapping_neg() & (align - 1);
        match gap.checked_add(len) {
            Some(needed) if needed <= self.free => {
                // SAFETY: `needed` bytes from `next` on are within its chunk.
                let (at, next) = unsafe { (self.next.add(gap), self.next.add(needed)) };
                self.next = next;
                self.free -= needed;
                at
            }
            _ => self.take_more(len),
        }
    }

    #[cold]
    fn take_more(&mut self, len: usize) -> *mut u8 {
        let last = self.chunks.last().map_or(0, |chunk| chunk.layout.size());
        let size = CHUNK_BYTES.max(last.saturating_mul(2).min(KEPT_BYTES_MAX)).max(len);
        let Ok(layout) = Layout::from_size_align(size, ALIGN) else {
            handle_alloc_error(Layout::new::<u8>())
        };
        // SAFETY: the size is not 0.
        let start = unsafe { alloc(layout) };
        if start.is_null() {
            handle_alloc_error(layout);
        }
        self.chunks.push(Chunk { start, layout });
        // SAFETY: the chunk has at least `len` bytes.
        self.next = unsafe { start.add(len) };
        self.free = size - len;
        start
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { next: self.next, free: self.free, chunks: self.chunks.len() }
    }

    /// Gives back what was taken since `mark`, when it is of the same chunk. Else it stays until `clear`; the next
    /// mark is then in the new chunk, so a loop over marks does not grow.
    pub(super) fn rewind(&mut self, mark: Mark) {
        if mark.chunks == self.chunks.len() {
            self.next = mark.next;
            self.free = mark.free;
        }
    }

    #[inline]
    pub(super) fn clear(&mut self) {
        if let [chunk] = self.chunks.as_slice()
            && chunk.layout.size() <= KEPT_BYTES_MAX
        {
            self.next = chunk.start;
            self.free = chunk.layout.size();
        } else {
            self.clear_more();
        }
    }

    #[cold]
    fn clear_more(&mut self) {
        for Chunk { start, layout } in self.chunks.drain(..) {
            // SAFETY: it came from `alloc` with this layout, and is named nowhere any more.
            unsafe { dealloc(start, layout) };
        }
        self.next = ptr::null_mut();
        self.free = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(arena: &mut Arena, lens: &[(usize, usize)]) -> Vec<usize> {
        lens.iter().map(|(len, align)| arena.take(*len, *align).addr()).collect()
    }

    #[test]
    fn what_is_taken_is_aligned_and_apart() {
        let mut arena = Arena::new();
        let lens = [(1, 1), (8, 8), (3, 1), (4, 4), (0, 4), (CHUNK_BYTES, 4), (5, 1), (16, 16)];
        let at = addresses(&mut arena, &lens);
        for (index, (start, (len, align))) in at.iter().zip(lens).enumerate() {
            assert!(start.is_multiple_of(align), "{index}: {start:x} for {align}");
            for (other, (other_len, _)) in at.iter().zip(lens).take(index) {
                assert!(other + other_len <= *start || start + len <= *other, "{index}");
            }
        }
    }

    #[test]
    fn the_same_room_serves_call_after_call() {
        let mut arena = Arena::new();
        let first = addresses(&mut arena, &[(1000, 1), (24, 4)]);
        for _ in 0..100 {
            arena.clear();
            assert_eq!(addresses(&mut arena, &[(1000, 1), (24, 4)]), first);
        }
        assert_eq!(arena.chunks.len(), 1);
    }

    #[test]
    fn a_large_call_leaves_little_behind() {
        let mut arena = Arena::new();
        addresses(&mut arena, &[(100, 1), (KEPT_BYTES_MAX + 1, 1), (100, 1)]);
        arena.clear();
        assert_eq!((arena.chunks.len(), arena.free), (0, 0));
        addresses(&mut arena, &[(KEPT_BYTES_MAX, 1)]);
        arena.clear();
        assert_eq!(arena.free, KEPT_BYTES_MAX);
    }

    #[test]
    fn a_loop_over_marks_does_not_grow() {
        let mut arena = Arena::new();
        for _ in 0..1000 {
            let mark = arena.mark();
            arena.take(CHUNK_BYTES / 3, 1);
            arena.rewind(mark);
        }
        assert_eq!(arena.chunks.len(), 1);
        arena.take(CHUNK_BYTES / 2, 1);
        for _ in 0..1000 {
            let mark = arena.mark();
            arena.take(CHUNK_BYTES - 10, 1);
            arena.rewind(mark);
        }
        assert_eq!(arena.chunks.len(), 2);
    }
}
