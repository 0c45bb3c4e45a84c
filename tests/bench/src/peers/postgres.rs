//! PostgreSQL, spoken to in its own protocol: one prepared insert, a transaction each time.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, bail};

use crate::load::Dialect;
use crate::orders;
use crate::process::{self, Process};

const USER: &str = "bench";
const TABLE: &str =
    "CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event json NOT NULL)";
/// PostgreSQL does not run as root: then it runs as nobody.
const NOBODY: u32 = 65534;

/// Inserts `batch` rows with one statement.
pub(crate) struct Postgres {
    pub(crate) batch: usize,
}

/// The newest server of Debian's packages, or the one in PATH.
pub(crate) fn find() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin/postgres"))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found.pop().or_else(|| process::in_path("postgres").and_then(|path| path.canonicalize().ok()))
}

pub(crate) fn version(program: &Path) -> anyhow::Result<String> {
    let output = Command::new(program).arg("--version").output().context("run it")?;
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said.split_whitespace().nth(2).unwrap_or_default().to_owned())
}

/// Starts a server on a new cluster in `folder`, with an empty table.
pub(crate) fn start(program: &Path, folder: &Path) -> anyhow::Result<Process> {
    fs::create_dir_all(folder)?;
    let is_root = fs::metadata("/proc/self")?.uid() == 0;
    if is_root {
        chown(folder, Some(NOBODY), Some(NOBODY))?;
    }
    let data = folder.join("data");
    let as_nobody = |program: &Path| {
        let mut command = Command::new(program);
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    };
    let mut initdb = as_nobody(&program.with_file_name("initdb"));
    initdb.args(["--auth=trust", "--username", USER, "--no-locale", "--encoding=UTF8", "-D"]);
    let made = initdb.arg(&data).stdout(Stdio::piped()).stderr(Stdio::piped()).output()?;
    if !made.status.success() {
        bail!("initdb: {}", String::from_utf8_lossy(&made.stderr).trim());
    }
    let address = process::free_address()?;
    let mut command = as_nobody(program);
    command.arg("-D").arg(&data).args(["-p", &address.port().to_string()]);
    for setting in
        ["listen_addresses=127.0.0.1", "unix_socket_directories=", "synchronous_commit=on"]
    {
        command.args(["-c", setting]);
    }
    command.stderr(fs::File::create(folder.join("postgres.log"))?);
    let server = Process::listening(command, address)?;
    // It listens before it serves.
    let limit = crate::clock::now() + process::START_TIME_MAX;
    while let Err(error) = run(address, TABLE) {
        if limit <= crate::clock::now() {
            return Err(error.context("make the table"));
        }
        std::thread::sleep(process::PAUSE);
    }
    Ok(server)
}

/// One statement on a connection of its own.
fn run(address: SocketAddr, statement: &str) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    for request in [startup(), message(b'Q', &[statement.as_bytes(), b"\0"])] {
        stream.write_all(&request)?;
        let mut said = Vec::new();
        while whole(&said)?.is_none() {
            let mut piece = [0; 4096];
            let len = stream.read(&mut piece)?;
            if len == 0 {
                bail!("the server hung up");
            }
            said.extend_from_slice(piece.get(..len).unwrap_or_default());
        }
    }
    Ok(())
}

impl Dialect for Postgres {
    fn greetings(&self, _index: usize) -> Vec<Vec<u8>> {
        let places: Vec<String> = (1..=self.batch).map(|place| format!("(${place})")).collect();
        let insert = format!("INSERT INTO events (event) VALUES {}\0", places.join(","));
        let parse = message(b'P', &[b"put\0", insert.as_bytes(), &[0; 2]]);
        vec![startup(), [parse, message(b'S', &[])].concat()]
    }

    fn greeted(&self, bytes: &[u8]) -> anyhow::Result<Option<usize>> {
        whole(bytes)
    }

    fn requests(&self, _index: usize) -> Arc<[Vec<u8>]> {
        let request = |first: usize| {
            let count = u16::try_from(self.batch).expect("a hundred").to_be_bytes();
            // Unnamed portal, the prepared statement; texts in, nothing out.
            let mut bind = [&b"\0put\0"[..], &[0; 2], &count].concat();
            for number in first..first + self.batch {
                let order = orders::order(number % orders::COUNT);
                bind.extend_from_slice(&length(order.len()));
                bind.extend_from_slice(order.as_bytes());
            }
            bind.extend_from_slice(&[0; 2]);
            let execute = message(b'E', &[&[0; 5]]);
            [message(b'B', &[&bind]), execute, message(b'S', &[])].concat()
        };
        (0..orders::COUNT).step_by(self.batch).map(request).collect()
    }

    fn answered(&self, bytes: &[u8]) -> anyhow::Result<Option<usize>> {
        whole(bytes)
    }
}

fn startup() -> Vec<u8> {
    let parameters = format!("user\0{USER}\0database\0postgres\0\0");
    let mut bytes = length(8 + parameters.len()).to_vec();
    bytes.extend_from_slice(&196_608_u32.to_be_bytes()); // Protocol 3.0.
    bytes.extend_from_slice(parameters.as_bytes());
    bytes
}

fn message(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut bytes = vec![kind];
    bytes.extend_from_slice(&length(4 + body.len()));
    bytes.extend_from_slice(&body);
    bytes
}

fn length(len: usize) -> [u8; 4] {
    u32::try_from(len).expect("events are small").to_be_bytes()
}

/// Whether `bytes` end with "ready for the next"; an error among the messages is one.
fn whole(bytes: &[u8]) -> anyhow::Result<Option<usize>> {
    let mut at = 0;
    while let Some([kind, a, b, c, d]) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let len = 1 + usize::try_from(u32::from_be_bytes([*a, *b, *c, *d]))?;
        let Some(message) = bytes.get(at..at + len) else { return Ok(None) };
        at += len;
        match kind {
            b'E' => bail!("the server refused: {}", String::from_utf8_lossy(message)),
            b'Z' => return Ok(Some(at)),
            _ => (),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_when_the_server_is_ready_again() {
        let said = [message(b'2', &[]), message(b'C', &[b"INSERT 0 1\0"]), message(b'Z', &[b"I"])];
        let said = said.concat();
        for len in 0..said.len() {
            assert_eq!(whole(&said[..len]).unwrap(), None);
        }
        assert_eq!(whole(&said).unwrap(), Some(said.len()));
        assert!(whole(&message(b'E', &[b"no"])).is_err());
    }
}
