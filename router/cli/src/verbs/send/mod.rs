//! `slipswitch send`: events into a bus, from a file, from standard input, or from options.
//!
//! # Invariants
//!
//! - Who reads the ids does not decide what is sent: without a reader the printing ends, the sending goes on.
//! - An event does not wait for the next one: what was read goes out when nothing follows for [`IDLE`].

mod pace;
mod progress;

use std::{
    fs::File,
    io::{self, BufReader, IsTerminal as _, Read},
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::Duration,
};

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    client::{Address, Client, Lost, escaped},
    clock::Steady,
    failure::{Exit, Failure},
    input, output,
    problem::{Entry, Problem},
};
use pace::Pace;
use progress::Progress;

/// A batch is closed before it grows beyond this, so that a router's limit on a request's body is not met.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// How long an event that was read waits for others to travel with.
const IDLE: Duration = Duration::from_millis(200);
/// At a rate, how long an event that is due waits for others to travel with.
const COMPANY_WAIT_MAX: Duration = Duration::from_millis(50);
/// Events read ahead of the ones that are being sent.
const AHEAD_MAX: usize = 16;

const EXAMPLES: &str = "\
An event is a JSON object with source, detail-type and detail; id, time and resources if you have them. Many come as \
NDJSON (one a line) or as an array. The id of each accepted event is printed, in the order they were sent; a refused \
one is reported with its number and the reason, the others are kept, and the exit code is 1. From a slow pipe, what \
was read is sent when nothing follows for 200 ms.

Examples:
  slipswitch send events.ndjson --bus shop
  jq -c '.[]' export.json | slipswitch send --bus shop
  slipswitch send orders.ndjson --idempotency-key orders-2026-11-23   # safe to run again
  slipswitch send orders.ndjson --bus shop --rate 50 --repeat forever  # until Ctrl-C
  slipswitch send --source com.shopvn.user --detail-type UserSignedUp --detail '{\"userId\": \"u-1\"}'";

/// Send events to a bus and print their ids.
///
/// When this command ends well, every event is on the router's disk, also when nobody reads the ids (`| head`).
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
    /// Send each event once, however often this command is run: event number N gets KEY/N, one made of options KEY
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    address: Address,
    /// Send so many events a second, steadily: 50, or 0.5
    #[arg(long, value_name = "NUMBER", value_parser = pace::rate)]
    rate: Option<f64>,
    /// Send all of it so many times, or `forever`
    #[arg(long, value_name = "TIMES", value_parser = times, default_value = "1")]
    repeat: u64,
}

