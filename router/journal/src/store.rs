//! The `store` file: who the journal is, and where its hot part begins.
//!
//! # Invariants
//!
//! - It is replaced whole: a crash leaves the one before or this one.

use std::io;

use crate::{
    disk::Disk,
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
