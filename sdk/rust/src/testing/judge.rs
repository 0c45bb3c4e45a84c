//! Whether what came is what a case expects, and where not.

use std::collections::BTreeSet;
use std::format;
use std::string::{String, ToString as _};
use std::vec::Vec;

use serde_json::Value;

use super::case::{Case, Expect, Wanted};
use super::subject::{Answer, Failure};
use crate::Output;
use crate::native::World;

/// More places than this are not told of one output.
const PLACES_MAX: usize = 8;

/// What differs, in words.
pub(super) fn judge(case: &Case, came: &Result<Answer, Failure>) -> Result<(), String> {
    if let Err(Failure { kind: "config", words }) = came {
        return Err(format!("  the configuration is refused: {words}\n"));
    }
    let differs = match (&case.expect, came) {
        (Expect::Kept(wanted), Ok(Answer::Kept(kept))) => wanted != kept,
        (Expect::Error { kind, message }, Err(error)) => {
            kind != error.kind || !error.words.contains(message.as_str())
        }
        (Expect::Outputs(wanted), Ok(Answer::Outputs(outputs)))
            if wanted.len() == outputs.len() =>
        {
            let pairs = wanted.iter().zip(outputs).enumerate();
            let told: String =
                pairs.map(|(at, (wanted, output))| differ(at + 1, wanted, output)).collect();
            return if told.is_empty() { Ok(()) } else { Err(told) };
        }
        _ => true,
    };
    if !differs {
        return Ok(());
    }
    Err(format!("  - expected: {}\n  + came out: {}\n", expected(&case.expect), shown(came)))
}

fn expected(expect: &Expect) -> String {
    match expect {
        Expect::Kept(is_kept) => format!("{}, as a filter says it", kept(*is_kept)),
        Expect::Outputs(wanted) => many(wanted.len()),
        Expect::Error { kind, message } if message.is_empty() => format!("the error `{kind}`"),
        Expect::Error { kind, message } => {
            format!("the error `{kind}` with {message:?} in its words")
        }
    }
}

fn shown(came: &Result<Answer, Failure>) -> String {
    match came {
        Ok(Answer::Kept(is_kept)) => kept(*is_kept).into(),
        Ok(Answer::Outputs(outputs)) => many(outputs.len()),
        Err(Failure { kind, words }) => format!("the error `{kind}`: {words}"),
    }
}

fn kept(is_kept: bool) -> &'static str {
    if is_kept { "the event kept" } else { "the event dropped" }
}

fn many(outputs: usize) -> String {
    if outputs == 1 { "1 output".into() } else { format!("{outputs} outputs") }
}

fn differ(number: usize, wanted: &Wanted, output: &Output) -> String {
    let mut told = String::new();
    let body = output.body();
    if wanted.body.as_str() != Some(body) {
        match serde_json::from_str::<Value>(body) {
            Ok(came) if is_json(output) => {
                let mut places = Vec::new();
                compare("$", Some(&wanted.body), Some(&came), &mut places);
                for (path, expected, came) in places.iter().take(PLACES_MAX) {
                    told += &place(&format!("output {number} at {path}"), expected, came);
                }
            }
            _ => {
                let came = Value::from(body).to_string();
                told += &place(&format!("output {number}"), &wanted.body.to_string(), &came);
            }
        }
    }
    for (name, value) in &wanted.attributes {
        let found = output.attribute(name);
        if found != Some(value) {
            let found = found.map_or("nothing".into(), |found| format!("{found:?}"));
            told += &place(
                &format!("output {number}, attribute `{name}`"),
                &format!("{value:?}"),
                &found,
            );
        }
    }
    told
}

pub(super) fn is_json(output: &Output) -> bool {
    output.attribute("content-type").is_none_or(|value| value.contains("json"))
}

fn place(name: &str, expected: &str, came: &str) -> String {
    format!("  {name}\n    - expected: {expected}\n    + came out: {came}\n")
}

/// A path, what was expected there, and what came.
type Place = (String, String, String);

/// Collects where two values differ.
fn compare(path: &str, expected: Option<&Value>, came: Option<&Value>, places: &mut Vec<Place>) {
    match (expected, came) {
        (Some(Value::Object(expected)), Some(Value::Object(came))) => {
            for key in expected.keys().chain(came.keys()).collect::<BTreeSet<_>>() {
                compare(&format!("{path}.{key}"), expected.get(key), came.get(key), places);
            }
        }
        (Some(Value::Array(expected)), Some(Value::Array(came))) => {
            for index in 0..expected.len().max(came.len()) {
                compare(&format!("{path}[{index}]"), expected.get(index), came.get(index), places);
            }
        }
        (Some(expected), Some(came)) if is_equal(expected, came) => (),
        _ => {
            let text = |value: Option<&Value>| value.map_or("nothing".into(), Value::to_string);
            places.push((path.into(), text(expected), text(came)));
        }
    }
}

/// Values are compared and not their spelling: 1.0 is 1.
fn is_equal(expected: &Value, came: &Value) -> bool {
    expected == came
        || (expected.is_f64() || came.is_f64())
            && expected.as_f64().is_some()
            && expected.as_f64() == came.as_f64()
}

/// What differs in the state, or was asked for without a grant, in words.
pub(super) fn judge_state(case: &Case, world: &mut World) -> Result<(), String> {
    let mut told = String::new();
    for import in core::mem::take(&mut world.asked) {
        if !case.grants.iter().any(|grant| grant == import) {
            told += &format!(
                "  the plugin asks for `{import}`, and the case does not grant it: write \"grant\": [\"{import}\"]\n"
            );
        }
    }
    let text = |bytes: &[u8]| match core::str::from_utf8(bytes) {
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("{bytes:?}"),
    };
    if let Some(wanted) = &case.expect_state {
        let keys: BTreeSet<String> = wanted.keys().chain(world.state.keys()).cloned().collect();
        for key in keys {
            let came = world.value(&key).map(|value| value.bytes.clone());
            let expected = wanted.get(&key);
            if expected != came.as_ref() {
                let show = |bytes: Option<&Vec<u8>>| bytes.map_or("nothing".into(), |it| text(it));
                told += &place(&format!("state `{key}`"), &show(expected), &show(came.as_ref()));
            }
        }
    }
    if told.is_empty() { Ok(()) } else { Err(told) }
}
