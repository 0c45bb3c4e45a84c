//! From the parser's events to nodes.
//!
//! The events come from granit-parser, which serde-saphyr reads from as well. Serde's data model has
//! no room for what is needed of a rule file: the text of a number, the quotes of a scalar and the
//! place of every key.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, StrInput, Tag};

use super::{Entry, Member, Node, Outline, Span, Value, explain, scalar};
use crate::code::Code;
use crate::diagnostic::Fault;
use crate::source::{Source, SourceFile};

/// How deep lists and maps may stand within each other.
const DEPTH_MAX: usize = 100;
/// How many nodes a file may have once its aliases are expanded.
const NODES_MAX: usize = 500_000;
/// How many bytes of text aliases may add.
const ALIAS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The tags that a template may have besides `!Ref` and `!Condition`.
const FUNCTIONS: [&str; 18] = [
    "And",
    "Base64",
    "Cidr",
    "Equals",
    "FindInMap",
    "GetAZs",
    "GetAtt",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
];

/// The documents of a file that are not empty, and what is wrong with the file.
///
/// A fault of the syntax ends the reading: the documents before it are still there.
pub(crate) fn read(text: &str) -> (Vec<Node>, Vec<Fault>) {
    read_with(text, Tags::Refused)
}

/// The same of a CloudFormation template: `!Ref X` becomes `{ Ref: X }`, `!Sub X` becomes `{ Fn::Sub: X }`, and so on.
pub(crate) fn read_template(text: &str) -> (Vec<Node>, Vec<Fault>) {
    read_with(text, Tags::Functions)
}

fn read_with(text: &str, tags: Tags) -> (Vec<Node>, Vec<Fault>) {
    let mut reader = Reader::of(text, tags, None);
    (reader.documents(), reader.faults)
}

/// Where the parts of a file are.
pub fn outline(file: &SourceFile) -> Outline {
    let mut reader = Reader::of(&file.text, Tags::Refused, Some(Vec::new()));
    let documents = reader.documents();
    let begins = |at: usize| {
        let rest = file.text.get(at..).unwrap_or_default();
        at + rest.len() - rest.trim_start().len()
    };
    let last = reader.faults.pop().filter(|_| !reader.is_whole);
    Outline {
        entries: reader.entries.unwrap_or_default(),
        second_document: documents.get(1).map(|document| begins(document.span.start)),
        broken: last.map(|fault| fault.in_file(&Source::new(file))),
    }
}

impl<'t> Reader<'t> {
    fn of(text: &'t str, tags: Tags, entries: Option<Vec<Entry>>) -> Self {
        let mut options = Options::default();
        options.set_emit_comments(false);
        options.block_nesting_limit = DEPTH_MAX;
        options.flow_nesting_limit = DEPTH_MAX;
        Self {
            text,
            tags,
            parser: Parser::new_from_str_with_options(text, options),
            anchors: HashMap::new(),
            nodes_left: NODES_MAX,
            alias_bytes_left: ALIAS_BYTES_MAX,
            faults: Vec::new(),
            entries,
            is_whole: true,
        }
    }

    fn documents(&mut self) -> Vec<Node> {
        let mut documents = Vec::new();
        loop {
            match self.document() {
                Ok(Some(Node { value: Value::Null, .. })) => (),
                Ok(Some(document)) => documents.push(document),
                Ok(None) => break,
                Err(Stop) => {
                    self.is_whole = false;
                    break;
                }
            }
        }
        documents
    }

    fn enter(&mut self, of: &Span, key: Option<&Span>, value: &Span) {
        let Some(entries) = &mut self.entries else { return };
        let is_flow = self.text.get(of.start..).is_some_and(|text| text.starts_with(['{', '[']));
        let key_end = key.map(|key| key.end);
        let start = key.map_or(value.start, |key| key.start);
        entries.push(Entry { span: start..value.end.max(start), key_end, is_flow });
    }
}

/// What a tag of an application is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tags {
    Refused,
    /// The short form of a function of CloudFormation's.
    Functions,
}

struct Reader<'t> {
    text: &'t str,
    tags: Tags,
    parser: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Arc<Built>>,
    nodes_left: usize,
    alias_bytes_left: usize,
    faults: Vec<Fault>,
    /// Where they are gathered, if they are wanted.
    entries: Option<Vec<Entry>>,
    is_whole: bool,
}

/// The rest of the file cannot be read; the reason is among the faults.
struct Stop;

#[derive(Clone)]
struct Built {
    node: Node,
    /// Nodes, bytes of text and levels in it, itself included.
    nodes: usize,
    bytes: usize,
    depth: usize,
}

impl Built {
    fn leaf(span: Span, value: Value, bytes: usize) -> Self {
        Self { node: Node::new(span, value), nodes: 1, bytes, depth: 1 }
    }

    /// `{ name: this }`, at the same place.
    fn argument_of(self, key: String) -> Self {
        let Self { node, nodes, bytes, depth } = self;
        let (span, key_span) = (node.span.clone(), node.span.start..node.span.start);
        let map = Value::Map(vec![Member { key, key_span, value: node }]);
        Self { node: Node::new(span, map), nodes: nodes + 1, bytes, depth: depth + 1 }
    }

