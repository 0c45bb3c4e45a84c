//! Memory: what the configuration may need, against what this process may have.

use std::fs;
use std::path::Path;
use std::thread;

use super::check::Check;
use crate::config::Config;

/// The router itself, with its rules and its database.
const BASE_BYTES: u64 = 128 << 20;
/// What one idempotency key takes.
const KEY_BYTES: u64 = 130;

pub(super) struct Memory {
    /// The least limit of the control groups that this process is in.
    limit: Option<u64>,
    /// What the machine has.
    total: Option<u64>,
}

pub(super) fn look() -> Memory {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits =
        limit_files(&groups).into_iter().filter_map(|path| limit(&fs::read_to_string(path).ok()?));
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    Memory { limit: limits.min(), total: total(&info) }
}

/// What is used when everything that has a limit is at it, about.
pub(super) fn needed(config: &Config) -> u64 {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let plugins = number(config.plugin.memory_bytes).saturating_mul(number(threads));
    let keys = number(config.deduplication.keys_max).saturating_mul(KEY_BYTES);
    let bodies = number(config.limits.bodies_bytes);
    [bodies, plugins, keys].into_iter().fold(BASE_BYTES, u64::saturating_add)
}

/// Where a limit may stand: in a process's group and in each above it.
fn limit_files(groups: &str) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { continue };
        let (root, name) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            "memory" => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => continue,
        };
        for above in Path::new(group.trim_start_matches('/')).ancestors() {
            files.push(Path::new(root).join(above).join(name));
        }
    }
    files
}

/// None when there is none: `max`, or a number that no machine has.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|bytes| *bytes < 1 << 50)
}

/// The line `MemTotal:  16384256 kB`.
fn total(info: &str) -> Option<u64> {
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

pub(super) fn judge(memory: Memory, needed: u64) -> Check {
    let about = "memory";
    let (room, whose) = match memory {
        Memory { limit: Some(limit), total } if total.is_none_or(|total| limit < total) => {
            (limit, "this control group may have")
        }
        Memory { total: Some(total), .. } => (total, "this machine has"),
        Memory { limit: Some(limit), .. } => (limit, "this control group may have"),
        Memory { limit: None, total: None } => {
            return Check::ok(about, "what there is cannot be told here");
        }
    };
    let (room_mib, needed_mib) = (room >> 20, needed >> 20);
    if needed <= room {
        let found = format!(
            "{whose} {room_mib} MiB; at all of its limits, a router uses about {needed_mib} MiB"
        );
        return Check::ok(about, found);
    }
    Check::warning(
        about,
        format!(
            "{whose} {room_mib} MiB; at all of its limits, a router would use about {needed_mib} MiB"
        ),
        "raise the limit (systemd: MemoryMax), or lower limits.bodies_bytes, plugin.memory_bytes or deduplication.keys_max",
    )
}

#[cfg(test)]
mod tests {
    use super::super::check::State;
    use super::*;

    #[test]
    fn limits_stand_in_the_group_and_above_it() {
        let shown = |groups| -> Vec<String> {
            limit_files(groups).iter().map(|path| path.display().to_string()).collect()
        };
        assert_eq!(
            shown("0::/system.slice/a.service\n"),
            [
                "/sys/fs/cgroup/system.slice/a.service/memory.max",
                "/sys/fs/cgroup/system.slice/memory.max",
                "/sys/fs/cgroup/memory.max",
            ]
        );
        assert_eq!(
            shown("5:cpu:/x\n4:memory:/\n"),
            ["/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        );
        assert_eq!(limit("max\n"), None);
        assert_eq!(limit("9223372036854771712\n"), None);
        assert_eq!(limit("1048576\n"), Some(1 << 20));
        assert_eq!(total("MemFree: 1 kB\nMemTotal:       2048 kB\n"), Some(2 << 20));
    }

    #[test]
    fn the_narrower_of_group_and_machine_counts() {
        let needed = 100 << 20;
        for (limit, total, state, says) in [
            (None, Some(200 << 20), State::Ok, "this machine has 200 MiB"),
            (Some(50 << 20), Some(200 << 20), State::Warning, "control group may have 50 MiB"),
            (Some(500 << 20), Some(80 << 20), State::Warning, "this machine has 80 MiB"),
            (Some(100 << 20), None, State::Ok, "control group"),
            (None, None, State::Ok, "cannot be told"),
        ] {
            let check = judge(Memory { limit, total }, needed);
            assert_eq!(check.state, state, "{check:?}");
            assert!(check.found.contains(says), "{check:?}");
        }
    }
}
