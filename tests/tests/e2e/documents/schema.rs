//! A schema of ours, in the hands of somebody else's validator.

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

const OF_SCHEMAS: &str = "https://json-schema.org/draft/2020-12/schema";
const PLACE: &str = "https://slipswitch.test/schema.json";

pub(super) struct Schema {
    pub(super) value: Value,
    compiled: Schemas,
    root: SchemaIndex,
}

impl Schema {
    pub(super) fn new(text: &str) -> Self {
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(value["$schema"], OF_SCHEMAS);
        let mut compiler = Compiler::new();
        compiler.add_resource(PLACE, value.clone()).unwrap();
        let mut compiled = Schemas::new();
        let root =
            compiler.compile(PLACE, &mut compiled).unwrap_or_else(|error| panic!("{error:#}"));
        Self { value, compiled, root }
    }

    /// The schema that every schema has to fit.
    pub(super) fn of_schemas() -> Self {
        let mut compiled = Schemas::new();
        let root = Compiler::new().compile(OF_SCHEMAS, &mut compiled).unwrap();
        Self { value: Value::Null, compiled, root }
    }

    /// What an editor would underline.
    pub(super) fn check(&self, document: &Value) -> Result<(), String> {
        self.compiled.validate(document, self.root).map_err(|error| format!("{error:#}"))
    }
}

/// The documents of a text in YAML, of which JSON is one way to write it.
pub(super) fn documents(text: &str) -> Result<Vec<Value>, String> {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| error.to_string())
}
