//! The command to try after a failure: the last line of standard error.
//!
//! ```text
//! next: slipswitch check --rules my-rules
//! ```
//!
//! # Invariants
//!
//! - It can be typed as it stands: the parser takes it, and names are filled in and quoted for a shell.
//! - It is said once: a message that ends with a command (in backticks) gets no second one.
//! - It is the same for people and for `-o json`, which is about standard output alone.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command, CommandFactory as _, parser::ValueSource};

use crate::failure::{Exit, Failure, Next};

const NAME: &str = "slipswitch";
/// What is longer is not typed again by anybody.
const LINE_CHARS_MAX: usize = 300;
/// Where a router is and where its files are: what one verb was told, the next one has to be told, too.
const CARRIED: [&str; 5] = ["url", "rules", "plugins", "config", "data"];

/// What somebody typed.
pub(crate) struct Asked<'a> {
    words: &'a [OsString],
    /// The verb: `dlq`, `ls`.
    path: Vec<String>,
    options: Option<&'a ArgMatches>,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(words: &'a [OsString], matches: Option<&'a ArgMatches>) -> Self {
        let options = matches.map(|matches| {
            let mut leaf = matches;
            while let Some((_, below)) = leaf.subcommand() {
                leaf = below;
            }
            leaf
        });
        Self { words, path: path(words), options }
    }

    fn verb(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// What an option or argument was given, in words.
    fn given(&self, id: &str) -> Vec<String> {
        let is_given = |options: &&ArgMatches| {
            options.ids().any(|known| known.as_str() == id)
                && options.value_source(id) == Some(ValueSource::CommandLine)
        };
        let values = self.options.filter(is_given).and_then(|options| options.get_raw(id));
        values.into_iter().flatten().filter_map(OsStr::to_str).map(str::to_owned).collect()
    }

    fn flag(&self, id: &str) -> bool {
        self.options.is_some_and(|options| matches!(options.try_get_one(id), Ok(Some(true))))
    }

    fn all_words(&self) -> Vec<String> {
        self.words.iter().map(|word| word.to_string_lossy().into_owned()).collect()
    }

    fn help(&self) -> Vec<String> {
        self.path.iter().cloned().chain(["--help".to_owned()]).collect()
    }
}

/// The line that ends the talk about a failure; none when it would say nothing new.
pub(crate) fn line(asked: &Asked<'_>, failure: &Failure) -> Option<String> {
    if ends_with_command(&failure.message) {
        return None;
    }
    let words = match &failure.next {
        Next::Nothing => return None,
        Next::Again => asked.all_words(),
        Next::AgainWith(more) => [asked.all_words(), vec![(*more).to_owned()]].concat(),
        Next::Help => asked.help(),
        Next::Try(words) => carried(asked, words.clone()),
        Next::OfVerb => carried(asked, of_verb(asked, failure)),
    };
    let line = typed(&words).or_else(|| typed(&asked.help()))?;
    Some(format!("next: {line}"))
}

/// What clap has to say, and what to try then.
pub(crate) fn unparsed(words: &[OsString], error: &clap::Error, has_color: bool) -> Failure {
    let rendered = error.render();
    let text = if has_color { rendered.ansi().to_string() } else { rendered.to_string() };
    // The help to look at comes last, and is that of the verb.
    let text = text.rsplit_once("\nFor more information").map_or(&*text, |(before, _)| before);
    let path = path(words);
    let verb: Vec<&str> = path.iter().map(String::as_str).collect();
    let meant = match (error.kind(), error.get(ContextKind::SuggestedSubcommand)) {
        (ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand, _) => {
            Some(beginning(&verb))
        }
        (_, Some(ContextValue::Strings(near))) => {
            near.first().map(|near| with(&verb, &[near.as_str()]))
        }
        (_, Some(ContextValue::String(near))) => Some(with(&verb, &[near.as_str()])),
        _ => None,
    };
    let next = match meant {
        Some(words) if typed(&words).is_some() => Next::Try(words),
        Some(words) => Next::Try([words, vec!["--help".to_owned()]].concat()),
        None => Next::Help,
    };
    Failure::usage(text.trim_end()).then(next)
}

/// What one looks at first in a group of verbs.
fn beginning(verb: &[&str]) -> Vec<String> {
    let root = crate::Arguments::command();
    let group = verb.iter().try_fold(&root, |at, word| at.find_subcommand(word));
    match group {
        Some(group) if !verb.is_empty() => {
            let first = group.get_subcommands().next().map_or("help", Command::get_name);
            with(verb, &[if group.find_subcommand("ls").is_some() { "ls" } else { first }])
        }
        _ => words_of(&["dev"]),
    }
}

/// What a verb's failure is followed by, where nobody knows better.
fn of_verb(asked: &Asked<'_>, failure: &Failure) -> Vec<String> {
    let is_named = || {
        !asked.given("url").is_empty()
            || std::env::var_os("SLIPSWITCH_URL").is_some_and(|url| !url.is_empty())
    };
    let words: &[&str] = match failure.exit {
        Exit::NobodyListens | Exit::Usage => return asked.help(),
        Exit::Unreachable if is_named() => &["doctor"],
        Exit::Unreachable => &["dev"],
        Exit::TestsFailed => return asked.all_words(),
        Exit::BadConfiguration => return of_broken(asked),
        Exit::Failed => return of_failed(asked, failure),
    };
    words_of(words)
}

