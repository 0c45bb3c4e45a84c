//! What a scalar without quotes stands for: YAML 1.2's core schema.

use super::Value;

/// The value of a plain scalar.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if is_number(text) => Value::Number(text.to_owned()),
        _ => Value::Text(text.to_owned()),
    }
}

/// Whether YAML takes `text` for a number.
fn is_number(text: &str) -> bool {
    let digits = |text: &str, radix| !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
    if let Some(octal) = text.strip_prefix("0o") {
        return digits(octal, 8);
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return digits(hex, 16);
    }
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let is_exponent =
        exponent.is_none_or(|text| digits(text.strip_prefix(['-', '+']).unwrap_or(text), 10));
    let is_mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction, 10),
        Some((whole, fraction)) => {
            digits(whole, 10) && (fraction.is_empty() || digits(fraction, 10))
        }
        None => digits(mantissa, 10),
    };
    is_mantissa && is_exponent
}

/// Whether `text`, a number of YAML's, is one of JSON's too.
pub(super) fn is_json_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let all_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    all_digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(all_digits)
        && exponent.is_none_or(|text| all_digits(text.strip_prefix(['-', '+']).unwrap_or(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_only_look_like_booleans_are_texts() {
        for word in ["NO", "no", "yes", "on", "Off", "y", "tRUE", "nil"] {
            assert_eq!(resolve(word), Value::Text(word.to_owned()));
        }
        assert_eq!(resolve("TRUE"), Value::Bool(true));
    }

    #[test]
    fn numbers_keep_their_text() {
        for number in ["1.10", "123456789012345678901234567890", "1e400", "-0", "5.", "+1", "0x1F"]
        {
            assert_eq!(resolve(number), Value::Number(number.to_owned()));
        }
        for text in ["1.10.0", "1_000", "12:30", "2026-01-01", "e5", "-", ".", "0x", "1e"] {
            assert_eq!(resolve(text), Value::Text(text.to_owned()));
        }
    }

    #[test]
    fn a_number_of_yaml_need_not_be_one_of_json() {
        for number in ["0", "-1", "1.10", "1e400", "1E+5", "0.5"] {
            assert!(is_json_number(number), "{number}");
        }
        for number in ["007", "+1", ".5", "5.", "0x1F", "0o7", ".inf", "-.inf", ".nan", "5.e1"] {
            assert!(!is_json_number(number), "{number}");
        }
    }
}
