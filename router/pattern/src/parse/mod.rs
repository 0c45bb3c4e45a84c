//! From a text to the rows of a pattern.
//!
//! The text is judged while it is read, token by token, so that the first mistake is the one
//! reported, be it of JSON or of the pattern language. This, the order of the checks and the
//! messages are those of AWS's engine, because people search the web for messages.
//!
//! # Invariants
//!
//! - A path has one meaning in a branch: a later field takes the place of an earlier one of the same
//!   path, also across nested objects, dotted keys and `$or`.
//! - Work and memory are bounded by [`crate::limits`], not by the product that `$or` lists describe.
//!
//! # Not here
//!
//! - What one entry of a field's list says: `expression`.

mod anything_but;
mod expression;
mod names;
mod numeric;
mod ours;
mod reader;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::json::Kind;
use crate::limits::{BRANCH_FIELDS_MAX, OR_BRANCHES_MAX, PATTERN_BYTES_MAX};
use crate::pattern::{Dialect, Field, ParseError, Rows, path_order};
use crate::value::Wanted;
use expression::Entry;
pub(crate) use names::is_operator;
use reader::{Reader, error};

const OR: &[u8] = b"$or";

/// Names that mean, or may come to mean, something other than a field inside `$or`.
const RESERVED: [&[u8]; 24] = [
    b"exactly",
    b"equals-ignore-case",
    b"prefix",
    b"suffix",
    b"anything-but",
    b"exists",
    b"wildcard",
    b"numeric",
    b"cidr",
    b"=",
    b"<",
    b"<=",
    b">",
    b">=",
    b"regex",
    b"not-wildcard",
    b"not-equals-ignore-case",
    b"date-after",
    b"date-on-or-after",
    b"date-before",
    b"date-on-or-before",
    b"in-date-range",
    b"ip-address-in-range",
    b"ip-address-not-in-range",
];

/// Reads the whole text.
pub(crate) fn rows(text: &str, dialect: Dialect) -> Result<Rows, ParseError> {
    if PATTERN_BYTES_MAX < text.len() {
        let message = format!(
            "the pattern has {} bytes, at most {PATTERN_BYTES_MAX} are allowed",
            text.len()
        );
        return Err(error(0..text.len(), message, "split the pattern into several rules"));
    }
    let reader = Reader::new(text, dialect);
    let mut parser = Parser { reader, fields: Vec::new(), paths: HashMap::new(), built: 0 };
    match parser.reader.first()? {
        Some(token) if token.kind == Kind::ObjectStart => (),
        token => {
            let span = token.map_or(0..text.len(), |token| token.span);
            return Err(error(
                span,
                "Filter is not an object",
                "write the pattern as {\"field\": [values]}",
            ));
        }
    }
    let mut branches = Branches { rows: Vec::new() };
    parser.object(&Place { path: None, key: 0, in_or: false }, &mut branches)?;
    parser.reader.finish()?;
    Ok(parser.into_rows(branches))
}

/// Where the parser is in the pattern.
struct Place {
    /// `None` at the root: its keys have no dot before them.
    path: Option<Vec<u8>>,
    /// Where in the path the last key begins, which may have dots of its own.
    key: usize,
    in_or: bool,
}

impl Place {
    fn key(&self) -> Option<&[u8]> {
        self.path.as_ref().and_then(|path| path.get(self.key..))
    }

    fn child(&self, key: &[u8]) -> Vec<u8> {
        match &self.path {
            Some(path) => [path, b".".as_slice(), key].concat(),
            None => key.to_vec(),
        }
    }
}

/// The branches so far, each from path to field. None yet is not the same as one without fields.
#[derive(Clone)]
struct Branches {
    rows: Vec<BTreeMap<usize, usize>>,
}

struct Parser<'a> {
    reader: Reader<'a>,
    fields: Vec<Field>,
    paths: HashMap<Vec<u8>, usize>,
    /// How many fields were put into branches, or copied with one, so far.
    built: usize,
}

