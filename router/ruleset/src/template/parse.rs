//! From a template's text to its parts.

use super::pieces::{Name, Piece, split};
use super::shape::{Quotes, TemplateError, shape};
use super::{BYTES_MAX, Format, Part, Shape, Template, Variable};
use crate::json::Nested;

pub(super) fn parse(
    text: &str,
    names: &[Name<'_>],
    format: Option<Format>,
) -> Result<Template, Vec<TemplateError>> {
    if BYTES_MAX < text.len() {
        return Err(vec![too_long(text)]);
    }
    let mut errors = Vec::new();
    let pieces = split(text, names, &mut errors);
    match shape(text, &pieces, format) {
        Ok((shape, format)) => {
            errors.extend(never_delivered(&pieces, names, shape));
            if errors.is_empty() {
                let names = names.iter().map(|known| known.name.to_owned()).collect();
                return Ok(Template { format, shape, parts: parts(&pieces, shape), names });
            }
        }
        Err(error) => errors.push(error),
    }
    Err(errors)
}

fn too_long(text: &str) -> TemplateError {
    TemplateError {
        span: 0..text.len(),
        message: format!("a template has at most {BYTES_MAX} bytes, and this has {}", text.len()),
        label: "too long",
        mend: "shorten it, or make the text in a plugin".to_owned(),
    }
}

/// Variables within quotes that are objects or arrays in every event: EventBridge takes such a template
/// and loses every event in silence.
fn never_delivered(pieces: &[Piece<'_>], names: &[Name<'_>], shape: Shape) -> Vec<TemplateError> {
    let mut quotes = Quotes::default();
    let mut errors = Vec::new();
    for piece in pieces {
        let (variable, at, len) = match piece {
            Piece::Literal { text, .. } => {
                quotes.pass(text);
                continue;
            }
            Piece::Variable { variable, at, len } => (*variable, *at, *len),
        };
        let refused = match (shape, variable) {
            (Shape::Text, _) => None,
            (Shape::Json | Shape::Quoted, Variable::Reserved(reserved)) => {
                reserved.always().map(|nested| (reserved.name(), nested))
            }
            (Shape::Quoted, Variable::Named(_)) => None,
            (Shape::Json, Variable::Named(at)) => {
                names.get(at).and_then(|known| Some((known.name, known.always?)))
            }
        };
        if let Some((name, nested)) = refused.filter(|_| quotes.is_inside) {
            errors.push(within_quotes(at..at + len, name, nested, variable));
        }
    }
    errors
}

fn within_quotes(
    span: std::ops::Range<usize>,
    name: &str,
    nested: Nested,
    variable: Variable,
) -> TemplateError {
    let (place, mend) = match variable {
        Variable::Named(_) => (
            "the quotes of a JSON template",
            "write it without quotes, or name one of its values in `paths`",
        ),
        Variable::Reserved(_) => {
            ("quotes", "write it without quotes, as a value of a JSON template")
        }
    };
    TemplateError {
        span,
        message: format!("`<{name}>` is {nested} in every event, and cannot stand within {place}"),
        label: "within quotes",
        mend: mend.to_owned(),
    }
}

fn parts(pieces: &[Piece<'_>], shape: Shape) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut quotes = Quotes::default();
    let mut is_first = true;
    for piece in pieces {
        match piece {
            Piece::Literal { text, .. } => {
                let text = match shape {
                    Shape::Json => quotes.without_blanks(text),
                    Shape::Quoted => quotes.lines(text, &mut is_first),
                    Shape::Text => (*text).to_owned(),
                };
                match parts.last_mut() {
                    Some(Part::Literal(before)) => before.push_str(&text),
                    _ if text.is_empty() => (),
                    _ => parts.push(Part::Literal(text)),
                }
            }
            Piece::Variable { variable, .. } => parts.push(match shape {
                Shape::Json if !quotes.is_inside => Part::Value(*variable),
                Shape::Json | Shape::Quoted | Shape::Text => Part::Inside(*variable),
            }),
        }
    }
    parts
}
