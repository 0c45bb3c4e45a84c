//! Which files are plugins: what a component imports and exports, held against the contract.
//!
//! # Invariants
//!
//! - Decided from names alone, before anything is compiled or run. That the functions behind the names have the right
//!   types is the trial's business.

use wasmparser::{ComponentType, ComponentTypeDeclaration, Parser, Payload};

use crate::{Grant, LoadError};

/// The contract that this host speaks. Plugins of another 0.x are refused; a later patch only adds.
pub const CONTRACT: &str = "slipswitch:plugin@0.2.0";

pub(crate) const PLUGIN: &str = "slipswitch:plugin/plugin@0.2.0";
pub(crate) const FILTER: &str = "slipswitch:plugin/filter@0.2.0";
pub(crate) const TRANSFORMER: &str = "slipswitch:plugin/transformer@0.2.0";
pub(crate) const BATCH_TRANSFORMER: &str = "slipswitch:plugin/batch-transformer@0.2.0";
pub(crate) const LOG: &str = "slipswitch:plugin/log@0.2.0";
pub(crate) const METRICS: &str = "slipswitch:plugin/metrics@0.2.0";
pub(crate) const CLOCK: &str = "slipswitch:plugin/clock@0.2.0";
pub(crate) const RANDOM: &str = "slipswitch:plugin/random@0.2.0";
pub(crate) const STATE: &str = "slipswitch:plugin/state@0.2.0";

/// Functions as a core module exports them.
pub(crate) const DESCRIBE: &str = "slipswitch:plugin/plugin@0.2.0#describe";
pub(crate) const CONFIGURE: &str = "slipswitch:plugin/plugin@0.2.0#configure";

const PACKAGE: &str = "slipswitch:plugin/";
/// The parts of the contract's version that must be equal.
const KNOWN: (u64, u64) = (0, 2);
/// What a plugin may import without a grant. `types` has no functions: it only gives names to types.
const ALWAYS: [&str; 2] = ["types", "log"];

/// What a plugin does with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Decides whether an event goes on.
    Filter,
    /// Decides what goes on.
    Transformer,
    /// Decides what goes on, for several events at once.
    BatchTransformer,
}

impl Role {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Transformer => "transformer",
            Self::BatchTransformer => "batch transformer",
        }
    }

    /// The function that does it, as a core module exports it.
    pub(crate) fn function(self) -> &'static str {
        match self {
            Self::Filter => "slipswitch:plugin/filter@0.2.0#keep",
            Self::Transformer => "slipswitch:plugin/transformer@0.2.0#transform",
            Self::BatchTransformer => "slipswitch:plugin/batch-transformer@0.2.0#transform-batch",
        }
    }
}

/// The names on the outside of a component.
#[derive(Debug, Default)]
struct Outside {
    imports: Vec<String>,
    exports: Vec<String>,
}

/// What is known of a plugin before it is compiled.
pub(crate) struct Outline {
    pub(crate) role: Role,
    /// What it asks for, the log excepted.
    pub(crate) imports: Vec<Grant>,
}

/// The outline of a component, if it is a plugin of our contract and asks for nothing that nobody may have.
pub(crate) fn check(component: &[u8]) -> Result<Outline, LoadError> {
    let outside = Outside::read(component)?;
    for name in outside.imports.iter().chain(&outside.exports) {
        check_version(name)?;
    }
    let mut imports = Vec::new();
    for import in &outside.imports {
        imports.extend(check_import(import)?);
    }
    let exports =
        |interface: &str| outside.exports.iter().any(|name| interface_of(name) == Some(interface));
    let mut missing = Vec::new();
    if !exports("plugin") {
        missing.push(PLUGIN.to_owned());
    }
    let roles = [
        (Role::Filter, exports("filter")),
        (Role::Transformer, exports("transformer")),
        (Role::BatchTransformer, exports("batch-transformer")),
    ];
    let mut roles = roles.into_iter().filter(|(_, is_exported)| *is_exported);
    let role = match (roles.next(), roles.next()) {
        (Some((role, _)), None) => Some(role),
        (Some((one, _)), Some((two, _))) => {
            return Err(LoadError::TwoRoles { one: one.name(), two: two.name() });
        }
        (None, _) => None,
    };
    if role.is_none() {
        missing.push(one_role());
    }
    match role {
        Some(role) if missing.is_empty() => Outline { role, imports }.checked(),
        _ => Err(LoadError::WrongWorld { missing }),
    }
}

impl Outline {
    pub(crate) fn checked(self) -> Result<Self, LoadError> {
        let has_state = self.imports.contains(&Grant::State);
        if self.role == Role::BatchTransformer && has_state {
            return Err(LoadError::BatchState);
        }
        Ok(self)
    }
}

/// The exports of which a plugin has one.
pub(crate) fn one_role() -> String {
    format!("{TRANSFORMER}, filter or batch-transformer")
}

/// What an import of a core module or a component asks for, beside the log; one that nobody may have is refused.
pub(crate) fn check_import(name: &str) -> Result<Option<Grant>, LoadError> {
    let Some(interface) = interface_of(name) else {
        return Err(LoadError::ImportRefused { import: name.to_owned() });
    };
    if ALWAYS.contains(&interface) {
        return Ok(None);
    }
    match interface.parse() {
        Ok(grant) => Ok(Some(grant)),
        Err(_unknown) => Err(LoadError::NotOffered { import: format!("`{name}`") }),
    }
}

