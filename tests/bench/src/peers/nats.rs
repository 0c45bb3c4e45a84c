//! NATS JetStream, spoken to in its own text protocol: publish with a reply subject, wait for the acknowledgements.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use memchr::memmem;

use crate::load::Dialect;
use crate::orders;
use crate::process::{self, Process};

/// What a server's version knows of syncing.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) version: String,
    /// Whether it can be told to sync before it acknowledges, as of 2.10.
    pub(crate) syncs: bool,
}

/// Publishes `batch` events at once and waits for as many acknowledgements.
pub(crate) struct Nats {
    pub(crate) batch: usize,
}

/// The server at `path`, if it runs here.
pub(crate) fn program(path: &Path, folder: &Path) -> anyhow::Result<Program> {
    let output = Command::new(path).arg("--version").output().context("run it")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let version = said.split_whitespace().last().unwrap_or_default().to_owned();
    let config = folder.join("nats-probe.conf");
    fs::write(&config, "jetstream { sync_interval: always }\n")?;
    let probe = Command::new(path).arg("-t").arg("-c").arg(config).output()?;
    Ok(Program { path: path.to_owned(), version, syncs: probe.status.success() })
}

/// Starts a server with one stream, kept in a file, in `folder`.
pub(crate) fn start(program: &Program, folder: &Path, syncs: bool) -> anyhow::Result<Process> {
    fs::create_dir_all(folder)?;
    let address = process::free_address()?;
    let sync = if syncs { ", sync_interval: always" } else { "" };
    let config = folder.join("nats.conf");
    let text = format!(
        "listen: \"{address}\"\njetstream {{ store_dir: {:?}{sync} }}\n",
        folder.join("store")
    );
    fs::write(&config, text)?;
    let mut command = Command::new(&program.path);
    command.arg("-c").arg(config).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(fs::File::create(folder.join("nats.log"))?);
    let server = Process::listening(command, address)?;
    create_stream(address)?;
    Ok(server)
}

fn create_stream(address: SocketAddr) -> anyhow::Result<()> {
    // The oldest go when there are more: a long run must not fill the disk.
    let config = r#"{"name":"BENCH","subjects":["bench.events"],"storage":"file","num_replicas":1,"max_bytes":4294967296,"discard":"old"}"#;
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "{}SUB made 1\r\nPUB $JS.API.STREAM.CREATE.BENCH made {}\r\n{config}\r\n",
        connect(),
        config.len()
    )?;
    let mut said = Vec::new();
    let mut piece = [0; 4096];
    while memmem::find(&said, b"MSG made").is_none_or(|at| said.len() < at + 400) {
        let len = stream.read(&mut piece)?;
        said.extend_from_slice(piece.get(..len).unwrap_or_default());
        if memmem::find(&said, b"\"created\":").is_some() {
            return Ok(());
        }
        if len == 0 || memmem::find(&said, b"-ERR").is_some() {
            break;
        }
    }
    bail!("no stream was made: {}", String::from_utf8_lossy(&said))
}

fn connect() -> &'static str {
    "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true}\r\n"
}

impl Dialect for Nats {
    fn greetings(&self, index: usize) -> Vec<Vec<u8>> {
        vec![format!("{}SUB ack.{index} 1\r\nPING\r\n", connect()).into_bytes()]
    }

    fn greeted(&self, bytes: &[u8]) -> anyhow::Result<Option<usize>> {
        Ok(memmem::find(bytes, b"PONG\r\n").map(|at| at + 6))
    }

    fn requests(&self, index: usize) -> Arc<[Vec<u8>]> {
        let publish = |number: usize| {
            let order = orders::order(number % orders::COUNT);
            format!("PUB bench.events ack.{index} {}\r\n{order}\r\n", order.len()).into_bytes()
        };
        let request =
            |first: usize| (first..first + self.batch).flat_map(publish).collect::<Vec<u8>>();
        (0..orders::COUNT).step_by(self.batch).map(request).collect()
    }

    fn answered(&self, bytes: &[u8]) -> anyhow::Result<Option<usize>> {
        let mut at = 0;
        let mut acknowledged = 0;
        while acknowledged < self.batch {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(line_len) = memmem::find(rest, b"\r\n").map(|end| end + 2) else {
                return Ok(None);
            };
            let (line, payload) = rest.split_at(line_len);
            at += line_len;
            if line.starts_with(b"MSG ") {
                let digits = line.trim_ascii_end().rsplit(|byte| *byte == b' ').next();
                let digits = std::str::from_utf8(digits.unwrap_or_default())?;
                let payload_len: usize = digits.parse()?;
                let Some(payload) = payload.get(..payload_len + 2) else { return Ok(None) };
                if memmem::find(payload, b"\"seq\":").is_none() {
                    bail!("not stored: {}", String::from_utf8_lossy(payload));
                }
                at += payload.len();
                acknowledged += 1;
            } else if line.starts_with(b"-ERR") || line.starts_with(b"HMSG") {
                bail!("the server refused: {}", String::from_utf8_lossy(rest));
            }
        }
        Ok(Some(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_all_acknowledgements_are() {
        let two = b"MSG ack.0 1 9\r\n{\"seq\":1}\r\nPING\r\nMSG ack.0 1 9\r\n{\"seq\":2}\r\n";
        let nats = Nats { batch: 2 };
        for len in 0..two.len() {
            assert_eq!(nats.answered(&two[..len]).unwrap(), None);
        }
        assert_eq!(nats.answered(two).unwrap(), Some(two.len()));
        let refused = b"MSG ack.0 1 21\r\n{\"error\":{\"code\":503}}\r\n";
        assert!(nats.answered(refused).is_err());
    }
}
