//! All engines on one family, in turns.
//!
//! # Invariants
//!
//! - A round of each engine, then the next of each: a noisy neighbour meets all of them.
//! - One engine runs at a time, on one thread.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::Context as _;
use serde::de::DeserializeOwned;

use crate::engine::Kind;
use crate::families::Spec;
use crate::worker::{Facts, Lap, Start};

/// How to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    pub kinds: Vec<Kind>,
    pub rounds: usize,
    /// Of one engine, in processor time.
    pub round: Duration,
    /// An engine that has not answered by then is too slow.
    pub patience: Duration,
}

/// One family, measured.
pub struct Outcome {
    pub(crate) spec: &'static Spec,
    pub(crate) events: usize,
    /// Of all events.
    pub(crate) bytes: usize,
    pub(crate) engines: Vec<(Kind, Judgement)>,
}

/// How one engine did.
pub(crate) enum Judgement {
    Measured {
        facts: Facts,
        laps: Vec<Lap>,
    },
    /// It does not take the patterns.
    Refused(String),
    /// It ended by itself, with these last words.
    Died(String),
    TooSlow,
}

/// Measures the engines of the plan. `worker` makes the command that runs this program as a worker.
///
/// # Errors
///
/// When a worker cannot be started. What goes wrong inside of one is a part of the outcome.
pub fn measure(
    spec: &'static Spec,
    plan: &Plan,
    worker: impl Fn(Kind) -> Command,
) -> anyhow::Result<Outcome> {
    let mut runs: Vec<(Kind, Run)> = Vec::new();
    for kind in &plan.kinds {
        runs.push((*kind, Run::start(&mut worker(*kind), plan.patience)?));
    }
    for _ in 0..plan.rounds {
        for (_, run) in &mut runs {
            run.lap(plan.patience);
        }
    }
    let family = spec.make();
    Ok(Outcome {
        spec,
        events: family.events.len(),
        bytes: family.events.iter().map(Vec::len).sum(),
        engines: runs.into_iter().map(|(kind, run)| (kind, run.end())).collect(),
    })
}

/// A worker and what is known of it so far.
struct Run {
    worker: Worker,
    judgement: Judgement,
}

impl Run {
    fn start(command: &mut Command, patience: Duration) -> anyhow::Result<Self> {
        let mut worker = Worker::start(command)?;
        let judgement = match worker.hear(patience) {
            Ok(Start::Ready(facts)) => Judgement::Measured { facts, laps: Vec::new() },
            Ok(Start::Refused(why)) => Judgement::Refused(why),
            Err(instead) => instead,
        };
        Ok(Self { worker, judgement })
    }

    fn lap(&mut self, patience: Duration) {
        let Judgement::Measured { laps, .. } = &mut self.judgement else {
            return;
        };
        match self.worker.ask(patience) {
            Ok(lap) => laps.push(lap),
            Err(instead) => self.judgement = instead,
        }
    }

    fn end(self) -> Judgement {
        self.judgement
    }
}

/// A process that answers line by line, and ends with this value.
struct Worker {
    process: Child,
    questions: ChildStdin,
    answers: Receiver<String>,
}

impl Worker {
    fn start(command: &mut Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().context("start a worker")?;
        let questions = process.stdin.take().expect("piped above");
        let lines = BufReader::new(process.stdout.take().expect("piped above")).lines();
        let (tx, answers) = sync_channel(1);
        // It ends with the process, whose output it reads.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if tx.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { process, questions, answers })
    }

    fn ask(&mut self, patience: Duration) -> Result<Lap, Judgement> {
        match self.questions.write_all(b"round\n") {
            Ok(()) => self.hear(patience),
            Err(_) => Err(self.died()),
        }
    }

    fn hear<T: DeserializeOwned>(&mut self, patience: Duration) -> Result<T, Judgement> {
        match self.answers.recv_timeout(patience) {
            Ok(line) => {
                Ok(serde_json::from_str(&line).expect("a worker is this program and writes JSON"))
            }
            Err(RecvTimeoutError::Timeout) => {
                self.process.kill().ok();
                Err(Judgement::TooSlow)
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.died()),
        }
    }

    /// With its last words: a panic's message is what follows the line that says where.
    fn died(&mut self) -> Judgement {
        let mut words = String::new();
        if let Some(mut stderr) = self.process.stderr.take() {
            stderr.read_to_string(&mut words).ok();
        }
        let mut lines = words.lines().filter(|line| !line.is_empty());
        let first = lines.next().unwrap_or("ended without a word").to_owned();
        let message = if first.contains("panicked at") { lines.next() } else { None };
        Judgement::Died(message.map_or(first, str::to_owned))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
