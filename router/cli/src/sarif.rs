//! Problems as SARIF 2.1.0, which code scanning services and editors read.
//!
//! # Invariants
//!
//! - A path stays relative when it was: whoever reads the file knows the root.
//! - A column counts characters, as everywhere else.

use serde_json::{Value, json};
use server::offline::{Code, Diagnostic};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The whole file, all kinds of problem included.
pub(crate) fn sarif(diagnostics: &[Diagnostic]) -> Value {
    let rules: Vec<Value> = Code::all()
        .map(|code| {
            json!({
                "id": code.slug(),
                "shortDescription": { "text": code.about() },
                "help": { "text": format!("See {}", code.page()) },
                "defaultConfiguration": { "level": code.severity() },
            })
        })
        .collect();
    let results: Vec<Value> = diagnostics.iter().map(result).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "slipswitch",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(one: &Diagnostic) -> Value {
    json!({
        "ruleId": one.code.slug(),
        "ruleIndex": Code::all().position(|code| code == one.code),
        "level": one.severity,
        "message": { "text": sentences(one) },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri(&one.path) },
            "region": {
                "startLine": one.line,
                "startColumn": one.column,
                "endLine": one.line,
                "endColumn": one.end_column,
            },
        } }],
    })
}

/// The message, what to do, and where to read on.
pub(crate) fn sentences(one: &Diagnostic) -> String {
    let mend = if one.mend.is_empty() { String::new() } else { format!("\n{}", one.mend) };
    format!("{}{mend}\nSee {}", one.message, one.page)
}

/// A path as part of a URI; an absolute one as a whole URI.
fn uri(path: &str) -> String {
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    let relative = path.strip_prefix("./").unwrap_or(path);
    let mut uri = scheme.to_owned();
    for byte in relative.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_uri() {
        assert_eq!(uri("./rules/a b.yaml"), "rules/a%20b.yaml");
        assert_eq!(uri("/srv/đ#.yaml"), "file:///srv/%C4%91%23.yaml");
    }
}
