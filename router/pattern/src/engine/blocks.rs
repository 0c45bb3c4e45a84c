//! Where the quotes, brackets and commas of an event are, as bits: one pass over all of its bytes.
//!
//! ```text
//! text      {"a,b": [1, 2]}
//! quotes     1   1              without those that a backslash escapes
//! opens     1       1           outside of strings only
//! closes                 11
//! ends                1  11     commas and closes
//! ```
//!
//! A block is 64 bytes, and a bit of its masks is a byte: the lowest bit is the first byte. With the
//! masks a string's end, a number's end and a container's end are found without a look at the bytes
//! between. Vector instructions make the masks where the processor has them.
//!
//! # Invariants
//!
//! - All ways to make the masks make the same.
//! - The result depends on the bytes alone, also when they are no JSON.

use super::index;

/// The masks of 64 bytes.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) quotes: u64,
    pub(super) opens: u64,
    pub(super) closes: u64,
    /// What can stand behind a value.
    pub(super) ends: u64,
    /// How many opens and closes there are.
    opened: u32,
    closed: u32,
}

impl Block {
    /// Where something begins or ends.
    #[inline(always)]
    pub(super) fn marks(&self) -> u64 {
        self.quotes | self.ends
    }
}

/// The blocks of one event; kept for its memory.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    all: Vec<Block>,
    /// There is a backslash somewhere.
    pub(super) has_escapes: bool,
    /// The last string has no end.
    pub(super) ends_in_string: bool,
}

/// What 64 bytes are, one by one, inside of strings and out.
struct Bytes {
    quotes: u64,
    backslashes: u64,
    opens: u64,
    closes: u64,
    commas: u64,
}

/// A way to look at 64 bytes.
trait Look: Copy {
    fn look(self, block: &[u8; 64]) -> Bytes;

    /// Each bit is the parity of itself and all lower ones: ones from an opening quote to before its
    /// end.
    fn prefix_xor(self, bits: u64) -> u64;
}

impl Blocks {
    pub(super) fn read(&mut self, text: &[u8]) {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(look) = x86::Avx512::detect() {
                return look.read(self, text);
            }
            if let Some(look) = x86::Avx2::detect() {
                return look.read(self, text);
            }
        }
        self.read_with(text, Portable);
    }

    #[inline(always)]
    pub(super) fn get(&self, number: usize) -> Option<&Block> {
        self.all.get(number)
    }

    /// What is behind the container that opens at `at`.
    pub(super) fn container_end(&self, at: usize) -> Option<usize> {
        let first = at / 64;
        // From behind the opening bracket on.
        let mask = (u64::MAX << (at % 64)) << 1;
        let block = self.all.get(first)?;
        let mut depth = match end_within(block.opens & mask, block.closes & mask, 1) {
            Ok(end) => return Some(64 * first + end),
            Err(depth) => depth,
        };
        for (word, block) in self.all.iter().enumerate().skip(first + 1) {
            if block.closed < depth {
                depth = depth + block.opened - block.closed;
                continue;
            }
            match end_within(block.opens, block.closes, depth) {
                Ok(end) => return Some(64 * word + end),
                Err(deeper) => depth = deeper,
            }
        }
        None
    }

    #[inline(always)]
    fn read_with(&mut self, text: &[u8], look: impl Look) {
        let (blocks, rest) = text.as_chunks::<64>();
        self.all.clear();
        self.all.reserve(blocks.len() + 1);
        let mut carry = Carry::default();
        self.all.extend(blocks.iter().map(|block| carry.next(look, &look.look(block))));
        if !rest.is_empty() {
            let bytes = match text.last_chunk() {
                // The bytes before the rest were looked at already.
                Some(last) => look.look(last).without_first(64 - rest.len()),
                None => {
                    let mut last = [b' '; 64];
                    last[..rest.len()].copy_from_slice(rest);
                    look.look(&last)
                }
            };
            self.all.push(carry.next(look, &bytes));
        }
        self.has_escapes = carry.has_escapes;
        self.ends_in_string = carry.in_string != 0;
    }
}

