//! The journal of a router that does not run: verified, repaired, listed, exported.

use std::{io, ops::RangeInclusive, path::Path};

pub use bus::journal::Fault;
use bus::journal::tools::{Export, ExportOf, StoppedData};
pub use bus::journal::tools::{Exported, Info, InfoKind, Repair, ToolError, Verification};

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

    /// Writes the events of a bus, received in these milliseconds since the Unix epoch, one a line.
    pub fn export_bus(
        &self,
        bus: &str,
        times: RangeInclusive<i64>,
        out: &mut dyn io::Write,
    ) -> Result<Exported, JournalError> {
        self.export(Export { of: ExportOf::Bus(bus.to_owned()), times }, out)
    }

    /// The same for an archive, with what of it is not sealed yet.
    pub fn export_archive(
        &self,
        archive: &str,
        times: RangeInclusive<i64>,
        out: &mut dyn io::Write,
    ) -> Result<Exported, JournalError> {
        self.export(Export { of: ExportOf::Archive(archive.to_owned()), times }, out)
    }

    fn export(&self, what: Export, out: &mut dyn io::Write) -> Result<Exported, JournalError> {
        let (mut unreadable, mut failed) = (Vec::new(), None);
        let exported = self.stopped.export(&what, &mut |record| {
            let written = match bus::envelope(&record.payload) {
                Ok(envelope) => write_line(&envelope, out),
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
        exported.records -= unreadable.len() as u64;
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
