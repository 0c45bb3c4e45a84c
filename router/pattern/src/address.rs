//! IP addresses, alone and as networks, read as AWS's engine reads them.
//!
//! # Invariants
//!
//! - An address has one value however it is written: leading zeroes, case and the place of `::` do
//!   not matter, and an IPv4 address written as `::ffff:a00:1` is the IPv4 address.
//! - Reading never asks anybody: what is no literal is no address.

/// An address.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    V4(u32),
    V6(u128),
}

impl Address {
    /// Reads a literal: four decimal numbers, or IPv6 in hexadecimal groups.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        // Most texts are no addresses, and show it in the first character.
        let first = text.first()?;
        if !first.is_ascii_hexdigit() && *first != b':' {
            return None;
        }
        if text.contains(&b':') { read_v6(text) } else { read_v4(text).map(Self::V4) }
    }
}

/// A network, as its addresses with the host's bits cut off.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    V4 { base: u32, host_bits: u32 },
    V6 { base: u128, host_bits: u32 },
}

/// Why a text is no network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NetworkError {
    Slash,
    Bits,
    NegativeBits,
    /// It does not look like an address.
    Nonstandard(String),
    /// It looks like an address, but is none.
    Invalid(String),
    V4Bits,
    V6Bits,
}

impl Network {
    /// Reads `address/bits`.
    pub(crate) fn read(text: &[u8]) -> Result<Self, NetworkError> {
        let mut parts = text.split(|byte| *byte == b'/');
        let (Some(address), Some(bits), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NetworkError::Slash);
        };
        let bits = std::str::from_utf8(bits).ok().and_then(|bits| bits.parse::<i32>().ok());
        let bits = bits.ok_or(NetworkError::Bits)?;
        let bits = u32::try_from(bits).or(Err(NetworkError::NegativeBits))?;
        match Address::read(address) {
            Some(Address::V4(_)) if 31 < bits => Err(NetworkError::V4Bits),
            Some(Address::V6(_)) if 127 < bits => Err(NetworkError::V6Bits),
            Some(Address::V4(address)) => {
                let host_bits = 32 - bits;
                Ok(Self::V4 { base: address.checked_shr(host_bits).unwrap_or(0), host_bits })
            }
            Some(Address::V6(address)) => {
                let host_bits = 128 - bits;
                Ok(Self::V6 { base: address.checked_shr(host_bits).unwrap_or(0), host_bits })
            }
            None if looks_like_one(address) => Err(NetworkError::Invalid(lossy(address))),
            None => Err(NetworkError::Nonstandard(lossy(address))),
        }
    }

    pub(crate) fn contains(self, address: Address) -> bool {
        match (self, address) {
            (Self::V4 { base, host_bits }, Address::V4(address)) => {
                address.checked_shr(host_bits).unwrap_or(0) == base
            }
            (Self::V6 { base, host_bits }, Address::V6(address)) => {
                address.checked_shr(host_bits).unwrap_or(0) == base
            }
            _ => false,
        }
    }
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

fn looks_like_one(text: &[u8]) -> bool {
    let v6 =
        text.contains(&b':') && text.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b':');
    let mut parts = 0;
    let v4 = text.split(|byte| *byte == b'.').all(|part| {
        parts += 1;
        !part.is_empty() && part.iter().all(u8::is_ascii_digit)
    });
    v6 || v4 && parts == 4
}

fn read_v4(text: &[u8]) -> Option<u32> {
    // Four numbers of three digits and their points; longer forms exist only to confuse.
    if 15 < text.len() {
        return None;
    }
    let mut parts = 0;
    let mut address: u32 = 0;
    for part in text.split(|byte| *byte == b'.') {
        parts += 1;
        if part.is_empty() || 4 < parts {
            return None;
        }
        // Fifteen digits at most: no overflow.
        let value = part.iter().try_fold(0_u64, |value, digit| {
            digit.is_ascii_digit().then(|| value * 10 + u64::from(digit - b'0'))
        })?;
        address = address << 8 | u32::from(u8::try_from(value).ok()?);
    }
    (parts == 4).then_some(address)
}

