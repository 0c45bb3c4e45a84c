//! Runs the built command and keeps what it said.

use std::io::Write;
use std::process::{Command, Stdio};

pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the command to its end, with `input` on its standard input; `prepare` says where and with what.
pub(crate) fn run(
    arguments: &[&str],
    input: &str,
    prepare: impl FnOnce(&mut Command) -> &mut Command,
) -> Outcome {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slipswitch"));
    let mut child = prepare(command.args(arguments))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    // A command that has no use for its input may be gone already.
    child.stdin.take().expect("piped above").write_all(input.as_bytes()).ok();
    let output = child.wait_with_output().expect("the command ends");
    Outcome {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("it prints text"),
        err: String::from_utf8(output.stderr).expect("it prints text"),
    }
}
