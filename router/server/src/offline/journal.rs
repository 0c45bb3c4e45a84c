//! The journal of a router that does not run: verified, repaired, listed, exported.

use std::{io, ops::RangeInclusive, path::Path};

pub use bus::journal::Fault;
use bus::journal::tools::{Export, ExportOf, StoppedData};
pub use bus::journal::tools::{Exported, Info, InfoKind, Repair, ToolError, Verification};

use bus::ruleset::pattern::{Event, Matcher, Pattern, Scratch};
use bus::ruleset::{Code, Diagnostic};

use crate::config::Config;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The configuration cannot be read, in words.
    #[error("{0}")]
    Config(String),
    #[error(transparent)]
    Tool(#[from] ToolError),
    #[error("{0}")]
    Write(io::Error),
    /// The pattern is none, in words.
    #[error("{0}")]
    Pattern(String),
}

/// Which events are written.
pub struct Sieve {
    /// When they were received, in milliseconds since the Unix epoch.
    times: RangeInclusive<i64>,
    /// None: whatever is in them.
    matcher: Option<Matcher>,
    scratch: Scratch,
}

impl Sieve {
    /// Events of these times that a pattern matches, if there is one.
    pub fn new(times: RangeInclusive<i64>, pattern: Option<&str>) -> Result<Self, JournalError> {
        let matcher = match pattern.map(|text| Pattern::parse(text).map_err(|error| (text, error)))
        {
            None => None,
            Some(Ok(pattern)) => Some(Matcher::new(&[pattern])),
            Some(Err((text, error))) => {
                let words = [error.message, "here".to_owned(), error.mend];
                let found = crate::config::at("pattern", text, error.span, words);
                let code = Code::InvalidPattern;
                let found = Diagnostic { code, page: code.page(), ..found };
                return Err(JournalError::Pattern(found.render(text, false)));
            }
        };
        Ok(Self { times, matcher, scratch: Scratch::default() })
    }

    fn passes(&mut self, envelope: &[u8]) -> Result<bool, String> {
        let Some(matcher) = &self.matcher else { return Ok(true) };
        let mut matched = Vec::new();
        let event = Event::check(envelope).map_err(|error| error.message)?;
        matcher.matches(event, &mut self.scratch, &mut matched).map_err(|error| error.message)?;
        Ok(!matched.is_empty())
    }
}

/// The data folder of a stopped router, locked.
pub struct Data {
    stopped: StoppedData,
    /// What is wrong with its state database.
    state: Vec<Fault>,
}

impl Data {
    /// The folder that is named, else the configuration's.
    pub fn open(data: Option<&Path>, config: Option<&Path>) -> Result<Self, JournalError> {
        let dir = match data {
            Some(dir) => dir.to_owned(),
            None => read_config(config)?.data_dir,
        };
        let stopped = StoppedData::open(&dir)?;
        let (state, end_min) = bus::verify_state(&dir);
        let mut stopped = stopped.expecting(end_min);
        if let Some(archives) = bus::stored_archives(&dir) {
            stopped = stopped.knowing(archives);
        }
        Ok(Self { stopped, state })
    }

    /// The whole folder, the state database included.
    pub fn verify(&self) -> Result<Verification, JournalError> {
        let mut found = self.stopped.verify()?;
        // Where there is no event yet, no database is missed.
        if 0 < found.records || 0 < found.faults_count {
            self.state.iter().cloned().for_each(|fault| found.fault(fault));
        }
        Ok(found)
    }

    /// What is left to do by hand: nobody can mend the database.
    pub fn state_faults(&self) -> &[Fault] {
        &self.state
    }

    pub fn repair(&self) -> Result<Repair, JournalError> {
        Ok(self.stopped.repair()?)
    }

    /// The parts, and what of them cannot be told.
    pub fn info(&self) -> Result<(Vec<Info>, Vec<Fault>), JournalError> {
        Ok(self.stopped.info()?)
    }

    /// Archives that hold something and that the state database does not know, in words.
    pub fn unlisted_archives(&self) -> Result<Vec<String>, JournalError> {
        Ok(self.stopped.unlisted_archives()?)
    }

    /// The names of the buses that have events.
    pub fn buses(&self) -> Result<Vec<String>, JournalError> {
        Ok(self.stopped.buses()?)
    }

    /// Writes the events of a bus that pass, one a line.
    pub fn export_bus(
        &self,
        bus: &str,
        sieve: &mut Sieve,
        out: &mut dyn io::Write,
    ) -> Result<Exported, JournalError> {
        self.export(ExportOf::Bus(bus.to_owned()), sieve, out)
    }

    /// The same for an archive, with what of it is not sealed yet.
    pub fn export_archive(
        &self,
        archive: &str,
        sieve: &mut Sieve,
        out: &mut dyn io::Write,
    ) -> Result<Exported, JournalError> {
        self.export(ExportOf::Archive(archive.to_owned()), sieve, out)
    }

    fn export(
        &self,
        of: ExportOf,
        sieve: &mut Sieve,
        out: &mut dyn io::Write,
    ) -> Result<Exported, JournalError> {
        let what = Export { of, times: sieve.times.clone() };
        let (mut unreadable, mut failed, mut passed_over) = (Vec::new(), None, 0);
        let exported = self.stopped.export(&what, &mut |record| {
            let envelope = bus::envelope(&record.payload).map_err(|error| error.to_string());
            let chosen = envelope.and_then(|one| Ok(sieve.passes(&one)?.then_some(one)));
            let written = match chosen {
                Ok(Some(envelope)) => write_line(&envelope, out),
                Ok(None) => {
                    passed_over += 1;
                    Ok(())
                }
                Err(error) => {
                    unreadable.push(format!("offset {}: {error}", record.offset));
                    Ok(())
                }
            };
            written.map_err(|error| {
                let kind = error.kind();
                failed = Some(error);
                kind.into()
            })
        });
        if let Some(error) = failed {
            return Err(JournalError::Write(error));
        }
        let mut exported = exported?;
        exported.records -= unreadable.len() as u64 + passed_over;
        exported.damages.extend(unreadable);
        Ok(exported)
    }
}

fn read_config(path: Option<&Path>) -> Result<Config, JournalError> {
    Config::read(path).map_err(|error| JournalError::Config(error.to_string()))
}

/// Line breaks between the parts of an event are white space; in its strings they are escaped.
fn write_line(envelope: &[u8], out: &mut dyn io::Write) -> io::Result<()> {
    let mut rest = envelope;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        out.write_all(&rest[..at])?;
        out.write_all(b" ")?;
        rest = &rest[at + 1..];
    }
    out.write_all(rest)?;
    out.write_all(b"\n")
}
