//! Where the events of a replay come from.
//!
//! ```text
//! a bus      sealed ────────────────────▶ hot         the journal joins them
//! an archive its chain ─▶ the journal from where it has not been sealed yet
//! ```
//!
//! # Invariants
//!
//! - Records come in the order of the journal, each once, and are no others than those of the span.
//! - A sealed block is read only if it may hold an event that the replay's pattern and the rule want.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use event::Timestamp;
use journal::{BusReader, ChainCursor, Filter, Journal, Offset, ReadError, Reading, Record};
use ruleset::pattern::Pattern;
use ruleset::pattern::keys::Needs;

use super::Replay;
use crate::archives::{Archive, Archives};
use crate::record;
use crate::selection::{Asking, Selection};

/// A key that a replayed event has and a sealed one has not.
const REPLAY_NAME: &str = "replay-name";

/// A span of the past, and what of it is wanted.
pub(crate) struct Source {
    bus: Arc<str>,
    archive: Option<Arc<Archive>>,
    since: Timestamp,
    /// None where the span ends with the last event there was.
    until: Option<Timestamp>,
    pattern: Option<Selection>,
}

/// A place in the past that moves forwards.
pub(crate) struct Past {
    journal: Journal,
    bus: Arc<str>,
    /// What is left of an archive's chain.
    chain: Option<ChainCursor>,
    /// What had been read of it when it was over.
    of_chain: Reading,
    rest: BusReader,
    filter: Option<Filter>,
    /// Whose pattern the rest must match.
    archive: Option<Arc<Archive>>,
    times: (Timestamp, Option<Timestamp>),
    asking: Asking,
}

impl Source {
    pub(super) fn of(replay: &Replay, archives: &Archives) -> Self {
        let archive = replay.archive.as_ref().and_then(|name| archives.get(name));
        Self {
            bus: replay.bus.as_str().into(),
            archive: archive.cloned(),
            since: replay.since,
            until: (replay.until < replay.started_at).then_some(replay.until),
            pattern: replay.pattern.clone(),
        }
    }

    /// Everything in an archive.
    pub(crate) fn all_of(archive: &Arc<Archive>) -> Self {
        Self {
            bus: Arc::clone(&archive.bus),
            archive: Some(Arc::clone(archive)),
            since: Timestamp::from_millis(i64::MIN),
            until: None,
            pattern: None,
        }
    }

    /// What was taken in between two times; of a bus, whoever reads it knows where that lies.
    pub(crate) fn between(
        bus: &str,
        archive: Option<Arc<Archive>>,
        (since, until): (Option<Timestamp>, Option<Timestamp>),
        pattern: Option<Selection>,
    ) -> Self {
        let since = since.unwrap_or(Timestamp::from_millis(i64::MIN));
        Self { bus: bus.into(), archive, since, until, pattern }
    }

    /// The times that an archive is asked for; all of them where a bus is read.
    pub(crate) fn times(&self) -> RangeInclusive<i64> {
        match self.archive {
            Some(_) => {
                let last = self.until.map_or(i64::MAX, |until| until.as_millis().saturating_sub(1));
                self.since.as_millis()..=last
            }
            None => i64::MIN..=i64::MAX,
        }
    }

    /// The archive it reads, if it reads one.
    pub(crate) fn archive(&self) -> Option<Arc<str>> {
        self.archive.as_ref().map(|archive| Arc::clone(&archive.name))
    }

    /// Events between two offsets that cannot be read, as far as that is known: the sealed blocks that
    /// hold them are damaged.
    pub(crate) fn damaged(&self, journal: &Journal, span: Range<Offset>) -> u64 {
        match &self.archive {
            Some(archive) => {
                let chain = journal.archive(&archive.name);
                chain.map_or(0, |chain| chain.damaged_within(&span).records)
            }
            None => journal.damaged_within(&self.bus, &span).records,
        }
    }

