//! Short texts as two numbers, and a hash, for tables that only patterns fill.
//!
//! # Not here
//!
//! - A secret: an event looks things up and never inserts, so nobody gains by guessing.

const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xc2b2_ae3d_27d4_eb4f;

/// A text to look up: its first 16 bytes as two numbers, zeros behind its end, its length, and the rest.
/// Up to 16 bytes the numbers and the length are all of the text.
#[derive(Copy, Clone, Debug)]
pub(super) struct Probe<'a> {
    pub(super) low: u64,
    pub(super) high: u64,
    pub(super) len: usize,
    /// What is behind the first 16 bytes.
    pub(super) rest: &'a [u8],
}

impl<'a> Probe<'a> {
    #[inline]
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self::within(text, 0, text.len())
    }

    /// The text from `start` to `end` in a longer one, whose bytes behind the end may be read faster
    /// than they can be left alone.
    #[inline(always)]
    pub(super) fn within(source: &'a [u8], start: usize, end: usize) -> Self {
        let len = end - start;
        let behind = &source[start..];
        let (low, high) = match behind.first_chunk::<16>() {
            Some(chunk) => halves(chunk),
            None => {
                let mut chunk = [0; 16];
                chunk[..behind.len()].copy_from_slice(behind);
                halves(&chunk)
            }
        };
        if 16 < len {
            return Self { low, high, len, rest: &source[start + 16..end] };
        }
        let [low_bytes, high_bytes] = FIRST_BYTES[len];
        Self { low: low & low_bytes, high: high & high_bytes, len, rest: &[] }
    }

    /// The first `len` bytes, 16 or fewer and no more than there are.
    #[inline(always)]
    pub(super) fn beginning(&self, len: usize) -> Probe<'static> {
        let [low_bytes, high_bytes] = FIRST_BYTES[len];
        Probe { low: self.low & low_bytes, high: self.high & high_bytes, len, rest: &[] }
    }

    /// Ten bytes or so that are numbers already.
    #[inline(always)]
    pub(super) fn of_numbers(low: u64, high: u64) -> Self {
        Self { low, high, len: 16, rest: &[] }
    }

    /// The hash in the name space of `seed`.
    #[inline]
    pub(super) fn hash(&self, seed: u64) -> u64 {
        let len = u64::try_from(self.len).unwrap_or(u64::MAX);
        let mut state = fold(self.low ^ seed ^ FIRST, self.high ^ SECOND ^ len.rotate_left(48));
        let (chunks, last) = self.rest.as_chunks::<16>();
        for chunk in chunks {
            let (low, high) = halves(chunk);
            state = fold(state ^ low, high ^ SECOND);
        }
        if !last.is_empty() {
            let mut chunk = [0; 16];
            chunk[..last.len()].copy_from_slice(last);
            let (low, high) = halves(&chunk);
            state = fold(state ^ low, high ^ SECOND);
        }
        state
    }

    /// Some byte is a dot.
    #[inline]
    pub(super) fn has_dot(&self) -> bool {
        has_dot(self.low) || has_dot(self.high) || self.rest.contains(&b'.')
    }
}

#[inline(always)]
fn halves(chunk: &[u8; 16]) -> (u64, u64) {
    let (words, _) = chunk.as_chunks::<8>();
    (u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1]))
}

/// Ones in as many of the first bytes of both numbers as the place in the table says.
const FIRST_BYTES: [[u64; 2]; 17] = {
    let mut table = [[0; 2]; 17];
    let mut count = 1;
    while count <= 16 {
        table[count] = table[count - 1];
        table[count][(count - 1) / 8] |= 0xff << (8 * ((count - 1) % 8));
        count += 1;
    }
    table
};

#[inline(always)]
fn has_dot(word: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let difference = word ^ (ONES * b'.' as u64);
    difference.wrapping_sub(ONES) & !difference & (ONES << 7) != 0
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
                let probe = Probe::new(&text[from..to]);
                assert!(seen.insert(probe.hash(1)), "{from}..{to}");
                assert_eq!(Probe::within(&text, from, to).hash(1), probe.hash(1));
            }
        }
        assert!(seen.insert(Probe::new(&text).hash(2)) && seen.insert(Probe::new(b"").hash(1)));
    }

    #[test]
    fn a_dot_is_seen_wherever_it_is() {
        for len in 0..40 {
            let mut text = vec![b'/'; len];
            assert!(!Probe::new(&text).has_dot());
            for at in 0..len {
                text[at] = b'.';
                assert!(Probe::new(&text).has_dot());
                text[at] = b'-';
            }
            assert!(!Probe::within(&[&text[..], b"......"].concat(), 0, len).has_dot());
        }
    }
}
