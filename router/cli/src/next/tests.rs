//! Every verb, made to fail.

use super::*;

/// Nothing is there: neither a file nor a router.
const NOWHERE: &str = "no/such/place";
const NOBODY: &str = "http://127.0.0.1:1"; // Privileged, and used by nothing.

/// All verbs, each by its words.
fn verbs() -> Vec<Vec<String>> {
    fn gather(at: &Command, path: &[String], found: &mut Vec<Vec<String>>) {
        if !at.has_subcommands() {
            found.push(path.to_vec());
        }
        for below in at.get_subcommands() {
            gather(below, &[path, &[below.get_name().to_owned()]].concat(), found);
        }
    }
    let mut found = Vec::new();
    gather(&crate::Arguments::command(), &[], &mut found);
    found
}

/// A call that the parser takes, and that leads nowhere.
fn astray(verb: &[String]) -> Vec<String> {
    let root = crate::Arguments::command();
    let leaf = verb.iter().fold(&root, |at, word| at.find_subcommand(word).unwrap());
    let mut words = verb.to_vec();
    for argument in leaf.get_arguments().filter(|argument| argument.is_required_set()) {
        let known = argument.get_possible_values();
        let value = known.first().map_or(NOWHERE.to_owned(), |value| value.get_name().to_owned());
        match argument.get_long() {
            Some(long) => words.extend([format!("--{long}"), value]),
            None => words.push(value),
        }
    }
    let options = |name: &str| leaf.get_arguments().any(|known| known.get_long() == Some(name));
    for (option, value) in
        [("url", NOBODY), ("config", NOWHERE), ("data", NOWHERE), ("out", "/dev/null/x")]
    {
        if options(option) {
            words.extend([format!("--{option}"), value.to_owned()]);
        }
    }
    // What asks for none of these takes a file, or one of several options.
    let is_file = |known: &&clap::Arg| known.is_positional() && !known.is_required_set();
    if let Some(file) = leaf.get_arguments().find(is_file)
        && file.get_id() != "names"
    {
        words.push(if options("all") { "1" } else { NOWHERE }.to_owned());
    }
    match *words.iter().map(String::as_str).collect::<Vec<_>>() {
        ["explain", ..] => words.push("an-id".to_owned()),
        ["replay", "start", ..] | ["listen", ..] => {
            for word in &mut words {
                if word == NOWHERE {
                    *word = if verb[0] == "listen" { NOBODY } else { "1h" }.to_owned();
                }
            }
        }
        ["schema", ..] => words.extend(["--output".to_owned(), NOWHERE.to_owned()]),
        _ => (),
    }
    words
}

fn failed(words: &[String]) -> Option<(Exit, String)> {
    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
    crate::attempt(&words).err()
}

/// The command that the talk ends with, if the parser takes it.
fn last_command(said: &str) -> Result<String, String> {
    let last = said.lines().next_back().unwrap_or_default();
    let named = last.strip_prefix("next: ").or_else(|| last.strip_suffix('`')?.rsplit('`').next());
    let command = named.ok_or(format!("no command at the end of {said:?}"))?;
    let words = shell_words(command);
    match words.split_first() {
        Some((name, words)) if name == NAME && is_command(words) => Ok(command.to_owned()),
        _ => Err(format!("{command:?} is not taken")),
    }
}

/// As a shell splits a line: single quotes, and a backslash before one character.
fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted, mut has_word) =
        (Vec::new(), String::new(), false, false);
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            '\'' => (is_quoted, has_word) = (!is_quoted, true),
            '\\' if !is_quoted => word.extend(rest.next()),
            ' ' if !is_quoted => {
                if has_word {
                    words.push(std::mem::take(&mut word));
                }
                has_word = false;
            }
            c => {
                word.push(c);
                has_word = true;
            }
        }
    }
    if has_word {
        words.push(word);
    }
    words
}

#[test]
fn every_verb_that_is_used_wrongly_ends_with_its_own_help() {
    let verbs = verbs();
    assert!(45 < verbs.len(), "{verbs:?}");
    for verb in verbs {
        let (exit, said) = failed(&[&verb[..], &["--no-such-option".to_owned()]].concat()).unwrap();
        assert_eq!(exit, Exit::Usage, "{said}");
        let help = format!("{NAME} {} --help", verb.join(" "));
        assert_eq!(last_command(&said), Ok(help), "{said}");
    }
}

