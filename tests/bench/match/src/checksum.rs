//! One number for all matches, whatever their order.
//!
//! ```text
//! sum over all pairs, modulo 2^64, of FNV-1a 64 of "EVENT\tID\n"
//! ```
//!
//! EVENT counts from 0, ID is the JSON text of the pattern's id: here its number, from 0. It is the
//! checksum that `slipswitch bench match` prints.

const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// What one pair adds to the sum.
pub(crate) fn pair(event: usize, id: u64) -> u64 {
    let text = format!("{event}\t{id}\n");
    text.bytes().fold(BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}
