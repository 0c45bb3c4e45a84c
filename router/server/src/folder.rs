//! The folders of rules and plugins: which files count, what they hold, and whether they changed.
//!
//! ```text
//! rules/     every *.yaml, *.yml and *.json below it      plugins/    every *.wasm directly in it
//!            but *.events.*: recorded events, of which only `slipswitch test` knows
//! data/rules/   the same, of rules that were sent
//! ```
//!
//! Hidden files and what editors leave lying about are skipped; symbolic links are followed, since that is
//! how Kubernetes puts a ConfigMap into a folder.
//!
//! # Invariants
//!
//! - A file that counts and cannot be read is a problem, never skipped.
//! - Only regular files are opened: a pipe would be waited for, perhaps for ever.
//! - Files come sorted by path: the same content has the same digest.
//! - Depth, the number of files and their sizes are bounded; links that form a circle end.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bus::PluginFile;
use bus::ruleset::{Code, Diagnostic, Severity, SourceFile};
use sha2::{Digest, Sha256};

use crate::sent_rules::SentFolder;

const DEPTH_MAX: usize = 16;
const FILES_MAX: usize = 100_000;
pub(crate) const RULE_FILE_BYTES_MAX: u64 = 4 << 20;
const PLUGIN_FILE_BYTES_MAX: u64 = 64 << 20;
const NOT_REGULAR: &str = "is not a regular file";

/// The folders, and whether the one with plugins may be missing.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    pub(crate) rules: PathBuf,
    /// Of rules that came over an interface; may be missing.
    pub(crate) sent: SentFolder,
    pub(crate) plugins: PathBuf,
    pub(crate) plugins_optional: bool,
}

/// All that one generation of rules is made of.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) rules: Vec<SourceFile>,
    pub(crate) plugins: Vec<PluginFile>,
    /// Files that count and could not be read.
    pub(crate) problems: Vec<Diagnostic>,
    pub(crate) digest: [u8; 32],
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    #[error("there is no folder {} for {what}: create it, or name another with --{what}", path.display())]
    Missing { what: &'static str, path: PathBuf },

    #[error("read folder {}: {source}; name a folder that can be read with --{what}", path.display())]
    Unreadable { what: &'static str, path: PathBuf, source: io::Error },

    #[error("more than {FILES_MAX} files below {}: name a folder of rules alone with --rules", path.display())]
    TooMany { path: PathBuf },
}

impl Content {
    /// The digest of what is here, when all files could be read.
    pub(crate) fn computed_digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for SourceFile { path, text } in &self.rules {
            mix(&mut hash, path, text.as_bytes());
        }
        for PluginFile { path, bytes, .. } in &self.plugins {
            mix(&mut hash, path, bytes);
        }
        hash.finalize().into()
    }
}

impl Folders {
    /// Reads every file that counts.
    pub(crate) fn read(&self) -> Result<Content, FolderError> {
        let mut problems = Vec::new();
        let files = self.rule_files(&mut problems)?;
        self.content(files, problems)
    }

    /// The same with these files, and what counts in these folders, in the place of the folder of rules.
    pub(crate) fn read_these(&self, paths: &[PathBuf]) -> Result<Content, FolderError> {
        let mut problems = Vec::new();
        let mut files = BTreeSet::new();
        for path in paths {
            if path.is_dir() {
                let folder = Self { rules: path.clone(), ..self.clone() };
                files.extend(folder.rule_files(&mut problems)?);
            } else {
                files.insert(path.clone());
            }
        }
        self.content(files.into_iter().collect(), problems)
    }

