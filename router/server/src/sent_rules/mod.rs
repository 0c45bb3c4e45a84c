//! A rule that somebody sends: tried with all the others, kept in the data folder, taken into service.
//!
//! ```text
//! the reloader's turn ─▶ try: the folders as they are + this rule ─▶ write aside, sync, rename ─▶ swap ─▶ answer
//! ```
//!
//! # Invariants
//!
//! - **old rules beat bad rules**: what does not compile, or breaks a test, leaves the disk as it was.
//! - A rule of the folder belongs to its file: nothing that is sent changes it.
//! - A folder that is broken already does not stand in the way: the change is tried with what runs then.
//! - What is on the disk is one whole rule, the old one or the new one, whenever the process dies.
//! - A rule that was sent and then written into the folder as it is, is the folder's: nothing is said twice, nothing stops.
//! - Whoever sends a rule reads nothing of the router's machine by it, and writes nothing there but this rule.
//!
//! # Not here
//!
//! - Who may send rules, and in which dialect: the HTTP surfaces', which all come in through [`Intake::change_rule`].
//!
//! [`Intake::change_rule`]: crate::asked::Intake::change_rule

mod place;

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bus::ruleset::{self, Rule, RuleSet, SourceFile, Values};

pub(crate) use place::{RuleName, SentFolder};

use crate::load::{Compiled, Outcome, Rejection, Running, Source};
use crate::owed::Owed;
use crate::plugins::versions::{replace, sync_folder};
use crate::values::SystemValues;
use crate::watch::Seen;

/// Rules that were sent, of all buses.
const SENT_MAX: usize = 10_000;

pub(crate) enum Change {
    /// The text of its file.
    Put {
        text: String,
    },
    Remove,
    Switch {
        is_enabled: bool,
    },
}

/// A change that is in service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) generation: u64,
    /// False when it was in service before.
    pub(crate) is_new: bool,
    /// Whether there was no such rule before.
    pub(crate) is_created: bool,
    /// What lost its rule or its target by it, and is owed something.
    pub(crate) removed: Vec<Owed>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{}", .0.message)]
    Rejected(Rejection),

    #[error("the rule `{name}` belongs to {path}, line {line}: change it there")]
    OfFile { name: String, path: String, line: usize },

    #[error("there is no rule `{name}` on the bus `{bus}`")]
    Unknown { bus: String, name: String },

    #[error(
        "what was sent is {found}, and not the rule `{name}` of the bus `{bus}`: send that rule alone, with this `name` and `bus`"
    )]
    Another { bus: String, name: String, found: String },

    #[error("the rule cannot be switched without writing it anew: send all of it with PUT")]
    NotSwitched,

    #[error(
        "{SENT_MAX} rules have been made over an interface: remove one, or write it into a file"
    )]
    TooMany,

    #[error("the data folder cannot be changed: {0}")]
    Disk(#[from] io::Error),

    #[error("the new rules could not be taken into service: {0}")]
    NotSwapped(String),

    #[error("the router is stopping")]
    Stopping,
}

/// A change that was tried and stands on the disk; what is left is the swap.
pub(crate) struct Tried {
    pub(crate) compiled: Compiled,
    pub(crate) seen: Seen,
    /// Why what lies in the folders does not run, with the change as without: what runs has the change alone.
    pub(crate) broken: Option<Rejection>,
    pub(crate) is_created: bool,
    /// Whether the rules that run have it already.
    pub(crate) is_running: bool,
    file: OnDisk,
}

/// The file of a rule, and what it held.
struct OnDisk {
    path: PathBuf,
    before: Option<String>,
}

impl Tried {
    /// Puts the disk back as it was.
    pub(crate) fn undo(&self) -> io::Result<()> {
        self.file.write(self.file.before.as_deref())
    }
}

impl OnDisk {
    fn write(&self, text: Option<&str>) -> io::Result<()> {
        match text {
            Some(text) => {
                let folder = self.path.parent().unwrap_or(&self.path);
                fs::create_dir_all(folder)?;
                replace(&self.path, text.as_bytes())?;
                // The folders themselves may be new.
                folder.ancestors().take(2).for_each(sync_folder);
                Ok(())
            }
            None => match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => {
                    sync_folder(&self.path);
                    Ok(())
                }
            },
        }
    }
}

