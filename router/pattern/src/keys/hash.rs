//! The hash of a path and a scalar.
//!
//! ```text
//! key    = xxh3_64(scalar, seed = xxh3_64(path))
//! scalar = kind: u8   value
//!          's'  text that is no address: its characters, unescaped
//!          '4'  text that is an IPv4 address: u32        '6'  an IPv6 address: u128
//!          'n'  number: rank: u16   head: u64   the digits after the first 19
//!          'N'  number beyond comparing, as it is spelled
//!          't'  true      'f'  false      'z'  null               (integers little-endian)
//! ```
//!
//! The seed may be any 64 bits, and both inputs are hashed well, so that a key's bits can be used as
//! they are.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::address::Address;
use crate::number::Decimal;

/// Values up to this many bytes are put behind their kind without touching the heap.
const SHORT_BYTES: usize = 96;

/// A path, ready for the scalars at it.
#[derive(Copy, Clone)]
pub(super) struct Path(u64);

/// Where longer values are put behind their kind; kept for its memory.
pub(super) type Room = Vec<u8>;

impl Path {
    pub(super) fn new(path: &[u8]) -> Self {
        Self(xxh3_64(path))
    }

    pub(super) fn text(self, text: &[u8], room: &mut Room) -> u64 {
        match Address::read(text) {
            None => self.bytes(b's', text, room),
            Some(address) => self.address(address),
        }
    }

    pub(super) fn address(self, address: Address) -> u64 {
        match address {
            Address::V4(address) => self.short(b'4', &address.to_le_bytes()),
            Address::V6(address) => self.short(b'6', &address.to_le_bytes()),
        }
    }

    pub(super) fn literal(self, literal: &[u8], room: &mut Room) -> u64 {
        match Decimal::read(literal) {
            Some(value) => self.number(&value, room),
            None => self.bytes(b'N', literal, room),
        }
    }

    pub(super) fn number(self, value: &Decimal<'_>, room: &mut Room) -> u64 {
        let (head, rank) = value.key().parts();
        let rank = u16::try_from(rank).unwrap_or(u16::MAX).to_le_bytes();
        let mut fixed = [0; 10];
        fixed[..2].copy_from_slice(&rank);
        fixed[2..].copy_from_slice(&head.to_le_bytes());
        if value.is_key() {
            return self.short(b'n', &fixed);
        }
        room.clear();
        room.push(b'n');
        room.extend_from_slice(&fixed);
        room.extend(value.tail_digits());
        self.finish(room)
    }

    pub(super) fn word(self, kind: u8) -> u64 {
        self.finish(&[kind])
    }

    fn bytes(self, kind: u8, value: &[u8], room: &mut Room) -> u64 {
        if value.len() < SHORT_BYTES {
            return self.short(kind, value);
        }
        room.clear();
        room.push(kind);
        room.extend_from_slice(value);
        self.finish(room)
    }

    /// A value of less than [`SHORT_BYTES`].
    fn short(self, kind: u8, value: &[u8]) -> u64 {
        let mut scalar = [0; SHORT_BYTES];
        scalar[0] = kind;
        scalar[1..=value.len()].copy_from_slice(value);
        self.finish(&scalar[..=value.len()])
    }

    fn finish(self, scalar: &[u8]) -> u64 {
        xxh3_64_with_seed(scalar, self.0)
    }
}

/// The key of a text at a path, as an event with it has it.
pub fn text_at(path: &str, text: &str) -> u64 {
    Path::new(path.as_bytes()).text(text.as_bytes(), &mut Room::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// They are on disk: a change here makes every index that was written say "not here".
    #[test]
    fn keys_are_what_they_were() {
        let path = Path::new(b"detail.n");
        let room = &mut Room::new();
        let found = [
            text_at("source", "shop"),
            text_at("detail.ip", "10.0.0.1"),
            text_at("detail.ip", "2001:db8::1"),
            text_at("", ""),
            text_at("detail.long", &"x".repeat(300)),
            path.literal(b"3e2", room),
            path.literal(b"-1234567890123456789012.5", room),
            path.literal(b"1e999", room),
            path.word(b't'),
            path.word(b'f'),
            path.word(b'z'),
        ];
        let found: Vec<String> = found.iter().map(|key| format!("{key:016x}")).collect();
        expect_test::expect!["e42a44ed6f32c0ee 3ab791e13fde6fcc 47a2be36522dda43 c7f163a7501b670b d9951336628ab12f 1765ea37cd63f3c8 e27dab45d78a4745 4c2a1fe944b33876 4901364762945814 d95447c5c1068849 c9d591e131d02786"].assert_eq(&found.join(" "));
    }

    #[test]
    fn a_value_has_one_key_at_the_border_of_the_short_ones() {
        let path = Path::new(b"a");
        for len in SHORT_BYTES - 2..SHORT_BYTES + 2 {
            let text = "y".repeat(len);
            let spelled = [b"s", text.as_bytes()].concat();
            assert_eq!(path.text(text.as_bytes(), &mut Room::new()), path.finish(&spelled));
        }
    }
}