    /// Whether somebody wants this event; as the replay shows it.
    pub(crate) fn wants(&self, event: &[u8], asking: &mut Asking) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.matches(event, asking))
    }

    /// `rule`: the pattern of the rule that the events are for, when it is one alone.
    pub(crate) fn read(&self, journal: &Journal, from: Offset, rule: Option<&Pattern>) -> Past {
        self.read_with(journal, from, self.filter(rule))
    }

    /// All of the span, wanted or not.
    pub(crate) fn read_whole(&self, journal: &Journal, from: Offset) -> Past {
        self.read_with(journal, from, None)
    }

    /// With a filter of the caller's own.
    pub(crate) fn read_with(
        &self,
        journal: &Journal,
        from: Offset,
        filter: Option<Filter>,
    ) -> Past {
        let chain = self.archive.as_ref().and_then(|archive| journal.archive(&archive.name));
        let chain = chain.map(|chain| {
            let cursor = chain.read(from).between(self.times()).skip_damaged();
            match &filter {
                Some(filter) => cursor.skipping(Arc::clone(filter)),
                None => cursor,
            }
        });
        let begin = self.archive.as_ref().map_or(from, |archive| archive.from_offset.max(from));
        let rest = journal.read_bus(&self.bus, begin).skip_damaged();
        Past {
            journal: journal.clone(),
            bus: Arc::clone(&self.bus),
            chain,
            of_chain: Reading::default(),
            rest: match &filter {
                Some(filter) => rest.skipping(Arc::clone(filter)),
                None => rest,
            },
            filter,
            archive: self.archive.clone(),
            times: (self.since, self.until),
            asking: Asking::default(),
        }
    }

    /// The part of an archive that lies in the journal alone.
    pub(crate) fn read_unsealed(&self, journal: &Journal, from: Offset) -> Past {
        Past { chain: None, ..self.read(journal, from, None) }
    }

    /// Which blocks may hold something; none where nothing can be ruled out.
    fn filter(&self, rule: Option<&Pattern>) -> Option<Filter> {
        let own = self.pattern.as_ref().map(Selection::pattern);
        let skippable = |pattern: &&Pattern| !pattern.text().contains(REPLAY_NAME);
        let needs: Vec<Needs> = own
            .into_iter()
            .chain(rule)
            .filter(skippable)
            .map(Pattern::needs)
            .filter(|needs| !needs.is_empty())
            .collect();
        if needs.is_empty() {
            return None;
        }
        Some(Arc::new(move |block| {
            needs.iter().all(|needs| needs.may_match(&|key| block.may_hold_key(key)))
        }))
    }
}

impl Past {
    /// Every record below has been given.
    pub(crate) fn position(&self) -> Offset {
        self.chain.as_ref().map_or(self.rest.position(), ChainCursor::position)
    }

    /// What was read of sealed files so far.
    pub(crate) fn reading(&self) -> Reading {
        let mut sum = self.chain.as_ref().map_or(self.of_chain, ChainCursor::reading);
        let rest = self.rest.reading();
        sum.blocks_read += rest.blocks_read;
        sum.blocks_skipped += rest.blocks_skipped;
        sum
    }

    /// The next records, perhaps none yet; `None` at the end of what there is.
    pub(crate) fn next_batch(&mut self) -> Result<Option<Vec<Record>>, ReadError> {
        if let Some(chain) = &mut self.chain {
            // Asked first: what is sealed below this is in the chain that is read now.
            let sealed_to = self.journal.sealed_to();
            if let Some(batch) = chain.next_batch()? {
                let bus = &self.bus;
                let record = |one: journal::ChainRecord| Record {
                    offset: one.offset,
                    bus: Arc::clone(bus),
                    time: one.time,
                    payload: one.payload,
                };
                return Ok(Some(batch.into_iter().map(record).collect()));
            }
            // While a round of sealing ends, its chains are there before the journal says so.
            let from = self.rest.position().max(sealed_to).max(chain.position());
            let rest = self.journal.read_bus(&self.bus, from).skip_damaged();
            self.rest = match &self.filter {
                Some(filter) => rest.skipping(Arc::clone(filter)),
                None => rest,
            };
            self.of_chain = self.chain.take().map(|chain| chain.reading()).unwrap_or_default();
        }
        let Some(mut batch) = self.rest.next_batch()? else { return Ok(None) };
        if let Some(archive) = &self.archive {
            let (times, asking) = (self.times, &mut self.asking);
            batch.retain(|record| holds(archive, times, record, asking));
        }
        Ok(Some(batch))
    }
}

