//! Durations: a number and its unit, such as `500ms`, `10m` or `1h30m`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Reading;
use crate::yaml::{Filling, Node, Value};

const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// What is allowed for one key.
pub(super) struct Bounds {
    pub what: &'static str,
    pub allowed: RangeInclusive<Duration>,
}

impl Reading<'_> {
    pub(super) fn duration(&mut self, node: &Node, bounds: &Bounds) -> Option<Duration> {
        if node.filling == Filling::Failed {
            return None;
        }
        let (text, is_number) = match &node.value {
            Value::Text(text) => (text.as_str(), false),
            Value::Number(text) => (text.as_str(), true),
            Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => ("", false),
        };
        let what = bounds.what;
        let Some(duration) = parse(text) else {
            let (label, mend) = if is_number {
                ("no unit".to_owned(), format!("say of what: `{text}s` or `{text}ms`"))
            } else {
                let mend = "write a number and its unit (ms, s, m, h, d), such as `500ms`, `10m` or `1h30m`";
                ("not understood".to_owned(), mend.to_owned())
            };
            self.fault(node.span.clone(), (format!("{what} is no duration"), label, mend));
            return None;
        };
        if bounds.allowed.contains(&duration) {
            return Some(duration);
        }
        let (least, most) = (shown(*bounds.allowed.start()), shown(*bounds.allowed.end()));
        let mend = format!("write one between `{least}` and `{most}`");
        self.fault(node.span.clone(), (format!("{what} is out of bounds"), "not allowed", mend));
        None
    }
}

fn parse(text: &str) -> Option<Duration> {
    let mut millis = 0_u64;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let factor = UNITS.iter().find(|(name, _)| *name == unit)?.1;
        millis = millis.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
        rest = after;
    }
    Some(Duration::from_millis(millis))
}

/// In the largest unit that is whole.
fn shown(duration: Duration) -> String {
    let millis = duration.as_millis();
    let whole = UNITS
        .iter()
        .rev()
        .find(|(_, unit)| millis != 0 && millis.is_multiple_of(u128::from(*unit)));
    let (unit, factor) = whole.copied().unwrap_or(("ms", 1));
    format!("{}{unit}", millis / u128::from(factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_numbers_with_units() {
        let millis = |text| parse(text).map(|duration| duration.as_millis());
        assert_eq!(millis("500ms"), Some(500));
        assert_eq!(millis("24h"), Some(86_400_000));
        assert_eq!(millis("1h30m"), Some(5_400_000));
        assert_eq!(millis(" 2d "), Some(172_800_000));
        for text in ["", "10", "ms", "1.5s", "-1s", "1 h", "1H", "1y", "99999999999999999999d"] {
            assert_eq!(millis(text), None, "{text}");
        }
    }

    #[test]
    fn a_duration_is_shown_in_its_largest_whole_unit() {
        let shown = |millis| shown(Duration::from_millis(millis));
        assert_eq!(
            [shown(0), shown(1), shown(90_000), shown(86_400_000)],
            ["0ms", "1ms", "90s", "1d"]
        );
    }
}
