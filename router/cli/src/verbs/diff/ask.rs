//! Asking a running router.

use serde::Deserialize;
use serde_json::{json, value::RawValue};
use server::offline::{RuleFiles, rule_files};

use super::{Arguments, LIMIT_DEFAULT};
use crate::{
    client::Client,
    failure::{Exit, Failure},
    output, progress,
};

/// What a router takes at once; rules are smaller by far.
const FILES_BYTES_MAX: usize = 24 << 20;

/// One line of the answer.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Progress { events: u64, of: u64 },
    Result(Box<RawValue>),
    Error(String),
}

#[derive(Deserialize)]
struct Plugin {
    name: String,
    digest: Option<String>,
}

pub(super) fn compare(arguments: &Arguments) -> Result<Box<RawValue>, Failure> {
    let source = &arguments.source;
    let files =
        rule_files(source.rules.as_deref(), source.plugins.as_deref(), source.config.as_deref());
    let files = files.map_err(|message| Failure::new(Exit::BadConfiguration, message))?;
    let bytes: usize = files.files.iter().map(|(path, text)| path.len() + text.len()).sum();
    if FILES_BYTES_MAX < bytes {
        let (bytes, folder) =
            (output::size(u64::try_from(bytes).unwrap_or(u64::MAX)), files.folder);
        return Err(Failure::usage(format!(
            "the rule files in {folder} have {bytes}, and 24 MiB can be compared: is it the right folder?"
        )));
    }
    let client = Client::new(&arguments.address)?;
    let has_screen = progress::has_screen();
    let mut found = None;
    let answered =
        client.post_for_lines("/api/v1/rules/diff", &asked(arguments, &files)?, |line| {
            match read_line(line)? {
                Line::Progress { events, of } if has_screen => {
                    progress::show(&progress::bar(events, of, "events"))
                }
                Line::Progress { .. } => (),
                Line::Result(result) => found = Some(result),
                Line::Error(error) => return Err(Failure::failed(error)),
            }
            Ok(())
        });
    if has_screen {
        progress::show("");
    }
    answered?;
    other_plugins(&client, &files)?;
    found.ok_or_else(|| Failure::failed("the router's answer ended before its result"))
}

fn read_line(line: &[u8]) -> Result<Line, Failure> {
    serde_json::from_slice(line).map_err(|error| {
        Failure::failed(format!("the router answers what this command cannot read: {error}"))
    })
}

fn asked(arguments: &Arguments, files: &RuleFiles) -> Result<serde_json::Value, Failure> {
    let span = arguments.between.span()?;
    let file = |(path, text): &(String, String)| json!({ "path": path, "text": text });
    let mut body = json!({
        "files": files.files.iter().map(file).collect::<Vec<_>>(),
        "examples": arguments.examples,
    });
    for (name, value) in [("bus", &arguments.bus), ("archive", &arguments.archive)] {
        if let Some(value) = value {
            body[name] = value.clone().into();
        }
    }
    for (name, time) in [("since", span.since), ("until", span.until)] {
        if let Some(time) = time {
            body[name] = time.to_string().into();
        }
    }
    if let Some(pattern) = arguments.matching.text()? {
        body["pattern"] = pattern.into();
    }
    let by_default = (!arguments.all && span.since.is_none()).then_some(LIMIT_DEFAULT);
    if let Some(limit) = arguments.limit.or(by_default) {
        body["limit"] = limit.into();
    }
    Ok(body)
}

/// The router runs its own plugins: what lies here may be another one.
fn other_plugins(client: &Client, files: &RuleFiles) -> Result<(), Failure> {
    let named = |name: &str| files.files.iter().any(|(_, text)| text.contains(name));
    let here: Vec<_> = files.plugins.iter().filter(|(name, _)| named(name)).collect();
    if here.is_empty() {
        return Ok(());
    }
    let running: Vec<Plugin> = client.get("/api/v1/plugins", &[])?;
    for (name, digest) in here {
        let other = running.iter().find(|plugin| plugin.name == *name);
        if other.is_some_and(|other| other.digest.as_ref() != Some(digest)) {
            output::complain(&format!(
                "the plugin {name} here is not the one that runs: its outputs are those of the running one"
            ));
        }
    }
    Ok(())
}
