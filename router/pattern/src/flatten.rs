//! An event, reduced to the leaves that patterns name.
//!
//! ```text
//! {"a": [{"b": 1}, {"b": [2, 3]}], "c": "x"}        for the paths a.b and c
//!
//! elements   0: the whole event    1: a[0], in 0    2: a[1], in 0
//! leaves     a.b: 1 in 1    a.b: 2 in 2    a.b: 3 in 2    c: "x" in 0
//! ```
//!
//! Keys join with dots; array positions are not part of a path. An object or array inside an array
//! is an [`Element`], and a leaf belongs to the innermost one around it. Scalars directly in an array
//! are not told apart, so they belong to what is around the array.
//!
//! # Invariants
//!
//! - Elements are numbered in the order in which they begin, so those inside an element are the
//!   numbers after its own up to its end.
//! - Nothing recurses, and what is kept is proportional to what the paths select.

use std::collections::HashMap;

use crate::event::{Event, EventError};
use crate::json::{Kind, SyntaxError, Token, Tokens, decode};
use crate::limits::EVENT_DEPTH_MAX;
use crate::value::{Number, Value};

/// The number of a path that some pattern names.
pub(crate) type PathId = usize;

/// The paths that patterns name, and the ways to them.
#[derive(Default)]
pub(crate) struct Paths {
    known: HashMap<Box<[u8]>, Known>,
    len: usize,
}

/// What is known of a path or of its beginning up to a dot.
#[derive(Copy, Clone, Default)]
struct Known {
    leaf: Option<PathId>,
    /// Some longer path goes on from here.
    leads_on: bool,
}

/// An object or array that is an entry of an array; number 0 is the event itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element {
    pub(crate) array: usize,
    pub(crate) parent: usize,
    /// The number after the last element inside this one.
    pub(crate) end: usize,
}

/// An array that has elements, by the numbers of these.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Array {
    pub(crate) end: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    pub(crate) element: usize,
    kind: Kind,
    start: usize,
    end: usize,
    /// The text is unescaped, in the scratch; otherwise the range is in the event.
    unescaped: bool,
}

/// The leaves of one event; kept from event to event for its memory.
#[derive(Default)]
pub(crate) struct Leaves {
    by_path: Vec<Vec<Leaf>>,
    touched: Vec<PathId>,
    pub(crate) elements: Vec<Element>,
    pub(crate) arrays: Vec<Array>,
    unescaped: Vec<u8>,
}

impl Paths {
    pub(crate) fn add(&mut self, path: &[u8]) -> PathId {
        for (at, byte) in path.iter().enumerate() {
            if *byte == b'.' {
                self.entry(&path[..at]).leads_on = true;
            }
        }
        let next = self.len;
        let known = self.entry(path);
        let id = *known.leaf.get_or_insert(next);
        self.len = self.len.max(id + 1);
        id
    }

    fn entry(&mut self, path: &[u8]) -> &mut Known {
        self.known.entry(path.into()).or_default()
    }

    fn find(&self, path: &[u8]) -> Known {
        self.known.get(path).copied().unwrap_or_default()
    }
}

