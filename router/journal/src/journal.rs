//! The handle that everybody holds.

use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
    pin::pin,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::watch;

use crate::{
    AppendError, Chain, CloseError, Cursor, Offset, OpenError, Options, Recovery, Stats,
    chains::Chains,
    commit::{Mark, Shared},
    disk::{Disk, PosixDisk},
    error::open_error,
    frame::BUS_NAME_MAX,
    frontier::Frontier,
    group::{Batch, Durability},
    log::Log,
    options::Monotonic,
    queue::{CLOSED, Queue},
    recovery,
    roll::{self, Kept, Kind, Roll},
    running::Running,
    segment::Recipe,
    spare::{Files, Spares},
    writer::Writer,
};

/// An open journal. Clones are handles to the same one; the last to go closes it.
#[derive(Clone)]
pub struct Journal {
    pub(crate) inner: Arc<Inner>,
}

/// Whether appends are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    Ok,
    /// The next segment cannot be prepared. Appends are refused when this one is full; it is tried
    /// again every second.
    Full {
        reason: Arc<str>,
    },
    /// For good: only opening the journal again helps.
    Stopped {
        reason: Arc<str>,
    },
}

pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) free_bytes_min: u64,
    pub(crate) frontier: Frontier,
    pub(crate) buses: Chains,
    pub(crate) archives: Chains,
    /// Which of both hold something.
    pub(crate) roll: Kept,
    /// Held for a round of sealing.
    pub(crate) sealing: Mutex<()>,
    limits: Limits,
    monotonic: Monotonic,
    /// `None` once closed.
    running: Mutex<Option<Running>>,
}

#[derive(Copy, Clone)]
struct Limits {
    record_bytes_max: usize,
    group_bytes_max: usize,
}

impl Journal {
    /// Opens the journal in `options.dir`, or makes one, and takes it for this process alone.
    pub fn open(options: Options) -> Result<(Self, Recovery), OpenError> {
        let disk = |dir: &PathBuf| -> Arc<dyn Disk> { Arc::new(PosixDisk::new(dir.clone())) };
        let disks = [&options.dir, &options.sealed_dir, &options.archives_dir].map(disk);
        Self::open_in(disks, options)
    }

    /// [`Journal::open`] in a folder of a simulated disk; sealed segments are in `sealed` and
    /// `archives` below it. The folders in the options are not looked at.
    #[cfg(any(test, feature = "simulation"))]
    pub fn open_on(
        disk: &crate::SimulatedDisk,
        options: Options,
    ) -> Result<(Self, Recovery), OpenError> {
        let below = [disk.clone(), disk.below("sealed"), disk.below("archives")];
        Self::open_in(below.map(|disk| Arc::new(disk) as Arc<dyn Disk>), options)
    }

    fn open_in(
        [disk, sealed, archives]: [Arc<dyn Disk>; 3],
        options: Options,
    ) -> Result<(Self, Recovery), OpenError> {
        options.check()?;
        let folder = disk.path("");
        disk.make().map_err(|error| open_error(folder.clone(), "make it", error))?;
        let lock = disk.lock().map_err(|error| open_error(folder.clone(), "lock it", error))?;
        let Some(lock) = lock else { return Err(OpenError::Locked { path: folder }) };
        let found = recovery::recover(&*disk, options.end_min)?;

        let log = Arc::new(Log::new(found.written, found.end, found.store.sealed_to));
        let buses = Chains::open(sealed, "sealed segments of bus")?;
        let archives = Chains::open(archives, "archive")?;
        check_reach(&folder, found.end, buses.all().iter().chain(&archives.all()))?;
        let roll = open_roll(&disk, &buses, &archives);
        if Offset::ZERO < found.store.sealed_to && buses.all().is_empty() {
            tracing::error!(
                path = %options.sealed_dir.display(), sealed_to = found.store.sealed_to.get(),
                "the sealed segments of all buses are missing: what came before this offset cannot be read"
            );
        }
        let recipe = Recipe {
            disk: Arc::clone(&disk),
            store_id: found.store.id,
            size: options.segment_bytes,
            free_bytes_min: options.free_bytes_min,
        };
        let files = Files { count: found.report.segments, bytes: found.segment_bytes, reused: 0 };
        let shared = Arc::new(Shared {
            log: Arc::clone(&log),
            queue: Queue::new(
                options.queue_bytes_max,
                options.group_bytes_max,
                Arc::clone(&options.monotonic),
            ),
            spares: Spares::new(recipe, found.spares, found.next_epoch, files),
            watermark: watch::Sender::new(Mark { end: found.end, stopped: false }),
            stats: Mutex::default(),
            is_refusing: AtomicBool::new(false),
        });
        let writer = Writer::new(log, found.tail, found.time, Arc::clone(&options.monotonic));
        let running = Running::start(&shared, writer, &options, lock)
            .map_err(|error| open_error(folder.clone(), "start its threads", error))?;
        let inner = Inner {
            shared,
            dir: folder,
            free_bytes_min: options.free_bytes_min,
            frontier: Frontier::new(Arc::clone(&disk), found.store),
            disk,
            buses,
            archives,
            roll,
            sealing: Mutex::default(),
            limits: Limits {
                record_bytes_max: options.record_bytes_max,
                group_bytes_max: options.group_bytes_max,
            },
            monotonic: options.monotonic,
            running: Mutex::new(Some(running)),
        };
        Ok((Self { inner: Arc::new(inner) }, found.report))
    }

