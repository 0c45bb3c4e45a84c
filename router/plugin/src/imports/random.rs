//! The `random` import: numbers that are the same whenever the same event passes the same step.
//!
//! ```text
//! seed     = SHA-256("slipswitch random 1" , len(plugin) , plugin , len(id) , id , position)
//! block(n) = SHA-256(seed , n)                         n = 0, 1, 2 …
//! numbers  = block(0) block(1) block(2) …              (lengths and n: u64, position: u32, little-endian)
//! ```
//!
//! # Invariants
//!
//! - The numbers depend on the plugin's name (of one that runs beside another: on that one's), the event's id and the value's position among those that the step before
//!   made, and on how many were drawn for this event before: not on the instance, the batch, the thread or the attempt.
//! - The drawing above never changes: a replay next year gives what this year's run gave.

use sha2::{Digest as _, Sha256};
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use crate::contract::RANDOM;
use crate::instance::State;

/// The contract's bound for one call.
const BYTES_MAX: u32 = 4_096;
const BLOCK_BYTES: usize = 32;

/// The numbers of one event, one after the other.
pub(crate) struct Numbers {
    seed: [u8; BLOCK_BYTES],
    next_block: u64,
    block: [u8; BLOCK_BYTES],
    /// Bytes of `block` that were drawn.
    drawn: usize,
}

impl Numbers {
    pub(crate) fn new(plugin: &str, id: &str, position: u32) -> Self {
        let mut hash = Sha256::new();
        hash.update("slipswitch random 1");
        for text in [plugin, id] {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        hash.update(position.to_le_bytes());
        let seed = hash.finalize().into();
        Self { seed, next_block: 0, block: [0; BLOCK_BYTES], drawn: BLOCK_BYTES }
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.drawn == BLOCK_BYTES {
                let mut hash = Sha256::new();
                hash.update(self.seed);
                hash.update(self.next_block.to_le_bytes());
                self.block = hash.finalize().into();
                self.next_block += 1;
                self.drawn = 0;
            }
            *byte = self.block[self.drawn];
            self.drawn += 1;
        }
    }

    pub(crate) fn number(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    pub(crate) fn bytes(&mut self, len: u32) -> Vec<u8> {
        let mut bytes = vec![0; len.min(BYTES_MAX) as usize];
        self.fill(&mut bytes);
        bytes
    }
}

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut random = linker.instance(RANDOM)?;
    random.func_wrap("bytes", |mut store: StoreContextMut<'_, State>, (len,): (u32,)| {
        Ok((store.data_mut().numbers("random.bytes")?.bytes(len),))
    })?;
    random.func_wrap("number", |mut store: StoreContextMut<'_, State>, (): ()| {
        Ok((store.data_mut().numbers("random.number")?.number(),))
    })
}

impl State {
    pub(crate) fn numbers(&mut self, function: &'static str) -> wasmtime::Result<&mut Numbers> {
        let Self { draws_as, current, .. } = self;
        current.numbers(draws_as, function)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_drawing_above() {
        // From another implementation (Python's hashlib).
        let mut numbers = Numbers::new("redact", "0199f0c2-6a3e-7c11-9d55-0b6f5e3c9a77", 0);
        assert_eq!(numbers.number(), 13_139_472_332_338_330_555);
        let rest = numbers.bytes(30);
        assert_eq!(
            crate::cache::hex(&rest),
            "74b918d35e09e82394c587d2e55e99f5247dc5da4ced80da8fbad990e946"
        );
        assert_eq!(numbers.bytes(5_000).len(), 4_096);
        let other = |plugin, id, position| Numbers::new(plugin, id, position).number();
        let all = [
            other("redact", "e-1", 0),
            other("redact", "e-2", 0),
            other("redac", "te-1", 0),
            other("redact", "e-1", 1),
        ];
        assert!((0..4).all(|one| (0..one).all(|two| all[one] != all[two])), "{all:?}");
    }
}