    fn content(
        &self,
        files: Vec<PathBuf>,
        problems: Vec<Diagnostic>,
    ) -> Result<Content, FolderError> {
        let (rules, plugins) = (Vec::new(), Vec::new());
        let mut content = Content { rules, plugins, problems, digest: [0; 32] };
        let mut hash = Sha256::new();
        for path in files {
            let shown = path.display().to_string();
            match read_bounded(&path, RULE_FILE_BYTES_MAX) {
                Ok(bytes) => {
                    mix(&mut hash, &shown, &bytes);
                    match String::from_utf8(bytes) {
                        Ok(text) => content.rules.push(SourceFile { path: shown, text }),
                        Err(error) => content.problems.push(not_text(shown, &error)),
                    }
                }
                Err(error) => {
                    mix(&mut hash, &shown, error.to_string().as_bytes());
                    content.problems.push(unreadable(shown, &error));
                }
            }
        }
        for path in self.plugin_files()? {
            let shown = path.display().to_string();
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            match read_bounded(&path, PLUGIN_FILE_BYTES_MAX) {
                Ok(bytes) => {
                    mix(&mut hash, &shown, &bytes);
                    content.plugins.push(PluginFile { name, path: shown, bytes });
                }
                Err(error) => {
                    mix(&mut hash, &shown, error.to_string().as_bytes());
                    content.problems.push(unreadable(shown, &error));
                }
            }
        }
        content.digest = hash.finalize().into();
        Ok(content)
    }

    /// A number that changes when a file appears, goes, or is written: cheap enough to ask every second.
    ///
    /// It looks at sizes, inodes and times of change; contents are read only when it differs.
    pub(crate) fn stamp<'a>(&self, others: impl Iterator<Item = &'a PathBuf>) -> u64 {
        let mut hash = DefaultHasher::new();
        let rules = self.rule_files(&mut Vec::new()).unwrap_or_default();
        let plugins = self.plugin_files().unwrap_or_default();
        for path in rules.into_iter().chain(plugins).chain(others.cloned()) {
            path.hash(&mut hash);
            if let Ok(data) = std::fs::metadata(&path) {
                (data.dev(), data.ino(), data.len()).hash(&mut hash);
                (data.mtime(), data.mtime_nsec()).hash(&mut hash);
                (data.ctime(), data.ctime_nsec()).hash(&mut hash);
            }
        }
        (self.rules.is_dir(), self.plugins.is_dir()).hash(&mut hash);
        hash.finish()
    }

    fn rule_files(&self, problems: &mut Vec<Diagnostic>) -> Result<Vec<PathBuf>, FolderError> {
        let mut walk = Walk::new(&self.rules, is_rule_file, problems);
        // First, so that they are what they are also when the folder of rules lies around them.
        if let Some(sent) = self.sent.existing() {
            walk.enter(sent, 1)?;
        }
        walk.enter(&self.rules, 0)?;
        Ok(walk.sorted())
    }

    /// The rules that were sent, as they lie there.
    pub(crate) fn read_sent(&self) -> Result<Vec<SourceFile>, FolderError> {
        let Some(sent) = self.sent.existing() else { return Ok(Vec::new()) };
        let folders = Self { rules: sent.to_owned(), sent: SentFolder::default(), ..self.clone() };
        let mut problems = Vec::new();
        let files = folders.rule_files(&mut problems)?;
        Ok(self.content(files, problems)?.rules)
    }

    fn plugin_files(&self) -> Result<Vec<PathBuf>, FolderError> {
        let listing = match std::fs::read_dir(&self.plugins) {
            Ok(listing) => listing,
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.plugins_optional => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(folder_error("plugins", &self.plugins, error)),
        };
        let mut files = Vec::new();
        for entry in listing {
            let path = entry.map_err(|error| folder_error("plugins", &self.plugins, error))?.path();
            if counts(&path, &["wasm"]) && !path.is_dir() {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }
}

/// The rule files below a folder, sorted.
pub(crate) fn rule_files_below(
    folder: &Path,
    problems: &mut Vec<Diagnostic>,
) -> Result<Vec<PathBuf>, FolderError> {
    walk(folder, is_rule_file, problems)
}

/// The files of recorded events below a folder, sorted.
pub(crate) fn recorded_files(
    folder: &Path,
    problems: &mut Vec<Diagnostic>,
) -> Result<Vec<PathBuf>, FolderError> {
    walk(folder, is_recorded, problems)
}

fn walk(
    root: &Path,
    is_wanted: fn(&Path) -> bool,
    problems: &mut Vec<Diagnostic>,
) -> Result<Vec<PathBuf>, FolderError> {
    let mut walk = Walk::new(root, is_wanted, problems);
    walk.enter(root, 0)?;
    Ok(walk.sorted())
}

/// A way through the folder of rules.
struct Walk<'a> {
    root: &'a Path,
    is_wanted: fn(&Path) -> bool,
    files: Vec<PathBuf>,
    /// Real folders already entered, so that links in a circle end.
    visited: BTreeSet<PathBuf>,
    problems: &'a mut Vec<Diagnostic>,
}

