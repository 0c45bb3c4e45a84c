//! A matcher that was changed again and again, against one that is built anew from what is left.

use slipswitch_pattern::{Event, Matcher, Pattern, PatternIndex, Scratch};

use crate::event::Tree;
use crate::pattern::Maker;
use crate::random::Random;
use crate::world::World;
use crate::{Answer, PAIRS, actual, checked, events, expected, setting};

/// Patterns by number; some numbers have none.
type Slots = Vec<Option<Pattern>>;

/// How a chain of changes goes.
struct Chain {
    seed: u64,
    /// Patterns at the beginning.
    patterns: usize,
    batches: usize,
    /// Changes at once.
    batch_max: usize,
}

/// The answer of other matchers, which know the patterns by other numbers.
fn renumbered(slots: &Slots, answer: impl Fn(&[Pattern]) -> Answer) -> Answer {
    let (numbers, live): (Vec<u32>, Vec<Pattern>) =
        (0..).zip(slots).filter_map(|(number, slot)| Some((number, slot.clone()?))).unzip();
    let number = |PatternIndex(place)| {
        PatternIndex(numbers[usize::try_from(place).expect("a position fits")])
    };
    answer(&live).map(|matched| matched.into_iter().map(number).collect())
}

impl Chain {
    /// Returns how many changes there were.
    fn run(&self, scratch: &mut Scratch) -> usize {
        let random = &mut Random::new(self.seed);
        let world = World::any(random);
        let events = events(&world, random);
        let leaves: Vec<_> = events.iter().flat_map(Tree::leaves).collect();
        let texts: Vec<String> = events.iter().map(Tree::text).collect();
        let mut maker = Maker::new(&world, &leaves);

        let first: Vec<Pattern> = (0..self.patterns).map(|_| maker.next(random)).collect();
        let mut matcher = Matcher::new(&first);
        let mut slots: Slots = first.into_iter().map(Some).collect();
        let mut count = 0;
        for _ in 0..self.batches {
            let changes = self.changes(slots.len(), &mut maker, random);
            count += changes.len();
            let before = answers(&matcher, &texts, scratch);
            let changed = matcher.changed(&changes);
            assert_eq!(answers(&matcher, &texts, scratch), before, "the one changed from changed");
            matcher = changed;
            for (PatternIndex(number), pattern) in changes {
                let place = usize::try_from(number).expect("a position fits");
                slots.resize(slots.len().max(place + 1), None);
                slots[place] = pattern;
            }
            self.compare(&matcher, &slots, &texts, scratch);
        }
        count
    }

    /// Numbers in use, free ones, and some beyond all; one may come twice.
    fn changes(
        &self,
        slots: usize,
        maker: &mut Maker<'_>,
        random: &mut Random,
    ) -> Vec<(PatternIndex, Option<Pattern>)> {
        let change = |_| {
            let number = u32::try_from(random.below(slots + 3)).expect("few patterns");
            let pattern = random.chance(65).then(|| maker.next(random));
            (PatternIndex(number), pattern)
        };
        let batch = self.batch_max;
        (0..batch).map(change).collect()
    }

    fn compare(&self, matcher: &Matcher, slots: &Slots, texts: &[String], scratch: &mut Scratch) {
        for (number, slot) in (0..).zip(slots) {
            let pattern = matcher.pattern(PatternIndex(number));
            assert_eq!(pattern.map(Pattern::text), slot.as_ref().map(Pattern::text));
        }
        for text in texts {
            let event = checked(text);
            let answer = actual(matcher, event, scratch);
            let anew = renumbered(slots, |live| {
                actual(&Matcher::new(live), event, &mut Scratch::default())
            });
            self.agree("built anew", &answer, &anew, (slots, text));
            let wanted = renumbered(slots, |live| expected(live, event));
            self.agree("the naive one", &answer, &wanted, (slots, text));
        }
    }

    fn agree(&self, with: &str, answer: &Answer, wanted: &Answer, asked: (&Slots, &str)) {
        if answer == wanted {
            return;
        }
        let (slots, event) = asked;
        let (answer, wanted) = (answer.as_deref(), wanted.as_deref());
        let differs = |number: &u32| {
            let is_in = |matched: Result<&[PatternIndex], _>| {
                matched.is_ok_and(|matched| matched.contains(&PatternIndex(*number)))
            };
            is_in(answer) != is_in(wanted)
        };
        let different: Vec<_> = (0..).zip(slots).filter(|(number, _)| differs(number)).collect();
        panic!(
            "the changed matcher and {with} disagree; run again with SEED={} PAIRS=1\n\
             event: {event}\nabout: {different:?}\nchanged: {answer:?}\n{with}: {wanted:?}",
            self.seed
        );
    }
}

fn answers(matcher: &Matcher, texts: &[String], scratch: &mut Scratch) -> Vec<Answer> {
    let event = |text: &String| actual(matcher, checked(text), scratch);
    texts.iter().map(event).collect()
}

#[test]
fn a_matcher_changed_many_times_agrees_with_one_built_anew() {
    let mut scratch = Scratch::default();
    let first = setting("SEED", 1);
    for seed in first..first + (setting("PAIRS", PAIRS) / 6_000).max(1) {
        let random = &mut Random::new(seed);
        let patterns = random.below(30);
        let batch_max = random.pick(&[1, 1, 2, 5, 20]);
        Chain { seed, patterns, batches: 6, batch_max }.run(&mut scratch);
    }
}

#[test]
fn a_matcher_of_which_more_changes_than_is_kept_apart_agrees_with_one_built_anew() {
    let seed = setting("SEED", 1);
    let chain = Chain { seed, patterns: 300, batches: 10, batch_max: 110 };
    let changes = chain.run(&mut Scratch::default());
    assert!(1_000 < changes, "{changes} changes");
}

#[test]
fn a_matcher_from_which_all_is_removed_matches_nothing_and_can_grow_again() {
    let pattern = |text| Pattern::parse(text).expect("the pattern is valid");
    let (a, b) = (pattern(r#"{"a":[1]}"#), pattern(r#"{"b":{"c":[{"exists":false}]}}"#));
    let asked = |matcher: &Matcher, event: &str| {
        let event = Event::check(event.as_bytes()).expect("the event is valid");
        actual(matcher, event, &mut Scratch::default()).expect("there is an answer")
    };
    let full = Matcher::new(&[a.clone(), b.clone()]);
    let empty = full.changed(&[(PatternIndex(0), None), (PatternIndex(1), None)]);
    assert_eq!(asked(&empty, r#"{"a":1}"#), []);
    let again = empty.changed(&[(PatternIndex(1), Some(a)), (PatternIndex(40), Some(b))]);
    assert_eq!(asked(&again, r#"{"a":1}"#), [PatternIndex(1), PatternIndex(40)]);
    assert_eq!(asked(&again, r#"{"a":1,"b":{"c":0}}"#), [PatternIndex(1)]);
    assert_eq!(asked(&full, r#"{"a":1}"#), [PatternIndex(0), PatternIndex(1)]);
}
