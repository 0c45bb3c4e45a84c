//! The built command, against something that answers as a router does.

use expect_test::Expect;
use receiver::{Answer, Receiver};

use crate::support::{Outcome, run};

pub(crate) fn slipswitch(url: &str, arguments: &[&str], input: &str) -> Outcome {
    run(arguments, input, |command| command.env("SLIPSWITCH_URL", url))
}

pub(crate) fn check(
    router: &Receiver,
    arguments: &[&str],
    input: &str,
    code: i32,
    expected: Expect,
) {
    let Outcome { code: found, out, err } = slipswitch(&router.url(""), arguments, input);
    expected.assert_eq(&format!("{out}--\n{err}"));
    assert_eq!(found, Some(code), "{arguments:?}");
}

pub(crate) fn answering(path: &str, status: u16, json: &str) -> Receiver {
    let router = Receiver::start().expect("a port is free");
    router.always(path, Answer::status(status).body(json));
    router
}