/// Loads the folders as they would be with the change, and makes it when all is well. Takes as long as compiling does.
pub(crate) fn try_change(
    source: &Source,
    running: Running<'_>,
    rule: &RuleName,
    change: Change,
) -> Result<Tried, Refusal> {
    let read =
        || source.folders.read().map_err(|error| Refusal::Rejected(Rejection::folder(&error)));
    let sent = &source.folders.sent;
    let path = sent.file(rule).ok_or(Refusal::Stopping)?;
    let shown = path.display().to_string();
    let mut content = read()?;
    let before = content.rules.iter().find(|file| file.path == shown).map(|file| file.text.clone());
    let is_left_over = before.is_some() && matches!(change, Change::Remove);
    if let Some(owner) = running.rules.and_then(|rules| of_file(rules, rule, sent))
        && !is_left_over
    {
        let (path, line, name) = (owner.path.clone(), owner.line, owner.name.clone());
        return Err(Refusal::OfFile { name, path, line });
    }
    let after = after(change, before.as_deref(), rule)?;
    let held = content.rules.iter().filter(|file| sent.holds(&file.path)).count();
    if before.is_none() && SENT_MAX <= held {
        return Err(Refusal::TooMany);
    }
    put(&mut content.rules, &shown, after.as_deref());
    content.digest = content.computed_digest();
    let digest = content.digest;
    let Outcome { compiled, values_from } = source.load(content, running);
    let (compiled, broken) = match compiled {
        Ok(compiled) => (compiled, None),
        Err(rejection) => {
            // Was it broken before? Then the change is not to blame, and must not wait for somebody else's mend.
            let is_broken = source.load(read()?, running).compiled.is_err();
            let change = |rules: &mut Vec<SourceFile>| put(rules, &shown, after.as_deref());
            let outcome = is_broken.then(|| source.load_changed(change, running)).flatten();
            let Some(outcome) = outcome else { return Err(Refusal::Rejected(rejection)) };
            (outcome.compiled.map_err(Refusal::Rejected)?, Some(rejection))
        }
    };
    if after.is_some() {
        is_this(&compiled.rules, rule, &shown)?;
    }
    let runs = running.texts.and_then(|texts| texts.of_file(&shown));
    let (is_created, is_running) = (before.is_none(), runs == after.as_deref());
    let file = OnDisk { path, before };
    file.write(after.as_deref())?;
    // The next poll reads the folders in any case, and finds the same content unless somebody else changed it.
    let seen = Seen { stamp: 0, digest, values_from };
    Ok(Tried { compiled, seen, broken, is_created, is_running, file })
}

/// The text of the rule with the change; none when it goes.
fn after(change: Change, before: Option<&str>, rule: &RuleName) -> Result<Option<String>, Refusal> {
    let unknown = || Refusal::Unknown { bus: rule.bus().into(), name: rule.name().into() };
    match change {
        Change::Put { text } => {
            look_at_name(&text, rule)?;
            Ok(Some(text))
        }
        Change::Remove => before.map(|_| None).ok_or_else(unknown),
        Change::Switch { is_enabled } => {
            let text = before.ok_or_else(unknown)?.to_owned();
            let file = SourceFile { path: String::new(), text };
            ruleset::switched(&file, is_enabled).map(Some).ok_or(Refusal::NotSwitched)
        }
    }
}

/// One file of all, in its place.
fn put(rules: &mut Vec<SourceFile>, path: &str, text: Option<&str>) {
    rules.retain(|file| file.path != path);
    if let Some(text) = text {
        rules.push(SourceFile { path: path.to_owned(), text: text.to_owned() });
        rules.sort_by(|a, b| Path::new(&a.path).cmp(Path::new(&b.path)));
    }
}

