//! Numbers as decimals: exact, of any length, never rounded.
//!
//! ```text
//! -0.00120e7  =  - 1 2 × 10^(4 - 1)      digits 12, exponent 4: the value is ±0.d₁d₂… × 10^(exponent + 1)
//! ```
//!
//! # Invariants
//!
//! - Two literals have equal [`Decimal`]s when, and only when, they are the same number.
//! - Reading costs no more than the literal is long: `1e999999999` is never written out.
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

/// Significant digits beyond which a plain number in a pattern stands for its spelling.
pub(crate) const DIGITS_MAX: usize = 17;

/// A number's value. Zero has no digits, no sign and the exponent 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decimal<'a> {
    negative: bool,
    /// The power of ten of the first digit.
    exponent: i64,
    /// From the first digit that is not zero to the last, without a point.
    digits: Cow<'a, [u8]>,
}

impl<'a> Decimal<'a> {
    /// The value of a JSON number; `None` when its size is beyond comparing.
    pub(crate) fn read(literal: &'a [u8]) -> Option<Self> {
        let (negative, rest) = match literal.strip_prefix(b"-") {
            Some(rest) => (true, rest),
            None => (false, literal),
        };
        let (mantissa, power) = match memchr::memchr2(b'e', b'E', rest) {
            Some(at) => (&rest[..at], read_power(&rest[at + 1..])),
            None => (rest, 0),
        };
        let point = memchr::memchr(b'.', mantissa);
        let Some(first) = mantissa.iter().position(|byte| is_significant(*byte)) else {
            return Some(Self { negative: false, exponent: 0, digits: Cow::Borrowed(&[]) });
        };
        let last = mantissa.iter().rposition(|byte| is_significant(*byte)).unwrap_or(first);

        let whole = i64::try_from(point.unwrap_or(mantissa.len())).ok()?;
        let before = i64::try_from(first).ok()?;
        let place = if before < whole { whole - before - 1 } else { whole - before };
        let exponent = place.saturating_add(power);
        if !(EXPONENT_MIN..=EXPONENT_MAX).contains(&exponent) {
            return None;
        }
        Some(Self {
            negative,
            exponent,
            digits: without_point(&mantissa[first..=last], point.is_some()),
        })
    }

    pub(crate) fn into_owned(self) -> Decimal<'static> {
        Decimal { digits: Cow::Owned(self.digits.into_owned()), ..self }
    }

    /// How many digits the value has from its first to its last that is not zero.
    pub(crate) fn significant_digits(&self) -> usize {
        self.digits.len()
    }
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.sign(), other.sign()) {
            (1, 1) => self.magnitude(other),
            (-1, -1) => other.magnitude(self),
            (ours, theirs) => ours.cmp(&theirs),
        }
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Decimal<'_> {
    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => -1,
        }
    }

    fn magnitude(&self, other: &Self) -> Ordering {
        // Neither ends in a zero, so the longer of two with one beginning is the larger.
        self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits))
    }
}

fn is_significant(byte: u8) -> bool {
    matches!(byte, b'1'..=b'9')
}

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

fn without_point(digits: &[u8], has_point: bool) -> Cow<'_, [u8]> {
    if has_point && memchr::memchr(b'.', digits).is_some() {
        return Cow::Owned(digits.iter().copied().filter(|byte| *byte != b'.').collect());
    }
    Cow::Borrowed(digits)
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
    }

    #[test]
    fn neighbours_that_a_double_cannot_tell_apart_differ() {
        assert!(read("9007199254740992") < read("9007199254740993"));
        assert!(read("0.1") < read("0.1000000000000000000000000000000001"));
        assert!(read("-0.1000000000000000000000000000000001") < read("-0.1"));
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

    proptest! {
        #[test]
        fn comparing_agrees_with_comparing_the_digits_written_out(
            left in "-?(0|[1-9][0-9]{0,4})(\\.[0-9]{1,4})?([eE][+-]?[0-9])?",
            right in "-?(0|[1-9][0-9]{0,4})(\\.[0-9]{1,4})?([eE][+-]?[0-9])?",
        ) {
            let ours = read(&left).unwrap().cmp(&read(&right).unwrap());
            prop_assert_eq!(ours, oracle(&left, &right));
            prop_assert_eq!(ours == Ordering::Equal, read(&left) == read(&right));
        }
    }
}
