//! The random numbers of an event, as the router draws them:
//!
//! ```text
//! seed     = SHA-256("slipswitch random 1" , len(plugin) , plugin , len(id) , id , position)
//! block(n) = SHA-256(seed , n)                         n = 0, 1, 2 …
//! numbers  = block(0) block(1) block(2) …              (lengths and n: u64, position: u32, little-endian)
//! ```
//!
//! The position is 0 here: that of an event which no step before has changed.

use alloc::vec::Vec;

use super::sha256::sha256;

#[derive(Default)]
pub(super) struct Numbers {
    seed: [u8; 32],
    next_block: u64,
    /// What is left of the block before, last byte first.
    left: Vec<u8>,
}

impl Numbers {
    pub(super) fn new(plugin: &str, id: &str) -> Self {
        let mut text = b"slipswitch random 1".to_vec();
        for part in [plugin, id] {
            text.extend((part.len() as u64).to_le_bytes());
            text.extend(part.bytes());
        }
        text.extend(0_u32.to_le_bytes());
        Self { seed: sha256(&text), ..Self::default() }
    }

    pub(super) fn byte(&mut self) -> u8 {
        loop {
            if let Some(byte) = self.left.pop() {
                return byte;
            }
            let mut text = self.seed.to_vec();
            text.extend(self.next_block.to_le_bytes());
            self.left.extend(sha256(&text).iter().rev());
            self.next_block += 1;
        }
    }

    pub(super) fn number(&mut self) -> u64 {
        u64::from_le_bytes(core::array::from_fn(|_| self.byte()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_router() {
        // The router's own test expects the same.
        let mut numbers = Numbers::new("redact", "0199f0c2-6a3e-7c11-9d55-0b6f5e3c9a77");
        assert_eq!(numbers.number(), 13_139_472_332_338_330_555);
        let rest: Vec<u8> = (0..30).map(|_| numbers.byte()).collect();
        assert_eq!(rest[..8], [0x74, 0xb9, 0x18, 0xd3, 0x5e, 0x09, 0xe8, 0x23]);
        assert_eq!(rest[26..], [0xd9, 0x90, 0xe9, 0x46]);
    }
}
