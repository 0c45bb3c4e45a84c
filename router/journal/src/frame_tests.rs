use std::sync::Arc;

use bytes::Bytes;
use expect_test::expect;
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    group::{Batch, Group},
    layout::PAGE_LEN,
};

fn seed() -> Seed {
    Seed::new(&[7; 16], 3)
}

fn group(batches: &[(&str, &[&[u8]])]) -> Group {
    let mut group = Group::default();
    for (bus, payloads) in batches {
        let payloads = payloads.iter().map(|payload| Bytes::copy_from_slice(payload)).collect();
        group
            .add(
                Batch { bus, payloads, time: 5, durability: crate::group::Durability::Synced },
                usize::MAX,
            )
            .expect("there is no limit");
    }
    group
}

fn encoded(group: &Group) -> Vec<u8> {
    let mut buffer = vec![0xEE; 3]; // What was in it is replaced.
    encode(group, Offset::new(40), 5, seed(), &mut buffer);
    buffer
}

fn decoded(frame: &[u8]) -> Result<Vec<Record>, FrameError> {
    let header = Header::decode(frame, seed())?;
    let end = usize::try_from(header.body_len).expect("64 bits").saturating_add(HEADER);
    let body = frame.get(HEADER..end).ok_or(FrameError::Long)?;
    header.check_body(body, seed())?;
    decode(&header, &Bytes::copy_from_slice(body))
}

#[test]
fn the_bytes_are_those_of_the_format() {
    let frame = encoded(&group(&[("shop", &[b"{}", b""]), ("ops", &[b"!"]), ("shop", &[b"?"])]));
    assert_eq!(frame.len(), PAGE_LEN);
    let hex =
        |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    let lines: Vec<_> = frame[..88].chunks(8).map(hex).collect();
    expect![[r#"
        53 4c 46 52 f0 ad dc 26
        0a 97 96 58 25 00 00 00
        28 00 00 00 00 00 00 00
        05 00 00 00 00 00 00 00
        04 00 00 00 02 00 00 00
        04 73 68 6f 70 03 6f 70
        73 00 00 02 00 00 00 7b
        7d 00 00 00 00 00 00 01
        00 01 00 00 00 21 00 00
        01 00 00 00 3f 00 00 00
        00 00 00 00 00 00 00 00"#]]
    .assert_eq(&lines.join("\n"));
    assert!(frame[77..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_flipped_bit_anywhere_in_a_frame_is_noticed() {
    let frame = encoded(&group(&[("shop", &[b"{}", b""]), ("ops", &[b"!"])]));
    let length =
        HEADER + usize::try_from(Header::decode(&frame, seed()).unwrap().body_len).unwrap();
    for bit in 0..length * 8 {
        let mut flipped = frame.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(decoded(&flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn a_frame_of_another_store_or_epoch_is_none() {
    let frame = encoded(&group(&[("shop", &[b"{}"])]));
    assert_eq!(Header::decode(&frame, Seed::new(&[7; 16], 4)), Err(FrameError::Header));
    assert_eq!(Header::decode(&frame, Seed::new(&[8; 16], 3)), Err(FrameError::Header));
}

/// A frame with valid checksums around whatever body.
fn forged(records: u32, buses: u16, body: &[u8]) -> Result<Vec<Record>, FrameError> {
    let header = Header {
        body_sum: seed().checksum(body),
        body_len: u32::try_from(body.len()).expect("it is short"),
        first: Offset::ZERO,
        time: 0,
        records,
        buses,
        lost: false,
    };
    let mut frame = header.encode(seed()).to_vec();
    frame.extend_from_slice(body);
    decoded(&frame)
}

#[test]
fn nonsense_under_valid_checksums_is_an_error() {
    let check = |records, buses, body: &[u8], expected| {
        assert_eq!(forged(records, buses, body), Err(FrameError::Nonsense(expected)));
    };
    check(0, 0, b"", "it has no records");
    check(1, 0, b"\0\0\0\0\0\0", "a record names a bus that is not in its table");
    check(1, 1, b"\x01s\x01\0\0\0\0\0", "a record names a bus that is not in its table");
    check(1, 1, b"\x02s", "its body ends too early");
    check(1, 1, b"\x01s\0\0\x01\0\0\0", "its body ends too early");
    check(u32::MAX, u16::MAX, b"", "its body ends too early");
    check(1, 1, b"\x01s\0\0\xff\xff\xff\xff", "its body ends too early");
    check(1, 1, b"\x01\xff\0\0\0\0\0\0", "a bus name is not UTF-8");
    check(1, 1, b"\x01s\0\0\0\0\0\0!", "something follows its last record");
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        batches in vec(("[a-zé]{1,60}", vec(vec(any::<u8>(), 0..300), 1..5)), 1..20),
    ) {
        let batches: Vec<(&str, Vec<&[u8]>)> =
            batches.iter().map(|(bus, payloads)| (&**bus, payloads.iter().map(|payload| &**payload).collect())).collect();
        let borrowed: Vec<(&str, &[&[u8]])> = batches.iter().map(|(bus, payloads)| (*bus, &**payloads)).collect();
        let frame = encoded(&group(&borrowed));
        prop_assert!(frame.len().is_multiple_of(PAGE_LEN));

        let expected: Vec<Record> = batches
            .iter()
            .flat_map(|(bus, payloads)| payloads.iter().map(|payload| (Arc::from(*bus), Bytes::copy_from_slice(payload))))
            .zip(40..)
            .map(|((bus, payload), offset)| Record { offset: Offset::new(offset), time: 5, bus, payload })
            .collect();
        prop_assert_eq!(decoded(&frame), Ok(expected));
    }

    #[test]
    fn any_bytes_are_an_error_or_a_frame(
        records in any::<u32>(),
        buses in 0..4_u16,
        body in vec(prop_oneof![0..4_u8, any::<u8>()], 0..200),
    ) {
        if let Ok(found) = forged(records, buses, &body) {
            prop_assert_eq!(found.len(), usize::try_from(records).unwrap());
        }
        prop_assert!(decoded(&body).is_err());
    }
}
