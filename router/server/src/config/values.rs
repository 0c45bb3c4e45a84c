//! Values that people write with a unit, and the checks that all values pass.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde_saphyr::Spanned;

use super::file::Checks;

/// A number of bytes: `1048576` or `1MiB`. Text that is neither is kept for the diagnostic, which knows
/// the place that the reader's own error would miss.
#[derive(Clone)]
pub(super) enum Size {
    Bytes(u64),
    Neither(String),
}

/// A span of time: `30s`, `5m`, `12h` or `7d`. What is none is kept for the diagnostic.
#[derive(Clone)]
pub(super) enum Age {
    Lasts(Duration),
    Neither(String),
}

impl Checks<'_> {
    pub(super) fn bytes<T: TryFrom<u64>>(
        &mut self,
        key: &str,
        found: Option<Spanned<Size>>,
        bounds: RangeInclusive<u64>,
        into: &mut T,
    ) {
        let Some(found) = found else { return };
        match &found.value {
            Size::Bytes(bytes) => {
                let plain = Spanned::new(*bytes, found.referenced, found.defined);
                self.number(key, Some(plain), bounds, into);
            }
            Size::Neither(text) => {
                let reason = format!("`{text}` is no number of bytes");
                self.problem(&found, reason, "write it as 1048576, 512KiB or 16MiB");
            }
        }
    }

    pub(super) fn ms(
        &mut self,
        key: &str,
        found: Option<Spanned<u64>>,
        bounds: RangeInclusive<u64>,
        into: &mut Duration,
    ) {
        let mut value = u64::try_from(into.as_millis()).unwrap_or(u64::MAX);
        self.number(key, found, bounds, &mut value);
        *into = Duration::from_millis(value);
    }

    pub(super) fn seconds(
        &mut self,
        key: &str,
        found: Option<Spanned<u64>>,
        bounds: RangeInclusive<u64>,
        into: &mut Duration,
    ) {
        let mut value = into.as_secs();
        self.number(key, found, bounds, &mut value);
        *into = Duration::from_secs(value);
    }

    pub(super) fn number<T: TryFrom<u64>>(
        &mut self,
        key: &str,
        found: Option<Spanned<u64>>,
        bounds: RangeInclusive<u64>,
        into: &mut T,
    ) {
        let Some(found) = found else { return };
        match T::try_from(found.value) {
            Ok(value) if bounds.contains(&found.value) => *into = value,
            _ => {
                let reason = format!("{key} cannot be {}", found.value);
                let mend = format!("use a number from {} to {}", bounds.start(), bounds.end());
                self.problem(&found, reason, &mend);
            }
        }
    }

    pub(super) fn age(
        &mut self,
        key: &str,
        found: Option<Spanned<Age>>,
        bounds: RangeInclusive<Duration>,
        into: &mut Duration,
    ) {
        let Some(found) = found else { return };
        match &found.value {
            Age::Lasts(age) if bounds.contains(age) => *into = *age,
            Age::Lasts(age) => {
                let reason = format!("{key} cannot be {}", shown(*age));
                let (least, most) = (shown(*bounds.start()), shown(*bounds.end()));
                self.problem(&found, reason, &format!("write one from {least} to {most}"));
            }
            Age::Neither(text) => {
                let reason = format!("`{text}` is no span of time");
                self.problem(&found, reason, "write it as 30s, 5m, 12h or 7d");
            }
        }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Sizes;
        impl Visitor<'_> for Sizes {
            type Value = Size;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a number of bytes, such as 1048576, 512KiB or 16MiB")
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Size, E> {
                Ok(Size::Bytes(value))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Size, E> {
                Ok(parse_size(text).map_or_else(|| Size::Neither(text.to_owned()), Size::Bytes))
            }
        }
        deserializer.deserialize_any(Sizes)
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end();
    let factor = match text.get(digits.len()..)?.trim_start() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl<'de> Deserialize<'de> for Age {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ages;
        impl Visitor<'_> for Ages {
            type Value = Age;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a span of time, such as 30s, 5m, 12h or 7d")
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Age, E> {
                Ok(Age::Neither(value.to_string()))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Age, E> {
                Ok(parse_age(text).map_or_else(|| Age::Neither(text.to_owned()), Age::Lasts))
            }
        }
        deserializer.deserialize_any(Ages)
    }
}

pub(super) fn parse_age(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..)?;
    let factor = UNITS.iter().find(|(name, _)| *name == unit)?.1;
    digits.trim_end().parse::<u64>().ok()?.checked_mul(factor).map(Duration::from_millis)
}

fn shown(age: Duration) -> String {
    let millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    let whole = UNITS.iter().find(|(_, factor)| millis.is_multiple_of(*factor) && 0 < millis);
    whole.map_or_else(|| "0s".to_owned(), |(unit, factor)| format!("{}{unit}", millis / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time_have_one_unit() {
        let seconds = |text| parse_age(text).map(|age| age.as_secs_f64());
        assert_eq!(seconds("5m"), Some(300.0));
        assert_eq!(seconds("7d"), Some(604_800.0));
        assert_eq!(seconds("250ms"), Some(0.25));
        for bad in ["", "5", "m", "5 y", "-1s", "1h30m", "99999999999999999999d"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
        let written = |text| shown(parse_age(text).unwrap());
        assert_eq!([written("300s"), written("90s"), written("0d")], ["5m", "90s", "0s"]);
    }
}
