//! A regular expression that the whole of a text must fit: I-Regexp, RFC 9485.
//!
//! A regex becomes a table of states when that is small, and else a list of states that are followed
//! side by side. Either takes one pass over a text, whatever the regex and the text are.
//!
//! # Invariants
//!
//! - Compiling costs no more than the [`Budget`] allows: a short regex may describe a huge automaton.
//! - Asking allocates nothing, once its thread has asked a regex of that size.
//! - Only characters fit: a text with half of a surrogate pair fits no regex.
//!
//! # Not here
//!
//! - The `regex` crate: its lazily built tables cost each thread memory for each regex, and they
//!   search, which nothing here needs.

mod class;
mod escape;
mod syntax;

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures, pikevm::PikeVM};
use regex_automata::util::{primitives::StateID, syntax as dialect};
use regex_automata::{Anchored, Input};

use crate::limits::{REGEX_BYTES_MAX, REGEX_TABLE_BYTES_MAX, REGEX_TABLES_BYTES_MAX};
use crate::limits::{REGEX_DEPTH_MAX, REGEX_TEXT_BYTES_MAX, REGEXES_BYTES_MAX};
pub(crate) use syntax::Fault;

/// A compiled regex. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Regex {
    inner: Arc<Inner>,
}

struct Inner {
    text: Box<str>,
    machine: Machine,
}

#[expect(clippy::large_enum_variant, reason = "it is behind a pointer, and most are tables")]
enum Machine {
    /// One state at a time, looked up byte by byte.
    Table { states: dense::DFA<Vec<u32>>, start: StateID },
    /// All states at once.
    List(PikeVM),
}

/// What the regexes of one pattern may still cost.
#[derive(Debug)]
pub(crate) struct Budget {
    lists: usize,
    tables: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { lists: REGEXES_BYTES_MAX, tables: REGEX_TABLES_BYTES_MAX }
    }
}

/// Why a text is no regex.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RegexError {
    /// It is not written in I-Regexp.
    Syntax(Fault),
    /// It has more than [`REGEX_TEXT_BYTES_MAX`] bytes.
    TooLong,
    /// It alone is beyond [`REGEX_BYTES_MAX`].
    TooLarge,
    /// It and the pattern's earlier ones are beyond [`REGEXES_BYTES_MAX`].
    TooLargeTogether,
}

thread_local! {
    /// Where this thread keeps the states that it follows: one place for all regexes, because each
    /// is asked to the end before the next.
    static FOLLOWED: RefCell<Option<thompson::pikevm::Cache>> = const { RefCell::new(None) };
}

impl Regex {
    /// Reads an I-Regexp and takes what it costs from the budget.
    pub(crate) fn read(text: &str, budget: &mut Budget) -> Result<Self, RegexError> {
        if REGEX_TEXT_BYTES_MAX < text.len() {
            return Err(RegexError::TooLong);
        }
        let translated = syntax::translate(text).map_err(RegexError::Syntax)?;
        let bytes_max = REGEX_BYTES_MAX.min(budget.lists);
        let too_large = if bytes_max < REGEX_BYTES_MAX {
            RegexError::TooLargeTogether
        } else {
            RegexError::TooLarge
        };
        // Only the size can be wrong with what was translated.
        let Some(list) = list(&translated, bytes_max) else {
            return Err(too_large);
        };
        budget.lists = budget.lists.saturating_sub(list.memory_usage());
        let machine = match table(&list, budget) {
            Some((states, start)) => Machine::Table { states, start },
            None => Machine::List(
                PikeVM::new_from_nfa(list).expect("it needs nothing that a list could lack"),
            ),
        };
        Ok(Self { inner: Arc::new(Inner { text: text.into(), machine }) })
    }

