//! Removing whole files: what is too old, what is too much, or everything.
//!
//! # Invariants
//!
//! - The manifest forgets a file before the file is unlinked, so a file that is missing is always a
//!   fault.
//! - What somebody needs stays, whatever the limits say.

use super::{Expired, Inner, Retention, error::ChainError, listing::Listing, manifest};

pub(super) fn expire(chain: &Inner, keep: &Retention) -> Result<Expired, ChainError> {
    chain.check_running()?;
    let _changing = chain.lock_changing();
    let listing = chain.listing();
    let count = expired(&listing, keep);
    if count == 0 {
        return Ok(Expired::default());
    }
    chain.publish(listing.without(count))?;
    unlink(chain, &listing, count)
}

pub(super) fn remove(chain: &Inner) -> Result<Expired, ChainError> {
    chain.check_running()?;
    let mut tail = chain.lock_tail();
    let _changing = chain.lock_changing();
    let listing = chain.listing();
    let count = listing.parts.len();
    chain.publish(listing.without(count))?;
    let expired = unlink(chain, &listing, count)?;
    if let Some(tail) = tail.take() {
        let removed = chain.disk.remove(&tail.name);
        removed.map_err(|source| chain.io(&tail.name, "remove it", source))?;
    }
    // Its manifest is the last to go: a folder with segments and without one is damaged.
    chain.sync_names()?;
    chain.stop("it was removed".to_owned());
    let gone = chain.disk.remove(manifest::NAME).and_then(|()| {
        chain.disk.sync_names()?;
        match chain.disk.unmake() {
            // What a repair has set aside, and what is not ours, is nobody's to remove.
            Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => Ok(()),
            result => result,
        }
    });
    gone.map_err(|source| chain.io("", "remove it", source))?;
    Ok(expired)
}

/// How many of the oldest files go.
fn expired(listing: &Listing, keep: &Retention) -> usize {
    let mut bytes: u64 = listing.parts.iter().map(|part| part.bytes()).sum();
    let goes = |part: &&std::sync::Arc<super::listing::Part>| {
        let too_old = keep.before_time.is_some_and(|time| part.listed.last_time < time);
        let too_much = keep.bytes_max.is_some_and(|max| max < bytes);
        bytes -= part.bytes();
        part.listed.to <= keep.needed_from && (too_old || too_much)
    };
    listing.parts.iter().take_while(goes).count()
}

fn unlink(chain: &Inner, listing: &Listing, count: usize) -> Result<Expired, ChainError> {
    let mut expired = Expired::default();
    for part in &listing.parts[..count] {
        let removed = chain.disk.remove(&part.name);
        removed.map_err(|source| chain.io(&part.name, "remove it", source))?;
        expired.segments += 1;
        expired.bytes += part.bytes();
        expired.records += part.listed.records;
    }
    let last = listing.parts[..count].last().map(|part| part.listed.sequence);
    chain.cache.forget(|sequence| last.is_some_and(|last| sequence <= last));
    chain.sync_names()?;
    Ok(expired)
}
