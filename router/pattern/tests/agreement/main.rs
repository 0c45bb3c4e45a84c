//! The matcher, and whatever else judges a pattern, against the naive matcher, on pairs of pattern
//! and event that are drawn at random and aimed at the corners of the language.
//!
//! A round is a few events and some patterns made from them, all asked in one matcher. `PAIRS` sets
//! how many pairs of pattern and event are asked, `SEED` where the rounds begin; a disagreement
//! prints the seed of its round, with which it is the first:
//!
//! ```text
//! PAIRS=1000000 SEED=7 cargo test -p slipswitch-pattern --release --test agreement
//! ```
//!
//! # Not here
//!
//! - Whether the naive matcher is right: `arrays`, `musts` and `vectors` say so.

mod borders;
mod changes;
mod entry;
mod event;
mod explain;
mod keys;
mod number;
mod pattern;
mod random;
mod shrink;
mod text;
mod world;

use std::io::Write as _;

use slipswitch_pattern::{Event, EventError, Matcher, Pattern, PatternIndex, Scratch, naive};

use event::Tree;
use random::Random;
use shrink::disagreement;
use world::World;

const PAIRS: u64 = 200_000;

struct Round {
    patterns: Vec<Pattern>,
    events: Vec<Tree>,
}

/// Pairs asked, and pairs that matched.
#[derive(Default)]
struct Tally {
    pairs: u64,
    matches: u64,
}

type Answer = Result<Vec<PatternIndex>, EventError>;

impl Round {
    fn new(seed: u64) -> Self {
        let random = &mut Random::new(seed);
        let is_crowd = random.chance(1);
        let world = if is_crowd { World::narrow(random) } else { World::any(random) };
        let events = events(&world, random);
        let leaves: Vec<_> = events.iter().flat_map(Tree::leaves).collect();
        let count = if is_crowd { 1_500 } else { random.pick(&[1, 6, 30, 60, 150]) };
        let mut maker = pattern::Maker::new(&world, &leaves);
        let patterns = (0..count).map(|_| maker.next(random)).collect();
        Self { patterns, events }
    }
}

/// A few events, most of them alike.
fn events(world: &World, random: &mut Random) -> Vec<Tree> {
    let mut events = vec![Tree::any(random, world)];
    for _ in 0..3 + random.below(8) {
        let event = if random.chance(75) {
            events[random.below(events.len())].varied(random, world)
        } else {
            Tree::any(random, world)
        };
        events.push(event);
    }
    events
}

fn sorted(asked: Result<(), EventError>, mut matched: Vec<PatternIndex>) -> Answer {
    matched.sort_unstable();
    asked.map(|()| matched)
}

fn expected(patterns: &[Pattern], event: Event<'_>) -> Answer {
    let mut matched = Vec::new();
    let matcher = naive::Matcher::new(patterns);
    sorted(matcher.matches(event, &mut naive::Scratch::default(), &mut matched), matched)
}

fn actual(matcher: &Matcher, event: Event<'_>, scratch: &mut Scratch) -> Answer {
    let mut matched = Vec::new();
    sorted(matcher.matches(event, scratch, &mut matched), matched)
}

fn checked(text: &str) -> Event<'_> {
    Event::check(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn setting(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(value) => value.parse().unwrap_or_else(|_| panic!("{name}={value}: not a number")),
        Err(_) => otherwise,
    }
}

/// Asks rounds until there are enough pairs.
fn each_round(pairs: u64, mut ask: impl FnMut(u64, &Round) -> Tally) -> Tally {
    let mut total = Tally::default();
    let mut seed = setting("SEED", 1);
    while total.pairs < pairs {
        let tally = ask(seed, &Round::new(seed));
        total.pairs += tally.pairs;
        total.matches += tally.matches;
        seed = seed.wrapping_add(1);
    }
    total
}

#[test]
fn the_matcher_agrees_with_the_naive_one() {
    // One for all: a thread keeps its scratch when the patterns change, and after torn events.
    let mut scratch = Scratch::default();
    let pairs = setting("PAIRS", PAIRS);
    let total = each_round(pairs, |seed, round| {
        let matcher = Matcher::new(&round.patterns);
        let oracle = naive::Matcher::new(&round.patterns);
        let mut tally = Tally::default();
        let mut naive_scratch = naive::Scratch::default();
        for (at, tree) in round.events.iter().enumerate() {
            let text = tree.text();
            let event = checked(&text);
            let mut wanted = Vec::new();
            let asked = oracle.matches(event, &mut naive_scratch, &mut wanted);
            let wanted = sorted(asked, wanted);
            if actual(&matcher, event, &mut scratch) != wanted {
                disagreement(seed, round, tree);
            }
            tally.pairs += round.patterns.len() as u64;
            tally.matches += wanted.as_ref().map_or(0, Vec::len) as u64;
            one_alone(seed, round, at, wanted.as_deref().unwrap_or_default());
            tear(&matcher, &text, &mut scratch);
        }
        tally
    });
    let percent = 100 * total.matches / total.pairs;
    if std::env::var_os("PAIRS").is_some() {
        let said = format!("{} pairs, {percent} % of them match\n", total.pairs);
        std::io::stderr().write_all(said.as_bytes()).expect("standard error is open");
    }
    assert!((20..=80).contains(&percent), "{percent} % of the pairs match: that proves little");
}

/// One pattern of the round in a matcher of its own, with nothing left from another event.
fn one_alone(seed: u64, round: &Round, event: usize, wanted: &[PatternIndex]) {
    let tree = &round.events[event];
    let at = Random::new(seed + event as u64).below(round.patterns.len());
    let index = PatternIndex(u32::try_from(at).expect("few patterns"));
    let text = tree.text();
    let matcher = Matcher::new(&round.patterns[at..=at]);
    let answer = actual(&matcher, checked(&text), &mut Scratch::default());
    if answer.is_ok_and(|matched| matched.is_empty()) == wanted.contains(&index) {
        disagreement(seed, round, tree);
    }
}

/// Leaves the scratch as a half event does. There may be any answer to one.
fn tear(matcher: &Matcher, text: &str, scratch: &mut Scratch) {
    let bytes = text.as_bytes();
    let torn = Event::checked_before(&bytes[..bytes.len() * 2 / 3]);
    if let Err(error) = actual(matcher, torn, scratch) {
        assert!(error.offset <= bytes.len(), "{error}");
    }
}
