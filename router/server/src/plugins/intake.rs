//! A plugin that somebody sends: tried with the running rules, put into the folder, taken into service.
//!
//! ```text
//! the reloader's turn ─▶ try: folder as it is + this file ─▶ rename ─▶ swap ─▶ answer
//! ```
//!
//! # Invariants
//!
//! - **old rules beat bad rules**: what does not load, or breaks a rule or its tests, leaves the folder as it was.
//! - A folder that is broken already does not stand in the way: the change is tried with what runs then.
//! - One change at a time, and none beside a reload: both are turns of the reloader.

use std::fs;
use std::io;
use std::path::PathBuf;

use bus::PluginFile;
use bus::ruleset::{Rule, RuleSet, Step};
use bytes::Bytes;

use super::versions::replace;
use crate::load::{Compiled, Outcome, Rejection, Running, Source};
use crate::watch::Seen;

pub(crate) enum Change {
    Put { name: String, bytes: Bytes },
    Remove { name: String },
}

/// A change that is in service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) version: Option<String>,
    pub(crate) digest: Option<String>,
    pub(crate) generation: u64,
    /// False when it was in service before.
    pub(crate) is_new: bool,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{}", .0.message)]
    Rejected(Rejection),

    #[error("{0}")]
    NoPlugin(String),

    #[error("there is no plugin `{name}`")]
    Unknown { name: String },

    #[error("the rule{} it: take it out of there first", match .rules.as_slice() {
        [one] => format!(" `{one}` uses"),
        several => format!("s `{}` use", several.join("`, `")),
    })]
    InUse { rules: Vec<String> },

    #[error("the folder of plugins cannot be changed: {0}")]
    Disk(#[from] io::Error),

    #[error("the new rules could not be taken into service: {0}")]
    NotSwapped(String),

    #[error("the router is stopping")]
    Stopping,
}

/// A change that was tried and stands in the folder; what is left is the swap.
pub(crate) struct Tried {
    pub(crate) compiled: Compiled,
    pub(crate) seen: Seen,
    pub(crate) version: Option<String>,
    pub(crate) digest: Option<String>,
    pub(crate) name: String,
    /// Why what lies in the folders does not run, with the change as without: what runs has the change alone.
    pub(crate) broken: Option<Rejection>,
    path: PathBuf,
    before: Option<Vec<u8>>,
}

impl Tried {
    /// Puts the folder back as it was.
    pub(crate) fn undo(&self) -> io::Result<()> {
        match &self.before {
            Some(bytes) => replace(&self.path, bytes),
            None => fs::remove_file(&self.path),
        }
    }
}

/// Loads the folders as they would be with the change, and makes it when all is well. Takes as long as compiling does.
pub(crate) fn try_change(
    source: &Source,
    running: Running<'_>,
    change: Change,
) -> Result<Tried, Refusal> {
    let read =
        || source.folders.read().map_err(|error| Refusal::Rejected(Rejection::folder(&error)));
    let mut content = read()?;
    let (Change::Put { name, .. } | Change::Remove { name }) = &change;
    let name = name.clone();
    let path = source.folders.plugins.join(&name).with_added_extension("wasm");
    let at = content.plugins.iter().position(|file| file.name == name);
    let before = at.map(|at| content.plugins.remove(at).bytes);
    let new = match change {
        Change::Put { bytes, .. } => Some(bytes),
        Change::Remove { .. } => None,
    };
    let file = match (&new, &before) {
        (None, None) => return Err(Refusal::Unknown { name }),
        (None, Some(_)) => {
            let users = running.rules.map_or_else(Vec::new, |rules| users(rules, &name));
            let rules: Vec<String> = users.iter().map(|rule| rule.name.clone()).collect();
            if !rules.is_empty() {
                return Err(Refusal::InUse { rules });
            }
            None
        }
        (Some(bytes), _) => {
            let file = PluginFile {
                name: name.clone(),
                path: path.display().to_string(),
                bytes: bytes.to_vec(),
            };
            content.plugins.push(file.clone());
            content.plugins.sort_by(|a, b| PathBuf::from(&a.path).cmp(&PathBuf::from(&b.path)));
            Some(file)
        }
    };
    content.digest = content.computed_digest();
    let digest = content.digest;
    let Outcome { compiled, values_from } = source.load(content, running);
    let (compiled, broken) = match compiled {
        Ok(compiled) => (compiled, None),
        Err(rejection) => {
            // Was it broken before? Then the change is not to blame, and must not wait for somebody else's mend.
            let is_broken = source.load(read()?, running).compiled.is_err();
            let gone = file.is_none().then_some(name.as_str());
            let outcome = is_broken.then(|| source.load_beside(file, gone, running)).flatten();
            let Some(outcome) = outcome else { return Err(Refusal::Rejected(rejection)) };
            (outcome.compiled.map_err(Refusal::Rejected)?, Some(rejection))
        }
    };
    let status = compiled.shelf.listing().into_iter().find(|status| status.name == name);
    if let Some(error) = status.as_ref().and_then(|status| status.error.clone()) {
        return Err(Refusal::NoPlugin(error));
    }
    match &new {
        Some(bytes) => {
            fs::create_dir_all(&source.folders.plugins)?;
            replace(&path, bytes)?;
        }
        None => fs::remove_file(&path)?,
    }
    // The next poll reads the folders in any case, and finds the same content unless somebody else changed it.
    let seen = Seen { stamp: 0, digest, values_from };
    let version = status.as_ref().and_then(|status| status.version.clone());
    let digest = status.and_then(|status| status.digest);
    Ok(Tried { compiled, seen, version, digest, name, broken, path, before })
}

/// The rules with a step of this plugin, or with one that it runs beside, as a shadow or a canary.
pub(crate) fn users<'a>(rules: &'a RuleSet, name: &str) -> Vec<&'a Rule> {
    let uses = |step: &Step| match step {
        Step::Plugin { name: used, step, .. } => {
            used == name || step.beside().is_some_and(|beside| beside.plugin == name)
        }
        Step::Input(_) => false,
    };
    let rules = rules.rules().iter();
    let using =
        rules.filter(|rule| rule.targets.iter().any(|target| target.steps.iter().any(uses)));
    using.map(|rule| &**rule).collect()
}
