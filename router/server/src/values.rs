//! What `${NAME}`, `${file:…}` and `${credential:…}` stand for: the environment and small files.
//!
//! The files that were asked for are remembered with what they held: a secret that is rotated is a change like
//! that of a rule.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::folder::open_regular;

/// Longer than any secret, shorter than a mistake.
const BYTES_MAX: u64 = 64 * 1024;

const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// The digest of each file's text, or of the error in its place.
pub(crate) type Digests = BTreeMap<PathBuf, [u8; 32]>;

#[derive(Default)]
pub(crate) struct SystemValues {
    asked: Mutex<Digests>,
}

impl SystemValues {
    pub(crate) fn into_digests(self) -> Digests {
        self.asked.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the files still hold what they did.
pub(crate) fn are_unchanged(digests: &Digests) -> bool {
    digests.iter().all(|(path, before)| digest(&read(path)) == *before)
}

impl bus::ruleset::Values for SystemValues {
    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &str) -> Result<String, String> {
        let text = read(Path::new(path));
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.insert(path.into(), digest(&text));
        text
    }

    /// systemd puts a service's credentials into a folder of its own, which it names in the environment.
    fn credential(&self, name: &str) -> Result<String, String> {
        let is_name = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0']);
        if !is_name {
            return Err("this is no name of one".to_owned());
        }
        let folder = self.env(CREDENTIALS).ok_or_else(|| {
            format!("the environment has no {CREDENTIALS}, which systemd sets for a unit with credentials")
        })?;
        self.file(&Path::new(&folder).join(name).display().to_string())
    }
}

/// The file's text without the line end that editors and `echo` leave at its end.
fn read(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let mut bytes = Vec::new();
    let read = open_regular(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes));
    read.map_err(|error| format!("read {shown}: {error}"))?;
    if u64::try_from(bytes.len()).is_ok_and(|len| BYTES_MAX < len) {
        return Err(format!("read {shown}: larger than {BYTES_MAX} bytes"));
    }
    let mut text = String::from_utf8(bytes).map_err(|error| format!("read {shown}: {error}"))?;
    if text.ends_with('\n') {
        text.pop();
    }
    if text.ends_with('\r') {
        text.pop();
    }
    Ok(text)
}

fn digest(text: &Result<String, String>) -> [u8; 32] {
    let (Ok(text) | Err(text)) = text;
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use bus::ruleset::Values;

    use super::*;

    #[test]
    fn a_file_loses_one_line_end_and_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "a b\n\r\n").unwrap();
        let values = SystemValues::default();
        assert_eq!(values.file(path.to_str().unwrap()), Ok("a b\n".to_owned()));
        let digests = values.into_digests();
        assert!(digests.contains_key(&path) && are_unchanged(&digests));
        std::fs::write(&path, "other").unwrap();
        assert!(!are_unchanged(&digests));
    }

    #[test]
    fn a_missing_large_or_binary_file_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let values = SystemValues::default();
        for (name, content) in [("large", vec![b'a'; 70_000]), ("binary", vec![0xff])] {
            let path = dir.path().join(name);
            std::fs::write(&path, content).unwrap();
            let error = values.file(path.to_str().unwrap()).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
        let error = values.file("/nowhere/at/all").unwrap_err();
        assert!(error.contains("/nowhere/at/all"), "{error}");
        for other in [dir.path().to_str().unwrap(), "/dev/zero"] {
            let error = values.file(other).unwrap_err();
            assert!(error.ends_with("is not a regular file"), "{error}");
        }
    }
}
