//! The value of `anything-but`: what a leaf must not be.

use super::expression::{TOO_MANY, close, wildcard};
use super::numeric::comparable;
use super::ours;
use super::reader::{Reader, error};
use crate::ignore_case::IgnoreCase;
use crate::json::{Kind, Token};
use crate::pattern::{Dialect, ParseError};
use crate::value::{Unwanted, Wanted};

/// What `anything-but` holds: literals, or texts for one operator.
#[derive(Copy, Clone, PartialEq, Eq)]
enum But {
    Literal,
    Prefix,
    Suffix,
    IgnoreCase,
    Wildcard,
    Regex,
}

/// Reads the value, without the brace that closes the expression around it.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Wanted, ParseError> {
    let mut value = reader.next()?;
    let mut but = But::Literal;
    if value.kind == Kind::ObjectStart {
        but = inner_operator(reader)?;
        value = reader.next()?;
    }
    let unwanted = match value.kind {
        Kind::ArrayStart => unwanted_list(reader, but, &value)?,
        Kind::String | Kind::Number => vec![unwanted(reader, but, &value)?],
        _ => {
            let message = "Value of anything-but must be an array or single string/number value.";
            let mend = "write a string, a number, or a list of strings or of numbers";
            return Err(error(value.span, message, mend));
        }
    };
    if but != But::Literal {
        close(reader, TOO_MANY)?;
    }
    Ok(Wanted::AnythingBut(unwanted))
}

fn inner_operator(reader: &mut Reader<'_>) -> Result<But, ParseError> {
    let mend = match reader.dialect {
        Dialect::EventBridge => {
            "inside anything-but the operators are prefix, suffix, equals-ignore-case and wildcard"
        }
        Dialect::Slipswitch => {
            "inside anything-but the operators are prefix, suffix, equals-ignore-case, wildcard and slipswitch:regex"
        }
    };
    let name = reader.next()?;
    if name.kind != Kind::Key {
        return Err(error(name.span, "Anything-But expression name not found", mend));
    }
    match &*reader.string(&name) {
        b"prefix" => Ok(But::Prefix),
        b"suffix" => Ok(But::Suffix),
        b"equals-ignore-case" => Ok(But::IgnoreCase),
        b"wildcard" => Ok(But::Wildcard),
        name if reader.dialect == Dialect::Slipswitch && name == ours::REGEX.as_bytes() => {
            Ok(But::Regex)
        }
        other => {
            let message =
                format!("Unsupported anything-but pattern: {}", String::from_utf8_lossy(other));
            Err(error(name.span, message, mend))
        }
    }
}

fn unwanted_list(
    reader: &mut Reader<'_>,
    but: But,
    start: &Token,
) -> Result<Vec<Unwanted>, ParseError> {
    let mut list = Vec::new();
    let mut texts = 0;
    loop {
        let token = reader.next()?;
        if token.kind != Kind::ArrayEnd {
            texts += usize::from(token.kind == Kind::String);
            list.push(unwanted(reader, but, &token)?);
            continue;
        }
        let span = start.span.start..token.span.end;
        if but == But::Literal && (list.is_empty() || texts != 0 && texts != list.len()) {
            let message = "Inside anything but list, either all values are number or string, mixed type is not supported";
            return Err(error(
                span,
                message,
                "list strings only, or numbers only, and at least one",
            ));
        }
        if list.is_empty() {
            return Err(error(span, "Empty arrays are not allowed", "list at least one string"));
        }
        return Ok(list);
    }
}

fn unwanted(reader: &mut Reader<'_>, but: But, token: &Token) -> Result<Unwanted, ParseError> {
    if but == But::Literal && token.kind == Kind::Number {
        return Ok(Unwanted::Number(comparable(reader, token)?));
    }
    if token.kind != Kind::String {
        let message = match but {
            But::Literal => "Inside anything but list, start|null|boolean is not supported.",
            But::Prefix | But::Suffix => "prefix/suffix match pattern must be a string",
            But::IgnoreCase => {
                "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
            }
            But::Wildcard => "wildcard match pattern must be a string",
            But::Regex => "slipswitch:regex match pattern must be a string",
        };
        return Err(error(token.span.clone(), message, "write strings in double quotes"));
    }
    let text = reader.string(token);
    if text.is_empty() && matches!(but, But::Prefix | But::Suffix) {
        let mend = "every text begins and ends with the empty text: write what must not be there";
        return Err(error(token.span.clone(), "Null prefix/suffix not allowed", mend));
    }
    Ok(match but {
        But::Literal => Unwanted::Text(text.into()),
        But::Prefix => Unwanted::Prefix(text.into()),
        But::Suffix => Unwanted::Suffix(text.into()),
        But::IgnoreCase => Unwanted::IgnoreCase(IgnoreCase::new(&text)),
        But::Wildcard => Unwanted::Wildcard(wildcard(reader, &text, token)?),
        But::Regex => Unwanted::Regex(ours::regex(reader, token)?),
    })
}
