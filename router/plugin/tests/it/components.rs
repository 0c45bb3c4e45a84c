//! The imports once more, as a component asks for them.

#[expect(clippy::duplicate_mod, reason = "the same tests of another kind of plugin")]
#[path = "imports.rs"]
mod imports;

const BUILD: fn(&crate::parts::Parts) -> Vec<u8> = crate::parts::Parts::build_typed;
