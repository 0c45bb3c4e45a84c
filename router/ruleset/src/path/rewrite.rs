//! From the paths that people write to those of RFC 9535.
//!
//! The RFC's shorthand `.name` has letters, digits and underscores, and does not begin with a digit.
//! EventBridge's own envelope has `detail-type`, and AWS takes `$.detail-type`; so `.a-b`, `.$ref`,
//! `.@id`, `.9lives`, `.a/b` and, outside filters, `.two words` become `['a-b']` and so on.

/// `path` with every shorthand that the RFC lacks in brackets.
pub(super) fn to_rfc(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 16);
    let mut rest = path;
    let mut depth = 0_usize;
    while let Some(first) = rest.chars().next() {
        match first {
            '[' | '(' => depth += 1,
            ']' | ')' => depth = depth.saturating_sub(1),
            _ => (),
        }
        let token = match first {
            '\'' | '"' => quoted(rest, first),
            // A number of a filter: its dot begins no name.
            '0'..='9' => run(rest, |c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E')),
            '.' => dots(rest),
            // A word of a filter, such as a function or `true`.
            c if c.is_alphabetic() => run(rest, |c| c.is_alphanumeric() || c == '_'),
            c => rest.get(..c.len_utf8()).unwrap_or_default(),
        };
        rest = rest.get(token.len()..).unwrap_or_default();
        if first != '.' {
            out.push_str(token);
            continue;
        }
        let name = match depth {
            0 => run(rest, |c| is_name(c) || c == ' ').trim_end_matches(' '),
            // Within a filter a blank ends the name.
            _ => run(rest, is_name),
        };
        rest = rest.get(name.len()..).unwrap_or_default();
        if name.is_empty() || is_rfc(name) {
            out.push_str(token);
            out.push_str(name);
        } else {
            // A single dot goes; the two of a descendant stay.
            out.push_str(if token == "." { "" } else { token });
            out.push_str("['");
            out.push_str(name);
            out.push_str("']");
        }
    }
    out
}

/// Where each `..` outside quotes stands.
pub(super) fn descents(path: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        let token = match first {
            '\'' | '"' => quoted(rest, first),
            '.' => dots(rest),
            c => rest.get(..c.len_utf8()).unwrap_or_default(),
        };
        if token == ".." {
            found.push(path.len() - rest.len());
        }
        rest = rest.get(token.len()..).unwrap_or_default();
    }
    found
}

/// The text in quotes that `rest` begins with.
fn quoted(rest: &str, quote: char) -> &str {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if c == quote => return rest.get(..=at).unwrap_or(rest),
            _ => (),
        }
    }
    rest
}

fn dots(rest: &str) -> &str {
    if rest.starts_with("..") { ".." } else { "." }
}

fn run(rest: &str, is_part: impl Fn(char) -> bool) -> &str {
    let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

/// None of these needs an escape within quotes.
fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '@' | '/' | ':' | '#') || !c.is_ascii()
}

fn is_rfc(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii();
    name.chars().all(is_part) && !name.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_rfc_lacks_is_rewritten() {
        for (path, rfc) in [
            ("$.detail.orderId", "$.detail.orderId"),
            ("$.detail-type", "$['detail-type']"),
            ("$.$ref.@id.9lives", "$['$ref']['@id']['9lives']"),
            ("$..detail-type", "$..['detail-type']"),
            ("$.*.a-b[*]", "$.*['a-b'][*]"),
            ("$['x.y-z'].q-r", "$['x.y-z']['q-r']"),
            ("$[?@.price > 1.5].a-b", "$[?@.price > 1.5]['a-b']"),
            ("$[?(@.a-b=='c.d-e')]", "$[?(@['a-b']=='c.d-e')]"),
            ("$[0].a", "$[0].a"),
            ("$.detail.first-name of all.x", "$.detail['first-name of all'].x"),
            ("$.a .b", "$.a .b"),
            ("$[?@.a b]", "$[?@.a b]"),
            ("$[?@.n>-1.5e-3]", "$[?@.n>-1.5e-3]"),
        ] {
            assert_eq!(to_rfc(path), rfc);
        }
    }
}
