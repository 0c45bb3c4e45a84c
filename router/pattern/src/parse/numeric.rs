//! The value of `numeric`: a comparison with one number, or a range written from below.

use super::expression::TOO_MANY;
use super::reader::{Reader, error};
use crate::json::{Kind, Token};
use crate::number::Decimal;
use crate::pattern::ParseError;
use crate::value::{Bound, Range};

/// The value of `numeric`.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Range, ParseError> {
    let token = reader.next()?;
    if token.kind != Kind::ArrayStart {
        let mend = "write a list such as [\">\", 0, \"<=\", 5]";
        return Err(error(token.span, "Value of numeric must be an array.", mend));
    }
    let operator = reader.next()?;
    if operator.kind != Kind::String {
        let message = format!("Invalid member in numeric match: {}", shown(reader, &operator));
        return Err(error(
            operator.span,
            message,
            "begin with one of \"=\", \"<\", \"<=\", \">\", \">=\"",
        ));
    }
    let name = reader.string(&operator);
    let name = String::from_utf8_lossy(&name).into_owned();
    let operand = reader.next()?;
    match name.as_str() {
        "=" => Ok(Range::only(sole(reader, "equals", &operand)?)),
        "<" | "<=" => {
            let top = sole(reader, &name, &operand)?;
            Ok(Range { bottom: None, top: Some(Bound { value: top, inclusive: name == "<=" }) })
        }
        ">" | ">=" => from_bottom(reader, &name, &operand),
        _ => {
            let message = format!("Unrecognized numeric range operator: {name}");
            Err(error(operator.span, message, "use one of \"=\", \"<\", \"<=\", \">\", \">=\""))
        }
    }
}

/// The number of an operator that allows nothing after it.
fn sole(
    reader: &mut Reader<'_>,
    name: &str,
    operand: &Token,
) -> Result<Decimal<'static>, ParseError> {
    must_be_number(name, operand)?;
    let end = reader.next()?;
    if end.kind != Kind::ArrayEnd {
        let mend = "a range is written from below: [\">\", 0, \"<\", 5]";
        return Err(error(end.span, TOO_MANY, mend));
    }
    comparable(reader, operand)
}

/// `>` or `>=`, after which a top may follow.
fn from_bottom(reader: &mut Reader<'_>, name: &str, operand: &Token) -> Result<Range, ParseError> {
    must_be_number(name, operand)?;
    let inclusive = name == ">=";
    let operator = reader.next()?;
    if operator.kind == Kind::ArrayEnd {
        let bottom = Bound { value: comparable(reader, operand)?, inclusive };
        return Ok(Range { bottom: Some(bottom), top: None });
    }
    if operator.kind != Kind::String {
        let message = format!("Bad value in numeric range: {}", shown(reader, &operator));
        return Err(error(
            operator.span,
            message,
            "after the bottom comes \"<\" or \"<=\" and the top",
        ));
    }
    let top_name = shown(reader, &operator);
    if !matches!(top_name.as_str(), "<" | "<=") {
        let message = format!("Bad numeric range operator: {top_name}");
        return Err(error(
            operator.span,
            message,
            "after the bottom comes \"<\" or \"<=\" and the top",
        ));
    }
    let top = reader.next()?;
    must_be_number(&top_name, &top)?;
    let end = reader.next()?;
    if end.kind != Kind::ArrayEnd {
        let mend = "a range has one bottom and one top";
        return Err(error(end.span, "Too many terms in numeric range expression", mend));
    }
    let bottom = Bound { value: comparable(reader, operand)?, inclusive };
    let inclusive = top_name == "<=";
    let upper = Bound { value: comparable(reader, &top)?, inclusive };
    if upper.value <= bottom.value {
        let span = operand.span.start..top.span.end;
        let mend = "write the smaller number first; for one number use [\"=\", number]";
        return Err(error(span, "Bottom must be less than top", mend));
    }
    Ok(Range { bottom: Some(bottom), top: Some(upper) })
}

fn must_be_number(name: &str, operand: &Token) -> Result<(), ParseError> {
    if operand.kind == Kind::Number {
        return Ok(());
    }
    let message = format!("Value of {name} must be numeric");
    Err(error(operand.span.clone(), message, "write a number, without quotes"))
}

/// A number that has a value.
pub(super) fn comparable(
    reader: &Reader<'_>,
    token: &Token,
) -> Result<Decimal<'static>, ParseError> {
    let literal = reader.raw(token);
    Decimal::read(literal).map(Decimal::into_owned).ok_or_else(|| {
        let message = format!("Cannot compare number : {}", String::from_utf8_lossy(literal));
        error(
            token.span.clone(),
            message,
            "use a number between 1e-324 and 1e309, or their negatives",
        )
    })
}

fn shown(reader: &Reader<'_>, token: &Token) -> String {
    let text = match token.kind {
        Kind::String | Kind::Key => reader.string(token),
        _ => reader.raw(token).into(),
    };
    String::from_utf8_lossy(&text).into_owned()
}
