//! Records of a chain that stand elsewhere, too: in the hot journal, or in a chain that has the same.
//!
//! # Invariants
//!
//! - Only what is whole is handed over.

use std::{collections::BTreeMap, io, ops::Range};

use super::{
    opening::look_at,
    verify::{scan, sound_manifest},
};
use crate::{ChainRecord, Offset, disk::Disk, layout::Seed, sealed::file};

pub(crate) type Records = BTreeMap<Offset, ChainRecord>;

pub(crate) trait Copies {
    /// The chain's records in this span.
    fn within(&self, span: &Range<Offset>) -> io::Result<Records>;
}

/// Of a chain that nothing else has records of.
pub(crate) struct NoCopies;

impl Copies for NoCopies {
    fn within(&self, _span: &Range<Offset>) -> io::Result<Records> {
        Ok(Records::new())
    }
}

/// The records in a span that the chain in this folder has in whole blocks.
pub(crate) fn records(
    disk: &dyn Disk,
    span: &Range<Offset>,
    each: &mut dyn FnMut(ChainRecord),
) -> io::Result<()> {
    let Ok(Some(manifest)) = sound_manifest(disk, &disk.list()?)? else { return Ok(()) };
    let meets = |from: Offset, to: Offset| from < span.end && span.start < to;
    for listed in manifest.files.iter().filter(|listed| meets(listed.from, listed.to)) {
        let part = look_at(disk, listed, &manifest.id);
        let Some(found) = scan(disk, &part, &manifest.id)? else { continue };
        let (file, seed) = (disk.open(&part.name)?, Seed::new(&manifest.id, listed.sequence));
        for entry in found.blocks.iter().filter(|entry| meets(entry.first, entry.last.next())) {
            let records = file::read_block(&*file, seed, entry).map_err(io::Error::other)?;
            records.into_iter().filter(|record| span.contains(&record.offset)).for_each(&mut *each);
        }
    }
    Ok(())
}
