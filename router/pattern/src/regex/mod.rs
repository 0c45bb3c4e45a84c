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

mod syntax;

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures, pikevm::PikeVM};
use regex_automata::util::{primitives::StateID, syntax as dialect};
use regex_automata::{Anchored, Input, MatchKind};

use crate::limits::{REGEX_BYTES_MAX, REGEX_TABLE_BYTES_MAX, REGEX_TABLES_BYTES_MAX};
use crate::limits::{REGEX_DEPTH_MAX, REGEXES_BYTES_MAX};
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
        .match_kind(MatchKind::All)
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
