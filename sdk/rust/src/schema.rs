//! The JSON Schema of a configuration, written by the types themselves.

use alloc::string::String;

/// A type that knows the JSON Schema (draft 2020-12) of its JSON.
pub trait Schema {
    /// Appends the schema, a JSON value.
    fn write(to: &mut String);

    fn text() -> String {
        let mut text = String::new();
        Self::write(&mut text);
        text
    }
}
