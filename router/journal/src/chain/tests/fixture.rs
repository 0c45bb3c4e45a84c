//! Chains of earlier releases, kept as files.

use std::{fmt::Write, fs, path::Path};

use tempfile::TempDir;

use super::*;

/// Set to make the files that are not there yet; what is there is never written again.
const MAKE: &str = "SLIPSWITCH_MAKE_FIXTURES";

fn kept(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/format-1").join(name)
}

fn small(dir: &Path, name: &str) -> ChainOptions {
    ChainOptions { dir: dir.to_owned(), name: name.to_owned(), ..options() }
}

fn make(name: &str, fill: impl FnOnce(&Chain)) {
    if std::env::var_os(MAKE).is_none() || kept(name).exists() {
        return;
    }
    let (chain, _) = Chain::open(small(&kept(name), name)).unwrap();
    fill(&chain);
}

fn copy(name: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    for entry in fs::read_dir(kept(name)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    dir
}

#[test]
fn a_chain_of_format_1_is_read_and_sealed_to() {
    make("sealed", |chain| {
        seal(chain, 0..200).unwrap();
        seal(chain, 200..203).unwrap();
        seal(chain, 203..300).unwrap();
    });
    let dir = copy("sealed");
    assert_eq!(verify::verify(&PosixDisk::new(dir.path().to_owned())).unwrap().faults, []);
    let (chain, report) = Chain::open(small(dir.path(), "sealed")).unwrap();
    assert_eq!(report, ChainReport::default());
    assert_eq!(read_all(&chain), records(0..300));
    let mut found = String::new();
    for hundred in ["0", "1", "2", "3"] {
        let filter: Filter = Arc::new(move |block| {
            block.may_hold_value(0, hundred.as_bytes()) && block.may_hold_key(150)
        });
        let mut cursor = chain.read(Offset::ZERO).skipping(filter);
        let records = drain(&mut cursor).unwrap();
        let held = records.contains(&record(150));
        let read = 0 < cursor.reading().blocks_read;
        writeln!(found, "{hundred}: read {read}, found {held}").unwrap();
    }
    assert!(found.contains("1: read true, found true\n2: read false, found false"), "{found}");
    seal(&chain, 300..400).unwrap();
    assert_eq!(read_all(&chain), records(0..400));
}

#[test]
fn an_open_file_of_format_1_is_gone_on_with() {
    let text = |number: u64| record(number).payload;
    make("attempts", |chain| {
        let appender = chain.appender().unwrap();
        for number in 0..20 {
            appender.push(5, text(number), &mut |keys| keys.key(number)).unwrap();
        }
        appender.roll().unwrap();
        for number in 20..40 {
            appender.push(6, text(number), &mut |keys| keys.key(number)).unwrap();
        }
        appender.flush().unwrap();
    });
    let dir = copy("attempts");
    let (chain, report) = Chain::open(small(dir.path(), "attempts")).unwrap();
    assert_eq!(report, ChainReport::default());
    let appender = chain.appender().unwrap();
    assert_eq!(appender.push(7, text(40), &mut |_| ()).unwrap(), Offset::new(40));
    let found: Vec<_> = read_all(&chain).into_iter().map(|record| record.payload).collect();
    assert_eq!(found, (0..41).map(text).collect::<Vec<_>>());
}
