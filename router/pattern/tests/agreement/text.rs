//! Texts as code points, halves of surrogate pairs among them, and the many ways JSON spells one.

use std::fmt::Write as _;

use crate::random::Random;

/// Code points. One from 0xd800 to 0xdfff is half of a pair, which only an escape can write.
pub(crate) type Text = Vec<u32>;

/// How freely a JSON text is spelled.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    /// Of a hundred characters that need no escape, so many have one.
    pub(crate) escapes: usize,
    /// Of a hundred places where white space may stand, so many have some.
    pub(crate) spaces: usize,
}

pub(crate) fn text(from: &str) -> Text {
    from.chars().map(u32::from).collect()
}

impl Style {
    pub(crate) fn any(random: &mut Random) -> Self {
        let escapes = random.pick(&[0, 0, 3, 20, 100]);
        let spaces = random.pick(&[0, 0, 0, 10, 60]);
        Self { escapes, spaces }
    }

    /// The text as a JSON string.
    pub(crate) fn quoted(self, text: &[u32], random: &mut Random) -> String {
        let mut out = String::from("\"");
        for code in text {
            match char::from_u32(*code) {
                Some(plain) if ' ' <= plain && !matches!(plain, '"' | '\\') => {
                    if random.chance(self.escapes) {
                        escape(*code, random, &mut out);
                    } else {
                        out.push(plain);
                    }
                }
                _ => escape(*code, random, &mut out),
            }
        }
        out.push('"');
        out
    }

    pub(crate) fn space(self, random: &mut Random) -> String {
        if !random.chance(self.spaces) {
            return String::new();
        }
        let len = if random.chance(3) { random.below(140) } else { 1 + random.below(3) };
        (0..len).map(|_| random.pick(&[' ', ' ', '\n', '\t', '\r'])).collect()
    }
}

fn escape(code: u32, random: &mut Random, out: &mut String) {
    let short = match code {
        0x08 => Some('b'),
        0x09 => Some('t'),
        0x0a => Some('n'),
        0x0c => Some('f'),
        0x0d => Some('r'),
        0x22 => Some('"'),
        0x2f => Some('/'),
        0x5c => Some('\\'),
        _ => None,
    };
    if let Some(letter) = short
        && random.chance(70)
    {
        out.push('\\');
        out.push(letter);
    } else if let Some(character) = char::from_u32(code) {
        for unit in character.encode_utf16(&mut [0; 2]) {
            unit_escape(u32::from(*unit), random, out);
        }
    } else {
        unit_escape(code, random, out);
    }
}

fn unit_escape(unit: u32, random: &mut Random, out: &mut String) {
    let written =
        if random.chance(50) { write!(out, "\\u{unit:04x}") } else { write!(out, "\\u{unit:04X}") };
    written.expect("a string takes everything");
}
