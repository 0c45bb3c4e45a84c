//! `slipswitch send`: events into a bus, from a file, from standard input, or from options.
//!
//! # Invariants
//!
//! - Who reads the ids does not decide what is sent: without a reader the printing ends, the sending goes on.
//! - An event does not wait for the next one: what was read goes out when nothing follows for [`IDLE`].

mod compose;
mod dialect;
mod pace;
mod progress;
mod wire;

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufReader, IsTerminal as _, Read},
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::Duration,
};

use clap::Args;
use serde_json::value::RawValue;

use crate::{
    client::{Address, Client, Lost},
    clock::Steady,
    failure::{Exit, Failure},
    input, output,
    problem::{Entry, Problem},
};
use compose::{composed, fresh_id, keyed};
use dialect::{Dialect, Outgoing, Written};
use pace::Pace;
use progress::Progress;
use wire::{PUT_ENTRIES_MAX, Unread};

/// A batch is closed before it grows beyond this, so that a router's limit on a request's body is not met.
const BATCH_BYTES_MAX: usize = 1 << 20;

const BATCH: u16 = 100;

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
  # safe to run again
  slipswitch send orders.ndjson --idempotency-key orders-2026-11-23
  # until Ctrl-C
  slipswitch send orders.ndjson --bus shop --rate 50 --repeat forever
  # what they are is seen
  slipswitch send cloudevents.json --bus shop
  # as an AWS SDK would
  slipswitch send orders.ndjson --bus shop --as eventbridge
  slipswitch send --source com.shopvn.user --detail-type UserSignedUp \\
      --detail '{\"userId\": \"u-1\"}'";

