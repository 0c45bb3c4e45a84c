//! The real disk.

use std::{
    fs,
    io::{self, ErrorKind},
    ops::Range,
    os::unix::fs::{DirBuilderExt, FileExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Disk, File, Lock, system};

pub(crate) struct PosixDisk {
    dir: PathBuf,
}

impl PosixDisk {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    fn names(&self, wanted: impl Fn(fs::FileType) -> bool) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            // A name that is not UTF-8 is none of ours.
            if wanted(entry.file_type()?)
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        Ok(names)
    }
}

impl Disk for PosixDisk {
    fn folder(&self, name: &str) -> Arc<dyn Disk> {
        Arc::new(Self::new(self.dir.join(name)))
    }

    fn make(&self) -> io::Result<()> {
        make(&self.dir)
    }

    fn unmake(&self) -> io::Result<()> {
        match fs::remove_dir(&self.dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    fn lock(&self) -> io::Result<Option<Lock>> {
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.path("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.names(|kind| !kind.is_dir())
    }

    fn folders(&self) -> io::Result<Vec<String>> {
        self.names(|kind| kind.is_dir())
    }

    fn create(&self, name: &str, size: u64) -> io::Result<Arc<dyn File>> {
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(self.path(name))?;
        system::allocate(&file, size)?;
        Ok(Arc::new(file))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(fs::OpenOptions::new().read(true).write(true).open(self.path(name))?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    fn sync_names(&self) -> io::Result<()> {
        fs::File::open(&self.dir)?.sync_all()
    }

    fn free_bytes(&self) -> io::Result<Option<u64>> {
        system::free_bytes(&self.dir)
    }

    fn random(&self, into: &mut [u8]) -> io::Result<()> {
        fs::File::open("/dev/urandom").and_then(|mut file| io::Read::read_exact(&mut file, into))
    }

    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.dir.clone() } else { self.dir.join(name) }
    }
}

impl File for fs::File {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        self.read_exact_at(buffer, position)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.write_all_at(bytes, position)
    }

    fn sync(&self) -> io::Result<()> {
        // Not `sync_all`: size and allocation are settled when the file is prepared, and times are
        // nobody's concern.
        self.sync_data()
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        Self::set_len(self, length)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn forget(&self, range: Range<u64>) {
        system::drop_cache(self, range);
    }
}

/// Makes a folder for data, and those above it, durably: a crash takes none of their names away
/// again. The folder itself is its owner's alone. Nothing happens when it is there.
pub fn make_folder(dir: &Path) -> io::Result<()> {
    make_as(dir, fs::DirBuilder::new().mode(0o700))
}

/// What the disk of a folder has left for this user; none when it cannot be told.
pub fn free_bytes(dir: &Path) -> Option<u64> {
    // The working folder has no name.
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    system::free_bytes(dir).ok().flatten()
}

fn make(dir: &Path) -> io::Result<()> {
    make_as(dir, &mut fs::DirBuilder::new())
}

fn make_as(dir: &Path, builder: &mut fs::DirBuilder) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        make(parent)?;
    }
    match builder.create(dir) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && dir.is_dir() => (),
        result => result?,
    }
    fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}
