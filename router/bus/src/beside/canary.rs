//! A plugin that takes a share of the events in the place of another one, until it fails too often.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use ruleset::{Beside, PluginStep, Purpose, StepError, StepInput, StepOutput};

use super::{Figures, Verdict, shown, unlike};

/// Events that it must have had before it is judged.
const CALLS_MIN: usize = 20;
/// It is judged by so many: the last ones.
const CALLS_MAX: usize = 200;
/// It is taken back when more than one in so many fails that the plugin before it does not fail.
const FAILED_ONE_IN: usize = 20;

pub(crate) struct Canary {
    before: Arc<dyn PluginStep>,
    other: Arc<dyn PluginStep>,
    wanted: ruleset::Canary,
    figures: Figures,
    lately: Mutex<Lately>,
    verdict: Verdict,
}

/// Of its last calls, whether it failed.
#[derive(Default)]
struct Lately {
    calls: VecDeque<bool>,
    failed: usize,
}

impl Lately {
    fn note(&mut self, has_failed: bool) {
        self.calls.push_back(has_failed);
        self.failed += usize::from(has_failed);
        if CALLS_MAX < self.calls.len() {
            self.failed -= usize::from(self.calls.pop_front() == Some(true));
        }
    }

    fn is_bad(&self) -> bool {
        CALLS_MIN <= self.calls.len() && self.calls.len() < self.failed * FAILED_ONE_IN
    }
}

impl Canary {
    pub(crate) fn new(
        before: Arc<dyn PluginStep>,
        other: Arc<dyn PluginStep>,
        wanted: ruleset::Canary,
        verdict: Verdict,
    ) -> Self {
        let figures = Figures::new("canary", &wanted.plugin);
        let taken_back = verdict.is_taken_back();
        let share = if taken_back { 0 } else { wanted.share };
        figures.note(|beside| (beside.taken_back, beside.share) = (taken_back, Some(share)));
        Self { before, other, wanted, figures, lately: Mutex::default(), verdict }
    }

    /// Whether the event is among the share: by its key alone, so that one key always goes to one plugin.
    fn takes(&self, input: &StepInput<'_>) -> bool {
        match input.purpose {
            Purpose::Delivery | Purpose::Look => (),
            Purpose::Test => return false,
            Purpose::TestBeside => return true,
        }
        let share = self.figures.note(|beside| beside.share.unwrap_or(0));
        let key = self.wanted.by.as_ref().and_then(|by| by.key(input.event));
        let hash = hash(key.as_deref().unwrap_or(input.event.id()));
        hash % 10_000 < u64::from(share)
    }

    /// Whether it has to be taken back.
    fn fails(&self, has_failed: bool) -> bool {
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        lately.note(has_failed);
        lately.is_bad()
    }

    /// What it made of an event, or what the plugin before it makes of what it failed.
    fn or_before(
        &self,
        input: &StepInput<'_>,
        made: Result<Vec<StepOutput>, StepError>,
    ) -> Result<Vec<StepOutput>, StepError> {
        if input.purpose == Purpose::TestBeside {
            return made;
        }
        let is_counted = input.purpose.is_counted();
        let error = match made {
            Ok(made) if !is_counted => return Ok(made),
            Ok(made) => {
                self.fails(false);
                self.figures.note(|beside| {
                    (beside.calls, beside.same) = (beside.calls + 1, beside.same + 1)
                });
                return Ok(made);
            }
            // Nobody knows yet what it makes of it.
            Err(StepError::Cut) => return Err(StepError::Cut),
            Err(error) => error,
        };
        let before = self.before.call_batch(std::slice::from_ref(input)).pop();
        let before = before.expect("there was an input");
        if !is_counted {
            return before;
        }
        let is_late = self.fails(before.is_ok());
        let taken_back = self.figures.note(|beside| {
            beside.calls += 1;
            match &before {
                // The event's fault, as it seems.
                Err(_) => beside.same += 1,
                Ok(made) => {
                    beside.failed += 1;
                    let words = format!("error: {error}");
                    beside.last = Some(unlike(input.id, &shown(made), &words));
                }
            }
            let is_news = is_late && !beside.taken_back;
            if is_news {
                (beside.taken_back, beside.share) = (true, Some(0));
            }
            is_news.then_some((beside.calls, beside.failed))
        });
        if let Some((calls, failed)) = taken_back {
            self.verdict.take_back();
            tracing::error!(plugin = %self.wanted.plugin, event = %input.id, calls, failed, %error, "a canary is taken back: it fails events that the plugin before it does not; it gets none any more until its step or file changes");
        }
        before
    }
}

impl PluginStep for Canary {
    fn call_batch(&self, inputs: &[StepInput<'_>]) -> Vec<Result<Vec<StepOutput>, StepError>> {
        let is_others: Vec<bool> = inputs.iter().map(|input| self.takes(input)).collect();
        let of = |wanted: bool| -> Vec<StepInput<'_>> {
            let chosen = inputs.iter().zip(&is_others).filter(|(_, is)| **is == wanted);
            chosen.map(|(input, _)| input.clone()).collect()
        };
        let (others, rest) = (of(true), of(false));
        let made = if others.is_empty() { Vec::new() } else { self.other.call_batch(&others) };
        let made = others.iter().zip(made).map(|(input, made)| self.or_before(input, made));
        let mut made = made.collect::<Vec<_>>().into_iter();
        let mut kept =
            if rest.is_empty() { Vec::new() } else { self.before.call_batch(&rest) }.into_iter();
        let next = |is: &bool| if *is { made.next() } else { kept.next() };
        is_others.iter().filter_map(next).collect()
    }

    fn keeps_state(&self) -> Option<&str> {
        self.before.keeps_state()
    }

    fn beside(&self) -> Option<Beside> {
        Some(self.figures.note(|beside| beside.clone()))
    }
}

/// FNV-1a, mixed once more: the same in every process, on every machine.
fn hash(key: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16
}
