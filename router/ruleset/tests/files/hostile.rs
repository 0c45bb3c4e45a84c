//! A rule file may hold anything: there is an answer, and no panic.

use proptest::prelude::*;

use crate::doubles::load_text;

const SHOP: &str = include_str!("../../testdata/whole/shop.yaml");

/// Loads the text and renders whatever is said about it.
fn read(text: &str) {
    match load_text(text) {
        Ok(rules) => drop(rules.test()),
        Err(problems) => {
            for problem in problems {
                assert!(!problem.render(text, false).is_empty());
                assert!(problem.span.end <= text.len());
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        read(&text);
    }

    #[test]
    fn any_tokens_of_yaml_are_read_or_refused(
        tokens in prop::collection::vec(prop::sample::select(vec![
            "name: a\n", "pattern:", "targets:", "tests:", "- ", "  ", "\n", "\t", ": ", "{", "}", "[", "]",
            "&a ", "*a", "!!str ", "? ", "|\n", "> \n", "---\n", "...\n", "'", "\"", "#", "<<", "${", "}", "é",
            "%TAG", "\r", "id: x\n", "input: ", "template: ", "<a>", "$.x", "0x1", "1e9", "null", "\u{feff}", "\u{85}",
        ]), 0..40)
    ) {
        read(&tokens.concat());
    }

    #[test]
    fn a_good_file_with_a_piece_missing_is_read_or_refused(at in 0..3000_usize, len in 1..40_usize) {
        let start = SHOP.floor_char_boundary(at);
        let end = SHOP.floor_char_boundary(start + len);
        let (before, after) = (SHOP.get(..start).unwrap(), SHOP.get(end..).unwrap());
        read(&format!("{before}{after}"));
    }

    #[test]
    fn a_good_file_with_two_pieces_swapped_is_read_or_refused(
        at in 0..3000_usize, other in 0..3000_usize, len in 1..30_usize,
    ) {
        let cut = |at: usize| SHOP.floor_char_boundary(at);
        let (first, second) = (cut(at.min(other)), cut(at.max(other)));
        let piece = SHOP.get(second..cut(second + len)).unwrap();
        let (before, after) = (SHOP.get(..first).unwrap(), SHOP.get(first..).unwrap());
        read(&format!("{before}{piece}{after}"));
    }
}

#[test]
fn a_thousand_rules_are_one_set() {
    let rule = |number: usize| {
        SHOP.replace("name: big-orders", &format!("name: big-orders-{number}"))
            .replace("name: replays-alone", &format!("name: replays-{number}"))
    };
    let text = (0..500).map(rule).collect::<Vec<_>>().join("---\n");
    let rules = load_text(&text).unwrap();
    assert_eq!(rules.rules().len(), 1000);
    assert_eq!(rules.test().passed, 2000);
}
