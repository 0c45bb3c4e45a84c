//! What patterns need of the keys of events, against the naive matcher: what matches is never skipped.

use std::collections::HashSet;

use slipswitch_pattern::PatternIndex;
use slipswitch_pattern::keys::of_event;

use crate::{PAIRS, Tally, checked, each_round, expected, setting};

#[test]
fn no_event_that_matches_is_skipped() {
    let (mut asked, mut skipped) = (0_u64, 0);
    let total = each_round(setting("PAIRS", PAIRS), |seed, round| {
        let needs: Vec<_> = round.patterns.iter().map(|pattern| pattern.needs()).collect();
        let mut tally = Tally::default();
        for tree in &round.events {
            let text = tree.text();
            let mut keys = HashSet::new();
            of_event(text.as_bytes(), &mut |key| {
                keys.insert(key);
            });
            let matched = expected(&round.patterns, checked(&text)).unwrap_or_default();
            for (index, needs) in (0..).map(PatternIndex).zip(&needs) {
                let may_match = needs.may_match(&|key| keys.contains(&key));
                let does = matched.binary_search(&index).is_ok();
                let pattern = &round.patterns[index.0 as usize];
                assert!(may_match || !does, "SEED={seed}: {} on {text}", pattern.text());
                asked += u64::from(!does && !needs.is_empty());
                skipped += u64::from(!may_match);
            }
            tally.pairs += round.patterns.len() as u64;
            tally.matches += matched.len() as u64;
        }
        tally
    });
    assert!(0 < total.matches);
    // Exact values that are there, but not in one element of an array, cannot be told.
    let percent = 100 * skipped / asked.max(1);
    assert!(50 < percent, "only {percent} % of what does not match and needs something is skipped");
}
