//! Who has a port or a lock, as Linux tells it below `/proc`.
//!
//! Reading `/proc/locks` disturbs nobody: to try the lock would make a router fail that starts at this moment.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// In `/proc/net/tcp`: a socket that listens.
const LISTENS: &str = "0A";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) name: String,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid)
    }
}

impl Process {
    fn read(pid: u32) -> Option<Self> {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        Some(Self { pid, name: name.trim().to_owned() })
    }

    pub(super) fn is_ours(&self) -> bool {
        self.name == "slipswitch"
    }

    /// Who listens on a port, where we may know it: of our own user's processes, or as root.
    pub(super) fn on_port(port: u16) -> Option<Self> {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
        let tables = tables.map(|path| fs::read_to_string(path).unwrap_or_default());
        let wanted: Vec<String> = tables
            .iter()
            .flat_map(|table| listeners(table, port))
            .map(|inode| format!("socket:[{inode}]"))
            .collect();
        let has_one = |pid: &u32| {
            let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            files
                .filter_map(|file| fs::read_link(file.path()).ok())
                .any(|link| wanted.iter().any(|socket| link.as_os_str() == socket.as_str()))
        };
        pids().find(has_one).and_then(Self::read)
    }

    /// Who holds a lock on a file.
    pub(super) fn with_lock(path: &Path) -> Option<Self> {
        let inode = fs::metadata(path).ok()?.ino();
        let locks = fs::read_to_string("/proc/locks").ok()?;
        // Disks count their inodes each by itself: the file must be open there, too.
        let has_file = |pid: &u32| {
            let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            files.filter_map(|file| fs::metadata(file.path()).ok()).any(|meta| meta.ino() == inode)
        };
        let mut holders = holders(&locks, inode).into_iter();
        holders.find(has_file).and_then(Self::read)
    }
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The sockets of a table like `/proc/net/tcp` that listen on a port.
fn listeners(table: &str, port: u16) -> Vec<u64> {
    let of_port = |line: &str| -> Option<u64> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (_host, hex) = words.get(1)?.rsplit_once(':')?;
        let is_it = *words.get(3)? == LISTENS && u16::from_str_radix(hex, 16) == Ok(port);
        if is_it { words.get(9)?.parse().ok() } else { None }
    };
    table.lines().filter_map(of_port).collect()
}

/// The processes that `/proc/locks` says hold a whole-file lock on this inode, of whatever disk.
fn holders(locks: &str, inode: u64) -> Vec<u32> {
    let of_inode = |line: &str| -> Option<u32> {
        let words: Vec<&str> = line.split_whitespace().collect();
        // Who only waits for it has an arrow there.
        if *words.get(1)? != "FLOCK" {
            return None;
        }
        let (_disk, number) = words.get(5)?.rsplit_once(':')?;
        if number.parse() == Ok(inode) { words.get(4)?.parse().ok() } else { None }
    };
    locks.lines().filter_map(of_inode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_socket_that_listens_on_the_port_counts() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:11EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 777 1 0 100 0 0 10 0\n   1: 0100007F:11EB 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 778 1 0 100 0 0 10 0\n   2: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 779 1 0 100 0 0 10 0\nnoise\n";
        assert_eq!(listeners(table, 4587), [777]);
        assert_eq!(listeners(table, 80), [779]);
        assert!(listeners(table, 81).is_empty() && listeners("", 80).is_empty());
    }

    #[test]
    fn who_waits_for_a_lock_does_not_hold_it() {
        let locks = "1: FLOCK  ADVISORY  WRITE 4242 fe:01:9876 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 4243 fe:01:9876 0 EOF\n2: POSIX  ADVISORY  READ 5 fe:01:9876 0 EOF\n3: FLOCK ADVISORY WRITE 6 fe:01:98 0 EOF\n";
        assert_eq!(holders(locks, 9876), [4242]);
        assert!(holders(locks, 1).is_empty() && holders("", 9876).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_found_by_its_port_and_by_its_lock() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = Process::on_port(socket.local_addr().unwrap().port()).unwrap();
        assert_eq!(found.pid, std::process::id());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let file = fs::File::create(&path).unwrap();
        assert_eq!(Process::with_lock(&path), None);
        file.lock().unwrap();
        assert_eq!(Process::with_lock(&path).unwrap().pid, std::process::id());
    }
}
