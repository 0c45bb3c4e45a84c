//! What the journal needs of a file system, so that tests can bring one that crashes.
//!
//! # Invariants
//!
//! - A write may be lost or torn at any 512-byte sector until a later `sync` of the file has
//!   succeeded; a name may be lost until a later `sync_names` has. The journal relies on nothing
//!   better.
//! - All methods may be called from any thread.

mod posix;
#[cfg(test)]
pub(crate) mod simulated;
mod system;

use std::{any::Any, io, ops::Range, path::PathBuf, sync::Arc};

pub(crate) use posix::PosixDisk;
pub(crate) use system::raise_priority;

/// Held as long as the folder is somebody's; dropping it frees the folder.
pub(crate) type Lock = Box<dyn Any + Send>;

/// One folder.
pub(crate) trait Disk: Send + Sync {
    /// Makes the folder if need be and takes it for this journal alone; `None` when somebody else
    /// has it.
    fn lock(&self) -> io::Result<Option<Lock>>;

    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes an empty file with room for `size` bytes, or replaces one. Without enough room it
    /// fails early.
    fn create(&self, name: &str, size: u64) -> io::Result<Arc<dyn File>>;

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;

    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes created, renamed and removed names durable.
    fn sync_names(&self) -> io::Result<()>;

    /// What is left on the disk; `None` when it cannot be told.
    fn free_bytes(&self) -> io::Result<Option<u64>>;

    /// What to call a file, or with an empty name the folder, in messages.
    fn path(&self, name: &str) -> PathBuf;
}

pub(crate) trait File: Send + Sync {
    /// Fills `buffer`; the file ending before that is an error.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()>;

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<()>;

    /// Makes everything written so far durable.
    fn sync(&self) -> io::Result<()>;

    fn len(&self) -> io::Result<u64>;

    /// Asks that a synced range is read from the disk itself next time. It is a wish.
    fn forget(&self, range: Range<u64>);
}
