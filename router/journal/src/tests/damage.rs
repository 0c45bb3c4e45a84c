//! Damage, planted: it is found and named, and nothing is passed over.

use super::{append, open, read_all, wait_for_segments};
use crate::{Offset, OpenError, ReadError, Torn, disk::simulated::SimulatedDisk, layout};

const ONE: &str = "0000000000000001.hot";
const TWO: &str = "0000000000000002.hot";
const THREE: &str = "0000000000000003.hot";
const PAGE: usize = 4096;
/// A frame with one record of one byte on `shop`: header, bus table, record.
const FRAME: usize = 40 + 5 + 7;

/// Three full segments of three one-page frames each, but for the last, which has two; and a spare.
fn journal_of_eight_frames() -> SimulatedDisk {
    eight_frames_on(SimulatedDisk::new(7))
}

fn eight_frames_on(disk: SimulatedDisk) -> SimulatedDisk {
    let (journal, _) = open(&disk).expect("open");
    for number in 0..8 {
        assert_eq!(append(&journal, "x"), Ok(Offset::new(number)));
    }
    wait_for_segments(&journal, 4);
    journal.close().expect("close");
    disk.crash(); // Nothing of it was only in the cache.
    disk
}

/// Where the open error says the damage is.
fn place(disk: &SimulatedDisk) -> Option<(String, u64)> {
    match open(disk) {
        Ok(_) => None,
        Err(OpenError::Damaged { path, position, .. }) => {
            Some((path.file_name().expect("it is a file").to_string_lossy().into_owned(), position))
        }
        Err(error) => panic!("{error}"),
    }
}

fn flipped(disk: &SimulatedDisk, name: &str, position: usize) -> SimulatedDisk {
    let copy = disk.copy();
    copy.edit(name, |bytes| bytes[position] ^= 0x10);
    copy
}

#[test]
fn an_undamaged_journal_opens() {
    let disk = journal_of_eight_frames();
    let (journal, recovery) = open(&disk).expect("open");
    assert_eq!((recovery.records, recovery.segments, recovery.torn), (8, 4, None));
    assert_eq!(read_all(&journal).len(), 8);
}

#[test]
fn a_flip_in_any_byte_of_a_frame_that_others_follow_is_found_on_opening() {
    let disk = journal_of_eight_frames();
    for byte in 0..FRAME {
        // The tail segment's first frame: the last one stands behind it.
        let copy = flipped(&disk, THREE, PAGE + byte);
        assert_eq!(place(&copy), Some((THREE.to_owned(), 4096)), "byte {byte}");
    }
    for byte in 0..40 {
        // Headers are walked in all segments. A flip in a segment's last frame shows as a gap
        // before the next.
        for frame in 1..4 {
            let copy = flipped(&disk, ONE, frame * PAGE + byte);
            assert_eq!(
                place(&copy),
                Some((ONE.to_owned(), frame as u64 * 4096)),
                "byte {byte} of frame {frame}"
            );
        }
    }
}

#[test]
fn a_flip_in_a_body_of_an_old_segment_is_found_on_reading_and_the_rest_is_served() {
    let disk = journal_of_eight_frames();
    for byte in 40..FRAME {
        let copy = flipped(&disk, ONE, 2 * PAGE + byte);
        let (journal, _) = open(&copy).expect("the headers are sound");
        let mut cursor = journal.read_from(Offset::ZERO);
        assert_eq!(cursor.next_batch().unwrap().unwrap().len(), 1, "what is before the damage");
        for _ in 0..2 {
            let error = cursor.next_batch().expect_err("the second frame is damaged");
            assert!(matches!(error, ReadError::Damaged { position: 8192, .. }), "{error}");
            assert_eq!(cursor.position(), Offset::new(1));
        }
        assert!(matches!(
            journal.get("shop", Offset::new(1)),
            Err(ReadError::Damaged { position: 8192, .. })
        ));
        assert_eq!(journal.get("shop", Offset::new(2)).unwrap().offset, Offset::new(2));
        assert_eq!(journal.read_from(Offset::new(2)).next_batch().unwrap().unwrap().len(), 1);
    }
}

#[test]
fn a_flip_in_the_very_last_frame_looks_like_a_torn_tail_and_is_reported() {
    let disk = journal_of_eight_frames();
    for byte in 0..FRAME {
        let copy = flipped(&disk, THREE, 2 * PAGE + byte);
        let (journal, recovery) = open(&copy).expect("it is cut");
        let torn = Torn { path: format!("disk/{THREE}").into(), position: 8192, bytes_cut: 4096 };
        assert_eq!((recovery.records, recovery.torn), (7, Some(torn)), "byte {byte}");
        assert_eq!(append(&journal, "y"), Ok(Offset::new(7)));
        drop(journal);
        copy.crash();
        let (_, recovery) = open(&copy).expect("open");
        assert_eq!((recovery.records, recovery.torn), (8, None));
    }
}

