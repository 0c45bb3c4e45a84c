//! A stopped router's data folder once more, to be damaged.

use std::fs;
use std::path::Path;

use super::Scene;

impl Scene {
    /// Another folder with the same rules, configuration and data.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        for part in ["slipswitch.yaml", "rules", "data"] {
            copy_all(&self.path(part), &copy.path(part));
        }
        copy
    }

    /// Changes the bytes of a file.
    pub(crate) fn edit(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.path(path)).unwrap();
        change(&mut bytes);
        fs::write(self.path(path), bytes).unwrap();
    }

    /// The names in a folder that end so, sorted.
    pub(crate) fn names(&self, folder: &str, end: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.ends_with(end)).collect();
        names.sort();
        names
    }
}

fn copy_all(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy_all(&entry.path(), &to.join(entry.file_name()));
    }
}
