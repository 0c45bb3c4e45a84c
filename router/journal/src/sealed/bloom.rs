//! A bloom filter over 64-bit keys: eight bits and six positions a key.
//!
//! # Invariants
//!
//! - What was put in is found. What was not is found about once in fifty times.

use crate::layout::take;

const BITS_A_KEY: usize = 8;
const POSITIONS: u32 = 6;

/// The filter's words for different keys.
pub(super) fn build(keys: impl ExactSizeIterator<Item = u64>) -> Vec<u64> {
    let mut words = vec![0; (keys.len() * BITS_A_KEY).div_ceil(64)];
    let bits = words.len() as u64 * 64;
    for key in keys {
        for bit in positions(key, bits) {
            words[usize::try_from(bit / 64).unwrap_or(0)] |= 1 << (bit % 64);
        }
    }
    words
}

/// Whether the filter, as it is in the file, may hold the key. An empty one holds none.
pub(super) fn may_hold(words: &[u8], key: u64) -> bool {
    let bits = (words.len() / 8) as u64 * 64;
    bits != 0
        && positions(key, bits).all(|bit| {
            // Words are little-endian, so a bit's byte can be looked at by itself.
            let byte = usize::try_from(bit / 8).unwrap_or(0);
            take::<1>(words, byte)[0] & (1 << (bit % 8)) != 0
        })
}

/// All of them are below `bits`.
fn positions(key: u64, bits: u64) -> impl Iterator<Item = u64> {
    let mixed = mix(key);
    let (step, start) = ((mixed >> 32) | 1, mixed & u64::from(u32::MAX));
    (0..u64::from(POSITIONS)).map(move |number| {
        let spread = start.wrapping_add(number.wrapping_mul(step)) & u64::from(u32::MAX);
        (spread * bits) >> 32
    })
}

/// Makes keys that are alike different everywhere.
fn mix(key: u64) -> u64 {
    let key = (key ^ (key >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let key = (key ^ (key >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    key ^ (key >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::hash_set, prelude::*};

    use super::*;

    fn bytes(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    proptest! {
        #[test]
        fn what_was_put_in_is_found(keys in hash_set(any::<u64>(), 0..300)) {
            let words = bytes(&build(keys.iter().copied()));
            prop_assert!(keys.iter().all(|key| may_hold(&words, *key)));
        }
    }

    #[test]
    fn one_key_in_fifty_is_found_though_it_was_never_put_in() {
        let words = bytes(&build((0..10_000_u32).map(u64::from)));
        let found = (10_000..110_000).filter(|key| may_hold(&words, *key)).count();
        assert!((1_500..2_800).contains(&found), "{found} of 100,000");
    }

    #[test]
    fn the_positions_are_those_that_are_on_disk() {
        let found: Vec<_> = positions(1, 1024).collect();
        assert_eq!(found, positions(1, 1024).collect::<Vec<_>>());
        assert_eq!(mix(1), 0x5692_161D_100B_05E5);
        assert_eq!(build([1, 2].into_iter()), build([2, 1].into_iter()));
    }
}
