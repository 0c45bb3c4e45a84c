//! Lists of small free blocks, before the allocator of the wasm target.
//!
//! Most of what a plugin allocates for an event is small, and is free again before the call ends: the next event takes
//! the same blocks from the lists, for a few instructions each.
//!
//! # Invariants
//!
//! - A block of the lists is as large as its class, and belonged to the allocator behind as one of that size.
//! - The lists hold at most [`KEPT_MAX`] blocks of a class, together half a mebibyte: who drops a large tree gives its
//!   memory back.
//! - One thread: a plugin is built without atomics.

#![expect(unsafe_code, reason = "an allocator; each block says why it holds")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;

#[cfg(target_arch = "wasm32")]
use dlmalloc::GlobalDlmalloc as Behind;
#[cfg(not(target_arch = "wasm32"))]
use std::alloc::System as Behind;

/// Classes are so many bytes apart.
const STEP: usize = 16;
const ALIGN: usize = 8;
/// What is larger goes to the allocator behind, as does what is aligned more.
const SMALL_MAX: usize = 512;
const KEPT_MAX: u32 = 64;

#[cfg(all(target_arch = "wasm32", not(target_feature = "atomics")))]
#[global_allocator]
static ALLOCATOR: Lists = Lists::new();

struct Lists([UnsafeCell<List>; SMALL_MAX / STEP]);

/// Free blocks of one class, each of which begins with the address of the next.
struct List {
    first: *mut u8,
    count: u32,
}

// SAFETY: without atomics there is one thread, so nothing is shared.
#[cfg(all(target_arch = "wasm32", not(target_feature = "atomics")))]
unsafe impl Sync for Lists {}

/// The class of a block, and the layout that all of that class have.
#[inline]
fn class(layout: Layout) -> Option<(usize, Layout)> {
    if layout.size() == 0 || layout.size() > SMALL_MAX || layout.align() > ALIGN {
        return None;
    }
    let index = (layout.size() - 1) / STEP;
    // SAFETY: the alignment is a power of two, and the size is far below what an address can be.
    let layout = unsafe { Layout::from_size_align_unchecked((index + 1) * STEP, ALIGN) };
    Some((index, layout))
}

impl Lists {
    const fn new() -> Self {
        Self(
            [const { UnsafeCell::new(List { first: ptr::null_mut(), count: 0 }) };
                SMALL_MAX / STEP],
        )
    }

    #[inline]
    fn list(&self, index: usize) -> *mut List {
        self.0[index].get()
    }
}

