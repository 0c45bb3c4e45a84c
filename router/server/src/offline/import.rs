//! Rules of EventBridge as rule files, checked before anybody writes them.
//!
//! # Invariants
//!
//! - What is ready passes `slipswitch check`, all of it together: a rule that does not is told and left out.
//! - No file is written over unless that was asked for, and then each at once, old or new.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bus::ruleset::{
    self, Connections, Context, Diagnostic, Import, ImportedRule, Look, PluginStep, PluginUse,
    Plugins, PrepareError, SourceFile, TargetMap,
};

use crate::config::Config;
use crate::connections::Fit;
use crate::plugins::versions::replace;
use crate::values::SystemValues;

pub use bus::ruleset::{Remark, SourceFile as Text, Weight};

/// What somebody knows that the source does not say.
#[derive(Debug, Default)]
pub struct Known {
    /// What stands for which ARN.
    pub map: Option<Text>,
    /// Parameters of a template.
    pub parameters: BTreeMap<String, String>,
    /// The router's configuration: its buses are known.
    pub config: Option<PathBuf>,
}

/// What became of an import.
#[derive(Debug, Default)]
pub struct ImportReport {
    pub ready: Vec<RuleFile>,
    /// Names of rules that were read and are not right, with the reason.
    pub refused: Vec<(String, String)>,
    pub remarks: Vec<Remark>,
    /// Sources that could not be read, as people read it.
    pub unread: Vec<String>,
    /// ARNs and logical ids for a map.
    pub wanted: Vec<String>,
    /// Buses that the configuration does not have and no rule listens on.
    pub buses: Vec<String>,
    /// More that belongs into the configuration.
    pub configuration: Option<String>,
    /// What `slipswitch check` will say of the rules that are ready, as people read it.
    pub warnings: Vec<String>,
}

/// A rule that may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFile {
    /// Such as `big-orders.yaml`.
    pub file: String,
    pub text: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{0}")]
    Config(String),

    #[error("{0}")]
    Map(String),
}

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("{} there already: {}; --force writes over them, --out writes elsewhere", if .0.len() == 1 { "one file is" } else { "some files are" }, .0.join(", "))]
    Exists(Vec<String>),

    #[error("write {path}: {source}")]
    Disk { path: String, source: io::Error },
}

/// Reads what `aws events describe-rule`, `list-rules` and `list-targets-by-rule` printed.
///
/// # Errors
///
/// When the map or the configuration cannot be read; what is wrong with the sources is in the report.
pub fn import_aws(files: &[Text], known: &Known) -> Result<ImportReport, ImportError> {
    let map = map(known)?;
    judge(ruleset::import_commands(files, &map), files, known)
}

/// Reads a template of CloudFormation or SAM.
///
/// # Errors
///
/// As [`import_aws`].
pub fn import_cfn(template: &Text, known: &Known) -> Result<ImportReport, ImportError> {
    let map = map(known)?;
    let import = ruleset::import_template(template, &known.parameters, &map);
    judge(import, std::slice::from_ref(template), known)
}

/// Writes rule files into a folder, which is made when it is not there.
///
/// # Errors
///
/// When a file is there and `is_forced` is not said, nothing is written. When the disk fails, some may be.
pub fn write_rules(files: &[RuleFile], folder: &Path, is_forced: bool) -> Result<(), WriteError> {
    let taken = files.iter().map(|file| folder.join(&file.file)).filter(|path| path.exists());
    let taken: Vec<String> = taken.map(|path| path.display().to_string()).collect();
    if !taken.is_empty() && !is_forced {
        return Err(WriteError::Exists(taken));
    }
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |source| WriteError::Disk { path, source }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    for file in files {
        let path = folder.join(&file.file);
        replace(&path, file.text.as_bytes()).map_err(failed(&path))?;
    }
    Ok(())
}

fn map(known: &Known) -> Result<TargetMap, ImportError> {
    let Some(file) = &known.map else { return Ok(TargetMap::default()) };
    TargetMap::parse(file).map_err(|problems| ImportError::Map(rendered(&problems, &file.text)))
}

fn rendered(problems: &[Diagnostic], text: &str) -> String {
    let shown: Vec<String> = problems.iter().map(|one| one.render(text, false)).collect();
    shown.join("\n")
}

