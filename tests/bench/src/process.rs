//! The measured programs, as child processes.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

/// What the kernel counts processor time in, on every Linux that people run.
const TICKS_PER_SECOND: f64 = 100.0;

/// A server that runs until this value is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// This program once more, as the endpoint that does nothing.
    pub(crate) fn bare() -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(crate::BARE).stdin(Stdio::piped());
        Self::start(command)
    }

    /// The router itself, on a data folder of its own, with one rule file per text.
    pub(crate) fn router(folder: &Path, rules: &[String]) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?.with_file_name("slipswitch");
        let (rules_dir, plugins_dir) = (folder.join("rules"), folder.join("plugins"));
        fs::create_dir_all(&rules_dir)?;
        fs::create_dir_all(&plugins_dir)?;
        for (index, text) in rules.iter().enumerate() {
            fs::write(rule_file(folder, index), text)?;
        }
        let config = folder.join("slipswitch.yaml");
        fs::write(&config, "log: { level: warn }\n")?;
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

    /// The processor time it has spent so far, all threads together.
    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        let path = PathBuf::from(format!("/proc/{}/stat", self.child.id()));
        let text = fs::read_to_string(&path)?;
        // The name may hold spaces; what follows its closing bracket does not.
        let (_, fields) = text.rsplit_once(')').context("no name in /proc/…/stat")?;
        let ticks: Vec<f64> =
            fields.split_whitespace().skip(11).take(2).flat_map(str::parse).collect();
        Ok(Duration::from_secs_f64(ticks.iter().sum::<f64>() / TICKS_PER_SECOND))
    }

    /// The body of a GET's answer.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.address)?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let end = memchr::memmem::find(&answer, b"\r\n\r\n").context("an answer has a head")?;
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            bail!("GET {path}: {}", String::from_utf8_lossy(&answer));
        }
        Ok(answer.split_off(end + 4))
    }
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
