//! Numbers compared as what they say, never as floats.

use std::borrow::Cow;

/// A number as `0.digits * 10^exponent`; the digits neither begin nor end with a zero.
#[derive(Debug, PartialEq, Eq)]
struct Decimal<'a> {
    is_negative: bool,
    digits: Cow<'a, str>,
    exponent: i128,
}

/// Whether two JSON numbers are equal as decimals: `1.10` and `11e-1` are.
pub(crate) fn same_number(one: &str, other: &str) -> bool {
    one == other
        || match (parse(one), parse(other)) {
            (Some(one), Some(other)) => one == other,
            _ => false,
        }
}

fn parse(text: &str) -> Option<Decimal<'_>> {
    let (is_negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i128>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = if fraction.is_empty() {
        Cow::Borrowed(whole)
    } else {
        Cow::Owned(format!("{whole}{fraction}"))
    };
    let significant = digits.trim_start_matches('0');
    let zeroes = i128::try_from(digits.len() - significant.len()).ok()?;
    let digits = significant.trim_end_matches('0').to_owned();
    if digits.is_empty() {
        return Some(Decimal { is_negative: false, digits: Cow::Borrowed("0"), exponent: 0 });
    }
    let whole_len = i128::try_from(whole.len()).ok()?;
    let exponent = exponent.checked_add(whole_len)?.checked_sub(zeroes)?;
    Some(Decimal { is_negative, digits: Cow::Owned(digits), exponent })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_equal_when_their_decimals_are() {
        for (one, other) in [
            ("1.10", "1.1"),
            ("11e-1", "1.1"),
            ("100", "1E+2"),
            ("0", "-0.00"),
            ("0e5", "0"),
            ("0.001", "1e-3"),
            ("123456789012345678901234567890", "123456789012345678901234567890.0"),
            ("1e400", "10e399"),
        ] {
            assert!(same_number(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("1", "-1"),
            ("1", "10"),
            ("9007199254740993", "9007199254740992"),
            ("1e400", "1e401"),
            ("0.1", "0.01"),
        ] {
            assert!(!same_number(one, other), "{one} {other}");
        }
    }
}
