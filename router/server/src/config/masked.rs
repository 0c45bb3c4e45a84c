//! The configuration's text for diagnostics: they show lines of it, and a secret may stand there by mistake.
//!
//! In `connections`, only the values of keys that are never secret stay, and `${…}`; the rest of a line is starred out.
//! So is the value of `upload_token`, and of what is nearly that.
//!
//! # Invariants
//!
//! - Every byte keeps its place.

/// Keys of `connections` whose values may be shown.
const SHOWN: [&str; 13] = [
    "user",
    "header",
    "token_url",
    "client_id",
    "scope",
    "audience",
    "auth",
    "method",
    "timeout",
    "access_key_id",
    "region",
    "service",
    "certificate",
];

pub(super) fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_within = false;
    // Text that goes on over several lines: the indentation of its key.
    let mut hidden_below: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let is_blank = line.trim().is_empty();
        if !is_blank && indent == 0 && !line.starts_with('#') {
            // The key itself is ours, and so is the name of each connection.
            is_within = line.trim_start_matches(['"', '\'']).starts_with("connections");
        }
        if hidden_below.is_some_and(|above| !is_blank && indent <= above) {
            hidden_below = None;
        }
        if hidden_below.is_some() {
            out.push_str(&starred(line));
        } else if is_within {
            let (shown, goes_on) = masked_line(line);
            out.push_str(&shown);
            hidden_below = goes_on.then_some(indent);
        } else if let Some(colon) = colon_of_token(line) {
            let (key, value) = line.split_at(colon);
            out.push_str(key);
            out.push_str(&masked_value(value));
        } else {
            out.push_str(line);
        }
    }
    out
}

/// Where the value of `upload_token` begins, also when the key is misspelt.
fn colon_of_token(line: &str) -> Option<usize> {
    let key = line.find("upload").or_else(|| line.find("_tok"))?;
    let colon = line.get(key..)?.find(':')?;
    Some(key + colon)
}

/// The line, and whether what is hidden of it goes on below.
fn masked_line(line: &str) -> (String, bool) {
    let mut out = String::new();
    let mut rest = line;
    if key_end(line).is_none() && !line.trim_start().starts_with(['#', '{', '}', '[', ']']) {
        return (starred(line), false); // It goes on with what stands above.
    }
    while let Some(at) = key_end(rest) {
        let (before, value) = rest.split_at(at);
        let key = before.rsplit([' ', '{', ',', '[', '\t']).next().unwrap_or_default();
        let key = key.trim_matches(['"', '\'']);
        out.push_str(before);
        if SHOWN.contains(&key) {
            out.push(':');
            rest = value.strip_prefix(':').unwrap_or_default();
            continue;
        }
        if let Some(end) = reference(value) {
            let (reference, more) = value.split_at(end);
            out.push_str(reference);
            rest = more;
            continue;
        }
        if opens_a_section(value) {
            out.push(':');
            rest = value.strip_prefix(':').unwrap_or_default();
            continue;
        }
        out.push_str(&masked_value(value));
        return (out, true);
    }
    out.push_str(rest);
    (out, false)
}

/// The first colon that ends a key.
fn key_end(text: &str) -> Option<usize> {
    let ends = |(at, _): &(usize, &str)| {
        let next = text.get(at + 1..).unwrap_or_default();
        next.is_empty() || next.starts_with([' ', '\n', '\r', '\t', '{', '[', '"', '\''])
    };
    text.match_indices(':').find(ends).map(|(at, _)| at)
}

/// `: ${…}`, perhaps in quotes: where it ends.
fn reference(value: &str) -> Option<usize> {
    let text = value.strip_prefix(':')?.trim_start_matches([' ', '"', '\'']);
    if !text.starts_with("${") {
        return None;
    }
    let name = text.split('}').next().unwrap_or_default();
    if name.contains(":-") {
        return None; // A default may be the secret.
    }
    let end = value.len() - text.len() + text.find('}')? + 1;
    // What follows must end the value.
    let next = value.get(end..)?.trim_start_matches(['"', '\'', ' ']);
    (next.is_empty() || next.starts_with(['\n', '\r', ',', '}', '#'])).then_some(end)
}

fn opens_a_section(value: &str) -> bool {
    let text = value.trim_start_matches(':').trim();
    text.is_empty() || text.starts_with(['{', '[', '#'])
}

/// What follows a key, with its value starred out unless it names one.
fn masked_value(value: &str) -> String {
    if reference(value).is_some() {
        return value.to_owned();
    }
    let start = value.len() - value.trim_start_matches([':', ' ', '"', '\'']).len();
    let (kept, hidden) = value.split_at(start);
    kept.to_owned() + &starred(hidden)
}

fn starred(text: &str) -> String {
    let star = |byte: u8| if matches!(byte, b'\n' | b'\r' | b' ') { char::from(byte) } else { '*' };
    text.bytes().map(star).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = masked(text);
        assert_eq!(found, expected);
        assert_eq!(found.len(), text.len());
    }

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        let section = |line: &str| format!("connections:\n  crm:\n    {line}\nlisten: a:1\n");
        for (line, shown) in [
            ("password: hunter2", "password: *******"),
            ("pwd: hunter2 # so", "pwd: ******* * **"),
            ("basic: { user: a, password: \"h,u}n\" }", "basic: { user: a, password: \"****** *"),
            (
                "basic: { user: a, password: ${P}, x: hu }",
                "basic: { user: a, password: ${P}, x: ** *",
            ),
            ("token: ${file:/a}", "token: ${file:/a}"),
            ("token: ${A:-b}", "token: *******"),
            ("token: ${A}b", "token: *****"),
            ("token_url: https://a.net:1/x", "token_url: https://a.net:1/x"),
            ("key: |\n      -----BEGIN\n      abc", "key: *\n      **********\n      ***"),
            ("bearer: hunter2", "bearer: *******"),
            ("bearer: { token: ${A} }", "bearer: { token: ${A} }"),
            ("hosts: [\"a b\"]", "hosts: [\"a b\"]"),
            ("headers: { x-a: b }", "headers: { x-a: * *"),
            ("value:\n      hunter2", "value:\n      *******"),
            ("value:\n      hunter:2", "value:\n      ********"),
            ("value: \"hunter2\"", "value: \"********"),
        ] {
            check(&section(line), &section(shown));
        }
        check("plugin:\n  upload_token: hunter2\n", "plugin:\n  upload_token: *******\n");
        check("plugin:\n  upload_tokn: hunter2\n", "plugin:\n  upload_tokn: *******\n");
        check("plugin:\n  uplaod_token: hunter2\n", "plugin:\n  uplaod_token: *******\n");
        check("plugin: { upload_token: ${T} }\n", "plugin: { upload_token: ${T} }\n");
    }
}
