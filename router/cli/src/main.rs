//! The `slipswitch` command.
//!
//! Two verbs are the router itself (`serve`, `dev`), some work on files alone (`check`, `test`, `fmt`, `pattern`,
//! `bench`), and the rest talks to a running router over HTTP. Each verb is one file under `verbs`.
//!
//! # Invariants
//!
//! - What was asked for goes to standard output, everything else to standard error.
//! - The exit code says what happened: see [`failure::Exit`].
//!
//! # Not here
//!
//! - The inside of the server: a verb knows what anybody on the network knows.

mod annotation;
mod client;
mod clock;
mod consent;
mod failure;
mod fit;
mod input;
mod junit;
mod keys;
mod kit;
mod matching;
mod name;
mod next;
mod output;
mod paint;
mod problem;
mod progress;
mod rows;
mod sarif;
mod source;
mod span;
mod sse;
mod verbs;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::failure::{Exit, Failure, Next};
use crate::next::Asked;

const EXAMPLES: &str = "\
Examples:
  slipswitch dev                      run a router on the rules in ./rules
  slipswitch send --bus shop --source com.shopvn.order \\
      --detail-type OrderCreated \\
      --detail '{\"orderId\": \"o-1\", \"totalAmount\": 250000}'
  slipswitch tail                     events as they come, and where they go
  slipswitch status                   what the router is doing
  slipswitch event ID                 what became of an event
  slipswitch dlq ls                   what could not be delivered, and why
  slipswitch replay start --since 1h  send the last hour again
  slipswitch doctor                   whether this machine is fit for a router

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a rule's test failed, 69 the router cannot be reached, \
78 the configuration or a rule file is broken.";

const RUN_HINT: &str = "\
there is no `slipswitch run`: `slipswitch dev` runs a router on your rules, `slipswitch serve` one for good, \
`slipswitch plugin run` sends events through a plugin";

/// A self-hosted event router: events in over HTTP, matched by their content, transformed, and delivered.
#[derive(Parser)]
#[command(name = "slipswitch", version, after_help = EXAMPLES, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Serve(verbs::serve::Arguments),
    Dev(verbs::dev::Arguments),
    Send(verbs::send::Arguments),
    Tail(verbs::tail::Arguments),
    Listen(verbs::listen::Arguments),
    Check(verbs::check::Arguments),
    Test(verbs::test::Arguments),
    Explain(verbs::explain::Arguments),
    Diff(verbs::diff::Arguments),
    Fmt(verbs::fmt::Arguments),
    Reload(verbs::reload::Arguments),
    #[command(subcommand)]
    Rule(verbs::rule::Verb),
    #[command(subcommand)]
    Replay(verbs::replay::Verb),
    #[command(subcommand)]
    Archive(verbs::archive::Verb),
    #[command(subcommand)]
    Dlq(verbs::dlq::Verb),
    #[command(subcommand)]
    Target(verbs::target::Verb),
    #[command(subcommand)]
    Connection(verbs::connection::Verb),
    Event(verbs::event::Arguments),
    Events(verbs::events::Arguments),
    #[command(subcommand)]
    Journal(verbs::journal::Verb),
    Status(verbs::status::Arguments),
    #[command(subcommand)]
    Pattern(verbs::pattern::Verb),
    #[command(subcommand)]
    Plugin(verbs::plugin::Verb),
    #[command(subcommand)]
    Import(verbs::import::Verb),
    Export(verbs::export::Arguments),
    #[command(subcommand)]
    Bench(verbs::bench::Verb),
    Completions(verbs::completions::Arguments),
    Man(verbs::man::Arguments),
    #[command(subcommand)]
    Schema(verbs::schema::Verb),
    Doctor(verbs::doctor::Arguments),
}

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    match attempt(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err((exit, said)) => {
            if !said.is_empty() {
                output::complain(&said);
            }
            exit.into()
        }
    }
}

/// Does what was asked. A failure comes with all that is still to be said of it: the message, and what to try next.
fn attempt(words: &[OsString]) -> Result<(), (Exit, String)> {
    let name = std::iter::once(OsString::from("slipswitch"));
    let parsed = Arguments::command().try_get_matches_from(name.chain(words.iter().cloned()));
    let (matches, done) = match parsed {
        Ok(matches) => {
            let arguments = Arguments::from_arg_matches(&matches);
            let done = arguments.map_or_else(|error| unparsed(words, &error), |it| run(it.verb));
            (Some(matches), done)
        }
        Err(error) => (None, unparsed(words, &error)),
    };
    done.map_err(|failure| {
        let next = next::line(&Asked::new(words, matches.as_ref()), &failure);
        let said: Vec<String> = std::iter::once(failure.message).chain(next).collect();
        (failure.exit, said.join("\n").trim_start_matches('\n').to_owned())
    })
}

