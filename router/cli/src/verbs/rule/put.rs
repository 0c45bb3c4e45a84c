//! `slipswitch rule put`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use server::offline::{RuleDocument, rule_documents};

use super::Place;
use super::made::Done;
use crate::client::{Address, Client};
use crate::failure::{Exit, Failure};
use crate::output;

/// What a router takes of a rule; of a file of several rules there may be more.
const FILE_BYTES_MAX: u64 = 64 << 20;

const EXAMPLES: &str = "\
The router tries each rule with all others, as a reload does, and takes it into service before this command ends; else \
nothing changes and what is wrong is shown: the exit code is then 78. It is kept in the router's data folder. A rule of \
this name is replaced, unless it belongs to a file. Several rules go one after the other, in the order of the files, and \
the first that is refused ends it.

Such a rule has no ${values} from outside, logs into no file, and goes only over connections that have `hosts`.

Examples:
  slipswitch rule put big-orders.yaml
  slipswitch import aws rules.json | slipswitch rule put -";

/// Send rules to a running router, which takes each into service or refuses it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Rule files; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    address: Address,
}

/// A rule to be sent.
struct Wanted {
    place: Place,
    document: RuleDocument,
    /// The file it is from, as it is shown.
    file: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut wanted = Vec::new();
    for path in &arguments.files {
        wanted.extend(read(path)?);
    }
    let client = Client::new(&arguments.address)?;
    let all = wanted.len();
    for (at, Wanted { place, document, file }) in wanted.into_iter().enumerate() {
        let put = client.put::<Done>(&place.path(), document.text.into_bytes());
        let done = put.map_err(|failure| {
            let message = at_home(&failure.message, &place, &file, document.line);
            let before = match at {
                0 => String::new(),
                _ => format!("\n{at} of {all} rules were taken before it, and run"),
            };
            Failure { message: format!("{message}{before}"), ..failure }
        })?;
        let how = if done.created { "made" } else { "replaced" };
        done.tell(how, "was in service already")?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<Wanted>, Failure> {
    let (file, text) = text(path)?;
    let documents = rule_documents(&file, &text, output::has_color())
        .map_err(|rendered| Failure::new(Exit::BadConfiguration, rendered))?;
    if documents.is_empty() {
        return Err(Failure::usage(format!("{file} holds no rule")));
    }
    let mut wanted = Vec::new();
    for mut document in documents {
        let line = document.line;
        let place = match (document.rules.pop(), document.rules.is_empty()) {
            (Some((bus, rule)), true) => Place { bus, rule },
            (Some(_), false) => {
                return Err(Failure::usage(format!(
                    "{file}, line {line}: a template of several rules cannot be sent; `slipswitch import cfn {file}` \
                     makes rules of it"
                )));
            }
            (None, _) => {
                return Err(Failure::usage(format!(
                    "{file}, line {line}: the rule has no `name`; `slipswitch check {file}` says what is wrong with it"
                )));
            }
        };
        wanted.push(Wanted { place, document, file: file.clone() });
    }
    Ok(wanted)
}

/// What a file is called, and holds.
fn text(path: &Path) -> Result<(String, String), Failure> {
    let is_input = path.as_os_str() == "-";
    let shown = if is_input { "standard input".to_owned() } else { path.display().to_string() };
    let mut text = String::new();
    let read = if is_input {
        std::io::stdin().lock().take(FILE_BYTES_MAX).read_to_string(&mut text)
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
    };
    read.map_err(|error| Failure::usage(format!("read {shown}: {error}")))?;
    Ok((shown, text))
}

/// A refusal names the file where the router would keep the rule; here it is known by another.
fn at_home(message: &str, place: &Place, file: &str, line: usize) -> String {
    let kept = format!("rules/{}/{}.yaml:", place.bus, place.rule);
    let mut out = String::new();
    let mut rest = message;
    while let Some(at) = rest.find(&kept) {
        let before = rest.get(..at).unwrap_or_default();
        let start = before.rfind(|c: char| c == '[' || c.is_whitespace()).map_or(0, |at| at + 1);
        out.push_str(before.get(..start).unwrap_or_default());
        out.push_str(file);
        // The lines of a refusal are those of what was sent.
        let from =
            if line == 1 { ":".to_owned() } else { format!(", in the rule from line {line}:") };
        out.push_str(&from);
        rest = rest.get(at + kept.len()..).unwrap_or_default();
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_file_that_was_sent() {
        let place = Place { bus: "shop".to_owned(), rule: "a".to_owned() };
        let message = "  × unknown key\n   ╭─[/var/lib/s/rules/shop/a.yaml:3:1]\nRules refused: data/rules/shop/a.yaml:3:1: unknown key";
        assert_eq!(
            at_home(message, &place, "my/a.yaml", 1),
            "  × unknown key\n   ╭─[my/a.yaml:3:1]\nRules refused: my/a.yaml:3:1: unknown key"
        );
        let told = at_home(message, &place, "all.yaml", 9);
        assert!(told.contains("[all.yaml, in the rule from line 9:3:1]"), "{told}");
        let other = Place { bus: "shop".to_owned(), rule: "b".to_owned() };
        assert_eq!(at_home(message, &other, "b.yaml", 1), message);
    }
}
