//! Whatever a file holds.

use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;

use super::*;

/// Formats; a result says the same and stays as it is.
fn holds(text: &str) -> Option<String> {
    let out = format(&file(text)).ok()?;
    assert_eq!(format(&file(&out)).as_ref(), Ok(&out), "the second time, of {text:?}");
    let (before, _) = yaml::read(text);
    let (after, faults) = yaml::read(&out);
    assert_eq!(faults, []);
    assert!(before.iter().zip(&after).all(|(one, other)| same(one, other)), "{text:?}");
    Some(out)
}

fn texts(folder: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root.join(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml" || extension == "json") {
            found.push(std::fs::read_to_string(path).unwrap());
        }
    }
    assert!(!found.is_empty(), "{folder}");
    found
}

#[test]
fn the_rules_of_the_repository_are_formatted() {
    for text in texts("../../rules") {
        assert_eq!(formatted(&text), text);
    }
    for text in texts("testdata/whole") {
        assert!(holds(&text).is_some());
    }
    for text in texts("testdata/broken").into_iter().chain(texts("testdata/failing")) {
        holds(&text);
    }
}

/// A tree as somebody wrote it.
#[derive(Debug, Clone)]
enum Tree {
    Scalar(&'static str),
    Lines(&'static str),
    Flow(&'static str),
    List(Vec<(Beside, Tree)>),
    Map(Vec<(Beside, Tree)>),
}

/// What stands about an item.
#[derive(Debug, Clone)]
struct Beside {
    blanks: usize,
    above: Vec<usize>,
    behind: bool,
    behind_key: bool,
    below: Vec<usize>,
    step: usize,
}

const SCALARS: [&str; 10] = [
    "a",
    "'it''s'",
    "\"q # no\"",
    "1.10",
    "",
    "x y",
    "\"one\n   two\"",
    "p\n     q",
    "&a v",
    "é宽",
];
const LINES: [&str; 8] =
    ["|\nx\n y", ">-\nx\n\ny", "|+\nx\n\n\n", "|\n\nx", "|2\n  x\ny", ">+\n\n", "|\n", "| # c\nx"];
const FLOWS: [&str; 9] = [
    "{}",
    "[]",
    "{a: 1}",
    "[1, {b: c}]",
    "{ a: [\n      1,\n   2 ] }",
    "[a, # c\n  b\n]",
    "{a: , b}",
    "[a: b]",
    "[\n  # alone\n\n  x]",
];
const KEYS: [&str; 14] = [
    "name",
    "bus",
    "pattern",
    "targets",
    "tests",
    "id",
    "http",
    "retry",
    "\"event\"",
    "'expect'",
    "x",
    "y z",
    "input",
    "transform",
];

fn beside() -> impl Strategy<Value = Beside> {
    let notes = || prop::collection::vec(0..8_usize, 0..3);
    (0..3_usize, notes(), any::<(bool, bool)>(), notes(), 1..4_usize).prop_map(
        |(blanks, above, (behind, behind_key), below, step)| Beside {
            blanks: blanks.saturating_sub(1),
            above: if blanks == 0 { Vec::new() } else { above },
            behind,
            behind_key: behind_key && behind,
            below: if step == 1 { below } else { Vec::new() },
            step,
        },
    )
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        4 => prop::sample::select(&SCALARS[..]).prop_map(Tree::Scalar),
        1 => prop::sample::select(&LINES[..]).prop_map(Tree::Lines),
        2 => prop::sample::select(&FLOWS[..]).prop_map(Tree::Flow),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let items = prop::collection::vec((beside(), inner), 1..5);
        (any::<bool>(), items)
            .prop_map(|(is_list, items)| if is_list { Tree::List(items) } else { Tree::Map(items) })
    })
}

struct Scribe {
    text: String,
    notes: usize,
    keys: usize,
}

impl Scribe {
    fn note(&mut self, indent: usize) {
        self.notes += 1;
        let number = self.notes;
        writeln!(self.text, "{:indent$}# {number}", "").unwrap();
    }

    fn behind(&mut self, is: bool) {
        if is {
            self.notes += 1;
            write!(self.text, "  # {}", self.notes).unwrap();
        }
        self.text.push('\n');
    }

    fn items(&mut self, items: &[(Beside, Tree)], is_list: bool, indent: usize) {
        let first_key = self.keys;
        self.keys += items.len();
        for (at, (beside, tree)) in items.iter().enumerate() {
            self.text.push_str(&"\n".repeat(beside.blanks));
            beside.above.iter().for_each(|further| self.note(indent + further));
            write!(self.text, "{:indent$}", "").unwrap();
            if is_list {
                self.text.push('-');
            } else {
                let key = KEYS[(first_key + at) % KEYS.len()];
                write!(self.text, "{key}:").unwrap();
            }
            self.value(tree, beside, indent);
            beside.below.iter().for_each(|further| self.note(indent + further));
        }
    }

