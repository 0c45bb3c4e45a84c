//! Events over HTTP, as prepared bytes.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use memchr::memmem;

use crate::load::Dialect;
use crate::{marks, orders};

/// How many requests with slips there are, and how much of a slip there is.
const SLIP_REQUESTS: usize = 16;
const SLIP_CHARS: usize = 64 * 1024;

/// The same requests on every connection.
pub(crate) struct Http {
    requests: Arc<[Vec<u8>]>,
}

impl Http {
    /// One event a request.
    pub(crate) fn singles(path: &str) -> Self {
        let orders = (0..orders::COUNT).map(orders::order);
        let requests = orders.map(|order| request(path, "application/json", &order)).collect();
        Self { requests }
    }

    /// A hundred events a request, a line each.
    pub(crate) fn batches(path: &str) -> Self {
        let lines: Vec<String> = (0..orders::COUNT).map(orders::order).collect();
        Self { requests: Arc::from([request(path, "application/x-ndjson", &lines.join("\n"))]) }
    }

    /// A hundred events a request, a line each, all of one campaign.
    pub(crate) fn campaign_batches(path: &str) -> Self {
        let named = r#""campaign":"tet-2027""#;
        let orders = (0..orders::COUNT)
            .map(|number| orders::order(number).replace(r#""campaign":null"#, named));
        let lines: Vec<String> = orders.collect();
        Self { requests: Arc::from([request(path, "application/x-ndjson", &lines.join("\n"))]) }
    }

    /// A hundred events a request, a line each: orders, and every tenth with a scanned slip. Also how long a body is.
    pub(crate) fn slips(path: &str) -> (Self, u64) {
        let mut random = Random(1);
        let mut bytes = 0;
        let requests = (0..SLIP_REQUESTS).map(|_| {
            let orders = (0..orders::COUNT).map(|number| match number % 10 {
                0 => slip(&mut random),
                _ => orders::order(number),
            });
            let body = orders.collect::<Vec<String>>().join("\n");
            bytes = body.len() as u64;
            request(path, "application/x-ndjson", &body)
        });
        (Self { requests: requests.collect() }, bytes)
    }

    /// One event a request, each with an id to be numbered.
    pub(crate) fn marked_singles(path: &str) -> Self {
        let orders = (0..orders::COUNT).map(marked);
        let requests = orders.map(|order| request(path, "application/json", &order)).collect();
        Self { requests }
    }

    /// A hundred events a request, each with an id to be numbered.
    pub(crate) fn marked_batches(path: &str) -> Self {
        let lines: Vec<String> = (0..orders::COUNT).map(marked).collect();
        Self { requests: Arc::from([request(path, "application/x-ndjson", &lines.join("\n"))]) }
    }
}

impl Dialect for Http {
    fn greetings(&self, _index: usize) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn greeted(&self, _bytes: &[u8]) -> anyhow::Result<Option<usize>> {
        bail!("nobody was greeted")
    }

    fn requests(&self, _index: usize) -> Arc<[Vec<u8>]> {
        Arc::clone(&self.requests)
    }

    /// Anything but a 202 ends the benchmark, with the server's words.
    fn answered(&self, bytes: &[u8]) -> anyhow::Result<Option<usize>> {
        let Some(end) = memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
        let (head, body) = bytes.split_at(end + 4);
        let body_len = content_length(head).context("an answer says its length")?;
        if body.len() < body_len {
            return Ok(None);
        }
        if !head.starts_with(b"HTTP/1.1 202 ") {
            bail!("the server refused: {}", String::from_utf8_lossy(bytes));
        }
        Ok(Some(head.len() + body_len))
    }
}

/// What the header says, in the spelling that hyper writes.
pub(crate) fn content_length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length: ";
    let start = memmem::find(head, NAME)? + NAME.len();
    let digits = head.iter().skip(start).take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0')))
}

/// An event with a scanned page in it.
fn slip(random: &mut Random) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let page: String = (0..SLIP_CHARS).map(|_| char::from(DIGITS[random.below_64()])).collect();
    format!(
        r#"{{"source":"com.shopvn.dispatch","detail-type":"SlipScanned","detail":{{"page":"{page}"}}}}"#
    )
}

/// SplitMix64: the same bytes in every run.
struct Random(u64);

impl Random {
    fn below_64(&mut self) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        usize::try_from(mixed >> 58).unwrap_or(0)
    }
}

fn marked(number: usize) -> String {
    orders::order(number).replacen('{', &format!("{{\"id\":\"{}\",", marks::BLANK), 1)
}

fn request(path: &str, content_type: &str, body: &str) -> Vec<u8> {
    let mut request = Vec::new();
    write!(
        request,
        "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("memory takes everything");
    request
}