/// After a file that is broken.
fn of_broken(asked: &Asked<'_>) -> Vec<String> {
    let named = ["rules", "plugins", "config", "paths", "within", "against"];
    let mut named = named.into_iter().flat_map(|id| named_files(asked, id));
    if named.any(|path| !Path::new(&path).exists()) {
        return asked.help();
    }
    match *asked.verb() {
        ["check"] => asked.all_words(),
        ["fmt"] => with(&["check"], &named_files(asked, "paths")),
        ["reload"] | ["plugin", "test"] => asked.all_words(),
        ["rule", "put"] => with(&["check"], &named_files(asked, "files")),
        ["plugin", "put"] => with(&["plugin", "inspect"], &asked.given("file")),
        ["plugin", "run"] => with(&["plugin", "inspect"], &asked.given("plugin")),
        ["plugin", "rollback"] => with(&["plugin", "versions"], &asked.given("name")),
        ["plugin", _] => words_of(&["plugin", "build", "--help"]),
        _ => words_of(&["check"]),
    }
}

/// After something else that went wrong.
fn of_failed(asked: &Asked<'_>, failure: &Failure) -> Vec<String> {
    let is_said = failure.message.is_empty();
    match *asked.verb() {
        ["serve" | "dev" | "status"] => words_of(&["doctor"]),
        ["doctor"] | ["plugin", "build" | "test"] => asked.all_words(),
        ["reload" | "tail" | "listen" | "diff" | "events"] | ["connection", _] => {
            words_of(&["status"])
        }
        ["event"] => words_of(&["events"]),
        ["fmt"] if asked.flag("check") => with(&["fmt"], &named_files(asked, "paths")),
        ["fmt"] => with(&["check"], &named_files(asked, "paths")),
        ["import", _] if is_said && !asked.given("out").is_empty() => {
            with(&["check", "--rules"], &asked.given("out"))
        }
        ["journal", "repair"] => words_of(&["journal", "verify"]),
        ["journal", _] => words_of(&["journal", "repair"]),
        ["plugin", "run"] => with(&["plugin", "inspect"], &asked.given("plugin")),
        ["plugin", "new" | "update-sdk" | "inspect"] => asked.help(),
        [_, "ls"] => words_of(&["status"]),
        [group, _] if has_listing(group) => words_of(&[group, "ls"]),
        _ => asked.help(),
    }
}

fn has_listing(group: &str) -> bool {
    let root = crate::Arguments::command();
    root.find_subcommand(group).is_some_and(|group| group.find_subcommand("ls").is_some())
}

/// Files, unless they are standard input, which is gone.
fn named_files(asked: &Asked<'_>, id: &str) -> Vec<String> {
    asked.given(id).into_iter().filter(|path| path != "-").collect()
}

fn words_of(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn with(words: &[&str], more: &[impl AsRef<str>]) -> Vec<String> {
    let more = more.iter().map(|word| word.as_ref().to_owned());
    words_of(words).into_iter().chain(more).collect()
}

/// With the places that were named, as far as the next verb asks for them.
fn carried(asked: &Asked<'_>, mut words: Vec<String>) -> Vec<String> {
    let as_os: Vec<OsString> = words.iter().map(OsString::from).collect();
    let root = crate::Arguments::command();
    let path = path(&as_os);
    let verb = path.iter().try_fold(&root, |at, word| at.find_subcommand(word));
    // Of a plugin, `--config` is what it is configured with, and no verb of it reads rules.
    let is_plugin = asked.path.first().is_some_and(|group| group == "plugin");
    if words == asked.all_words() {
        return words;
    }
    let takes = |name: &str| {
        verb.is_some_and(|verb| verb.get_arguments().any(|known| known.get_long() == Some(name)))
    };
    let is_said =
        |name: &str, words: &[String]| words.iter().any(|word| *word == format!("--{name}"));
    for name in CARRIED.into_iter().filter(|name| !is_plugin || *name == "url") {
        if takes(name) && !is_said(name, &words) && !is_said("help", &words) {
            words.extend(
                asked
                    .given(name)
                    .first()
                    .into_iter()
                    .flat_map(|value| [format!("--{name}"), value.clone()]),
            );
        }
    }
    words
}

/// The first words that are verbs.
fn path(words: &[OsString]) -> Vec<String> {
    let root = crate::Arguments::command();
    let mut at = &root;
    let mut path = Vec::new();
    for word in words {
        let below = word.to_str().and_then(|word| at.find_subcommand(word));
        let Some(below) = below else { break };
        path.push(below.get_name().to_owned());
        at = below;
    }
    path
}

/// As one types it, if one could.
fn typed(words: &[String]) -> Option<String> {
    let quoted: Option<Vec<String>> = words.iter().map(|word| quoted(word)).collect();
    let line = format!("{NAME} {}", quoted?.join(" "));
    (line.chars().count() <= LINE_CHARS_MAX && is_command(words)).then_some(line)
}

/// Whether the parser takes this.
fn is_command(words: &[String]) -> bool {
    let all = std::iter::once(NAME).chain(words.iter().map(String::as_str));
    match crate::Arguments::command().try_get_matches_from(all) {
        Ok(_) => true,
        Err(error) => matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion),
    }
}

/// For a shell. What would steer a terminal is not repeated.
fn quoted(word: &str) -> Option<String> {
    if word.chars().any(|c| c.is_control() || c == char::REPLACEMENT_CHARACTER) {
        return None;
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return Some(word.to_owned());
    }
    Some(format!("'{}'", word.replace('\'', r"'\''")))
}

fn ends_with_command(message: &str) -> bool {
    let last = message.trim_end().lines().next_back().unwrap_or_default();
    let Some((_, command)) = last.strip_suffix('`').and_then(|text| text.rsplit_once('`')) else {
        return false;
    };
    let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
    match words.split_first() {
        Some((name, words)) if name == NAME => is_command(words),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
