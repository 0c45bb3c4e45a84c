//! The load: a client that costs little, because it shares the machine with what it measures.
//!
//! One thread; each connection sends its next request when the answer to the last one is whole. Requests are prepared
//! bytes; of an answer it looks only for the end and for a refusal. The rate against the bare endpoint shows what it
//! is able to do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::clock::now;
use crate::http::Http;
use crate::marks::Marks;
use crate::process::Process;
use crate::sample::quantile;

/// Between the first request and the first that counts: no round begins with idle connections.
const RAMP: Duration = Duration::from_millis(100);
/// After the round's end, for answers that are still owed.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a server is spoken to.
pub(crate) trait Dialect: Send + Sync {
    /// What opens connection number `index`; each part is sent when the one before it is answered.
    fn greetings(&self, index: usize) -> Vec<Vec<u8>>;

    /// The length of a greeting's answer at the start of `bytes`; `None` while it is not whole.
    fn greeted(&self, bytes: &[u8]) -> anyhow::Result<Option<usize>>;

    /// What connection number `index` sends, again and again.
    fn requests(&self, index: usize) -> Arc<[Vec<u8>]>;

    /// The length of a request's answer at the start of `bytes`; `None` while it is not whole.
    fn answered(&self, bytes: &[u8]) -> anyhow::Result<Option<usize>>;
}

/// What is sent, and for how long.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) dialect: Arc<dyn Dialect>,
    pub(crate) events_per_request: u64,
    pub(crate) connections: usize,
    pub(crate) window: Duration,
    /// The round ends after this many requests, should they be over before the window is.
    pub(crate) requests_max: u64,
    /// Requests a second of all connections together; as many as are answered when `None`.
    pub(crate) pace: Option<f64>,
    /// Numbers the events, where the dialect has left room for it.
    pub(crate) marks: Option<Arc<Marks>>,
}

/// What came of one round.
pub(crate) struct Round {
    /// Events acknowledged within the window.
    pub(crate) events_per_second: f64,
    /// Events acknowledged at all, before and after the window too.
    pub(crate) events: u64,
    /// When the first request was sent.
    pub(crate) began: Instant,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Of the server's processor time, per event.
    pub(crate) processor_micros: f64,
}

#[derive(Default)]
struct Tally {
    in_window: u64,
    requests: u64,
    micros: Vec<u32>,
}

impl Load {
    pub(crate) fn new(
        dialect: impl Dialect + 'static,
        events_per_request: u64,
        connections: usize,
        window: Duration,
    ) -> Self {
        Self {
            dialect: Arc::new(dialect),
            events_per_request,
            connections,
            window,
            requests_max: u64::MAX,
            pace: None,
            marks: None,
        }
    }

    /// One event a request over HTTP.
    pub(crate) fn singles(path: &str, connections: usize, window: Duration) -> Self {
        Self::new(Http::singles(path), 1, connections, window)
    }

    /// A hundred events a request over HTTP.
    pub(crate) fn batches(path: &str, connections: usize, window: Duration) -> Self {
        Self::new(Http::batches(path), 100, connections, window)
    }

    /// Sends one round to a server.
    pub(crate) fn run(&self, client: &Runtime, server: &Process) -> anyhow::Result<Round> {
        let before = server.processor_time()?;
        let began = now();
        let (tally, seconds) = client.block_on(self.send(server.address))?;
        let spent = server.processor_time()?.saturating_sub(before);
        let mut micros = tally.micros;
        let events = tally.requests * self.events_per_request;
        // A server that takes seconds for one answer is measured over all it has answered.
        let is_slow = tally.in_window < self.connections as u64;
        let events_per_second = if is_slow {
            as_f64(events) / began.elapsed().as_secs_f64()
        } else {
            as_f64(tally.in_window * self.events_per_request) / seconds
        };
        Ok(Round {
            events_per_second,
            events,
            began,
            p50_ms: quantile(&mut micros, 0.5) / 1e3,
            p99_ms: quantile(&mut micros, 0.99) / 1e3,
            processor_micros: spent.as_secs_f64() * 1e6 / as_f64(events.max(1)),
        })
    }

