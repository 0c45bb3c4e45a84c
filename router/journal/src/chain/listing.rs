//! The files of a chain, as readers see them.

use std::{path::PathBuf, sync::Arc};

use super::manifest::{Listed, Manifest};
use crate::{Offset, sealed::Trailer};

/// A snapshot: it is replaced, never changed.
pub(crate) struct Listing {
    pub(crate) manifest: Manifest,
    /// One for each file of the manifest.
    pub(crate) parts: Vec<Arc<Part>>,
}

/// One file.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) listed: Listed,
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) state: PartState,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PartState {
    Sound(Trailer),
    /// One of its ends is damaged: its blocks have to be searched.
    Broken {
        position: u64,
        what: String,
    },
    Missing,
    /// A repair has given it up.
    Lost,
}

impl Listing {
    /// The first file that covers `offset` or something behind it.
    pub(crate) fn at(&self, offset: Offset) -> Option<&Arc<Part>> {
        self.parts.get(self.parts.partition_point(|part| part.listed.to <= offset))
    }

    /// The same with files added at the end.
    pub(crate) fn with(&self, parts: impl IntoIterator<Item = Part>, to: Offset) -> Self {
        let (mut manifest, mut all) = (self.manifest.clone(), self.parts.clone());
        for part in parts {
            if all.is_empty() && manifest.from == manifest.to {
                manifest.from = part.listed.from;
            }
            manifest.next_sequence = manifest.next_sequence.max(part.listed.sequence + 1);
            manifest.to = manifest.to.max(part.listed.to);
            manifest.files.push(part.listed);
            all.push(Arc::new(part));
        }
        manifest.to = manifest.to.max(to);
        Self { manifest, parts: all }
    }

    /// The same without the first `count` files.
    pub(crate) fn without(&self, count: usize) -> Self {
        let (mut manifest, parts) = (self.manifest.clone(), self.parts[count..].to_vec());
        if let Some(last) = manifest.files.drain(..count).next_back() {
            manifest.from = last.to;
        }
        Self { manifest, parts }
    }
}

impl Part {
    /// What it takes on the disk.
    pub(crate) fn bytes(&self) -> u64 {
        match self.state {
            PartState::Sound(_) | PartState::Broken { .. } => self.listed.length,
            PartState::Missing | PartState::Lost => 0,
        }
    }
}

/// How a manifest lists a file whose trailer this is.
pub(crate) fn listed(trailer: &Trailer, length: u64) -> Listed {
    Listed {
        sequence: trailer.sequence,
        from: trailer.from,
        to: trailer.to,
        length,
        records: trailer.records,
        last_time: trailer.last_time,
        lost: false,
    }
}
