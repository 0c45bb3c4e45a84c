//! The `store` file: who the journal is, and where its hot part begins.
//!
//! # Invariants
//!
//! - It is replaced whole: a crash leaves the one before or this one.

use std::{io, path::Path};

use crate::{
    disk::{Disk, PosixDisk},
    layout::{HEADER_LEN, STORE_NAME, Store, unfinished},
};

impl Store {
    /// Makes it durable, in the place of the one before.
    pub(crate) fn write(&self, disk: &dyn Disk) -> io::Result<()> {
        let aside = unfinished(STORE_NAME);
        let file = disk.create(&aside, HEADER_LEN as u64)?;
        file.write_at(&self.encode(), 0)?;
        file.sync()?;
        disk.rename(&aside, STORE_NAME)?;
        disk.sync_names()
    }
}

/// The random id of the journal in this folder, by which others can remember it. `None` when there
/// is none, or it cannot be read: opening the journal says why.
pub fn store_id(dir: &Path) -> Option<[u8; 16]> {
    let file = PosixDisk::new(dir.to_owned()).open(STORE_NAME).ok()?;
    let mut bytes = [0; HEADER_LEN];
    file.read_at(&mut bytes, 0).ok()?;
    Store::decode(&bytes).ok().map(|store| store.id)
}
