//! The target of deliveries: a small HTTP server that counts, and remembers when each event came.
//!
//! It speaks as little HTTP as it can, because it shares the machine with what it measures: bodies with a
//! `content-length`, on connections that stay open.
//!
//! ```text
//! POST /…          counts the marked events of the body, or the body itself when it has none
//! GET  /count      how many
//! GET  /arrivals   microseconds since the Unix epoch, a u64 per mark in little endian; 0 for none
//! ```

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use anyhow::{Context as _, bail};
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::bare::end_with_parent;
use crate::clock::epoch_micros;
use crate::http;
use crate::marks::{self, MARKS_MAX};
use crate::table::line;

struct Seen {
    count: AtomicU64,
    /// Behind the highest mark that came.
    marks: AtomicUsize,
    arrivals: Vec<AtomicU64>,
}

/// Serves until standard input ends.
pub(crate) fn serve() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    end_with_parent();
    let arrivals = (0..MARKS_MAX).map(|_| AtomicU64::new(0)).collect();
    let seen = Arc::new(Seen { count: AtomicU64::new(0), marks: AtomicUsize::new(0), arrivals });
    runtime.block_on(async {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        line(&format!("listening on http://{}", listener.local_addr()?));
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let seen = Arc::clone(&seen);
            connections.spawn(async move { converse(stream, &seen).await.ok() });
            while connections.try_join_next().is_some() {}
        }
    })
}

async fn converse(mut stream: TcpStream, seen: &Seen) -> anyhow::Result<()> {
    let mut buffer = Vec::with_capacity(64 * 1024);
    loop {
        let Some(head_len) = memmem::find(&buffer, b"\r\n\r\n").map(|end| end + 4) else {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let (head, rest) = buffer.split_at(head_len);
        let body_len = http::content_length(head).unwrap_or(0);
        if rest.len() < body_len {
            buffer.reserve(body_len);
            if stream.read_buf(&mut buffer).await? == 0 {
                bail!("the connection ended within a body");
            }
            continue;
        }
        let body = rest.get(..body_len).context("just compared")?;
        stream.write_all(&seen.answer(head, body)).await?;
        if head.starts_with(b"GET ") {
            return Ok(()); // Who asks reads until the end.
        }
        buffer.drain(..head_len + body_len);
    }
}

impl Seen {
    fn answer(&self, head: &[u8], body: &[u8]) -> Vec<u8> {
        if head.starts_with(b"POST ") {
            self.take(body);
            return b"HTTP/1.1 204 No Content\r\n\r\n".to_vec();
        }
        let said = if head.starts_with(b"GET /arrivals ") {
            let known = self.arrivals.iter().take(self.marks.load(Ordering::Relaxed));
            let arrivals = known.map(|at| at.load(Ordering::Relaxed).to_le_bytes());
            arrivals.flatten().collect()
        } else {
            self.count.load(Ordering::Relaxed).to_string().into_bytes()
        };
        let mut answer =
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", said.len()).into_bytes();
        answer.extend_from_slice(&said);
        answer
    }

    fn take(&self, body: &[u8]) {
        let now = epoch_micros();
        let mut marked = 0;
        for mark in marks::of(body) {
            marked += 1;
            if let Some(slot) = self.arrivals.get(mark) {
                // The first arrival is the one that counts.
                slot.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed).ok();
                self.marks.fetch_max(mark + 1, Ordering::Relaxed);
            }
        }
        self.count.fetch_add(marked.max(1), Ordering::Relaxed);
    }
}