    /// Returns what was counted, and over how many seconds.
    async fn send(&self, address: SocketAddr) -> anyhow::Result<(Tally, f64)> {
        let mut streams = Vec::new();
        for index in 0..self.connections {
            let stream = TcpStream::connect(address).await.context("connect to the server")?;
            stream.set_nodelay(true)?;
            let mut wire = Wire { stream, buffer: Vec::with_capacity(16 * 1024) };
            for greeting in self.dialect.greetings(index) {
                wire.ask(&greeting, |bytes| self.dialect.greeted(bytes)).await?;
            }
            streams.push(wire);
        }
        let opens = now() + RAMP;
        let closes = opens + self.window;
        let sent = Arc::new(AtomicU64::new(0));
        let mut connections = JoinSet::new();
        for (index, wire) in streams.into_iter().enumerate() {
            let (load, sent) = (self.clone(), Arc::clone(&sent));
            connections
                .spawn(async move { load.converse(wire, index, (opens, closes), &sent).await });
        }
        let mut sum = Tally::default();
        let all = async {
            while let Some(tally) = connections.join_next().await {
                let tally = tally??;
                sum.in_window += tally.in_window;
                sum.requests += tally.requests;
                sum.micros.extend(tally.micros);
            }
            anyhow::Ok(())
        };
        let limit = RAMP + self.window + PATIENCE;
        tokio::time::timeout(limit, all).await.context("the server does not answer")??;
        Ok((sum, self.window.as_secs_f64()))
    }

    async fn converse(
        &self,
        mut wire: Wire,
        index: usize,
        (opens, closes): (Instant, Instant),
        sent: &AtomicU64,
    ) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        let mut marked = Vec::new();
        let requests = self.dialect.requests(index);
        let mut turn = self.turns(index);
        let mut begun = now();
        for request in requests.iter().cycle().skip(index % requests.len()) {
            if let Some(turn) = &mut turn {
                turn.tick().await;
                begun = now();
            }
            if closes <= begun || self.requests_max <= sent.fetch_add(1, Ordering::Relaxed) {
                break;
            }
            let answered = |bytes: &[u8]| self.dialect.answered(bytes);
            if let Some(marks) = &self.marks {
                marked.clone_from(request);
                let given = marks.write(&mut marked);
                wire.ask(&marked, answered).await?;
                marks.acknowledge(given);
            } else {
                wire.ask(request, answered).await?;
            }
            let ended = now();
            tally.requests += 1;
            if opens <= ended && ended < closes {
                tally.in_window += 1;
            }
            if opens <= ended {
                tally.micros.push(u32::try_from((ended - begun).as_micros()).unwrap_or(u32::MAX));
            }
            begun = ended;
        }
        Ok(tally)
    }

    /// The times at which a paced connection sends; those of all connections are spread evenly.
    fn turns(&self, index: usize) -> Option<tokio::time::Interval> {
        let each = Duration::from_secs_f64(as_f64(self.connections as u64) / self.pace?);
        let phase = each.mul_f64(as_f64(index as u64) / as_f64(self.connections as u64));
        Some(tokio::time::interval_at((now() + phase).into(), each))
    }
}

/// A connection, and what has come of its next answer.
struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    /// Sends, then reads until the answer is whole.
    async fn ask(
        &mut self,
        request: &[u8],
        whole: impl Fn(&[u8]) -> anyhow::Result<Option<usize>>,
    ) -> anyhow::Result<()> {
        self.stream.write_all(request).await?;
        loop {
            if let Some(len) = whole(&self.buffer)? {
                self.buffer.drain(..len);
                return Ok(());
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server hung up: {}", String::from_utf8_lossy(&self.buffer));
            }
        }
    }
}

/// The thread's own runtime: one thread, so that the servers keep the other cores.
pub(crate) fn client() -> anyhow::Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^52")]
pub(crate) fn as_f64(count: u64) -> f64 {
    count as f64
}
