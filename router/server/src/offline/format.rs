//! Rule files in one form, each back where it was.
//!
//! # Invariants
//!
//! - A file is replaced whole or not at all, whatever stops us; what a link leads to is written, the link stays.
//! - A file that somebody else wrote meanwhile is left as it is.
//! - Recorded events (`*.events.*`) are nobody's rules and are left alone.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

use bus::ruleset::SourceFile;
use bus::ruleset::format::{FormatError, format};

use crate::config::Config;
use crate::folder::{RULE_FILE_BYTES_MAX, not_text, read_bounded, rule_files_below, unreadable};

/// What is kept on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    Formatted,
    /// Every file as it is; the report says which would change.
    AsItIs,
}

/// What became of the files.
#[derive(Debug, Default)]
pub struct FormatReport {
    pub files: usize,
    /// Those that changed, or would.
    pub changed: Vec<String>,
    /// Problems of those that cannot be read, as people read them.
    pub broken: Vec<String>,
    /// Why others are left as they are.
    pub left: Vec<String>,
}

/// Formats the files and those of the folders; without any, those of the configuration's folder of rules.
///
/// # Errors
///
/// What keeps us from finding the files, for people.
pub fn format_files(
    paths: &[PathBuf],
    config: Option<&Path>,
    keep: Keep,
) -> Result<FormatReport, String> {
    let mut report = FormatReport::default();
    let folders = match paths {
        [] => vec![Config::read(config).map_err(|error| error.to_string())?.rules_dir],
        paths => paths.to_vec(),
    };
    let mut files = BTreeSet::new();
    for path in folders {
        if paths.is_empty() || path.is_dir() {
            let mut problems = Vec::new();
            let found = rule_files_below(&path, &mut problems);
            files.extend(found.map_err(|error| error.to_string())?);
            report.broken.extend(problems.iter().map(|problem| problem.render("", false)));
        } else {
            files.insert(path);
        }
    }
    for path in files.iter().filter(|path| !is_events(path)) {
        report.files += 1;
        report.file(path, keep);
    }
    Ok(report)
}

/// The text of a file in the one form.
///
/// # Errors
///
/// A report with the one thing that is wrong with it.
pub fn format_text(path: &str, bytes: Vec<u8>) -> Result<String, FormatReport> {
    let mut report = FormatReport { files: 1, ..FormatReport::default() };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            report.broken.push(not_text(path.to_owned(), &error).render("", false));
            return Err(report);
        }
    };
    let file = SourceFile { path: path.to_owned(), text };
    match format(&file) {
        Ok(text) => return Ok(text),
        Err(FormatError::Broken(found)) => {
            report.broken.extend(found.iter().map(|problem| problem.render(&file.text, false)));
        }
        Err(FormatError::Unkept { line, what }) => report.left.push(std::format!(
            "{path}:{line}: left as it is: {what} cannot be kept; write it in a plainer way"
        )),
        Err(error @ FormatError::Changed) => {
            report.left.push(std::format!("{path}: left as it is: {error}"));
        }
    }
    Err(report)
}

impl FormatReport {
    fn file(&mut self, path: &Path, keep: Keep) {
        let shown = path.display().to_string();
        let before = match read_bounded(path, RULE_FILE_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) => return self.broken.push(unreadable(shown, &error).render("", false)),
        };
        let after = match format_text(&shown, before.clone()) {
            Ok(after) => after,
            Err(report) => {
                self.broken.extend(report.broken);
                return self.left.extend(report.left);
            }
        };
        if after.as_bytes() == before {
            return;
        }
        match keep {
            Keep::AsItIs => (),
            Keep::Formatted => {
                if let Err(error) = replace(path, &before, &after) {
                    return self.left.push(std::format!("{shown}: left as it is: {error}"));
                }
            }
        }
        self.changed.push(shown);
    }
}

fn is_events(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains(".events."))
}

/// Writes `after` into the place of a file that still says `before`.
fn replace(path: &Path, before: &[u8], after: &str) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // Hidden, so that nobody who watches the folder reads it.
    let aside = folder.join(std::format!(".{}.{}.new", name.to_string_lossy(), std::process::id()));
    let written = write(&aside, &path, after).and_then(|()| {
        if read_bounded(&path, RULE_FILE_BYTES_MAX)? != before {
            return Err(io::Error::other("it changed meanwhile; format it again"));
        }
        fs::rename(&aside, &path)
    });
    if written.is_err() {
        fs::remove_file(&aside).ok();
        return written;
    }
    fs::File::open(folder)?.sync_all()
}

