//! Crashes at any moment, compared with a list of what was acknowledged.

use std::{sync::Arc, thread};

use bytes::Bytes;
use proptest::{collection::vec, prelude::*};

use super::{open, options, read_all};
use crate::{
    Cursor, Journal, Offset, OpenError, ReadError, Record,
    disk::{Disk, simulated::SimulatedDisk},
    frontier::{Frontier, Sealing},
    group::{Batch, Durability, Group},
    log::Log,
    recovery::recover,
    segment::Recipe,
    spare::{Files, Spares},
    writer::Writer,
};

/// The journal without its threads: one trace for one seed.
struct Core {
    log: Arc<Log>,
    writer: Writer,
    spares: Spares,
    frontier: Frontier,
    /// Somebody reads here.
    reader: Option<Cursor>,
}

#[derive(Clone, Debug)]
enum Step {
    /// Appends that make one group: the lengths of their payloads.
    Commit(Vec<Vec<usize>>),
    /// Seals the whole segments, or everything; hot segments stay from so many records before the
    /// end on.
    Seal {
        all: bool,
        hot: u64,
    },
    /// Somebody begins to read so many records before the end, and holds a segment.
    Read {
        back: u64,
    },
    Crash,
    Kill,
    PowerFails {
        after: u64,
    },
    SyncFails {
        after: u64,
    },
    WriteFails {
        after: u64,
    },
}

/// What was written and not acknowledged, and what was.
#[derive(Default)]
struct Model {
    /// What sealed segments would hold.
    sealed: Vec<(String, Bytes)>,
    acknowledged: Vec<(String, Bytes)>,
    in_flight: Vec<(String, Bytes)>,
    payloads: u8,
}

impl Core {
    fn open(disk: &SimulatedDisk) -> Result<Self, OpenError> {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let found = recover(&*disk, Offset::ZERO)?;
        let log = Arc::new(Log::new(found.written, found.end, found.store.sealed_to));
        let recipe = Recipe {
            disk: Arc::clone(&disk),
            store_id: found.store.id,
            size: options().segment_bytes,
            free_bytes_min: 0,
        };
        let files = Files { count: found.report.segments, bytes: found.segment_bytes, reused: 0 };
        Ok(Self {
            writer: Writer::new(Arc::clone(&log), found.tail, found.time, options().monotonic),
            log,
            spares: Spares::new(recipe, found.spares, found.next_epoch, files),
            frontier: Frontier::new(disk, found.store),
            reader: None,
        })
    }

    /// Whether the group is durable.
    fn commit(&mut self, group: &Group) -> bool {
        let spares = &self.spares;
        self.writer.commit(group, &mut || spares.take_inline()).is_ok()
    }

    /// What the sealer does, with a memory that never fails in the place of sealed segments.
    fn seal(&mut self, all: bool, hot: u64, model: &mut Model) -> Result<(), String> {
        let (from, end) = (self.log.sealed_to(), self.log.end());
        let to = if all { end } else { self.log.last_begins().max(from) };
        let mut time = 0;
        for record in read(&self.log, from)? {
            if record.offset < to {
                time = record.time;
                let index = usize::try_from(record.offset.get()).expect("small");
                if index == model.sealed.len() {
                    model.sealed.push((record.bus.to_string(), record.payload));
                }
            }
        }
        let hot_from = Offset::new(end.get().saturating_sub(hot));
        if let Ok(free) = self.frontier.advance(&Sealing { to, time, hot_from }, &self.log) {
            self.spares.free(free);
        }
        self.spares.prepare_inline();
        Ok(())
    }
}

impl Model {
    fn group(&mut self, appends: &[Vec<usize>]) -> Group {
        let mut group = Group::default();
        self.in_flight.clear();
        for (number, lengths) in appends.iter().enumerate() {
            let bus = format!("bus-{}", number % 2);
            let payloads: Vec<Bytes> = lengths
                .iter()
                .map(|length| {
                    self.payloads = self.payloads.wrapping_add(1);
                    Bytes::from(vec![self.payloads; *length])
                })
                .collect();
            let batch = Batch {
                bus: &bus,
                payloads: payloads.clone(),
                time: 0,
                durability: Durability::Synced,
            };
            if group.add(batch, options().group_bytes_max).is_ok() {
                self.in_flight.extend(payloads.into_iter().map(|payload| (bus.clone(), payload)));
            }
        }
        group
    }

