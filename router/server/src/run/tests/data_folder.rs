//! What becomes of a start on a data folder that is not as it should be.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bus::{OpenError, StateError, journal};

use super::super::{Mode, RunError};
use super::{Config, EVENT, RULE, Scene};

/// Where SQLite's `user_version` stands in a database's header.
const USER_VERSION: usize = 60;

/// The code and the message of a start that fails.
#[track_caller]
fn refusal(data: &Path) -> (u8, String) {
    let data = data.to_owned();
    let there = |config: &mut Config| config.data_dir = data;
    let error = Scene::start_with(&[], Mode::Serve, there).err().expect("it must not start");
    (error.exit_code(), error.to_string())
}

fn refusal_of_state(bytes: &[u8]) -> (u8, String) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("state.sqlite"), bytes).unwrap();
    refusal(dir.path())
}

/// A database without tables: one page, a header and an empty tree.
fn empty_database(user_version: u8) -> Vec<u8> {
    let mut page = vec![0; 4096];
    page[..24].copy_from_slice(b"SQLite format 3\0\x10\0\x01\x01\0\x40\x20\x20");
    page[27] = 1; // Changes.
    page[31] = 1; // Pages.
    page[47] = 4; // The schema's format.
    page[59] = 1; // UTF-8.
    page[USER_VERSION + 3] = user_version;
    page[95] = 1; // As many changes as above.
    page[100] = 13; // A leaf of a table,
    page[105] = 0x10; // whose cells begin at the end.
    page
}

#[test]
fn a_state_database_that_is_foreign_damaged_or_newer_is_refused_with_78() {
    let (code, message) =
        refusal_of_state(&b"this is no database, whatever its name says. ".repeat(90));
    assert!(code == 78 && message.contains("state.sqlite"), "{code} {message}");

    let foreign = refusal_of_state(&empty_database(1));
    assert!(foreign.0 == 78 && foreign.1.contains("state"), "{foreign:?}");

    let newer = refusal_of_state(&empty_database(99));
    assert!(newer.0 == 78 && newer.1.contains("newer slipswitch"), "{newer:?}");

    let mut damaged = empty_database(0);
    damaged[100] = 0xff;
    let damaged = refusal_of_state(&damaged);
    assert!(damaged.0 == 78 && damaged.1.contains("state.sqlite"), "{damaged:?}");
}

#[test]
fn files_and_folders_that_stand_in_each_others_place_are_refused_with_78() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("journal"), "").unwrap();
    let (code, message) = refusal(dir.path());
    assert!(code == 78 && message.contains("journal"), "{code} {message}");

    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("state.sqlite")).unwrap();
    let (code, message) = refusal(dir.path());
    assert!(code == 78 && message.contains("state.sqlite"), "{code} {message}");
}

#[test]
fn a_journal_of_an_unknown_version_or_with_damage_is_refused_with_78() {
    for (byte, word) in [(8, "newer slipswitch"), (0, "damaged")] {
        let mut scene = Scene::start(&[("a.yaml", RULE)], Mode::Serve);
        assert_eq!(scene.send("POST", "/buses/shop/events", EVENT).status, 202);
        scene.stop();
        let data = scene.dir.path().join("data");
        for file in files(&data.join("journal")) {
            let file = OpenOptions::new().read(true).write(true).open(file).unwrap();
            if 12 <= file.metadata().unwrap().len() {
                file.write_at(&[0x7e], byte).unwrap();
            }
        }
        let (code, message) = refusal(&data);
        assert!(code == 78 && message.contains(word), "{code} {message}");
    }
}

#[test]
fn a_new_data_folder_is_its_owners_alone() {
    let mut scene = Scene::start(&[("a.yaml", RULE)], Mode::Serve);
    let mode = fs::metadata(scene.dir.path().join("data")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    scene.stop();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_file()).collect()
}

#[test]
fn what_may_pass_by_itself_is_no_matter_of_configuration() {
    let code = |error: OpenError| RunError::from(error).exit_code();
    let path = PathBuf::from("data/journal");
    let io = |kind: io::ErrorKind| {
        let (path, source) = (path.clone(), io::Error::from(kind));
        code(OpenError::Journal(journal::OpenError::Io { path, action: "read it", source }))
    };
    assert_eq!(code(OpenError::Journal(journal::OpenError::Locked { path: path.clone() })), 1);
    assert_eq!([io(io::ErrorKind::StorageFull), io(io::ErrorKind::Other)], [1, 1]);
    assert_eq!(code(OpenError::State(StateError::Ended)), 1);

    let (at, free) = ("state.sqlite".to_owned(), "0 B".to_owned());
    let full = StateError::NoRoom { path: at.clone(), free, error: "full".to_owned() };
    assert_eq!(code(OpenError::State(full)), 1);
    let failed = StateError::Failed { path: at, reason: "disk I/O error".to_owned() };
    assert_eq!(code(OpenError::State(failed)), 1);

    let source = io::Error::from(io::ErrorKind::ReadOnlyFilesystem);
    assert_eq!(code(OpenError::Journal(journal::OpenError::ReadOnly { path, source })), 78);
    let (path, reason) = ("state.sqlite".to_owned(), "read-only".to_owned());
    assert_eq!(code(OpenError::State(StateError::Open { path, reason })), 78);
}
