//! The versions of each plugin that were in service, so that one can go back.
//!
//! ```text
//! <data>/plugin-versions/<name>/<digest>.wasm     a file as it was
//!                               index.json        [{digest, version, size_bytes, since, until}], the oldest first
//! ```
//!
//! # Invariants
//!
//! - **bounded**: so many versions of a plugin, so many bytes of all versions of a plugin, and of all plugins; the one in
//!   service excepted, which always stays.
//! - What is kept are the bytes that were loaded, whatever lies in the folder of plugins by then.
//! - What is read back has the digest that it is kept under.
//! - The store may lose anything: going back is then refused, and nothing else suffers.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bus::{PluginFile, PluginStatus};
use event::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tracing::warn;

use crate::folder::read_bounded;

const FOLDER: &str = "plugin-versions";
const INDEX: &str = "index.json";
/// Plugins that are no longer there and whose versions are kept.
const GONE_MAX: usize = 64;
/// All plugins together have room for so many times what one has.
const PLUGINS_FULL_MAX: u64 = 16;
const FILE_BYTES_MAX: u64 = 64 << 20;
const INDEX_BYTES_MAX: u64 = 1 << 20;

/// One version of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) digest: String,
    /// What the plugin says of itself.
    pub(crate) version: String,
    pub(crate) size_bytes: u64,
    pub(crate) since: String,
    /// None: it is in service.
    pub(crate) until: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Versions {
    folder: PathBuf,
    pub(crate) count_max: usize,
    pub(crate) bytes_max: u64,
}

impl Versions {
    pub(crate) fn new(data: &Path, count_max: usize, bytes_max: u64) -> Self {
        Self { folder: data.join(FOLDER), count_max, bytes_max }
    }