    /// The whole value is described.
    pub(crate) fn fits(&self, value: &[u8]) -> bool {
        match &self.inner.machine {
            Machine::Table { states, start } => {
                let mut state = *start;
                for byte in value {
                    state = states.next_state(state, *byte);
                    if states.is_dead_state(state) {
                        return false;
                    }
                }
                states.is_match_state(states.next_eoi_state(state))
            }
            Machine::List(list) => FOLLOWED.with_borrow_mut(|followed| {
                let cache = followed.get_or_insert_with(|| list.create_cache());
                cache.reset(list);
                list.is_match(cache, Input::new(value).anchored(Anchored::Yes))
            }),
        }
    }
}

/// The states of a regex that ends where the text does, if they are not too many.
fn list(translated: &str, bytes_max: usize) -> Option<NFA> {
    let groups = u32::try_from(REGEX_DEPTH_MAX).unwrap_or(u32::MAX);
    // A group nests itself, its repetition, its alternatives and their rows.
    let dialect = dialect::Config::new().nest_limit(4 * (groups + 2));
    // Bytes that are no UTF-8 may be asked; nothing that is described fits them.
    let config = thompson::Config::new()
        .utf8(false)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(bytes_max));
    NFA::compiler().syntax(dialect).configure(config).build(&format!("(?:{translated})\\z")).ok()
}

