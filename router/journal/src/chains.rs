//! The chains of one kind, a folder each: one for every bus, or one for every archive.
//!
//! # Invariants
//!
//! - A chain is opened once; everybody shares it.
//! - A folder's name tells the chain's: what a file system might not like stands as `%` and two hex
//!   digits.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io,
    sync::{Arc, PoisonError, RwLock},
};

use crate::{
    Chain, ChainError, ChainOptions, Expired, OpenError, disk::Disk, error::open_error, roll::Entry,
};

/// What the names end with of files that do not count yet.
const UNFINISHED: &str = ".new";

pub(crate) struct Chains {
    disk: Arc<dyn Disk>,
    /// What people call one, before its name.
    of: &'static str,
    open: RwLock<BTreeMap<Arc<str>, Chain>>,
}

impl Chains {
    /// Opens all that there are.
    pub(crate) fn open(disk: Arc<dyn Disk>, of: &'static str) -> Result<Self, OpenError> {
        let folders = match disk.folders() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            result => {
                result.map_err(|error| open_error(disk.path(""), "list the folder", error))?
            }
        };
        let mut open = BTreeMap::new();
        for folder in folders {
            // A folder of another kind of name is somebody else's.
            if let Some(name) = name_of(&folder)
                && has_begun(&*disk.folder(&folder))?
            {
                open.insert(name.as_str().into(), open_chain(&*disk, (of, &name))?);
            }
        }
        Ok(Self { disk, of, open: RwLock::new(open) })
    }

    pub(crate) fn get(&self, name: &str) -> Option<Chain> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The chain of this name, made when there is none.
    pub(crate) fn get_or_make(&self, name: &str) -> Result<Chain, OpenError> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(chain) = open.get(name) {
            return Ok(chain.clone());
        }
        let chain = open_chain(&*self.disk, (self.of, name))?;
        open.insert(name.into(), chain.clone());
        Ok(chain)
    }

    /// Opens one whose folder is gone as one that has lost what it held. Until that works it is as
    /// if there were none, which the log says.
    pub(crate) fn stand_in(&self, name: &str, entry: &Entry) {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        let folder = self.disk.folder(&folder_of(name));
        tracing::error!(
            of = self.of, name, path = %folder.path("").display(), records = entry.records,
            from = entry.from.get(), to = entry.to.get(), "its folder is missing, with all that it held"
        );
        let made = entry.stand_in(&*folder, name).map_err(|error| {
            open_error(folder.path(""), "make it in the place of one that is missing", error)
        });
        match made.and_then(|()| open_chain(&*self.disk, (self.of, name))) {
            Ok(chain) => drop(open.insert(name.into(), chain)),
            Err(error) => {
                tracing::error!(of = self.of, name, %error, "nothing stands in for it yet");
            }
        }
    }

    pub(crate) fn all(&self) -> Vec<Chain> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Removes a chain with all that is in it.
    pub(crate) fn remove(&self, name: &str) -> Result<Expired, ChainError> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        let Some(chain) = open.get(name) else { return Ok(Expired::default()) };
        let removed = chain.remove()?;
        open.remove(name);
        Ok(removed)
    }
}

/// Whether something was ever sealed into the folder. Else there is nothing to open, and on a full
/// disk nothing could be made of it.
fn has_begun(folder: &dyn Disk) -> Result<bool, OpenError> {
    let names = folder.list();
    let names = names.map_err(|error| open_error(folder.path(""), "list the folder", error))?;
    Ok(names.iter().any(|name| !name.ends_with(UNFINISHED)))
}

fn open_chain(disk: &dyn Disk, (of, name): (&str, &str)) -> Result<Chain, OpenError> {
    let folder = disk.folder(&folder_of(name));
    folder.make().map_err(|error| open_error(folder.path(""), "make it", error))?;
    let title = format!("{of} {name}");
    let options = ChainOptions { title, ..ChainOptions::new(folder.path(""), name) };
    let (chain, _said_in_the_log) = Chain::open_in(folder, options)?;
    Ok(chain)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_".contains(&byte)
}

pub(crate) fn folder_of(name: &str) -> String {
    let mut folder = String::with_capacity(name.len());
    for (index, byte) in name.bytes().enumerate() {
        if is_plain(byte) || (byte == b'.' && 0 < index) {
            folder.push(char::from(byte));
        } else {
            write!(folder, "%{byte:02x}").expect("a string takes everything");
        }
    }
    folder
}

/// What the chain in a folder is of.
pub(crate) fn name_of(folder: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(folder.len());
    let mut rest = folder.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let value = digit(rest.next()?)? * 16 + digit(rest.next()?)?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    let name = String::from_utf8(bytes).ok()?;
    (!name.is_empty() && folder_of(&name) == folder).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_tells_the_name_of_its_chain() {
        for (name, folder) in [
            ("shop", "shop"),
            ("a.b-c_d", "a.b-c_d"),
            ("..", "%2e."),
            ("a/b", "a%2fb"),
            ("ß", "%c3%9f"),
        ] {
            assert_eq!(folder_of(name), folder);
            assert_eq!(name_of(folder).as_deref(), Some(name));
        }
        for folder in ["", ".hidden", "a%2", "%41", "a b", "%2E."] {
            assert_eq!(name_of(folder), None, "{folder}");
        }
    }
}
