//! The same jobs in other programs: compiled for this machine's own processor, and as a plugin of Extism.

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use super::event::Sent;
use super::{Subject, WINDOW};

/// Extism's host and its plugin.
pub(crate) struct Extism {
    pub(crate) program: PathBuf,
    pub(crate) guest: PathBuf,
}

/// Calls a second of the same function, compiled for this machine, in a program of its own.
pub(super) fn native(subject: &Subject, event: &Sent) -> anyhow::Result<f64> {
    let program = env::current_exe()?.with_file_name("slipswitch-bench-native");
    let millis = WINDOW.as_millis().to_string();
    let printed = run(&program, &[subject.name, subject.config, &millis], event)?;
    rate(&printed).with_context(|| format!("{} natively: {printed}", subject.name))
}

impl Extism {
    /// The function of Extism's plugin that does the same job, where there is one.
    pub(super) fn function(subject: &Subject) -> Option<&'static str> {
        match subject.name {
            "empty" => Some("empty"),
            "order-summary" => Some("order_summary"),
            _ => None,
        }
    }

    /// Calls a second of all threads together.
    ///
    /// # Errors
    ///
    /// When it does not run, or makes something else of the event than `expected`.
    pub(super) fn calls(
        &self,
        function: &str,
        threads: usize,
        event: &Sent,
        expected: &str,
    ) -> anyhow::Result<f64> {
        let guest = self.guest.to_string_lossy();
        let (threads, millis) = (threads.to_string(), WINDOW.as_millis().to_string());
        let printed = run(&self.program, &[&guest, function, &threads, &millis], event)?;
        let output = printed.split_once('\n').map(|(_, output)| output.trim_end());
        anyhow::ensure!(output == Some(expected), "Extism's {function} makes {output:?}");
        rate(&printed).with_context(|| format!("{function} in Extism: {printed}"))
    }
}

/// What a program prints when it gets the event on standard input.
fn run(program: &Path, arguments: &[&str], event: &Sent) -> anyhow::Result<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {}", program.display()))?;
    let mut stdin = child.stdin.take().context("its input is piped")?;
    stdin.write_all(event.json.as_bytes())?;
    drop(stdin);
    Ok(String::from_utf8(child.wait_with_output()?.stdout)?)
}

fn rate(printed: &str) -> anyhow::Result<f64> {
    Ok(printed.lines().next().unwrap_or_default().trim().parse()?)
}
