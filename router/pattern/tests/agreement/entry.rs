//! One entry of a field's list: any operator, aimed at a value or just beside it.

use crate::number::Number;
use crate::random::Random;
use crate::text::{Style, Text, text};
use crate::world::{NETWORKS, Value, World};

/// An entry that has a fair chance to fit `value`.
pub(crate) fn entry(value: &Value, world: &World, random: &mut Random) -> String {
    let style = Style::any(random);
    if random.chance(9) {
        let exists = if random.chance(45) { "true" } else { "false" };
        return object(style, random, "exists", exists);
    }
    if random.chance(6) {
        let both = [entry(value, world, random), entry(value, world, random)];
        return object(style, random, "slipswitch:all", &format!("[{}]", both.join(",")));
    }
    match value {
        Value::Text(text) => about_text(text, Hand { world, style, random }),
        Value::Number(number) => about_number(number, Hand { world, style, random }),
        Value::Word(word) if random.chance(75) => (*word).to_owned(),
        Value::Word(_) => {
            let mut hand = Hand { world, style, random };
            if hand.random.chance(50) {
                let number = hand.world.number(hand.random);
                hand.unwanted_numbers(&number)
            } else {
                let text = hand.world.text(hand.random);
                hand.unwanted_texts(&text)
            }
        }
    }
}

/// What writing an entry takes.
struct Hand<'a> {
    world: &'a World,
    style: Style,
    random: &'a mut Random,
}

fn about_text(value: &Text, mut hand: Hand<'_>) -> String {
    let value = hand.near(value);
    let colons = value.iter().filter(|code| matches!(**code, 0x2e | 0x3a)).count();
    if 1 < colons && hand.random.chance(25) {
        return hand.network(&value);
    }
    match hand.random.below(100) {
        0..20 => hand.quoted(&value),
        20..22 => {
            let regex = hand.regex(&value);
            hand.of_text("slipswitch:regex", &regex)
        }
        22..27 => hand.of_text("exactly", &value),
        27..37 => {
            let beginning = hand.beginning(&value);
            hand.of_text("prefix", &beginning)
        }
        37..47 => {
            let end = hand.end(&value);
            hand.of_text("suffix", &end)
        }
        47..55 => {
            let other = hand.other_case(&value);
            hand.of_text("equals-ignore-case", &other)
        }
        55..60 => {
            let beginning = hand.beginning(&value);
            let other = hand.other_case(&beginning);
            let inner = hand.of_text("equals-ignore-case", &other);
            hand.object("prefix", &inner)
        }
        60..65 => {
            let end = hand.end(&value);
            let other = hand.other_case(&end);
            let inner = hand.of_text("equals-ignore-case", &other);
            hand.object("suffix", &inner)
        }
        65..79 => {
            let wildcard = hand.wildcard(&value);
            hand.of_text("wildcard", &wildcard)
        }
        79..81 => hand.network(&value),
        _ => hand.unwanted_texts(&value),
    }
}

fn about_number(value: &Number, mut hand: Hand<'_>) -> String {
    let value = match hand.random.below(10) {
        0..6 => value.clone(),
        6..8 => value.neighbour(hand.random),
        _ => hand.world.number(hand.random),
    };
    let spelled = value.spelled(hand.random);
    match hand.random.below(100) {
        0..35 => spelled,
        35..60 => {
            let operator = hand.random.pick(&["=", "<", "<=", ">", ">="]);
            hand.object("numeric", &format!("[\"{operator}\",{spelled}]"))
        }
        60..80 => {
            // Half of these are the wrong way round, and refused.
            let other = hand.world.number(hand.random).spelled(hand.random);
            let (bottom, top) =
                if hand.random.chance(50) { (spelled, other) } else { (other, spelled) };
            let (above, below) = (hand.random.pick(&[">", ">="]), hand.random.pick(&["<", "<="]));
            hand.object("numeric", &format!("[\"{above}\",{bottom},\"{below}\",{top}]"))
        }
        _ => hand.unwanted_numbers(&value),
    }
}

