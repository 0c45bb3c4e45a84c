//! The test kit: runs a project's `tests/*.json` against the function, natively and as WebAssembly.
//!
//! ```no_run
//! # use slipswitch_sdk::{Event, Output, transformer};
//! # #[transformer] fn welcome(event: &Event) -> Output { Output::fixed("1") }
//! #[cfg(test)]
//! mod tests {
//!     #[test]
//!     fn cases() {
//! # use super::*;
//!         slipswitch_sdk::testing::cases(welcome);
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! A file holds one case or an array of them, the same that `slipswitch plugin test` reads:
//!
//! ```json
//! { "name": "a big order", "config": { "above": 100 }, "event": { "source": "shop", "detail": { "total": 120 } },
//!   "expect": [ { "body": "big: 120", "attributes": { "content-type": "text/plain; charset=utf-8" } } ] }
//! ```
//!
//! `expect` is an array of outputs (one may be its body alone), `true` or `false` for a filter, or
//! `{"error": "invalid", "message": "a part of the words"}` with `invalid`, `retry`, `fatal`, `trap` (natively: a
//! panic), `output` (it is refused, as what is no JSON where JSON is due) or `limit` (not natively). `attributes` come with the event, `grant` and `state` are what the rule and the
//! past have given, `expect-state` is the state afterwards. What an event leaves out is always filled in alike.
//!
//! # Not here
//!
//! - WebAssembly itself: the `slipswitch` command runs that part, named by `SLIPSWITCH` or found in `PATH`. When it
//!   does not run, the test says so, even where it passes.

mod base64;
mod case;
mod judge;
mod subject;
mod wasm;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::string::String;
use std::vec::Vec;
use std::{env, format, fs};

use crate::{Event, native};
use case::Case;
pub use subject::{Answer, Batches, Filters, Subject, Transforms};

/// Runs every case in `tests/*.json` of the crate under test.
///
/// # Panics
///
/// When a case fails, with what was expected and what came; when there is no case, or one cannot be read.
pub fn cases<Shape>(function: impl Subject<Shape>) {
    let project = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let failures = run(&project, &function);
    if !failures.is_empty() {
        panic!("{} failed\n\n{}", count(failures.len()), failures.join("\n"));
    }
    if let Err(words) = wasm::run(&project) {
        panic!("the cases pass natively, and not as WebAssembly\n\n{words}");
    }
}

/// What failed, in words.
///
/// # Panics
///
/// When there is no case, or one cannot be read.
fn run<Shape>(project: &Path, function: &impl Subject<Shape>) -> Vec<String> {
    let folder = project.join("tests");
    let mut files: Vec<PathBuf> = match fs::read_dir(&folder) {
        Ok(listing) => listing.filter_map(|entry| Some(entry.ok()?.path())).collect(),
        Err(error) => panic!("read the folder {}: {error}", folder.display()),
    };
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let mut failures = Vec::new();
    let mut is_any = false;
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let cases = fs::read_to_string(&path).map_err(|error| format!("{error}"));
        let cases = cases.and_then(|text| Case::read_all(&text));
        for case in cases.unwrap_or_else(|words| panic!("tests/{name}: {words}")) {
            is_any = true;
            if let Err(words) = one(&case, function) {
                failures.push(format!("tests/{name}: {}\n{words}", case.name));
            }
        }
    }
    assert!(
        is_any,
        "there is no case in {}: write one into a file of it, *.json",
        folder.display()
    );
    failures
}

fn one<Shape>(case: &Case, function: &impl Subject<Shape>) -> Result<(), String> {
    if case.is_about_limits() {
        wasm::say(&format!("{}: natively there are no limits: not run", case.name));
        return Ok(());
    }
    let event = case.event()?;
    native::world(|world| {
        *world = native::World::default();
        for (key, value) in &case.state {
            world.put(key, value.clone(), None);
        }
    });
    native::begin(&event);
    let run = AssertUnwindSafe(|| function.run(&case.config, event));
    let came = catch_unwind(run).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        let fixed = panic.downcast_ref::<&str>().map(|words| String::from(*words));
        Err(subject::Failure { kind: "trap", words: words.or(fixed).unwrap_or_default() })
    });
    judge::judge(case, &came)?;
    native::world(|world| judge::judge_state(case, world))
}

fn count(failures: usize) -> String {
    if failures == 1 { "a case".into() } else { format!("{failures} cases") }
}

/// Forgets state, figures and the current event of this thread.
pub fn reset() {
    native::world(|world| *world = native::World::default());
}

/// From here on `event` is the current one: [`clock`](crate::clock) and [`random`](crate::random) follow it.
pub fn begin(event: &Event) {
    native::begin(event);
}

/// What [`metrics::count`](crate::metrics::count) has added up on this thread.
pub fn counted(name: &str) -> u64 {
    native::world(|world| world.counters.get(name).copied().unwrap_or(0))
}

