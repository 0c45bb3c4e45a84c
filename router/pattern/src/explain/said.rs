//! The entries of a pattern's lists as its author wrote them.
//!
//! A parsed entry knows how to judge a value, not how it was spelled. Sentences are for the author, so
//! they are made of the text: the lists stand in it in the order in which the parser numbers fields.
//!
//! # Not here
//!
//! - Checks: the text was parsed before, and what does not look as expected is passed over.

use std::borrow::Cow;

use crate::json::{Kind, Token, Tokens, decode};
use crate::limits::PATTERN_DEPTH_MAX;
use crate::pattern::Pattern;

/// A part of the text of a pattern.
#[derive(Debug)]
pub(super) enum Said<'p> {
    Text(Cow<'p, [u8]>),
    /// A number, `true`, `false` or `null`.
    Bare(&'p [u8]),
    List(Vec<Said<'p>>),
    Object(Vec<(Cow<'p, [u8]>, Said<'p>)>),
}

impl<'p> Said<'p> {
    /// For each field of the pattern, its entries, `{"exists": false}` among them.
    pub(super) fn entries(pattern: &'p Pattern) -> Vec<Vec<Self>> {
        let mut tokens = Tokens::new(pattern.text().as_bytes(), PATTERN_DEPTH_MAX);
        let mut lists = Vec::new();
        if let Some(Self::Object(members)) = next(&mut tokens) {
            gather(members, &mut lists);
        }
        lists
    }

    /// `{"exists": false}`
    pub(super) fn is_absence(&self) -> bool {
        match self {
            Self::Object(members) => matches!(
                &members[..],
                [(name, Self::Bare(b"false"))] if **name == *b"exists"
            ),
            Self::Text(_) | Self::Bare(_) | Self::List(_) => false,
        }
    }

    /// What the operator was given: of `{"prefix": "a"}` the text.
    pub(super) fn operand(&self) -> &Self {
        match self {
            Self::Object(members) => members.first().map_or(self, |(_, operand)| operand),
            Self::Text(_) | Self::Bare(_) | Self::List(_) => self,
        }
    }

    /// The innermost operand: of `{"prefix": {"equals-ignore-case": "a"}}` the text.
    pub(super) fn innermost(&self) -> &Self {
        let mut said = self;
        while let Self::Object(members) = said
            && let Some((_, operand)) = members.first()
        {
            said = operand;
        }
        said
    }

    /// The operand as a list, whether or not it was written as one.
    pub(super) fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            Self::Text(_) | Self::Bare(_) | Self::Object(_) => std::slice::from_ref(self),
        }
    }

    pub(super) fn text(&self) -> &[u8] {
        match self {
            Self::Text(text) => text,
            Self::Bare(literal) => literal,
            Self::List(_) | Self::Object(_) => &[],
        }
    }
}

/// The lists of an object of fields, in the order of the text.
fn gather<'p>(members: Vec<(Cow<'p, [u8]>, Said<'p>)>, lists: &mut Vec<Vec<Said<'p>>>) {
    for (key, value) in members {
        match value {
            Said::Object(members) => gather(members, lists),
            Said::List(objects) if *key == *b"$or" => {
                for object in objects {
                    if let Said::Object(members) = object {
                        gather(members, lists);
                    }
                }
            }
            Said::List(entries) => lists.push(entries),
            Said::Text(_) | Said::Bare(_) => (),
        }
    }
}

fn next<'p>(tokens: &mut Tokens<'p>) -> Option<Said<'p>> {
    let token = tokens.next().ok()??;
    value(tokens, &token)
}

/// It recurses as deep as the parser lets a pattern nest.
fn value<'p>(tokens: &mut Tokens<'p>, token: &Token) -> Option<Said<'p>> {
    let bytes = &tokens.text()[token.span.clone()];
    Some(match token.kind {
        Kind::String | Kind::Key => Said::Text(decode(bytes)),
        Kind::Number | Kind::True | Kind::False | Kind::Null => Said::Bare(bytes),
        Kind::ArrayStart => {
            let mut items = Vec::new();
            loop {
                let token = tokens.next().ok()??;
                if token.kind == Kind::ArrayEnd {
                    break Said::List(items);
                }
                items.push(value(tokens, &token)?);
            }
        }
        Kind::ObjectStart => {
            let mut members = Vec::new();
            loop {
                let token = tokens.next().ok()??;
                if token.kind == Kind::ObjectEnd {
                    break Said::Object(members);
                }
                let key = decode(&tokens.text()[token.span]);
                members.push((key, next(tokens)?));
            }
        }
        Kind::ObjectEnd | Kind::ArrayEnd => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_of_a_pattern_has_its_own_list() {
        let text = r#"{"a": [1], "$or": [{"b": ["x", {"exists": false}]}, {"c": {"d.e": [{"numeric": ["=", 2]}]}}], "a": [3]}"#;
        let pattern = Pattern::parse(text).unwrap();
        let said = Said::entries(&pattern);
        assert_eq!(said.len(), pattern.fields().len());
        let firsts: Vec<&[u8]> =
            said.iter().map(|list| list[0].innermost().items()[0].text()).collect();
        assert_eq!(firsts, [b"1".as_slice(), b"x", b"=", b"3"]);
        assert!(said[1][1].is_absence() && !said[1][0].is_absence());
    }
}