impl<'a> Walk<'a> {
    fn new(
        root: &'a Path,
        is_wanted: fn(&Path) -> bool,
        problems: &'a mut Vec<Diagnostic>,
    ) -> Self {
        let (files, visited) = (Vec::new(), BTreeSet::new());
        Self { root, is_wanted, files, visited, problems }
    }

    fn sorted(mut self) -> Vec<PathBuf> {
        self.files.sort();
        self.files
    }

    fn enter(&mut self, folder: &Path, depth: usize) -> Result<(), FolderError> {
        let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        if DEPTH_MAX < depth || !self.visited.insert(real) {
            return Ok(());
        }
        let listing = match std::fs::read_dir(folder) {
            Ok(listing) => listing,
            Err(error) if depth == 0 => return Err(folder_error("rules", folder, error)),
            Err(error) => {
                self.problems.push(unreadable(folder.display().to_string(), &error));
                return Ok(());
            }
        };
        for entry in listing {
            let path = entry.map_err(|error| folder_error("rules", folder, error))?.path();
            if is_passed_over(&path) {
                continue;
            }
            if path.is_dir() {
                self.enter(&path, depth + 1)?;
            } else if (self.is_wanted)(&path) {
                if self.files.len() == FILES_MAX {
                    return Err(FolderError::TooMany { path: self.root.to_owned() });
                }
                self.files.push(path);
            }
        }
        Ok(())
    }
}

/// Hidden files, and the `#name#` and `name~` of editors.
fn is_passed_over(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(b".") || name.starts_with(b"#") || name.ends_with(b"~")
}

pub(crate) fn is_rule_file(path: &Path) -> bool {
    counts(path, &["yaml", "yml", "json"]) && !is_recorded(path)
}

/// `*.events.ndjson`, and the other forms of it.
fn is_recorded(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().as_encoded_bytes();
    counts(path, &["ndjson", "jsonl", "json", "yaml", "yml"]) && stem.ends_with(b".events")
}

fn counts(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    !is_passed_over(path) && extension.is_some_and(|extension| extensions.contains(&extension))
}

/// Opens a file, or the file that a link leads to, and nothing that opening or reading would wait for.
pub(crate) fn open_regular(path: &Path) -> io::Result<std::fs::File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, NOT_REGULAR));
    }
    std::fs::File::open(path)
}

