//! Records that stand in two places: what is lost in one is taken from the other.
//!
//! ```text
//! a bus's chain     ◀── the hot journal, archives of the bus
//! an archive's      ◀── the hot journal, the chain of its bus
//! the hot journal   what is sealed of it needs no copy
//! ```
//!
//! # Not here
//!
//! - What an archive wants: whoever knows the archives says it. Without, they have no copies.

use std::{collections::BTreeMap, io, ops::Range, sync::Arc};

use super::{ChainFolder, InfoKind, KnownArchive, StoppedData, hot::Hot};
use crate::{
    ChainRecord, Offset, Record,
    chain::{
        copies::{Copies, NoCopies, Records, records},
        repair::{Repair, set_aside},
    },
    disk::Disk,
    layout::{STORE_NAME, Store},
};

/// What else has records of a chain.
struct Elsewhere<'a> {
    hot: &'a Hot,
    /// What the chain is of.
    bus: &'a str,
    archive: Option<&'a KnownArchive>,
    /// Chains whose records are all of this bus.
    chains: Vec<Arc<dyn Disk>>,
}

impl Copies for Elsewhere<'_> {
    fn within(&self, span: &Range<Offset>) -> io::Result<Records> {
        let mut found = Records::new();
        let mut take = |record: Record| {
            let is_wanted = span.contains(&record.offset)
                && *record.bus == *self.bus
                && self.archive.is_none_or(|archive| archive.holds(&record));
            if is_wanted {
                let Record { offset, time, payload, .. } = record;
                found.entry(offset).or_insert(ChainRecord { offset, time, payload });
            }
        };
        for segment in &self.hot.segments {
            Hot::records(segment, &mut |record| {
                take(record);
                Ok(())
            })?;
        }
        let bus: Arc<str> = self.bus.into();
        for chain in &self.chains {
            records(&**chain, span, &mut |ChainRecord { offset, time, payload }| {
                take(Record { offset, time, bus: Arc::clone(&bus), payload });
            })?;
        }
        Ok(found)
    }
}

impl StoppedData {
    /// Where the records of a chain stand, too.
    pub(super) fn copies<'a>(
        &'a self,
        hot: &'a Hot,
        chain: &'a ChainFolder,
    ) -> io::Result<Box<dyn Copies + 'a>> {
        let known = |name: &str| self.archives.iter().find(|archive| archive.name == name);
        let archive = known(&chain.name).filter(|_| chain.kind == InfoKind::Archive);
        let bus = match (chain.kind, archive) {
            (InfoKind::Bus, _) => &chain.name,
            (_, Some(archive)) => &archive.bus,
            _ => return Ok(Box::new(NoCopies)),
        };
        let has_the_same = |other: &ChainFolder| match (chain.kind, other.kind) {
            (InfoKind::Bus, InfoKind::Archive) => {
                known(&other.name).is_some_and(|other| other.bus == *bus)
            }
            (InfoKind::Archive, InfoKind::Bus) => other.name == *bus,
            _ => false,
        };
        let chains = self.chains()?.into_iter().filter(has_the_same).map(|chain| chain.disk);
        Ok(Box::new(Elsewhere { hot, bus, archive, chains: chains.collect() }))
    }

    /// What is hot and counts as sealed, but is in no chain any more, counts as not sealed again.
    pub(super) fn seal_again(&self, disk: &dyn Disk, done: &mut Repair) -> io::Result<()> {
        let hot = Hot::open(disk)?;
        let (Some((sealed_to, sealed_time)), Some(id)) = (hot.sealed, hot.store_id) else {
            return Ok(());
        };
        let mut ends = BTreeMap::new();
        for chain in self.chains()?.into_iter().filter(|chain| chain.kind == InfoKind::Bus) {
            ends.insert(chain.name.clone(), chain.end()?);
        }
        let (mut first, mut count) = (None, 0_u64);
        for segment in &hot.segments {
            Hot::records(segment, &mut |record| {
                let end = ends.get(&*record.bus).copied().unwrap_or_default();
                if end <= record.offset && record.offset < sealed_to {
                    first.get_or_insert(record.offset);
                    count += 1;
                }
                Ok(())
            })?;
        }
        let Some(first) = first else { return Ok(()) };
        let aside = set_aside(disk, STORE_NAME)?;
        let first_epoch = hot.first_epoch;
        Store { id, first_epoch, sealed_to: first, sealed_time }.write(disk)?;
        done.actions.push(format!(
            "{}: {count} records from offset {first} on are in no sealed segment any more, but in the hot \
             journal still: the router seals them again; as it was it is {aside}",
            disk.path(STORE_NAME).display()
        ));
        Ok(())
    }
}
