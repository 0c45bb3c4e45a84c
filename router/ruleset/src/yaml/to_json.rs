//! A node as JSON text, with the place in the file of every part of it.

use std::ops::Range;

use super::{Node, Span, Value, scalar};
use crate::code::Code;
use crate::diagnostic::Fault;
use crate::json::push_quoted;

/// Compact JSON that remembers where it came from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Json {
    pub text: String,
    /// Parts of `text` and their places in the file, inner ones before the ones around them.
    places: Vec<(Range<usize>, Span)>,
}

impl Json {
    /// The place in the file of a part of the text: that of the smallest value around it.
    pub(crate) fn place_of(&self, part: &Range<usize>) -> Span {
        let holds = |range: &Range<usize>| range.start <= part.start && part.end <= range.end;
        self.places
            .iter()
            .filter(|(range, _)| holds(range))
            .min_by_key(|(range, _)| range.len())
            .or(self.places.last())
            .map_or(0..0, |(_, span)| span.clone())
    }
}

/// The JSON of a node. What has no counterpart in JSON is added to `faults`.
pub(crate) fn to_json(node: &Node, faults: &mut Vec<Fault>) -> Json {
    let mut json = Json::default();
    write(node, &mut json, faults);
    json
}

fn write(node: &Node, json: &mut Json, faults: &mut Vec<Fault>) {
    let start = json.text.len();
    match &node.value {
        Value::Null => json.text.push_str("null"),
        Value::Bool(true) => json.text.push_str("true"),
        Value::Bool(false) => json.text.push_str("false"),
        Value::Number(text) => {
            if !scalar::is_json_number(text) {
                faults.push(not_json(node, text));
            }
            json.text.push_str(text);
        }
        Value::Text(text) => push_quoted(&mut json.text, text),
        Value::List(items) => {
            json.text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at != 0 {
                    json.text.push(',');
                }
                write(item, json, faults);
            }
            json.text.push(']');
        }
        Value::Map(members) => {
            json.text.push('{');
            for (at, member) in members.iter().enumerate() {
                if at != 0 {
                    json.text.push(',');
                }
                let key_start = json.text.len();
                push_quoted(&mut json.text, &member.key);
                json.places.push((key_start..json.text.len(), member.key_span.clone()));
                json.text.push(':');
                write(&member.value, json, faults);
            }
            json.text.push('}');
        }
    }
    json.places.push((start..json.text.len(), node.span.clone()));
}

fn not_json(node: &Node, text: &str) -> Fault {
    let message = format!("`{text}` is a number for YAML and none for JSON");
    let mend = format!("write \"{text}\" for the text, or the number in plain decimal");
    Fault::new(Code::InvalidValue, node.span.clone(), (message, "text or number?", mend))
}