/// What is behind the bracket at which the depth comes to zero; an error is the depth behind all.
fn end_within(opens: u64, closes: u64, depth: u32) -> Result<usize, u32> {
    let (mut opened, mut left) = (0, closes);
    let mut depth = depth;
    while left != 0 {
        let before = (left & left.wrapping_neg()) - 1;
        depth += (opens & before & !opened).count_ones();
        opened = before;
        depth -= 1;
        if depth == 0 {
            return Ok(index(left.trailing_zeros()) + 1);
        }
        left &= left - 1;
    }
    Err(depth + (opens & !opened).count_ones())
}

impl Bytes {
    #[inline(always)]
    fn without_first(self, count: usize) -> Self {
        Self {
            quotes: self.quotes >> count,
            backslashes: self.backslashes >> count,
            opens: self.opens >> count,
            closes: self.closes >> count,
            commas: self.commas >> count,
        }
    }
}

/// What a block has to know of those before it.
#[derive(Default)]
struct Carry {
    /// All ones within a string.
    in_string: u64,
    /// One if the first byte is escaped.
    escaped: u64,
    has_escapes: bool,
}

impl Carry {
    #[inline(always)]
    fn next(&mut self, look: impl Look, bytes: &Bytes) -> Block {
        let escaped = if bytes.backslashes == 0 {
            std::mem::take(&mut self.escaped)
        } else {
            self.has_escapes = true;
            self.escaped_by(bytes.backslashes)
        };
        let quotes = bytes.quotes & !escaped;
        let within = look.prefix_xor(quotes) ^ self.in_string;
        self.in_string = if within >> 63 == 1 { u64::MAX } else { 0 };
        let (opens, closes) = (bytes.opens & !within, bytes.closes & !within);
        let ends = closes | bytes.commas & !within;
        let (opened, closed) = (opens.count_ones(), closes.count_ones());
        Block { quotes, opens, closes, ends, opened, closed }
    }

    /// The bytes behind a backslash that is not itself escaped: every second one of a run.
    fn escaped_by(&mut self, backslashes: u64) -> u64 {
        const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
        // Of a run that begins at an even place, the odd places are escaped, and so is the place
        // behind it if that is odd; the sum carries through such runs and marks where they end.
        let starts = backslashes & !self.escaped;
        let follows = starts << 1;
        let runs = (follows | ODD).wrapping_sub(starts) ^ ODD;
        let escaped = runs ^ (backslashes | self.escaped);
        self.escaped = (runs & backslashes) >> 63;
        escaped
    }
}

/// Eight bytes at a time, on every processor.
#[derive(Copy, Clone)]
struct Portable;

impl Look for Portable {
    #[inline(always)]
    fn look(self, block: &[u8; 64]) -> Bytes {
        let mut bytes = Bytes { quotes: 0, backslashes: 0, opens: 0, closes: 0, commas: 0 };
        let (words, _) = block.as_chunks::<8>();
        for (at, word) in words.iter().enumerate() {
            let word = u64::from_le_bytes(*word);
            // Brackets and braces differ in one bit only, which also maps nothing else to them.
            let folded = word | 0x2020_2020_2020_2020;
            bytes.quotes |= equal(word, b'"') << (8 * at);
            bytes.backslashes |= equal(word, b'\\') << (8 * at);
            bytes.opens |= equal(folded, b'{') << (8 * at);
            bytes.closes |= equal(folded, b'}') << (8 * at);
            bytes.commas |= equal(word, b',') << (8 * at);
        }
        bytes
    }

    #[inline(always)]
    fn prefix_xor(self, mut bits: u64) -> u64 {
        bits ^= bits << 1;
        bits ^= bits << 2;
        bits ^= bits << 4;
        bits ^= bits << 8;
        bits ^= bits << 16;
        bits ^ bits << 32
    }
}