impl Leaves {
    pub(crate) fn at(&self, path: PathId) -> &[Leaf] {
        self.by_path.get(path).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn value<'a>(&'a self, leaf: &Leaf, event: &'a [u8]) -> Value<'a> {
        let source = if leaf.unescaped { &self.unescaped } else { event };
        let bytes = &source[leaf.start..leaf.end];
        match leaf.kind {
            Kind::Number => Value::Number(Number::read(bytes)),
            Kind::True => Value::True,
            Kind::False => Value::False,
            Kind::Null => Value::Null,
            _ => Value::Text(bytes),
        }
    }

    /// Reads an event, keeping the leaves at `paths`.
    pub(crate) fn read(&mut self, event: Event<'_>, paths: &Paths) -> Result<(), EventError> {
        self.clear(paths.len);
        let mut tokens = Tokens::new(event.bytes(), EVENT_DEPTH_MAX);
        if tokens.next()?.is_none_or(|token| token.kind != Kind::ObjectStart) {
            let message = "Event must be a JSON object".to_owned();
            return Err(EventError { offset: 0, message });
        }
        let mut walk =
            Walk { paths, path: Vec::new(), open: vec![Open::root()], here: Known::default() };
        while let Some(token) = tokens.next()? {
            walk.step(&token, &mut tokens, self)?;
        }
        self.elements[0].end = self.elements.len();
        Ok(tokens.finish()?)
    }

    fn clear(&mut self, paths: usize) {
        for path in self.touched.drain(..) {
            self.by_path[path].clear();
        }
        if self.by_path.len() < paths {
            self.by_path.resize_with(paths, Vec::new);
        }
        self.elements.clear();
        self.elements.push(Element { array: usize::MAX, parent: 0, end: 1 });
        self.arrays.clear();
        self.unescaped.clear();
    }

    fn push(&mut self, path: PathId, token: &Token, text: &[u8], element: usize) {
        let mut leaf = Leaf {
            element,
            kind: token.kind,
            start: token.span.start,
            end: token.span.end,
            unescaped: false,
        };
        if token.kind == Kind::String {
            let raw = &text[token.span.clone()];
            match decode(raw) {
                std::borrow::Cow::Borrowed(_) => {
                    (leaf.start, leaf.end) = (leaf.start + 1, leaf.end - 1)
                }
                std::borrow::Cow::Owned(unescaped) => {
                    leaf.start = self.unescaped.len();
                    self.unescaped.extend_from_slice(&unescaped);
                    leaf.end = self.unescaped.len();
                    leaf.unescaped = true;
                }
            }
        }
        let leaves = &mut self.by_path[path];
        if leaves.is_empty() {
            self.touched.push(path);
        }
        leaves.push(leaf);
    }
}

/// A container that is being read.
struct Open {
    /// How much of the path leads to it; `None` for the root, whose keys have no dot before them.
    path_len: Option<usize>,
    /// What is known of that path: an array's entries have the array's own.
    known: Known,
    /// The array's number, if it is one.
    array: Option<usize>,
    /// The innermost element around its leaves.
    element: usize,
    /// Whether it is that element itself.
    is_element: bool,
}

impl Open {
    fn root() -> Self {
        let known = Known { leaf: None, leads_on: true };
        Self { path_len: None, known, array: None, element: 0, is_element: false }
    }
}

struct Walk<'p> {
    paths: &'p Paths,
    path: Vec<u8>,
    open: Vec<Open>,
    /// What is known of the path of the key read last.
    here: Known,
}

impl Walk<'_> {
    fn step(
        &mut self,
        token: &Token,
        tokens: &mut Tokens<'_>,
        out: &mut Leaves,
    ) -> Result<(), SyntaxError> {
        let Some(open) = self.open.last() else {
            return Ok(());
        };
        let known = if open.array.is_some() { open.known } else { self.here };
        match token.kind {
            Kind::Key => self.key(token, tokens.text()),
            Kind::ObjectStart if !known.leads_on => tokens.skip_open()?,
            Kind::ArrayStart if !known.leads_on && known.leaf.is_none() => tokens.skip_open()?,
            Kind::ObjectStart | Kind::ArrayStart => {
                let opened = self.opened(token.kind, known, out);
                self.open.push(opened);
            }
            Kind::ObjectEnd | Kind::ArrayEnd => self.close(out),
            _ => {
                if let Some(path) = known.leaf {
                    out.push(path, token, tokens.text(), open.element);
                }
            }
        }
        Ok(())
    }

    fn key(&mut self, token: &Token, text: &[u8]) {
        let base = self.open.last().and_then(|open| open.path_len);
        self.path.truncate(base.unwrap_or(0));
        if base.is_some() {
            self.path.push(b'.');
        }
        self.path.extend_from_slice(&decode(&text[token.span.clone()]));
        self.here = self.paths.find(&self.path);
    }

    fn opened(&mut self, kind: Kind, known: Known, out: &mut Leaves) -> Open {
        let around = self.open.last();
        let mut element = around.map_or(0, |around| around.element);
        let array_around = around.and_then(|around| around.array);
        if let Some(array) = array_around {
            // The path of an entry is the path of its array, which a sibling's keys have changed.
            self.path.truncate(around.and_then(|around| around.path_len).unwrap_or(0));
            out.elements.push(Element { array, parent: element, end: 0 });
            element = out.elements.len() - 1;
        }
        let array = (kind == Kind::ArrayStart).then(|| {
            out.arrays.push(Array { end: 0 });
            out.arrays.len() - 1
        });
        let is_element = array_around.is_some();
        Open { path_len: Some(self.path.len()), known, array, element, is_element }
    }

    fn close(&mut self, out: &mut Leaves) {
        let Some(closed) = self.open.pop() else {
            return;
        };
        let end = out.elements.len();
        if closed.is_element {
            out.elements[closed.element].end = end;
        }
        if let Some(array) = closed.array {
            out.arrays[array].end = end;
        }
    }
}
