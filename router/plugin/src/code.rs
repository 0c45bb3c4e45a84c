//! From a file to compiled code that was tried out.
//!
//! # Invariants
//!
//! - Code that exists has been instantiated and described once: its functions have the contract's types.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use wasmparser::{Encoding, Parser, Payload};
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre, Linker};
use wit_component::ComponentEncoder;

use crate::cache::{self, Cache, Compiled};
use crate::contract::{self, BATCH_TRANSFORMER, FILTER, Outline, PLUGIN, Role, TRANSFORMER};
use crate::host::Shared;
use crate::imports::flow::Flow;
use crate::imports::metrics::Names;
use crate::instance::{Exports, Instance, InstantiateError, Mould, State};
use crate::ticker::Ticker;
use crate::{CodeFrom, Grant, Info, LoadError, Options, Setup, direct, imports, words};

pub(crate) struct Code {
    pub(crate) pre: Pre,
    pub(crate) role: Role,
    pub(crate) info: Info,
    pub(crate) imports: Vec<Grant>,
    /// SHA-256 of the file, in hex.
    pub(crate) digest: String,
}

/// What instances are made of, linked.
pub(crate) enum Pre {
    Component(InstancePre<State>, Exports),
    /// A core module that is called [directly](crate::direct).
    Direct(wasmtime::InstancePre<State>),
}

/// What a file is tried out with.
pub(crate) struct Workshop<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) linkers: &'a Linkers,
    pub(crate) cache: Option<&'a Cache>,
    pub(crate) ticker: &'a Ticker,
    pub(crate) shared: &'a Shared,
}

/// The imports of the contract, for both kinds of plugins.
pub(crate) struct Linkers {
    component: Linker<State>,
    direct: wasmtime::Linker<State>,
}

impl Linkers {
    pub(crate) fn new(engine: &Engine) -> wasmtime::Result<Self> {
        let mut linkers =
            Self { component: Linker::new(engine), direct: wasmtime::Linker::new(engine) };
        imports::link(&mut linkers.component)?;
        direct::imports::link(&mut linkers.direct)?;
        Ok(linkers)
    }
}

pub(crate) fn digest(file: &[u8]) -> String {
    cache::hex(&Sha256::digest(file))
}

impl Workshop<'_> {
    pub(crate) fn make(
        &self,
        name: &Arc<str>,
        file: &[u8],
        digest: String,
    ) -> Result<(Code, CodeFrom), LoadError> {
        let is_module = kind(file)? == Encoding::Module;
        let (Outline { role, imports }, pre, from) =
            match is_module.then(|| direct::recognise(file)) {
                Some(Some(outline)) => self.direct(file, outline)?,
                Some(None) => self.component(&encode(file)?)?,
                None => self.component(file)?,
            };
        let info = self.try_out(name, &pre, role)?;
        Ok((Code { pre, role, info, imports, digest }, from))
    }

    fn direct(
        &self,
        module: &[u8],
        outline: Outline,
    ) -> Result<(Outline, Pre, CodeFrom), LoadError> {
        let outline = outline.checked()?;
        let (compiled, from) = self.compile(module)?;
        let pre = self.linkers.direct.instantiate_pre(&compiled).map_err(mismatch)?;
        Ok((outline, Pre::Direct(pre), from))
    }

    fn component(&self, component: &[u8]) -> Result<(Outline, Pre, CodeFrom), LoadError> {
        let outline = contract::check(component)?;
        let (compiled, from) = self.compile(component)?;
        let exports = exports(&compiled, outline.role)?;
        self.check_functions(&compiled)?;
        let pre = self.linkers.component.instantiate_pre(&compiled).map_err(mismatch)?;
        Ok((outline, Pre::Component(pre, exports), from))
    }

    /// The linker knows them by type and would say less.
    fn check_functions(&self, component: &Component) -> Result<(), LoadError> {
        for (import, item) in component.component_type().imports(self.engine) {
            let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
            for (function, item) in instance.exports(self.engine) {
                if matches!(item.ty, ComponentItem::ComponentFunc(_)) {
                    contract::check_function(import, function)?;
                }
            }
        }
        Ok(())
    }

    fn compile<C: Compiled>(&self, file: &[u8]) -> Result<(C, CodeFrom), LoadError> {
        let compiled = match self.cache {
            Some(cache) => cache.get_or_compile(self.engine, file),
            None => C::compile(self.engine, file).map(|code| (code, CodeFrom::Compiler)),
        };
        compiled.map_err(|error| LoadError::Compile { problem: format!("{error:#}") })
    }

    fn try_out(&self, name: &Arc<str>, pre: &Pre, role: Role) -> Result<Info, LoadError> {
        let (setup, running) = (Setup::default(), self.ticker.enter());
        let names = &Arc::new(Names::new(Arc::clone(name), 0));
        let flow = &Arc::new(Flow::new(&Options::default()));
        let mould = Mould { pre, role, plugin: name, names, flow, setup: &setup };
        let made = self.shared.with_room(|| Instance::new(&mould, &running));
        let instance = made.map_err(|error| match error {
            InstantiateError::Mismatch { function, problem } => {
                LoadError::Mismatch { function, problem }
            }
            InstantiateError::Failed(error) => LoadError::Trial(error),
            InstantiateError::Full => LoadError::Busy,
        })?;
        let info = instance.describe(&running).map_err(LoadError::Trial)?;
        Ok(Info {
            name: words::cut(info.name),
            version: words::cut(info.version),
            description: words::cut(info.description),
            config_schema: info.config_schema,
            pure: info.pure,
        })
    }
}

