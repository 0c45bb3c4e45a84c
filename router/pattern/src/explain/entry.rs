//! One entry of a list in words: what it asks for, and why a value does not answer it.
//!
//! ```text
//! {"numeric": [">", 100]}     a number > 100      is > 100      is not > 100
//! ```
//!
//! # Not here
//!
//! - Judging: whether a value fits is [`Wanted::accepts`] alone. What is compared here only chooses
//!   between sentences.

use super::closeness;
use super::said::Said;
use super::words::{bare, path, quoted};
use crate::address::Address;
use crate::number::Decimal;
use crate::value::{Number, Unwanted, Value, Wanted};
use crate::wildcard::Wildcard;

/// What `anything-but` and the like show of their lists.
const ITEMS_SHOWN_MAX: usize = 5;

#[derive(Clone, Copy)]
pub(super) struct Entry<'p> {
    /// `None` for `{"exists": false}`.
    wanted: Option<&'p Wanted>,
    said: &'p Said<'p>,
}

/// An entry in three forms.
pub(super) struct Claim {
    /// `a number > 100`
    pub(super) noun: String,
    /// `is > 100`
    pub(super) does: String,
    /// `is not > 100`
    pub(super) does_not: String,
}

impl Claim {
    fn is(noun: impl Into<String>, what: &str) -> Self {
        Self { noun: noun.into(), does: format!("is {what}"), does_not: format!("is not {what}") }
    }

    /// Of a string; `verb` is `begin with` or the like.
    fn string(verb: Verb, what: &str) -> Self {
        let Verb { does, base } = verb;
        Self {
            noun: format!("a string that {does} {what}"),
            does: format!("{does} {what}"),
            does_not: format!("does not {base} {what}"),
        }
    }
}

#[derive(Clone, Copy)]
struct Verb {
    does: &'static str,
    base: &'static str,
}

const BEGINS: Verb = Verb { does: "begins with", base: "begin with" };
const ENDS: Verb = Verb { does: "ends with", base: "end with" };
const EQUALS: Verb = Verb { does: "equals", base: "equal" };
const MATCHES: Verb = Verb { does: "matches", base: "match" };

impl<'p> Entry<'p> {
    /// The entries of a field, from how it was parsed and how it was written.
    pub(super) fn of_field(wanted: &'p [Wanted], said: &'p [Said<'p>]) -> Vec<Self> {
        let mut wanted = wanted.iter();
        let entry = |said: &'p Said<'p>| {
            if said.is_absence() {
                return Some(Self { wanted: None, said });
            }
            Some(Self { wanted: Some(wanted.next()?), said })
        };
        said.iter().filter_map(entry).collect()
    }

    pub(super) fn wanted(self) -> Option<&'p Wanted> {
        self.wanted
    }

    pub(super) fn accepts(self, value: &Value<'_>) -> bool {
        self.wanted.is_some_and(|wanted| wanted.accepts(value))
    }

    /// It asks for one value, which it spells out.
    pub(super) fn is_literal(self) -> bool {
        use Wanted as W;
        matches!(self.wanted, Some(W::Text(_) | W::Number(_) | W::True | W::False | W::Null))
            || matches!((self.wanted, self.said), (Some(W::Address(_)), Said::Text(_)))
    }

    pub(super) fn is_exclusion(self) -> bool {
        matches!(self.wanted, Some(Wanted::AnythingBut(_)))
    }

    pub(super) fn claim(self) -> Claim {
        use Wanted as W;
        let Some(wanted) = self.wanted else {
            let words = ["no value", "is absent", "is there"].map(str::to_owned);
            let [noun, does, does_not] = words;
            return Claim { noun, does, does_not };
        };
        let said = || quoted(self.said.innermost().text());
        match wanted {
            W::Text(text) => Claim::is(quoted(text), &quoted(text)),
            // Also what `cidr` makes of a network of one address.
            W::Address(_) if matches!(self.said, Said::Object(_)) => self.network(),
            W::Address(_) => Claim::is(said(), &said()),
            W::Number(number) => Claim::is(bare(&number.spelling), &bare(&number.spelling)),
            W::True => Claim::is("true", "true"),
            W::False => Claim::is("false", "false"),
            W::Null => Claim::is("null", "null"),
            W::Present => Claim::is("any value", "a value"),
            W::Prefix(text) => Claim::string(BEGINS, &quoted(text)),
            W::Suffix(text) => Claim::string(ENDS, &quoted(text)),
            W::IgnoreCase(_) => {
                let what = format!("{} in any case", said());
                Claim::is(what.clone(), &what)
            }
            W::PrefixIgnoreCase(_) => Claim::string(BEGINS, &format!("{} in any case", said())),
            W::SuffixIgnoreCase(_) => Claim::string(ENDS, &format!("{} in any case", said())),
            W::Wildcard(_) => Claim::string(MATCHES, &said()),
            W::Range(_) => Claim::is(format!("a number {}", self.range()), &self.range()),
            W::Network(_) => self.network(),
            W::AnythingBut(_) => self.exclusion(),
            W::Regex(_) => Claim::string(MATCHES, &format!("the regex {}", said())),
            W::All(wanted) => together(&Self::of_field(wanted, self.said.operand().items())),
        }
    }