/// Passes over what was sent and stands in a file of the folder, too, byte for byte: the rule belongs to that file then.
pub(crate) fn take_out_copies(rules: &mut Vec<SourceFile>, sent: &SentFolder) {
    let of_files = rules.iter().filter(|file| !sent.holds(&file.path));
    let texts: HashSet<String> = match rules.iter().any(|file| sent.holds(&file.path)) {
        true => of_files.map(|file| file.text.clone()).collect(),
        false => return,
    };
    rules.retain(|file| !sent.holds(&file.path) || !texts.contains(&file.text));
}

/// The rule of this name that runs, when it is from a file of the folder.
fn of_file<'r>(rules: &'r RuleSet, rule: &RuleName, sent: &SentFolder) -> Option<&'r Rule> {
    let found = rules.on(rule.bus())?.rules().iter().find(|it| it.name == rule.name())?;
    (!sent.holds(&found.path)).then_some(&**found)
}

/// Says of another rule that it is one before it is compiled with all others, which may have one of its name. What cannot
/// be read is told with its place later.
fn look_at_name(text: &str, rule: &RuleName) -> Result<(), Refusal> {
    let file = SourceFile { path: String::new(), text: text.to_owned() };
    let Ok(documents) = ruleset::documents(&file) else { return Ok(()) };
    if documents.iter().any(|document| document.rules.is_empty()) {
        return Ok(());
    }
    let held: Vec<(String, String)> = documents.into_iter().flat_map(|it| it.rules).collect();
    is_alone(&held, rule)
}

/// The file holds the rule that it is named after, and nothing else.
fn is_this(rules: &RuleSet, rule: &RuleName, path: &str) -> Result<(), Refusal> {
    let held = rules.rules().iter().filter(|it| it.path == path);
    let held: Vec<_> = held.map(|it| (it.bus.clone(), it.name.clone())).collect();
    is_alone(&held, rule)
}

/// `held` are buses and names.
fn is_alone(held: &[(String, String)], rule: &RuleName) -> Result<(), Refusal> {
    let found = match held {
        [(bus, name)] if bus == rule.bus() && name == rule.name() => return Ok(()),
        [(bus, name)] => format!("the rule `{name}` of the bus `{bus}`"),
        [] => "no rule".to_owned(),
        several => format!("{} rules", several.len()),
    };
    Err(Refusal::Another { bus: rule.bus().into(), name: rule.name().into(), found })
}

/// The system's values, for the rules of files alone.
pub(crate) struct Guarded<'a> {
    pub(crate) values: &'a SystemValues,
    pub(crate) sent: &'a SentFolder,
}

impl Values for Guarded<'_> {
    fn env(&self, name: &str) -> Option<String> {
        self.values.env(name)
    }

    fn file(&self, path: &str) -> Result<String, String> {
        self.values.file(path)
    }

    fn credential(&self, name: &str) -> Result<String, String> {
        self.values.credential(name)
    }

    fn trusts(&self, path: &str) -> bool {
        !self.sent.holds(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_is_put_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rules/shop/a.yaml");
        let read = || fs::read_to_string(&path).ok();
        let file =
            |before: Option<&str>| OnDisk { path: path.clone(), before: before.map(str::to_owned) };
        for before in [None, Some("old")] {
            let file = file(before);
            file.write(Some("new")).unwrap();
            assert_eq!(read().as_deref(), Some("new"));
            file.write(file.before.as_deref()).unwrap();
            assert_eq!(read().as_deref(), before);
        }
        for _ in 0..2 {
            file(None).write(None).unwrap();
            assert_eq!(read(), None, "what is gone already is no failure");
        }
    }

    #[test]
    fn only_a_copy_byte_for_byte_is_passed_over() {
        let sent = SentFolder::at("data/rules".into());
        let left = |own: &str| {
            let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
            let mut rules = vec![
                file("data/rules/shop/a.yaml", "name: a\n"),
                file("data/rules/shop/b.yaml", "name: a\n"),
                file("rules/a.yaml", own),
                file("rules/b.yaml", own),
            ];
            take_out_copies(&mut rules, &sent);
            rules.len()
        };
        assert_eq!(left("name: a\n"), 2);
        assert_eq!(left("name: a"), 4);
    }
}
