//! The archives of a router that does not run.

use std::cell::RefCell;
use std::path::Path;

use journal::tools::KnownArchive;

use super::Archive;
use crate::record;
use crate::selection::Asking;
use crate::state::ArchiveRow;

/// What the state database in a data folder says of its archives; without a database there are none.
/// `None` where it cannot be read.
pub fn stored_archives(data_dir: &Path) -> Option<Vec<KnownArchive>> {
    let path = data_dir.join("state.sqlite");
    if !path.exists() {
        return Some(Vec::new());
    }
    Some(ArchiveRow::read(&path)?.into_iter().map(known).collect())
}

fn known(archive: Archive) -> KnownArchive {
    let (name, bus) = (archive.name.as_ref().to_owned(), archive.bus.as_ref().to_owned());
    let asking = RefCell::new(Asking::default());
    // What is no event belongs to no archive.
    let wants = move |record: &journal::Record| {
        record::split(&record.payload).is_ok_and(|(envelope, _)| {
            archive.wants(record.offset, &envelope, &mut asking.borrow_mut())
        })
    };
    KnownArchive { name, bus, wants: Box::new(wants) }
}