    fn hold(&mut self, child: &Self) {
        self.nodes += child.nodes;
        self.bytes += child.bytes;
        self.depth = self.depth.max(child.depth + 1);
        self.node.span.end = self.node.span.end.max(child.node.span.end);
    }
}

type Next<'t> = (Event<'t>, Span);

impl<'t> Reader<'t> {
    /// The next document, or none at the end of the file.
    fn document(&mut self) -> Result<Option<Node>, Stop> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(None),
                (Event::StreamStart | Event::DocumentEnd, _) => (),
                (Event::DocumentStart(..), _) => self.anchors.clear(),
                next => return Ok(Some(self.node(next, 1)?.node)),
            }
        }
    }

    fn next(&mut self) -> Result<Next<'t>, Stop> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                let start = span.start.byte_offset().unwrap_or(0);
                let end = span.end.byte_offset().unwrap_or(start);
                Ok((event, start..end.max(start)))
            }
            Some(Err(error)) => Err(self.stop(syntax(&error, self.text))),
            None => Ok((Event::StreamEnd, self.text.len()..self.text.len())),
        }
    }

    fn stop(&mut self, fault: Fault) -> Stop {
        self.faults.push(fault);
        Stop
    }

    fn node(&mut self, (event, span): Next<'t>, depth: usize) -> Result<Built, Stop> {
        if let Event::Alias(id) = event {
            return self.expand(id, span, depth);
        }
        let words = || {
            let mend = "split the file: a rule of this size is hardly meant";
            (format!("a rule file has at most {NODES_MAX} values"), "one too many", mend)
        };
        self.nodes_left = match self.nodes_left.checked_sub(1) {
            Some(left) => left,
            None => return Err(self.stop(Fault::new(Code::TooLarge, span, words()))),
        };
        if DEPTH_MAX < depth {
            return Err(self.stop(too_deep(span)));
        }
        let (event, anchor, tag) = opened(event);
        let function = self.function(tag.as_deref());
        let core = tag.as_deref().filter(|_| function.is_none());
        let mut built = match event {
            Event::Scalar(text, ..) if function.is_some() => {
                Built::leaf(span, Value::Text(text.to_string()), text.len())
            }
            Event::Scalar(text, style, ..) => {
                let value = self.scalar(&text, style, core, &span);
                Built::leaf(span, value, text.len())
            }
            Event::SequenceStart(..) => {
                self.refuse_tag(core, "seq", &span);
                self.list(span, depth)?
            }
            Event::MappingStart(..) => {
                self.refuse_tag(core, "map", &span);
                self.map(span, depth)?
            }
            _ => return Err(self.stop(unexpected(span))),
        };
        if let Some(name) = function {
            built = built.argument_of(name);
        }
        if anchor != 0 {
            self.anchors.insert(anchor, Arc::new(built.clone()));
        }
        Ok(built)
    }

    fn list(&mut self, span: Span, depth: usize) -> Result<Built, Stop> {
        let mut built = Built::leaf(span, Value::Null, 0);
        let mut items = Vec::new();
        loop {
            let next = self.next()?;
            if matches!(next.0, Event::SequenceEnd) {
                built.node.span.end = built.node.span.end.max(flow_end(&next.1));
                break;
            }
            let item = self.node(next, depth + 1)?;
            self.enter(&built.node.span, None, &item.node.span);
            built.hold(&item);
            items.push(item.node);
        }
        built.node.value = Value::List(items);
        Ok(built)
    }

    fn map(&mut self, span: Span, depth: usize) -> Result<Built, Stop> {
        let mut built = Built::leaf(span, Value::Null, 0);
        let mut members: Vec<Member> = Vec::new();
        let mut seen = HashSet::new();
        let mut merged = Vec::new();
        loop {
            let next = self.next()?;
            if matches!(next.0, Event::MappingEnd) {
                built.node.span.end = built.node.span.end.max(flow_end(&next.1));
                break;
            }
            let key_span = next.1.clone();
            let is_merge =
                matches!(&next.0, Event::Scalar(text, ScalarStyle::Plain, _, _) if text == "<<");
            let key = self.key(next, depth + 1)?;
            let next = self.next()?;
            let value = self.node(next, depth + 1)?;
            self.enter(&built.node.span, Some(&key_span), &value.node.span);
            built.hold(&value);
            let Some(key) = key else { continue };
            if is_merge {
                self.faults.push(merge_key(key_span));
                merged.push(value.node);
            } else if seen.insert(key.clone()) {
                members.push(Member { key, key_span, value: value.node });
            } else {
                self.faults.push(twice(key_span, &key));
            }
        }
        // As if merge keys were read, so that what they would bring is not called missing.
        for Node { value, .. } in merged {
            let Value::Map(more) = value else { continue };
            members.extend(more.into_iter().filter(|member| seen.insert(member.key.clone())));
        }
        built.node.value = Value::Map(members);
        Ok(built)
    }

    /// The text of a key; none when it has none, which is then among the faults.
    fn key(&mut self, next: Next<'t>, depth: usize) -> Result<Option<String>, Stop> {
        if let (Event::Scalar(text, _, 0, _), _) = &next
            && !text.is_empty()
        {
            // As written: the key `1.10` or `true` is these letters.
            return Ok(Some(text.to_string()));
        }
        let span = next.1.clone();
        let built = self.node(next, depth)?;
        if let Value::Text(text) = built.node.value {
            return Ok(Some(text));
        }
        let words = ("a key must be a text", "this is none", "put the key in quotes");
        self.faults.push(Fault::new(Code::Syntax, span, words));
        Ok(None)
    }

    fn expand(&mut self, id: usize, span: Span, depth: usize) -> Result<Built, Stop> {
        let Some(anchored) = self.anchors.get(&id).cloned() else {
            let words = (
                "an alias stands within its own anchor",
                "refers to itself",
                "write the value out",
            );
            return Err(self.stop(Fault::new(Code::Syntax, span, words)));
        };
        if DEPTH_MAX < depth + anchored.depth {
            return Err(self.stop(too_deep(span)));
        }
        let nodes_left = self.nodes_left.checked_sub(anchored.nodes);
        let bytes_left = self.alias_bytes_left.checked_sub(anchored.bytes);
        let (Some(nodes_left), Some(bytes_left)) = (nodes_left, bytes_left) else {
            let words = (
                format!("the aliases of this file stand for more than {NODES_MAX} values"),
                "one too many",
                "write out what is meant: aliases of aliases multiply",
            );
            return Err(self.stop(Fault::new(Code::TooLarge, span, words)));
        };
        self.nodes_left = nodes_left;
        self.alias_bytes_left = bytes_left;
        let mut built = Built::clone(&anchored);
        // The place of an alias is where it stands; what is in it keeps the place of its anchor.
        built.node.span = span;
        Ok(built)
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: &Span) -> Value {
        let is_text = tag.is_some_and(|tag| tag.core_suffix() == Some("str"));
        if !is_text {
            self.refuse_tag(tag, "", span);
        }
        match style {
            ScalarStyle::Plain if !is_text => scalar::resolve(text),
            _ => Value::Text(text.to_owned()),
        }
    }

    /// The long form of the function that a tag stands for.
    fn function(&self, tag: Option<&Tag>) -> Option<String> {
        let tag = tag.filter(|_| self.tags == Tags::Functions)?;
        if tag.handle() != "!" {
            return None;
        }
        match tag.suffix() {
            name @ ("Ref" | "Condition") => Some(name.to_owned()),
            name => FUNCTIONS.contains(&name).then(|| format!("Fn::{name}")),
        }
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, allowed: &str, span: &Span) {
        let Some(tag) = tag.filter(|tag| tag.core_suffix() != Some(allowed)) else { return };
        let words = match self.tags {
            Tags::Refused => (
                format!("the tag `{}` means nothing in a rule file", tag.original()),
                "tagged",
                "write the value without a tag",
            ),
            Tags::Functions => (
                format!("the tag `{}` is no function of CloudFormation's", tag.original()),
                "tagged",
                "write one that is, such as `!Ref` or `!Sub`",
            ),
        };
        self.faults.push(Fault::new(Code::Syntax, span.clone(), words));
    }
}

