//! The JSON Schema of a configuration, written by the types themselves.
//!
//! # Invariants
//!
//! - It ends: a type within itself is followed [`DEPTH_MAX`] deep, and nothing is added beyond [`BYTES_MAX`].

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::marker::PhantomData;

use serde_json::value::RawValue;

/// How deep types within types are described; what is deeper may be anything.
const DEPTH_MAX: usize = 16;
/// Beyond this everything may be anything.
const BYTES_MAX: usize = 64 << 10;

/// A type that knows the JSON Schema (draft 2020-12) of its JSON. [`config`](macro@crate::config) derives it, and
/// fields of types that do not know theirs may be anything.
///
/// ```
/// use slipswitch_sdk::{Schema, SchemaText};
///
/// struct Percent(u8);
///
/// impl Schema for Percent {
///     fn write(to: &mut SchemaText) {
///         to.push(r#"{"type":"integer","minimum":0,"maximum":100}"#);
///     }
/// }
/// ```
pub trait Schema {
    /// Appends the schema: a JSON object.
    fn write(to: &mut SchemaText);

    fn text() -> String {
        let mut to = SchemaText { text: String::new(), depth: 0 };
        to.of::<Self>();
        to.text
    }
}

/// A schema that is being written.
#[derive(Debug)]
pub struct SchemaText {
    text: String,
    depth: usize,
}

impl SchemaText {
    /// JSON text.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// The schema of another type.
    pub fn of<T: Schema + ?Sized>(&mut self) {
        if self.depth == DEPTH_MAX || self.text.len() > BYTES_MAX {
            return self.push("{}");
        }
        self.depth += 1;
        T::write(self);
        self.depth -= 1;
    }

    /// A schema with more members, which are JSON text such as `"description":"…"`.
    pub fn with(&mut self, members: &str, write: impl FnOnce(&mut Self)) {
        let start = self.text.len();
        write(self);
        if !members.is_empty() {
            let comma = if self.text.get(start..) == Some("{}") { "" } else { "," };
            self.text.insert_str(start + 1, &format!("{members}{comma}"));
        }
    }
}

macro_rules! write_as {
    ($($type:ty: $schema:literal;)*) => {
        $(impl Schema for $type {
            fn write(to: &mut SchemaText) {
                to.push($schema);
            }
        })*
    };
}

write_as! {
    bool: r#"{"type":"boolean"}"#;
    char: r#"{"type":"string","minLength":1,"maxLength":1}"#;
    f32: r#"{"type":"number"}"#;
    f64: r#"{"type":"number"}"#;
    i8: r#"{"type":"integer","minimum":-128,"maximum":127}"#;
    i16: r#"{"type":"integer","minimum":-32768,"maximum":32767}"#;
    i32: r#"{"type":"integer","minimum":-2147483648,"maximum":2147483647}"#;
    i64: r#"{"type":"integer"}"#;
    isize: r#"{"type":"integer"}"#;
    u8: r#"{"type":"integer","minimum":0,"maximum":255}"#;
    u16: r#"{"type":"integer","minimum":0,"maximum":65535}"#;
    u32: r#"{"type":"integer","minimum":0,"maximum":4294967295}"#;
    u64: r#"{"type":"integer","minimum":0}"#;
    usize: r#"{"type":"integer","minimum":0}"#;
    str: r#"{"type":"string"}"#;
    String: r#"{"type":"string"}"#;
    RawValue: "{}";
    serde_json::Value: "{}";
}

impl<T: Schema + ?Sized> Schema for Box<T> {
    fn write(to: &mut SchemaText) {
        T::write(to);
    }
}

impl<T: Schema + alloc::borrow::ToOwned + ?Sized> Schema for Cow<'_, T> {
    fn write(to: &mut SchemaText) {
        T::write(to);
    }
}

impl<T: Schema> Schema for Option<T> {
    fn write(to: &mut SchemaText) {
        to.push(r#"{"anyOf":["#);
        to.of::<T>();
        to.push(r#",{"type":"null"}]}"#);
    }
}

impl<T: Schema> Schema for Vec<T> {
    fn write(to: &mut SchemaText) {
        to.push(r#"{"type":"array","items":"#);
        to.of::<T>();
        to.push("}");
    }
}

impl<T: Schema> Schema for BTreeSet<T> {
    fn write(to: &mut SchemaText) {
        Vec::<T>::write(to);
    }
}

impl<K, T: Schema> Schema for BTreeMap<K, T> {
    fn write(to: &mut SchemaText) {
        to.push(r#"{"type":"object","additionalProperties":"#);
        to.of::<T>();
        to.push("}");
    }
}

#[cfg(any(feature = "std", not(target_arch = "wasm32")))]
impl<K, T: Schema, S> Schema for std::collections::HashMap<K, T, S> {
    fn write(to: &mut SchemaText) {
        BTreeMap::<K, T>::write(to);
    }
}

/// Asked for a schema, it answers through the first trait that fits: so a type without one is no error.
pub struct Probe<T: ?Sized>(pub PhantomData<T>);

pub trait Described {
    fn write(&self, to: &mut SchemaText);
    fn text(&self) -> String;
}

impl<T: Schema + ?Sized> Described for Probe<T> {
    fn write(&self, to: &mut SchemaText) {
        to.of::<T>();
    }

    fn text(&self) -> String {
        T::text()
    }
}

/// Behind one reference more, so only for what is not [`Described`].
pub trait Anything {
    fn write(&self, to: &mut SchemaText);
    fn text(&self) -> String;
}

impl<T: ?Sized> Anything for &Probe<T> {
    fn write(&self, to: &mut SchemaText) {
        to.push("{}");
    }

    fn text(&self) -> String {
        String::new()
    }
}
