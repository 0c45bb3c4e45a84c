//! `slipswitch import …`: rules of EventBridge as rule files.

mod aws;
mod cfn;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use server::offline::import::{self, ImportReport, Known, Remark, Text, Weight};

use crate::failure::{Exit, Failure};
use crate::output::{complain, count, flat, line};
use crate::verbs::pattern::open;

/// Far beyond any template.
const FILE_BYTES_MAX: u64 = 64 << 20;

const ABOUT: &str = "\
Rules go to standard output, or into a folder with --out. What could not be carried over, and why, goes to standard \
error, each with its place. The exit code is 1 when anything was left behind, and 0 when nothing was; what is only \
noted counts for nothing. docs/importing.md says key by key what is carried over.";

/// Make rule files of EventBridge's rules
#[derive(Debug, Subcommand)]
#[command(after_help = ABOUT)]
pub(crate) enum Verb {
    Aws(aws::Arguments),
    Cfn(cfn::Arguments),
}

/// The options that both have.
#[derive(Debug, Args)]
struct Shared {
    /// YAML of what stands for which target: an ARN, a glob or a logical id, and `{ http: URL }`, `{ bus: NAME }` or
    /// `{ log: console }`
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// Write a file for each rule into this folder, instead of all to standard output
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write over files that are there
    #[arg(long, requires = "out")]
    force: bool,
    /// The router's configuration, whose buses the rules may name [default: slipswitch.yaml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Aws(arguments) => aws::run(arguments),
        Verb::Cfn(arguments) => cfn::run(arguments),
    }
}

impl Shared {
    fn known(&self) -> Result<Known, Failure> {
        let map = self.map.as_deref().map(read).transpose()?;
        Ok(Known { map, config: self.config.clone(), ..Known::default() })
    }

    /// Writes what is ready, and says what is not.
    fn finish(&self, report: &ImportReport) -> Result<(), Failure> {
        match &self.out {
            Some(folder) => import::write_rules(&report.ready, folder, self.force)
                .map_err(|error| Failure::failed(error.to_string()))?,
            None => {
                for (at, file) in report.ready.iter().enumerate() {
                    let before = if at == 0 { "" } else { "---\n" };
                    line(&format!("{before}{}", file.text.trim_end_matches('\n')))?;
                }
            }
        }
        tell(report);
        let lost = lost(report);
        complain(&self.summary(report, lost));
        if lost == 0 { Ok(()) } else { Err(Failure::silent(Exit::Failed)) }
    }

    fn summary(&self, report: &ImportReport, lost: usize) -> String {
        let rules = count(report.ready.len(), "rule");
        let place = match &self.out {
            Some(folder) => format!("{rules} written to {}", folder.display()),
            None => rules,
        };
        let lost = match lost {
            0 => "everything was carried over".to_owned(),
            _ => format!("{} not carried over", count(lost, "thing")),
        };
        let noted = report.remarks.iter().filter(|it| it.weight == Weight::Note).count();
        let noted = if noted == 0 { String::new() } else { format!(", {noted} noted") };
        format!("{place}; {lost}{noted}")
    }
}

fn lost(report: &ImportReport) -> usize {
    let lost = report.remarks.iter().filter(|it| it.weight == Weight::Lost).count();
    lost + report.refused.len() + report.unread.len()
}

/// Everything but the rules, for people.
fn tell(report: &ImportReport) {
    for problem in &report.unread {
        complain(problem);
    }
    for (rule, problem) in &report.refused {
        complain(&format!(
            "the rule {} is not written, because it is not right here:\n{problem}",
            flat(rule)
        ));
    }
    let parts = [(Weight::Lost, "not carried over:"), (Weight::Note, "to know:")];
    for (weight, head) in parts {
        let mut remarks = report.remarks.iter().filter(|it| it.weight == weight).peekable();
        if remarks.peek().is_some() {
            complain(head);
        }
        for remark in remarks {
            complain(&format!("  {}", sentence(remark)));
        }
    }
    if !report.warnings.is_empty() {
        complain("`slipswitch check` will warn of these:");
    }
    for warning in &report.warnings {
        complain(warning);
    }
    if !report.buses.is_empty() {
        complain(&format!("add to `buses` of slipswitch.yaml: {}", report.buses.join(", ")));
    }
    if let Some(stanza) = &report.configuration {
        complain(&format!("add to slipswitch.yaml, and set the variables:\n{}", indented(stanza)));
    }
    if !report.wanted.is_empty() {
        let entries =
            report.wanted.iter().map(|name| format!("{}: {{ http: \"https://…\" }}", quoted(name)));
        let entries: Vec<String> = entries.collect();
        let entries = indented(&entries.join("\n"));
        complain(&format!(
            "a map for --map would say what stands for these (or `bus:`, or `log: console`):\n{entries}"
        ));
    }
}

fn sentence(remark: &Remark) -> String {
    let Remark { path, line, rule, key, reason, .. } = remark;
    let rule = flat(rule);
    let what = match (rule.is_empty(), key.is_empty()) {
        (false, false) => format!(" {rule}, {}:", flat(key)),
        (true, false) => format!(" {}:", flat(key)),
        (false, true) => format!(" {rule}:"),
        (true, true) => String::new(),
    };
    format!("{path}:{line}:{what} {}", flat(reason))
}

fn quoted(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}

/// A file, or standard input, as text.
fn read(path: &Path) -> Result<Text, Failure> {
    let (path, reader) = open(path)?;
    let mut bytes = Vec::new();
    let failed = |reason: String| Failure::failed(format!("read {path}: {reason}"));
    let read = reader.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| failed(error.to_string()))?;
    if u64::try_from(bytes.len()).is_ok_and(|len| FILE_BYTES_MAX < len) {
        return Err(failed(format!("larger than {FILE_BYTES_MAX} bytes; import it in parts")));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Text { path, text }),
        Err(_) => Err(failed("not UTF-8 text; save it as UTF-8".to_owned())),
    }
}