/// What begins a value, with its anchor and its tag.
fn opened(event: Event<'_>) -> (Event<'_>, usize, Option<Cow<'_, Tag>>) {
    let (anchor, tag) = match &event {
        Event::Scalar(_, _, anchor, tag)
        | Event::SequenceStart(_, anchor, tag)
        | Event::MappingStart(_, anchor, tag) => (*anchor, tag.clone()),
        _ => (0, None),
    };
    (event, anchor, tag)
}

/// A block collection ends where the next thing begins, which is not its own text.
fn flow_end(end: &Span) -> usize {
    if end.is_empty() { 0 } else { end.end }
}

fn syntax(error: &ScanError, text: &str) -> Fault {
    let at = error.marker().byte_offset().unwrap_or(text.len());
    explain::syntax(error.kind(), at, text)
}

fn too_deep(span: Span) -> Fault {
    let message = format!("lists and maps stand more than {DEPTH_MAX} levels deep");
    Fault::new(Code::TooLarge, span, (message, "too deep", "nothing here needs this many levels"))
}

fn unexpected(span: Span) -> Fault {
    Fault::new(
        Code::Syntax,
        span,
        ("a value is missing here", "expected a value", "write the value"),
    )
}

fn merge_key(span: Span) -> Fault {
    let mend = "write the keys out, or use an alias as the value of one key";
    let words = ("merge keys (`<<`) are not read in rule files", "a merge key", mend);
    Fault::new(Code::Syntax, span, words)
}

fn twice(span: Span, key: &str) -> Fault {
    let message = format!("the key `{key}` is given twice");
    Fault::new(Code::DuplicateKey, span, (message, "the second one", "keep one of the two"))
}
