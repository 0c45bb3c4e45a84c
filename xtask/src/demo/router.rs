//! The router of the demonstration: the built command as a child process, and the command line beside it.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::{Context as _, bail};

/// A running router.
pub(super) struct Router {
    child: Child,
    program: PathBuf,
    root: PathBuf,
    url: String,
    log: PathBuf,
    /// What it printed after its first line: the targets that log to the console.
    console: Arc<Mutex<Vec<String>>>,
}

impl Router {
    /// Starts the built command on the repository's rules, and returns when it listens.
    pub(super) fn start(
        root: &Path,
        program: &Path,
        folder: &Path,
        environment: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let log = folder.join("router.log");
        let mut child = Command::new(program)
            .current_dir(root)
            .args([
                "serve",
                "--rules",
                "rules",
                "--plugins",
                "plugins",
                "--listen",
                "127.0.0.1:0",
                "--data",
            ])
            .arg(folder.join("data"))
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).with_context(|| format!("create {}", log.display()))?)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let mut lines = BufReader::new(child.stdout.take().context("its output is not piped")?);
        let mut first = String::new();
        lines.read_line(&mut first).context("read the router's first line")?;
        let Some(url) = first.split_whitespace().find(|word| word.starts_with("http://")) else {
            child.kill().ok();
            child.wait().ok();
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            bail!("the router did not start; it said:\n{first}{said}");
        };
        let console = listen(lines);
        Ok(Self {
            child,
            program: program.to_owned(),
            root: root.to_owned(),
            url: url.to_owned(),
            log,
            console,
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    /// What the targets that log to the console have written so far.
    pub(super) fn console(&self) -> Vec<String> {
        self.console.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs a verb of the command line against this router, and returns what it printed.
    pub(super) fn ask(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(&self.program)
            .current_dir(&self.root)
            .args(arguments)
            .env("SLIPSWITCH_URL", &self.url)
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("start {}", self.program.display()))?;
        if !output.status.success() {
            bail!("`slipswitch {}` failed: {}", arguments.join(" "), output.status);
        }
        String::from_utf8(output.stdout).context("the command line prints UTF-8")
    }

    /// Asks it to end, and waits until it has.
    pub(super) fn stop(mut self) -> anyhow::Result<ExitStatus> {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        if !asked.is_ok_and(|status| status.success()) {
            self.child.kill().context("end the router")?;
        }
        self.child.wait().context("wait for the router's end")
    }
}

/// Whoever leaves early leaves no router behind.
impl Drop for Router {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

fn listen(lines: BufReader<ChildStdout>) -> Arc<Mutex<Vec<String>>> {
    let console = Arc::new(Mutex::new(Vec::new()));
    let ours = Arc::clone(&console);
    thread::spawn(move || {
        for line in lines.lines() {
            let Ok(line) = line else { return };
            ours.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
    console
}