fn kind(file: &[u8]) -> Result<Encoding, LoadError> {
    if !file.starts_with(b"\0asm") {
        let start: Vec<String> = file.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let found = if start.is_empty() {
            "is empty".to_owned()
        } else {
            format!("begins with `{}`", start.join(" "))
        };
        return Err(LoadError::NotWasm { found });
    }
    match Parser::new(0).parse_all(file).next() {
        Some(Ok(Payload::Version { encoding, .. })) => Ok(encoding),
        Some(Err(error)) => Err(LoadError::Damaged { problem: error.to_string() }),
        _ => Err(LoadError::Damaged { problem: "no header".to_owned() }),
    }
}

/// Makes a component of a core module, as `cargo build --target wasm32-unknown-unknown` leaves it.
fn encode(module: &[u8]) -> Result<Vec<u8>, LoadError> {
    let mut is_typed = false;
    for payload in Parser::new(0).parse_all(module) {
        let damaged = |error: wasmparser::BinaryReaderError| LoadError::Damaged {
            problem: error.to_string(),
        };
        match payload.map_err(damaged)? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.map_err(damaged)?;
                    contract::check_version(import.module)?;
                    contract::check_import(import.module)?;
                }
            }
            Payload::CustomSection(section) if section.name().starts_with("component-type") => {
                is_typed = true;
                contract::check_types(section.data())?;
            }
            _ => (),
        }
    }
    if !is_typed {
        let missing = vec![PLUGIN.to_owned(), contract::one_role()];
        return Err(LoadError::WrongWorld { missing });
    }
    let encoded = ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode());
    encoded.map_err(|error| LoadError::Damaged { problem: format!("{error:#}") })
}

fn exports(component: &Component, role: Role) -> Result<Exports, LoadError> {
    let find = |interface: &str, function: &'static str| {
        let instance = component.get_export_index(None, interface);
        let function_index =
            instance.and_then(|instance| component.get_export_index(Some(&instance), function));
        function_index.ok_or_else(|| LoadError::WrongWorld {
            missing: vec![format!("{function} of {interface}")],
        })
    };
    let call = match role {
        Role::Filter => find(FILTER, "keep")?,
        Role::Transformer => find(TRANSFORMER, "transform")?,
        Role::BatchTransformer => find(BATCH_TRANSFORMER, "transform-batch")?,
    };
    Ok(Exports { describe: find(PLUGIN, "describe")?, configure: find(PLUGIN, "configure")?, call })
}

fn mismatch(error: wasmtime::Error) -> LoadError {
    LoadError::ImportMismatch { problem: format!("{error:#}") }
}
