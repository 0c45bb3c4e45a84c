//! The machine: open files, the clock, watching of folders, the kernel, the environment.

use std::fs;
use std::path::Path;

use bus::Clock as _;
use notify::{RecursiveMode, Watcher as _};

use super::check::Check;
use super::process::Process;
use crate::clock::SystemClock;
use crate::config::Config;

/// Files beside sockets: segments, the database, plugins, folders that are watched.
const FILES: u64 = 128;
/// Before this time nobody can be: 2025-01-01.
const EARLIEST_MS: i64 = 1_735_689_600_000;
/// What the command line and the router read of it. A secret is named, and not shown.
const VARIABLES: [(&str, bool); 4] = [
    ("SLIPSWITCH_URL", true),
    ("SLIPSWITCH_TOKEN", false),
    ("SLIPSWITCH_UPLOAD_TOKEN", false),
    ("NO_COLOR", true),
];

pub(super) struct Machine {
    files: Option<Files>,
    now_ms: i64,
    is_synchronised: Option<bool>,
    /// Why the folder of rules cannot be watched.
    unwatched: Option<String>,
    watches_max: Option<u64>,
    instances_max: Option<u64>,
    kernel: Option<String>,
    processors: usize,
    set: Vec<String>,
}

struct Files {
    soft: u64,
    hard: u64,
    /// Of the router that runs, or of this command, which a router would inherit as well.
    of: Option<Process>,
}

/// With the process that has the data folder open: its limits are those that count.
pub(super) fn look(config: &Config, router: Option<Process>) -> Machine {
    let read = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let number = |path: &str| read(path)?.parse().ok();
    Machine {
        files: files(router),
        now_ms: SystemClock::start().now().as_millis(),
        is_synchronised: is_synchronised(),
        unwatched: watch(&config.rules_dir).err(),
        watches_max: number("/proc/sys/fs/inotify/max_user_watches"),
        instances_max: number("/proc/sys/fs/inotify/max_user_instances"),
        kernel: read("/proc/sys/kernel/osrelease"),
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        set: VARIABLES.into_iter().filter_map(variable).collect(),
    }
}

fn variable((name, is_shown): (&str, bool)) -> Option<String> {
    let value = std::env::var_os(name)?;
    let value = value.to_string_lossy();
    Some(if is_shown { format!("{name}={value}") } else { format!("{name} (not shown)") })
}

fn files(router: Option<Process>) -> Option<Files> {
    let of = |path: String| limits(&fs::read_to_string(path).ok()?);
    if let Some((process, (soft, hard))) =
        router.and_then(|one| of(format!("/proc/{}/limits", one.pid)).map(|found| (one, found)))
    {
        return Some(Files { soft, hard, of: Some(process) });
    }
    let (soft, hard) = of("/proc/self/limits".to_owned())?;
    Some(Files { soft, hard, of: None })
}

/// `Max open files            1024                 524288               files`
fn limits(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let mut numbers = line.split_whitespace().map(|word| match word {
        "unlimited" => Some(u64::MAX),
        word => word.parse().ok(),
    });
    Some((numbers.next()??, numbers.next()??))
}

/// As a router does it. A folder that is missing is another check's.
fn watch(dir: &Path) -> Result<(), String> {
    if !dir.is_dir() {
        return Ok(());
    }
    let watcher = notify::recommended_watcher(|_event: notify::Result<notify::Event>| ());
    let watched = watcher.and_then(|mut watcher| watcher.watch(dir, RecursiveMode::Recursive));
    watched.map_err(|error| error.to_string())
}

/// Whether something keeps the clock right, as the kernel sees it.
#[cfg(target_os = "linux")]
fn is_synchronised() -> Option<bool> {
    #[expect(
        unsafe_code,
        reason = "a timex of zeros asks, and sets nothing; all of its fields are numbers"
    )]
    let state = unsafe {
        let mut asked: libc::timex = std::mem::zeroed();
        libc::adjtimex(&raw mut asked)
    };
    match state {
        libc::TIME_ERROR => Some(false),
        0.. => Some(true),
        _ => None,
    }
}

#[cfg(not(target_os = "linux"))]
fn is_synchronised() -> Option<bool> {
    None
}

pub(super) fn judge(machine: &Machine, config: &Config) -> Vec<Check> {
    let wanted = u64::try_from(config.http.connections + config.delivery.in_flight_max);
    let wanted = wanted.unwrap_or(u64::MAX).saturating_add(FILES);
    let mut checks: Vec<Check> =
        machine.files.iter().map(|files| open_files(files, wanted)).collect();
    checks.push(clock(machine.now_ms, machine.is_synchronised));
    checks.push(watching(machine, config));
    let kernel = machine.kernel.as_deref().unwrap_or("unknown");
    let processors = machine.processors;
    checks.push(Check::ok("machine", format!("kernel {kernel}, {processors} processors")));
    checks.push(match machine.set.as_slice() {
        [] => Check::ok("environment", "nothing is set that a router or this command reads"),
        set => Check::ok("environment", set.join(", ")),
    });
    checks
}

