//! The four things that the standard library cannot ask of the system.

use std::{ffi::CString, fs, io, ops::Range, os::fd::AsRawFd, os::unix::ffi::OsStrExt, path::Path};

/// How much the commit thread is preferred. It sleeps most of the time, and everybody waits for it.
const NICENESS: libc::c_int = -10;

/// Prefers the calling thread where that is permitted. Elsewhere nothing happens: the journal is
/// only slower, on a busy machine, to notice that a sync is done.
pub(crate) fn raise_priority() {
    #[cfg(target_os = "linux")]
    {
        #[expect(
            unsafe_code,
            reason = "setpriority has no safe form; it takes three integers and touches no memory"
        )]
        // SAFETY: no pointers. On Linux, process 0 is the calling thread.
        let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS) };
        tracing::debug!(raised = result == 0, "commit thread priority");
    }
}

/// Reserves room for the file's first `size` bytes, so that a full disk shows now.
pub(super) fn allocate(file: &fs::File, size: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let size =
            i64::try_from(size).map_err(|_error| io::Error::from(io::ErrorKind::FileTooLarge))?;
        #[expect(
            unsafe_code,
            reason = "posix_fallocate has no safe form; it takes a descriptor and two integers"
        )]
        // SAFETY: no pointers; the descriptor is open as long as `file` is borrowed.
        let code = unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, size) };
        match code {
            0 => return Ok(()),
            // A file system that cannot reserve: writing zeroes will show what a reservation would
            // have.
            libc::EOPNOTSUPP | libc::EINVAL | libc::ENOSYS => (),
            code => return Err(io::Error::from_raw_os_error(code)),
        }
    }
    file.set_len(size)
}

/// What the file system of `dir` has left for this user.
pub(super) fn free_bytes(dir: &Path) -> io::Result<Option<u64>> {
    #[cfg(target_os = "linux")]
    {
        let dir = CString::new(dir.as_os_str().as_bytes())?;
        let mut stat = std::mem::MaybeUninit::<libc::statvfs>::uninit();
        #[expect(unsafe_code, reason = "statvfs has no safe form")]
        // SAFETY: `dir` ends with a zero byte, `stat` is writable and of the right size.
        let result = unsafe { libc::statvfs(dir.as_ptr(), stat.as_mut_ptr()) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        #[expect(unsafe_code, reason = "statvfs fills what it is given")]
        // SAFETY: the call has succeeded.
        let stat = unsafe { stat.assume_init() };
        Ok(Some(stat.f_bavail.saturating_mul(stat.f_frsize)))
    }
    #[cfg(not(target_os = "linux"))]
    Ok(None)
}

/// Wishes that a synced range is read from the disk next time.
pub(super) fn drop_cache(file: &fs::File, range: Range<u64>) {
    #[cfg(target_os = "linux")]
    {
        let (Ok(start), Ok(length)) =
            (i64::try_from(range.start), i64::try_from(range.end - range.start))
        else {
            return;
        };
        #[expect(
            unsafe_code,
            reason = "posix_fadvise has no safe form; it takes a descriptor and integers"
        )]
        // SAFETY: no pointers; the descriptor is open as long as `file` is borrowed.
        let code = unsafe {
            libc::posix_fadvise(file.as_raw_fd(), start, length, libc::POSIX_FADV_DONTNEED)
        };
        // A wish: without it, recovery trusts the cache, as every other program does.
        tracing::debug!(code, "journal tail read from disk");
    }
}
