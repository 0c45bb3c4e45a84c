//! A hash of short texts, for tables that only patterns fill.
//!
//! # Not here
//!
//! - A secret: an event looks things up and never inserts, so nobody gains by guessing.

const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xc2b2_ae3d_27d4_eb4f;

/// The hash of a text in the name space of `seed`.
#[inline]
pub(super) fn hash(seed: u64, text: &[u8]) -> u64 {
    let mut state = seed ^ FIRST;
    let mut rest = text;
    while let Some((chunk, after)) = rest.split_first_chunk::<16>() {
        let (low, high) = ends(chunk);
        state = fold(state ^ low, high ^ SECOND);
        rest = after;
    }
    let (low, high) = ends(rest);
    let len = u64::try_from(text.len()).unwrap_or(u64::MAX);
    fold(state ^ low, high ^ SECOND ^ len.rotate_left(32))
}

/// At most 16 bytes as two numbers; with the length they say all of the text.
#[inline(always)]
pub(super) fn ends(text: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
    }
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return (u64::from(first) | u64::from(last) << 32, 0);
    }
    let (Some(first), Some(last)) = (text.first(), text.last()) else {
        return (0, 0);
    };
    let middle = text[text.len() / 2];
    (u64::from(*first) | u64::from(middle) << 8 | u64::from(*last) << 16, 0)
}

/// A product's two halves in one: every bit of either side reaches every bit.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the two halves of a product")]
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_all_lengths_have_hashes_of_their_own() {
        let text: Vec<u8> = (0..100).collect();
        let mut seen = std::collections::HashSet::new();
        for from in 0..text.len() {
            for to in from + 1..=text.len() {
                assert!(seen.insert(hash(1, &text[from..to])), "{from}..{to}");
            }
        }
        assert!(seen.insert(hash(2, &text)) && seen.insert(hash(1, b"")));
    }

    #[test]
    fn the_ends_and_the_length_are_the_whole_text() {
        let mut seen = std::collections::HashSet::new();
        for text in [
            "",
            "a",
            "b",
            "ab",
            "ba",
            "aab",
            "aba",
            "abcd",
            "abce",
            "abcdefg",
            "abcdefgh",
            "abcdefghi",
        ] {
            assert!(seen.insert((text.len(), ends(text.as_bytes()))), "{text}");
        }
    }
}
