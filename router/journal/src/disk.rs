//! What the journal needs of a file system, so that tests can bring one that crashes.
//!
//! # Invariants
//!
//! - A write may be lost or torn at any 512-byte sector until a later `sync` of the file has
//!   succeeded; a name may be lost until a later `sync_names` has. The journal relies on nothing
//!   better.
//! - All methods may be called from any thread.

mod posix;
#[cfg(any(test, feature = "simulation"))]
pub(crate) mod simulated;
mod system;
#[cfg(test)]
mod tests;

use std::{any::Any, io, ops::Range, path::PathBuf, sync::Arc};

pub(crate) use posix::PosixDisk;
pub use posix::{free_bytes, make_folder};
pub(crate) use system::raise_priority;

/// Held as long as the folder is somebody's; dropping it frees the folder.
pub(crate) type Lock = Box<dyn Any + Send>;

/// One folder. A name may lead into a folder below it (`damaged/store`).
pub(crate) trait Disk: Send + Sync {
    /// A folder below this one, whether it is there or not.
    fn folder(&self, name: &str) -> Arc<dyn Disk>;

    /// Makes the folder, and those above it, durably; nothing happens when it is there.
    fn make(&self) -> io::Result<()>;

    /// Removes the folder, which must be empty; nothing happens when it is not there. Its name is
    /// gone for good when the folder above was synced.
    fn unmake(&self) -> io::Result<()>;

    /// Takes the folder, which is there, for this journal alone; `None` when somebody else
    /// has it.
    fn lock(&self) -> io::Result<Option<Lock>>;

    /// The names of the files in it.
    fn list(&self) -> io::Result<Vec<String>>;

    /// The names of the folders in it.
    fn folders(&self) -> io::Result<Vec<String>>;

    /// Makes a file of `size` bytes with room for them, or replaces one. Without enough room it
    /// fails early.
    fn create(&self, name: &str, size: u64) -> io::Result<Arc<dyn File>>;

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;

    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes created, renamed and removed names durable.
    fn sync_names(&self) -> io::Result<()>;

    /// What is left on the disk; `None` when it cannot be told.
    fn free_bytes(&self) -> io::Result<Option<u64>>;

    /// Random bytes, for identities.
    fn random(&self, into: &mut [u8]) -> io::Result<()>;

    /// What to call a file, or with an empty name the folder, in messages.
    fn path(&self, name: &str) -> PathBuf;
}

pub(crate) trait File: Send + Sync {
    /// Fills `buffer`; the file ending before that is an error.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()>;

    /// Writing at or beyond the file's end makes it longer; the new length is as durable as the
    /// bytes.
    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<()>;

    /// Cuts the file, or lets it grow by zeroes.
    fn set_len(&self, length: u64) -> io::Result<()>;

    /// Makes everything written so far durable.
    fn sync(&self) -> io::Result<()>;

    fn len(&self) -> io::Result<u64>;

    /// Asks that a synced range is read from the disk itself next time. It is a wish.
    fn forget(&self, range: Range<u64>);
}