#[test]
fn a_cut_tail_does_not_come_back() {
    let disk = journal_of_eight_frames();
    disk.edit(THREE, |bytes| bytes[2 * PAGE] ^= 1);
    drop(open(&disk).expect("it is cut"));
    disk.edit(THREE, |bytes| bytes[2 * PAGE] ^= 1);
    let (_, recovery) = open(&disk).expect("open");
    assert_eq!(recovery.records, 7);
}

#[test]
fn an_erased_frame_that_others_follow_is_damage() {
    let disk = journal_of_eight_frames();
    disk.edit(THREE, |bytes| bytes[PAGE..2 * PAGE].fill(0));
    assert_eq!(place(&disk), Some((THREE.to_owned(), 4096)));
}

#[test]
fn a_segment_whose_first_frame_is_lost_is_damage_though_it_was_the_tail() {
    let disk = journal_of_eight_frames();
    disk.edit(TWO, |bytes| bytes[PAGE..2 * PAGE].fill(0));
    assert_eq!(place(&disk), Some((TWO.to_owned(), 4096)), "a later segment follows");
}

#[test]
fn swapped_frames_are_damage() {
    let disk = journal_of_eight_frames();
    disk.edit(ONE, |bytes| {
        let (first, second) = bytes[PAGE..3 * PAGE].split_at_mut(PAGE);
        first.swap_with_slice(second);
    });
    assert_eq!(place(&disk), Some((ONE.to_owned(), 4096)));
}

#[test]
fn missing_files_are_named() {
    let disk = journal_of_eight_frames();
    for (missing, named) in [(ONE, ONE), (TWO, TWO), ("store", "store")] {
        let copy = disk.copy();
        copy.delete(missing);
        assert_eq!(place(&copy), Some((named.to_owned(), 0)));
    }
}

#[test]
fn flips_in_headers_are_found() {
    let disk = journal_of_eight_frames();
    for byte in (0..8).chain(12..layout::HEADER_LEN) {
        for name in [ONE, TWO, THREE, "0000000000000004.hot", "store"] {
            assert_eq!(
                place(&flipped(&disk, name, byte)),
                Some((name.to_owned(), 0)),
                "byte {byte}"
            );
        }
    }
}

#[test]
fn cut_and_grown_files_are_found() {
    let disk = journal_of_eight_frames();
    for (length, position) in
        [(0, 0), (63, 0), (64, 64), (4096, 4096), (16_383, 16_383), (20_480, 16_384)]
    {
        let copy = disk.copy();
        copy.edit(TWO, |bytes| bytes.resize(length, 0));
        assert_eq!(place(&copy), Some((TWO.to_owned(), position)), "length {length}");
    }
    disk.edit("store", |bytes| bytes.truncate(20));
    assert_eq!(place(&disk), Some(("store".to_owned(), 0)));
}

#[test]
fn a_segment_of_another_journal_is_refused() {
    let (disk, other) = (journal_of_eight_frames(), eight_frames_on(SimulatedDisk::new(8)));
    let mut stolen = Vec::new();
    other.edit(TWO, |bytes| stolen.clone_from(bytes));
    disk.edit(TWO, |bytes| *bytes = stolen);
    assert_eq!(place(&disk), Some((TWO.to_owned(), 16)));
}

#[test]
fn a_segment_under_another_name_is_refused() {
    let disk = journal_of_eight_frames();
    let mut copied = Vec::new();
    disk.edit(ONE, |bytes| copied.clone_from(bytes));
    disk.edit(TWO, |bytes| *bytes = copied);
    assert_eq!(place(&disk), Some((TWO.to_owned(), 32)));
}

#[test]
fn a_newer_format_is_refused_and_says_so() {
    let disk = journal_of_eight_frames();
    for (name, known) in [(TWO, 1), ("store", 2)] {
        let (copy, newer) = (disk.copy(), known + 1);
        copy.edit(name, |bytes| bytes[8] = newer);
        let Err(error) = open(&copy) else { panic!("{name} is newer") };
        assert_eq!(
            error.to_string(),
            format!(
                "open journal disk/{name}: its format is version {newer}, this program knows {known}; use a newer slipswitch"
            )
        );
    }
}

#[test]
fn damage_is_reported_with_its_mend_and_changes_nothing() {
    let disk = flipped(&journal_of_eight_frames(), THREE, PAGE);
    for _ in 0..2 {
        let error = open(&disk).expect_err("it is damaged").to_string();
        assert_eq!(
            error,
            "open journal disk/0000000000000003.hot: damaged at byte 4096: there is no whole frame, but there is one \
             behind it, at byte 8192; restore the file from a copy, or give the damaged part up and keep the rest: \
             `slipswitch journal verify` says what is lost, `slipswitch journal repair` does it"
        );
    }
}
