//! Rules that somebody sends, compiled beside those that run, as a reload would compile them.
//!
//! # Invariants
//!
//! - Nothing of it takes the place of anything: what runs is not changed.
//! - bounded: one comparison at a time, so that what is delivered has a processor left.

use std::sync::{Arc, Mutex, PoisonError};

use bus::Shelf;
use bus::ruleset::{Diagnostic, RuleSet, SourceFile};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::load::{Compiled, Rejection, Source};

/// Knows what rules are compiled with.
pub(crate) struct Trial {
    source: Source,
    /// The plugins of the running rules.
    shelf: Mutex<Option<Arc<Shelf>>>,
    turn: Arc<Semaphore>,
}

/// Rules that compiled.
pub(crate) struct Tried {
    pub(crate) rules: Arc<RuleSet>,
    pub(crate) tests_passed: usize,
    pub(crate) failures: Vec<Diagnostic>,
    /// The failures as people read them.
    pub(crate) rendered: String,
}

impl Trial {
    pub(crate) fn new(source: Source) -> Self {
        Self { source, shelf: Mutex::default(), turn: Arc::new(Semaphore::new(1)) }
    }

    /// Other plugins run now.
    pub(crate) fn runs_with(&self, shelf: Option<Arc<Shelf>>) {
        *self.shelf.lock().unwrap_or_else(PoisonError::into_inner) = shelf;
    }

    /// None while somebody else compares.
    pub(crate) fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turn).try_acquire_owned().ok()
    }

    /// Compiles, and runs the inline tests, whose failures are no reason not to compare. It takes its time.
    pub(crate) fn compile(
        &self,
        mut files: Vec<SourceFile>,
        running: &RuleSet,
    ) -> Result<Tried, Rejection> {
        let shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // They stay, whatever is in the folder.
        let sent = self.source.folders.read_sent();
        files.extend(sent.map_err(|error| Rejection::folder(&error))?);
        let compiled: Compiled = self.source.compile_sent(files, shelf.as_deref(), running)?;
        let report = compiled.rules.test();
        Ok(Tried {
            tests_passed: report.passed,
            rendered: compiled.render(&report.failures, false),
            failures: report.failures,
            rules: compiled.rules,
        })
    }
}
