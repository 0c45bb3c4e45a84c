//! Recorded patterns and events, damaged, given to the fuzz targets: what the fuzzer does for hours,
//! every test run does for seconds.

#[path = "../fuzz/src/lib.rs"]
pub mod targets;

use std::sync::LazyLock;

use proptest::prelude::*;

/// Where and how to damage a text.
#[derive(Clone, Debug)]
enum Damage {
    /// Another byte in this place.
    Byte(prop::sample::Index, u8),
    /// One bit of the byte in this place is the other way.
    Bit(prop::sample::Index, u8),
    /// From one place to the other nothing.
    Cut(prop::sample::Index, prop::sample::Index),
    /// From one place to the other once more, at a third.
    Again(prop::sample::Index, prop::sample::Index, prop::sample::Index),
    /// Something in between.
    Insert(prop::sample::Index, &'static [u8]),
}

impl Damage {
    fn any() -> impl Strategy<Value = Self> {
        let place = any::<prop::sample::Index>;
        let pieces: Vec<&'static [u8]> = vec![
            b"\"",
            b"\\",
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b":",
            b" ",
            b"\0",
            b"*",
            b".",
            b"0",
            b"-",
            b"e9",
            b"\\ud800",
            b"\\u0061",
            b"null",
            b"[[",
            b"]]",
            b"{\"a\":",
            b"\xc3\x9f",
            b"\xff",
            b"\xed\xa0\x80",
            &[b' '; 64],
            &[b'\\'; 64],
            &[b'['; 64],
        ];
        prop_oneof![
            (place(), any::<u8>()).prop_map(|(at, byte)| Self::Byte(at, byte)),
            (place(), 0..8_u8).prop_map(|(at, bit)| Self::Bit(at, bit)),
            (place(), place()).prop_map(|(from, to)| Self::Cut(from, to)),
            (place(), place(), place()).prop_map(|(from, to, at)| Self::Again(from, to, at)),
            (place(), prop::sample::select(pieces)).prop_map(|(at, piece)| Self::Insert(at, piece)),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        let len = bytes.len();
        let place = |index: &prop::sample::Index| index.index(len + 1);
        let range = |from: &_, to: &_| place(from).min(place(to))..place(from).max(place(to));
        match self {
            Self::Byte(at, _) | Self::Bit(at, _) if place(at) == len => (),
            Self::Byte(at, byte) => bytes[place(at)] = *byte,
            Self::Bit(at, bit) => bytes[place(at)] ^= 1 << bit,
            Self::Cut(from, to) => drop(bytes.drain(range(from, to))),
            Self::Again(from, to, at) => {
                let again = bytes[range(from, to)].to_vec();
                bytes.splice(place(at)..place(at), again);
            }
            Self::Insert(at, piece) => {
                bytes.splice(place(at)..place(at), piece.iter().copied());
            }
        }
    }
}

/// The patterns and events of the recorded cases.
static RECORDED: LazyLock<Vec<(Vec<u8>, Vec<u8>)>> = LazyLock::new(|| {
    let files =
        [include_str!("../testdata/patterns.jsonl"), include_str!("../testdata/musts.jsonl")];
    let case = |line: &str| {
        let case: serde_json::Value = serde_json::from_str(line).expect("a case is JSON");
        let text = |key: &str| case[key].as_str().unwrap_or("{}").as_bytes().to_vec();
        (text("pattern"), text("event"))
    };
    files.iter().flat_map(|file| file.lines()).map(case).collect()
});

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_pattern_or_event_breaks_no_promise(
        case in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(),
        damages in prop::collection::vec(Damage::any(), 0..4),
        which in 0..3,
    ) {
        let (pattern, event) = (&case.get(&RECORDED).0, &other.get(&RECORDED).1);
        let (mut pattern, mut event) = (pattern.clone(), event.clone());
        for damage in &damages {
            match which {
                0 => damage.apply(&mut pattern),
                1 => damage.apply(&mut event),
                _ => { damage.apply(&mut pattern); damage.apply(&mut event); }
            }
        }
        targets::parse(&pattern);
        targets::match_event(&event);
        targets::pair(&[pattern.as_slice(), &[targets::SEPARATOR], &event].concat());
        // The pattern's own event, which it may match.
        targets::pair(&[pattern.as_slice(), &[targets::SEPARATOR], &case.get(&RECORDED).1].concat());
    }
}