fn judge(import: Import, files: &[Text], known: &Known) -> Result<ImportReport, ImportError> {
    let config = Config::read(known.config.as_deref())
        .map_err(|error| ImportError::Config(error.to_string()))?;
    let buses: Vec<String> = config.buses.iter().chain(&import.buses).cloned().collect();
    let connections = Fit::of(&config);
    let context = Context {
        values: &SystemValues::default(),
        plugins: &NoPlugins,
        buses: &buses,
        connections: &WithImported { own: &connections, imported: &import.connections },
        limits: config.limits.of_events(),
    };
    let listened: BTreeSet<&str> = import.rules.iter().map(|rule| rule.bus.as_str()).collect();
    let is_new = |bus: &String| {
        bus != "default" && !config.buses.contains(bus) && !listened.contains(bus.as_str())
    };
    let new_buses = import.buses.iter().filter(|bus| is_new(bus)).cloned().collect();
    let Checked { ready, refused, warnings } = checked(&import.rules, &context);
    let text = |path: &str| files.iter().find(|file| file.path == path).map_or("", |it| &it.text);
    let unread = import.problems.iter().map(|one| one.render(text(&one.path), false));
    Ok(ImportReport {
        ready,
        refused,
        unread: unread.collect(),
        remarks: import.remarks,
        wanted: import.wanted,
        buses: new_buses,
        configuration: import.configuration,
        warnings,
    })
}

#[derive(Default)]
struct Checked {
    ready: Vec<RuleFile>,
    refused: Vec<(String, String)>,
    warnings: Vec<String>,
}

/// The rules that are right together, and the others with what is wrong.
fn checked(rules: &[ImportedRule], context: &Context<'_>) -> Checked {
    let mut left: Vec<(String, RuleFile)> = named(rules);
    let mut checked = Checked::default();
    loop {
        let files: Vec<SourceFile> = left
            .iter()
            .map(|(_, it)| SourceFile { path: it.file.clone(), text: it.text.clone() })
            .collect();
        let problems = match ruleset::load(&files, context) {
            Ok(loaded) => {
                let text =
                    |path: &str| files.iter().find(|it| it.path == path).map_or("", |it| &it.text);
                let shown = loaded.warnings.iter().map(|one| one.render(text(&one.path), false));
                checked.warnings = shown.collect();
                break;
            }
            Err(problems) => problems,
        };
        let before = left.len();
        left.retain(|(name, file)| {
            let own: Vec<Diagnostic> = problems
                .iter()
                .filter(|one| one.is_error() && one.path == file.file)
                .cloned()
                .collect();
            if !own.is_empty() {
                checked.refused.push((name.clone(), rendered(&own, &file.text)));
            }
            own.is_empty()
        });
        if before == left.len() {
            break; // It is about no file of ours, and cannot be about what is not there.
        }
    }
    checked.ready = left.into_iter().map(|(_, file)| file).collect();
    checked
}

/// A file for each rule, named after it; after its bus, too, where two would have one name.
fn named(rules: &[ImportedRule]) -> Vec<(String, RuleFile)> {
    let mut taken = BTreeSet::new();
    let files = rules.iter().map(|rule| {
        // What begins with a dot is hidden from the router. Disks may take `A` and `a` for one.
        let plain = rule.name.replace('/', "-");
        let plain = if plain.starts_with('.') { format!("rule{plain}") } else { plain };
        let candidates =
            [plain.clone(), format!("{}.{plain}", rule.bus.replace('/', "-"))].into_iter();
        let mut candidates = candidates.chain((2..).map(|n| format!("{plain}.{n}")));
        let file = candidates.find(|name| taken.insert(name.to_lowercase()));
        let file = format!("{}.yaml", file.unwrap_or(plain));
        let from: String =
            rule.path.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let text = format!("# From {from}, line {}.\n{}", rule.line, rule.text);
        (rule.name.clone(), RuleFile { file, text })
    });
    files.collect()
}

/// The configuration's connections, and those that are to be added to it.
struct WithImported<'a> {
    own: &'a Fit,
    imported: &'a [String],
}

impl Connections for WithImported<'_> {
    fn names(&self) -> Vec<&str> {
        let mut names = self.own.names();
        names.extend(self.imported.iter().map(String::as_str));
        names
    }

    fn look(&self, name: &str, url: &str, headers: &[&str]) -> Look {
        match self.own.look(name, url, headers) {
            Look::Unknown if self.imported.iter().any(|it| it == name) => Look::Fits,
            look => look,
        }
    }

    fn refusal(&self, url: &str) -> Option<String> {
        self.own.refusal(url)
    }
}

/// No imported rule has a plugin.
struct NoPlugins;

impl Plugins for NoPlugins {
    fn prepare(&self, wanted: &PluginUse<'_>) -> Result<Arc<dyn PluginStep>, PrepareError> {
        unreachable!("an imported rule has no step with the plugin {}", wanted.name)
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}
