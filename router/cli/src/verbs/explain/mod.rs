//! `slipswitch explain`: why a rule matches an event, or does not, and what each of its targets would be sent.
//!
//! # Invariants
//!
//! - Nothing is sent.

mod told;

use std::io;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;
use server::offline::{ExplainRequest, Explained, NotExplained, explain_event};

use crate::client::{Address, Client};
use crate::failure::{Exit, Failure};
use crate::output::{self, Output};
use crate::source::Source;
use crate::verbs::pattern::given_text;

const EXAMPLES: &str = "\
With --event the rules in the folder are asked, and no router needs to run; the event is JSON, @FILE, or - for standard \
input. With an id the running router is asked: it has the event, and knows what became of it. Without a rule all rules of \
the bus are: those that match, then those that nearly do, each with what is in the way first. Nothing is sent.

Examples:
  slipswitch explain big-orders --event @order.json
  slipswitch explain --event @order.json --bus shop
  slipswitch explain big-orders 0198c5f2-6f0e-7c43-a9d5-0b7f6f9b1c11
  slipswitch explain 0198c5f2-6f0e-7c43-a9d5-0b7f6f9b1c11

Exit codes: 0 the rule matches (of many: at least one does), 1 it does not, 2 wrong usage, 69 the router cannot be \
reached, 78 the rules do not load.";

/// Say why a rule matches an event, or does not, and what its targets would be sent.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = "slipswitch explain [RULE] --event <JSON>\n       slipswitch explain [RULE] <ID>")]
pub(crate) struct Arguments {
    /// A rule, then the id of an event; the id alone asks all rules of its bus
    #[arg(value_name = "RULE|ID", num_args = 0..=2)]
    names: Vec<String>,
    /// The event: JSON, @FILE, or `-` for standard input
    #[arg(long, value_name = "JSON")]
    event: Option<String>,
    /// The bus of the event [default: that of the rule]
    #[arg(long, value_name = "NAME")]
    bus: Option<String>,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    address: Address,
}

/// What a router answers.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Answer {
    #[serde(flatten)]
    explained: Explained,
    place: Option<told::Place>,
    rules_digest: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (rule, id) = match (arguments.names.as_slice(), &arguments.event) {
        ([], Some(_)) => (None, None),
        ([rule], Some(_)) => (Some(rule), None),
        ([id], None) => (None, Some(id)),
        ([rule, id], None) => (Some(rule), Some(id)),
        (_, None) => {
            return Err(Failure::usage(
                "name an event: its id, or --event with JSON, @FILE or -; such as\n  slipswitch explain big-orders --event @order.json",
            ));
        }
        ([_, id, ..], Some(_)) => {
            return Err(Failure::usage(format!(
                "the event is given twice, by its id `{id}` and by --event: leave one out"
            )));
        }
    };
    let answer = match id {
        Some(id) => asked(arguments, rule, id)?,
        None => offline(arguments, rule)?,
    };
    let is_match = answer
        .explained
        .rules
        .iter()
        .any(|rule| rule.matches && rule.enabled && rule.bus == answer.explained.bus);
    if !arguments.output.format.is_data() {
        let text = told::told(
            &answer,
            id.map(String::as_str),
            (rule.is_none(), output::answer_has_color()),
        );
        answered(output::line(text.trim_end()))?;
    }
    if is_match { Ok(()) } else { Err(Failure::answer(Exit::Failed)) }
}

/// The rules in the folder, of an event that was given.
fn offline(arguments: &Arguments, rule: Option<&String>) -> Result<Answer, Failure> {
    let source = &arguments.source;
    let event = given_text("--event", arguments.event.as_deref().unwrap_or_default())?;
    let explained = explain_event(&ExplainRequest {
        rules: source.rules.as_deref(),
        plugins: source.plugins.as_deref(),
        config: source.config.as_deref(),
        event: &event,
        bus: arguments.bus.as_deref(),
        rule: rule.map(String::as_str),
        color: output::has_color(),
    });
    let explained = explained.map_err(|error| match error {
        NotExplained::Asked(message) => Failure::usage(message),
        NotExplained::Rules(rendered) => {
            let message = format!("{}\nthe rules do not load", rendered.trim_end());
            Failure::new(Exit::BadConfiguration, message)
        }
    })?;
    if arguments.output.format.is_data() {
        answered(output::data(arguments.output.format, &explained))?;
    }
    Ok(Answer { explained, ..Answer::default() })
}

/// The running rules, of an event that the router has.
fn asked(arguments: &Arguments, rule: Option<&String>, id: &str) -> Result<Answer, Failure> {
    let client = Client::new(&arguments.address)?;
    let mut body = json!({ "id": id });
    for (key, value) in [("bus", arguments.bus.as_ref()), ("rule", rule)] {
        if let Some(value) = value {
            body[key] = json!(value);
        }
    }
    let found: Result<Box<serde_json::value::RawValue>, Failure> =
        client.post("/api/v1/explain", &body);
    // 1 would say that it does not match.
    let found = found.map_err(|failure| match failure.exit {
        Exit::Failed => Failure { exit: Exit::Usage, ..failure },
        _ => failure,
    })?;
    if arguments.output.format.is_data() {
        answered(output::data(arguments.output.format, &found))?;
    }
    serde_json::from_str(found.get()).map_err(|error| {
        Failure::usage(format!("the router says what this command cannot read: {error}"))
    })
}

/// The exit code is the verdict, whether or not somebody reads the rest.
fn answered(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::usage(format!("write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}