// SAFETY: a block is handed out by the lists only after it was given back to them, and only for a layout of its class,
// which its size and alignment satisfy; all else is done by the allocator behind, with the layout that it gave out.
unsafe impl GlobalAlloc for Lists {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((index, whole)) = class(layout) else {
            // SAFETY: the caller's promise.
            return unsafe { Behind.alloc(layout) };
        };
        // SAFETY: one thread, and nothing below calls back, so this borrow is the only one.
        let list = unsafe { &mut *self.list(index) };
        let block = list.first;
        if block.is_null() {
            // SAFETY: a class has no size of 0.
            return unsafe { Behind.alloc(whole) };
        }
        // SAFETY: a free block begins with the address of the next.
        list.first = unsafe { block.cast::<*mut u8>().read() };
        list.count -= 1;
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some((index, whole)) = class(layout) else {
            // SAFETY: the caller's promise.
            return unsafe { Behind.dealloc(block, layout) };
        };
        // SAFETY: as in `alloc`.
        let list = unsafe { &mut *self.list(index) };
        if list.count == KEPT_MAX {
            // SAFETY: the allocator behind gave it out with this layout.
            return unsafe { Behind.dealloc(block, whole) };
        }
        // SAFETY: the block is free, large enough for an address, and aligned for one.
        unsafe { block.cast::<*mut u8>().write(list.first) };
        list.first = block;
        list.count += 1;
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if class(layout).is_none() {
            // SAFETY: the caller's promise. Of fresh memory it knows that there are zeros already.
            return unsafe { Behind.alloc_zeroed(layout) };
        }
        // SAFETY: the caller's promise.
        let block = unsafe { self.alloc(layout) };
        if !block.is_null() {
            // SAFETY: the block has at least the layout's size.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller has promised that `size` is no more than a layout may have.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (class(layout), class(wanted)) {
            // SAFETY: the caller's promise; the allocator behind gave it out with this layout.
            (None, None) => unsafe { Behind.realloc(block, layout, size) },
            (Some((before, _)), Some((after, _))) if before == after => block,
            _ => {
                // SAFETY: the caller's promise: the size is not 0.
                let moved = unsafe { self.alloc(wanted) };
                if !moved.is_null() {
                    // SAFETY: both blocks have so many bytes, and they are two.
                    unsafe { moved.copy_from_nonoverlapping(block, layout.size().min(size)) };
                    // SAFETY: the caller's promise; nobody has the old block any more.
                    unsafe { self.dealloc(block, layout) };
                }
                moved
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// A block that is filled with a byte of its own.
    struct Block(*mut u8, Layout, u8);

    impl Block {
        fn is_intact(&self) -> bool {
            // SAFETY: all of it was written.
            let bytes = unsafe { core::slice::from_raw_parts(self.0, self.1.size()) };
            bytes.iter().all(|byte| *byte == self.2) && self.0.addr().is_multiple_of(self.1.align())
        }
    }

    fn take(lists: &Lists, size: usize, align: usize, mark: u8) -> Block {
        let layout = Layout::from_size_align(size, align).unwrap();
        // SAFETY: the size is not 0.
        let start = unsafe { lists.alloc(layout) };
        // SAFETY: it is as large as was asked.
        unsafe { start.write_bytes(mark, size) };
        Block(start, layout, mark)
    }

    #[test]
    fn no_block_is_two_peoples() {
        let lists = Lists::new();
        let mut blocks: Vec<Block> = Vec::new();
        let mut random = 1_u64;
        for round in 0..20_000_usize {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let number = usize::try_from(random >> 33).unwrap();
            let mark = u8::try_from(round % 251).unwrap();
            let at = number % blocks.len().max(1);
            match number % 5 {
                0 | 1 if blocks.len() < 300 => {
                    blocks.push(take(&lists, 1 + number % 700, 1 << (number % 5), mark));
                }
                2 | 3 if !blocks.is_empty() => {
                    let block = blocks.swap_remove(at);
                    assert!(block.is_intact());
                    // SAFETY: it is given back once, with its layout.
                    unsafe { lists.dealloc(block.0, block.1) };
                }
                _ if !blocks.is_empty() => {
                    let Block(start, layout, mark) = blocks.swap_remove(at);
                    let size = 1 + number % 700;
                    // SAFETY: it is this allocator's, with its layout.
                    let start = unsafe { lists.realloc(start, layout, size) };
                    let kept = Layout::from_size_align(layout.size().min(size), layout.align());
                    assert!(Block(start, kept.unwrap(), mark).is_intact());
                    // SAFETY: it is as large as was asked.
                    unsafe { start.write_bytes(mark, size) };
                    let layout = Layout::from_size_align(size, layout.align()).unwrap();
                    blocks.push(Block(start, layout, mark));
                }
                _ => {}
            }
        }
        assert!(blocks.iter().all(Block::is_intact));
        give_back(&lists, blocks);
    }

    #[test]
    fn a_block_that_was_free_is_used_again_and_zeroed_when_that_is_asked() {
        let lists = Lists::new();
        let first = take(&lists, 100, 8, 7);
        let at = first.0;
        give_back(&lists, [first]);
        // SAFETY: the size is not 0.
        let again = unsafe { lists.alloc_zeroed(Layout::from_size_align(97, 1).unwrap()) };
        let again = Block(again, Layout::from_size_align(97, 1).unwrap(), 0);
        assert!(again.0 == at && again.is_intact());
        give_back(&lists, [again]);
    }

    #[test]
    fn of_many_free_blocks_most_go_back() {
        let lists = Lists::new();
        let blocks: Vec<Block> = (0..1000).map(|_| take(&lists, 64, 8, 1)).collect();
        give_back(&lists, blocks);
        // SAFETY: nobody else has it.
        assert_eq!(unsafe { &*lists.list(3) }.count, KEPT_MAX);
    }

    fn give_back(lists: &Lists, blocks: impl IntoIterator<Item = Block>) {
        for block in blocks {
            // SAFETY: it is given back once, with its layout.
            unsafe { lists.dealloc(block.0, block.1) };
        }
    }
}