    /// Why the value does not fit, which it does not. `shown` is the value in words.
    pub(super) fn miss(self, value: &Value<'_>, shown: &str) -> String {
        use Wanted as W;
        let Some(wanted) = self.wanted else {
            return format!("{shown} is there, expected no value");
        };
        if closeness::kind_wanted(wanted).is_some_and(|kind| kind != closeness::kind(value)) {
            return self.other_kind(value, shown);
        }
        match (wanted, value) {
            (W::AnythingBut(unwanted), _) => self.excluded(unwanted, value, shown),
            (W::Range(_), Value::Number(number)) => match &number.value {
                Some(number) => self.beyond(number, shown),
                None => format!("{shown} is too large, or too near to zero, to be compared"),
            },
            (W::All(wanted), _) => {
                let inner = Self::of_field(wanted, self.said.operand().items());
                match inner.into_iter().find(|one| !one.accepts(value)) {
                    Some(one) => one.miss(value, shown),
                    None => format!("{shown} {}", self.claim().does_not),
                }
            }
            (W::Number(wanted), Value::Number(Number { value: None, .. }))
                if wanted.value.is_none() =>
            {
                format!(
                    "{shown} {}: numbers of this size fit only as they are spelled",
                    self.claim().does_not
                )
            }
            (W::Network(_) | W::Address(_), Value::Text(text)) if Address::read(text).is_none() => {
                format!("{shown} is not an IP address, expected {}", self.claim().noun)
            }
            (W::Wildcard(_), Value::Text(text)) => self.unlike(text, shown),
            (_, Value::Text(text)) => self.other_text(wanted, text, shown),
            _ => format!("{shown} {}", self.claim().does_not),
        }
    }

    fn other_kind(self, value: &Value<'_>, shown: &str) -> String {
        let noun = self.claim().noun;
        let expected = match self.wanted {
            Some(Wanted::Text(_) | Wanted::Address(_)) if self.is_literal() => {
                format!("the string {noun}")
            }
            Some(Wanted::Number(_)) => format!("the number {noun}"),
            _ => noun,
        };
        format!("{shown} {}, expected {expected}", closeness::kind(value).is_one())
    }

    fn other_text(self, wanted: &Wanted, text: &[u8], shown: &str) -> String {
        let Claim { noun, does_not, .. } = self.claim();
        match closeness::almost(wanted, text) {
            Some(what) if self.is_literal() => {
                format!("{shown} differs from {noun} in {what} only")
            }
            Some(what) => format!("{shown} {does_not}: only {what} differs"),
            None => format!("{shown} {does_not}"),
        }
    }

    fn network(self) -> Claim {
        let network = path(self.said.innermost().text());
        Claim::is(format!("an address in {network}"), &format!("in {network}"))
    }

    /// `> 0 and <= 5`
    fn range(self) -> String {
        let bounds = self.bounds().map(|(operator, bound)| format!("{operator} {}", bare(bound)));
        bounds.collect::<Vec<_>>().join(" and ")
    }

    /// The operators of a range, each with its number.
    fn bounds(self) -> impl Iterator<Item = (&'p str, &'p [u8])> {
        let (pairs, _) = self.said.operand().items().as_chunks::<2>();
        pairs.iter().map(|[operator, bound]| {
            (std::str::from_utf8(operator.text()).unwrap_or_default(), bound.text())
        })
    }

    fn beyond(self, number: &Decimal<'_>, shown: &str) -> String {
        let holds = |(operator, bound): &(&str, &[u8])| {
            let order = Decimal::read(bound).map(|bound| number.cmp(&bound));
            order.is_some_and(|order| match *operator {
                "<" => order.is_lt(),
                "<=" => order.is_le(),
                ">" => order.is_gt(),
                ">=" => order.is_ge(),
                _ => order.is_eq(),
            })
        };
        match self.bounds().find(|bound| !holds(bound)) {
            Some((operator, bound)) => format!("{shown} is not {operator} {}", bare(bound)),
            None => format!("{shown} {}", self.claim().does_not),
        }
    }

