//! Explanations against the naive matcher: they match when it does, and say what is in the way when it
//! does not.

use slipswitch_pattern::explain::{Explanation, Verdict};
use slipswitch_pattern::{Event, Pattern, PatternIndex, explain, nearest};

use crate::{PAIRS, Tally, checked, each_round, expected, setting};

/// It costs much more to say why than to say whether: when nobody says how many, one in ten.
const SHARE: u64 = 10;

/// What an explanation has to be whatever it says.
fn assert_consistent(explanation: &Explanation, pattern: &Pattern, text: &str) {
    let context = || format!("{} on {text}\n{explanation}", pattern.text());
    assert!(!explanation.why().is_empty(), "{}", context());
    for alternative in &explanation.alternatives {
        let failed = 0 < alternative.failures_total;
        assert_ne!(alternative.is_match, failed, "{}", context());
        assert!(alternative.failures.len() <= alternative.failures_total, "{}", context());
        assert_eq!(alternative.is_match, alternative.fits_total == alternative.fields_total);
        for field in &alternative.fields {
            assert!(!field.why.is_empty(), "{}", context());
            let fits = field.found.iter().any(|found| !found.fits.is_empty());
            match field.verdict {
                Verdict::Fits => assert!(fits || field.why.starts_with("absent"), "{}", context()),
                Verdict::Misses => assert!(!fits, "{}", context()),
                Verdict::Apart => assert!(!alternative.conflicts.is_empty(), "{}", context()),
            }
        }
        for conflict in &alternative.conflicts {
            assert!(1 < conflict.parties.len(), "{}", context());
        }
    }
    let plain = explanation.to_string();
    assert!(plain.starts_with(if explanation.is_match() {
        "✓ match: "
    } else {
        "✗ no match: "
    }));
    assert!(!plain.contains('\u{1b}'), "{}", context());
    let painted = explanation.painted();
    let mut bare = painted.split('\u{1b}');
    let first = bare.next().unwrap_or_default().to_owned();
    let bare =
        bare.fold(first, |bare, part| bare + part.split_once('m').map_or("", |(_, text)| text));
    assert_eq!(bare, plain);
}

fn explained(patterns: &[Pattern], event: Event<'_>, text: &str) -> Vec<PatternIndex> {
    let matched = (0..).zip(patterns).filter(|(_, pattern)| {
        let explanation = explain(pattern, event).expect("the naive matcher has no error");
        assert_consistent(&explanation, pattern, text);
        explanation.is_match()
    });
    matched.map(|(index, _)| PatternIndex(index)).collect()
}

#[test]
fn explanations_agree_with_the_naive_matcher() {
    let pairs = setting("PAIRS", PAIRS / SHARE);
    each_round(pairs, |seed, round| {
        let mut tally = Tally::default();
        for tree in &round.events {
            let text = tree.text();
            let event = checked(&text);
            tally.pairs += round.patterns.len() as u64;
            let Ok(wanted) = expected(&round.patterns, event) else {
                assert!(nearest(&round.patterns, event, 5).is_err(), "SEED={seed}: {text}");
                continue;
            };
            let told = explained(&round.patterns, event, &text);
            assert_eq!(told, wanted, "SEED={seed}: {text}");
            let near = nearest(&round.patterns, event, 5).expect("as above");
            assert_eq!(near.matched, wanted.len(), "SEED={seed}: {text}");
            let order = near.patterns.iter().filter(|near| near.is_match).map(|near| near.pattern);
            assert!(order.eq(wanted.iter().take(5).copied()), "SEED={seed}: {text}");
        }
        tally
    });
}