    /// Appends the payloads in order and next to each other, and resolves when they are durable.
    ///
    /// `time` is in milliseconds since the Unix epoch; records get the latest time of their group,
    /// and never one before that of an earlier record. Waits while the queue is full. When the
    /// future is dropped, all of the payloads are appended or none is.
    pub async fn append(
        &self,
        bus: &str,
        payloads: Vec<Bytes>,
        time: i64,
    ) -> Result<Range<Offset>, AppendError> {
        let shared = &self.inner.shared;
        let durability = Durability::Synced;
        let batch = self.inner.limits.check(Batch { bus, payloads, time, durability })?;
        if batch.payloads.is_empty() {
            let end = self.durable_end();
            return Ok(end..end);
        }
        // durable: the answer leaves only after the sync.
        shared.queue.push(batch).await?.await
    }

    /// Takes the payloads and resolves when they are queued: they are synced within `within`, or
    /// when much has gathered, or with a synced append that comes after them. A loss of power, or
    /// the death of the process, takes what was not. When the journal has no room, or has stopped,
    /// they are refused; what it notices later is in [`Stats::lost_records`].
    pub async fn post(
        &self,
        bus: &str,
        payloads: Vec<Bytes>,
        time: i64,
        within: Duration,
    ) -> Result<(), AppendError> {
        let shared = &self.inner.shared;
        let durability = Durability::By((self.inner.monotonic)().saturating_add(within));
        let batch = self.inner.limits.check(Batch { bus, payloads, time, durability })?;
        if batch.payloads.is_empty() {
            return Ok(());
        }
        if let Some(reason) = shared.spares.failure() {
            // The current segment may have room still. It is for those who wait for an answer.
            shared.refuse(&reason);
            return Err(AppendError::Full { reason });
        }
        shared.queue.push(batch).await.map(drop)
    }

    /// [`Journal::append`] for threads outside of an async runtime.
    pub fn append_blocking(
        &self,
        bus: &str,
        payloads: Vec<Bytes>,
        time: i64,
    ) -> Result<Range<Offset>, AppendError> {
        block_on(self.append(bus, payloads, time), || self.turn())
    }

    /// One step of a journal that was opened `inline`: what has gathered is written and synced, or
    /// else a spare segment is made. False when there is nothing to do, and after closing.
    pub fn turn(&self) -> bool {
        let mut running = self.inner.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_mut().is_some_and(|running| running.turn(&self.inner.shared))
    }

    /// The offset behind the last durable record: the next record's.
    pub fn durable_end(&self) -> Offset {
        self.inner.shared.log.end()
    }

    /// Waits until the record at `offset` is durable, or the journal has stopped or was closed.
    pub async fn wait_past(&self, offset: Offset) {
        let mut watermark = self.inner.shared.watermark.subscribe();
        // It fails only when there is no sender any more, and `self` holds it.
        let reached = watermark.wait_for(|mark| offset < mark.end || mark.stopped).await;
        debug_assert!(reached.is_ok(), "the sender lives as long as the journal");
    }

    /// Reads all buses from this record on, as long as it is hot. A cursor outlives the journal's closing.
    pub fn read_from(&self, from: Offset) -> Cursor {
        Cursor::new(Arc::clone(&self.inner.shared.log), from)
    }

