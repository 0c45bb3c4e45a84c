use proptest::{collection::vec, prelude::*};

use super::*;

const SEED: Seed = Seed::for_test();

fn records(steps: &[(u64, u64, Vec<u8>)]) -> Vec<ChainRecord> {
    let (mut offset, mut time) = (0_u64, -3_i64);
    let each = steps.iter().map(|(step, later, payload)| {
        offset = offset.saturating_add(step + 1);
        time = time.saturating_add_unsigned(*later);
        let payload = Bytes::copy_from_slice(payload);
        ChainRecord { offset: Offset::new(offset), time, payload }
    });
    each.collect()
}

fn seal(records: &[ChainRecord], filter: &[u8]) -> (Vec<u8>, BlockEntry) {
    let mut gathering = Gathering::default();
    for record in records {
        gathering.push(record.offset, record.time, &record.payload);
    }
    let mut bytes = Vec::new();
    let header = gathering.seal(&Seal { seed: SEED, number: 5, filter }, &mut bytes);
    (bytes, header.entry(64))
}

fn steps() -> impl Strategy<Value = Vec<(u64, u64, Vec<u8>)>> {
    let step = prop_oneof![4 => 0..3_u64, 1 => 0..1_u64 << 55];
    let payload = prop_oneof![vec(any::<u8>(), 0..40), (0..500_usize).prop_map(|n| vec![b'x'; n])];
    vec((step.clone(), step, payload), 1..40)
}

proptest! {
    #[test]
    fn a_block_comes_back_as_it_was(steps in steps(), filter in vec(any::<u8>(), 0..30)) {
        let records = records(&steps);
        let (bytes, entry) = seal(&records, &filter);
        prop_assert_eq!(u64::from(entry.length), bytes.len() as u64);
        prop_assert_eq!(decode(&bytes, SEED, &entry), Ok(records));
    }

    #[test]
    fn a_changed_byte_in_a_block_is_noticed(
        steps in steps(),
        place in any::<proptest::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let (mut bytes, entry) = seal(&records(&steps), b"filter");
        let place = place.index(bytes.len());
        bytes[place] ^= flip;
        prop_assert!(decode(&bytes, SEED, &entry).is_err(), "byte {}", place);
        prop_assert!(decode(&bytes[..place], SEED, &entry).is_err(), "cut at {}", place);
    }

    #[test]
    fn hostile_bodies_behind_right_checksums_are_errors_and_no_panics(
        raw in vec(any::<u8>(), 0..100),
        count in 1..200_u32,
        coding in 0..=1_u8,
        length in prop_oneof![0..200_u32, any::<u32>()],
    ) {
        let header = BlockHeader {
            body_sum: SEED.checksum(&raw),
            body_len: u32::try_from(raw.len()).unwrap(),
            raw_len: length,
            records: count,
            first: Offset::ZERO,
            last: Offset::new(9),
            first_time: 0,
            last_time: 0,
            number: 0,
            filter_len: 0,
            coding,
        };
        let mut bytes = header.encode(SEED).to_vec();
        bytes.extend_from_slice(&raw);
        let _decoded = decode(&bytes, SEED, &header.entry(64));
    }
}

#[test]
fn every_field_of_a_block_is_watched() {
    let (bytes, entry) = seal(&records(&[(0, 0, vec![1, 2, 3]), (4, 5, vec![])]), b"f");
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&flipped, SEED, &entry).is_err(), "bit {bit}");
    }
    let elsewhere = BlockEntry { number: 4, ..entry };
    let decoded = decode(&bytes, SEED, &elsewhere);
    assert_eq!(decoded, Err(BlockError::Index), "a block out of place");
    let other = Seed::new(&[9; 16], 1);
    assert_eq!(decode(&bytes, other, &entry), Err(BlockError::Header), "another file's block");
}

#[test]
fn numbers_come_back_and_too_long_ones_are_refused() {
    for number in [0, 1, 127, 128, 16_383, 16_384, u64::MAX / 2, u64::MAX] {
        let mut bytes = Vec::new();
        put_leb128(&mut bytes, number);
        assert_eq!(leb128(&bytes, &mut 0), Some(number));
        assert_eq!(leb128(&bytes[..bytes.len() - 1], &mut 0), None);
    }
    assert_eq!(leb128(&[0xFF; 11], &mut 0), None);
    let two_to_the_64 = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02];
    assert_eq!(leb128(&two_to_the_64, &mut 0), None);
}

#[test]
fn what_does_not_pack_is_kept_raw() {
    let (bytes, entry) = seal(&records(&[(0, 0, vec![7])]), b"");
    assert_eq!(bytes[64], RAW);
    assert_eq!(entry.raw_len, 4);
    let (bytes, _) = seal(&records(&[(0, 0, vec![7; 1000])]), b"");
    assert_eq!(bytes[64], ZSTD);
}