/// Send events to a bus and print their ids.
///
/// When this command ends well, every event is on the router's disk, also when nobody reads the ids (`| head`).
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// File of events; `-` or nothing is standard input
    #[arg(value_name = "FILE", conflicts_with_all = ["source", "detail_type", "detail"])]
    file: Option<PathBuf>,
    /// The bus to send to [default: default, or the one that an EventBridge entry names]
    #[arg(long)]
    bus: Option<String>,
    /// What the events are written as
    #[arg(long = "from", value_name = "DIALECT", value_enum, default_value = "auto")]
    written: Written,
    /// What they travel as: they are converted where that differs
    #[arg(long = "as", value_name = "DIALECT", value_enum, default_value = "plain")]
    travels: Dialect,
    /// Send one event: who it is from, such as com.shopvn.order
    #[arg(long, requires = "detail_type", value_name = "TEXT")]
    source: Option<String>,
    /// Send one event: what happened, such as OrderCreated
    #[arg(long, requires = "source", value_name = "TEXT")]
    detail_type: Option<String>,
    /// Send one event: the rest of the story, as JSON [default: {}]
    #[arg(long, requires = "source", value_name = "JSON")]
    detail: Option<String>,
    /// How many events travel in one request [default: 100; as eventbridge 10, which is the most]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1000))]
    batch: Option<u16>,
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
    let mut sender = Sender {
        client,
        travels: arguments.travels,
        chosen: arguments.bus.clone(),
        batch_max: batch_max(arguments)?,
        batch: Vec::new(),
        bus: String::new(),
        lost: BTreeSet::new(),
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
    if !sender.lost.is_empty() {
        let keys: Vec<&str> = sender.lost.iter().copied().collect();
        output::complain(&format!(
            "left behind, as PutEvents has no place for it: {}",
            keys.join(", ")
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

/// How many events travel in one request.
fn batch_max(arguments: &Arguments) -> Result<usize, Failure> {
    if arguments.travels != Dialect::Eventbridge {
        return Ok(arguments.batch.unwrap_or(BATCH).into());
    }
    if arguments.idempotency_key.is_some() {
        return Err(Failure::usage(
            "PutEvents has no place for an idempotency key: send --as plain or cloudevents, or without a key",
        ));
    }
    if arguments.batch.is_some_and(|batch| PUT_ENTRIES_MAX < batch) {
        output::complain(&format!(
            "PutEvents takes {PUT_ENTRIES_MAX} entries at most: so many travel in one request"
        ));
    }
    Ok(arguments.batch.unwrap_or(PUT_ENTRIES_MAX).min(PUT_ENTRIES_MAX).into())
}

/// All of it, as often as it was asked for.
fn send(sender: &mut Sender, arguments: &Arguments) -> Result<(), Failure> {
    if let (Some(source), Some(detail_type)) = (&arguments.source, &arguments.detail_type) {
        let event = composed(source, detail_type, arguments.detail.as_deref())?;
        for round in 1..=arguments.repeat {
            let key = arguments.idempotency_key.as_ref().map(|key| match arguments.repeat {
                1 => key.clone(),
                _ => format!("{key}/{round}"),
            });
            sender.take(Dialect::Plain, event.clone(), key.as_deref())?;
        }
        return Ok(());
    }
    let file = arguments.file.as_deref();
    if 1 < arguments.repeat && file.is_none_or(|file| file == Path::new("-")) {
        return Err(Failure::usage(
            "--repeat reads a file again from its beginning, and standard input has none: name a file",
        ));
    }
    (0..arguments.repeat).try_for_each(|_round| sender.send_all(file, arguments.written))
}

struct Sender {
    client: Client,
    travels: Dialect,
    /// The bus of all events; none: of each the one that it names.
    chosen: Option<String>,
    batch_max: usize,
    batch: Vec<Box<RawValue>>,
    /// Of the batch.
    bus: String,
    /// Keys of events that could not travel with them.
    lost: BTreeSet<&'static str>,
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

impl Sender {
    fn send_all(&mut self, file: Option<&Path>, written: Written) -> Result<(), Failure> {
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
                Ok(value) => {
                    let (dialect, events) = written.events(value);
                    for event in events {
                        self.read += 1;
                        let key = self.key.as_ref().map(|key| format!("{key}/{}", self.read));
                        self.take(dialect, event, key.as_deref())?;
                    }
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

    /// Puts an event into the batch, as what it travels as. One that cannot be that is refused here.
    fn take(
        &mut self,
        dialect: Dialect,
        event: Box<RawValue>,
        key: Option<&str>,
    ) -> Result<(), Failure> {
        let id = fresh_id;
        match dialect.converted(event, self.travels, self.chosen.as_deref(), id) {
            Ok(Outgoing { json, bus, lost }) => {
                self.lost.extend(lost);
                if bus != self.bus {
                    self.flush()?;
                    self.bus = bus;
                }
                self.push(match key {
                    Some(key) => keyed(&json, self.travels.key_member(), key),
                    None => json,
                })
            }
            Err(reason) => {
                self.flush()?;
                self.report(&[Entry { id: None, error: Some(reason), duplicate: false }]);
                Ok(())
            }
        }
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
        let (path, media, body) = wire::request(self.travels, &self.bus, &self.batch);
        let answer = self.client.send_as(&path, media, body.into()).map_err(|lost| {
            let Lost { mut failure, is_unsent } = lost;
            let fate = if is_unsent {
                ["was not taken", "were not taken"]
            } else {
                ["may have been taken, or not"; 2]
            };
            failure.message.push_str(&self.left_off(fate, 0));
            failure
        })?;
        let entries = match wire::fates(self.travels, &answer) {
            Ok(entries) => entries,
            Err(Unread::Refused(problem)) => return Err(self.refused_whole(&problem)),
            Err(Unread::Strange(error)) => {
                let base = self.client.base();
                return Err(Failure::failed(format!(
                    "what answers at {base} is no router this command understands: {error}"
                )));
            }
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
        let message = format!(
            "{which}: {}{}",
            problem.summary(),
            self.left_off(["was not taken", "were not all taken"], problem.done)
        );
        Failure { exit: Exit::Failed, message, ..problem.failure() }
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
