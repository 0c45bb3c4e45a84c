//! The data folder: that it can be written, whose it is, who may read it, and who has it open.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::check::Check;
use super::process::Process;

/// The most files of the plugin cache that are counted.
const CACHE_FILES_MAX: usize = 10_000;
const OTHERS: u32 = 0o007;
const GROUP: u32 = 0o070;

pub(super) struct Data {
    dir: PathBuf,
    /// The folder itself, or the nearest one above it that is there.
    near: PathBuf,
    found: Found,
    holder: Option<Process>,
    /// A router says by a file that it has not ended in order yet.
    is_marked: bool,
    cache: Option<Cache>,
}

enum Found {
    /// It is made at the first start.
    Missing {
        writable: Result<(), String>,
    },
    NoFolder,
    Unreadable(String),
    Folder(Folder),
}

struct Folder {
    mode: u32,
    owner: u32,
    us: Option<u32>,
    writable: Result<(), String>,
}

struct Cache {
    files: usize,
    bytes: u64,
}

impl Data {
    pub(super) fn near(&self) -> &Path {
        &self.near
    }

    pub(super) fn holder(&self) -> Option<Process> {
        self.holder.clone()
    }
}

pub(super) fn look(dir: &Path) -> Data {
    let near = nearest(dir);
    let found = match fs::metadata(dir) {
        Ok(meta) if !meta.is_dir() => Found::NoFolder,
        Ok(meta) => Found::Folder(Folder {
            mode: meta.mode() & 0o777,
            owner: meta.uid(),
            us: fs::metadata("/proc/self").ok().map(|meta| meta.uid()),
            writable: try_write(dir),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Found::Missing { writable: try_write(&near) }
        }
        Err(error) => Found::Unreadable(error.to_string()),
    };
    Data {
        dir: dir.to_owned(),
        found,
        holder: Process::with_lock(&dir.join("journal").join("lock")),
        is_marked: dir.join("running").exists(),
        cache: cache(&dir.join("plugin-cache")),
        near,
    }
}

/// With a file that has no name: nothing stays, whatever happens.
fn try_write(dir: &Path) -> Result<(), String> {
    tempfile::tempfile_in(dir).map(drop).map_err(|error| error.to_string())
}

fn nearest(dir: &Path) -> PathBuf {
    let above = dir.ancestors().filter(|above| !above.as_os_str().is_empty());
    above.into_iter().find(|above| above.is_dir()).unwrap_or(Path::new(".")).to_owned()
}

fn cache(dir: &Path) -> Option<Cache> {
    let mut cache = Cache { files: 0, bytes: 0 };
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).ok()?.flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            if CACHE_FILES_MAX <= cache.files {
                return Some(cache);
            }
            if meta.is_dir() {
                folders.push(entry.path());
            } else {
                cache =
                    Cache { files: cache.files + 1, bytes: cache.bytes.saturating_add(meta.len()) };
            }
        }
    }
    Some(cache)
}

/// `answers`: a router was heard that should be this folder's.
pub(super) fn judge(data: &Data, answers: bool) -> Vec<Check> {
    let mut checks = vec![folder(data)];
    if let Found::Folder(folder) = &data.found {
        checks.push(rights(&data.dir, folder));
        checks.push(lock(data, answers));
    }
    checks.extend(data.cache.as_ref().map(|Cache { files, bytes }| {
        let found = format!("{files} compiled files, {} KiB", bytes.div_ceil(1024));
        Check::ok("plugin cache", found)
    }));
    checks
}

fn folder(data: &Data) -> Check {
    let about = "data folder";
    let (dir, near) = (data.dir.display(), data.near.display());
    let elsewhere = "name another with --data or `data_dir`";
    match &data.found {
        Found::Missing { writable: Ok(()) } => {
            Check::ok(about, format!("{dir} is not there yet: the first start makes it"))
        }
        Found::Missing { writable: Err(error) } => Check::problem(
            about,
            format!("{dir} is not there and cannot be made in {near}: {error}"),
            format!("`sudo install -d -m 700 -o $USER {dir}`, or {elsewhere}"),
        ),
        Found::NoFolder => Check::problem(
            about,
            format!("{dir} is a file"),
            format!("move it away, or {elsewhere}"),
        ),
        Found::Unreadable(error) => Check::problem(
            about,
            format!("{dir} cannot be looked at: {error}"),
            format!("run as its owner, or {elsewhere}"),
        ),
        Found::Folder(Folder { writable: Err(error), owner, .. }) => Check::problem(
            about,
            format!("{dir} cannot be written: {error}; it belongs to user {owner}"),
            format!("run as that user, or `sudo chown -R $USER {dir}`"),
        ),
        Found::Folder(Folder { writable: Ok(()), .. }) => {
            Check::ok(about, format!("{dir} can be written"))
        }
    }
}