fn read_v6(text: &[u8]) -> Option<Address> {
    let (before, after) = match memchr::memmem::find(text, b"::") {
        Some(at) => (&text[..at], Some(&text[at + 2..])),
        None => (text, None),
    };
    let (high, before) = groups(before)?;
    let (low, after_groups) = after.map_or(Some((0, 0)), groups)?;
    let missing = 8_u32.checked_sub(before + after_groups)?;
    if (after.is_some()) != (0 < missing) {
        return None;
    }
    let address = high.checked_shl(16 * (8 - before)).unwrap_or(0) | low;
    match address >> 32 {
        0xffff => u32::try_from(address & 0xffff_ffff).ok().map(Address::V4),
        _ => Some(Address::V6(address)),
    }
}

/// Groups of hexadecimal digits, at most eight: their value, and how many they are.
fn groups(text: &[u8]) -> Option<(u128, u32)> {
    if text.is_empty() {
        return Some((0, 0));
    }
    let mut value = 0_u128;
    let mut groups = 0;
    for group in text.split(|byte| *byte == b':') {
        if group.is_empty() || groups == 8 {
            return None;
        }
        let bits = group.iter().try_fold(0_u32, |value, digit| {
            let digit = char::from(*digit).to_digit(16)?;
            Some(value * 16 + digit).filter(|value| *value <= 0xffff)
        })?;
        value = value << 16 | u128::from(bits);
        groups += 1;
    }
    Some((value, groups))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Address> {
        Address::read(text.as_bytes())
    }

    #[test]
    fn an_address_has_one_value_however_it_is_written() {
        assert_eq!(read("10.0.0.1"), Some(Address::V4(0x0a00_0001)));
        assert_eq!(read("010.000.0.01"), read("10.0.0.1"));
        assert_eq!(read("::1"), read("0:0:0:0:0:0:0:1"));
        assert_eq!(read("2001:DB8::ff00:42:8329"), read("2001:db8:0:0:0:ff00:0042:8329"));
        assert_eq!(read("::ffff:a00:1"), read("10.0.0.1"));
        assert_eq!(read("::"), Some(Address::V6(0)));
        assert_eq!(read("1:2:3:4:5:6:7::"), read("1:2:3:4:5:6:7:0"));
    }

    #[test]
    fn what_is_no_literal_is_no_address() {
        for text in [
            "",
            "1",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "1..2.3",
            "1.2.3.",
            "a.b.c.d",
            "0000000010.0.0.1",
            ":",
            ":::",
            "1:",
            ":1",
            "1::2::3",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4::5:6:7:8",
            "::10000",
            "::g",
            "::ffff:10.0.0.1",
            "fe80::1%eth0",
            " 1.2.3.4",
            "1.2.3.4/8",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_network_contains_the_addresses_with_its_first_bits() {
        let contains = |network: &str, address: &str| {
            Network::read(network.as_bytes()).unwrap().contains(read(address).unwrap())
        };
        assert!(contains("10.0.0.77/24", "10.0.0.255") && !contains("10.0.0.0/24", "10.0.1.0"));
        assert!(contains("0.0.0.0/0", "255.1.2.3") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("::/0", "ffff::") && !contains("::/0", "1.2.3.4"));
        assert!(
            contains("2001:db8::/127", "2001:db8::1") && !contains("2001:db8::/127", "2001:db8::2")
        );
    }

    #[test]
    fn what_is_no_network_is_told_why() {
        let error = |text: &str| Network::read(text.as_bytes()).unwrap_err();
        assert_eq!(error("10.0.0.0"), NetworkError::Slash);
        assert_eq!(error("10.0.0.0/8/"), NetworkError::Slash);
        assert_eq!(error("10.0.0.0/x"), NetworkError::Bits);
        assert_eq!(error("10.0.0.0/-1"), NetworkError::NegativeBits);
        assert_eq!(error("10.0.0.0/32"), NetworkError::V4Bits);
        assert_eq!(error("::/128"), NetworkError::V6Bits);
        assert_eq!(error("10.0.0.256/8"), NetworkError::Invalid("10.0.0.256".to_owned()));
        assert_eq!(error("xx.11.xx/8"), NetworkError::Nonstandard("xx.11.xx".to_owned()));
    }
}
