//! How much there is of what, without reading the records.

use std::io;

use super::{
    JOURNAL, StoppedData, ToolError,
    hot::{Hot, Step},
};
use crate::{
    Fault, Offset,
    chain::{
        listing::PartState,
        manifest::{self, Manifest},
        open_file::{OpenFile, is_open},
        opening::look_at,
        verify::sound_manifest,
    },
    disk::Disk,
};

/// One part of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    pub kind: InfoKind,
    /// Of the bus or the archive.
    pub name: String,
    pub segments: u64,
    pub missing_segments: u64,
    /// On disk.
    pub bytes: u64,
    /// Of the records, unpacked.
    pub raw_bytes: u64,
    pub records: u64,
    /// The offsets from here …
    pub first_offset: Offset,
    /// … up to here.
    pub next_offset: Offset,
    /// Milliseconds since the Unix epoch.
    pub first_time: Option<i64>,
    pub last_time: Option<i64>,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum InfoKind {
    /// What is not sealed yet, of all buses.
    Hot,
    Bus,
    Archive,
    /// The delivery log.
    Attempts,
}

impl StoppedData {
    /// What there is: the hot journal, then each chain. And the manifests that cannot be read, so that
    /// nobody knows what belongs there.
    pub fn info(&self) -> Result<(Vec<Info>, Vec<Fault>), ToolError> {
        let gathered = (|| {
            let (mut all, mut faults) = (vec![self.hot_info()?], Vec::new());
            for chain in self.chains()? {
                let mut names = chain.disk.list()?;
                names.sort();
                let manifest = sound_manifest(&*chain.disk, &names)?;
                let manifest = match manifest {
                    Ok(Some(manifest)) => manifest,
                    Ok(None) => continue,
                    Err(what) => {
                        let path = chain.disk.path(manifest::NAME);
                        let (offsets, records) = (None, None);
                        faults.push(Fault { path, position: 0, what, offsets, records });
                        continue;
                    }
                };
                let mut info = Info::new(chain.kind, &chain.name);
                (info.first_offset, info.next_offset) = (manifest.from, manifest.to);
                for listed in &manifest.files {
                    let part = look_at(&*chain.disk, listed, &manifest.id);
                    info.segments += 1;
                    info.bytes += part.bytes();
                    info.last_time = Some(listed.last_time);
                    match part.state {
                        PartState::Sound(trailer) => {
                            info.raw_bytes += trailer.raw_bytes;
                            info.records += trailer.records;
                            info.first_time.get_or_insert(trailer.first_time);
                        }
                        PartState::Broken { .. } => info.records += listed.records,
                        PartState::Missing | PartState::Lost => info.missing_segments += 1,
                    }
                }
                for name in names.iter().filter(|name| is_open(name)) {
                    info.add_open(&*chain.disk, &manifest, name)?;
                }
                all.push(info);
            }
            Ok((all, faults))
        })();
        gathered.map_err(|source| self.error(source))
    }

    fn hot_info(&self) -> io::Result<Info> {
        let mut info = Info::new(InfoKind::Hot, "");
        let hot = Hot::open(&*self.disk.folder(JOURNAL))?;
        let mut first = None;
        for segment in &hot.segments {
            info.segments += 1;
            info.bytes += segment.size;
            Hot::walk(segment, &mut None, &mut |step| {
                if let Step::Frame { header, body, .. } = step {
                    info.records += if header.lost { 0 } else { header.records.into() };
                    info.raw_bytes += body.len() as u64;
                    first.get_or_insert(header.first);
                    info.next_offset = header.end();
                    info.first_time.get_or_insert(header.time);
                    info.last_time = Some(header.time);
                }
                Ok(())
            })?;
        }
        info.first_offset = first.unwrap_or_default();
        Ok(info)
    }
}

impl Info {
    fn new(kind: InfoKind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            segments: 0,
            missing_segments: 0,
            bytes: 0,
            raw_bytes: 0,
            records: 0,
            first_offset: Offset::ZERO,
            next_offset: Offset::ZERO,
            first_time: None,
            last_time: None,
        }
    }

    /// What an appender has not finished yet.
    fn add_open(&mut self, disk: &dyn Disk, manifest: &Manifest, name: &str) -> io::Result<()> {
        let open = OpenFile::look(disk, manifest, name).map_err(io::Error::other)?;
        let Some(open) = open else { return Ok(()) };
        self.segments += 1;
        self.bytes += open.length;
        self.records += open.records();
        for (entry, _) in &open.blocks {
            self.raw_bytes += u64::from(entry.raw_len);
            self.first_time.get_or_insert(entry.first_time);
            (self.last_time, self.next_offset) = (Some(entry.last_time), entry.last.next());
        }
        Ok(())
    }
}
