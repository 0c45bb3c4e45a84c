//! What a pattern asks of one value, and whether a value answers it.
//!
//! # Invariants
//!
//! - Asking looks at the value alone; arrays and missing fields are the matcher's business.
//! - A number never answers what is asked of text, nor text what is asked of a number.

use crate::address::{Address, Network};
use crate::ignore_case::IgnoreCase;
use crate::number::Decimal;
use crate::regex::Regex;
use crate::wildcard::Wildcard;

/// A leaf of an event. Text is unescaped.
#[derive(Clone, Debug)]
pub(crate) enum Value<'a> {
    Text(&'a [u8]),
    Number(Number<'a>),
    True,
    False,
    Null,
}

/// A number of an event.
#[derive(Clone, Debug)]
pub(crate) struct Number<'a> {
    /// As the sender spelled it.
    pub(crate) literal: &'a [u8],
    /// `None` when its size is beyond comparing.
    pub(crate) value: Option<Decimal<'a>>,
}

/// One entry of a field's list, other than `{"exists": false}`.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    Text(Box<[u8]>),
    /// A text that is an IP address equals every spelling of that address.
    Address(Address),
    Number(PlainNumber),
    True,
    False,
    Null,
    /// Any leaf.
    Present,
    Prefix(Box<[u8]>),
    Suffix(Box<[u8]>),
    IgnoreCase(IgnoreCase),
    PrefixIgnoreCase(IgnoreCase),
    SuffixIgnoreCase(IgnoreCase),
    Wildcard(Wildcard),
    Range(Range),
    Network(Network),
    /// Any leaf that none of these describes.
    AnythingBut(Vec<Unwanted>),
    /// Ours: a text that the regex describes from its beginning to its end.
    Regex(Regex),
    /// Ours: a leaf that each of these accepts.
    All(Vec<Wanted>),
}

/// A number that stands in a list by itself.
#[derive(Clone, Debug)]
pub(crate) struct PlainNumber {
    pub(crate) spelling: Box<[u8]>,
    /// `None` where its size is beyond comparing: then it counts only as it is spelled.
    pub(crate) value: Option<Decimal<'static>>,
}

/// What `anything-but` excludes.
#[derive(Clone, Debug)]
pub(crate) enum Unwanted {
    Text(Box<[u8]>),
    Number(Decimal<'static>),
    Prefix(Box<[u8]>),
    Suffix(Box<[u8]>),
    IgnoreCase(IgnoreCase),
    Wildcard(Wildcard),
    /// Ours.
    Regex(Regex),
}

/// An end of a range.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) value: Decimal<'static>,
    pub(crate) inclusive: bool,
}

/// The numbers between two bounds, of which at least one is there.
#[derive(Clone, Debug)]
pub(crate) struct Range {
    pub(crate) bottom: Option<Bound>,
    pub(crate) top: Option<Bound>,
}

impl Wanted {
    pub(crate) fn accepts(&self, value: &Value<'_>) -> bool {
        use Wanted as W;
        match (self, value) {
            (W::Present, _)
            | (W::True, Value::True)
            | (W::False, Value::False)
            | (W::Null, Value::Null) => true,
            (W::AnythingBut(unwanted), value) => {
                !unwanted.iter().any(|unwanted| unwanted.describes(value))
            }
            (W::All(wanted), value) => wanted.iter().all(|wanted| wanted.accepts(value)),

            (W::Text(wanted), Value::Text(text)) => **wanted == **text,
            (W::Address(wanted), Value::Text(text)) => Address::read(text) == Some(*wanted),
            (W::Prefix(prefix), Value::Text(text)) => text.starts_with(prefix),
            (W::Suffix(suffix), Value::Text(text)) => text.ends_with(suffix),
            (W::IgnoreCase(wanted), Value::Text(text)) => wanted.equals(text),
            (W::PrefixIgnoreCase(prefix), Value::Text(text)) => prefix.begins(text),
            (W::SuffixIgnoreCase(suffix), Value::Text(text)) => suffix.ends(text),
            (W::Wildcard(wildcard), Value::Text(text)) => wildcard.matches(text),
            (W::Regex(regex), Value::Text(text)) => regex.fits(text),
            (W::Network(network), Value::Text(text)) => {
                Address::read(text).is_some_and(|address| network.contains(address))
            }

            (W::Number(wanted), Value::Number(number)) => wanted.equals(number),
            (W::Range(range), Value::Number(number)) => {
                number.value.as_ref().is_some_and(|number| range.contains(number))
            }
            _ => false,
        }
    }
}

impl<'a> Number<'a> {
    pub(crate) fn read(literal: &'a [u8]) -> Self {
        Self { literal, value: Decimal::read(literal) }
    }
}

impl PlainNumber {
    pub(crate) fn new(spelling: &[u8]) -> Self {
        let value = Decimal::read(spelling).map(Decimal::into_owned);
        Self { spelling: spelling.into(), value }
    }

    fn equals(&self, number: &Number<'_>) -> bool {
        *self.spelling == *number.literal || self.value.is_some() && self.value == number.value
    }
}

impl Unwanted {
    fn describes(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Text(unwanted), Value::Text(text)) => **unwanted == **text,
            (Self::Prefix(prefix), Value::Text(text)) => text.starts_with(prefix),
            (Self::Suffix(suffix), Value::Text(text)) => text.ends_with(suffix),
            (Self::IgnoreCase(unwanted), Value::Text(text)) => unwanted.equals(text),
            (Self::Wildcard(wildcard), Value::Text(text)) => wildcard.matches(text),
            (Self::Regex(regex), Value::Text(text)) => regex.fits(text),
            (Self::Number(unwanted), Value::Number(number)) => {
                number.value.as_ref().is_some_and(|number| number == unwanted)
            }
            _ => false,
        }
    }
}

impl Range {
    /// The one number.
    pub(crate) fn only(value: Decimal<'static>) -> Self {
        let bound = Bound { value, inclusive: true };
        Self { bottom: Some(bound.clone()), top: Some(bound) }
    }

    /// The number that is the whole range, if it is one.
    pub(crate) fn the_only(&self) -> Option<&Decimal<'static>> {
        let (bottom, top) = (self.bottom.as_ref()?, self.top.as_ref()?);
        let is_one = bottom.inclusive && top.inclusive && bottom.value == top.value;
        is_one.then_some(&bottom.value)
    }

    fn contains(&self, number: &Decimal<'_>) -> bool {
        let above = self.bottom.as_ref().is_none_or(|bottom| {
            bottom.value < *number || bottom.inclusive && bottom.value == *number
        });
        let below = self
            .top
            .as_ref()
            .is_none_or(|top| *number < top.value || top.inclusive && top.value == *number);
        above && below
    }
}
