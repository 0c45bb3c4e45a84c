//! All of an event, by path: what there is to explain with.
//!
//! The matcher keeps the values that patterns ask for. An explanation also needs what stands there
//! instead of a value, what stands beside, and where in its arrays each thing is.
//!
//! ```text
//! {"a": [{"b": 1}, {"b": [2, 3]}], "c.d": "x"}
//!
//! nodes     a: two objects    a.b: 1, 2, 3    c: nothing    c.d: "x"
//! elements  0: the event      1: a[0]         2: a[1]
//! ```
//!
//! # Invariants
//!
//! - Elements and arrays are numbered, and leaves belong to them, as `flatten` does it; so
//!   [`crate::join`] judges both.
//! - Nothing recurses, and memory is linear in the event: of the keys on a path each is kept once.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::event::{Event, EventError};
use crate::flatten::{Array, Element};
use crate::json::{Kind, Token, Tokens, decode};
use crate::limits::EVENT_DEPTH_MAX;
use crate::value::{Number, Value};

/// The number of a path of the event; 0 is the event itself.
pub(super) type NodeId = usize;

pub(super) struct Survey<'e> {
    nodes: Vec<Node<'e>>,
    /// From a node, by the number of a key, to the next.
    ways: HashMap<(NodeId, usize), NodeId>,
    /// The keys, cut at their dots, numbered.
    keys: HashMap<Cow<'e, [u8]>, usize>,
    key_texts: Vec<Cow<'e, [u8]>>,
    pub(super) elements: Vec<Element>,
    /// For each element, its position in its array.
    positions: Vec<usize>,
    pub(super) arrays: Vec<Array>,
    /// For each array, where it stands.
    array_nodes: Vec<NodeId>,
}

struct Node<'e> {
    parent: NodeId,
    key: usize,
    first_child: Option<NodeId>,
    next_sibling: Option<NodeId>,
    found: Vec<Found<'e>>,
}

/// Something that stands at a path.
#[derive(Debug)]
pub(super) struct Found<'e> {
    pub(super) what: What<'e>,
    /// The innermost element around it.
    pub(super) element: usize,
    /// Its position, if it is an entry of an array.
    position: Option<usize>,
}

#[derive(Debug)]
pub(super) enum What<'e> {
    /// Unescaped.
    Text(Cow<'e, [u8]>),
    Other(Value<'e>),
    Object,
    EmptyArray,
}

impl Found<'_> {
    /// `None` where there is no value.
    pub(super) fn value(&self) -> Option<Value<'_>> {
        match &self.what {
            What::Text(text) => Some(Value::Text(text)),
            What::Other(value) => Some(value.clone()),
            What::Object | What::EmptyArray => None,
        }
    }
}

impl<'e> Survey<'e> {
    pub(super) fn read(event: Event<'e>) -> Result<Self, EventError> {
        let mut tokens = Tokens::new(event.bytes(), EVENT_DEPTH_MAX);
        if tokens.next()?.is_none_or(|token| token.kind != Kind::ObjectStart) {
            let message = "Event must be a JSON object".to_owned();
            return Err(EventError { offset: 0, message });
        }
        let mut survey = Self::of_nothing();
        let root = Open { node: 0, array: None, element: 0, is_element: false, entries: 0 };
        let mut walk = Walk { open: vec![root], here: 0 };
        while let Some(token) = tokens.next()? {
            walk.step(&token, tokens.text(), &mut survey);
        }
        survey.elements[0].end = survey.elements.len();
        tokens.finish()?;
        Ok(survey)
    }

    fn of_nothing() -> Self {
        let root =
            Node { parent: 0, key: 0, first_child: None, next_sibling: None, found: Vec::new() };
        Self {
            nodes: vec![root],
            ways: HashMap::new(),
            keys: HashMap::from([(Cow::Borrowed(b"".as_slice()), 0)]),
            key_texts: vec![Cow::Borrowed(b"")],
            elements: vec![Element { array: usize::MAX, parent: 0, end: 1 }],
            positions: vec![0],
            arrays: Vec::new(),
            array_nodes: Vec::new(),
        }
    }

