//! What is written in a file, in the style it is written in.

use granit_parser::{Event, Options, Parser, ScalarStyle, StrInput, StructureStyle};

use super::FormatError;
use super::text::{
    self, indentation, is_after_blank, is_spaces, line_before, line_number, trimmed,
};

/// As deep as `yaml` reads.
const DEPTH_MAX: usize = 100;
/// What a block of text says of its indentation when it has to: see `write`.
const STEP: &str = "2";

#[derive(Debug, Default)]
pub(super) struct Document {
    /// Where its `---` stands, if it has one.
    pub marker: Option<usize>,
    /// Above the `---`, of the first document.
    pub above: Vec<Note>,
    /// Behind the `---`.
    pub marker_note: Option<String>,
    /// Before its first key.
    pub head: Vec<Note>,
    /// A blank line stands behind that.
    pub is_head_apart: bool,
    pub root: Option<Written>,
    /// Behind a root that is no block.
    pub root_note: Option<String>,
    pub foot: Vec<Note>,
    /// An alias means what stands before it: such a document keeps its order.
    pub has_anchors: bool,
}

/// A comment.
#[derive(Debug, Clone)]
pub(super) struct Note {
    pub at: usize,
    pub text: String,
    /// Nothing stands before it on its line.
    pub is_alone: bool,
    pub is_after_blank: bool,
}

#[derive(Debug)]
pub(super) struct Written {
    pub start: usize,
    pub end: usize,
    /// An anchor, a tag.
    pub properties: Option<String>,
    pub shape: Shape,
}

#[derive(Debug)]
pub(super) enum Shape {
    /// Aliases too.
    Scalar(String),
    /// `|` or `>` and what follows it, and the lines without their indentation.
    Lines {
        header: String,
        lines: Vec<String>,
    },
    Block {
        is_list: bool,
        items: Vec<Item>,
    },
    Flow {
        is_list: bool,
        is_one_line: bool,
        items: Vec<Item>,
    },
    /// Brackets with something in them that is best left where it stands: a comment, a text of several lines.
    Verbatim,
}

#[derive(Debug)]
pub(super) struct Item {
    pub start: usize,
    /// How far to the right it begins, its dash included.
    pub column: usize,
    /// As it is written; none in a list.
    pub key: Option<String>,
    /// Where the key ends, or the dash.
    pub key_end: usize,
    pub value: Written,
    pub is_after_blank: bool,
    /// Above it, behind its key, behind its value, and below it further to the right.
    pub head: Vec<Note>,
    pub key_note: Option<String>,
    pub note: Option<String>,
    pub tail: Vec<Note>,
}

pub(super) fn read(text: &str) -> Result<(Vec<Document>, Vec<Note>), FormatError> {
    let mut options = Options::default();
    options.set_emit_comments(true);
    options.emit_anchor_events = true;
    options.disallow_directives = true;
    options.max_buffered_comment_events = text.len();
    options.block_nesting_limit = DEPTH_MAX;
    options.flow_nesting_limit = DEPTH_MAX;
    let parser = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader { text, parser, notes: Vec::new(), ahead: None, has_anchors: false };
    let documents = reader.documents()?;
    reader.notes.sort_by_key(|note| note.at);
    Ok((documents, reader.notes))
}

type Next<'t> = (Event<'t>, usize, usize);

struct Reader<'t> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
    notes: Vec<Note>,
    ahead: Option<Next<'t>>,
    has_anchors: bool,
}

impl<'t> Reader<'t> {
    fn documents(&mut self) -> Result<Vec<Document>, FormatError> {
        let mut documents = Vec::new();
        let mut place = 0;
        loop {
            let next = self.next()?;
            match next {
                (Event::StreamEnd, ..) => {
                    if documents.is_empty() && !self.notes.is_empty() {
                        documents.push(Document::default());
                    }
                    return Ok(documents);
                }
                (Event::DocumentStart(is_marked, _), at, _) => {
                    let marker = is_marked.then_some(at);
                    place = marker.map_or(place, |at| at + 3);
                    documents.push(Document { marker, ..Document::default() });
                    self.has_anchors = false;
                }
                (Event::StreamStart, ..) => (),
                (Event::DocumentEnd, _, end) => place = end,
                next => {
                    let root = self.written(next, place)?;
                    let Some(last) = documents.last_mut() else { continue };
                    last.has_anchors = self.has_anchors;
                    last.root = (!is_nothing(&root)).then_some(root);
                }
            }
        }
    }