impl Hand<'_> {
    fn quoted(&mut self, text: &[u32]) -> String {
        self.style.quoted(text, self.random)
    }

    fn of_text(&mut self, operator: &str, text: &[u32]) -> String {
        let quoted = self.quoted(text);
        self.object(operator, &quoted)
    }

    fn object(&mut self, operator: &str, value: &str) -> String {
        object(self.style, self.random, operator, value)
    }

    /// The value, or one with something in common with it.
    fn near(&mut self, value: &Text) -> Text {
        let mut near = value.clone();
        match self.random.below(20) {
            0 => near.truncate(near.len().saturating_sub(1)),
            1 => near.push(self.random.pick(&[0x61, 0x62, 0x2a, 0x5c, 0x73, 0x307, 0xd83d])),
            2 => near = near.into_iter().skip(1).collect(),
            3..6 => near = self.world.text(self.random),
            _ => (),
        }
        near
    }

    fn network(&mut self, value: &Text) -> String {
        let mut network = text(self.random.pick(&NETWORKS));
        if self.random.chance(60) {
            let bits =
                self.random.pick(&["0", "1", "7", "8", "24", "31", "32", "64", "127", "128"]);
            network = value.clone();
            network.extend(text(&format!("/{bits}")));
        }
        self.of_text("cidr", &network)
    }

    fn beginning(&mut self, value: &Text) -> Text {
        value[..self.random.below(value.len() + 1)].to_vec()
    }

    fn end(&mut self, value: &Text) -> Text {
        value[self.random.below(value.len() + 1)..].to_vec()
    }

    fn other_case(&mut self, value: &Text) -> Text {
        let mut other = Vec::new();
        for code in value {
            match (self.random.below(3), char::from_u32(*code)) {
                (1, Some(character)) => other.extend(character.to_lowercase().map(u32::from)),
                (2, Some(character)) => other.extend(character.to_uppercase().map(u32::from)),
                _ => other.push(*code),
            }
        }
        other
    }

    /// A wildcard's text that the value fits, or nearly fits.
    fn wildcard(&mut self, value: &Text) -> Text {
        const STAR: u32 = '*' as u32;
        let often = self.random.pick(&[5, 15, 30]);
        let (mut out, mut stars, mut at) = (Vec::new(), 0, 0);
        let mut after_star = false;
        while at <= value.len() {
            if !after_star && stars < 5 && self.random.chance(often) {
                out.push(STAR);
                stars += 1;
                // Forwards, or back: then the value must have the same twice, and seldom has.
                at = (at + self.random.below(5)).saturating_sub(1);
                after_star = true;
                continue;
            }
            if let Some(code) = value.get(at) {
                if matches!(*code, STAR | 0x5c) {
                    out.push(0x5c);
                }
                out.push(*code);
            }
            after_star = false;
            at += 1;
        }
        out
    }

    /// A regex that the value fits, or nearly fits.
    fn regex(&mut self, value: &Text) -> Text {
        let mut out = String::new();
        for (at, code) in value.iter().enumerate() {
            if at == 8 {
                // Long ones are slow to compile, and ask nothing more.
                out.push_str(".*");
                break;
            }
            let Some(character) = char::from_u32(*code).filter(|character| ' ' <= *character)
            else {
                out.push('.');
                continue;
            };
            let plain =
                format!("{}{character}", if character.is_ascii_punctuation() { "\\" } else { "" });
            match self.random.below(12) {
                0 => out.push('.'),
                1 => out.push_str(".*"),
                2 => out.push_str(&format!("({plain}|b|\\p{{Lu}})")),
                3 => out.push_str(&format!("[a{plain}0-9]")),
                4 => out.push_str(&format!("{plain}?")),
                5 => out.push_str(&format!("({plain}){{1,3}}")),
                6 => out.push_str("[^xyz]+"),
                _ => out.push_str(&plain),
            }
        }
        text(&out)
    }

    fn unwanted_numbers(&mut self, value: &Number) -> String {
        let mut numbers = vec![value.spelled(self.random)];
        for _ in 0..self.random.below(3) {
            let number = self.world.number(self.random);
            numbers.push(number.spelled(self.random));
        }
        let list = self.one_or_list(&numbers);
        self.object("anything-but", &list)
    }

    fn unwanted_texts(&mut self, value: &Text) -> String {
        let operator = self.random.pick(&[0, 0, 1, 1, 2, 2, 3, 3, 4, 9, 9, 9, 9, 9, 9, 9]);
        let mut texts = Vec::new();
        for at in 0..1 + self.random.below(3) {
            let value = if at == 0 { value.clone() } else { self.world.text(self.random) };
            let text = match operator {
                0 => self.beginning(&value),
                1 => self.end(&value),
                2 => self.other_case(&value),
                3 => self.wildcard(&value),
                4 => self.regex(&value),
                _ => value,
            };
            let refused = text.is_empty() && operator < 2;
            let text = if refused { vec![0x61] } else { text };
            texts.push(self.quoted(&text));
        }
        let list = self.one_or_list(&texts);
        let operators = ["prefix", "suffix", "equals-ignore-case", "wildcard", "slipswitch:regex"];
        match operators.get(operator) {
            Some(operator) => {
                let inner = self.object(operator, &list);
                self.object("anything-but", &inner)
            }
            None => self.object("anything-but", &list),
        }
    }

    /// One value may stand without a list.
    fn one_or_list(&mut self, spelled: &[String]) -> String {
        match spelled {
            [one] if self.random.chance(50) => one.clone(),
            all => format!("[{}]", all.join(",")),
        }
    }
}

fn object(style: Style, random: &mut Random, operator: &str, value: &str) -> String {
    let name = style.quoted(&text(operator), random);
    let spaces: [String; 4] = std::array::from_fn(|_| style.space(random));
    let [before_name, after_name, before, after] = spaces;
    format!("{{{before_name}{name}{after_name}:{before}{value}{after}}}")
}