    /// Which part of a wildcard has no place in the text.
    fn unlike(self, text: &[u8], shown: &str) -> String {
        let said = self.said.innermost().text();
        let not = format!("{shown} does not match {}", quoted(said));
        let parts = parts(said);
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
            return not;
        };
        if parts.len() < 2 {
            return not;
        }
        if !text.starts_with(first) {
            return format!("{not}: it does not begin with {}", quoted(first));
        }
        // A wildcard of the parts up to one says whether that one has a place.
        for (at, part) in parts.iter().enumerate().skip(1).take(parts.len() - 2) {
            let mut until = escaped(&parts[..=at]);
            until.push(b'*');
            if Wildcard::read(&until).is_ok_and(|until| !until.matches(text)) {
                let after = quoted(&parts[at - 1]);
                let after = if at == 1 && first.is_empty() {
                    String::new()
                } else {
                    format!(" after {after}")
                };
                return format!("{not}: there is no {}{after}", quoted(part));
            }
        }
        format!("{not}: it does not end with {}", quoted(last))
    }

    fn exclusion(self) -> Claim {
        let operand = self.said.operand();
        let items: Vec<String> = operand.innermost().items().iter().map(literal).collect();
        let listed = super::words::list(&items, ITEMS_SHOWN_MAX, "or");
        let Said::Object(members) = operand else {
            let what = super::words::list(&items, ITEMS_SHOWN_MAX, "and");
            let (does, does_not) = match &items[..] {
                [_] => (format!("is not {listed}"), format!("is {listed}")),
                _ => (format!("is none of {what}"), format!("is one of {what}")),
            };
            return Claim { noun: format!("anything but {what}"), does, does_not };
        };
        let Verb { does, base } = verb_of(members.first().map_or(&[], |(name, _)| name));
        Claim {
            noun: format!("anything that does not {base} {listed}"),
            does: format!("does not {base} {listed}"),
            does_not: format!("{does} {listed}"),
        }
    }

    fn excluded(self, unwanted: &[Unwanted], value: &Value<'_>, shown: &str) -> String {
        let operand = self.said.operand();
        let describes = |one: &&Unwanted| !Wanted::AnythingBut(vec![(*one).clone()]).accepts(value);
        let at = unwanted.iter().position(|one| describes(&one));
        let item = at.and_then(|at| operand.innermost().items().get(at));
        match (operand, item) {
            (Said::Object(members), Some(item)) => {
                let Verb { does, .. } = verb_of(members.first().map_or(&[], |(name, _)| name));
                format!("{shown} {does} {}, which is excluded", literal(item))
            }
            _ => format!("{shown} is excluded, expected {}", self.claim().noun),
        }
    }
}

/// Entries of which all have to fit.
fn together(entries: &[Entry<'_>]) -> Claim {
    let claims: Vec<Claim> = entries.iter().map(|entry| entry.claim()).collect();
    let all: Vec<String> = claims.into_iter().map(|claim| claim.does).collect();
    let all = super::words::list(&all, ITEMS_SHOWN_MAX, "and");
    Claim {
        noun: format!("a value that {all}"),
        does_not: format!("is not one that {all}"),
        does: all,
    }
}

fn verb_of(operator: &[u8]) -> Verb {
    match operator {
        b"prefix" => BEGINS,
        b"suffix" => ENDS,
        b"equals-ignore-case" => EQUALS,
        _ => MATCHES,
    }
}

fn literal(said: &Said<'_>) -> String {
    match said {
        Said::Text(text) => quoted(text),
        Said::Bare(_) | Said::List(_) | Said::Object(_) => bare(said.text()),
    }
}

/// The literals of a wildcard, unescaped.
fn parts(wildcard: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = vec![Vec::new()];
    let mut bytes = wildcard.iter();
    while let Some(byte) = bytes.next() {
        let literal = match byte {
            b'*' => {
                parts.push(Vec::new());
                continue;
            }
            b'\\' => bytes.next().unwrap_or(byte),
            byte => byte,
        };
        if let Some(part) = parts.last_mut() {
            part.push(*literal);
        }
    }
    parts
}

/// The wildcard of such literals.
fn escaped(parts: &[Vec<u8>]) -> Vec<u8> {
    let escape = |part: &Vec<u8>| {
        let escape = |byte: &u8| match byte {
            b'*' | b'\\' => vec![b'\\', *byte],
            byte => vec![*byte],
        };
        part.iter().flat_map(escape).collect::<Vec<u8>>()
    };
    parts.iter().map(escape).collect::<Vec<_>>().join(&b'*')
}
