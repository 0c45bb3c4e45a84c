//! The load: a client that costs little, because it shares the machine with what it measures.
//!
//! One thread; each connection sends its next request when the answer to the last one is whole. Of an answer it reads
//! the status and the length. The rate against the bare endpoint shows what it is able to do.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::clock::now;
use crate::orders;
use crate::process::Process;
use crate::sample::quantile;

/// Between the first request and the first that counts: no round begins with idle connections.
const RAMP: Duration = Duration::from_millis(100);
/// After the round's end, for answers that are still owed.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is sent, and for how long.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) requests: Arc<[Vec<u8>]>,
    pub(crate) events_per_request: u64,
    pub(crate) connections: usize,
    pub(crate) window: Duration,
    /// The round ends after this many requests, should they be over before the window is.
    pub(crate) requests_max: u64,
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
    /// One event a request.
    pub(crate) fn singles(connections: usize, window: Duration) -> Self {
        let requests = (0..orders::COUNT)
            .map(|number| request("application/json", &orders::order(number)))
            .collect();
        Self { requests, events_per_request: 1, connections, window, requests_max: u64::MAX }
    }

    /// A hundred events a request, a line each.
    pub(crate) fn batches(connections: usize, window: Duration) -> Self {
        let lines: Vec<String> = (0..orders::COUNT).map(orders::order).collect();
        let requests = Arc::from([request("application/x-ndjson", &lines.join("\n"))]);
        Self { requests, events_per_request: 100, connections, window, requests_max: u64::MAX }
    }

    /// Sends one round to a server.
    pub(crate) fn run(&self, client: &Runtime, server: &Process) -> anyhow::Result<Round> {
        let before = server.processor_time()?;
        let began = now();
        let (tally, seconds) = client.block_on(self.send(server.address))?;
        let spent = server.processor_time()?.saturating_sub(before);
        let mut micros = tally.micros;
        let events = tally.requests * self.events_per_request;
        Ok(Round {
            events_per_second: as_f64(tally.in_window * self.events_per_request) / seconds,
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
        for _ in 0..self.connections {
            let stream = TcpStream::connect(address).await.context("connect to the server")?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        let opens = now() + RAMP;
        let closes = opens + self.window;
        let sent = Arc::new(AtomicU64::new(0));
        let mut connections = JoinSet::new();
        for (index, stream) in streams.into_iter().enumerate() {
            let (load, sent) = (self.clone(), Arc::clone(&sent));
            connections
                .spawn(async move { load.converse(stream, index, (opens, closes), &sent).await });
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
        mut stream: TcpStream,
        index: usize,
        (opens, closes): (Instant, Instant),
        sent: &AtomicU64,
    ) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        let mut buffer = Vec::with_capacity(16 * 1024);
        for request in self.requests.iter().cycle().skip(index % self.requests.len()) {
            let begun = now();
            if closes <= begun || self.requests_max <= sent.fetch_add(1, Ordering::Relaxed) {
                break;
            }
            stream.write_all(request).await?;
            read_answer(&mut stream, &mut buffer).await?;
            let ended = now();
            tally.requests += 1;
            if opens <= ended && ended < closes {
                tally.in_window += 1;
                tally.micros.push(u32::try_from((ended - begun).as_micros()).unwrap_or(u32::MAX));
            }
        }
        Ok(tally)
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

fn request(content_type: &str, body: &str) -> Vec<u8> {
    let mut request = Vec::new();
    write!(
        request,
        "POST /events HTTP/1.1\r\nhost: bench\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("memory takes everything");
    request
}

/// Reads one answer whole. Anything but a 202 ends the benchmark, with the server's words.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<()> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the server closed the connection: {}", String::from_utf8_lossy(buffer));
        }
        let Some(end) = memmem::find(buffer, b"\r\n\r\n") else { continue };
        let (head, body) = buffer.split_at(end + 4);
        if body.len() < content_length(head)? {
            continue;
        }
        if !head.starts_with(b"HTTP/1.1 202 ") {
            bail!("the server refused: {}", String::from_utf8_lossy(buffer));
        }
        return Ok(());
    }
}

fn content_length(head: &[u8]) -> anyhow::Result<usize> {
    const NAME: &[u8] = b"content-length: ";
    let start = memmem::find(head, NAME).context("an answer says its length")? + NAME.len();
    let digits = head.iter().skip(start).take_while(|byte| byte.is_ascii_digit());
    Ok(digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0')))
}
