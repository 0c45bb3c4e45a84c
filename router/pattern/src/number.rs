//! Numbers as decimals: exact, of any length, never rounded.
//!
//! ```text
//! -0.00120e7  =  - 1.2 × 10^4      exponent 4, head 1200000000000000000, no tail
//! ```
//!
//! The first 19 significant digits are one integer, so that nearly all numbers compare without a
//! look at their text; what comes after them is compared digit by digit.
//!
//! # Invariants
//!
//! - Two literals have equal [`Decimal`]s when, and only when, they are the same number.
//! - Reading costs no more than the literal is long, and allocates nothing: `1e999999999` is never
//!   written out.
//!
//! # Not here
//!
//! - Binary floating point: `9007199254740993` is not `9007199254740992`.
//! - Literals beyond 10^[`EXPONENT_MAX`] or nearer to zero than 10^[`EXPONENT_MIN`]: AWS's engine
//!   does not compare them, so they have no value here, only a spelling.

use std::borrow::Cow;
use std::cmp::Ordering;

/// The largest power of ten of a first digit.
pub(crate) const EXPONENT_MAX: i64 = 308;

/// The smallest power of ten of a first digit.
pub(crate) const EXPONENT_MIN: i64 = -324;

/// Digits of the head: all that fit in 64 bits.
const HEAD_DIGITS: usize = 19;

/// A number's value.
#[derive(Clone, Debug)]
pub(crate) struct Decimal<'a> {
    key: Key,
    /// The digits after the head's to the last that is not zero, maybe with a point among them.
    tail: Cow<'a, [u8]>,
}

/// Sign, size and first 19 digits of a number. Numbers whose keys differ are in the order of their
/// keys; those without a tail are equal when their keys are.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    /// [`Key::ZERO_RANK`] for zero; the larger the exponent the further from it.
    rank: u16,
    /// The digits, the first in the place of 10^18; complemented for negative numbers.
    head: u64,
}

impl Key {
    const ZERO_RANK: u16 = 1 << 15;
    const ZERO: Self = Self { rank: Self::ZERO_RANK, head: 0 };

    fn new(negative: bool, exponent: i64, head: u64) -> Option<Self> {
        if !(EXPONENT_MIN..=EXPONENT_MAX).contains(&exponent) {
            return None;
        }
        let distance = u16::try_from(exponent - EXPONENT_MIN + 1).ok()?;
        Some(if negative {
            Self { rank: Self::ZERO_RANK - distance, head: !head }
        } else {
            Self { rank: Self::ZERO_RANK + distance, head }
        })
    }

    /// Two numbers that are equal when the keys are.
    pub(crate) fn parts(self) -> (u64, u64) {
        (self.head, u64::from(self.rank))
    }

    /// Reads what nearly all numbers are: up to 19 digits, maybe a sign and a point, and no exponent.
    fn read_plain(literal: &[u8]) -> Option<Self> {
        let (negative, digits) = match literal {
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        if 19 < digits.len() {
            return None;
        }
        let (mut number, mut after_point) = (0_u64, 0);
        let mut rest = digits;
        while let Some((byte, after)) = rest.split_first() {
            if let Some((chunk, after)) = rest.split_first_chunk()
                && let Some(eight) = eight_digits(chunk)
            {
                number = number * 100_000_000 + eight;
                rest = after;
                continue;
            }
            rest = after;
            match byte {
                b'0'..=b'9' => number = number * 10 + u64::from(byte - b'0'),
                b'.' => after_point = rest.len(),
                _ => return None,
            }
        }
        if number == 0 {
            return Some(Self::ZERO);
        }
        // The number of digits, less one: the power of ten of the first.
        let power = number.ilog10();
        let head = number * TENS[HEAD_DIGITS - 1 - usize::try_from(power).ok()?];
        Self::new(negative, i64::from(power) - i64::try_from(after_point).ok()?, head)
    }

    fn is_negative(self) -> bool {
        self.rank < Self::ZERO_RANK
    }
}

impl<'a> Decimal<'a> {
    /// The value of a JSON number; `None` when its size is beyond comparing.
    pub(crate) fn read(literal: &'a [u8]) -> Option<Self> {
        match Key::read_plain(literal) {
            Some(key) => Some(Self::of(key)),
            None => Self::read_any(literal),
        }
    }