/// A new file `aside`, with the owner and the permissions of `path`, on the disk.
fn write(aside: &Path, path: &Path, text: &str) -> io::Result<()> {
    let meta = fs::metadata(path)?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(aside)?;
    // Only root may give a file away; whoever may not keeps it.
    fchown(&file, Some(meta.uid()), Some(meta.gid())).ok();
    file.set_permissions(meta.permissions())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    const ROUGH: &str = "bus:   b\nname: a\n";
    const SMOOTH: &str = "name: a\nbus: b\n";

    fn names(folder: &Path, report: &FormatReport) -> Vec<String> {
        let name =
            |path: &String| Path::new(path).strip_prefix(folder).unwrap().display().to_string();
        report.changed.iter().map(name).collect()
    }

    fn run(folder: &Path, keep: Keep) -> FormatReport {
        format_files(&[folder.to_owned()], None, keep).unwrap()
    }

    #[test]
    fn the_files_of_a_folder_are_formatted_and_a_second_time_none() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("deep")).unwrap();
        for name in ["a.yaml", "deep/b.yml", "note.txt", ".hidden.yaml", "a.events.json"] {
            fs::write(dir.path().join(name), ROUGH).unwrap();
        }
        fs::write(dir.path().join("c.yaml"), SMOOTH).unwrap();
        let expected = ["a.yaml", "deep/b.yml"];

        let report = run(dir.path(), Keep::AsItIs);
        assert_eq!(
            (names(dir.path(), &report), report.files),
            (expected.map(String::from).to_vec(), 3)
        );
        assert_eq!(fs::read_to_string(dir.path().join("a.yaml")).unwrap(), ROUGH);

        let report = run(dir.path(), Keep::Formatted);
        assert_eq!(names(dir.path(), &report), expected);
        for name in expected {
            assert_eq!(fs::read_to_string(dir.path().join(name)).unwrap(), SMOOTH);
        }
        assert_eq!(fs::read_to_string(dir.path().join("note.txt")).unwrap(), ROUGH);
        assert_eq!(fs::read_to_string(dir.path().join("a.events.json")).unwrap(), ROUGH);
        assert_eq!(run(dir.path(), Keep::Formatted).changed, Vec::<String>::new());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 6, "nothing is left behind");
    }

    #[test]
    fn a_link_and_the_permissions_stay() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real.txt"), dir.path().join("a.yaml"));
        fs::write(&real, ROUGH).unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("real.txt", &link).unwrap();
        assert_eq!(names(dir.path(), &run(dir.path(), Keep::Formatted)), ["a.yaml"]);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), SMOOTH);
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o7777, 0o640);
    }

    #[test]
    fn what_is_broken_or_odd_is_left_and_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let odd = "name:   a\n? b\n: c\n";
        for (name, text) in [("a.yaml", "name: [\n"), ("b.yaml", odd), ("c.yaml", ROUGH)] {
            fs::write(dir.path().join(name), text).unwrap();
        }
        fs::write(dir.path().join("d.yaml"), b"a: \xff").unwrap();
        let report = run(dir.path(), Keep::Formatted);
        assert_eq!(names(dir.path(), &report), ["c.yaml"]);
        assert!(report.broken[0].contains("a.yaml:1:7"), "{:?}", report.broken);
        assert!(report.broken[1].contains("d.yaml:1:4"), "{:?}", report.broken);
        assert!(report.left[0].contains("b.yaml:2: left as it is"), "{:?}", report.left);
        assert_eq!(fs::read_to_string(dir.path().join("b.yaml")).unwrap(), odd);
    }

    #[test]
    fn a_file_that_somebody_else_wrote_meanwhile_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.yaml");
        fs::write(&path, "name: theirs\n").unwrap();
        let error = replace(&path, ROUGH.as_bytes(), SMOOTH).unwrap_err();
        assert!(error.to_string().contains("meanwhile"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "name: theirs\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let report = format_files(&["/nowhere/a.yaml".into()], None, Keep::Formatted).unwrap();
        assert!(report.broken[0].contains("/nowhere/a.yaml"), "{:?}", report.broken);
        let error = format_files(&[], Some(Path::new("/nowhere.yaml")), Keep::AsItIs).unwrap_err();
        assert!(error.contains("/nowhere.yaml"), "{error}");
    }
}
