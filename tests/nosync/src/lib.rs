//! A disk that forgets, for a process that is killed: preloaded (`LD_PRELOAD`), it keeps what is written to
//! the journal's hot segments in memory until it is synced.
//!
//! `kill -9` alone shows nothing about syncs, because what was written survives in the system's page cache.
//! With this library it does not: a write to a `.hot` file below `NOSYNC_FOLDER` goes into a list, reads
//! see it, and only a sync carries it into the file. When the process dies, what was not synced is gone, as it
//! is when the power goes.
//!
//! With `NOSYNC_DROP` set, `fsync`, `fdatasync`, `sync_file_range` and `msync` do nothing and say that they
//! did. A test of durability that still passes then proves nothing.
//!
//! # Not here
//!
//! - Names: making, renaming and removing files takes effect at once.
//! - Files elsewhere: the state database is SQLite's, and has tests of its own.
//! - `write` without a position, and maps: the journal uses neither.
#![expect(
    unsafe_code,
    reason = "these are the C library's functions, with the C library's signatures"
)]

use std::collections::BTreeMap;
use std::ffi::{OsStr, c_int, c_long, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Writes that no sync has carried over yet, in their order.
type Pending = Vec<(u64, Vec<u8>)>;

/// By the file's device and number.
static WRITTEN: Mutex<BTreeMap<(u64, u64), Pending>> = Mutex::new(BTreeMap::new());

fn written() -> MutexGuard<'static, BTreeMap<(u64, u64), Pending>> {
    WRITTEN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn folder() -> Option<&'static PathBuf> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOLDER.get_or_init(|| std::env::var_os("NOSYNC_FOLDER").map(PathBuf::from)).as_ref()
}

fn drops_syncs() -> bool {
    static DROPS: OnceLock<bool> = OnceLock::new();
    *DROPS.get_or_init(|| std::env::var_os("NOSYNC_DROP").is_some())
}

/// The file behind a descriptor, when it is one of the journal's.
fn file(fd: c_int) -> Option<(u64, u64)> {
    let folder = folder()?;
    let mut path = [0_u8; 4096];
    let link = format!("/proc/self/fd/{fd}\0");
    // SAFETY: the link ends with a zero byte; the buffer is as long as it is said to be.
    let length =
        unsafe { libc::readlink(link.as_ptr().cast(), path.as_mut_ptr().cast(), path.len()) };
    let path = path.get(..usize::try_from(length).ok()?)?;
    let path = PathBuf::from(OsStr::from_bytes(path));
    if !path.starts_with(folder) || path.extension().is_none_or(|kind| kind != "hot") {
        return None;
    }
    let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `stat` has room for what is written to it, and is read only when it was.
    let stat = unsafe {
        if libc::fstat(fd, stat.as_mut_ptr()) != 0 {
            return None;
        }
        stat.assume_init()
    };
    Some((stat.st_dev, stat.st_ino))
}

/// The system's own way, past this library.
fn system_write(fd: c_int, bytes: &[u8], position: u64) -> isize {
    // SAFETY: the call reads `bytes` and nothing else.
    let done =
        unsafe { libc::syscall(libc::SYS_pwrite64, fd, bytes.as_ptr(), bytes.len(), position) };
    to_isize(done)
}

fn to_isize(result: c_long) -> isize {
    isize::try_from(result).unwrap_or(-1)
}

/// # Safety
///
/// As `pwrite(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(
    fd: c_int,
    buffer: *const c_void,
    count: usize,
    position: i64,
) -> isize {
    // SAFETY: the caller says that there are `count` bytes.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), count) };
    let position = u64::try_from(position).unwrap_or(u64::MAX);
    match file(fd) {
        None => system_write(fd, bytes, position),
        Some(file) => {
            written().entry(file).or_default().push((position, bytes.to_vec()));
            isize::try_from(count).unwrap_or(isize::MAX)
        }
    }
}

/// # Safety
///
/// As `pwrite(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite(
    fd: c_int,
    buffer: *const c_void,
    count: usize,
    position: i64,
) -> isize {
    // SAFETY: the same function; offsets have 64 bits.
    unsafe { pwrite64(fd, buffer, count, position) }
}

/// # Safety
///
/// As `pread(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pread64(
    fd: c_int,
    buffer: *mut c_void,
    count: usize,
    position: i64,
) -> isize {
    // Held while reading: no sync is between the file and the list.
    let all = written();
    // SAFETY: as the caller promises.
    let read = to_isize(unsafe { libc::syscall(libc::SYS_pread64, fd, buffer, count, position) });
    let Some(pending) = file(fd).and_then(|file| all.get(&file)) else { return read };
    let Ok(length) = usize::try_from(read) else { return read };
    // SAFETY: so many bytes were just written there.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
    let position = u64::try_from(position).unwrap_or(u64::MAX);
    for (start, new) in pending {
        lay_over(bytes, position, new, *start);
    }
    read
}

/// # Safety
///
/// As `pread(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pread(
    fd: c_int,
    buffer: *mut c_void,
    count: usize,
    position: i64,
) -> isize {
    // SAFETY: the same function; offsets have 64 bits.
    unsafe { pread64(fd, buffer, count, position) }
}

/// Copies the part of `new` that belongs into `old`; each begins at its position of the file.
fn lay_over(old: &mut [u8], old_start: u64, new: &[u8], new_start: u64) {
    let end = |start: u64, bytes: &[u8]| start + bytes.len() as u64;
    let from = old_start.max(new_start);
    let to = end(old_start, old).min(end(new_start, new));
    let span =
        |start: u64| Some(usize::try_from(from - start).ok()?..usize::try_from(to - start).ok()?);
    if from < to
        && let (Some(into), Some(out)) = (span(old_start), span(new_start))
    {
        old[into].copy_from_slice(&new[out]);
    }
}

fn sync(fd: c_int, number: c_long) -> c_int {
    if let Some(file) = file(fd) {
        if drops_syncs() {
            return 0;
        }
        let mut all = written();
        for (position, bytes) in all.remove(&file).unwrap_or_default() {
            let done = system_write(fd, &bytes, position);
            if usize::try_from(done).ok() != Some(bytes.len()) {
                return -1;
            }
        }
    } else if drops_syncs() {
        return 0;
    }
    // SAFETY: no pointers.
    c_int::try_from(unsafe { libc::syscall(number, fd) }).unwrap_or(-1)
}

#[unsafe(no_mangle)]
pub extern "C" fn fsync(fd: c_int) -> c_int {
    sync(fd, libc::SYS_fsync)
}

#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(fd: c_int) -> c_int {
    sync(fd, libc::SYS_fdatasync)
}

#[unsafe(no_mangle)]
pub extern "C" fn sync_file_range(fd: c_int, from: i64, count: i64, flags: u32) -> c_int {
    if drops_syncs() {
        return 0;
    }
    // SAFETY: no pointers.
    let done = unsafe { libc::syscall(libc::SYS_sync_file_range, fd, from, count, flags) };
    c_int::try_from(done).unwrap_or(-1)
}

/// # Safety
///
/// As `msync(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msync(address: *mut c_void, length: usize, flags: c_int) -> c_int {
    if drops_syncs() {
        return 0;
    }
    // SAFETY: as the caller promises.
    let done = unsafe { libc::syscall(libc::SYS_msync, address, length, flags) };
    c_int::try_from(done).unwrap_or(-1)
}