    /// Compares the journal with what it must hold; from now on it must hold what it has shown.
    fn check(&mut self, log: &Arc<Log>) -> Result<(), String> {
        let sealed = usize::try_from(log.sealed_to().get()).expect("small");
        let Some(sealed) = self.sealed.get(..sealed) else {
            return Err(format!("{} were sealed, not {sealed}", self.sealed.len()));
        };
        let mut found = sealed.to_vec();
        let hot = read(log, log.sealed_to())?;
        found.extend(hot.into_iter().map(|record| (record.bus.to_string(), record.payload)));
        let rest = found.strip_prefix(&self.acknowledged[..]).ok_or_else(|| {
            format!(
                "{} records acknowledged, {} found, or others",
                self.acknowledged.len(),
                found.len()
            )
        })?;
        if !rest.is_empty() && rest != self.in_flight {
            return Err(format!("{} records appeared that were never in flight", rest.len()));
        }
        self.acknowledged = found;
        self.in_flight.clear();
        Ok(())
    }
}

fn read(log: &Arc<Log>, from: Offset) -> Result<Vec<Record>, String> {
    let mut cursor = Cursor::new(Arc::clone(log), from);
    let mut found = Vec::new();
    while let Some(batch) = cursor.next_batch().map_err(|error| error.to_string())? {
        found.extend(batch);
    }
    Ok(found)
}

/// Runs the steps, reopening whenever the journal or the machine has died. Says what was lost.
fn run(disk: &SimulatedDisk, steps: &[Step]) -> Result<(), String> {
    let mut model = Model::default();
    let mut core = None;
    for step in steps.iter().chain([&Step::Crash, &Step::Commit(vec![vec![1]]), &Step::Crash]) {
        match step {
            Step::Crash => {
                disk.crash();
                core = None;
            }
            Step::Kill => {
                disk.kill();
                core = None;
            }
            Step::PowerFails { after } => disk.faults(|faults| faults.power_after = Some(*after)),
            Step::SyncFails { after } => {
                disk.faults(|faults| faults.sync_fails_after = Some(*after))
            }
            Step::WriteFails { after } => {
                disk.faults(|faults| faults.write_fails_after = Some(*after))
            }
            Step::Seal { all, hot } => {
                if let Some(open) = reopen(disk, &mut core, &mut model)? {
                    open.seal(*all, *hot, &mut model)?;
                    check_reader(open, &model)?;
                }
            }
            Step::Read { back } => {
                if let Some(open) = reopen(disk, &mut core, &mut model)? {
                    let from = open.log.end().get().saturating_sub(*back);
                    let mut cursor = Cursor::new(Arc::clone(&open.log), Offset::new(from));
                    // What is sealed and gone is read elsewhere.
                    open.reader = cursor.next_batch().is_ok().then_some(cursor);
                }
            }
            Step::Commit(appends) => {
                let Some(open) = reopen(disk, &mut core, &mut model)? else { continue };
                let group = model.group(appends);
                if group.records == 0 {
                    continue;
                }
                if open.commit(&group) {
                    model.acknowledged.append(&mut model.in_flight);
                } else {
                    core = None;
                    continue;
                }
                if model.acknowledged.len() % 7 == 0 {
                    check_reader(open, &model)?;
                }
            }
        }
    }
    reopen(disk, &mut core, &mut model)?.ok_or("it does not open any more")?;
    Ok(())
}

/// Who reads a segment reads what was in it, also when it is free.
fn check_reader(core: &mut Core, model: &Model) -> Result<(), String> {
    let Some(mut reader) = core.reader.take() else { return Ok(()) };
    match reader.next_batch() {
        // Behind what it held, the next segment is gone, too.
        Err(ReadError::Gone { .. } | ReadError::Io { .. }) => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(batch) => {
            for record in batch.unwrap_or_default() {
                let index = usize::try_from(record.offset.get()).expect("small");
                if model
                    .acknowledged
                    .get(index)
                    .is_none_or(|(_, payload)| *payload != record.payload)
                {
                    return Err(format!("a reader was shown something else at {index}"));
                }
            }
            core.reader = Some(reader);
            Ok(())
        }
    }
}