fn open_files(files: &Files, wanted: u64) -> Check {
    let about = "open files";
    let Files { soft, hard, of } = files;
    let whose = of.as_ref().map_or_else(|| "here".to_owned(), |process| format!("for {process}"));
    let why = "for http.connections, delivery.in_flight_max and files";
    if wanted <= *soft {
        return Check::ok(about, format!("{} may be open {whose}", shown(*soft)));
    }
    let shell =
        if wanted <= *hard { format!("in a shell: `ulimit -n {wanted}`; ") } else { String::new() };
    Check::warning(
        about,
        format!("{} may be open {whose}, and a router may want {wanted}, {why}", shown(*soft)),
        format!("{shell}in a unit of systemd: `LimitNOFILE={wanted}`; or lower those two keys"),
    )
}

fn shown(limit: u64) -> String {
    if limit == u64::MAX { "any number".to_owned() } else { limit.to_string() }
}

fn clock(now_ms: i64, is_synchronised: Option<bool>) -> Check {
    let about = "clock";
    let now = event::Timestamp::from_millis(now_ms);
    if now_ms < EARLIEST_MS {
        let found = format!("it says {now}: events get that time, and retention goes by it");
        return Check::problem(about, found, "set it: `timedatectl set-ntp true`");
    }
    match is_synchronised {
        Some(true) => Check::ok(about, format!("{now}, and is kept right")),
        None => Check::ok(about, format!("{now}; who keeps it right cannot be told here")),
        Some(false) => Check::warning(
            about,
            format!("{now}, and nothing keeps it right, as far as the kernel knows"),
            "`timedatectl set-ntp true`; in a container or a virtual machine, look at the host",
        ),
    }
}

fn watching(machine: &Machine, config: &Config) -> Check {
    let about = "watching";
    let most =
        |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let (watches, instances) = (most(machine.watches_max), most(machine.instances_max));
    match &machine.unwatched {
        None => Check::ok(
            about,
            format!(
                "changes of rules are told at once ({watches} watches, {instances} watchers a user)"
            ),
        ),
        Some(error) => Check::warning(
            about,
            format!(
                "changes of rules are not told, and only seen every {} ms: {error}",
                config.reload.poll.as_millis()
            ),
            "`sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288`",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::State;
    use super::*;

    #[test]
    fn limits_are_read_as_the_kernel_writes_them() {
        let text = "Limit                     Soft Limit           Hard Limit           Units\nMax open files            1024                 unlimited            files\n";
        assert_eq!(limits(text), Some((1024, u64::MAX)));
        assert_eq!(limits("Max open files x y"), None);
        assert_eq!(limits(""), None);
    }

    #[test]
    fn too_few_open_files_are_warned_of_with_the_number_to_set() {
        let files = |soft, hard| Files { soft, hard, of: None };
        assert_eq!(open_files(&files(8320, 8320), 8320).state, State::Ok);
        let check = open_files(&files(1024, 1 << 19), 8320);
        assert_eq!(check.state, State::Warning);
        let mend = check.mend.unwrap();
        assert!(mend.contains("ulimit -n 8320") && mend.contains("LimitNOFILE=8320"), "{mend}");
        let mend = open_files(&files(1024, 4096), 8320).mend.unwrap();
        assert!(!mend.contains("ulimit"), "{mend}");
    }

    #[test]
    fn a_clock_is_right_unknown_adrift_or_absurd() {
        let now = 1_795_000_000_000;
        for (now, is_synchronised, state) in [
            (now, Some(true), State::Ok),
            (now, None, State::Ok),
            (now, Some(false), State::Warning),
            (0, Some(true), State::Problem),
        ] {
            assert_eq!(clock(now, is_synchronised).state, state);
        }
    }

    #[test]
    fn folders_that_cannot_be_watched_are_polled_and_that_is_told() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(watch(dir.path()), Ok(()));
        let mut machine = look(&Config { rules_dir: dir.path().into(), ..Config::default() }, None);
        assert_eq!(watching(&machine, &Config::default()).state, State::Ok);
        machine.unwatched = Some("too many".to_owned());
        let check = watching(&machine, &Config::default());
        assert_eq!(check.state, State::Warning);
        assert!(check.found.contains("every 2000 ms: too many"), "{check:?}");
    }
}