/// Whether an archive will take in a record that is not sealed yet, and it is of the span.
fn holds(
    archive: &Archive,
    (since, until): (Timestamp, Option<Timestamp>),
    record: &Record,
    asking: &mut Asking,
) -> bool {
    let time = Timestamp::from_millis(record.time);
    if time < since || until.is_some_and(|until| until <= time) {
        return false;
    }
    // What cannot be read is passed on, so that whoever reads says so.
    record::split(&record.payload)
        .map_or(true, |(envelope, _)| archive.wants(record.offset, &envelope, asking))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use event::{Event, Limits, Stamp};
    use journal::{Keys, SealWhat, Sealing};

    use super::*;
    use crate::archives::{Archive, Archives};

    /// The sealer's side, as the router answers it.
    struct Names(Archives);

    impl Sealing for Names {
        fn keys(&self, record: &Record, keys: &mut Keys) {
            let (envelope, _) = record::split(&record.payload).unwrap();
            ruleset::pattern::keys::of_event(&envelope, &mut |key| keys.key(key));
        }

        fn archives(&self, record: &Record, into: &mut Vec<Arc<str>>) {
            let (envelope, _) = record::split(&record.payload).unwrap();
            let of = (&*record.bus, record.offset);
            into.extend(self.0.of(of, &envelope, &mut Asking::default()));
        }
    }

    fn archive(pattern: &str) -> Archive {
        Archive {
            name: "even".into(),
            bus: "shop".into(),
            pattern: Some(Selection::parse(pattern).unwrap()),
            retention_days: 0,
            description: String::new(),
            created_at: Timestamp::from_millis(0),
            from_offset: Offset::new(10),
        }
    }

    /// Of a kilobyte; every second one is even, each has a number of its own.
    fn event(number: usize) -> Event {
        let stamp = Stamp {
            id: &format!("e-{number}"),
            time: Timestamp::from_millis(0),
            account: "0",
            region: "r",
        };
        let (even, filling) = (number.is_multiple_of(2), "x".repeat(1000));
        let entry = format!(
            r#"{{"source":"a","detail-type":"b","detail":{{"even":{even},"number":{number},"f":"{filling}"}}}}"#
        );
        Event::from_entry(entry.as_bytes(), &Limits::default(), &stamp).unwrap()
    }

    fn payload(number: usize) -> Bytes {
        record::encode(&event(number), 0, None)
    }

    fn filled(folder: &std::path::Path, names: &Names) -> Journal {
        let options = journal::Options {
            segment_bytes: 16 << 20,
            sealed_dir: folder.join("sealed"),
            archives_dir: folder.join("archives"),
            ..journal::Options::new(folder.join("journal"))
        };
        let (journal, _) = Journal::open(options).unwrap();
        for hundred in 0..40_usize {
            let payloads = (0..100).map(|number| payload(hundred * 100 + number)).collect();
            let time = i64::try_from(hundred).unwrap();
            journal.append_blocking("shop", payloads, time).unwrap();
            if hundred == 35 {
                journal.seal(names, SealWhat::All).unwrap();
            }
        }
        journal
    }

    fn source(archive: Option<&Archive>, pattern: Option<&str>) -> Source {
        Source {
            bus: "shop".into(),
            archive: archive.cloned().map(Arc::new),
            since: Timestamp::from_millis(0),
            until: None,
            pattern: pattern.map(|text| Selection::parse(text).unwrap()),
        }
    }

    /// The offsets that come and are wanted, and what was read for it.
    fn read(source: &Source, journal: &Journal, rule: Option<&Pattern>) -> (Vec<u64>, Reading) {
        let mut past = source.read(journal, Offset::new(0), rule);
        let (mut found, mut asking) = (Vec::new(), Asking::default());
        let mut reading = past.reading();
        while let Some(batch) = past.next_batch().unwrap() {
            for record in batch {
                let (envelope, _) = record::split(&record.payload).unwrap();
                if source.wants(&envelope, &mut asking) {
                    found.push(record.offset.get());
                }
            }
            reading = past.reading();
        }
        (found, reading)
    }

    #[test]
    fn an_archive_is_read_from_its_chain_and_then_from_the_journal_each_event_once() {
        let folder = tempfile::tempdir().unwrap();
        let even = archive(r#"{"detail":{"even":[true]}}"#);
        let names = Names(Archives::new(vec![even.clone()]));
        let journal = filled(folder.path(), &names);
        assert_eq!(journal.archive("even").unwrap().stats().records, 1795);
        let (found, _) = read(&source(Some(&even), None), &journal, None);
        assert_eq!(found, (10..4000).step_by(2).collect::<Vec<u64>>());
        let later = Source { since: Timestamp::from_millis(38), ..source(Some(&even), None) };
        let (found, _) = read(&later, &journal, None);
        assert_eq!(found, (3800..4000).step_by(2).collect::<Vec<u64>>());
        let between = Source {
            since: Timestamp::from_millis(2),
            until: Some(Timestamp::from_millis(4)),
            ..source(Some(&even), None)
        };
        let (found, reading) = read(&between, &journal, None);
        assert_eq!(found, (200..400).step_by(2).collect::<Vec<u64>>());
        assert!(reading.blocks_read <= 3, "{reading:?}");
    }

    #[test]
    fn a_replayed_event_that_came_back_is_in_no_archive_sealed_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let even = archive(r#"{"detail":{"even":[true]}}"#);
        let names = Names(Archives::new(vec![even.clone()]));
        let journal = filled(folder.path(), &names);
        let replayed = record::encode(&event(0).replayed("again"), 1, None);
        journal.append_blocking("shop", vec![replayed, payload(2)], 41).unwrap();
        for _ in 0..2 {
            let (found, _) = read(&source(Some(&even), None), &journal, None);
            assert!(!found.contains(&4000) && found.contains(&4001));
            journal.seal(&names, SealWhat::All).unwrap();
        }
    }

    #[test]
    fn what_a_round_of_sealing_has_put_into_the_chain_comes_once_before_the_round_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let even = archive(r#"{"detail":{"even":[true]}}"#);
        let names = Names(Archives::new(vec![even.clone()]));
        let journal = filled(folder.path(), &names);
        // The round writes down last, in the hot folder, that it is over: here it cannot.
        let store = folder.path().join("journal/store.new");
        std::fs::create_dir(&store).unwrap();
        let failed = journal.seal(&names, SealWhat::All).unwrap_err();
        assert!(matches!(failed, journal::SealError::Store { .. }), "{failed}");
        assert_eq!(journal.archive("even").unwrap().stats().records, 1995);
        let (found, _) = read(&source(Some(&even), None), &journal, None);
        assert_eq!(found, (10..4000).step_by(2).collect::<Vec<u64>>());
    }

    #[test]
    fn with_a_selective_pattern_only_the_blocks_that_may_hold_matches_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let even = archive(r#"{"detail":{"even":[true]}}"#);
        let names = Names(Archives::new(vec![even.clone()]));
        let journal = filled(folder.path(), &names);
        let one = r#"{"detail":{"number":[1000]}}"#;
        for archive in [Some(&even), None] {
            let (all, whole) = read(&source(archive, None), &journal, None);
            assert!(whole.blocks_skipped == 0 && 6 <= whole.blocks_read, "{whole:?}");
            let (found, reading) = read(&source(archive, Some(one)), &journal, None);
            assert_eq!(found, [1000]);
            assert_eq!(reading.blocks_read, 1, "{reading:?} of {whole:?}");
            // The pattern of the one rule that it is for does the same.
            let rule = Pattern::parse(one).unwrap();
            let (found, reading) = read(&source(archive, None), &journal, Some(&rule));
            assert_eq!(reading.blocks_read, 1, "{reading:?}");
            assert!(found.contains(&1000) && found.len() < all.len());
            // A rule that looks at the replay's name looks at what is not sealed.
            let rule = r#"{"replay-name":["again"],"detail":{"number":[1000]}}"#;
            let rule = Pattern::parse(rule).unwrap();
            let (found, reading) = read(&source(archive, None), &journal, Some(&rule));
            assert_eq!((found.len(), reading.blocks_skipped), (all.len(), 0));
        }
    }
}
