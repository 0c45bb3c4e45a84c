//! The schema that a configuration publishes.

use serde_json::{Value, json};
use slipswitch_sdk::{Path, Schema};

fn schema<T: Schema>() -> Value {
    serde_json::from_str(&T::text()).expect("a schema is JSON")
}

/// Where it goes.
///
/// And how.
#[slipswitch_sdk::config]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "read for its schema")]
struct Config {
    /// The "place" of
    /// the key.
    order_key: Path,
    #[serde(default)]
    limit: u8,
    note: Option<String>,
    #[serde(rename = "how", default)]
    way: Way,
    lists: Vec<Vec<bool>>,
    unknown: std::net::Ipv4Addr,
    #[serde(skip)]
    hidden: u8,
}

#[slipswitch_sdk::config]
#[derive(Default)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "read for its schema")]
enum Way {
    #[default]
    AsItIs,
    /// Cut to size.
    Cut {
        to: u32,
    },
    Named(String),
}

#[test]
fn fields_docs_and_serde_s_attributes_are_in_the_schema() {
    let way = json!({"anyOf": [
        {"const": "as-it-is"},
        {"description": "Cut to size.", "type": "object", "required": ["cut"], "additionalProperties": false,
         "properties": {"cut": {"type": "object", "required": ["to"], "additionalProperties": false,
                                "properties": {"to": {"type": "integer", "minimum": 0, "maximum": 4_294_967_295_u32}}}}},
        {"type": "object", "properties": {"named": {"type": "string"}}, "required": ["named"],
         "additionalProperties": false},
    ]});
    let expected = json!({
        "description": "Where it goes.\nAnd how.",
        "type": "object",
        "properties": {
            "orderKey": {"description": "The \"place\" of the key.", "type": "string", "pattern": r"^\$(\.[^.*\[\]]+)+$"},
            "limit": {"type": "integer", "minimum": 0, "maximum": 255},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "how": way,
            "lists": {"type": "array", "items": {"type": "array", "items": {"type": "boolean"}}},
            "unknown": {},
        },
        "required": ["orderKey", "lists", "unknown"],
        "additionalProperties": false,
    });
    assert_eq!(schema::<Config>(), expected);
}

#[test]
fn a_key_that_the_type_does_not_know_is_refused() {
    let error = slipswitch_sdk::config::<Way>(r#"{"cut":{"to":1,"too":2}}"#).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "config.cut: unknown field `too`, expected `to`");
}

#[slipswitch_sdk::config]
#[serde(tag = "kind", rename_all = "lowercase")]
#[expect(dead_code, reason = "read for its schema")]
enum Tagged {
    Text { max: u32 },
    Nothing,
}

#[derive(Schema)]
#[serde(try_from = "String")]
#[expect(dead_code, reason = "read for its schema")]
struct Word(u8);

#[derive(Schema)]
#[serde(default)]
#[expect(dead_code, reason = "read for its schema")]
struct Deep {
    within: Vec<Deep>,
    #[serde(flatten)]
    more: Tagged,
    pair: (u8, Word),
}

#[test]
fn tags_other_types_and_types_within_themselves_are_described() {
    let limit = json!({"type": "integer", "minimum": 0, "maximum": 4_294_967_295_u32});
    let tagged = json!({"anyOf": [
        {"type": "object", "properties": {"kind": {"const": "text"}, "max": limit}, "required": ["kind", "max"],
         "additionalProperties": false},
        {"type": "object", "properties": {"kind": {"const": "nothing"}}, "required": ["kind"],
         "additionalProperties": false},
    ]});
    assert_eq!(schema::<Tagged>(), tagged);
    assert_eq!(schema::<Word>(), json!({"type": "string"}));
    let deep = schema::<Deep>();
    assert_eq!(deep["allOf"], json!([tagged]));
    assert_eq!((&deep["required"], &deep["properties"]["pair"]), (&Value::Null, &json!({})));
    assert!(Deep::text().len() < 20_000);
}

#[test]
fn a_type_without_a_schema_publishes_none() {
    struct Plain;
    let _never_made = || Plain;
    assert_eq!(slipswitch_sdk::export::schema_of!(Plain), "");
    assert_eq!(slipswitch_sdk::export::schema_of!(u8), u8::text());
}
