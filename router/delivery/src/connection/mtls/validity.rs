//! From when to when a certificate holds, read from its bytes.
//!
//! ```text
//! certificate = SEQUENCE { to be signed = SEQUENCE { [0] version?, serial, algorithm, issuer,
//!                          validity = SEQUENCE { not before, not after }, … }, … }
//! time        = UTCTime YYMMDDHHMMSSZ (of 1950 to 2049) | GeneralizedTime YYYYMMDDHHMMSSZ
//! ```
//!
//! The TLS library checks the other side's certificates and leaves the time of our own to the other side, whose
//! answer is an alert without a reason.
//!
//! # Invariants
//!
//! - Any bytes: none, never a panic.

use event::Timestamp;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

pub(super) fn of(certificate: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let (whole, _) = within(certificate, SEQUENCE)?;
    let (mut signed, _) = within(whole, SEQUENCE)?;
    if let Some((_, rest)) = within(signed, VERSION) {
        signed = rest;
    }
    for _serial_algorithm_issuer in 0..3 {
        (_, _, signed) = element(signed)?;
    }
    let (validity, _) = within(signed, SEQUENCE)?;
    let (tag, from, rest) = element(validity)?;
    let from = time(tag, from)?;
    let (tag, to, _) = element(rest)?;
    Some((from, time(tag, to)?))
}

/// The content of an element of this tag, and what follows it.
fn within(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let digits = usize::from(first & 0x7f);
        if digits == 0 || 4 < digits {
            return None;
        }
        let (digits, rest) = rest.split_at_checked(digits)?;
        (digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit)), rest)
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((tag, content, rest))
}

fn time(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let text = match tag {
        UTC_TIME if text.len() == 12 => {
            let century = if text < "5" { "20" } else { "19" };
            format!("{century}{text}")
        }
        GENERALIZED_TIME if text.len() == 14 => text.to_owned(),
        _ => return None,
    };
    let part = |from: usize, to: usize| text.get(from..to);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    Timestamp::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z")).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn certificate(from: i32, to: i32) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(vec!["x".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from, 2, 3);
        params.not_after = rcgen::date_time_ymd(to, 12, 31);
        let key = rcgen::KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn both_spellings_of_a_time_are_read() {
        let read = |from, to| of(&certificate(from, to)).unwrap();
        let text = |(from, to): (Timestamp, Timestamp)| format!("{from} {to}");
        assert_eq!(text(read(1999, 2049)), "1999-02-03T00:00:00.000Z 2049-12-31T00:00:00.000Z");
        assert_eq!(text(read(2026, 2050)), "2026-02-03T00:00:00.000Z 2050-12-31T00:00:00.000Z");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..64), cut in 0..400_usize) {
            of(&bytes);
            let whole = certificate(2026, 2027);
            let cut = cut.min(whole.len());
            of(whole.get(..cut).unwrap());
        }
    }
}