    pub fn health(&self) -> Health {
        let shared = &self.inner.shared;
        let lost = shared.lost();
        let with_loss = |reason: Arc<str>| match lost {
            0 => reason,
            lost => format!(
                "{reason}; {lost} records are lost that were acknowledged before they were synced"
            )
            .into(),
        };
        if let Some(reason) = shared.queue.stop_reason() {
            return Health::Stopped { reason: with_loss(reason) };
        }
        let failure = shared.spares.failure();
        failure.map_or(Health::Ok, |reason| Health::Full { reason: with_loss(reason) })
    }

    pub fn stats(&self) -> Stats {
        let shared = &self.inner.shared;
        let files = shared.spares.files();
        let stats = shared.stats.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Stats {
            first_offset: shared.log.first(),
            next_offset: shared.log.end(),
            sealed_to: shared.log.sealed_to(),
            segments: files.count,
            segment_bytes: files.bytes,
            reused_segments: files.reused,
            queued_bytes: shared.queue.bytes(),
            unsynced_records: shared.queue.unsynced(),
            ..stats
        }
    }

    /// Refuses further appends, makes durable what was taken, and frees the folder. Closing again
    /// does nothing.
    pub fn close(&self) -> Result<(), CloseError> {
        self.inner.close()
    }
}

/// Which chains there must be. A bus's that is gone is missed from now on; of archives somebody else
/// knows whether they were removed.
fn open_roll(disk: &Arc<dyn Disk>, buses: &Chains, archives: &Chains) -> Kept {
    let read = Roll::read(&**disk).inspect_err(|error| {
        let path = disk.path(roll::NAME);
        tracing::error!(path = %path.display(), %error, "it is not known which chains there must be");
    });
    let roll = Kept::new(Arc::clone(disk), read.ok().flatten().unwrap_or_default());
    for ((kind, name), entry) in &roll.get().0 {
        if *kind == Kind::Bus && buses.get(name).is_none() {
            buses.stand_in(name, entry);
        }
    }
    let noted = roll.change(|roll| {
        roll.note(Kind::Bus, &buses.all());
        roll.note(Kind::Archive, &archives.all());
    });
    if let Err(error) = noted {
        // The next round of sealing does it.
        tracing::debug!(%error, "the chains that there are could not be listed");
    }
    roll
}

/// Offsets that were given once are never given again: others know events by them.
fn check_reach<'a>(
    dir: &Path,
    end: Offset,
    chains: impl Iterator<Item = &'a Chain>,
) -> Result<(), OpenError> {
    for chain in chains {
        let sealed_end = chain.covered().end;
        if end < sealed_end {
            let (path, sealed) = (dir.to_owned(), chain.folder());
            return Err(OpenError::Behind { path, end, sealed, sealed_end });
        }
    }
    Ok(())
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("end", &self.durable_end()).finish_non_exhaustive()
    }
}

impl Inner {
    pub(crate) fn log(&self) -> &Arc<Log> {
        &self.shared.log
    }

    pub(crate) fn buses(&self) -> &Chains {
        &self.buses
    }

    fn close(&self) -> Result<(), CloseError> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running.take() {
            running.end(&self.shared);
        }
        match self.shared.queue.stop_reason() {
            Some(reason) if *reason != *CLOSED => Err(CloseError { reason }),
            _ => Ok(()),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::debug!(%error, "journal dropped"); // It was an error in the log when it happened.
        }
    }
}

impl Limits {
    /// Passes the batch on when a group can hold it.
    fn check<'a>(&self, batch: Batch<'a>) -> Result<Batch<'a>, AppendError> {
        if batch.bus.is_empty() || BUS_NAME_MAX < batch.bus.len() {
            return Err(AppendError::BusName { length: batch.bus.len() });
        }
        let largest = batch.payloads.iter().map(Bytes::len).max().unwrap_or(0);
        if self.record_bytes_max < largest {
            let limit = self.record_bytes_max;
            return Err(AppendError::TooLarge {
                what: "a record",
                size: largest,
                limit,
                option: "record_bytes_max",
            });
        }
        let (size, limit) = (batch.cost(), self.group_bytes_max);
        if limit < size {
            return Err(AppendError::TooLarge {
                what: "an append",
                size,
                limit,
                option: "group_bytes_max",
            });
        }
        Ok(batch)
    }
}

/// Runs a future on this thread. Enough for futures that only wait for other threads, or for what
/// `turn` does here; that says whether it has done something.
pub(crate) fn block_on<T>(future: impl Future<Output = T>, turn: impl Fn() -> bool) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending if turn() => (),
            Poll::Pending => thread::park(),
        }
    }
}
