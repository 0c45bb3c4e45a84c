//! The disk below the data folder: what kind it is, what is free on it, and how long a sync takes.

use std::fs;
use std::io::{self, Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use bus::Clock as _;

use super::check::Check;
use crate::clock::SystemClock;
use crate::config::Journal;

/// Syncs that are measured; the one in the middle counts.
const SYNCS: usize = 9;
/// A group of events as it is in the journal when there is little to do.
const SYNC_BYTES: usize = 4096;
/// A sync that takes longer is felt by every sender.
const SYNC_MAX: Duration = Duration::from_millis(20);
/// Segments that should fit above the reserve: one to write, one to come, and what is sealed meanwhile.
const SEGMENTS: u64 = 3;
const INODES_MIN: u64 = 1_000;

/// What is said of a file system that keeps less than it seems to.
const KINDS: [(&str, &str); 13] = [
    ("tmpfs", MEMORY),
    ("ramfs", MEMORY),
    ("overlay", LAYER),
    ("aufs", LAYER),
    ("nfs", NETWORK),
    ("nfs4", NETWORK),
    ("cifs", NETWORK),
    ("smb3", NETWORK),
    ("9p", NETWORK),
    ("ceph", NETWORK),
    ("glusterfs", NETWORK),
    ("fuse.sshfs", NETWORK),
    ("fuse.glusterfs", NETWORK),
];
const MEMORY: &str = "memory: events that were acknowledged are gone when the machine restarts";
const LAYER: &str = "a container's own layer: events go with the container";
const NETWORK: &str = "a disk elsewhere: what a sync and a lock are worth, its server decides";

pub(super) struct Disk {
    kind: Option<String>,
    free_bytes: Option<u64>,
    /// Free ones; none where the file system does not count them.
    inodes: Option<u64>,
    sync: Result<Duration, String>,
}

pub(super) fn look(dir: &Path) -> Disk {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let whole = fs::canonicalize(dir).unwrap_or_else(|_unreadable| dir.to_owned());
    Disk {
        kind: kind(&mounts, &whole),
        free_bytes: bus::journal::free_bytes(dir),
        inodes: inodes(dir),
        sync: sync_time(dir).map_err(|error| error.to_string()),
    }
}

#[cfg(target_os = "linux")]
fn inodes(dir: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(dir).ok()?;
    (0 < found.f_files).then_some(found.f_favail)
}

#[cfg(not(target_os = "linux"))]
fn inodes(_dir: &Path) -> Option<u64> {
    None
}

/// The middle one of some, each a write of a page and a sync of it, as the journal does.
fn sync_time(dir: &Path) -> io::Result<Duration> {
    let mut file = tempfile::tempfile_in(dir)?;
    let clock = SystemClock::start();
    let mut times = Vec::with_capacity(SYNCS);
    for round in 0..=SYNCS {
        let begun = clock.monotonic();
        file.rewind()?;
        file.write_all(&[u8::try_from(round).unwrap_or_default(); SYNC_BYTES])?;
        file.sync_data()?;
        // The first one allocates, which the journal does beforehand.
        if 0 < round {
            times.push(clock.monotonic().saturating_sub(begun));
        }
    }
    times.sort_unstable();
    Ok(times.get(SYNCS / 2).copied().unwrap_or_default())
}

/// The type of the file system that is mounted nearest above a path, as `/proc/self/mountinfo` has it.
fn kind(mounts: &str, path: &Path) -> Option<String> {
    let mount = |line: &str| -> Option<(usize, String)> {
        let (left, right) = line.split_once(" - ")?;
        let at = left.split(' ').nth(4)?.replace("\\040", " ");
        let kind = right.split(' ').next()?;
        path.starts_with(&at).then(|| (at.len(), kind.to_owned()))
    };
    // Of two at the same place the later one hides the other.
    mounts.lines().filter_map(mount).max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

pub(super) fn judge(disk: &Disk, journal: &Journal) -> Vec<Check> {
    let kind = disk.kind.as_deref().map(judge_kind);
    let room = disk.free_bytes.map(|free| room(free, journal));
    let inodes = disk.inodes.map(judge_inodes);
    let sync = disk.sync.as_ref().ok().map(|time| sync(*time));
    [kind, room, inodes, sync].into_iter().flatten().collect()
}

fn judge_kind(kind: &str) -> Check {
    let about = "file system";
    match KINDS.iter().find(|(name, _)| *name == kind) {
        None => Check::ok(about, kind),
        Some((_, what)) => Check::warning(
            about,
            format!("{kind} is {what}"),
            "put the data folder on a disk of this machine (in a container: on a volume), with --data or `data_dir`",
        ),
    }
}

fn room(free: u64, journal: &Journal) -> Check {
    let about = "disk space";
    let least = journal.free_bytes_min.saturating_add(journal.segment_bytes);
    let wanted = journal.free_bytes_min.saturating_add(SEGMENTS * journal.segment_bytes);
    let mend = "make room on that disk, or keep less (`retention` of the largest bus)";
    let (shown, reserve) = (mib(free), mib(journal.free_bytes_min));
    if free < least {
        let found = format!(
            "{shown} are free: the next segment ({}) does not fit above the reserve of {reserve}, and events are refused",
            mib(journal.segment_bytes)
        );
        Check::problem(about, found, mend)
    } else if free < wanted {
        let found = format!(
            "{shown} are free, which is less than {SEGMENTS} segments and the reserve of {reserve}"
        );
        Check::warning(about, found, mend)
    } else {
        Check::ok(about, format!("{shown} are free, {reserve} of them stay so"))
    }
}

fn judge_inodes(free: u64) -> Check {
    let (about, mend) =
        ("inodes", "remove files on that disk, or make a file system with more inodes");
    match free {
        0 => Check::problem(about, "none is free: no file can be made", mend),
        1..INODES_MIN => Check::warning(about, format!("only {free} are free"), mend),
        free => Check::ok(about, format!("{free} are free")),
    }
}

fn sync(time: Duration) -> Check {
    let about = "sync";
    let millis = time.as_secs_f64() * 1000.0;
    if time <= SYNC_MAX {
        return Check::ok(about, format!("a write and its sync take {millis:.1} ms"));
    }
    Check::warning(
        about,
        format!("a write and its sync take {millis:.0} ms, and no event is acknowledged sooner"),
        "use a faster disk; senders that wait for nothing but the ids do well with larger batches",
    )
}

fn mib(bytes: u64) -> String {
    match bytes >> 20 {
        0 => format!("{} KiB", bytes >> 10),
        whole @ 1..10_240 => format!("{whole} MiB"),
        whole => format!("{} GiB", whole >> 10),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::State::{Ok as Fine, Problem, Warning};
    use super::*;

    #[test]
    fn a_file_system_is_that_of_the_nearest_mount() {
        let mounts = "1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                      2 1 0:20 / /tmp rw - tmpfs tmpfs rw\n\
                      3 1 0:21 / /srv/a\\040b rw master:2 - nfs4 server:/x rw\nnoise\n";
        for (path, expected) in [
            ("/var/lib", "ext4"),
            ("/tmp/x", "tmpfs"),
            ("/tmpest", "ext4"),
            ("/srv/a b/data", "nfs4"),
        ] {
            assert_eq!(kind(mounts, Path::new(path)).as_deref(), Some(expected), "{path}");
        }
        assert_eq!(kind("", Path::new("/")), None);
    }

    #[test]
    fn kinds_that_keep_less_are_warned_of() {
        for (kind, state) in [
            ("ext4", Fine),
            ("xfs", Fine),
            ("tmpfs", Warning),
            ("overlay", Warning),
            ("nfs4", Warning),
        ] {
            assert_eq!(judge_kind(kind).state, state, "{kind}");
        }
    }

    #[test]
    fn room_is_judged_by_the_segments_that_fit_above_the_reserve() {
        let journal = Journal {
            segment_bytes: 64 << 20,
            free_bytes_min: 100 << 20,
            ..crate::config::Config::default().journal
        };
        for (free, state) in [
            (0, Problem),
            ((164 << 20) - 1, Problem),
            (164 << 20, Warning),
            ((292 << 20) - 1, Warning),
            (292 << 20, Fine),
        ] {
            assert_eq!(room(free, &journal).state, state, "{free}");
        }
        assert!(room(20 << 30, &journal).found.starts_with("20 GiB are free"));
    }

    #[test]
    fn few_inodes_and_a_slow_sync_are_told() {
        for (free, state) in [(0, Problem), (999, Warning), (1_000, Fine)] {
            assert_eq!(judge_inodes(free).state, state, "{free}");
        }
        for (millis, state) in [(1, Fine), (20, Fine), (21, Warning)] {
            assert_eq!(sync(Duration::from_millis(millis)).state, state, "{millis}");
        }
    }

    #[test]
    fn a_sync_is_measured_on_a_real_disk() {
        let dir = tempfile::tempdir().unwrap();
        let disk = look(dir.path());
        assert!(disk.sync.is_ok(), "{:?}", disk.sync);
        assert!(disk.free_bytes.is_some());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