/// What [`metrics::observe`](crate::metrics::observe) has seen on this thread.
pub fn observed(name: &str) -> Vec<f64> {
    native::world(|world| world.observed.get(name).cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, Output, metrics, state};

    fn failures<Shape>(cases: &str, function: impl Subject<Shape>) -> Vec<String> {
        let read = Case::read_all(cases).unwrap();
        read.iter().filter_map(|case| one(case, &function).err()).collect()
    }

    fn echo(event: &Event) -> Result<Output, Error> {
        Ok(Output::raw(event.detail_json()?).with_attribute("source", event.source()))
    }

    #[test]
    fn what_came_is_shown_beside_what_was_expected() {
        let case = |expect: &str| {
            format!(
                r#"{{"name":"n","event":{{"detail":{{"a":[1,{{"b":2.0}}],"c":"x"}}}},"expect":{expect}}}"#
            )
        };
        let told = |expect: &str| failures(&case(expect), echo).join("");
        assert_eq!(told(r#"[{"a":[1.0,{"b":2}],"c":"x"}]"#), "");
        assert_eq!(
            told(r#"[{"body":{"a":[1,{"b":2}],"c":"x"},"attributes":{"source":"test"}}]"#),
            ""
        );
        assert_eq!(
            told(r#"[{"a":[1,{"b":3}],"d":"x"}]"#),
            "  output 1 at $.a[1].b\n    - expected: 3\n    + came out: 2.0\n  output 1 at $.c\n    - expected: nothing\n    + came out: \"x\"\n  output 1 at $.d\n    - expected: \"x\"\n    + came out: nothing\n"
        );
        assert_eq!(
            told(
                r#"[{"body":{"a":[1,{"b":2}],"c":"x"},"attributes":{"source":"shop","kind":"k"}}]"#
            ),
            "  output 1, attribute `kind`\n    - expected: \"k\"\n    + came out: nothing\n  output 1, attribute `source`\n    - expected: \"shop\"\n    + came out: \"test\"\n"
        );
        assert_eq!(told("[]"), "  - expected: 0 outputs\n  + came out: 1 output\n");
        assert_eq!(
            told(r#"{"error":"retry"}"#),
            "  - expected: the error `retry`\n  + came out: 1 output\n"
        );
        assert_eq!(
            told("true"),
            "  - expected: the event kept, as a filter says it\n  + came out: 1 output\n"
        );
    }

    #[test]
    fn errors_and_panics_are_answers_too() {
        let failing = |event: &Event| -> Result<bool, Error> {
            match event.source() {
                "invalid" => Err(Error::invalid("no such order")),
                "panic" => panic!("order {}", 7),
                source => Ok(source == "kept"),
            }
        };
        let case = |source: &str, expect: &str| {
            let text =
                format!(r#"{{"name":"n","event":{{"source":"{source}"}},"expect":{expect}}}"#);
            failures(&text, failing).join("")
        };
        assert_eq!(case("kept", "true") + &case("other", "false"), "");
        assert_eq!(case("invalid", r#"{"error":"invalid","message":"such"}"#), "");
        assert_eq!(
            failures(
                r#"{"name":"n","event":{},"expect":{"error":"output","message":"output 1 is not JSON (EOF"}}"#,
                |_: &Event| std::vec![Output::text("{"), Output::raw("{")]
            ),
            [] as [&str; 0]
        );
        assert_eq!(case("panic", r#"{"error":"trap","message":"order 7"}"#), "");
        assert_eq!(
            case("invalid", r#"{"error":"invalid","message":"x"}"#),
            "  - expected: the error `invalid` with \"x\" in its words\n  + came out: the error `invalid`: no such order\n"
        );
        assert_eq!(
            case("kept", "false"),
            "  - expected: the event dropped, as a filter says it\n  + came out: the event kept\n"
        );
    }

    #[test]
    fn state_is_there_before_and_looked_at_after_when_it_is_granted() {
        let counting = |event: &Event| -> Result<bool, state::Error> {
            Ok(state::increment(event.source(), 1)? > 1)
        };
        let case = |rest: &str| {
            let text = format!(r#"{{"name":"n","event":{{}},{rest}}}"#);
            failures(&text, |event: &Event| counting(event).map_err(Error::from)).join("")
        };
        assert_eq!(
            case(
                r#""grant":["state"],"state":{"test":"4"},"expect":true,"expect-state":{"test":{"base64":"NQ=="}}"#
            ),
            ""
        );
        assert_eq!(
            case(r#""grant":["state"],"expect":false,"expect-state":{"test":"2","more":"x"}"#),
            "  state `more`\n    - expected: \"x\"\n    + came out: nothing\n  state `test`\n    - expected: \"2\"\n    + came out: \"1\"\n"
        );
        assert_eq!(
            case(r#""expect":false"#),
            "  the plugin asks for `state`, and the case does not grant it: write \"grant\": [\"state\"]\n"
        );
    }

    #[test]
    fn batches_and_configurations_are_seen_for_what_they_are() {
        #[derive(serde::Deserialize)]
        struct Config {
            text: String,
        }
        let batch = |events: &[Event], config: &Config| -> Vec<Result<Output, Error>> {
            events.iter().map(|_| Ok(Output::text(config.text.clone()))).collect()
        };
        let case = r#"[{"name":"n","config":{"text":"a"},"event":{},"expect":["a"]},
            {"name":"m","config":{"txt":"a"},"event":{},"expect":["a"]}]"#;
        let told = failures(case, batch);
        assert_eq!(told, ["  the configuration is refused: missing field `text`\n"]);
    }

    #[test]
    fn figures_can_be_looked_at() {
        reset();
        metrics::count("seen", 2);
        metrics::count("seen", 1);
        metrics::observe("size", 1.5);
        assert_eq!((counted("seen"), counted("other"), observed("size")), (3, 0, [1.5].into()));
    }
}