    /// The node of a path, if some key of the event leads to it or through it.
    pub(super) fn node(&self, path: &[u8]) -> Option<NodeId> {
        let mut keys = path.split(|byte| *byte == b'.');
        keys.try_fold(0, |at, key| self.child(at, key))
    }

    /// The node as far as the event goes along with the path, and the keys that are left.
    pub(super) fn follow<'k>(&self, path: &'k [u8]) -> (NodeId, Vec<&'k [u8]>) {
        let mut keys = path.split(|byte| *byte == b'.');
        let mut at = 0;
        let mut rest = Vec::new();
        for key in keys.by_ref() {
            match self.child(at, key) {
                Some(child) => at = child,
                None => {
                    rest.push(key);
                    break;
                }
            }
        }
        rest.extend(keys);
        (at, rest)
    }

    pub(super) fn child(&self, node: NodeId, key: &[u8]) -> Option<NodeId> {
        let key = self.keys.get(key)?;
        self.ways.get(&(node, *key)).copied()
    }

    pub(super) fn parent(&self, node: NodeId) -> NodeId {
        self.nodes[node].parent
    }

    pub(super) fn children(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        std::iter::successors(self.nodes[node].first_child, |node| self.nodes[*node].next_sibling)
    }

    /// All paths of the event, in the order in which they first appear.
    pub(super) fn nodes(&self) -> std::ops::Range<NodeId> {
        1..self.nodes.len()
    }

    /// The last key of the node's path.
    pub(super) fn key(&self, node: NodeId) -> &[u8] {
        &self.key_texts[self.nodes[node].key]
    }

    pub(super) fn found(&self, node: NodeId) -> &[Found<'e>] {
        &self.nodes[node].found
    }

    /// The keys from `from`, which is on the way, to `node`.
    pub(super) fn path(&self, from: NodeId, node: NodeId) -> Vec<u8> {
        let mut keys = Vec::new();
        let mut at = node;
        while at != from && at != 0 {
            keys.push(self.key(at));
            at = self.nodes[at].parent;
        }
        keys.reverse();
        keys.join(&b'.')
    }

    /// The elements around and including one, outermost first.
    pub(super) fn around(&self, element: usize) -> Vec<usize> {
        let mut elements = Vec::new();
        let mut at = element;
        while at != 0 {
            elements.push(at);
            at = self.elements[at].parent;
        }
        elements.reverse();
        elements
    }

    /// Where the array stands of which this is an element.
    pub(super) fn array_of(&self, element: usize) -> NodeId {
        self.array_nodes[self.elements[element].array]
    }

    /// `a[0].b[1]`
    pub(super) fn place_of_element(&self, element: usize) -> Vec<u8> {
        self.place(element).0
    }

    /// `a[0].b[1].c`
    pub(super) fn place_of(&self, node: NodeId, found: &Found<'_>) -> Vec<u8> {
        let (mut place, at) = self.place(found.element);
        self.go(&mut place, at, node);
        if let Some(position) = found.position {
            place.extend_from_slice(format!("[{position}]").as_bytes());
        }
        place
    }

    fn place(&self, element: usize) -> (Vec<u8>, NodeId) {
        let (mut place, mut at) = (Vec::new(), 0);
        for element in self.around(element) {
            let array = self.array_of(element);
            self.go(&mut place, at, array);
            place.extend_from_slice(format!("[{}]", self.positions[element]).as_bytes());
            at = array;
        }
        (place, at)
    }

    fn go(&self, place: &mut Vec<u8>, from: NodeId, to: NodeId) {
        if from != to {
            if !place.is_empty() {
                place.push(b'.');
            }
            place.extend(self.path(from, to));
        }
    }

    fn key_number(&mut self, key: Cow<'e, [u8]>) -> usize {
        let next = self.key_texts.len();
        if let Some(known) = self.keys.get(&key) {
            return *known;
        }
        self.key_texts.push(key.clone());
        self.keys.insert(key, next);
        next
    }

    fn enter(&mut self, node: NodeId, key: Cow<'e, [u8]>) -> NodeId {
        let key = self.key_number(key);
        let next = self.nodes.len();
        let entered = *self.ways.entry((node, key)).or_insert(next);
        if entered == next {
            let next_sibling = self.nodes[node].first_child.replace(next);
            self.nodes.push(Node {
                parent: node,
                key,
                first_child: None,
                next_sibling,
                found: Vec::new(),
            });
        }
        entered
    }

    /// A key of the event may hold several keys of a path, or begin in the middle of one.
    fn enter_all(&mut self, node: NodeId, key: Cow<'e, [u8]>) -> NodeId {
        let is_dot = |byte: &u8| *byte == b'.';
        match key {
            Cow::Borrowed(key) => {
                key.split(is_dot).fold(node, |at, key| self.enter(at, Cow::Borrowed(key)))
            }
            Cow::Owned(key) => {
                key.split(is_dot).fold(node, |at, key| self.enter(at, Cow::Owned(key.to_vec())))
            }
        }
    }
}