    fn read_any(literal: &'a [u8]) -> Option<Self> {
        let negative = literal.first() == Some(&b'-');
        let start = usize::from(negative);
        let (mut head, mut digits) = (0_u64, 0_usize);
        // Significant digits before the point, and zeros between the point and the first of them.
        let (mut whole, mut zeros) = (0_i64, 0_i64);
        let mut after_point = false;
        let mut tail = 0..0;
        let mut power = 0;
        for (at, byte) in literal.iter().enumerate().skip(start) {
            match byte {
                b'.' => after_point = true,
                b'0' if digits == 0 => zeros += i64::from(after_point),
                b'0'..=b'9' => {
                    whole += i64::from(!after_point);
                    if digits < HEAD_DIGITS {
                        head = head * 10 + u64::from(byte - b'0');
                        digits += 1;
                        tail = at + 1..at + 1;
                    } else if *byte != b'0' {
                        tail.end = at + 1;
                    }
                }
                _ => {
                    power = read_power(&literal[at + 1..]);
                    break;
                }
            }
        }
        if digits == 0 {
            return Some(Self { key: Key::ZERO, tail: Cow::Borrowed(&[]) });
        }
        let place = if 0 < whole { whole - 1 } else { -zeros - 1 };
        let head = head * TENS[HEAD_DIGITS - digits];
        let key = Key::new(negative, place.saturating_add(power), head)?;
        Some(Self { key, tail: Cow::Borrowed(&literal[tail]) })
    }

    /// The value that is wholly in its key.
    pub(crate) fn of(key: Key) -> Self {
        Self { key, tail: Cow::Borrowed(&[]) }
    }

    pub(crate) fn into_owned(self) -> Decimal<'static> {
        Decimal { key: self.key, tail: Cow::Owned(self.tail.into_owned()) }
    }

    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// The digits after the first 19, up to the last that is not zero.
    pub(crate) fn tail_digits(&self) -> impl Iterator<Item = u8> {
        digits(&self.tail).copied()
    }

    /// The key is all of the value.
    pub(crate) fn is_key(&self) -> bool {
        self.tail.is_empty()
    }
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key).then_with(|| {
            // Neither tail ends in a zero, so the longer of two with one beginning is the larger.
            let tails = digits(&self.tail).cmp(digits(&other.tail));
            if self.key.is_negative() { tails.reverse() } else { tails }
        })
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal<'_> {}

/// The number that eight digits say, all at once.
#[inline]
fn eight_digits(chunk: &[u8; 8]) -> Option<u64> {
    let word = u64::from_le_bytes(*chunk);
    let digits = word.wrapping_sub(0x3030_3030_3030_3030);
    let is_all =
        (word | digits | digits.wrapping_add(0x7676_7676_7676_7676)) & 0x8080_8080_8080_8080 == 0;
    if !is_all {
        return None;
    }
    // Neighbours become numbers of two digits, then of four, then of eight.
    let pairs = digits * 10 + (digits >> 8);
    let mask = 0x0000_00ff_0000_00ff;
    let first = (pairs & mask).wrapping_mul(0x000f_4240_0000_0064);
    let second = (pairs >> 16 & mask).wrapping_mul(0x0000_2710_0000_0001);
    Some(first.wrapping_add(second) >> 32)
}

fn digits(tail: &[u8]) -> impl Iterator<Item = &u8> {
    tail.iter().filter(|byte| **byte != b'.')
}

/// 10^0 to 10^18.
const TENS: [u64; HEAD_DIGITS] = {
    let mut tens = [1; HEAD_DIGITS];
    let mut at = 1;
    while at < HEAD_DIGITS {
        tens[at] = tens[at - 1] * 10;
        at += 1;
    }
    tens
};

