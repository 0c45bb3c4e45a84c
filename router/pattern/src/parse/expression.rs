//! One entry of a field's list: a plain value, or an object with one operator.

use super::reader::{Reader, error};
use super::{anything_but, names, numeric, ours};
use crate::address::{Address, Network, NetworkError};
use crate::ignore_case::IgnoreCase;
use crate::json::{Kind, Token};
use crate::limits::WILDCARD_COMPLEXITY_MAX;
use crate::pattern::{Dialect, ParseError};
use crate::value::{PlainNumber, Wanted};
use crate::wildcard::{Wildcard, WildcardError};

pub(super) enum Entry {
    Wanted(Wanted),
    /// `{"exists": false}`
    Absent,
}

const ONE_KEY: &str = "Only one key allowed in match expression";
const ONE_KEY_MEND: &str = "give each operator an object of its own in the list";
/// AWS says this of `anything-but` too.
pub(super) const TOO_MANY: &str = "Too many elements in numeric expression";
/// How the message about a name begins that is no operator.
pub(super) const UNRECOGNIZED: &str = "Unrecognized match type";
const IGNORE_CASE: &str = "equals-ignore-case";

/// The entry that begins with this token.
pub(super) fn entry(reader: &mut Reader<'_>, token: Token) -> Result<Entry, ParseError> {
    let wanted = match token.kind {
        Kind::ObjectStart => return operator(reader),
        Kind::String => plain_text(&reader.string(&token)),
        Kind::Number => Wanted::Number(PlainNumber::new(reader.raw(&token))),
        Kind::True => Wanted::True,
        Kind::False => Wanted::False,
        Kind::Null => Wanted::Null,
        Kind::ArrayStart | Kind::ArrayEnd | Kind::ObjectEnd | Kind::Key => {
            let message = "Match value must be String, number, true, false, or null";
            let mend = "lists do not nest: a value in an array of arrays is found as it is";
            return Err(error(token.span, message, mend));
        }
    };
    Ok(Entry::Wanted(wanted))
}

/// A string that stands in a list by itself.
fn plain_text(text: &[u8]) -> Wanted {
    match Address::read(text) {
        Some(address) => Wanted::Address(address),
        None => Wanted::Text(text.into()),
    }
}

/// The rest of an object in a field's list.
fn operator(reader: &mut Reader<'_>) -> Result<Entry, ParseError> {
    let name = reader.next()?;
    if name.kind != Kind::Key {
        let mend = "name an operator, such as {\"prefix\": \"a\"}";
        return Err(error(name.span, "Match expression name not found", mend));
    }
    let is_ours = reader.dialect == Dialect::Slipswitch;
    let mut otherwise = ONE_KEY;
    let wanted = match &*reader.string(&name) {
        b"exactly" => Wanted::Text(text(reader, "exact", Some("exactly"))?.0),
        b"prefix" => prefix(reader)?,
        b"suffix" => suffix(reader)?,
        b"equals-ignore-case" => {
            Wanted::IgnoreCase(IgnoreCase::new(&text(reader, IGNORE_CASE, Some(IGNORE_CASE))?.0))
        }
        b"wildcard" => {
            let (text, token) = text(reader, "wildcard", Some("wildcard"))?;
            Wanted::Wildcard(wildcard(reader, &text, &token)?)
        }
        b"cidr" => cidr(reader)?,
        b"numeric" => {
            otherwise = TOO_MANY;
            Wanted::Range(numeric::read(reader)?)
        }
        b"anything-but" => {
            otherwise = TOO_MANY;
            anything_but::read(reader)?
        }
        b"exists" => return exists(reader),
        name if is_ours && name == ours::ALL.as_bytes() => ours::all(reader)?,
        name if is_ours && name == ours::REGEX.as_bytes() => ours::regex_value(reader)?,
        other => {
            let message = format!("{UNRECOGNIZED} {}", String::from_utf8_lossy(other));
            return Err(error(name.span, message, &names::mend(other, reader.dialect)));
        }
    };
    close(reader, otherwise)?;
    Ok(Entry::Wanted(wanted))
}

pub(super) fn close(reader: &mut Reader<'_>, otherwise: &str) -> Result<(), ParseError> {
    let token = reader.next()?;
    if token.kind == Kind::ObjectEnd {
        return Ok(());
    }
    Err(error(token.span, otherwise, ONE_KEY_MEND))
}

/// A string, and its token; `called` is what AWS calls the thing that needs one, `entry` the operator
/// if several of its entries can stand in the field's list.
fn text(
    reader: &mut Reader<'_>,
    called: &str,
    entry: Option<&str>,
) -> Result<(Box<[u8]>, Token), ParseError> {
    let token = reader.next()?;
    if token.kind != Kind::String {
        return Err(not_a_string(token, called, entry));
    }
    Ok((reader.string(&token).into(), token))
}

fn not_a_string(token: Token, called: &str, entry: Option<&str>) -> ParseError {
    let message = format!("{called} match pattern must be a string");
    match entry.filter(|_| token.kind == Kind::ArrayStart) {
        Some(name) => {
            let mend = format!(
                "write one string, or one entry for each: [{{\"{name}\": \"x\"}}, {{\"{name}\": \"y\"}}]"
            );
            error(token.span, message, &mend)
        }
        None => error(token.span, message, "write one string in double quotes"),
    }
}