/// Help that was asked for is shown; else it is wrong usage: what clap says, and what was meant perhaps.
fn unparsed(words: &[OsString], error: &clap::Error) -> Result<(), Failure> {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Ok(error.print()?);
    }
    let failure = next::unparsed(words, error, output::has_color());
    let is_run = words.first().is_some_and(|verb| verb == "run");
    if error.kind() == ErrorKind::InvalidSubcommand && is_run {
        let message = format!("{RUN_HINT}\n{}", failure.message);
        let failure = Failure { message, ..failure };
        return Err(failure.then(Next::Try(vec!["dev".to_owned()])));
    }
    Err(failure)
}

fn run(verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Serve(arguments) => verbs::serve::run(arguments),
        Verb::Dev(arguments) => verbs::dev::run(arguments),
        Verb::Send(arguments) => verbs::send::run(&arguments),
        Verb::Tail(arguments) => verbs::tail::run(&arguments),
        Verb::Listen(arguments) => verbs::listen::run(&arguments),
        Verb::Check(arguments) => verbs::check::run(&arguments),
        Verb::Test(arguments) => verbs::test::run(&arguments),
        Verb::Explain(arguments) => verbs::explain::run(&arguments),
        Verb::Diff(arguments) => verbs::diff::run(&arguments),
        Verb::Fmt(arguments) => verbs::fmt::run(&arguments),
        Verb::Reload(arguments) => verbs::reload::run(&arguments),
        Verb::Rule(verb) => verbs::rule::run(&verb),
        Verb::Replay(verb) => verbs::replay::run(&verb),
        Verb::Archive(verb) => verbs::archive::run(&verb),
        Verb::Dlq(verb) => verbs::dlq::run(&verb),
        Verb::Target(verb) => verbs::target::run(&verb),
        Verb::Connection(verb) => verbs::connection::run(&verb),
        Verb::Event(arguments) => verbs::event::run(&arguments),
        Verb::Events(arguments) => verbs::events::run(&arguments),
        Verb::Journal(verb) => verbs::journal::run(&verb),
        Verb::Status(arguments) => verbs::status::run(&arguments),
        Verb::Pattern(verb) => verbs::pattern::run(&verb),
        Verb::Plugin(verb) => verbs::plugin::run(&verb),
        Verb::Import(verb) => verbs::import::run(&verb),
        Verb::Export(arguments) => verbs::export::run(&arguments),
        Verb::Bench(verb) => verbs::bench::run(&verb),
        Verb::Completions(arguments) => verbs::completions::run(&arguments),
        Verb::Man(arguments) => verbs::man::run(&arguments),
        Verb::Schema(verb) => verbs::schema::run(&verb),
        Verb::Doctor(arguments) => verbs::doctor::run(arguments),
    }
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;

    /// A terminal as it is opened.
    const COLUMNS: usize = 80;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    /// Lines of a verb's help, and of those below it, that do not fit.
    fn too_long(command: &Command, found: &mut Vec<String>) {
        let name = command.get_bin_name().unwrap_or(command.get_name());
        let mut at_eighty = command.clone().term_width(COLUMNS);
        for help in [at_eighty.render_help(), at_eighty.render_long_help()] {
            let text = help.to_string();
            let long = text.lines().filter(|line| COLUMNS < line.chars().count());
            found.extend(long.map(|line| format!("{name}: {line}")));
        }
        // Text is wrapped; an example or a table must not be.
        let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let is_set = |line: &&str| line.starts_with(' ') && COLUMNS < line.chars().count();
        found.extend(examples.lines().filter(is_set).map(|line| format!("{name}: {line}")));
        command.get_subcommands().for_each(|below| too_long(below, found));
    }

    #[test]
    fn every_help_fits_a_screen_of_eighty_columns() {
        let mut root = Arguments::command();
        root.build();
        let mut found = Vec::new();
        too_long(&root, &mut found);
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}
