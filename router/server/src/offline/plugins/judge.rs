//! Whether what came out of a plugin is what its case expects, and in which words not.

use bus::plugin::{CallError, Output, Role};
use bus::ruleset::{Difference, difference};
use serde_json::Value;

use super::cases::{Expect, Wanted};
use super::layout;
use super::pretend::{Entries, written};

/// How much of a value is repeated in a failure.
const SHOWN_CHARS: usize = 400;

pub(super) type Came = Result<Vec<Output>, CallError>;

/// What is not as expected, in words; none when all is.
pub(super) fn differs(expect: &Expect, role: Role, came: &Came) -> Option<String> {
    match (expect, came) {
        (Expect::Error { kind, message }, Err(error)) => {
            let (found, words) = (word(error), error.to_string());
            if found != kind {
                return Some(format!("expected the error `{kind}`, and it is `{found}`: {words}"));
            }
            let is_said = words.contains(message.as_str());
            (!is_said)
                .then(|| format!("the error is expected to say {message:?}, and says {words:?}"))
        }
        (_, Err(error)) => Some(format!("it failed with the error `{}`: {error}", word(error))),
        (Expect::Error { kind, .. }, Ok(outputs)) => {
            let came = if outputs.is_empty() {
                "it dropped the event".to_owned()
            } else {
                many(outputs.len())
            };
            Some(format!("expected the error `{kind}`, and {came}"))
        }
        (Expect::Kept(_), Ok(_)) if role != Role::Filter => {
            let mend = "it is a transformer: expect an array of outputs";
            Some(mend.to_owned())
        }
        (Expect::Kept(kept), Ok(outputs)) => match (*kept, !outputs.is_empty()) {
            (true, false) => Some("expected the event to be kept, and it is dropped".to_owned()),
            (false, true) => Some("expected the event to be dropped, and it is kept".to_owned()),
            _ => None,
        },
        (Expect::Outputs(wanted), Ok(outputs)) => differ(wanted, outputs),
    }
}

/// Where a plugin's state is not as expected.
pub(super) fn state_differs(expected: &Entries, state: &Entries) -> Option<String> {
    let Difference { path, expected, actual } = difference(&written(expected), &written(state))?;
    let value = |value: Option<String>| value.map_or("nothing".to_owned(), |text| shown(&text));
    Some(format!("its state at {path}: expected {}, and it is {}", value(expected), value(actual)))
}

/// The word for an error in a case.
pub(super) fn word(error: &CallError) -> &'static str {
    match error {
        CallError::Invalid(_) => "invalid",
        CallError::Retry(_) => "retry",
        CallError::Fatal(_) => "fatal",
        CallError::Trap { .. } => "trap",
        CallError::Output { limit: None, .. } => "output",
        _ => "limit",
    }
}

fn many(outputs: usize) -> String {
    if outputs == 1 { "it has an output".to_owned() } else { format!("it has {outputs} outputs") }
}

fn differ(wanted: &[Wanted], outputs: &[Output]) -> Option<String> {
    for (at, (wanted, output)) in wanted.iter().zip(outputs).enumerate() {
        let which = if outputs.len() == 1 { String::new() } else { format!("output {}, ", at + 1) };
        if let Some(words) = body(&wanted.body, output).or_else(|| attributes(wanted, output)) {
            return Some(format!("{which}{words}"));
        }
    }
    (wanted.len() != outputs.len())
        .then(|| format!("expected {} outputs, and there are {}", wanted.len(), outputs.len()))
}

fn body(wanted: &str, output: &Output) -> Option<String> {
    let text = serde_json::from_str::<String>(wanted).ok();
    if text.is_some_and(|text| text == output.body) {
        return None;
    }
    if !layout::is_json(output) {
        let got = Value::from(output.body.as_str()).to_string();
        return Some(format!("expected {}, and it is the text {}", shown(wanted), shown(&got)));
    }
    let Difference { path, expected, actual } = difference(wanted, &output.body)?;
    let value = |value: Option<String>| value.map_or("nothing".to_owned(), |text| shown(&text));
    Some(format!("at {path}: expected {}, and it is {}", value(expected), value(actual)))
}