/// A bit for each of the eight bytes that is `byte`, in the lowest eight.
#[inline(always)]
fn equal(word: u64, byte: u8) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let difference = word ^ (0x0101_0101_0101_0101 * u64::from(byte));
    // The high bit of each byte that is zero, without carries from one byte into the next.
    let zero = !(((difference & LOW) + LOW) | difference | LOW);
    // Gathers the eight high bits.
    (zero >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    //! The same with vector instructions, chosen when the processor is known.
    //!
    //! A value of one of the types proves that its instructions exist: only `detect` makes one.
    #![expect(
        unsafe_code,
        reason = "vector instructions: called only where they exist, on whole blocks"
    )]

    use std::arch::x86_64::{
        __m256i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_set1_epi8,
        _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256,
        _mm256_set1_epi8, _mm512_cmpeq_epi8_mask, _mm512_loadu_si512, _mm512_or_si512,
        _mm512_set1_epi8,
    };

    use super::{Blocks, Bytes, Look};

    #[derive(Copy, Clone)]
    pub(super) struct Avx512(());

    #[derive(Copy, Clone)]
    pub(super) struct Avx2(());

    fn others_exist() -> bool {
        is_x86_feature_detected!("pclmulqdq") && is_x86_feature_detected!("popcnt")
    }

    /// The product with all ones, where sums do not carry.
    #[inline]
    #[target_feature(enable = "pclmulqdq")]
    fn prefix_xor(bits: u64) -> u64 {
        let ones = _mm_set1_epi8(-1);
        let product = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits.cast_signed()), ones);
        _mm_cvtsi128_si64(product).cast_unsigned()
    }

    impl Avx512 {
        fn exists() -> bool {
            is_x86_feature_detected!("avx512bw") && others_exist()
        }

        pub(super) fn detect() -> Option<Self> {
            Self::exists().then_some(Self(()))
        }

        pub(super) fn read(self, blocks: &mut Blocks, text: &[u8]) {
            #[target_feature(enable = "avx512bw,pclmulqdq,popcnt")]
            fn read(blocks: &mut Blocks, text: &[u8], look: Avx512) {
                blocks.read_with(text, look);
            }
            // SAFETY: the instructions exist, or there were no `self`.
            unsafe { read(blocks, text, self) }
        }
    }

    impl Avx2 {
        fn exists() -> bool {
            is_x86_feature_detected!("avx2") && others_exist()
        }

        pub(super) fn detect() -> Option<Self> {
            Self::exists().then_some(Self(()))
        }

        pub(super) fn read(self, blocks: &mut Blocks, text: &[u8]) {
            #[target_feature(enable = "avx2,pclmulqdq,popcnt")]
            fn read(blocks: &mut Blocks, text: &[u8], look: Avx2) {
                blocks.read_with(text, look);
            }
            // SAFETY: the instructions exist, or there were no `self`.
            unsafe { read(blocks, text, self) }
        }
    }

    impl Look for Avx512 {
        #[inline(always)]
        fn look(self, block: &[u8; 64]) -> Bytes {
            #[inline]
            #[target_feature(enable = "avx512bw,pclmulqdq,popcnt")]
            fn look(block: &[u8; 64]) -> Bytes {
                // SAFETY: a block has the 64 bytes that are read; they need no alignment.
                let bytes = unsafe { _mm512_loadu_si512(block.as_ptr().cast()) };
                let is = |bytes, byte: u8| {
                    _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte.cast_signed()))
                };
                let folded = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
                Bytes {
                    quotes: is(bytes, b'"'),
                    backslashes: is(bytes, b'\\'),
                    opens: is(folded, b'{'),
                    closes: is(folded, b'}'),
                    commas: is(bytes, b','),
                }
            }
            // SAFETY: the instructions exist, or there were no `self`.
            unsafe { look(block) }
        }

        #[inline(always)]
        fn prefix_xor(self, bits: u64) -> u64 {
            // SAFETY: the instructions exist, or there were no `self`.
            unsafe { prefix_xor(bits) }
        }
    }

    impl Look for Avx2 {
        #[inline(always)]
        fn look(self, block: &[u8; 64]) -> Bytes {
            #[inline]
            #[target_feature(enable = "avx2,pclmulqdq,popcnt")]
            fn look(block: &[u8; 64]) -> Bytes {
                let (halves, _) = block.as_chunks::<32>();
                // SAFETY: a half has the 32 bytes that are read; they need no alignment.
                let load = |half: &[u8; 32]| unsafe { _mm256_loadu_si256(half.as_ptr().cast()) };
                let (low, high) = (load(&halves[0]), load(&halves[1]));
                let is = |low: __m256i, high: __m256i, byte: u8| {
                    let byte = _mm256_set1_epi8(byte.cast_signed());
                    let half = |bytes| {
                        let equal = _mm256_cmpeq_epi8(bytes, byte);
                        u64::from(_mm256_movemask_epi8(equal).cast_unsigned())
                    };
                    half(low) | half(high) << 32
                };
                let fold = _mm256_set1_epi8(0x20);
                let (low_folded, high_folded) =
                    (_mm256_or_si256(low, fold), _mm256_or_si256(high, fold));
                Bytes {
                    quotes: is(low, high, b'"'),
                    backslashes: is(low, high, b'\\'),
                    opens: is(low_folded, high_folded, b'{'),
                    closes: is(low_folded, high_folded, b'}'),
                    commas: is(low, high, b','),
                }
            }
            // SAFETY: the instructions exist, or there were no `self`.
            unsafe { look(block) }
        }

        #[inline(always)]
        fn prefix_xor(self, bits: u64) -> u64 {
            // SAFETY: the instructions exist, or there were no `self`.
            unsafe { prefix_xor(bits) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, a byte at a time.
    fn oracle(text: &[u8]) -> Vec<Block> {
        let mut blocks = vec![Block::default(); text.len().div_ceil(64)];
        let (mut in_string, mut escaped) = (false, false);
        for (at, byte) in text.iter().enumerate() {
            let (block, bit) = (&mut blocks[at / 64], 1 << (at % 64));
            let is_quote = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            if is_quote {
                in_string = !in_string;
                block.quotes |= bit;
            }
            match byte {
                b'{' | b'[' if !in_string => block.opens |= bit,
                b'}' | b']' if !in_string => {
                    block.closes |= bit;
                    block.ends |= bit;
                }
                b',' if !in_string => block.ends |= bit,
                _ => (),
            }
        }
        for block in &mut blocks {
            block.opened = block.opens.count_ones();
            block.closed = block.closes.count_ones();
        }
        blocks
    }

    fn check(text: &[u8]) {
        let expected = oracle(text);
        let mut blocks = Blocks::default();
        blocks.read_with(text, Portable);
        assert_eq!(blocks.all, expected, "portable: {}", text.escape_ascii());
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(look) = x86::Avx2::detect() {
                look.read(&mut blocks, text);
                assert_eq!(blocks.all, expected, "avx2: {}", text.escape_ascii());
            }
            if let Some(look) = x86::Avx512::detect() {
                look.read(&mut blocks, text);
                assert_eq!(blocks.all, expected, "avx512: {}", text.escape_ascii());
            }
        }
    }

    #[test]
    fn runs_of_backslashes_escape_across_blocks() {
        for before in 0..70 {
            for run in 0..70 {
                let text = format!("{}\"{}\"[,]\"", " ".repeat(before), "\\".repeat(run));
                check(text.as_bytes());
            }
        }
    }

    proptest! {
        #[test]
        fn the_masks_are_those_of_the_definition(text in r#"[\\",:\[\]{}a .-]{0,300}"#) {
            check(text.as_bytes());
        }

        #[test]
        fn every_byte_is_taken_for_what_it_is(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            check(&bytes);
        }
    }
}