/// The digits after the `e`, stopping far outside of what is compared.
fn read_power(text: &[u8]) -> i64 {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let limit = i64::MAX / 100;
    let power = digits
        .iter()
        .fold(0, |power: i64, digit| (power * 10 + i64::from(digit.wrapping_sub(b'0'))).min(limit));
    if negative { -power } else { power }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(literal: &str) -> Option<Decimal<'_>> {
        Decimal::read(literal.as_bytes())
    }

    #[track_caller]
    fn same(literals: &[&str]) {
        for literal in literals {
            assert_eq!(read(literal), read(literals[0]), "{literal} and {}", literals[0]);
            assert!(read(literal).is_some(), "{literal}");
        }
    }

    #[test]
    fn one_number_has_one_value_however_it_is_written() {
        same(&["300", "300.0", "3.0e2", "3E+2", "0.003e5", "30000e-2", "300.00000000000000000000"]);
        same(&["0", "-0", "0.0", "-0.0e7", "0e999999999999999999999", "-0e-5"]);
        same(&["-0.00120e7", "-12000", "-1.2e4"]);
        same(&["12345678901234567890", "1.2345678901234567890e19"]);
        same(&[
            "1234567890123456789012.5",
            "1.2345678901234567890125e21",
            "12345678901234567890125e-1",
        ]);
    }

    #[test]
    fn eight_digits_are_read_at_once_and_nothing_else_is() {
        for number in [0_u64, 1, 12_345_678, 87_654_321, 99_999_999, 10_000_000, 9_090_909] {
            let text = format!("{number:08}");
            assert_eq!(eight_digits(text.as_bytes().first_chunk().unwrap()), Some(number));
        }
        for place in 0..8 {
            for byte in 0..=u8::MAX {
                let mut text = *b"90817263";
                text[place] = byte;
                assert_eq!(
                    eight_digits(&text).is_some(),
                    byte.is_ascii_digit(),
                    "{byte} at {place}"
                );
            }
        }
    }

    #[test]
    fn neighbours_that_a_double_cannot_tell_apart_differ() {
        assert!(read("9007199254740992") < read("9007199254740993"));
        assert!(read("0.1") < read("0.1000000000000000000000000000000001"));
        assert!(read("-0.1000000000000000000000000000000001") < read("-0.1"));
        assert!(read("12345678901234567890") < read("12345678901234567891"));
        assert!(read("-12345678901234567890.1") < read("-12345678901234567890"));
    }

    #[test]
    fn order_is_that_of_the_numbers() {
        let rising = [
            "-2e300", "-10", "-9.99", "-1e-300", "0", "5e-324", "0.5", "1", "1.01", "9", "10",
            "1e308",
        ];
        for pair in rising.windows(2) {
            assert!(read(pair[0]) < read(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn what_is_beyond_every_double_has_no_value() {
        for literal in
            ["1e309", "-1e400", "1e-325", "1e99999999999999999999999", "0.1e-99999999999999999999"]
        {
            assert_eq!(read(literal), None, "{literal}");
        }
    }

    /// The oracle: both numbers written out with the same number of places, compared as text.
    fn written_out(literal: &str) -> (bool, String) {
        let (negative, rest) = match literal.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, literal),
        };
        let (mantissa, power) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let power: i32 = power.parse().unwrap();
        let places = usize::try_from(100 + power - i32::try_from(fraction.len()).unwrap()).unwrap();
        let out = format!("{whole}{fraction}{}", "0".repeat(places));
        let out = format!("{out:0>200}");
        (negative && out.contains(|c| c != '0'), out)
    }

    fn oracle(left: &str, right: &str) -> Ordering {
        match (written_out(left), written_out(right)) {
            ((false, left), (false, right)) => left.cmp(&right),
            ((true, left), (true, right)) => right.cmp(&left),
            ((true, _), (false, _)) => Ordering::Less,
            ((false, _), (true, _)) => Ordering::Greater,
        }
    }

    const FORM: &str = "-?(0|[1-9][0-9]{0,4})(\\.[0-9]{1,4})?([eE][+-]?[0-9])?";
    // Digits around the end of the head.
    const LONG: &str = "-?[1-9]00000000000000[0-9]{2,7}(\\.[0-9]{1,3})?(e[+-]?[0-9])?";

    fn agree(left: &str, right: &str) -> Result<(), TestCaseError> {
        let ours = read(left).unwrap().cmp(&read(right).unwrap());
        prop_assert_eq!(ours, oracle(left, right));
        prop_assert_eq!(ours == Ordering::Equal, read(left) == read(right));
        Ok(())
    }

    proptest! {
        #[test]
        fn comparing_agrees_with_comparing_the_digits_written_out(left in FORM, right in FORM) {
            agree(&left, &right)?;
        }

        #[test]
        fn long_numbers_compare_by_all_of_their_digits(left in LONG, right in LONG, more in "[0-9.]") {
            agree(&left, &right)?;
            if !left.contains(['.', 'e']) {
                agree(&left, &format!("{left}.{}", more.replace('.', "5")))?;
            }
        }
    }
}
