//! The measured programs, as child processes.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::clock::now;

/// What the kernel counts processor time in, on every Linux that people run.
const TICKS_PER_SECOND: f64 = 100.0;

/// How long a server may take until it listens.
pub(crate) const START_TIME_MAX: Duration = Duration::from_secs(20);
/// Between two looks.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// A server that runs until this value is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// This program once more, as the endpoint that keeps nothing.
    pub(crate) fn bare() -> anyhow::Result<Self> {
        Self::own(crate::BARE)
    }

    /// This program once more, as the target of deliveries.
    pub(crate) fn target() -> anyhow::Result<Self> {
        Self::own(crate::TARGET)
    }

    fn own(word: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(word).stdin(Stdio::piped());
        Self::start(command)
    }

    /// A program that says nothing, but takes connections when it is ready.
    pub(crate) fn listening(mut command: Command, address: SocketAddr) -> anyhow::Result<Self> {
        let program = command.get_program().to_owned();
        let child = command.spawn().with_context(|| format!("start {}", program.display()))?;
        let mut server = Self { child, address };
        let limit = now() + START_TIME_MAX;
        while TcpStream::connect(address).is_err() {
            if let Some(status) = server.child.try_wait()? {
                bail!("{} ended: {status}", program.display());
            }
            if limit <= now() {
                bail!("{} does not listen", program.display());
            }
            std::thread::sleep(PAUSE);
        }
        Ok(server)
    }

    /// The router itself, on a data folder of its own, with one rule file per text.
    pub(crate) fn router(folder: &Path, rules: &[String]) -> anyhow::Result<Self> {
        Self::router_with(folder, rules, "")
    }

    /// The same, with more lines in its configuration.
    pub(crate) fn router_with(
        folder: &Path,
        rules: &[String],
        settings: &str,
    ) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?.with_file_name("slipswitch");
        let (rules_dir, plugins_dir) = (folder.join("rules"), folder.join("plugins"));
        fs::create_dir_all(&rules_dir)?;
        fs::create_dir_all(&plugins_dir)?;
        for (index, text) in rules.iter().enumerate() {
            fs::write(rule_file(folder, index), text)?;
        }
        let config = folder.join("slipswitch.yaml");
        fs::write(&config, format!("log: {{ level: warn }}\n{settings}"))?;
        let log = folder.join("router.log");
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(config);
        command.arg("--rules").arg(rules_dir).arg("--plugins").arg(plugins_dir);
        command.arg("--data").arg(folder.join("data"));
        command.stdin(Stdio::null()).stderr(File::create(&log)?);
        Self::start(command).with_context(|| fs::read_to_string(&log).unwrap_or_default())
    }

    fn start(mut command: Command) -> anyhow::Result<Self> {
        let program = command.get_program().to_owned();
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let mut lines = BufReader::new(child.stdout.take().context("its output is piped")?);
        let mut first = String::new();
        lines.read_line(&mut first)?;
        let address = first.split_whitespace().find_map(|word| word.strip_prefix("http://"));
        let Some(address) = address.and_then(|address| address.parse().ok()) else {
            child.kill().and_then(|()| child.wait())?;
            bail!("{} did not start; it said: {first}", program.display());
        };
        Ok(Self { child, address })
    }

    /// Ends it in order, and waits until it has ended.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status()?;
        let status = self.child.wait()?;
        anyhow::ensure!(told.success() && status.success(), "it did not stop in order: {status}");
        Ok(())
    }

    /// The processor time it has spent so far, all threads and the processes that it started together.
    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        let own = Stat::of(self.child.id()).context("it has ended")?;
        let mut ticks = own.ticks + own.ended_children_ticks;
        for entry in fs::read_dir("/proc")?.flatten() {
            let name = entry.file_name();
            let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            // It may have ended since it was listed.
            let Some(stat) = Stat::of(id) else { continue };
            if stat.parent == self.child.id() {
                ticks += stat.ticks + stat.ended_children_ticks;
            }
        }
        Ok(Duration::from_secs_f64(ticks / TICKS_PER_SECOND))
    }

    /// Megabytes that it has in memory.
    pub(crate) fn memory_mb(&self) -> anyhow::Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()).context("VmRSS")?;
        Ok(kilobytes.parse::<f64>()? / 1024.0)
    }

    /// The body of a GET's answer.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        self.ask("GET", path, "")
    }

    /// The body of the answer to JSON.
    pub(crate) fn post(&self, path: &str, body: &serde_json::Value) -> anyhow::Result<Vec<u8>> {
        self.ask("POST", path, &body.to_string())
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> anyhow::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.address)?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let end = memchr::memmem::find(&answer, b"\r\n\r\n").context("an answer has a head")?;
        if !answer.starts_with(b"HTTP/1.1 20") {
            bail!("{method} {path}: {}", String::from_utf8_lossy(&answer));
        }
        Ok(answer.split_off(end + 4))
    }
}

/// What `/proc/…/stat` says.
struct Stat {
    parent: u32,
    ticks: f64,
    /// Of children that have ended and were waited for.
    ended_children_ticks: f64,
}

impl Stat {
    fn of(id: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name may hold spaces; what follows its closing bracket does not.
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            ticks: ticks(11)? + ticks(12)?,
            ended_children_ticks: ticks(13)? + ticks(14)?,
        })
    }
}

/// An address of this machine on which nobody listens yet.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Where the shell would find a program.
pub(crate) fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Where the text number `index` of [`Process::router`] went.
pub(crate) fn rule_file(folder: &Path, index: usize) -> PathBuf {
    folder.join("rules").join(format!("rules-{index}.yaml"))
}

/// Whoever leaves early leaves no server behind. The data goes with the folder: there is nothing to end in order.
impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).ok();
    }
}