/// Refuses a function of an interface that we have, which a later patch may have added to it.
pub(crate) fn check_function(import: &str, function: &str) -> Result<(), LoadError> {
    let offered: &[&str] = match interface_of(import) {
        Some("log") => &["log"],
        Some("metrics") => &["count", "observe"],
        Some("clock") => &["now"],
        Some("random") => &["bytes", "number"],
        Some("state") => &["get", "set", "delete", "increment"],
        _ => &[],
    };
    if offered.contains(&function) {
        return Ok(());
    }
    Err(LoadError::NotOffered { import: format!("`{function}` of {import}") })
}

/// Refuses a name of our package in another version.
pub(crate) fn check_version(name: &str) -> Result<(), LoadError> {
    let Some((_, version)) = name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@'))
    else {
        return Ok(());
    };
    let mut numbers = version.split('.').map(|number| number.parse::<u64>().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let text = format!("{}@{version}", PACKAGE.trim_end_matches('/'));
    match found.cmp(&KNOWN) {
        std::cmp::Ordering::Less => Err(LoadError::OlderContract { found: text }),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(LoadError::NewerContract { found: text }),
    }
}

/// Refuses types whose interfaces are not all of one package: the encoder follows packages that need each other round
/// and round, until the stack of the whole process is used up. The world itself may be of any package.
pub(crate) fn check_types(section: &[u8]) -> Result<(), LoadError> {
    let broken =
        |error: wasmparser::BinaryReaderError| LoadError::Damaged { problem: error.to_string() };
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(section) {
        if let Payload::ComponentTypeSection(types) = payload.map_err(broken)? {
            for ty in types {
                collect(&ty.map_err(broken)?, 1, &mut names);
            }
        }
    }
    let mut packages = names.iter().map(|name| {
        name.split_once('/').map(|(package, rest)| (package, rest.split_once('@').map(|it| it.1)))
    });
    let first = packages.next();
    if packages.any(|package| Some(package) != first) {
        let problem = "its types are of several packages".to_owned();
        return Err(LoadError::Damaged { problem });
    }
    Ok(())
}

/// The names of interfaces inside of a world: those at the second level and below.
fn collect<'a>(ty: &ComponentType<'a>, level: usize, names: &mut Vec<&'a str>) {
    let ComponentType::Component(declarations) = ty else { return };
    for declaration in declarations {
        let name = match declaration {
            ComponentTypeDeclaration::Type(ty) => {
                collect(ty, level + 1, names);
                continue;
            }
            ComponentTypeDeclaration::Import(import) => import.name.name,
            ComponentTypeDeclaration::Export { name, .. } => name.name,
            ComponentTypeDeclaration::CoreType(_) | ComponentTypeDeclaration::Alias(_) => continue,
        };
        if level > 1 && name.contains(':') {
            names.push(name);
        }
    }
}

/// `log` of `slipswitch:plugin/log@0.1.2`.
fn interface_of(name: &str) -> Option<&str> {
    Some(name.strip_prefix(PACKAGE)?.split_once('@')?.0)
}

impl Outside {
    fn read(component: &[u8]) -> Result<Self, LoadError> {
        let broken = |error: wasmparser::BinaryReaderError| LoadError::Damaged {
            problem: error.to_string(),
        };
        let mut outside = Self::default();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(component) {
            match payload.map_err(broken)? {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        outside.imports.push(import.map_err(broken)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        outside.exports.push(export.map_err(broken)?.name.name.to_owned());
                    }
                }
                _ => (),
            }
        }
        Ok(outside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_minor_version_is_another_contract_and_a_patch_is_not() {
        let check = |name| match check_version(name) {
            Ok(()) => "same",
            Err(LoadError::OlderContract { .. }) => "older",
            Err(LoadError::NewerContract { .. }) => "newer",
            Err(_) => "?",
        };
        for (name, expected) in [
            ("slipswitch:plugin/plugin@0.2.0", "same"),
            ("slipswitch:plugin/plugin@0.2.7", "same"),
            ("slipswitch:plugin/plugin@0.1.9", "older"),
            ("slipswitch:plugin/plugin@0.3.0", "newer"),
            ("slipswitch:plugin/plugin@1.0.0", "newer"),
            ("wasi:clocks/monotonic-clock@0.2.0", "same"),
        ] {
            assert_eq!(check(name), expected, "{name}");
        }
    }

    #[test]
    fn an_import_is_free_or_granted_or_not_offered_or_refused() {
        let check = |name| match check_import(name) {
            Ok(None) => "free",
            Ok(Some(grant)) => grant.name(),
            Err(LoadError::NotOffered { .. }) => "not offered",
            Err(LoadError::ImportRefused { .. }) => "refused",
            Err(_) => "?",
        };
        for (name, expected) in [
            ("slipswitch:plugin/log@0.2.0", "free"),
            ("slipswitch:plugin/log@0.2.3", "free"),
            ("slipswitch:plugin/types@0.2.0", "free"),
            ("slipswitch:plugin/state@0.2.0", "state"),
            ("slipswitch:plugin/clock@0.2.1", "clock"),
            ("slipswitch:plugin/secrets@0.2.0", "not offered"),
            ("slipswitch:plugin/http@0.2.0", "not offered"),
            ("wasi:http/types@0.2.0", "refused"),
            ("env", "refused"),
            ("slipswitch:plugin/log", "refused"),
        ] {
            assert_eq!(check(name), expected, "{name}");
        }
    }
}
