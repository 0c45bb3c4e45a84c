//! What is measured: our matcher, others beside it, and readers that match nothing.
//!
//! # Invariants
//!
//! - An engine gets the bytes of an event that was checked before, and tells every pattern that matches.
//! - Building includes everything that is done once: quamina prepares itself at its first event.

use std::hint::black_box;
use std::time::Duration;

use pattern::{Event, Matcher, Pattern, PatternIndex, Scratch, naive};
use quamina::{Quamina, QuaminaBuilder};
use serde::de::IgnoredAny;

use crate::clock;
use crate::families::Family;

/// No limit: quamina's default would refuse what it could do.
const QUAMINA_BYTES_MAX: usize = 8 << 30;

/// The naive matcher asks every pattern in turn; with more of them it only takes long.
const NAIVE_PATTERNS_MAX: usize = 1_000;

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Slipswitch,
    /// The crate of that name.
    Quamina,
    /// Our own oracle.
    Naive,
    /// A ceiling: `serde_json` reads the whole event and keeps nothing.
    Validate,
    /// A ceiling: sonic-rs finds the one path [`Family::probe`], trusting the bytes.
    Find,
}

/// An engine with a family's patterns in it.
pub enum Engine {
    Slipswitch { matcher: Box<Matcher>, scratch: Box<Scratch>, matched: Vec<PatternIndex> },
    Quamina(Box<Quamina<u64>>),
    Naive { matcher: Box<naive::Matcher>, scratch: Box<naive::Scratch>, matched: Vec<PatternIndex> },
    Validate,
    Find(&'static [&'static str]),
}

/// What building took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Built {
    /// From text to patterns, where that is a step of its own.
    pub parse: Duration,
    pub compile: Duration,
}

/// The engine does not take the family, and says why.
#[derive(Debug)]
pub struct Refusal(pub String);

impl Kind {
    pub const ALL: [Self; 5] =
        [Self::Slipswitch, Self::Quamina, Self::Naive, Self::Validate, Self::Find];

    /// As in the table and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Slipswitch => "slipswitch",
            Self::Quamina => "quamina",
            Self::Naive => "naive",
            Self::Validate => "validate",
            Self::Find => "find",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it says what matches.
    pub fn is_matcher(self) -> bool {
        match self {
            Self::Slipswitch | Self::Quamina | Self::Naive => true,
            Self::Validate | Self::Find => false,
        }
    }
}

impl Engine {
    /// Prepares an engine for the family.
    ///
    /// # Errors
    ///
    /// When another engine does not take one of the patterns, or ours would take too long.
    pub fn build(kind: Kind, family: &Family) -> Result<(Self, Built), Refusal> {
        match kind {
            Kind::Slipswitch => {
                let (patterns, parse) = timed(|| parsed(family));
                let (matcher, compile) = timed(|| Box::new(Matcher::new(&patterns)));
                let engine =
                    Self::Slipswitch { matcher, scratch: Box::default(), matched: Vec::new() };
                Ok((engine, Built { parse, compile }))
            }
            Kind::Quamina => {
                let (engine, compile) = timed(|| quamina(family));
                Ok((Self::Quamina(Box::new(engine?)), Built { compile, ..Built::default() }))
            }
            Kind::Naive if NAIVE_PATTERNS_MAX < family.patterns.len() => {
                Err(Refusal(format!("not asked beyond {NAIVE_PATTERNS_MAX} patterns")))
            }
            Kind::Naive => {
                let (patterns, parse) = timed(|| parsed(family));
                let (matcher, compile) = timed(|| Box::new(naive::Matcher::new(&patterns)));
                let scratch = Box::default();
                Ok((
                    Self::Naive { matcher, scratch, matched: Vec::new() },
                    Built { parse, compile },
                ))
            }
            Kind::Validate => Ok((Self::Validate, Built::default())),
            Kind::Find => Ok((Self::Find(family.probe), Built::default())),
        }
    }

    /// Does for one event what is measured.
    pub fn run(&mut self, event: &[u8]) {
        match self {
            Self::Slipswitch { matcher, scratch, matched } => {
                let done = matcher.matches(Event::checked_before(event), scratch, matched);
                done.expect("the events of a family can be matched");
                black_box(matched);
            }
            Self::Quamina(quamina) => {
                let matched = quamina.matches_for_event(event);
                black_box(matched.expect("the events of a family can be matched"));
            }
            Self::Naive { matcher, scratch, matched } => {
                let done = matcher.matches(Event::checked_before(event), scratch, matched);
                done.expect("the events of a family can be matched");
                black_box(matched);
            }
            Self::Validate => {
                let read: Result<IgnoredAny, _> = serde_json::from_slice(event);
                black_box(read.expect("the events of a family are JSON"));
            }
            Self::Find(path) => {
                black_box(find(event, path));
            }
        }
    }

    /// The patterns that match, by their numbers.
    ///
    /// # Panics
    ///
    /// When the event is none, and on two of one number.
    pub fn matched(&mut self, event: &[u8]) -> Vec<u64> {
        let mut ids = if let Self::Quamina(quamina) = self {
            quamina.matches_for_event(event).expect("the events of a family can be matched")
        } else {
            self.run(event);
            self.kept().iter().map(|index| u64::from(index.0)).collect()
        };
        ids.sort_unstable();
        assert!(ids.is_sorted_by(|one, next| one < next), "a pattern is told once");
        ids
    }

    /// What the last event matched.
    fn kept(&self) -> &[PatternIndex] {
        match self {
            Self::Slipswitch { matched, .. } | Self::Naive { matched, .. } => matched,
            Self::Quamina(_) | Self::Validate | Self::Find(_) => &[],
        }
    }

    /// What the engine says of its own memory, where it does.
    pub fn memory_bytes(&self) -> Option<usize> {
        match self {
            Self::Quamina(quamina) => Some(quamina.matcher_stats().bytes),
            Self::Slipswitch { matcher, .. } => Some(matcher.memory_bytes()),
            Self::Naive { .. } | Self::Validate | Self::Find(_) => None,
        }
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let started = clock::processor();
    let done = work();
    (done, clock::processor().saturating_sub(started))
}

fn parsed(family: &Family) -> Vec<Pattern> {
    let parse = |text: &String| Pattern::parse(text).expect("a family's patterns are patterns");
    family.patterns.iter().map(parse).collect()
}

fn quamina(family: &Family) -> Result<Quamina<u64>, Refusal> {
    let refused = |error: quamina::QuaminaError| Refusal(error.to_string());
    let mut engine =
        QuaminaBuilder::new().with_arena_byte_budget(QUAMINA_BYTES_MAX).build().map_err(refused)?;
    for (id, pattern) in (0..).zip(&family.patterns) {
        engine.add_pattern(id, pattern).map_err(refused)?;
    }
    if let Some(event) = family.events.first() {
        engine.matches_for_event(event).map_err(refused)?;
    }
    Ok(engine)
}

#[expect(unsafe_code, reason = "the ceiling is a reader that trusts bytes, as a matcher may")]
fn find(event: &[u8], path: &[&str]) -> usize {
    // SAFETY: the events of a family are JSON in UTF-8; `tests/families.rs` checks each.
    let found = unsafe { sonic_rs::get_from_slice_unchecked(event, path) };
    found.expect("a family's probe is in each event").as_raw_str().len()
}
