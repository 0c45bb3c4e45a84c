//! `slipswitch send`: events into a bus, from a file, from standard input, or from options.

use std::{
    fs::File,
    io::{self, BufReader, IsTerminal as _, Read},
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    client::{Address, Client, escaped},
    failure::{Exit, Failure},
    input, output,
    problem::{Entry, Problem},
};

/// A batch is closed before it grows beyond this, so that a router's limit on a request's body is not met.
const BATCH_BYTES_MAX: usize = 1 << 20;

const EXAMPLES: &str = "\
An event is a JSON object with source, detail-type and detail; id, time and resources if you have them. Many come as \
NDJSON (one a line) or as an array. The id of each accepted event is printed, in the order they were sent; a refused \
one is reported with its number and the reason, the others are kept, and the exit code is 1.

Examples:
  slipswitch send events.ndjson --bus shop
  jq -c '.[]' export.json | slipswitch send --bus shop
  slipswitch send --source com.shopvn.user --detail-type UserSignedUp --detail '{\"userId\": \"u-1\"}'";

/// Send events to a bus and print their ids.
///
/// When this command ends well, every event is on the router's disk.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// File of events; `-` or nothing is standard input
    #[arg(value_name = "FILE", conflicts_with_all = ["source", "detail_type", "detail"])]
    file: Option<PathBuf>,
    /// The bus to send to
    #[arg(long, default_value = "default")]
    bus: String,
    /// Send one event: who it is from, such as com.shopvn.order
    #[arg(long, requires = "detail_type", value_name = "TEXT")]
    source: Option<String>,
    /// Send one event: what happened, such as OrderCreated
    #[arg(long, requires = "source", value_name = "TEXT")]
    detail_type: Option<String>,
    /// Send one event: the rest of the story, as JSON [default: {}]
    #[arg(long, requires = "source", value_name = "JSON")]
    detail: Option<String>,
    /// How many events travel in one request
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    batch: u16,
    #[command(flatten)]
    address: Address,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let path = format!("/buses/{}/events", escaped(&arguments.bus));
    let mut sender = Sender {
        client,
        path,
        batch_max: arguments.batch.into(),
        batch: Vec::new(),
        sent: 0,
        refused: 0,
    };
    match (&arguments.source, &arguments.detail_type) {
        (Some(source), Some(detail_type)) => {
            sender.push(composed(source, detail_type, arguments.detail.as_deref())?)?;
        }
        _ => sender.send_all(arguments.file.as_deref())?,
    }
    sender.flush()?;
    if sender.refused > 0 {
        output::complain(&format!("{} of {} events were refused", sender.refused, sender.sent));
        return Err(Failure::silent(Exit::Failed));
    }
    Ok(())
}

/// One event made of options. The detail's own bytes stay as they were typed.
fn composed(
    source: &str,
    detail_type: &str,
    detail: Option<&str>,
) -> Result<Box<RawValue>, Failure> {
    let detail: &RawValue = serde_json::from_str(detail.unwrap_or("{}")).map_err(|error| {
        Failure::usage(format!(
            "--detail is no JSON: {error}; quote it for the shell: --detail '{{\"a\": 1}}'"
        ))
    })?;
    let event = format!(
        r#"{{"source":{},"detail-type":{},"detail":{}}}"#,
        serde_json::Value::from(source),
        serde_json::Value::from(detail_type),
        detail.get()
    );
    RawValue::from_string(event)
        .map_err(|error| Failure::usage(format!("the event is no JSON: {error}")))
}

struct Sender {
    client: Client,
    path: String,
    batch_max: usize,
    batch: Vec<Box<RawValue>>,
    /// Events the router has answered for.
    sent: usize,
    refused: usize,
}

#[derive(Deserialize)]
struct Accepted {
    entries: Vec<Entry>,
}

impl Sender {
    fn send_all(&mut self, file: Option<&Path>) -> Result<(), Failure> {
        let (name, reader) = open(file)?;
        for piece in input::pieces(reader) {
            match piece {
                Ok(event) => self.push(event)?,
                Err(error) => {
                    self.flush()?;
                    let before = self.sent;
                    return Err(Failure::failed(format!(
                        "{name}: {error}\n{before} events before that place were sent, nothing after it"
                    )));
                }
            }
        }
        self.flush()?;
        if self.sent == 0 {
            return Err(Failure::failed(format!(
                "{name} holds no event; one is a JSON object, several are NDJSON"
            )));
        }
        Ok(())
    }

    fn push(&mut self, event: Box<RawValue>) -> Result<(), Failure> {
        let bytes: usize = self.batch.iter().map(|event| event.get().len() + 1).sum();
        if !self.batch.is_empty() && bytes + event.get().len() > BATCH_BYTES_MAX {
            self.flush()?;
        }
        self.batch.push(event);
        if self.batch.len() >= self.batch_max { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let events: Vec<&str> = self.batch.iter().map(|event| event.get()).collect();
        let body = format!("[{}]", events.join(","));
        let answer = self.client.send(&self.path, body.into())?;
        let entries = if (200..300).contains(&answer.status) {
            serde_json::from_slice::<Accepted>(&answer.body)
                .map_err(|error| {
                    let base = self.client.base();
                    Failure::failed(format!(
                        "what answers at {base} is no router this command understands: {error}"
                    ))
                })?
                .entries
        } else {
            let problem = Problem::read(answer.status, &answer.body);
            if problem.entries.is_empty() {
                return Err(self.refused_whole(&problem));
            }
            problem.entries
        };
        self.batch.clear();
        self.report(&entries)
    }

    fn report(&mut self, entries: &[Entry]) -> Result<(), Failure> {
        for entry in entries {
            self.sent += 1;
            match (&entry.id, &entry.error) {
                (Some(id), None) => output::line(id)?,
                (_, reason) => {
                    self.refused += 1;
                    let reason = reason.as_deref().unwrap_or("the router gave no reason");
                    output::complain(&format!("event {}: {reason}", self.sent));
                }
            }
        }
        Ok(())
    }

    fn refused_whole(&self, problem: &Problem) -> Failure {
        let first = self.sent + 1;
        let last = self.sent + self.batch.len();
        let which = if first == last {
            format!("event {first}")
        } else {
            format!("events {first} to {last}")
        };
        Failure::failed(format!("{which}: {}", problem.summary()))
    }
}

fn open(file: Option<&Path>) -> Result<(String, Box<dyn Read>), Failure> {
    match file {
        Some(path) if path != Path::new("-") => {
            let shown = path.display();
            let file = File::open(path)
                .map_err(|error| Failure::failed(format!("open {shown}: {error}")))?;
            Ok((shown.to_string(), Box::new(BufReader::new(file))))
        }
        None if io::stdin().is_terminal() => Err(Failure::usage(
            "nothing to send: name a file, pipe events in, or give --source, --detail-type and --detail \
             (see `slipswitch send --help`; to type events by hand, name the file -)",
        )),
        _ => Ok(("standard input".to_owned(), Box::new(BufReader::new(io::stdin())))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_composed_event_keeps_the_bytes_of_its_detail() {
        let event = composed("a\"b", "T", Some("{ \"n\": 1.10 }")).unwrap();
        assert_eq!(event.get(), r#"{"source":"a\"b","detail-type":"T","detail":{ "n": 1.10 }}"#);
        assert_eq!(composed("a", "T", Some("{n: 1}")).unwrap_err().exit, Exit::Usage);
    }
}
