//! Points in time: milliseconds since the Unix epoch, written as RFC 3339 in UTC.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Milliseconds since 1970-01-01T00:00:00Z. May be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a text is not a point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an RFC 3339 time such as 2026-11-23T08:30:00Z")]
pub struct TimeError {
    pub text: String,
}

impl Timestamp {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Reads an RFC 3339 date-time with `Z` or an offset; what is finer than a millisecond is cut.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let wrong = || TimeError { text: text.chars().take(64).collect() };
        // RFC 3339 is stricter than the library's ISO 8601: full date, `T`, full time, zone.
        let bytes = text.as_bytes();
        let shaped = bytes.len() >= 20
            && bytes.iter().take(10).all(|byte| byte.is_ascii_digit() || *byte == b'-')
            && matches!(bytes[10], b'T' | b't' | b' ')
            && bytes[13] == b':'
            && bytes[16] == b':'
            && !text.contains([',', '[']);
        if !shaped {
            return Err(wrong());
        }
        let time: jiff::Timestamp = text.parse().map_err(|_unhelpful: jiff::Error| wrong())?;
        Ok(Self(time.as_millisecond()))
    }

    /// Reads the date of an HTTP header, such as `Mon, 23 Nov 2026 08:30:00 GMT` (RFC 9110, 5.6.7).
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let time = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
        Some(Self(time.as_millisecond()))
    }

    /// The time `duration` later; saturates at the end of time.
    pub fn after(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// The time `duration` earlier; saturates at the beginning of time.
    pub fn before(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// How long after `earlier` this is; zero when it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            // Outside the years -9999 to 9999 there is no such text; the number says it all.
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_is_read_to_the_millisecond() {
        let read = |text: &str| Timestamp::parse(text).map(Timestamp::as_millis).ok();
        assert_eq!(read("1970-01-01T00:00:01Z"), Some(1_000));
        assert_eq!(read("1970-01-01T01:00:00.250+01:00"), Some(250));
        assert_eq!(read("1970-01-01t00:00:00.9999z"), Some(999));
        assert_eq!(read("1969-12-31T23:59:59Z"), Some(-1_000));
        for wrong in [
            "",
            "yesterday",
            "2026-11-23",
            "2026-11-23T08:30",
            "2026-11-23T08:30:00",
            "2026-13-23T08:30:00Z",
            "20261123T083000Z",
            "2026-11-23T08:30:00Z[UTC]",
            "2026-11-23T08:30:00,5Z",
            "đđđđđđđđđđđđđđđđ",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_date_of_a_header_is_read() {
        let read = |text| Timestamp::parse_http_date(text).map(|time| time.to_string());
        let expected = Some("2026-11-23T08:30:00.000Z".to_owned());
        assert_eq!(read("Mon, 23 Nov 2026 08:30:00 GMT"), expected);
        assert_eq!(read("soon"), None);
        assert_eq!(read("17"), None);
    }

    #[test]
    fn times_are_written_with_milliseconds_in_utc() {
        assert_eq!(
            Timestamp::from_millis(1_795_422_600_005).to_string(),
            "2026-11-23T08:30:00.005Z"
        );
        assert_eq!(Timestamp::from_millis(i64::MAX).to_string(), format!("{} ms", i64::MAX));
    }

    #[test]
    fn time_never_overflows() {
        assert_eq!(
            Timestamp::from_millis(i64::MAX).after(Duration::MAX),
            Timestamp::from_millis(i64::MAX)
        );
        assert_eq!(Timestamp::from_millis(5).since(Timestamp::from_millis(9)), Duration::ZERO);
    }
}