pub(crate) fn read_bounded(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let file = open_regular(path)?;
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| max < len) {
        let reason = format!("larger than {max} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}

fn mix(hash: &mut Sha256, path: &str, bytes: &[u8]) {
    for part in [path.as_bytes(), bytes] {
        let len = u64::try_from(part.len()).unwrap_or(u64::MAX);
        hash.update(len.to_le_bytes());
        hash.update(part);
    }
}

fn folder_error(what: &'static str, path: &Path, source: io::Error) -> FolderError {
    if source.kind() == io::ErrorKind::NotFound {
        FolderError::Missing { what, path: path.to_owned() }
    } else {
        FolderError::Unreadable { what, path: path.to_owned(), source }
    }
}

pub(crate) fn unreadable(path: String, error: &io::Error) -> Diagnostic {
    if error.kind() == io::ErrorKind::InvalidInput && error.to_string() == NOT_REGULAR {
        let mend = "put a file in its place, or take it out of the folder";
        return whole_file(path, NOT_REGULAR.to_owned(), mend);
    }
    let message = format!("cannot be read: {error}");
    whole_file(path, message, "make it readable for the router, or take it out of the folder")
}

pub(crate) fn not_text(path: String, error: &std::string::FromUtf8Error) -> Diagnostic {
    let bytes = error.as_bytes();
    let byte = error.utf8_error().valid_up_to();
    let before = bytes.get(..byte).unwrap_or_default();
    let line = before.split(|byte| *byte == b'\n').count();
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let this_line = String::from_utf8_lossy(before.get(start..).unwrap_or_default());
    let column = this_line.chars().count() + 1;
    let message = format!("not UTF-8 text: byte {byte} begins no character");
    Diagnostic {
        line,
        column,
        end_column: column,
        ..whole_file(path, message, "save the file as UTF-8")
    }
}

/// A diagnostic about a file, or a folder, as a whole.
pub(crate) fn whole_file(path: String, message: String, mend: &str) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: Code::Unreadable,
        path,
        span: 0..0,
        line: 1,
        column: 1,
        end_column: 1,
        message,
        label: String::new(),
        mend: mend.to_owned(),
        page: Code::Unreadable.page(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    struct Scene {
        _dir: tempfile::TempDir,
        folders: Folders,
    }

    fn scene(files: &[(&str, &[u8])]) -> Scene {
        let dir = tempfile::tempdir().unwrap();
        let folders = Folders {
            rules: dir.path().join("rules"),
            sent: SentFolder::at(dir.path().join("data/rules")),
            plugins: dir.path().join("plugins"),
            plugins_optional: true,
        };
        fs::create_dir(&folders.rules).unwrap();
        for (name, content) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        Scene { _dir: dir, folders }
    }

    fn names(scene: &Scene) -> Vec<String> {
        let content = scene.folders.read().unwrap();
        assert_eq!(content.problems, []);
        let rules = content.rules.iter().map(|file| file.path.clone());
        let plugins = content.plugins.iter().map(|file| file.path.clone());
        let base = scene.folders.rules.parent().unwrap();
        rules
            .chain(plugins)
            .map(|path| Path::new(&path).strip_prefix(base).unwrap().display().to_string())
            .collect()
    }

    #[test]
    fn rule_files_count_at_any_depth_and_plugins_only_at_the_top() {
        let scene = scene(&[
            ("rules/b.yaml", b""),
            ("rules/a/x.yml", b""),
            ("rules/a/b/y.json", b""),
            ("rules/readme.md", b""),
            ("rules/.hidden.yaml", b""),
            ("rules/.git/z.yaml", b""),
            ("rules/old.yaml~", b""),
            ("rules/#edited.yaml", b""),
            ("plugins/redact.wasm", b"1"),
            ("plugins/sub/deep.wasm", b"2"),
            ("plugins/.new.wasm", b"3"),
        ]);
        assert_eq!(
            names(&scene),
            ["rules/a/b/y.json", "rules/a/x.yml", "rules/b.yaml", "plugins/redact.wasm"]
        );
        assert_eq!(scene.folders.read().unwrap().plugins[0].name, "redact");
    }

    #[test]
    fn a_mounted_config_map_is_read_once_and_a_swap_of_its_link_is_a_change() {
        let scene = scene(&[("rules/..2024_a/one.yaml", b"a"), ("rules/..2024_b/one.yaml", b"b")]);
        let rules = &scene.folders.rules;
        symlink("..2024_a", rules.join("..data")).unwrap();
        symlink("..data/one.yaml", rules.join("one.yaml")).unwrap();
        assert_eq!(names(&scene), ["rules/one.yaml"]);

        let (stamp, before) = (scene.folders.stamp([].iter()), scene.folders.read().unwrap());
        fs::remove_file(rules.join("..data")).unwrap();
        symlink("..2024_b", rules.join("..data")).unwrap();
        assert_ne!(scene.folders.stamp([].iter()), stamp);
        assert_ne!(scene.folders.read().unwrap().digest, before.digest);
        assert_eq!(scene.folders.read().unwrap().rules[0].text, "b");
    }

    #[test]
    fn links_in_a_circle_end() {
        let scene = scene(&[("rules/a/one.yaml", b"")]);
        symlink("..", scene.folders.rules.join("a/up")).unwrap();
        symlink(".", scene.folders.rules.join("self")).unwrap();
        assert_eq!(names(&scene), ["rules/a/one.yaml"]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_a_problem_with_its_place() {
        let scene = scene(&[("rules/bad.yaml", b"name: x\nn: \xff"), ("rules/good.yaml", b"")]);
        symlink("nowhere", scene.folders.rules.join("dangling.yaml")).unwrap();
        fs::write(scene.folders.rules.join("huge.yaml"), vec![b' '; (4 << 20) + 1]).unwrap();
        let content = scene.folders.read().unwrap();
        assert_eq!(content.rules.len(), 1);
        let told: Vec<_> = content
            .problems
            .iter()
            .map(|one| (one.path.rsplit('/').next().unwrap(), one.line, one.column))
            .collect();
        assert_eq!(told, [("bad.yaml", 2, 4), ("dangling.yaml", 1, 1), ("huge.yaml", 1, 1)]);
    }

    #[test]
    fn a_pipe_a_socket_or_a_device_is_a_problem_and_is_not_waited_for() {
        let scene = scene(&[("rules/good.yaml", b""), ("plugins/good.wasm", b"1")]);
        let (rules, plugins) = (&scene.folders.rules, &scene.folders.plugins);
        for pipe in [rules.join("pipe.yaml"), plugins.join("pipe.wasm")] {
            let made = std::process::Command::new("mkfifo").arg(pipe).status().unwrap();
            assert!(made.success());
        }
        symlink("pipe.yaml", rules.join("link.yaml")).unwrap();
        symlink("/dev/zero", rules.join("zero.yaml")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(rules.join("socket.yaml")).unwrap();

        let content = scene.folders.read().unwrap();
        let told: Vec<_> = content
            .problems
            .iter()
            .map(|one| (one.path.rsplit('/').next().unwrap(), one.message.as_str()))
            .collect();
        let names = ["link.yaml", "pipe.yaml", "socket.yaml", "zero.yaml", "pipe.wasm"];
        assert_eq!(told, names.map(|name| (name, "is not a regular file")));
        assert_eq!((content.rules.len(), content.plugins.len()), (1, 1));
    }

    #[test]
    fn a_missing_folder_is_named_with_the_mend() {
        let mut folders = scene(&[]).folders; // The temporary folder is gone here.
        let error = folders.read().unwrap_err().to_string();
        assert!(error.contains("/rules for rules") && error.contains("--rules"), "{error}");

        let scene = scene(&[]);
        assert_eq!(names(&scene), Vec::<String>::new());
        folders = Folders { plugins_optional: false, ..scene.folders.clone() };
        let error = folders.read().unwrap_err().to_string();
        assert!(error.contains("/plugins for plugins"), "{error}");
    }

    #[test]
    fn a_file_in_place_of_the_folder_is_an_error() {
        let scene = scene(&[("rules/a.yaml", b"")]);
        let folders =
            Folders { rules: scene.folders.rules.join("a.yaml"), ..scene.folders.clone() };
        assert!(matches!(folders.read(), Err(FolderError::Unreadable { .. })));
    }

    #[test]
    fn the_digest_depends_on_content_and_names_and_the_stamp_on_other_files_too() {
        let one = scene(&[("rules/a.yaml", b"x"), ("rules/b.yaml", b"")]);
        let before = one.folders.read().unwrap().digest;
        fs::rename(one.folders.rules.join("a.yaml"), one.folders.rules.join("c.yaml")).unwrap();
        assert_ne!(one.folders.read().unwrap().digest, before);

        let secret = one.folders.rules.parent().unwrap().join("secret");
        let others = [secret.clone()];
        let stamp = one.folders.stamp(others.iter());
        assert_eq!(one.folders.stamp(others.iter()), stamp);
        fs::write(secret, "s").unwrap();
        assert_ne!(one.folders.stamp(others.iter()), stamp);
    }
}
