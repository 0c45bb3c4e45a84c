//! Plugins that are called as what they are: core modules, without the component model's machinery between.
//!
//! ```text
//! file of the Rust SDK = core module + types of its world + mark
//!                        └ instantiated as it is              └ "an event may come in one piece"
//! cabi_realloc(size) ──▶ where ◀── one block: the attributes' table, then every text
//! transform(fourteen numbers) ──▶ address of the answer, read where it lies
//! ```
//!
//! What crosses the border is the canonical ABI of the contract's few types, by hand on this side as it is in the SDK.
//! A component does the same at three times the price: wasmtime looks each function up by name, and enters the plugin
//! once for each text.
//!
//! # Invariants
//!
//! - Only a module whose types are, byte for byte, those of a world of the contract is called in this way. Everything
//!   else is a component, and works as well.
//! - What a plugin says about its memory is held against its memory, and against what one call may hand over, before
//!   it is believed. The words for what is wrong are wasmtime's.
//!
//! # Not here
//!
//! - Budgets, and what becomes of errors: `instance`, which calls both kinds.

pub(crate) mod imports;
mod placing;
mod reading;

use wasmparser::{ExternalKind, Parser, Payload};
use wasmtime::{Memory, Store, TypedFunc};

use crate::contract::{self, Outline, Role};
use crate::instance::{InstantiateError, State};
use crate::{Event, Grant, Output, wit};
use reading::Reading;
pub(crate) use reading::TooMuch;

/// The custom section of plugins that take an event in one piece.
const MARK: &str = "slipswitch:arena";
const MARKED: [u8; 1] = [1];
const TYPES: &str = "component-type";
const REALLOC: &str = "cabi_realloc";
const MEMORY: &str = "memory";

/// The types of a world, as the SDK has them in each plugin. Entries are added and none is replaced: what an older SDK has
/// built is called directly for ever.
const WORLDS: [(Role, &[u8]); 3] = [
    (Role::Transformer, include_bytes!("direct/transformer-plugin.bin")),
    (Role::Filter, include_bytes!("direct/filter-plugin.bin")),
    (Role::BatchTransformer, include_bytes!("direct/batch-transformer-plugin.bin")),
];

/// None when the module is better made a component.
pub(crate) fn recognise(module: &[u8]) -> Option<Outline> {
    let (mut is_marked, mut roles) = (false, Vec::new());
    let (mut imports, mut exports) = (Vec::<Grant>::new(), Vec::new());
    for payload in Parser::new(0).parse_all(module) {
        match payload.ok()? {
            Payload::CustomSection(section) if section.name() == MARK => {
                is_marked = section.data() == MARKED;
            }
            Payload::CustomSection(section) if section.name().starts_with(TYPES) => {
                let world = WORLDS.iter().find(|(_, types)| *types == section.data());
                roles.push(world?.0);
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.ok()?;
                    imports::is_offered(import.module, import.name).then_some(())?;
                    let grant = contract::check_import(import.module).ok()?;
                    imports.extend(grant.filter(|grant| !imports.contains(grant)));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export.ok()?;
                    exports.push((export.name, export.kind));
                }
            }
            _ => (),
        }
    }
    let [role] = roles.as_slice() else { return None };
    let mut wanted = vec![(MEMORY, ExternalKind::Memory)];
    let functions = [REALLOC, contract::DESCRIBE, contract::CONFIGURE, role.function()];
    wanted.extend(functions.map(|name| (name, ExternalKind::Func)));
    let has_all = wanted.iter().all(|export| exports.contains(export));
    // One that wants to be called before all else, or again when its answer was read.
    let is_more = |name: &str| name == "_initialize" || name.starts_with("cabi_post");
    let has_more = exports.iter().any(|(name, _)| is_more(name));
    (is_marked && has_all && !has_more).then_some(Outline { role: *role, imports })
}

/// The fourteen numbers of an event: address and length of id, source, detail-type, time and json, where the detail
/// stands, address and length of the attributes.
type Numbers = (u32, u32, u32, u32, u32, u32, u32, u32, u32, u32, u32, u32, u32, u32);

/// A plugin's functions, in a store.
pub(crate) struct Guest {
    describe: TypedFunc<(), u32>,
    configure: TypedFunc<(u32, u32), u32>,
    call: Call,
    room: Room,
}

enum Call {
    One(TypedFunc<Numbers, u32>),
    List(TypedFunc<(u32, u32), u32>),
}

/// A plugin's memory, and how to get a piece of it.
#[derive(Clone)]
pub(crate) struct Room {
    memory: Memory,
    realloc: TypedFunc<(u32, u32, u32, u32), u32>,
}

