//! What one's own patterns cost: all events of a file matched again and again on one thread.
//!
//! ```text
//! checksum = sum over all pairs of event and pattern, modulo 2^64, of FNV-1a 64 of "EVENT\tID\n"
//! ```
//!
//! EVENT counts from 0, ID is the JSON text of the id, as `pattern match` prints both: any program that
//! matches the same files comes to the same checksum, in whatever order it finds the matches.
//!
//! # Invariants
//!
//! - Every event is checked and matched once before the clock starts: a line that is none ends the run,
//!   and what is measured is matching alone.
//! - The figure is the median of several rounds, so that one disturbance does not count.

use std::io::BufRead;
use std::ops::Range;
use std::time::Duration;

use bus::ruleset::pattern::{Event, Matcher, PatternIndex, Scratch};

use super::patterns::{self, Lines, MatchError, Named};
use crate::clock::ThreadClock;

const ROUNDS: u32 = 5;

/// The clock is asked each time about this much has passed: it costs as much as a small event.
const CLOCK_EVERY: Duration = Duration::from_millis(1);

const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// What was found and measured.
#[derive(Clone, Debug, PartialEq)]
pub struct BenchReport {
    pub patterns: usize,
    pub events: usize,
    /// Events that are objects: nothing else can match.
    pub objects: usize,
    /// Of all events, line ends not counted.
    pub event_bytes: usize,
    /// In one pass over the events.
    pub matches: u64,
    /// Of the same pass, as the module says.
    pub checksum: u64,
    /// From parsed patterns to the matcher, by the same clock as the rounds.
    pub compile: Duration,
    pub memory_bytes: usize,
    pub events_per_second: f64,
    pub bytes_per_second: f64,
    /// From the slowest round to the fastest, as a part of the median.
    pub spread: f64,
    /// Whether the clock counts the thread's processor time; else it counts the time that passes.
    pub is_processor_time: bool,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error(transparent)]
    Lines(#[from] MatchError),

    #[error("{name} has no event; write one a line")]
    NoEvent { name: String },
}

/// Matches all `events` against all `patterns` for about `duration`.
///
/// # Errors
///
/// At the first line that is none, with the words of [`super::pattern_match`], and without any event.
pub fn bench_match(
    patterns: Named<impl BufRead>,
    events: Named<impl BufRead>,
    duration: Duration,
) -> Result<BenchReport, BenchError> {
    let clock = ThreadClock::start();
    let (ids, patterns) = patterns::read_patterns(patterns)?;
    let events = Events::read(events)?;
    let started = clock.now();
    let matcher = Matcher::new(&patterns);
    let compile = clock.now().saturating_sub(started);
    let mut thread = Thread { matcher: &matcher, scratch: Scratch::default(), matched: Vec::new() };
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let (matches, checksum) = events.match_once(&mut thread, &ids)?;
    let mut rounds = events.rounds(&mut thread, &clock, duration / ROUNDS);
    rounds.sort_by(|one, other| one.rate().total_cmp(&other.rate()));
    let [slowest, .., fastest] = rounds.as_slice() else {
        unreachable!("there are {ROUNDS} rounds");
    };
    let median = &rounds[rounds.len() / 2];
    Ok(BenchReport {
        patterns: patterns.len(),
        events: events.lines.len(),
        objects: events.lines.iter().filter(|line| line.is_object).count(),
        event_bytes: events.lines.iter().map(|line| line.span.len()).sum(),
        matches,
        checksum,
        compile,
        memory_bytes: matcher.memory_bytes(),
        events_per_second: median.rate(),
        bytes_per_second: float(median.bytes) / median.spent.as_secs_f64(),
        spread: (fastest.rate() - slowest.rate()) / median.rate(),
        is_processor_time: ThreadClock::IS_PROCESSOR_TIME,
    })
}

/// What matches, and what it keeps from event to event.
struct Thread<'m> {
    matcher: &'m Matcher,
    scratch: Scratch,
    matched: Vec<PatternIndex>,
}

/// All events in memory, one after the other as in their file.
struct Events {
    name: String,
    bytes: Vec<u8>,
    lines: Vec<Line>,
}

struct Line {
    number: usize,
    /// Within the bytes.
    span: Range<usize>,
    /// Other JSON matches nothing and is passed over.
    is_object: bool,
}

/// One round.
struct Round {
    events: usize,
    bytes: usize,
    spent: Duration,
}

impl Events {
    fn read(source: Named<impl BufRead>) -> Result<Self, BenchError> {
        let name = source.name.clone();
        let (mut bytes, mut lines) = (Vec::new(), Vec::new());
        let mut texts = Lines::new(source);
        while let Some((number, text)) = texts.next()? {
            let is_object = patterns::read_event(&name, number, text)?.is_some();
            let start = bytes.len();
            bytes.extend_from_slice(text);
            lines.push(Line { number, span: start..bytes.len(), is_object });
        }
        if lines.is_empty() {
            return Err(BenchError::NoEvent { name });
        }
        Ok(Self { name, bytes, lines })
    }