fn rights(dir: &Path, folder: &Folder) -> Check {
    let about = "data rights";
    let Folder { mode, owner, us, .. } = *folder;
    let dir = dir.display();
    let close = format!("`chmod 700 {dir}`");
    if mode & OTHERS != 0 {
        let found = format!(
            "everybody on this machine may look into {dir} (mode {mode:03o}), which holds all events"
        );
        return Check::warning(about, found, close);
    }
    if mode & GROUP != 0 {
        let found =
            format!("its group may look into {dir} (mode {mode:03o}), which holds all events");
        return Check::warning(about, found, close);
    }
    if let Some(us) = us.filter(|us| *us != owner) {
        let found = format!("{dir} belongs to user {owner}, and this is user {us}");
        let mend = "run the router as the folder's owner, or it leaves files there that the owner cannot write";
        return Check::warning(about, found, mend);
    }
    Check::ok(about, format!("only its owner may look into it (mode {mode:03o})"))
}

fn lock(data: &Data, answers: bool) -> Check {
    let about = "data lock";
    let Data { dir, holder, is_marked, .. } = data;
    match (holder, is_marked) {
        (Some(holder), _) => Check::ok(about, format!("{holder} has it open")),
        (None, false) => Check::ok(about, "nobody has it open"),
        // Not every system says who holds a lock, least of all from within a container.
        (None, true) if answers => Check::ok(about, "the router that answers has it open"),
        (None, true) => Check::warning(
            about,
            "nobody seems to have it open, and its last router did not end in order",
            format!(
                "the next start takes it up by itself; `slipswitch journal verify --data {}` looks first",
                dir.display()
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::State::{self, Ok as Fine, Problem, Warning};
    use super::*;

    fn data(found: Found, holder: Option<Process>, is_marked: bool) -> Data {
        let cache = Some(Cache { files: 2, bytes: 2049 });
        Data { dir: "d".into(), near: "d".into(), found, holder, is_marked, cache }
    }

    fn folder(mode: u32, owner: u32, writable: Result<(), String>) -> Found {
        Found::Folder(Folder { mode, owner, us: Some(1), writable })
    }

    #[test]
    fn a_data_folder_is_judged_by_what_it_is_and_who_may_look() {
        let no = || Err("no".to_owned());
        let cases: [(Found, &[State]); 9] = [
            (folder(0o700, 1, Ok(())), &[Fine, Fine, Fine, Fine]),
            (folder(0o750, 1, Ok(())), &[Fine, Warning, Fine, Fine]),
            (folder(0o701, 1, Ok(())), &[Fine, Warning, Fine, Fine]),
            (folder(0o700, 2, Ok(())), &[Fine, Warning, Fine, Fine]),
            (folder(0o700, 1, no()), &[Problem, Fine, Fine, Fine]),
            (Found::Missing { writable: Ok(()) }, &[Fine, Fine]),
            (Found::Missing { writable: no() }, &[Problem, Fine]),
            (Found::NoFolder, &[Problem, Fine]),
            (Found::Unreadable("no".to_owned()), &[Problem, Fine]),
        ];
        for (found, expected) in cases {
            let checks = judge(&data(found, None, false), false);
            let states: Vec<State> = checks.iter().map(|check| check.state).collect();
            assert_eq!(states, expected, "{checks:?}");
            assert!(
                checks.iter().all(|one| one.mend.is_some() == (one.state != Fine)),
                "{checks:?}"
            );
        }
    }

    #[test]
    fn a_lock_is_held_free_or_left_over() {
        let holder = Process { pid: 7, name: "slipswitch".to_owned() };
        for (holder, is_marked, state, says) in [
            (Some(holder.clone()), true, Fine, "slipswitch (process 7) has it open"),
            (Some(holder), false, Fine, "has it open"),
            (None, false, Fine, "nobody has it open"),
            (None, true, Warning, "did not end in order"),
        ] {
            let check = lock(&data(Found::NoFolder, holder, is_marked), false);
            assert_eq!(check.state, state);
            assert!(check.found.contains(says), "{check:?}");
        }
    }

    #[test]
    fn a_router_that_answers_is_no_leftover() {
        let check = lock(&data(Found::NoFolder, None, true), true);
        assert_eq!((check.state, check.mend), (Fine, None));
    }

    #[test]
    fn looking_makes_nothing_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("a/b/data");
        let found = look(&missing);
        assert!(matches!(found.found, Found::Missing { writable: Ok(()) }));
        assert_eq!(found.near(), dir.path());
        assert!(matches!(look(dir.path()).found, Found::Folder(Folder { writable: Ok(()), .. })));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(matches!(look(&dir.path().join("file")).found, Found::NoFolder));
    }
}
