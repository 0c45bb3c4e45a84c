//! What explanations say, and that they agree with the cases of the documents.
//!
//! # Not here
//!
//! - Random pairs of pattern and event: `agreement` asks for their explanations too.

mod agreement;
mod fields;
mod hostile;
mod nearest;
mod tree;

use expect_test::Expect;
use slipswitch_pattern::{Event, Explanation, Pattern, explain};

fn explained(pattern: &str, event: &str) -> Explanation {
    let pattern = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{error}: {pattern}"));
    let event = Event::check(event.as_bytes()).unwrap_or_else(|error| panic!("{error}: {event}"));
    explain(&pattern, event).expect("it has few combinations")
}

#[track_caller]
fn check(pattern: &str, event: &str, expected: Expect) {
    expected.assert_eq(&explained(pattern, event).to_string());
}
