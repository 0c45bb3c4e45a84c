//! Asking before anything is done to many things at once, or for good.
//!
//! # Invariants
//!
//! - Only somebody at a terminal is asked; a script says `--yes`.
//! - Whatever is not a yes is a no, the end of the input included.

use std::io::{self, BufRead, IsTerminal as _, Write};

use crate::failure::{Failure, Next};

/// An answer that is longer is none.
const ANSWER_BYTES_MAX: u64 = 1024;

/// Whether somebody can be asked: they see the question, and type the answer.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Goes on after a yes. Where nobody can be asked it is wrong usage, in the words of `otherwise`.
pub(crate) fn ask(question: &str, otherwise: &str) -> Result<(), Failure> {
    if !can_ask() {
        return Err(Failure::usage(otherwise).then(Next::AgainWith("--yes")));
    }
    if put(question, io::stdin().lock(), io::stderr().lock())? {
        return Ok(());
    }
    Err(Failure::failed("nothing was done"))
}

/// The same for what a script may do without `--yes`: where nobody can be asked, it goes on.
pub(crate) fn ask_somebody(question: &str) -> Result<(), Failure> {
    if can_ask() { ask(question, "") } else { Ok(()) }
}

fn put(question: &str, answers: impl BufRead, mut screen: impl Write) -> io::Result<bool> {
    write!(screen, "{question} [y/N] ")?;
    screen.flush()?;
    let mut answer = String::new();
    let read = answers.take(ANSWER_BYTES_MAX).read_line(&mut answer);
    // The end of the input leaves the cursor behind the question.
    if !answer.ends_with('\n') {
        writeln!(screen)?;
    }
    Ok(read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        for (answer, is_yes) in [
            ("y\n", true),
            ("Y\n", true),
            (" yes \r\n", true),
            ("yes", true),
            ("n\n", false),
            ("\n", false),
            ("", false),
            ("yess\n", false),
            ("no, yes\n", false),
        ] {
            let mut screen = Vec::new();
            assert_eq!(
                put("Purge 2 dead letters?", answer.as_bytes(), &mut screen).unwrap(),
                is_yes,
                "{answer:?}"
            );
            let said = String::from_utf8(screen).unwrap();
            assert!(said.starts_with("Purge 2 dead letters? [y/N] "), "{said}");
        }
        let long = "y".repeat(4096);
        assert!(!put("?", long.as_bytes(), Vec::new()).unwrap());
        assert!(!put("?", &b"\xff\n"[..], Vec::new()).unwrap());
    }
}
