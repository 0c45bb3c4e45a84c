//! Numbers by value, and the many ways JSON spells one.

use crate::random::Random;

/// `digits` × 10^`exponent`. The digits have no zero in front; none at all is zero.
#[derive(Clone, Debug)]
pub(crate) struct Number {
    negative: bool,
    digits: String,
    exponent: i64,
}

/// Around 17 and 19 digits, where rounding begins; around the sizes that are still compared.
const KNOWN: [(&str, i64); 34] = [
    ("", 0),
    ("", 0),
    ("1", 0),
    ("1", 0),
    ("3", 0),
    ("5", 0),
    ("3", 2),
    ("3", 2),
    ("25", -1),
    ("1", -1),
    ("10000000000000001", 0),
    ("1000000000000000001", -18),
    ("9007199254740992", 0),
    ("9007199254740993", 0),
    ("12345678901234567", 0),
    ("123456789012345678", 0),
    ("1234567890123456789", 0),
    ("12345678901234567890", 0),
    ("12345678901234567891", 0),
    ("1234567890123456789", -10),
    ("123456789012345678901234567890123", -5),
    ("99999999999999999", 0),
    ("9999999999999999999", 0),
    ("99999999999999999999", 0),
    ("18446744073709551616", 0),
    ("1", 308),
    ("99", 307),
    ("1", 309),
    ("1", 400),
    ("1", -324),
    ("99", -325),
    ("1", -325),
    ("1", 999_999_999_999),
    ("1", -999_999_999_999),
];

impl Number {
    pub(crate) fn any(random: &mut Random) -> Self {
        let negative = random.chance(25);
        if random.chance(30) {
            let digits = random.below(12).to_string();
            let exponent = random.pick(&[0, 0, 0, 1, 2, -1]);
            return Self { negative, digits: digits.trim_start_matches('0').to_owned(), exponent };
        }
        let (digits, exponent) = random.pick(&KNOWN);
        Self { negative, digits: digits.to_owned(), exponent }
    }

    /// A number so near that doubles, or the first 19 digits, may not tell them apart.
    pub(crate) fn neighbour(&self, random: &mut Random) -> Self {
        let mut near = self.clone();
        let zeros = if random.chance(50) { random.below(3) } else { random.below(24) };
        near.digits.push_str(&"0".repeat(zeros));
        near.digits.push(random.pick(&['1', '5', '9']));
        near.digits = near.digits.trim_start_matches('0').to_owned();
        near.exponent -= i64::try_from(zeros + 1).expect("a small number");
        near
    }

    pub(crate) fn spelled(&self, random: &mut Random) -> String {
        let minus = if self.negative { "-" } else { "" };
        if self.digits.is_empty() {
            let forms =
                ["0", "0", "-0", "0.0", "-0.000", "0e5", "-0E-7", "0e999999999999", "0.0e0"];
            return random.pick(&forms).to_owned();
        }
        let zeros = if random.chance(25) { 1 + random.below(4) } else { 0 };
        let digits = format!("{}{}", self.digits, "0".repeat(zeros));
        let exponent = self.exponent - i64::try_from(zeros).expect("a small number");
        let plain = if random.chance(65) { written_out(&digits, exponent) } else { None };
        let unsigned = plain.unwrap_or_else(|| with_power(&digits, exponent, random));
        format!("{minus}{unsigned}")
    }
}

/// Without a power of ten, if that is not too long.
fn written_out(digits: &str, exponent: i64) -> Option<String> {
    let places = usize::try_from(exponent.unsigned_abs()).ok().filter(|places| *places < 30)?;
    if 0 <= exponent {
        return Some(format!("{digits}{}", "0".repeat(places)));
    }
    let digits = format!("{}{digits}", "0".repeat((places + 1).saturating_sub(digits.len())));
    let (whole, fraction) = digits.split_at(digits.len() - places);
    Some(format!("{whole}.{fraction}"))
}

fn with_power(digits: &str, exponent: i64, random: &mut Random) -> String {
    let whole = random.below(digits.len() + 1);
    let power = exponent + i64::try_from(digits.len() - whole).expect("a small number");
    let mantissa = match digits.split_at(whole) {
        ("", fraction) => format!("0.{fraction}"),
        (whole, "") => whole.to_owned(),
        (whole, fraction) => format!("{whole}.{fraction}"),
    };
    let e = random.pick(&["e", "E"]);
    let zeros = random.pick(&["", "", "0", "000"]);
    let sign = match power {
        0 => random.pick(&["", "+", "-"]),
        1.. => random.pick(&["", "+"]),
        _ => "-",
    };
    format!("{mantissa}{e}{sign}{zeros}{}", power.unsigned_abs())
}
