//! What the events and patterns of one round have in common: few keys and few values, so that they
//! meet often, drawn from what is known to be hard.

use crate::number::Number;
use crate::random::Random;
use crate::text::{Style, Text, text};

/// A scalar, by its meaning.
#[derive(Clone)]
pub(crate) enum Value {
    Text(Text),
    Number(Number),
    /// `true`, `false` or `null`.
    Word(&'static str),
}

pub(crate) struct World {
    keys: Vec<Text>,
    texts: Vec<Text>,
    numbers: Vec<Number>,
    /// Of a hundred values so many are texts, and so many of the others numbers.
    shares: (usize, usize),
}

const PLAIN_KEYS: [&str; 9] = ["a", "b", "c", "d", "ab", "abc", "a-", "a b", "A"];
const DOTTED_KEYS: [&str; 10] = ["a.b", "b.a", "a.b.c", "b.c", ".", "a.", ".a", "", "a..b", "c.d"];
const ODD_KEYS: [&str; 13] = [
    "a\"b",
    "\\",
    "\\\\",
    "é",
    "\n",
    "\0",
    "🚀",
    "\u{10000}",
    "\u{e000}",
    "a/b",
    "{",
    "exists",
    "]:,\"",
];

const ADDRESSES: [&str; 25] = [
    "10.0.0.1",
    "010.0.0.001",
    "10.0.0.2",
    "10.1.2.3",
    "::ffff:a00:1",
    "::FFFF:0A00:0001",
    "0:0:0:0:0:ffff:a00:1",
    "0000:0000:0000:0000:0000:ffff:0A00:0001",
    "::a00:1",
    "::ffff:10.0.0.1",
    "2001:db8::1",
    "2001:0DB8:0:0:0:0:0:1",
    "2001:db8:0::1",
    "2001:db8::2",
    "::",
    "0:0:0:0:0:0:0:0",
    "::1",
    "0.0.0.0",
    "255.255.255.255",
    "ffff::1",
    "8000:0::",
    "10.0.0.256",
    "10.0.0",
    "10.0.0.1 ",
    "1:2:3:4:5:6:7:8:9",
];

pub(crate) const NETWORKS: [&str; 14] = [
    "10.0.0.0/8",
    "10.0.0.1/31",
    "10.0.0.3/30",
    "0.0.0.0/0",
    "128.0.0.0/1",
    "10.0.0.1/32",
    "2001:db8::1/128",
    "::/0",
    "::/1",
    "2001:db8::/32",
    "2001:DB8::3/127",
    "::ffff:0:0/96",
    "::ffff:a00:1/31",
    "010.000.0.0/16",
];

/// Characters whose cases are no pairs, or of different lengths.
const FOLDS: [&str; 30] = [
    "ß", "ẞ", "ss", "SS", "s", "S", "ſ", "k", "K", "\u{212a}", "i", "I", "İ", "ı", "i\u{307}", "Σ",
    "σ", "ς", "ŉ", "ΐ", "ﬁ", "FI", "fi", "ǆ", "ǅ", "Ǆ", "𐐀", "𐐨", "é", "É",
];

const ODD_TEXTS: [&str; 22] = [
    "",
    "",
    " ",
    "\0",
    "300",
    "1",
    "true",
    "null",
    "*",
    "\\",
    "\\*",
    "**",
    "a*b",
    "{}",
    "[1]",
    "\"",
    "🚀",
    "🚀🚀",
    "\u{ffff}",
    "\u{10ffff}",
    "{\"a\":1}",
    "\u{7f}\u{80}",
];

impl World {
    pub(crate) fn any(random: &mut Random) -> Self {
        let shares = random.pick(&[(60, 70), (60, 70), (90, 50), (10, 90), (34, 50)]);
        Self { keys: keys(random), texts: texts(random), numbers: numbers(random), shares }
    }

    /// So little that very many patterns have nearly everything in common.
    pub(crate) fn narrow(random: &mut Random) -> Self {
        let mut world = Self::any(random);
        world.keys.truncate(2 + random.below(3));
        world.texts.truncate(4);
        world.numbers.truncate(4);
        world
    }

    pub(crate) fn key(&self, random: &mut Random) -> Text {
        random.pick(&self.keys)
    }

    pub(crate) fn text(&self, random: &mut Random) -> Text {
        random.pick(&self.texts)
    }

    pub(crate) fn number(&self, random: &mut Random) -> Number {
        random.pick(&self.numbers)
    }

