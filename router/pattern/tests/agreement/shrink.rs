//! From a round that shows a disagreement to as little as still shows it, for people to read.

use std::fmt::Write as _;

use serde_json::Value;
use slipswitch_pattern::{Matcher, Pattern, Scratch};

use crate::event::Tree;
use crate::{Round, actual, checked, expected};

/// Fails, and says how to see it again.
pub(crate) fn disagreement(seed: u64, round: &Round, tree: &Tree) -> ! {
    let mut patterns = round.patterns.clone();
    let mut tree = tree.clone();
    let mut told = format!("run again with SEED={seed} PAIRS=1");
    if disagree(&patterns, &tree) {
        patterns = fewer(&patterns, |fewer| disagree(fewer, &tree));
        tree = tree.minimised(&|tree| disagree(&patterns, tree));
        patterns = fewer(&patterns, |fewer| disagree(fewer, &tree));
        for at in 0..patterns.len() {
            shorten(&mut patterns, at, &tree);
        }
        tree = tree.minimised(&|tree| disagree(&patterns, tree));
    } else {
        told.push_str("\nonly with a scratch that was used before, or only alone");
    }
    let text = tree.text();
    let event = checked(&text);
    let answer = actual(&Matcher::new(&patterns), event, &mut Scratch::default());
    for (index, pattern) in patterns.iter().enumerate() {
        write!(told, "\npattern {index}: {}", pattern.text()).expect("a string takes everything");
    }
    panic!(
        "the matchers disagree; {told}\nevent: {text}\nexpected: {:?}\nactual: {answer:?}",
        expected(&patterns, event)
    );
}

fn disagree(patterns: &[Pattern], tree: &Tree) -> bool {
    let text = tree.text();
    let event = checked(&text);
    let answer = actual(&Matcher::new(patterns), event, &mut Scratch::default());
    answer != expected(patterns, event)
}

/// Drops patterns, many at a time and then one by one, as long as it still happens.
fn fewer(patterns: &[Pattern], happens: impl Fn(&[Pattern]) -> bool) -> Vec<Pattern> {
    let mut kept = patterns.to_vec();
    let mut step = kept.len().div_ceil(2);
    while 0 < step {
        let mut at = 0;
        while at < kept.len() {
            let mut without = kept.clone();
            without.drain(at..(at + step).min(kept.len()));
            if happens(&without) {
                kept = without;
            } else {
                at += step;
            }
        }
        step /= 2;
    }
    kept
}

/// Spells a pattern plainly and leaves parts of it out, as long as it still happens.
fn shorten(patterns: &mut [Pattern], at: usize, tree: &Tree) {
    let Ok(mut shortest) = serde_json::from_str::<Value>(patterns[at].text()) else {
        // Half of a surrogate pair: serde_json does not read it.
        return;
    };
    let mut part = 0;
    let mut candidate = shortest.clone();
    loop {
        let shorter = Pattern::parse(&candidate.to_string()).ok();
        let kept = shorter.is_some_and(|shorter| {
            let before = std::mem::replace(&mut patterns[at], shorter);
            let still = disagree(patterns, tree);
            if !still {
                patterns[at] = before;
            }
            still
        });
        if kept {
            shortest = candidate.clone();
        } else {
            part += 1;
        }
        candidate.clone_from(&shortest);
        let mut place = part;
        if remove(&mut candidate, &mut place).is_none() {
            return;
        }
    }
}

/// Removes part number `at`, counting down to it; `None` when there are not so many.
fn remove(value: &mut Value, at: &mut usize) -> Option<()> {
    match value {
        Value::Array(entries) => {
            for index in 0..entries.len() {
                if *at == 0 {
                    entries.remove(index);
                    return Some(());
                }
                *at -= 1;
                if remove(&mut entries[index], at).is_some() {
                    return Some(());
                }
            }
        }
        Value::Object(members) => {
            for key in members.keys().cloned().collect::<Vec<_>>() {
                if *at == 0 {
                    members.remove(&key);
                    return Some(());
                }
                *at -= 1;
                if members.get_mut(&key).is_some_and(|value| remove(value, at).is_some()) {
                    return Some(());
                }
            }
        }
        _ => (),
    }
    None
}