impl Parser<'_> {
    /// The rest of an object of fields.
    fn object(&mut self, place: &Place, branches: &mut Branches) -> Result<(), ParseError> {
        let mut is_empty = true;
        loop {
            let token = self.reader.next()?;
            if token.kind != Kind::Key {
                if is_empty {
                    let mend = "name a field, or remove the object";
                    return Err(error(token.span, "Empty objects are not allowed", mend));
                }
                return Ok(());
            }
            is_empty = false;
            let key = self.reader.string(&token);
            if *key == *OR {
                self.or(place, &token.span, branches)?;
            } else {
                self.field(place, (&key, token.span), branches)?;
            }
        }
    }

    fn field(
        &mut self,
        place: &Place,
        (key, span): (&[u8], Range<usize>),
        branches: &mut Branches,
    ) -> Result<(), ParseError> {
        let shown = String::from_utf8_lossy(key);
        if place.in_or && RESERVED.contains(&key) {
            let message =
                format!("{shown} is Ruler reserved fieldName which cannot be used inside $or.");
            let mend = "$or takes objects of fields: {\"$or\": [{\"field\": [values]}, …]}";
            return Err(error(span, message, mend));
        }
        if self.reader.dialect == Dialect::Slipswitch && key.starts_with(ours::PREFIX) {
            let message = format!("{shown} cannot be the name of a field");
            let mend = format!(
                "operators stand in the list of a field: \"field\": [{{\"{shown}\": …}}]; a field of this name is written with its parent: \"parent.{shown}\""
            );
            return Err(error(span, message, &mend));
        }
        let path = place.child(key);
        let value = self.reader.next()?;
        match value.kind {
            Kind::ObjectStart => {
                let start = path.len() - key.len();
                let inner = Place { path: Some(path), key: start, in_or: place.in_or };
                self.object(&inner, branches)
            }
            Kind::ArrayStart => {
                let (wanted, or_absent) = self.list().map_err(|error| {
                    let is_unknown = error.message.starts_with(expression::UNRECOGNIZED);
                    match names::mend_of_alternatives(key).filter(|_| is_unknown) {
                        Some(mend) => ParseError { mend: mend.to_owned(), ..error },
                        None => error,
                    }
                })?;
                self.put(Field { path: path.into(), wanted, or_absent }, &span, branches)
            }
            _ => {
                let message = format!("\"{shown}\" must be an object or an array");
                let mend = names::mend_of_field(key, place.key());
                let mend = mend.as_deref().unwrap_or("put the value in a list: [value]");
                Err(error(value.span, message, mend))
            }
        }
    }

    /// The rest of a field's list.
    fn list(&mut self) -> Result<(Vec<Wanted>, bool), ParseError> {
        let mut wanted = Vec::new();
        let mut or_absent = false;
        loop {
            let token = self.reader.next()?;
            if token.kind == Kind::ArrayEnd {
                if wanted.is_empty() && !or_absent {
                    let mend = "list what the field may be, or ask with [{\"exists\": false}] that it is missing";
                    return Err(error(token.span, "Empty arrays are not allowed", mend));
                }
                wanted.shrink_to_fit();
                return Ok((wanted, or_absent));
            }
            match expression::entry(&mut self.reader, token)? {
                Entry::Wanted(one) => wanted.push(one),
                Entry::Absent => or_absent = true,
            }
        }
    }

    /// The value of `$or`: each object continues each branch so far.
    fn or(
        &mut self,
        place: &Place,
        key: &Range<usize>,
        branches: &mut Branches,
    ) -> Result<(), ParseError> {
        let before = std::mem::replace(branches, Branches { rows: Vec::new() });
        let start = self.reader.next()?;
        if start.kind != Kind::ArrayStart {
            let mend = "write {\"$or\": [{…}, {…}]}";
            return Err(error(start.span, "It must be an Array followed with $or.", mend));
        }
        let inner = Place { path: place.path.clone(), key: place.key, in_or: true };
        let mut objects = 0;
        loop {
            let token = self.reader.next()?;
            match token.kind {
                Kind::ArrayEnd if objects < 2 => {
                    let message = "There must have at least 2 Objects in $or relationship.";
                    let mend = "give a second alternative, or write the fields without $or";
                    return Err(error(start.span.start..token.span.end, message, mend));
                }
                Kind::ArrayEnd => return Ok(()),
                Kind::ObjectStart => {
                    objects += 1;
                    let copied = before.rows.iter().map(BTreeMap::len).sum();
                    self.grow(branches.rows.len() + before.rows.len(), copied, key)?;
                    let mut alternative = before.clone();
                    self.object(&inner, &mut alternative)?;
                    self.grow(branches.rows.len() + alternative.rows.len(), 0, key)?;
                    branches.rows.append(&mut alternative.rows);
                }
                _ => {
                    let message = "Only JSON object is allowed in array of $or relationship.";
                    return Err(error(token.span, message, "write {\"field\": [values]} here"));
                }
            }
        }
    }

    fn put(
        &mut self,
        field: Field,
        span: &Range<usize>,
        branches: &mut Branches,
    ) -> Result<(), ParseError> {
        self.grow(branches.rows.len(), branches.rows.len(), span)?;
        let next = self.paths.len();
        let path = *self.paths.entry(field.path.to_vec()).or_insert(next);
        let position = self.fields.len();
        self.fields.push(field);
        if branches.rows.is_empty() {
            branches.rows.push(BTreeMap::new());
        }
        for row in &mut branches.rows {
            row.insert(path, position);
        }
        Ok(())
    }

    /// Refuses what `$or` lists multiply to, before it is built: so many branches, so many more fields.
    fn grow(
        &mut self,
        branches: usize,
        fields: usize,
        span: &Range<usize>,
    ) -> Result<(), ParseError> {
        self.built += fields;
        let message = if OR_BRANCHES_MAX < branches {
            format!(
                "Rule is too complex - the $or lists make more than {OR_BRANCHES_MAX} combinations"
            )
        } else if BRANCH_FIELDS_MAX < self.built {
            format!(
                "Rule is too complex - the $or combinations have more than {BRANCH_FIELDS_MAX} fields"
            )
        } else {
            return Ok(());
        };
        Err(error(
            span.clone(),
            message,
            "use fewer alternatives, or split the pattern into several rules",
        ))
    }

    fn into_rows(self, branches: Branches) -> Rows {
        // There may be very many patterns: none keeps room that it does not need.
        let mut fields = self.fields;
        fields.shrink_to_fit();
        let order =
            |left: &usize, right: &usize| path_order(&fields[*left].path, &fields[*right].path);
        let in_order = |row: BTreeMap<usize, usize>| {
            let mut row: Vec<usize> = row.into_values().collect();
            row.sort_unstable_by(order);
            row.shrink_to_fit();
            row
        };
        let branches = branches.rows.into_iter().map(in_order).collect();
        Rows { fields, branches }
    }
}
