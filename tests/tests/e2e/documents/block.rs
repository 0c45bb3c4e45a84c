//! The blocks of YAML and JSON of a page, and what each of them is.
//!
//! A block that is a rule file, a configuration or an event shows it by its keys. Anything else says what it is behind the
//! language, as in ```` ```yaml part of a target ````; in the reference of the HTTP interface, what says nothing is a
//! body. A file that a shell is told to write counts as a block, too.

use std::path::Path;
use std::{fs, iter};

use serde_json::{Map, Value};

use super::schema::documents;

/// Where JSON without a word is what a request or an answer has as its body.
const BODIES: &str = "docs/http-api.md";
/// Of a rule in EventBridge's words.
const EVENTBRIDGE: [&[&str]; 3] =
    [&["EventPattern", "Targets"], &["Type", "Properties"], &["Resources"]];

pub(super) struct Block {
    /// As in `docs/rules.md:5`.
    pub(super) place: String,
    pub(super) text: String,
    is_body_by_place: bool,
    language: String,
    /// What the author says it is; mostly nothing.
    words: String,
}

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Rules,
    Configuration,
    /// Some keys of a target.
    PartOfTarget,
    /// Names of targets with what stands for them, for an import.
    MapOfTargets,
    Pattern,
    Event,
    /// JSON that is neither read from a file of ours nor sent as an event.
    Other,
}

impl Block {
    /// The kind, with the documents of the block; or why it has none.
    pub(super) fn kind(&self, configuration: &Map<String, Value>) -> Result<Kind, String> {
        let by_word = match (self.language.as_str(), self.words.as_str()) {
            (_, "") => None,
            ("yaml", "part of a target") => Some(Kind::PartOfTarget),
            ("yaml", "map of targets") => Some(Kind::MapOfTargets),
            ("json", "pattern") => Some(Kind::Pattern),
            ("json", "event") => Some(Kind::Event),
            (
                "json",
                "body" | "recorded event" | "record of the delivery log" | "case of a plugin",
            ) => Some(Kind::Other),
            (_, words) => {
                return Err(format!("`{words}` is none of the words that say what a block is"));
            }
        };
        let found = by_word.or_else(|| self.by_shape(configuration));
        let body = (self.language == "json" && self.is_body_by_place).then_some(Kind::Other);
        found.or(body).ok_or_else(|| {
            "by its keys it is no rule, no configuration and no event: say behind the language what it is, as in \
             ```yaml part of a target or ```json body"
                .to_owned()
        })
    }

    fn by_shape(&self, configuration: &Map<String, Value>) -> Option<Kind> {
        let documents = documents(&self.text).ok()?;
        let is_rule = |document: &Value| {
            let of_eventbridge =
                EVENTBRIDGE.iter().any(|keys| keys.iter().all(|key| document.get(key).is_some()));
            // A replay has targets as well, which are names.
            let is_ours = document.get("name").is_some() && document["targets"][0].is_object();
            is_ours || of_eventbridge
        };
        let is_configuration = |document: &Value| {
            let known =
                |keys: &Map<String, Value>| keys.keys().all(|key| configuration.contains_key(key));
            document.as_object().is_some_and(|keys| !keys.is_empty() && known(keys))
        };
        let is_event = |document: &Value| {
            ["source", "detail-type", "detail"].iter().all(|key| document.get(key).is_some())
        };
        match documents.as_slice() {
            [] => None,
            all if all.iter().all(is_rule) => Some(Kind::Rules),
            [one] if is_configuration(one) => Some(Kind::Configuration),
            [one] if is_event(one) => Some(Kind::Event),
            _ => None,
        }
    }
}

/// Every block of a page, in its order.
pub(super) fn of_page(root: &Path, page: &str) -> Vec<Block> {
    // In what a new plugin is made of, the name is filled in by `plugin new`.
    let text = fs::read_to_string(root.join(page)).unwrap().replace("{{name}}", "hello");
    let mut lines = iter::zip(1.., text.lines());
    let mut blocks = Vec::new();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        let inside: Vec<&str> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```").collect();
        let (language, words) = info.split_once(' ').unwrap_or((info, ""));
        let language = if language == "yml" { "yaml" } else { language };
        let block = |at: usize, language: &str, words: &str, lines: &[&str]| Block {
            place: format!("{page}:{at}"),
            text: lines.iter().map(|line| format!("{line}\n")).collect(),
            is_body_by_place: page == BODIES,
            language: language.to_owned(),
            words: words.to_owned(),
        };
        match language {
            "yaml" | "json" => blocks.push(block(number, language, words, &inside)),
            "sh" | "console" => {
                let written = written(&inside).into_iter();
                blocks.extend(written.map(|(at, lines)| block(number + at, "yaml", "", lines)));
            }
            _ => (),
        }
    }
    blocks
}

/// The YAML files that a script writes, each with the line that it begins after.
fn written<'l>(script: &'l [&'l str]) -> Vec<(usize, &'l [&'l str])> {
    let mut found = Vec::new();
    for (at, line) in script.iter().enumerate() {
        let Some((command, word)) = line.split_once("<<") else { continue };
        let word = word.trim().trim_matches(['\'', '"']);
        let rest = &script[at + 1..];
        let end = rest.iter().position(|line| *line == word);
        if command.contains(".yaml") || command.contains(".yml") {
            found.push((at + 1, &rest[..end.unwrap_or(rest.len())]));
        }
    }
    found
}