fn reopen<'a>(
    disk: &SimulatedDisk,
    core: &'a mut Option<Core>,
    model: &mut Model,
) -> Result<Option<&'a mut Core>, String> {
    if core.is_none() {
        match Core::open(disk) {
            Ok(open) => {
                model.check(&open.log)?;
                *core = Some(open);
            }
            // The power went, or a sync failed, while it was opened.
            Err(OpenError::Io { .. }) => disk.crash(),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(core.as_mut())
}

fn step() -> impl Strategy<Value = Step> {
    let commit = vec(vec(prop_oneof![0..40_usize, 3000..6000_usize], 1..4), 1..4);
    prop_oneof![
        8 => commit.prop_map(Step::Commit),
        3 => (any::<bool>(), 0..8_u64).prop_map(|(all, hot)| Step::Seal { all, hot }),
        1 => (0..8_u64).prop_map(|back| Step::Read { back }),
        1 => Just(Step::Crash),
        1 => Just(Step::Kill),
        1 => (0..12_u64).prop_map(|after| Step::PowerFails { after }),
        1 => (0..6_u64).prop_map(|after| Step::SyncFails { after }),
        1 => (0..6_u64).prop_map(|after| Step::WriteFails { after }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_crash_loses_what_was_acknowledged_or_shows_what_was_not_appended(
        seed in any::<u64>(),
        steps in vec(step(), 1..60),
    ) {
        if let Err(loss) = run(&SimulatedDisk::new(seed), &steps) {
            prop_assert!(false, "{loss}");
        }
    }
}

#[test]
fn a_disk_whose_syncs_do_nothing_is_found_out() {
    let found_out = (1..=50).filter(|seed| {
        let disk = SimulatedDisk::new(*seed);
        let steps: Vec<Step> = (0..20)
            .flat_map(|number| {
                [Step::Commit(vec![vec![number]]), Step::Commit(vec![vec![3000]]), Step::Crash]
            })
            .collect();
        disk.faults(|faults| faults.sync_lies = true);
        run(&disk, &steps).is_err()
    });
    assert_eq!(found_out.count(), 50, "the test above would not notice a loss");
}

#[test]
fn the_threads_acknowledge_nothing_that_a_crash_takes_away() {
    for seed in 1..=120_u64 {
        let disk = SimulatedDisk::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        // The first operations are those of opening; any later one may be the last.
        disk.faults(|faults| faults.power_after = Some(seed % 90));
        let acknowledged = match open(&disk) {
            Ok((journal, _)) => append_until_it_stops(&journal),
            Err(OpenError::Io { .. }) => Vec::new(),
            Err(error) => panic!("seed {seed}: {error}"),
        };
        disk.crash();

        let (journal, _) = open(&disk).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let found = read_all(&journal);
        for (offset, text) in acknowledged {
            let record = usize::try_from(offset.get()).ok().and_then(|index| found.get(index));
            let payload = record.map(|record| &record.payload[..]);
            assert_eq!(payload, Some(text.as_bytes()), "seed {seed}: record {offset}");
        }
        let mut parts = found.chunk_by(|one, two| one.bus == two.bus);
        assert!(parts.all(|part| part.len() % 2 == 0), "seed {seed}: an append is there by half");
    }
}

/// What four threads got acknowledged before the journal stopped.
fn append_until_it_stops(journal: &Journal) -> Vec<(Offset, String)> {
    let appender = |thread: usize| {
        let journal = journal.clone();
        move || {
            let mut acknowledged = Vec::new();
            for number in 0.. {
                let texts = [format!("{thread}/{number}/a"), format!("{thread}/{number}/b")];
                let payloads =
                    texts.iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect();
                // A bus of its own for each append: the halves can be told apart.
                match journal.append_blocking(&format!("{thread}-{number}"), payloads, 0) {
                    Ok(range) => {
                        acknowledged.extend((range.start.get()..).map(Offset::new).zip(texts))
                    }
                    Err(_stopped_or_full) => break,
                }
            }
            acknowledged
        }
    };
    let threads: Vec<_> = (0..4).map(|number| thread::spawn(appender(number))).collect();
    threads.into_iter().flat_map(|thread| thread.join().expect("an appender ends")).collect()
}
