//! Journals of earlier releases, kept as files.

use std::{fmt::Write, fs, path::Path};

use expect_test::expect;
use tempfile::TempDir;

use super::{append, options, read_all};
use crate::{Journal, Offset, Options};

#[test]
fn a_journal_of_format_1_is_read_and_appended_to() {
    let dir = TempDir::new().unwrap();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/format-1");
    for entry in fs::read_dir(kept).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            continue; // The chains of that release; another test reads them.
        }
        fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    let (journal, recovery) =
        Journal::open(Options { dir: dir.path().to_owned(), ..options() }).unwrap();
    assert_eq!((recovery.records, recovery.torn, recovery.segments), (6, None, 3));
    let mut dump = String::new();
    for record in read_all(&journal) {
        let (length, start) =
            (record.payload.len(), &record.payload[..record.payload.len().min(24)]);
        let start = start.escape_ascii();
        writeln!(
            dump,
            "{} at {} on {}: {length} bytes, {start}",
            record.offset, record.time, record.bus
        )
        .unwrap();
    }
    expect![[r#"
        0 at 1700000000000 on default: 12 bytes, \x01\x00{\"id\":\"1\"}
        1 at 1700000000000 on default: 0 bytes, 
        2 at 1700000000000 on default: 3 bytes, \x00\xff\x80
        3 at 1700000000250 on shop: 6000 bytes, xxxxxxxxxxxxxxxxxxxxxxxx
        4 at 1700000000250 on Größe: 4 bytes, \xf0\x9f\x9a\x82
        5 at 1700000001000 on shop: 4 bytes, last
    "#]]
    .assert_eq(&dump);
    assert_eq!(journal.offset_at(1_700_000_000_001).unwrap(), Offset::new(3));
    assert_eq!(append(&journal, "today"), Ok(Offset::new(6)));
}
