//! `cargo xtask fuzz`: hostile bytes for the pattern parser, the matcher and the plugin host, as long as one likes.
//!
//! ```text
//! router/pattern/testdata/*.jsonl ──▶ router/pattern/fuzz/corpus/<target>/seed-<n> ──▶ cargo fuzz run <target>
//! ```
//!
//! The recorded patterns and events are where the fuzzer of patterns begins; that of plugins begins with small plugins
//! of its own. What either finds on its way it keeps under `fuzz/corpus/`, which is not committed. An input that breaks
//! a promise is left under `fuzz/artifacts/`, and cargo-fuzz says how to run it again.
//!
//! # Invariants
//!
//! - Nothing is installed before a line on standard error says what and why.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::{print, run};

const PATTERN: &str = "router/pattern/fuzz";
const PLUGIN: &str = "router/plugin/fuzz";
const CASES: &str = "router/pattern/testdata";
/// Each with the project it belongs to.
const TARGETS: [(&str, &str); 5] = [
    ("parse", PATTERN),
    ("match", PATTERN),
    ("pair", PATTERN),
    ("load", PLUGIN),
    ("output", PLUGIN),
];

/// The one whose inputs go through a whole compiler.
const COMPILES: &str = "load";

/// Seconds that each target runs when nobody says how long.
const SECONDS: u64 = 60;

/// The longest input. Longer ones only repeat what shorter ones show, more slowly.
const INPUT_BYTES_MAX: usize = 4096;

/// Between pattern and event in an input of `pair`, as its body reads it.
const SEPARATOR: u8 = 0xff;

/// What the words after `fuzz` ask for.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    targets: Vec<(&'static str, &'static str)>,
    seconds: u64,
}

pub(crate) fn fuzz(root: &Path, words: &[&str]) -> anyhow::Result<()> {
    let options = options(words)?;
    ensure_nightly()?;
    ensure_cargo_fuzz()?;
    for (target, folder) in options.targets {
        let mut command = nightly_cargo(root);
        command.args(["fuzz", "run", "--fuzz-dir", folder, target, "--"]).args([
            format!("-max_total_time={}", options.seconds),
            format!("-max_len={INPUT_BYTES_MAX}"),
            "-print_final_stats=1".to_owned(),
        ]);
        if target == COMPILES {
            // A compiler has many branches and asks for memory all the time: weighing what was seen, and remembering who
            // asked, take nine tenths of the time.
            command.arg("-entropic=0").env("ASAN_OPTIONS", "malloc_context_size=0");
        }
        if folder == PATTERN {
            plant(root, target).with_context(|| format!("write where {target} begins"))?;
            command.arg(format!("-dict={folder}/json.dict"));
        }
        run::run(&mut command)?;
    }
    Ok(())
}

fn options(words: &[&str]) -> anyhow::Result<Options> {
    let mut options = Options { targets: Vec::new(), seconds: SECONDS };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if *word == "--seconds" {
            let seconds = words.next().and_then(|seconds| seconds.parse().ok());
            options.seconds = seconds.context("--seconds takes a whole number")?;
        } else if let Some(target) = TARGETS.iter().find(|(name, _)| name == word) {
            options.targets.push(*target);
        } else {
            let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
            bail!("{word}: no such target; there are {}", names.join(", "));
        }
    }
    if options.targets.is_empty() {
        options.targets.extend(TARGETS);
    }
    Ok(options)
}

/// Cargo of the nightly toolchain. The one that runs us has put its own version into the environment,
/// which rustup puts right.
fn nightly_cargo(root: &Path) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo"]).current_dir(root);
    command
}

fn ensure_nightly() -> anyhow::Result<()> {
    if run::succeeds(Command::new("rustup").args(["run", "nightly", "rustc", "--version"])) {
        return Ok(());
    }
    print::complaint("fuzzing takes what only a nightly compiler has: counters in every branch,");
    print::complaint("and a check of every memory access; it is added beside the others");
    run::run(Command::new("rustup").args([
        "toolchain",
        "install",
        "nightly",
        "--profile",
        "minimal",
    ]))
    .context("install a nightly toolchain with rustup, then run this again")
}

fn ensure_cargo_fuzz() -> anyhow::Result<()> {
    if run::succeeds(Command::new("rustup").args(["run", "nightly", "cargo", "fuzz", "--version"]))
    {
        return Ok(());
    }
    print::complaint("cargo-fuzz builds the targets and starts them; installing it from crates.io");
    run::run(Command::new("rustup").args([
        "run",
        "nightly",
        "cargo",
        "install",
        "--locked",
        "cargo-fuzz",
    ]))
    .context("install cargo-fuzz (`cargo install cargo-fuzz`), then run this again")
}

/// Writes the recorded cases where the fuzzer of `target` begins.
fn plant(root: &Path, target: &str) -> anyhow::Result<()> {
    let folder = root.join(PATTERN).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    let mut count = 0_usize;
    for file in ["patterns.jsonl", "musts.jsonl"] {
        let cases = fs::read_to_string(root.join(CASES).join(file)).context(file)?;
        for line in cases.lines() {
            let case: serde_json::Value = serde_json::from_str(line).context(file)?;
            if let Some(seed) = seed(target, &case) {
                fs::write(folder.join(format!("seed-{count:04}")), seed)?;
                count += 1;
            }
        }
    }
    print::line(&format!("{target}: {count} recorded cases to begin with"));
    Ok(())
}

/// What of a case is input for a target.
fn seed(target: &str, case: &serde_json::Value) -> Option<Vec<u8>> {
    let text = |key: &str| Some(case.get(key)?.as_str()?.as_bytes());
    match target {
        "parse" => text("pattern").map(<[u8]>::to_vec),
        "match" => text("event").map(<[u8]>::to_vec),
        _ => Some([text("pattern")?, &[SEPARATOR], text("event")?].concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_words_every_target_runs_for_a_minute() {
        let expected = Options { targets: TARGETS.to_vec(), seconds: 60 };
        assert_eq!(options(&[]).unwrap(), expected);
        let some = Options { targets: vec![("pair", PATTERN)], seconds: 1800 };
        assert_eq!(options(&["pair", "--seconds", "1800"]).unwrap(), some);
        assert_eq!(options(&["--seconds", "1800", "pair"]).unwrap(), some);
        for wrong in [["--seconds", "x"], ["pairs", "match"], ["match", "--seconds"]] {
            options(&wrong).unwrap_err();
        }
    }

    #[test]
    fn a_case_is_a_seed_where_it_has_what_the_target_reads() {
        let full = serde_json::json!({"pattern": "{p}", "event": "{e}"});
        assert_eq!(seed("parse", &full).unwrap(), b"{p}");
        assert_eq!(seed("match", &full).unwrap(), b"{e}");
        assert_eq!(seed("pair", &full).unwrap(), b"{p}\xff{e}");
        let pattern = serde_json::json!({"pattern": "{p}"});
        assert!(seed("parse", &pattern).is_some() && seed("pair", &pattern).is_none());
    }
}