    /// The versions of a plugin, the oldest first.
    pub(crate) fn list(&self, name: &str) -> Vec<Version> {
        let index = read_bounded(&self.of(name).join(INDEX), INDEX_BYTES_MAX);
        index.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// The file of a version.
    pub(crate) fn read(&self, name: &str, digest: &str) -> io::Result<Vec<u8>> {
        let bytes = read_bounded(&self.file(name, digest), FILE_BYTES_MAX)?;
        if hex(&Sha256::digest(&bytes)) != digest {
            return Err(io::Error::other("the file kept is damaged"));
        }
        Ok(bytes)
    }

    /// Takes down what is in service now, and the files that are new in it. What cannot be kept is reported, and nothing
    /// else.
    pub(crate) fn note(&self, plugins: &[PluginStatus], files: &[PluginFile], now: Timestamp) {
        for plugin in plugins {
            let Some(digest) = &plugin.digest else { continue };
            let file = files.iter().find(|file| file.name == plugin.name);
            if let Err(error) = self.note_one((plugin, digest), file, now) {
                let name = plugin.name.as_str();
                warn!(plugin = name, %error, "this version of the plugin is not kept");
            }
        }
        if let Err(error) = self.note_gone(plugins, now) {
            warn!(%error, "versions of plugins that are gone are not up to date");
        }
        if let Err(error) = self.bound() {
            warn!(%error, "the oldest versions of plugins are not removed");
        }
    }

    /// Removes what a crash has left: files that no index knows. For the start, when nobody else is here.
    pub(crate) fn sweep(&self) -> io::Result<()> {
        for name in self.names()? {
            let known = match read_bounded(&self.of(&name).join(INDEX), INDEX_BYTES_MAX) {
                Ok(bytes) => match serde_json::from_slice::<Vec<Version>>(&bytes) {
                    Ok(known) => known,
                    Err(_) => continue, // Damaged: what lies there may still be wanted by hand.
                },
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                Err(error) => return Err(error),
            };
            if known.is_empty() {
                fs::remove_dir_all(self.of(&name))?;
                continue;
            }
            for file in fs::read_dir(self.of(&name))? {
                let path = file?.path();
                let is_known = |version: &Version| self.file(&name, &version.digest) == path;
                if !path.ends_with(INDEX) && !known.iter().any(is_known) {
                    fs::remove_file(path)?;
                }
            }
        }
        Ok(())
    }

    /// The plugins with versions.
    fn names(&self) -> io::Result<Vec<String>> {
        let folders = match fs::read_dir(&self.folder) {
            Ok(folders) => folders,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let name = |folder: io::Result<fs::DirEntry>| {
            folder.map(|folder| folder.file_name().to_string_lossy().into_owned())
        };
        folders.map(name).collect()
    }

    /// Removes what has been out of service for longest while all plugins together take too much.
    fn bound(&self) -> io::Result<()> {
        let mut ended = Vec::new();
        let mut bytes: u64 = 0;
        for name in self.names()? {
            for version in self.list(&name) {
                bytes = bytes.saturating_add(version.size_bytes);
                if let Some(until) = version.until {
                    ended.push((until, name.clone(), version.digest, version.size_bytes));
                }
            }
        }
        ended.sort();
        let bytes_max = self.bytes_max.saturating_mul(PLUGINS_FULL_MAX);
        for (_, name, digest, size_bytes) in ended {
            if bytes <= bytes_max {
                break;
            }
            let mut versions = self.list(&name);
            versions.retain(|version| version.digest != digest);
            if versions.is_empty() {
                fs::remove_dir_all(self.of(&name))?;
            } else {
                self.write_index(&name, &versions)?;
                fs::remove_file(self.file(&name, &digest))?;
            }
            bytes = bytes.saturating_sub(size_bytes);
        }
        Ok(())
    }

    /// Ends the versions of plugins that are no longer there, and forgets the plugins that have been gone for longest.
    fn note_gone(&self, plugins: &[PluginStatus], now: Timestamp) -> io::Result<()> {
        let mut gone = Vec::new();
        for name in self.names()? {
            if plugins.iter().any(|plugin| plugin.name == name) {
                continue;
            }
            let mut versions = self.list(&name);
            let Some(last) = versions.last_mut() else { continue };
            if last.until.is_none() {
                last.until = Some(now.to_string());
                self.write_index(&name, &versions)?;
            }
            let until = versions.pop().and_then(|last| last.until);
            gone.push((until, name));
        }
        gone.sort();
        for (_, name) in gone.iter().rev().skip(GONE_MAX) {
            fs::remove_dir_all(self.of(name))?;
        }
        Ok(())
    }

    fn write_index(&self, name: &str, versions: &[Version]) -> io::Result<()> {
        let index = serde_json::to_vec_pretty(versions).map_err(io::Error::from)?;
        replace(&self.of(name).join(INDEX), &index)
    }

    fn note_one(
        &self,
        (plugin, digest): (&PluginStatus, &str),
        file: Option<&PluginFile>,
        now: Timestamp,
    ) -> io::Result<()> {
        let mut versions = self.list(&plugin.name);
        let is_noted =
            versions.last().is_some_and(|last| last.digest == digest && last.until.is_none());
        if is_noted && self.file(&plugin.name, digest).is_file() {
            return Ok(());
        }
        let missing = || io::Error::other("its file was not read again");
        let bytes = file.map(|file| &file.bytes).ok_or_else(missing)?;
        fs::create_dir_all(self.of(&plugin.name))?;
        replace(&self.file(&plugin.name, digest), bytes)?;
        let at = now.to_string();
        for version in versions.iter_mut().filter(|version| version.until.is_none()) {
            version.until = Some(at.clone());
        }
        versions.retain(|version| version.digest != digest);
        versions.push(Version {
            digest: digest.to_owned(),
            version: plugin.version.clone().unwrap_or_default(),
            size_bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            since: at,
            until: None,
        });
        let gone = self.prune(&mut versions);
        self.write_index(&plugin.name, &versions)?;
        for version in gone {
            fs::remove_file(self.file(&plugin.name, &version.digest))?;
        }
        Ok(())
    }

    /// Takes the oldest out while there are too many, or too large ones.
    fn prune(&self, versions: &mut Vec<Version>) -> Vec<Version> {
        let mut gone = Vec::new();
        while 1 < versions.len() {
            let bytes: u64 = versions.iter().map(|version| version.size_bytes).sum();
            if versions.len() <= self.count_max && bytes <= self.bytes_max {
                break;
            }
            gone.push(versions.remove(0));
        }
        gone
    }

    fn of(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn file(&self, name: &str, digest: &str) -> PathBuf {
        self.of(name).join(digest).with_extension("wasm")
    }
}

/// Writes beside the place and renames: whoever looks sees the old or the new.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write as _;

    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let write = || {
        let mut file = fs::File::create(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)
    };
    let written = write();
    match &written {
        Ok(()) => sync_folder(path),
        // The first error says more than a second.
        Err(_) => fs::remove_file(&aside).unwrap_or(()),
    }
    written
}

/// So that the new name outlives a loss of power. The file stands where it should in any case.
pub(crate) fn sync_folder(path: &Path) {
    let folder = path.parent().unwrap_or(path);
    if let Err(error) = fs::File::open(folder).and_then(|folder| folder.sync_all()) {
        warn!(folder = %folder.display(), %error, "a folder is not synced");
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scene {
        dir: tempfile::TempDir,
        versions: Versions,
    }

    impl Scene {
        fn new(count_max: usize, bytes_max: u64) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let versions = Versions::new(dir.path(), count_max, bytes_max);
            Self { dir, versions }
        }

        fn serve(&self, text: &str, at: i64) {
            self.serve_as("p", text, at);
        }

        fn serve_as(&self, name: &str, text: &str, at: i64) {
            // What lies in the folder by now is something else.
            let path = self.dir.path().join("p.wasm");
            fs::write(&path, "replaced again").unwrap();
            let (name, path) = (name.to_owned(), path.display().to_string());
            let file = PluginFile { name, path, bytes: text.as_bytes().to_vec() };
            let status = PluginStatus {
                name: file.name.clone(),
                path: file.path.clone(),
                version: Some(text.to_owned()),
                digest: Some(hex(&Sha256::digest(text))),
                ..PluginStatus::default()
            };
            self.versions.note(&[status], &[file], Timestamp::from_millis(at));
        }

        fn names(&self) -> Vec<(String, bool)> {
            let list = self.versions.list("p").into_iter();
            list.map(|version| (version.version, version.until.is_none())).collect()
        }
    }

    #[test]
    fn the_last_ones_are_kept_and_the_one_in_service_has_no_end() {
        let scene = Scene::new(2, 1000);
        for (at, text) in ["a", "b", "b", "c"].into_iter().enumerate() {
            scene.serve(text, i64::try_from(at).unwrap());
        }
        assert_eq!(scene.names(), [("b".to_owned(), false), ("c".to_owned(), true)]);
        let b = &scene.versions.list("p")[0];
        assert_eq!(b.until, Some(scene.versions.list("p")[1].since.clone()));
        assert_eq!(scene.versions.read("p", &b.digest).unwrap(), b"b");
        let folder = scene.dir.path().join(FOLDER).join("p");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3, "two files and the index");

        // Back in service, it is the last one.
        scene.serve("b", 9);
        assert_eq!(scene.names(), [("c".to_owned(), false), ("b".to_owned(), true)]);
        fs::write(folder.join(&b.digest).with_extension("wasm"), "x").unwrap();
        assert!(scene.versions.read("p", &b.digest).is_err());
    }

    #[test]
    fn a_plugin_that_is_gone_can_come_back_and_the_longest_gone_is_forgotten() {
        let scene = Scene::new(2, 1000);
        scene.serve("a", 0);
        scene.versions.note(&[], &[], Timestamp::from_millis(1));
        assert_eq!(scene.names(), [("a".to_owned(), false)]);
        let folder = scene.dir.path().join(FOLDER);
        for number in 0..GONE_MAX {
            let gone = folder.join(format!("gone-{number}"));
            fs::create_dir(&gone).unwrap();
            fs::copy(folder.join("p").join(INDEX), gone.join(INDEX)).unwrap();
            let text = fs::read_to_string(gone.join(INDEX)).unwrap();
            fs::write(gone.join(INDEX), text.replace("1970-", "1971-")).unwrap();
        }
        scene.versions.note(&[], &[], Timestamp::from_millis(2));
        assert_eq!(scene.names(), []);
        assert_eq!(fs::read_dir(folder).unwrap().count(), GONE_MAX);
    }

    #[test]
    fn what_a_crash_left_is_swept_and_what_an_index_knows_stays() {
        let scene = Scene::new(2, 1000);
        scene.versions.sweep().unwrap();
        scene.serve("a", 0);
        let folder = scene.dir.path().join(FOLDER);
        for left in ["p/.index.json.17", "p/ffff.wasm", "q/ffff.wasm"] {
            fs::create_dir_all(folder.join(left).parent().unwrap()).unwrap();
            fs::write(folder.join(left), "x").unwrap();
        }
        let files = |name: &str| fs::read_dir(folder.join(name)).unwrap().count();
        scene.versions.sweep().unwrap();
        assert_eq!(files("p"), 2, "a file and its index");
        assert!(!folder.join("q").exists());
        let a = &scene.versions.list("p")[0];
        assert_eq!(scene.versions.read("p", &a.digest).unwrap(), b"a");
        fs::write(folder.join("p").join(INDEX), "{").unwrap();
        scene.versions.sweep().unwrap();
        assert_eq!(files("p"), 2, "a damaged index says nothing of its files");
    }

    #[test]
    fn all_plugins_together_are_bounded_and_what_ended_first_goes_first() {
        let scene = Scene::new(9, 10);
        // Each has room for itself, and they have not for all of them.
        let text = |number: u64| format!("{number:010}");
        for number in 0..PLUGINS_FULL_MAX + 3 {
            scene.serve_as(&format!("q-{number}"), &text(number), i64::try_from(number).unwrap());
        }
        let left = |number: u64| scene.versions.list(&format!("q-{number}")).len();
        let all: Vec<u64> = (0..PLUGINS_FULL_MAX + 3).filter(|number| left(*number) > 0).collect();
        assert_eq!(all, (3..PLUGINS_FULL_MAX + 3).collect::<Vec<_>>());
        let kept = scene.versions.list("q-3");
        assert_eq!(scene.versions.read("q-3", &kept[0].digest).unwrap(), text(3).as_bytes());
    }

    #[test]
    fn bytes_are_bounded_but_for_the_one_in_service() {
        let scene = Scene::new(9, 10);
        scene.serve("12345", 0);
        scene.serve("54321", 1);
        assert_eq!(scene.names().len(), 2);
        scene.serve("a version of many bytes", 2);
        assert_eq!(scene.names(), [("a version of many bytes".to_owned(), true)]);
    }
}