impl Guest {
    pub(crate) fn new(
        instance: wasmtime::Instance,
        role: Role,
        store: &mut Store<State>,
    ) -> Result<Self, InstantiateError> {
        fn find<P: wasmtime::WasmParams>(
            instance: wasmtime::Instance,
            store: &mut Store<State>,
            (name, function): (&str, &'static str),
        ) -> Result<TypedFunc<P, u32>, InstantiateError> {
            let found = instance.get_typed_func(store, name);
            found.map_err(|error| InstantiateError::Mismatch {
                function,
                problem: format!("{error:#}"),
            })
        }
        let Some(memory) = instance.get_memory(&mut *store, MEMORY) else {
            unreachable!("a module without a memory is not called directly")
        };
        let realloc = find(instance, store, (REALLOC, REALLOC))?;
        let describe = find(instance, store, (contract::DESCRIBE, "describe"))?;
        let configure = find(instance, store, (contract::CONFIGURE, "configure"))?;
        let call = match role {
            Role::Filter => Call::One(find(instance, store, (role.function(), "keep"))?),
            Role::Transformer => Call::One(find(instance, store, (role.function(), "transform"))?),
            Role::BatchTransformer => {
                Call::List(find(instance, store, (role.function(), "transform-batch"))?)
            }
        };
        let room = Room { memory, realloc };
        store.data_mut().room = Some(room.clone());
        Ok(Self { describe, configure, call, room })
    }

    pub(crate) fn describe(&self, store: &mut Store<State>) -> wasmtime::Result<wit::Info> {
        let at = self.describe.call(&mut *store, ())?;
        let mut reading = self.read(store);
        let at = reading.record(at, 36)?;
        Ok(wit::Info {
            name: reading.text(at)?,
            version: reading.text(at + 8)?,
            description: reading.text(at + 16)?,
            config_schema: reading.text(at + 24)?,
            pure: reading.byte(at + 32)? != 0,
        })
    }

    pub(crate) fn configure(
        &self,
        store: &mut Store<State>,
        config: &str,
    ) -> wasmtime::Result<Result<(), String>> {
        let (at, len) = self.room.place(store, config.as_bytes(), 1)?;
        let at = self.configure.call(&mut *store, (at, len))?;
        let mut reading = self.read(store);
        let at = reading.record(at, 12)?;
        Ok(match reading.case(at, 2)? {
            0 => Ok(()),
            _ => Err(reading.text(at + 4)?),
        })
    }

    pub(crate) fn keep(
        &self,
        store: &mut Store<State>,
        event: &Event<'_>,
    ) -> wasmtime::Result<Result<bool, wit::Error>> {
        let at = self.call_one(store, event)?;
        self.read(store).answer(at, |reading, at| Ok(reading.byte(at)? != 0))
    }

    pub(crate) fn transform(
        &self,
        store: &mut Store<State>,
        event: &Event<'_>,
    ) -> wasmtime::Result<Result<Vec<Output>, wit::Error>> {
        let at = self.call_one(store, event)?;
        self.read(store).answer(at, Reading::outputs)
    }

    pub(crate) fn transform_batch(
        &self,
        store: &mut Store<State>,
        events: &[Event<'_>],
    ) -> wasmtime::Result<Vec<Result<Vec<Output>, wit::Error>>> {
        let Call::List(function) = &self.call else {
            unreachable!("only a batch transformer is given lists")
        };
        let list = self.room.place_list(store, events)?;
        let at = function.call(&mut *store, list)?;
        let mut reading = self.read(store);
        let at = reading.record(at, 8)?;
        reading.list(at, 16, |reading, at| reading.answer(at, Reading::outputs))
    }

    fn call_one(&self, store: &mut Store<State>, event: &Event<'_>) -> wasmtime::Result<u32> {
        let Call::One(function) = &self.call else {
            unreachable!("a batch transformer is given lists")
        };
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = self.room.place_event(store, event)?;
        function.call(store, (a, b, c, d, e, f, g, h, i, j, k, l, m, n))
    }

    fn read<'a>(&self, store: &'a Store<State>) -> Reading<'a> {
        Reading::new(self.room.memory.data(store), store.data().handed_over_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_sdk_has_built_is_called_directly_for_ever() {
        let outline = recognise(include_bytes!("../testdata/direct-0.2.0.wasm")).unwrap();
        assert_eq!((outline.role, outline.imports), (Role::Transformer, Vec::new()));
        let unmarked = include_bytes!("../testdata/contract-0.2.0.wasm");
        assert!(recognise(unmarked).is_none());
    }

    #[test]
    fn the_worlds_are_those_that_the_sdk_puts_into_plugins() {
        let sdk = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/rust/src/abi");
        let names = ["transformer-plugin.bin", "filter-plugin.bin", "batch-transformer-plugin.bin"];
        for ((role, types), name) in WORLDS.iter().zip(names) {
            assert!(
                std::fs::read(sdk.join(name)).unwrap() == *types,
                "{name} of {}: add it",
                role.name()
            );
        }
    }
}