/// The table, where it is small and the budget allows it.
fn table(list: &NFA, budget: &mut Budget) -> Option<(dense::DFA<Vec<u32>>, StateID)> {
    let bytes_max = REGEX_TABLE_BYTES_MAX.min(budget.tables);
    let config = dense::Config::new()
        .start_kind(StartKind::Anchored)
        .accelerate(false)
        .dfa_size_limit(Some(bytes_max))
        .determinize_size_limit(Some(bytes_max));
    let Ok(states) = dense::Builder::new().configure(config).build_from_nfa(list) else {
        // It was work, too.
        budget.tables -= bytes_max;
        return None;
    };
    budget.tables = budget.tables.saturating_sub(states.memory_usage());
    let start = states.universal_start_state(Anchored::Yes)?;
    Some((states, start))
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Regex").field(&self.inner.text).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Regex {
        Regex::read(text, &mut Budget::default()).unwrap()
    }

    /// Without a table.
    fn read_as_list(text: &str) -> Regex {
        let regex = Regex::read(text, &mut Budget { tables: 0, ..Budget::default() }).unwrap();
        assert!(matches!(regex.inner.machine, Machine::List(_)));
        regex
    }

    #[track_caller]
    fn check(regex: &str, fitting: &[&str], others: &[&str]) {
        for read in [read(regex), read_as_list(regex)] {
            for value in fitting {
                assert!(read.fits(value.as_bytes()), "{regex:?} does not fit {value:?}");
            }
            for value in others {
                assert!(!read.fits(value.as_bytes()), "{regex:?} fits {value:?}");
            }
        }
    }

    #[test]
    fn the_whole_text_has_to_fit() {
        check("a", &["a"], &["", "ab", "ba", "aa", "A", "a\n"]);
        check("a|ab", &["a", "ab"], &["abb", "b"]);
        check("", &[""], &["a"]);
        check("()|a||b", &["", "a", "b"], &["ab"]);
        check("(a|b)*c", &["c", "abbac"], &["ab", "cc"]);
    }

    #[test]
    fn quantifiers_repeat_what_is_before_them() {
        check("ab*", &["a", "abbb"], &["", "abab"]);
        check("ab+", &["ab", "abb"], &["a"]);
        check("ab?", &["a", "ab"], &["abb"]);
        check("a{2}", &["aa"], &["a", "aaa"]);
        check("a{2,}", &["aa", "aaaaa"], &["a"]);
        check("a{0,2}", &["", "a", "aa"], &["aaa"]);
        check("(ab){02}", &["abab"], &["abb", "ab"]);
        check("(){1000000}a{0}", &[""], &["a"]);
        check("😀{2}", &["😀😀"], &["😀"]);
    }

    #[test]
    fn classes_and_escapes_stand_for_characters() {
        check("[abc-e]", &["a", "d", "e"], &["f", "-", "ab"]);
        check("[^a-c]", &["d", "\n", "é", "😀"], &["a", ""]);
        check("[-a][a-]", &["--", "a-"], &["b-"]);
        check("[^-]", &["a"], &["-"]);
        check("[--]", &["-"], &["a"]);
        check("[a^]", &["^", "a"], &["b"]);
        check("[^^]", &["a"], &["^"]);
        check("[.*+?(){}|$]", &[".", "*", "$", "|", "{"], &["a"]);
        check("[&&~~]", &["&", "~"], &["&&"]);
        check(r"[\]\[\\\-\^\n]", &["]", "[", "\\", "-", "^", "\n"], &["n"]);
        check(r"[\t-\r]", &["\t", "\n", "\x0b"], &["t"]);
        check("[α-ω]+", &["αβγ"], &["abc"]);
        check(r"\(\)\*\+\-\.\?\[\\\]\^\{\|\}", &[r"()*+-.?[\]^{|}"], &["("]);
        check(r"\n\r\t", &["\n\r\t"], &["nrt"]);
        check("a#b c//,:;<=>@_`~'\"", &["a#b c//,:;<=>@_`~'\""], &["ab"]);
    }

    #[test]
    fn a_dot_is_any_character_but_the_ends_of_lines() {
        check(".", &["a", "é", "😀", "\u{2028}", "\u{85}", "\0"], &["\n", "\r", "", "ab"]);
        check(".*", &["", "anything"], &["two\nlines"]);
    }

    #[test]
    fn categories_are_those_of_unicode() {
        check(r"\p{L}+", &["aéßЖ漢"], &["a1", "_"]);
        check(r"\P{L}", &["1", "_", "\n"], &["a"]);
        check(r"\p{Lu}\p{Ll}", &["Éa"], &["aÉ"]);
        check(r"[\p{Nd}\p{Zs}x]+", &["1 x٣"], &["½"]);
        check(r"[^\p{L}\P{N}]", &["1"], &["a", "_"]);
        check(r"[\P{L}\p{L}]", &["a", "1", "\n"], &[""]);
        check(r"\p{Sc}\p{Sm}\p{Pd}\p{No}", &["€+-½"], &["€+-1"]);
        for category in CATEGORIES {
            let regex = format!(r"\p{{{category}}}|[\P{{{category}}}]");
            check(&regex, &["a", "1", " ", "€", "\u{e000}", "\u{378}"], &[""]);
        }
    }

    const CATEGORIES: [&str; 37] = [
        "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N", "Nd", "Nl", "No", "P", "Pc",
        "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "Z", "Zl", "Zp", "Zs", "S", "Sc", "Sk", "Sm", "So",
        "C", "Cc", "Cf", "Cn", "Co", "L",
    ];

    #[test]
    fn half_of_a_surrogate_pair_fits_nothing() {
        for regex in [".*", r"[^a]*", r"(\p{C}|\P{C})*", "(.|\n)*x"] {
            assert!(
                !read(regex).fits(b"\xed\xa0\x80") && !read_as_list(regex).fits(b"\xed\xa0\x80x")
            );
        }
        assert!(!read(".*").fits(b"\xff") && !read(".*").fits("é".as_bytes().split_at(1).0));
    }

    #[test]
    fn a_regex_beyond_a_limit_is_refused_at_once() {
        let error = |text: &str| Regex::read(text, &mut Budget::default()).unwrap_err();
        assert_eq!(error("(a{1000}){1000}"), RegexError::TooLarge);
        assert_eq!(error("((((((a{99}){99}){99}){99}){99}){99}){99}"), RegexError::TooLarge);
        assert_eq!(error("a{99999999999999999999}"), RegexError::TooLarge);
        assert_eq!(error("((a?){99999999}b?){99999999}"), RegexError::TooLarge);
        assert_eq!(error(r"\p{L}{100}"), RegexError::TooLarge);
        assert_eq!(error(&"a".repeat(REGEX_TEXT_BYTES_MAX + 1)), RegexError::TooLong);
        let nested = "(".repeat(REGEX_DEPTH_MAX + 1);
        assert!(
            matches!(error(&nested), RegexError::Syntax(fault) if fault.span.start == REGEX_DEPTH_MAX)
        );

        let deepest =
            format!("{}a|b{}", "(x|y".repeat(REGEX_DEPTH_MAX), ")*z+".repeat(REGEX_DEPTH_MAX));
        assert!(read(&deepest).fits(b"xz") && read(&deepest).fits(b"z"));
        let longest = format!("[{}]", "b".repeat(REGEX_TEXT_BYTES_MAX - 2));
        assert!(read(&longest).fits(b"b"));
    }

    #[test]
    fn the_regexes_of_a_pattern_share_what_they_may_cost() {
        let mut budget = Budget::default();
        let mut machines = [0, 0];
        let mut error = None;
        while error.is_none() && machines[0] + machines[1] < 10_000 {
            match Regex::read("(a|b)*a(a|b){8}", &mut budget) {
                Ok(regex) => {
                    machines[usize::from(matches!(regex.inner.machine, Machine::List(_)))] += 1;
                }
                Err(found) => error = Some(found),
            }
        }
        assert_eq!(error, Some(RegexError::TooLargeTogether));
        assert!(machines.iter().all(|count| 10 < *count), "tables, then lists: {machines:?}");
    }

    #[test]
    fn tables_that_were_tried_for_nothing_cost_as_well() {
        let mut budget = Budget::default();
        for _ in 0..REGEX_TABLES_BYTES_MAX / REGEX_TABLE_BYTES_MAX {
            Regex::read("(a|b)*a(a|b){14}", &mut budget).unwrap();
        }
        let last = Regex::read("abc", &mut budget).unwrap();
        assert!(matches!(last.inner.machine, Machine::List(_)) && last.fits(b"abc"));
    }

    #[test]
    fn a_text_that_could_be_tried_in_many_ways_is_read_once() {
        let value = "a".repeat(1_000_000);
        for regex in ["(a*)*b", "(a|a)*b", "(a+)+(a+)+b", "(.*a){12}b", "(a|b)*a(a|b){30}c"] {
            assert!(!read(regex).fits(value.as_bytes()), "{regex}");
        }
        let many = "a?".repeat(500) + &"a".repeat(500);
        assert!(
            read(&many).fits(&value.as_bytes()[..500])
                && !read(&many).fits(&value.as_bytes()[..499])
        );
    }

    /// The oracle: a regex as a tree, and all the ends of what it describes from a place on.
    #[derive(Clone, Debug)]
    enum Tree {
        Character(char),
        Dot,
        Class(bool, Vec<(char, char)>),
        Row(Vec<Tree>),
        Choice(Vec<Tree>),
        Repeat(Box<Tree>, usize, Option<usize>),
    }

    impl Tree {
        fn text(&self) -> String {
            match self {
                Self::Character(character) => escaped(*character),
                Self::Dot => ".".to_owned(),
                Self::Class(negated, ranges) => {
                    let range = |(low, high): &(char, char)| match low == high {
                        true => escaped(*low),
                        false => format!("{}-{}", escaped(*low), escaped(*high)),
                    };
                    let ranges: String = ranges.iter().map(range).collect();
                    format!("[{}{ranges}]", if *negated { "^" } else { "" })
                }
                Self::Row(parts) => {
                    format!("({})", parts.iter().map(Self::text).collect::<String>())
                }
                Self::Choice(parts) => {
                    let parts: Vec<String> = parts.iter().map(Self::text).collect();
                    format!("({})", parts.join("|"))
                }
                Self::Repeat(part, 0, None) => format!("({})*", part.text()),
                Self::Repeat(part, 1, None) => format!("({})+", part.text()),
                Self::Repeat(part, 0, Some(1)) => format!("({})?", part.text()),
                Self::Repeat(part, least, None) => format!("({}){{{least},}}", part.text()),
                Self::Repeat(part, least, Some(most)) => {
                    format!("({}){{{least},{most}}}", part.text())
                }
            }
        }

        fn ends(&self, value: &[char], start: usize) -> std::collections::BTreeSet<usize> {
            let one = |fits: &dyn Fn(char) -> bool| {
                value
                    .get(start)
                    .filter(|next| fits(**next))
                    .map(|_| start + 1)
                    .into_iter()
                    .collect()
            };
            match self {
                Self::Character(wanted) => one(&|next| next == *wanted),
                Self::Dot => one(&|next| next != '\n' && next != '\r'),
                Self::Class(negated, ranges) => one(&|next| {
                    ranges.iter().any(|(low, high)| (*low..=*high).contains(&next)) != *negated
                }),
                Self::Row(parts) => parts.iter().fold([start].into(), |starts, part| {
                    starts.into_iter().flat_map(|start| part.ends(value, start)).collect()
                }),
                Self::Choice(parts) => {
                    parts.iter().flat_map(|part| part.ends(value, start)).collect()
                }
                Self::Repeat(part, least, most) => {
                    let mut ends: std::collections::BTreeSet<usize> = [start].into();
                    let mut all = ends.clone();
                    // More rounds than characters and least together find nothing new.
                    for round in 1..=most.unwrap_or(least + value.len()) {
                        ends = ends.into_iter().flat_map(|start| part.ends(value, start)).collect();
                        if round <= *least {
                            all.clear();
                        }
                        all.extend(&ends);
                    }
                    all
                }
            }
        }
    }

    fn escaped(character: char) -> String {
        match character {
            '\n' => "\\n".to_owned(),
            'a' | 'b' | 'é' | '😀' => character.to_string(),
            _ => format!("\\{character}"),
        }
    }

    fn character() -> impl Strategy<Value = char> {
        prop::sample::select(vec!['a', 'b', 'é', '😀', '\n', '-', '^', '*', '\\', ']'])
    }

    fn tree() -> impl Strategy<Value = Tree> {
        let range =
            (character(), character()).prop_map(|(one, other)| (one.min(other), one.max(other)));
        let leaf = prop_oneof![
            4 => character().prop_map(Tree::Character),
            1 => Just(Tree::Dot),
            2 => (any::<bool>(), prop::collection::vec(range, 1..3))
                .prop_map(|(negated, ranges)| Tree::Class(negated, ranges)),
        ];
        leaf.prop_recursive(4, 12, 3, |inner| {
            let parts = prop::collection::vec(inner.clone(), 0..3);
            prop_oneof![
                2 => parts.clone().prop_map(Tree::Row),
                1 => prop::collection::vec(inner.clone(), 1..3).prop_map(Tree::Choice),
                1 => (inner, 0..3_usize, prop::option::of(0..3_usize)).prop_map(|(part, least, more)| {
                    Tree::Repeat(Box::new(part), least, more.map(|more| least + more))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn table_and_list_agree_with_the_definition(
            tree in tree(),
            values in prop::collection::vec(prop::collection::vec(character(), 0..6), 1..12),
        ) {
            let text = tree.text();
            let (table, list) = (read(&text), read_as_list(&text));
            for value in values {
                let expected = tree.ends(&value, 0).contains(&value.len());
                let value: String = value.into_iter().collect();
                prop_assert_eq!(table.fits(value.as_bytes()), expected, "{} {:?}", &text, &value);
                prop_assert_eq!(list.fits(value.as_bytes()), expected, "{} {:?}", &text, &value);
            }
        }
    }
}
