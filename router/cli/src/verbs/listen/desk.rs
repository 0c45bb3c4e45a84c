//! What `slipswitch listen` has before it: the last events, and the one that is chosen.
//!
//! # Not here
//!
//! - The terminal: keys come in, and what to do comes out.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::client::Told;
use crate::keys::Key;

/// Events that can be sent again.
const KEPT_MAX: usize = 20;

/// An event that was delivered, by its number in this run.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) number: u64,
    pub(super) told: Rc<Told>,
    pub(super) id: String,
    pub(super) detail_type: String,
    pub(super) attempts: u32,
}

/// What a key asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// The event of this number.
    Resend(u64),
    Help,
    Quit,
    /// Another one is chosen.
    Show,
    Nothing,
}

#[derive(Default)]
pub(super) struct Desk {
    kept: VecDeque<Kept>,
    count: u64,
    /// None: the last one, whichever that is.
    chosen: Option<u64>,
    typed: String,
}

impl Desk {
    pub(super) fn keep(&mut self, told: Told, id: String, detail_type: String) -> Kept {
        self.count += 1;
        let (number, told) = (self.count, Rc::new(told));
        let kept = Kept { number, told, id, detail_type, attempts: 1 };
        self.kept.push_back(kept.clone());
        if KEPT_MAX < self.kept.len() {
            self.kept.pop_front();
        }
        if self.chosen.is_some_and(|chosen| self.find(chosen).is_none()) {
            self.chosen = None;
        }
        kept
    }

    /// Takes an event up once more.
    pub(super) fn again(&mut self, number: u64) -> Option<Kept> {
        let kept = self.kept.iter_mut().find(|kept| kept.number == number)?;
        kept.attempts += 1;
        Some(kept.clone())
    }

    /// The one that a resend would send.
    pub(super) fn chosen(&self) -> Option<&Kept> {
        match self.chosen {
            Some(number) => self.find(number),
            None => self.kept.back(),
        }
    }

    pub(super) fn is_last_chosen(&self) -> bool {
        self.chosen.is_none()
    }

    pub(super) fn press(&mut self, key: Key) -> Act {
        if let Key::Char(digit @ '0'..='9') = key {
            return self.digit(digit);
        }
        self.typed.clear();
        match key {
            Key::Char('q') => Act::Quit,
            Key::Char('?' | 'h') => Act::Help,
            Key::Char('r') | Key::Enter => {
                self.chosen().map_or(Act::Nothing, |kept| Act::Resend(kept.number))
            }
            Key::Up => self.step(|number| number.saturating_sub(1)),
            Key::Down => self.step(|number| number + 1),
            Key::Escape => {
                self.chosen = None;
                Act::Show
            }
            Key::Char(_) => Act::Nothing,
        }
    }

    fn find(&self, number: u64) -> Option<&Kept> {
        self.kept.iter().find(|kept| kept.number == number)
    }

    fn step(&mut self, to: impl Fn(u64) -> u64) -> Act {
        let Some(now) = self.chosen().map(|kept| kept.number) else { return Act::Nothing };
        let next = to(now);
        if self.find(next).is_some() {
            self.chosen = (next != self.count).then_some(next);
        }
        Act::Show
    }

    /// Digits make a number; one that leads nowhere begins another.
    fn digit(&mut self, digit: char) -> Act {
        self.typed.push(digit);
        let leads =
            |typed: &str| self.kept.iter().any(|kept| kept.number.to_string().starts_with(typed));
        if !leads(&self.typed) {
            self.typed = digit.to_string();
        }
        let found = self.typed.parse().ok().filter(|number| self.find(*number).is_some());
        if let Some(number) = found {
            self.chosen = (number != self.count).then_some(number);
        }
        Act::Show
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn desk(events: u64) -> Desk {
        let mut desk = Desk::default();
        for offset in 0..events {
            let told = Told {
                bus: String::new(),
                offset,
                taken_at: String::new(),
                event: RawValue::from_string("{}".to_owned()).unwrap(),
                matched: Vec::new(),
                text: String::new(),
            };
            desk.keep(told, String::new(), String::new());
        }
        desk
    }

    fn chosen(desk: &Desk) -> Option<u64> {
        desk.chosen().map(|kept| kept.number)
    }

    #[test]
    fn the_last_one_is_sent_again_unless_another_is_chosen() {
        let mut desk = desk(3);
        assert_eq!(desk.press(Key::Char('r')), Act::Resend(3));
        assert_eq!(desk.press(Key::Up), Act::Show);
        assert_eq!(desk.press(Key::Enter), Act::Resend(2));
        desk.press(Key::Up);
        desk.press(Key::Up);
        assert_eq!(chosen(&desk), Some(1), "it ends at the first");
        desk.press(Key::Down);
        desk.press(Key::Down);
        desk.press(Key::Down);
        assert!(desk.is_last_chosen());
        assert_eq!(desk.again(3).map(|kept| kept.attempts), Some(2));
        assert_eq!(super::tests::desk(0).press(Key::Char('r')), Act::Nothing);
    }

    #[test]
    fn a_number_chooses_and_one_that_leads_nowhere_begins_another() {
        let mut desk = desk(25);
        for key in "12".chars() {
            desk.press(Key::Char(key));
        }
        assert_eq!(chosen(&desk), Some(12));
        for (key, expected) in [('9', 9), ('2', 9), ('3', 23), ('5', 23)] {
            desk.press(Key::Char(key));
            assert_eq!(chosen(&desk), Some(expected), "after {key}");
        }
        desk.press(Key::Escape);
        assert_eq!(chosen(&desk), Some(25));
    }

    #[test]
    fn the_last_twenty_are_kept() {
        let mut desk = desk(21);
        assert!(desk.again(1).is_none() && desk.again(2).is_some());
        for key in [Key::Char('2'), Key::Char('x')] {
            desk.press(key);
        }
        assert_eq!(chosen(&desk), Some(2));
        let told = Rc::clone(&desk.chosen().unwrap().told);
        desk.keep(
            Told {
                text: String::new(),
                bus: String::new(),
                taken_at: String::new(),
                matched: Vec::new(),
                event: told.event.clone(),
                offset: 0,
            },
            String::new(),
            String::new(),
        );
        assert_eq!(chosen(&desk), Some(22), "what is gone is not chosen");
    }
}