    pub(crate) fn value(&self, random: &mut Random) -> Value {
        let (texts, numbers) = self.shares;
        if random.chance(texts) {
            Value::Text(self.text(random))
        } else if random.chance(numbers) {
            Value::Number(self.number(random))
        } else {
            Value::Word(random.pick(&["true", "false", "null"]))
        }
    }
}

impl Value {
    pub(crate) fn spelled(&self, style: Style, random: &mut Random) -> String {
        match self {
            Self::Text(text) => style.quoted(text, random),
            Self::Number(number) => number.spelled(random),
            Self::Word(word) => (*word).to_owned(),
        }
    }
}

fn keys(random: &mut Random) -> Vec<Text> {
    let mut keys = Vec::new();
    for _ in 0..2 + random.below(3) {
        keys.push(text(random.pick(&PLAIN_KEYS)));
    }
    for _ in 0..random.below(3) {
        keys.push(text(random.pick(&DOTTED_KEYS)));
    }
    match random.below(6) {
        5 => keys.extend(relatives(random)),
        0 => keys.push(text(random.pick(&ODD_KEYS))),
        // In one order by UTF-8, in the other by UTF-16.
        4 => keys.extend([text(random.pick(&["\u{e000}", "\u{ffff}x"])), text("\u{10000}")]),
        1 => keys.push(vec![random.pick(&[0xd800, 0xdbff, 0xdc00, 0xdfff])]),
        2 => {
            let long = long_key(random);
            let mut other = long.clone();
            // It differs in one byte, or is a beginning of the first.
            let at = random.pick(&[0, other.len() / 2, other.len() - 1]);
            if random.chance(60) {
                other[at] = u32::from('z');
            } else {
                other.truncate(at.max(1));
            }
            if random.chance(30) {
                // A dot behind what is compared first.
                other.extend(text(".b"));
            }
            keys.extend([long, other]);
        }
        _ => (),
    }
    keys
}

/// Keys of one length that have most of their bytes in common, also whole words of them.
fn relatives(random: &mut Random) -> Vec<Text> {
    let len = random.pick(&[2, 9, 12, 16, 17, 20, 33]);
    let relative = |_| {
        let mut key = vec![u32::from('k'); len];
        for _ in 0..2 {
            key[random.below(len)] = u32::from(random.pick(&['l', 'm', '\0', '.']));
        }
        key
    };
    (0..4).map(relative).collect()
}

fn long_key(random: &mut Random) -> Text {
    let lens = [7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 300];
    let len = random.pick(&lens);
    (0_u32..).map(|at| u32::from('a') + at % 25).take(len).collect()
}

fn texts(random: &mut Random) -> Vec<Text> {
    let mut texts = Vec::new();
    let kind = random.below(6);
    for _ in 0..4 + random.below(8) {
        let kind = if random.chance(70) { kind } else { random.below(6) };
        texts.push(match kind {
            0 => text(random.pick(&ADDRESSES)),
            1 => joined(&FOLDS, 1 + random.below(3), random),
            2 => text(random.pick(&ODD_TEXTS)),
            3 => structural(random),
            4 => random_text(random, 70),
            _ => random_text(random, 7),
        });
    }
    if random.chance(30) {
        // Another text goes on after one that is there.
        let longer = [texts[0].as_slice(), &texts[1]].concat();
        texts.push(longer);
    }
    if random.chance(15) {
        let mut halves = texts[0].clone();
        halves.push(random.pick(&[0xd800, 0xd83d, 0xdc00, 0xde80]));
        texts.push(halves);
    }
    texts
}

/// Few letters, so that beginnings, ends and what lies between recur and overlap.
fn random_text(random: &mut Random, end: usize) -> Text {
    let letters = random.pick(&["ab", "ab", "aB*", "a\\*", "aé🚀"]);
    let letters = text(letters);
    (0..random.below(end)).map(|_| random.pick(&letters)).collect()
}

/// What looks like the structure of JSON, for a reader that goes by quotes and brackets.
pub(crate) fn structural(random: &mut Random) -> Text {
    if random.chance(40) {
        // The run may begin and end anywhere in blocks of 64 bytes.
        let len = random.below(140);
        let mut run = vec![u32::from('\\'); len];
        if random.chance(50) {
            run.push(u32::from('"'));
        }
        return run;
    }
    let characters = text("\"\"\\\\{}[],:x");
    let most = random.pick(&[6, 20, 90, 200]);
    let len = random.below(most);
    (0..len).map(|_| random.pick(&characters)).collect()
}

fn joined(from: &[&str], count: usize, random: &mut Random) -> Text {
    (0..count).flat_map(|_| text(random.pick(from))).collect()
}

fn numbers(random: &mut Random) -> Vec<Number> {
    let mut numbers: Vec<Number> = (0..4 + random.below(5)).map(|_| Number::any(random)).collect();
    for _ in 0..random.below(3) {
        let near = random.pick(&numbers).neighbour(random);
        numbers.push(near);
    }
    numbers
}
