//! What a plugin was given, failed and spent, by its name: whatever rules, configurations and versions it had.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::instance::Answer;
use crate::{CallError, Event};

/// Of what a last fault said.
const WORDS_CHARS_MAX: usize = 500;

/// Since the name was loaded first. The tests of rules count, too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events that it was given, at each attempt.
    pub events: u64,
    /// Of those: it made an error of them.
    pub errors: u64,
    /// Of the errors: it crashed, or went over a limit.
    pub faults: u64,
    pub cpu: Duration,
    /// The last of the faults, with its event and rule.
    pub last_fault: Option<String>,
}

/// Where it is counted.
#[derive(Default)]
pub(crate) struct Counters {
    events: AtomicU64,
    errors: AtomicU64,
    faults: AtomicU64,
    cpu_nanos: AtomicU64,
    last_fault: Mutex<Option<String>>,
}

impl Counters {
    pub(crate) fn add(&self, answers: &[Answer], cpu: Duration) {
        let count = |is_it: fn(&Answer) -> bool| {
            let found = answers.iter().filter(|answer| is_it(answer)).count();
            u64::try_from(found).unwrap_or(u64::MAX)
        };
        let events = count(|answer| !matches!(answer, Err(CallError::Cut)));
        let errors = count(|answer| answer.as_ref().is_err_and(|error| *error != CallError::Cut));
        let nanos = u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX);
        self.events.fetch_add(events, Ordering::Relaxed);
        self.errors.fetch_add(errors, Ordering::Relaxed);
        self.cpu_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(crate) fn fault(&self, event: &Event<'_>, error: &CallError) {
        let rule = event.attribute("rule").map(|rule| format!("rule `{rule}`, "));
        let words: String = error.to_string().chars().take(WORDS_CHARS_MAX).collect();
        let words = format!("{words} ({}event `{}`)", rule.unwrap_or_default(), event.id);
        self.faults.fetch_add(1, Ordering::Relaxed);
        *self.last_fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
    }

    pub(crate) fn read(&self) -> Tally {
        Tally {
            events: self.events.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            faults: self.faults.load(Ordering::Relaxed),
            cpu: Duration::from_nanos(self.cpu_nanos.load(Ordering::Relaxed)),
            last_fault: self.last_fault.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}