    fn value(&mut self, tree: &Tree, beside: &Beside, indent: usize) {
        let inner = indent + beside.step;
        match tree {
            Tree::Scalar(text) | Tree::Flow(text) => {
                self.text.push_str(if beside.step == 3 { "   " } else { " " });
                let margin = format!("\n{:inner$}", "");
                self.text.push_str(&text.replace('\n', &margin));
                self.behind(beside.behind);
            }
            Tree::Lines(text) => {
                let inner = if text.starts_with("|2") { indent + 2 } else { inner };
                let (header, lines) = text.split_once('\n').unwrap();
                write!(self.text, " {header}").unwrap();
                for line in lines.split('\n') {
                    self.text.push('\n');
                    if !line.is_empty() {
                        write!(self.text, "{:inner$}{line}", "").unwrap();
                    }
                }
                self.text.push('\n');
            }
            Tree::List(items) => {
                self.behind(beside.behind_key);
                self.items(items, true, inner);
            }
            Tree::Map(items) => {
                self.behind(beside.behind_key);
                self.items(items, false, inner);
            }
        }
    }
}

fn scribbled(items: &[(Beside, Tree)]) -> String {
    let mut scribe = Scribe { text: String::new(), notes: 0, keys: 0 };
    scribe.items(items, false, 0);
    scribe.text
}

/// Pieces that mean something in YAML.
fn pieces() -> impl Strategy<Value = String> {
    let pieces = [
        "a",
        "b: ",
        ": ",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "# c",
        " ",
        "|",
        ">",
        "+",
        "-",
        "2",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "\"",
        "'",
        "&x ",
        "*x",
        "!!str ",
        "---\n",
        "...\n",
        "? ",
        "\t",
        "\r\n",
        "\r",
        "\u{feff}",
        "é",
        "\u{a0}",
        "\u{85}",
        "\u{2028}",
        "%",
        "\\",
        "~",
        "<<: ",
        "name: ",
        "targets:\n",
        "1.10",
        "\0",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..40).prop_map(|all| all.concat())
}

/// What takes seconds here takes hours when somebody looks twice at what stands before each thing.
#[test]
fn large_and_deep_files_take_no_longer_than_their_size_says() {
    let deep = |of: &str| (0..90).map(|n| format!("{}{of}", " ".repeat(n))).collect::<String>();
    let shapes = [
        format!("name: a\ntargets:\n{}", "  - { id: a } # c\n\n  # d\n".repeat(5_000)),
        "# c\n".repeat(50_000),
        format!("[{}1]", "{\"a\":[1]},".repeat(8_000)),
        (0..10_000).map(|n| format!("key{n}: 1 # c\n")).collect(),
        format!("a: 1\nb:\n{0}\n{0}[{1}1]", " ".repeat(100_000), "{a: 1},".repeat(8_000)),
        format!("a: [{}1]", "[1, # c\n2],".repeat(8_000)),
        format!("a: |\n{}", "  x\n".repeat(50_000)),
        format!("a: |+\n{}", "\n".repeat(100_000)),
        format!("{}{}", deep("a:\n"), format!("{}# c\n", " ".repeat(120)).repeat(2_000)),
        format!("a: &a 1\nb: [{}1]\n", "*a ,".repeat(20_000)),
        "---\na: 1\n".repeat(10_000),
        format!("a:\n{}", "-\n".repeat(30_000)),
    ];
    for text in shapes {
        let some = text.chars().take(40).collect::<String>();
        assert!(holds(&text).is_some(), "{some}: {:?}", format(&file(&text)).err());
    }
    for hostile in ["[", "- ", "{a: ", ":\n", "? ", "&a ", "'"] {
        holds(&hostile.repeat(100_000));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_tree_keeps_what_it_says(items in prop::collection::vec((beside(), tree()), 1..6)) {
        let text = scribbled(&items);
        let (_, faults) = yaml::read(&text);
        if faults.is_empty() {
            prop_assert!(holds(&text).is_some(), "left: {text}{:?}", format(&file(&text)));
        }
    }

    #[test]
    fn pieces_of_yaml_never_panic_and_what_is_formatted_says_the_same(text in pieces()) {
        holds(&text);
    }

    #[test]
    fn any_text_never_panics(text in any::<String>()) {
        holds(&text);
    }

    #[test]
    fn a_cut_or_changed_rule_file_never_panics(from in 0..6000_usize, to in 0..6000_usize, piece in pieces()) {
        let whole = &texts("testdata/whole")[0];
        let head = whole.get(..from.min(whole.len())).unwrap_or_default();
        let rest = whole.get(to.min(whole.len())..).unwrap_or_default();
        holds(&format!("{head}{piece}{rest}"));
    }
}
