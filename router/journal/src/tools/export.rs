//! All records of one bus, or of one archive, in order: first the sealed ones, then the hot ones.
//!
//! # Invariants
//!
//! - A record comes once, also when it is sealed and hot.
//! - What is not sealed yet comes too, or it is said how much is left out.
//! - Damage is passed over and counted: what can be read is exported.

use std::{collections::BTreeSet, io, ops::RangeInclusive};

use super::{InfoKind, JOURNAL, StoppedData, ToolError, hot::Hot};
use crate::{
    Chain, ChainOptions, ChainRecord, Offset, ReadError, Record,
    chain::{Fault, verify::sound_manifest},
};

/// What is to be exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    pub of: ExportOf,
    /// Milliseconds since the Unix epoch.
    pub times: RangeInclusive<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportOf {
    Bus(String),
    Archive(String),
}

/// What an export has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    pub records: u64,
    /// Damages that were passed over, in words.
    pub damages: Vec<String>,
}

impl StoppedData {
    /// The names of the buses that have events, sealed or not.
    pub fn buses(&self) -> Result<Vec<String>, ToolError> {
        let gathered = (|| {
            let mut buses: BTreeSet<_> = self.chain_names(InfoKind::Bus)?.into_iter().collect();
            for segment in Hot::open(&*self.disk.folder(JOURNAL))?.segments {
                Hot::records(&segment, &mut |record| {
                    if !buses.contains(&*record.bus) {
                        buses.insert(record.bus.to_string());
                    }
                    Ok(())
                })?;
            }
            Ok(buses.into_iter().collect())
        })();
        gathered.map_err(|source| self.error(source))
    }

    /// Hands over the records one after the other. An error of `each` ends the export.
    pub fn export(
        &self,
        what: &Export,
        each: &mut dyn FnMut(&ChainRecord) -> io::Result<()>,
    ) -> Result<Exported, ToolError> {
        let mut exported = Exported::default();
        let (kind, name) = match &what.of {
            ExportOf::Bus(name) => (InfoKind::Bus, name),
            ExportOf::Archive(name) => (InfoKind::Archive, name),
        };
        let known = self.archives.iter().find(|archive| archive.name == *name);
        let sealed_to = self.export_chain((kind, name), what, each, &mut exported)?;
        let hot = Hot::open(&*self.disk.folder(JOURNAL)).map_err(|source| self.error(source))?;
        let from = match kind {
            // A chain ends with the last round that had something for it.
            InfoKind::Archive => sealed_to.max(self.sealed_to(&hot)?).unwrap_or_default(),
            _ => sealed_to.unwrap_or_default(),
        };
        let (mut met, mut left_out) = (sealed_to.is_some(), 0_u64);
        let mut take = |record: Record| {
            let is_wanted = match kind {
                InfoKind::Archive => known.is_some_and(|archive| archive.holds(&record)),
                _ => *record.bus == **name,
            };
            met |= is_wanted;
            if record.offset < from || !what.times.contains(&record.time) {
                return Ok(());
            }
            left_out += u64::from(!is_wanted);
            if !is_wanted {
                return Ok(());
            }
            exported.records += 1;
            each(&ChainRecord { offset: record.offset, time: record.time, payload: record.payload })
        };
        for segment in &hot.segments {
            Hot::records(segment, &mut take).map_err(|source| self.error(source))?;
        }
        match (kind, known) {
            (InfoKind::Archive, Some(_)) => (),
            (InfoKind::Archive, None) if met && 0 < left_out => exported.damages.push(format!(
                "archive {name:?}: state.sqlite does not say what belongs to it, so that of the {left_out} events \
                 from offset {from} on, which are not sealed yet, none is written; an export of \
                 their bus has them"
            )),
            (InfoKind::Archive, None) if !met => {
                let mut all = self.chain_names(kind).map_err(|source| self.error(source))?;
                all.extend(self.archives.iter().map(|archive| archive.name.clone()));
                all.sort();
                all.dedup();
                return Err(self.unknown(format!("archive {name:?}"), &all));
            }
            _ if !met => return Err(self.unknown(format!("bus {name:?}"), &self.buses()?)),
            _ => (),
        }
        exported.damages.extend(hot.faults.iter().map(Fault::to_string));
        Ok(exported)
    }

    /// Where sealed segments end: what is behind is hot alone.
    fn sealed_to(&self, hot: &Hot) -> Result<Option<Offset>, ToolError> {
        if let Some((to, _)) = hot.sealed {
            return Ok(Some(to));
        }
        let ends = || -> io::Result<Option<Offset>> {
            let mut end = None;
            for chain in self.chains()?.iter().filter(|chain| chain.kind == InfoKind::Bus) {
                let manifest = sound_manifest(&*chain.disk, &chain.disk.list()?)?;
                end = end.max(manifest.ok().flatten().map(|manifest| manifest.to));
            }
            Ok(end)
        };
        ends().map_err(|source| self.error(source))
    }

    /// Where the chain ends; `None` when there is none.
    fn export_chain(
        &self,
        (kind, name): (InfoKind, &str),
        what: &Export,
        each: &mut dyn FnMut(&ChainRecord) -> io::Result<()>,
        exported: &mut Exported,
    ) -> Result<Option<Offset>, ToolError> {
        for folder in self.chains().map_err(|source| self.error(source))? {
            let has_begun = || folder.has_begun().map_err(|source| self.error(source));
            if folder.kind != kind || folder.name != name || !has_begun()? {
                continue;
            }
            let options = ChainOptions::new("", name);
            let (chain, _) = Chain::open_in(folder.disk, options)?;
            let mut cursor = chain.read(Offset::ZERO).between(what.times.clone()).skip_damaged();
            loop {
                match cursor.next_batch() {
                    Ok(Some(records)) => {
                        for record in &records {
                            exported.records += 1;
                            each(record).map_err(|source| self.error(source))?;
                        }
                    }
                    Ok(None) => return Ok(Some(chain.covered().end)),
                    Err(error @ ReadError::Damaged { .. }) => {
                        exported.damages.push(error.to_string())
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(None)
    }

    fn chain_names(&self, kind: InfoKind) -> io::Result<Vec<String>> {
        let chains = self.chains()?.into_iter().filter(|chain| chain.kind == kind);
        let begun = chains.filter_map(|chain| match chain.has_begun() {
            Ok(false) => None,
            Ok(true) => Some(Ok(chain.name)),
            Err(error) => Some(Err(error)),
        });
        begun.collect()
    }

    fn unknown(&self, what: String, known: &[String]) -> ToolError {
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        ToolError::Unknown { path: self.disk.path(""), what, known }
    }
}