    /// The number of matches, and their checksum.
    fn match_once(
        &self,
        thread: &mut Thread<'_>,
        ids: &[String],
    ) -> Result<(u64, u64), BenchError> {
        let (mut matches, mut checksum) = (0_u64, 0_u64);
        for (event, line) in self.lines.iter().enumerate() {
            self.match_one(line, thread)?;
            for index in &thread.matched {
                let id = usize::try_from(index.0).ok().and_then(|index| ids.get(index));
                let id = id.expect("the matcher knows only our patterns");
                checksum = checksum.wrapping_add(fnv(&format!("{event}\t{id}\n")));
                matches += 1;
            }
        }
        Ok((matches, checksum))
    }

    fn match_one(&self, line: &Line, thread: &mut Thread<'_>) -> Result<(), MatchError> {
        let Thread { matcher, scratch, matched } = thread;
        matched.clear();
        if !line.is_object {
            return Ok(());
        }
        let text = &self.bytes[line.span.clone()];
        matcher.matches(Event::checked_before(text), scratch, matched).map_err(|error| {
            patterns::event_error(&self.name, line.number, text, error.offset, error.message)
        })
    }

    /// After a warm-up as long as a round.
    fn rounds(
        &self,
        thread: &mut Thread<'_>,
        clock: &ThreadClock,
        duration: Duration,
    ) -> Vec<Round> {
        let mut lines = self.lines.iter().cycle();
        let mut step = 1;
        let started = clock.now();
        while clock.now().saturating_sub(started) < duration {
            let before = clock.now();
            self.run(&mut lines, step, thread);
            if clock.now().saturating_sub(before) < CLOCK_EVERY {
                step *= 2;
            }
        }
        let round = |_| {
            let (mut events, mut bytes) = (0, 0);
            let started = clock.now();
            loop {
                bytes += self.run(&mut lines, step, thread);
                events += step;
                let spent = clock.now().saturating_sub(started);
                if duration <= spent && !spent.is_zero() {
                    return Round { events, bytes, spent };
                }
            }
        };
        (0..ROUNDS).map(round).collect()
    }

    /// Returns how many bytes the events had.
    fn run<'e>(
        &'e self,
        lines: &mut impl Iterator<Item = &'e Line>,
        count: usize,
        thread: &mut Thread<'_>,
    ) -> usize {
        let mut bytes = 0;
        for line in lines.take(count) {
            self.match_one(line, thread).expect("each event was matched before");
            std::hint::black_box(&thread.matched);
            bytes += line.span.len();
        }
        bytes
    }
}

impl Round {
    fn rate(&self) -> f64 {
        float(self.events) / self.spent.as_secs_f64()
    }
}

fn fnv(text: &str) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
    text.bytes().fold(FNV_BASIS, mix)
}

#[expect(clippy::cast_precision_loss, reason = "counts and bytes of a few seconds")]
fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(5);

    fn bench(patterns: &str, events: &str) -> Result<BenchReport, String> {
        let patterns = Named { name: "p.jsonl".to_owned(), reader: patterns.as_bytes() };
        let events = Named { name: "e.jsonl".to_owned(), reader: events.as_bytes() };
        bench_match(patterns, events, SHORT).map_err(|error| error.to_string())
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn the_matches_of_one_pass_are_counted_and_summed() {
        let patterns = "{\"id\":\"a\",\"pattern\":{\"x\":[1]}}\n{\"id\":7,\"pattern\":{\"x\":[{\"exists\":true}]}}\n";
        let report = bench(patterns, "{\"x\":1}\n\n5\n{\"x\":2}\n").unwrap();
        assert_eq!((report.patterns, report.events, report.event_bytes), (2, 3, 15));
        assert_eq!((report.objects, report.matches), (2, 3));
        let pairs = ["0\t\"a\"\n", "0\t7\n", "2\t7\n"];
        let sum = pairs.iter().fold(0_u64, |sum, pair| sum.wrapping_add(fnv(pair)));
        assert_eq!(report.checksum, sum);
        assert!(0.0 < report.events_per_second && 0.0 < report.bytes_per_second, "{report:?}");
        assert!(0 < report.memory_bytes, "{report:?}");
    }

    #[test]
    fn a_line_that_is_none_is_refused_with_the_words_of_the_sibling() {
        let good = "{\"id\":1,\"pattern\":{\"x\":[1]}}\n";
        let error = bench(good, "{\"x\":1}\n{\"x\":").unwrap_err();
        assert!(error.starts_with("e.jsonl line 2, column "), "{error}");
        let error = bench(&format!("{good}{good}"), "{}").unwrap_err();
        assert!(error.starts_with("p.jsonl line 2: the id 1 is that of line 1"), "{error}");
        assert_eq!(bench(good, "\n").unwrap_err(), "e.jsonl has no event; write one a line");
    }
}