    /// The next event that is no comment.
    fn next(&mut self) -> Result<Next<'t>, FormatError> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(ahead);
        }
        loop {
            let Some(next) = self.parser.next_event() else {
                return Ok((Event::StreamEnd, self.text.len(), self.text.len()));
            };
            let (event, span) = next.map_err(|error| {
                let at = error.marker().byte_offset().unwrap_or(0);
                self.unkept(at, "a line that begins with `%`")
            })?;
            let start = span.start.byte_offset().unwrap_or(0);
            let end = span.end.byte_offset().unwrap_or(start).max(start);
            let Event::Comment(..) = event else { return Ok((event, start, end)) };
            self.notes.push(Note {
                at: start,
                text: trimmed(self.slice(start, end)).to_owned(),
                is_alone: trimmed(line_before(self.text, start)).is_empty(),
                is_after_blank: is_after_blank(self.text, start),
            });
        }
    }

    /// It stands behind byte `at`, or is not written at all.
    fn written(&mut self, next: Next<'t>, at: usize) -> Result<Written, FormatError> {
        let (event, start, end) = next;
        let properties = self.properties(&event)?;
        let (start, end, shape) = match event {
            Event::Alias(_) => {
                self.has_anchors = true;
                self.scalar(start, end)
            }
            Event::Scalar(text, ScalarStyle::Literal | ScalarStyle::Folded, ..) => {
                self.lines(at, end, &text)?
            }
            Event::Scalar(_, ScalarStyle::Plain, ..) if start == end => {
                (at, at, Shape::Scalar(String::new()))
            }
            Event::Scalar(..) => self.scalar(start, end),
            Event::SequenceStart(style, ..) => self.collection(true, style, start, at)?,
            Event::MappingStart(style, ..) => self.collection(false, style, start, at)?,
            _ => return Err(FormatError::Changed),
        };
        Ok(Written { start, end, properties, shape })
    }

    fn scalar(&self, start: usize, end: usize) -> (usize, usize, Shape) {
        let raw = trimmed(self.slice(start, end));
        (start, start + raw.len(), Shape::Scalar(raw.to_owned()))
    }

    /// The anchor and the tag before a value.
    fn properties(&mut self, event: &Event<'t>) -> Result<Option<String>, FormatError> {
        let (id, tag) = match event {
            Event::Scalar(_, _, id, tag)
            | Event::SequenceStart(_, id, tag)
            | Event::MappingStart(_, id, tag) => (*id, tag.as_deref()),
            _ => (0, None),
        };
        let tag = tag.map(|tag| tag.original().to_string());
        if id == 0 {
            return Ok(tag);
        }
        self.has_anchors = true;
        let (Event::Anchor(_, name), ..) = self.next()? else { return Err(FormatError::Changed) };
        let anchor = format!("&{name}");
        Ok(Some(tag.map_or_else(|| anchor.clone(), |tag| format!("{anchor} {tag}"))))
    }

    fn collection(
        &mut self,
        is_list: bool,
        style: StructureStyle,
        start: usize,
        at: usize,
    ) -> Result<(usize, usize, Shape), FormatError> {
        let is_block = style == StructureStyle::Block;
        let mut items: Vec<Item> = Vec::new();
        let mut last = at;
        let end = loop {
            let next = self.next()?;
            if let (Event::SequenceEnd | Event::MappingEnd, _, end) = next {
                break end;
            }
            let item = if is_list {
                self.element(next, last, is_block)?
            } else {
                self.member(next, is_block)?
            };
            last = item.value.end.max(item.key_end);
            items.push(item);
        };
        if is_block {
            let start = items.first().map_or(start, |first| first.start);
            return Ok((start, last, Shape::Block { is_list, items }));
        }
        let raw = self.slice(start, end);
        let has_notes =
            self.notes.iter().rev().take_while(|note| start <= note.at).any(|note| note.at < end);
        let is_odd = has_notes
            || !raw.starts_with(['{', '['])
            || items.iter().any(|item| is_odd(&item.value));
        let is_one_line = !raw.contains('\n');
        let shape =
            if is_odd { Shape::Verbatim } else { Shape::Flow { is_list, is_one_line, items } };
        Ok((start, end, shape))
    }

    /// `last`: where the one before it ends.
    fn element(
        &mut self,
        next: Next<'t>,
        last: usize,
        is_block: bool,
    ) -> Result<Item, FormatError> {
        if !is_block {
            let value = self.written(next, last)?;
            return Ok(Item::new(value.start, 0, None, value));
        }
        let dash = text::next(self.text, last);
        let value = self.written(next, dash + 1)?;
        let item = Item::new(dash, line_before(self.text, dash).len(), None, value);
        Ok(Item { is_after_blank: is_after_blank(self.text, dash), key_end: dash + 1, ..item })
    }

    fn member(&mut self, next: Next<'t>, is_block: bool) -> Result<Item, FormatError> {
        let at = next.1;
        let key = self.written(next, at)?;
        let before = self.text.get(..key.start).unwrap_or_default();
        let is_asked = before.trim_end_matches([' ', '\t']).ends_with('?');
        let name = match key.shape {
            Shape::Scalar(name) if key.properties.is_none() && !is_asked && is_plain_key(&name) => {
                name
            }
            _ => return Err(self.unkept(at, "a key that is no plain text")),
        };
        let next = self.next()?;
        let value = self.written(next, key.end)?;
        let item = Item::new(key.start, 0, Some(name), value);
        if !is_block {
            return Ok(Item { key_end: key.end, ..item });
        }
        Ok(Item {
            column: line_before(self.text, key.start).len(),
            key_end: key.end,
            is_after_blank: is_after_blank(self.text, key.start),
            ..item
        })
    }

    /// A literal or folded block, which says `said` and whose content ends at `end`; it begins somewhere
    /// behind byte `at`.
    fn lines(
        &self,
        at: usize,
        end: usize,
        said: &str,
    ) -> Result<(usize, usize, Shape), FormatError> {
        let start = text::next(self.text, at);
        let line_end = text::line_end(self.text, start);
        let header = self.slice(start, line_end);
        let header = header.split([' ', '\t', '#']).next().unwrap_or_default();
        if !header.starts_with(['|', '>']) {
            return Err(self.unkept(at, "the first line of a block of text"));
        }
        // Of the line behind the block its indentation may be in the span.
        let end = if end < self.text.len() { end - line_before(self.text, end).len() } else { end };
        let raw = self.slice((line_end + 1).min(end), end);
        let mut lines: Vec<&str> = raw.strip_suffix('\n').unwrap_or(raw).split('\n').collect();
        // Those that the first one of the text has beside its indentation.
        let extra = said.split('\n').find(|line| !is_spaces(line)).map_or(0, indentation);
        let first = lines.iter().find(|line| !is_spaces(line));
        let depth = first.map_or(usize::MAX, |first| indentation(first).saturating_sub(extra));
        for line in &mut lines {
            *line = line.get(depth.min(indentation(line))..).unwrap_or_default();
        }
        if !header.contains('+') {
            while lines.last().is_some_and(|line| line.is_empty()) {
                lines.pop();
            }
        }
        let is_further =
            lines.iter().find(|line| !is_spaces(line)).is_some_and(|line| line.starts_with(' '));
        let header = format!(
            "{}{}{}",
            header.get(..1).unwrap_or_default(),
            if is_further { STEP } else { "" },
            header.trim_start_matches(['|', '>']).trim_matches(|c: char| c.is_ascii_digit()),
        );
        let lines = lines.into_iter().map(str::to_owned).collect();
        Ok((start, end, Shape::Lines { header, lines }))
    }

    fn slice(&self, start: usize, end: usize) -> &'t str {
        self.text.get(start..end).unwrap_or_default()
    }

    fn unkept(&self, at: usize, what: &'static str) -> FormatError {
        FormatError::Unkept { line: line_number(self.text, at), what }
    }
}

impl Item {
    fn new(start: usize, column: usize, key: Option<String>, value: Written) -> Self {
        Self {
            start,
            column,
            key,
            key_end: start,
            value,
            is_after_blank: false,
            head: Vec::new(),
            key_note: None,
            note: None,
            tail: Vec::new(),
        }
    }
}

fn is_nothing(value: &Written) -> bool {
    let is_empty = matches!(&value.shape, Shape::Scalar(text) if text.is_empty());
    is_empty && value.properties.is_none()
}

/// Whether a value within brackets is one that the brackets are left as they are for.
fn is_odd(value: &Written) -> bool {
    match &value.shape {
        Shape::Scalar(text) => text.is_empty() || text.contains('\n'),
        Shape::Lines { .. } | Shape::Block { .. } | Shape::Verbatim => true,
        Shape::Flow { .. } => false,
    }
}

fn is_plain_key(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('*') && !name.contains('\n')
}