fn prefix(reader: &mut Reader<'_>) -> Result<Wanted, ParseError> {
    let token = reader.next()?;
    match token.kind {
        Kind::String => Ok(Wanted::Prefix(reader.string(&token).into())),
        Kind::ObjectStart => {
            Ok(Wanted::PrefixIgnoreCase(inner_ignore_case(reader, ("Prefix", "prefix"))?))
        }
        _ => Err(not_a_string(token, "prefix", Some("prefix"))),
    }
}

fn suffix(reader: &mut Reader<'_>) -> Result<Wanted, ParseError> {
    let token = reader.next()?;
    match token.kind {
        Kind::String => Ok(Wanted::Suffix(reader.string(&token).into())),
        Kind::ObjectStart => {
            Ok(Wanted::SuffixIgnoreCase(inner_ignore_case(reader, ("Suffix", "suffix"))?))
        }
        _ => Err(not_a_string(token, "suffix", Some("suffix"))),
    }
}

/// The rest of `{"equals-ignore-case": …}` inside `prefix` or `suffix`.
fn inner_ignore_case(
    reader: &mut Reader<'_>,
    (title, operator): (&str, &str),
) -> Result<IgnoreCase, ParseError> {
    let name = reader.next()?;
    let mend = "inside it only {\"equals-ignore-case\": \"…\"} is possible";
    if name.kind != Kind::Key {
        return Err(error(name.span, format!("{title} expression name not found"), mend));
    }
    let inner = reader.string(&name);
    if *inner != *b"equals-ignore-case" {
        let message =
            format!("Unsupported {operator} pattern: {}", String::from_utf8_lossy(&inner));
        return Err(error(name.span, message, mend));
    }
    let (text, _) = text(reader, IGNORE_CASE, None)?;
    close(reader, ONE_KEY)?;
    Ok(IgnoreCase::new(&text))
}

pub(super) fn wildcard(
    reader: &Reader<'_>,
    text: &[u8],
    token: &Token,
) -> Result<Wildcard, ParseError> {
    // AWS counts the opening quote, so its first position is one.
    let wildcard = Wildcard::read(text).map_err(|why| {
        let (message, mend) = match why {
            WildcardError::Consecutive(at) => (
                format!("Consecutive wildcard characters at pos {}", at + 1),
                "one * stands for any number of characters",
            ),
            WildcardError::Escape(at) => (
                format!("Invalid escape character at pos {}", at + 1),
                "a backslash may stand before * or a backslash only; in JSON it is written \\\\",
            ),
        };
        error(token.span.clone(), message, mend)
    })?;
    if reader.dialect == Dialect::EventBridge && WILDCARD_COMPLEXITY_MAX < wildcard.complexity() {
        let message = "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character";
        let mend = "use at most five *, and shorter repetitions after them";
        return Err(error(token.span.clone(), message, mend));
    }
    Ok(wildcard)
}

fn cidr(reader: &mut Reader<'_>) -> Result<Wanted, ParseError> {
    // AWS names prefix here.
    let (text, token) = text(reader, "prefix", Some("cidr"))?;
    let is_ours = reader.dialect == Dialect::Slipswitch;
    if is_ours && let Some(address) = network_of_one(&text) {
        return Ok(Wanted::Address(address));
    }
    let network = Network::read(&text).map_err(|why| {
        let message = match why {
            NetworkError::Slash => "Malformed CIDR, one '/' required".to_owned(),
            NetworkError::Bits => "Malformed CIDR, mask bits must be an integer".to_owned(),
            NetworkError::NegativeBits => "Malformed CIDR, mask bits must not be negative".to_owned(),
            NetworkError::Nonstandard(address) => format!("Nonstandard IP address: {address}"),
            NetworkError::Invalid(address) => format!("Invalid IP address: {address}"),
            NetworkError::V4Bits if is_ours => "IPv4 mask bits must be <= 32".to_owned(),
            NetworkError::V6Bits if is_ours => "IPv6 mask bits must be <= 128".to_owned(),
            NetworkError::V4Bits => "IPv4 mask bits must be < 32".to_owned(),
            NetworkError::V6Bits => "IPv6 mask bits must be < 128".to_owned(),
        };
        let mend = "write a network such as \"10.0.0.0/8\" or \"2001:db8::/32\"; for a single address list the address itself";
        error(token.span, message, mend)
    })?;
    Ok(Wanted::Network(network))
}

/// The only address of a network, where all bits are given.
fn network_of_one(text: &[u8]) -> Option<Address> {
    let (address, bits) = text.split_at(memchr::memchr(b'/', text)?);
    let all: &[u8] = if address.contains(&b':') { b"/128" } else { b"/32" };
    Address::read(address).filter(|_| bits == all)
}

fn exists(reader: &mut Reader<'_>) -> Result<Entry, ParseError> {
    let token = reader.next()?;
    let entry = match token.kind {
        Kind::True => Entry::Wanted(Wanted::Present),
        Kind::False => Entry::Absent,
        _ => {
            let message = "exists match pattern must be either true or false.";
            return Err(error(token.span, message, "write true or false, without quotes"));
        }
    };
    close(reader, ONE_KEY)?;
    Ok(entry)
}