#[test]
fn every_verb_that_fails_ends_with_a_command_that_the_parser_takes() {
    let mut well = Vec::new();
    for verb in verbs() {
        let words = astray(&verb);
        let Some((exit, said)) = failed(&words) else {
            well.push(verb.join(" "));
            continue;
        };
        let command = last_command(&said).unwrap_or_else(|wrong| panic!("{words:?}: {wrong}"));
        if words.contains(&NOBODY.to_owned()) && exit == Exit::Unreachable {
            let doctor = format!("{NAME} doctor --url {NOBODY}");
            assert!(command.starts_with(&doctor), "{words:?}: {command}");
        }
        assert!(!said.contains("unexpected argument"), "{words:?} tests the parser alone: {said}");
    }
    // What cannot fail once it is understood.
    assert_eq!(well, ["completions"]);
}

#[test]
fn every_group_of_verbs_says_what_to_look_at_first() {
    let root = crate::Arguments::command();
    assert_eq!(last_command(&failed(&[]).unwrap().1).unwrap(), "slipswitch dev");
    for group in root.get_subcommands().filter(|command| command.has_subcommands()) {
        let (exit, said) = failed(&[group.get_name().to_owned()]).unwrap();
        assert_eq!(exit, Exit::Usage, "{said}");
        let command = last_command(&said).unwrap();
        assert!(command.starts_with(&format!("{NAME} {} ", group.get_name())), "{command}");
    }
}

/// What follows when the words of `line` fail as said.
fn after(line: &str, failure: Failure) -> String {
    let words: Vec<OsString> = shell_words(line).iter().map(OsString::from).collect();
    let name = std::iter::once(OsString::from(NAME));
    let matches = crate::Arguments::command()
        .try_get_matches_from(name.chain(words.iter().cloned()))
        .unwrap();
    super::line(&Asked::new(&words, Some(&matches)), &failure).unwrap_or_default()
}

#[test]
fn what_was_named_is_named_again() {
    let broken = || Failure::silent(Exit::BadConfiguration);
    let wrong = || Failure::failed("it went wrong");
    for (line, failure, next) in [
        ("dev --rules 'my rules'", broken(), "check --help"),
        ("dev", broken(), "check"),
        ("serve --data d --listen 127.0.0.1:0", wrong(), "doctor --data d"),
        ("dlq show 7 --url http://a:1", wrong(), "dlq ls --url http://a:1"),
        ("replay show x", wrong(), "replay ls"),
        ("event 'it''s'", wrong(), "events"),
        ("plugin put a.wasm", broken(), "plugin inspect a.wasm"),
        ("plugin run 'it'\\''s.wasm' --config '{}'", wrong(), "plugin inspect 'it'\\''s.wasm'"),
        ("journal verify --data d", Failure::silent(Exit::Failed), "journal repair --data d"),
        ("fmt --check", Failure::silent(Exit::Failed), "fmt"),
        (
            "dlq purge --all --rule a",
            Failure::usage("say it").then(Next::AgainWith("--yes")),
            "dlq purge --all --rule a --yes",
        ),
    ] {
        let next = next.replace("check --help", "dev --help");
        assert_eq!(after(line, failure), format!("next: {NAME} {next}"), "{line}");
    }
}

#[test]
fn a_slip_of_the_pen_is_mended_where_that_is_all_it_takes() {
    for (line, next) in [
        ("statsu", "slipswitch status"),
        ("dlq lss", "slipswitch dlq ls"),
        ("dlq shwo 7", "slipswitch dlq show --help"),
        ("run", "slipswitch dev"),
        ("fly", "slipswitch --help"),
        ("status --ulr x", "slipswitch status --help"),
    ] {
        let (_, said) = failed(&shell_words(line)).unwrap();
        assert_eq!(last_command(&said).unwrap(), next, "{line}: {said}");
        assert!(!said.contains("For more information"), "{said}");
    }
}

#[test]
fn a_command_is_said_once_and_an_answer_has_none() {
    let named = Failure::failed("gone: look with `slipswitch target ls`");
    assert_eq!(after("target pause a", named), "");
    let vague = Failure::failed("gone: look with `slipswitch target lss`");
    assert_eq!(after("target pause a", vague), "next: slipswitch target ls");
    assert_eq!(after("diff --exit-code", Failure::answer(Exit::Failed)), "");
}

#[test]
fn what_would_steer_a_terminal_or_fill_it_is_not_repeated() {
    let steering = "plugin put 'a\u{1b}[2J.wasm'";
    let broken = || Failure::silent(Exit::BadConfiguration);
    assert_eq!(after(steering, broken()), "next: slipswitch plugin put --help");
    let long = format!("plugin put {}.wasm", "a".repeat(5000));
    assert_eq!(after(&long, broken()), "next: slipswitch plugin put --help");
}