fn attributes(wanted: &Wanted, output: &Output) -> Option<String> {
    wanted.attributes.iter().find_map(|(name, value)| {
        // The last one of a name counts.
        let found = output.attributes.iter().rev().find(|(found, _)| found == name);
        match found {
            Some((_, found)) if found == value => None,
            Some((_, found)) => Some(format!(
                "the attribute `{name}` is expected to be {value:?}, and it is {found:?}"
            )),
            None => Some(format!("expected the attribute `{name}`, and it is not there")),
        }
    })
}

fn shown(text: &str) -> String {
    let line = layout::one_line(text);
    match line.char_indices().nth(SHOWN_CHARS) {
        None => line,
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(body: &str, attributes: &[(&str, &str)]) -> Output {
        let attributes =
            attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Output { body: body.to_owned(), attributes: attributes.collect() }
    }

    fn wanted(body: &str) -> Wanted {
        Wanted { body: body.to_owned(), attributes: [].into() }
    }

    #[track_caller]
    fn check(expect: &Expect, role: Role, came: Came, words: &str) {
        assert_eq!(differs(expect, role, &came).unwrap_or_default(), words);
    }

    #[test]
    fn values_are_compared_and_not_their_spelling() {
        let expect = Expect::Outputs(vec![wanted(r#"{"a": 1.0, "b": "x"}"#)]);
        check(&expect, Role::Transformer, Ok(vec![output(r#"{"b":"x","a":1}"#, &[])]), "");
        check(
            &expect,
            Role::Transformer,
            Ok(vec![output(r#"{"b":"x","a":2}"#, &[])]),
            "at $.a: expected 1.0, and it is 2",
        );
        check(&expect, Role::Transformer, Ok(vec![]), "expected 1 outputs, and there are 0");
    }

    #[test]
    fn a_text_is_compared_as_it_is_and_its_attributes_when_they_are_named() {
        let plain = [("content-type", "text/plain")];
        let mut one = wanted(r#""a \"line\"""#);
        let expect = |wanted| Expect::Outputs(vec![wanted]);
        check(
            &expect(wanted(r#""a \"line\"""#)),
            Role::Transformer,
            Ok(vec![output("a \"line\"", &plain)]),
            "",
        );
        check(
            &expect(wanted("\"other\"")),
            Role::Transformer,
            Ok(vec![output("a", &plain)]),
            r#"expected "other", and it is the text "a""#,
        );
        one.attributes.insert("content-type".to_owned(), "text/html".to_owned());
        check(
            &expect(one),
            Role::Transformer,
            Ok(vec![output("a \"line\"", &plain)]),
            r#"the attribute `content-type` is expected to be "text/html", and it is "text/plain""#,
        );
    }

    #[test]
    fn errors_are_told_apart_by_kind_and_by_a_part_of_their_words() {
        let expect = |kind: &str, message: &str| Expect::Error {
            kind: kind.to_owned(),
            message: message.to_owned(),
        };
        let failed = || Err(CallError::Retry("the table is away".to_owned()));
        check(&expect("retry", "table"), Role::Transformer, failed(), "");
        check(
            &expect("retry", "chair"),
            Role::Transformer,
            failed(),
            r#"the error is expected to say "chair", and says "the table is away""#,
        );
        check(
            &expect("invalid", ""),
            Role::Transformer,
            failed(),
            "expected the error `invalid`, and it is `retry`: the table is away",
        );
        let refused =
            |limit| Err(CallError::Output { problem: "it is not JSON".to_owned(), limit });
        check(&expect("output", "not JSON"), Role::Transformer, refused(None), "");
        check(&expect("limit", "not JSON"), Role::Transformer, refused(Some("outputs_max")), "");
        check(
            &expect("trap", ""),
            Role::Filter,
            Ok(vec![]),
            "expected the error `trap`, and it dropped the event",
        );
        check(
            &Expect::Outputs(vec![]),
            Role::Filter,
            failed(),
            "it failed with the error `retry`: the table is away",
        );
    }

    #[test]
    fn a_filter_keeps_or_drops_and_a_transformer_does_neither() {
        let kept = || Ok(vec![output("{}", &[])]);
        check(&Expect::Kept(true), Role::Filter, kept(), "");
        check(&Expect::Kept(false), Role::Filter, Ok(vec![]), "");
        check(
            &Expect::Kept(false),
            Role::Filter,
            kept(),
            "expected the event to be dropped, and it is kept",
        );
        let words = "it is a transformer: expect an array of outputs";
        check(&Expect::Kept(true), Role::Transformer, kept(), words);
    }
}