/// For clap. Nobody lives to see the end of `forever`.
fn times(text: &str) -> Result<u64, String> {
    match (text, text.parse()) {
        ("forever", _) => Ok(u64::MAX),
        (_, Ok(times @ 1..)) => Ok(times),
        _ => Err("use a whole number from 1, or `forever`".to_owned()),
    }
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
        repeated: 0,
        unprinted: None,
        key: arguments.idempotency_key.clone(),
        read: 0,
        pace: arguments.rate.map(Pace::new),
        clock: Steady::start(),
        batch_begun: Duration::ZERO,
        progress: Progress::new(),
    };
    let sent = send(&mut sender, arguments).and_then(|()| sender.flush());
    sender.progress.end();
    sent?;
    if io::stderr().is_terminal() && 1 < sender.sent {
        output::complain(&progress::line(sender.sent, sender.clock.elapsed()));
    }
    if 0 < sender.repeated {
        let (repeated, sent) = (sender.repeated, output::count(sender.sent, "event"));
        output::complain(&format!(
            "{repeated} of {sent} had been sent before: nothing was stored again"
        ));
    }
    if sender.refused > 0 {
        output::complain(&format!("{} of {} events were refused", sender.refused, sender.sent));
        return Err(Failure::silent(Exit::Failed));
    }
    match sender.unprinted {
        Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(format!(
            "all events were sent, but not all ids could be printed: write to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}

/// All of it, as often as it was asked for.
fn send(sender: &mut Sender, arguments: &Arguments) -> Result<(), Failure> {
    if let (Some(source), Some(detail_type)) = (&arguments.source, &arguments.detail_type) {
        let event = composed(source, detail_type, arguments.detail.as_deref())?;
        for round in 1..=arguments.repeat {
            sender.push(match &arguments.idempotency_key {
                Some(key) if arguments.repeat == 1 => keyed(&event, key),
                Some(key) => keyed(&event, &format!("{key}/{round}")),
                None => event.clone(),
            })?;
        }
        return Ok(());
    }
    let file = arguments.file.as_deref();
    if 1 < arguments.repeat && file.is_none_or(|file| file == Path::new("-")) {
        return Err(Failure::usage(
            "--repeat reads a file again from its beginning, and standard input has none: name a file",
        ));
    }
    (0..arguments.repeat).try_for_each(|_round| sender.send_all(file))
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

/// The event with an idempotency key; what is no object stays as it is, for the router to refuse.
fn keyed(event: &RawValue, key: &str) -> Box<RawValue> {
    let with_key = |rest: &str| {
        let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
        let key = serde_json::Value::from(key);
        RawValue::from_string(format!(r#"{{"idempotency-key":{key}{comma}{rest}"#)).ok()
    };
    let found = event.get().trim_start().strip_prefix('{').and_then(with_key);
    found.unwrap_or_else(|| event.to_owned())
}

struct Sender {
    client: Client,
    path: String,
    batch_max: usize,
    batch: Vec<Box<RawValue>>,
    /// Events the router has answered for.
    sent: usize,
    refused: usize,
    /// Events that the router had already.
    repeated: usize,
    /// Why ids are printed no more.
    unprinted: Option<io::Error>,
    /// What the idempotency keys begin with.
    key: Option<String>,
    /// Events read so far.
    read: usize,
    /// None: as fast as they are taken.
    pace: Option<Pace>,
    clock: Steady,
    /// When the first event of the batch was put into it.
    batch_begun: Duration,
    progress: Progress,
}

#[derive(Deserialize)]
struct Accepted {
    entries: Vec<Entry>,
}

impl Sender {
    fn send_all(&mut self, file: Option<&Path>) -> Result<(), Failure> {
        let (name, reader) = open(file)?;
        let (events, reading) = read_ahead(reader)?;
        loop {
            let piece = match events.recv_timeout(IDLE) {
                Ok(piece) => piece,
                Err(RecvTimeoutError::Timeout) => {
                    self.flush()?;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            match piece {
                Ok(event) => {
                    self.read += 1;
                    let event = match &self.key {
                        Some(key) => keyed(&event, &format!("{key}/{}", self.read)),
                        None => event,
                    };
                    self.push(event)?;
                }
                Err(error) => {
                    self.flush()?;
                    let before = self.sent;
                    let no_json = if error.is_io() { "" } else { "not JSON: " };
                    return Err(Failure::failed(format!(
                        "{name}: {no_json}{error}\n{before} events before that place were sent, nothing after it"
                    )));
                }
            }
        }
        reading
            .join()
            .map_err(|_panic| Failure::failed(format!("{name}: reading it broke off")))?;
        self.flush()?;
        if self.sent == 0 {
            return Err(Failure::failed(format!(
                "{name} holds no event; one is a JSON object, several are NDJSON"
            )));
        }
        Ok(())
    }

    fn push(&mut self, event: Box<RawValue>) -> Result<(), Failure> {
        let now = self.clock.elapsed();
        let wait = self.pace.as_mut().map_or(Duration::ZERO, |pace| pace.next(now));
        if self.pace.is_some() && self.batch_begun + COMPANY_WAIT_MAX < now + wait {
            self.flush()?;
        }
        // What the flush took is part of the wait.
        thread::sleep((now + wait).saturating_sub(self.clock.elapsed()));
        let bytes: usize = self.batch.iter().map(|event| event.get().len() + 1).sum();
        if !self.batch.is_empty() && bytes + event.get().len() > BATCH_BYTES_MAX {
            self.flush()?;
        }
        if self.batch.is_empty() {
            self.batch_begun = self.clock.elapsed();
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
        let answer = self.client.send(&self.path, body.into()).map_err(|lost| {
            let Lost { mut failure, is_unsent } = lost;
            let fate = if is_unsent {
                ["was not taken", "were not taken"]
            } else {
                ["may have been taken, or not"; 2]
            };
            failure.message.push_str(&self.left_off(fate, 0));
            failure
        })?;
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
        self.report(&entries);
        self.progress.tell(self.sent, self.clock.elapsed());
        Ok(())
    }

    fn report(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.sent += 1;
            match (&entry.id, &entry.error) {
                (Some(id), None) => {
                    self.repeated += usize::from(entry.duplicate);
                    self.print(id);
                }
                (_, reason) => {
                    self.refused += 1;
                    let reason = reason.as_deref().unwrap_or("the router gave no reason");
                    output::complain(&format!("event {}: {reason}", self.sent));
                }
            }
        }
    }

    fn print(&mut self, id: &str) {
        if self.unprinted.is_none() {
            self.unprinted = output::line(id).err();
        }
    }

    fn refused_whole(&self, problem: &Problem) -> Failure {
        let which = numbered(self.sent + 1, self.sent + self.batch.len());
        Failure::failed(format!(
            "{which}: {}{}",
            problem.summary(),
            self.left_off(["was not taken", "were not all taken"], problem.done)
        ))
    }

    /// Where it stopped, and how to go on, in words for one event and for several. A single event says
    /// it all by itself.
    fn left_off(&self, [one, several]: [&str; 2], done: usize) -> String {
        let last = self.sent + self.batch.len();
        let sent = (self.sent + done).min(last);
        let first = sent + 1;
        if last == 1 {
            return String::new();
        }
        let before = match sent {
            0 => "none was sent before them".to_owned(),
            _ => format!("events 1 to {sent} were sent"),
        };
        let mend = match &self.key {
            Some(_) => {
                "run the same command again: the key keeps what was taken from being stored twice"
                    .to_owned()
            }
            None => format!(
                "go on with event {first}; with --idempotency-key a command may be run again as it is"
            ),
        };
        let (which, fate) = (numbered(first, last), if first < last { several } else { one });
        format!("\n{which} {fate}, {before}, and nothing after them; {mend}")
    }
}

fn numbered(first: usize, last: usize) -> String {
    if first < last { format!("events {first} to {last}") } else { format!("event {last}") }
}

type Piece = Result<Box<RawValue>, serde_json::Error>;

/// Reads on a thread of its own: a pipe that has nothing to say yet does not hold up what it said before.
///
/// The thread is not waited for when sending fails; it ends with the process.
fn read_ahead(reader: Box<dyn Read + Send>) -> Result<(Receiver<Piece>, JoinHandle<()>), Failure> {
    let (events, read) = mpsc::sync_channel(AHEAD_MAX);
    let reading = thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || {
            for piece in input::pieces(reader) {
                if events.send(piece).is_err() {
                    return;
                }
            }
        })
        .map_err(|error| Failure::failed(format!("start a thread for the input: {error}")))?;
    Ok((read, reading))
}

fn open(file: Option<&Path>) -> Result<(String, Box<dyn Read + Send>), Failure> {
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
    fn a_key_goes_into_an_object_and_nowhere_else() {
        let keyed = |text: &str| {
            let event = RawValue::from_string(text.to_owned()).unwrap();
            keyed(&event, "k/1").get().to_owned()
        };
        assert_eq!(keyed(r#"{"a": 1}"#), r#"{"idempotency-key":"k/1","a": 1}"#);
        assert_eq!(keyed("{ }"), r#"{"idempotency-key":"k/1" }"#);
        assert_eq!(keyed("[1]"), "[1]");
    }

    #[test]
    fn a_composed_event_keeps_the_bytes_of_its_detail() {
        let event = composed("a\"b", "T", Some("{ \"n\": 1.10 }")).unwrap();
        assert_eq!(event.get(), r#"{"source":"a\"b","detail-type":"T","detail":{ "n": 1.10 }}"#);
        assert_eq!(composed("a", "T", Some("{n: 1}")).unwrap_err().exit, Exit::Usage);
    }
}