/// A container that is being read.
struct Open {
    node: NodeId,
    /// The array's number, if it is one.
    array: Option<usize>,
    /// The innermost element around its leaves.
    element: usize,
    /// Whether it is that element itself.
    is_element: bool,
    /// How many entries were read, of an array.
    entries: usize,
}

struct Walk {
    open: Vec<Open>,
    /// Where the key read last leads.
    here: NodeId,
}

impl Walk {
    fn step<'e>(&mut self, token: &Token, text: &'e [u8], survey: &mut Survey<'e>) {
        let Some(open) = self.open.last_mut() else {
            return;
        };
        let bytes = &text[token.span.clone()];
        let what = match token.kind {
            Kind::Key => {
                self.here = survey.enter_all(open.node, decode(bytes));
                return;
            }
            Kind::ObjectEnd | Kind::ArrayEnd => return self.close(survey),
            Kind::ObjectStart | Kind::ArrayStart => {
                let opened = opened(token.kind, open, self.here, survey);
                self.open.push(opened);
                return;
            }
            Kind::String => What::Text(decode(bytes)),
            Kind::Number => What::Other(Value::Number(Number::read(bytes))),
            Kind::True => What::Other(Value::True),
            Kind::False => What::Other(Value::False),
            Kind::Null => What::Other(Value::Null),
        };
        let (node, position) = open.next(self.here);
        survey.nodes[node].found.push(Found { what, element: open.element, position });
    }

    fn close(&mut self, survey: &mut Survey<'_>) {
        let Some(closed) = self.open.pop() else {
            return;
        };
        let end = survey.elements.len();
        if closed.is_element {
            survey.elements[closed.element].end = end;
        }
        let Some(array) = closed.array else {
            return;
        };
        survey.arrays[array].end = end;
        if closed.entries == 0 {
            let found = Found { what: What::EmptyArray, element: closed.element, position: None };
            survey.nodes[closed.node].found.push(found);
        }
    }
}

impl Open {
    /// Where the next value stands, given where the key read last leads.
    fn next(&mut self, here: NodeId) -> (NodeId, Option<usize>) {
        if self.array.is_none() {
            return (here, None);
        }
        self.entries += 1;
        (self.node, Some(self.entries - 1))
    }
}

fn opened(kind: Kind, around: &mut Open, here: NodeId, survey: &mut Survey<'_>) -> Open {
    let (node, position) = around.next(here);
    let mut element = around.element;
    if kind == Kind::ObjectStart {
        survey.nodes[node].found.push(Found { what: What::Object, element, position });
    }
    if let (Some(array), Some(position)) = (around.array, position) {
        survey.elements.push(Element { array, parent: element, end: 0 });
        survey.positions.push(position);
        element = survey.elements.len() - 1;
    }
    let array = (kind == Kind::ArrayStart).then(|| {
        survey.arrays.push(Array { end: 0 });
        survey.array_nodes.push(node);
        survey.arrays.len() - 1
    });
    Open { node, array, element, is_element: position.is_some(), entries: 0 }
}
