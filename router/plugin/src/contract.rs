//! Which files are plugins: what a component imports and exports, held against the contract.
//!
//! # Invariants
//!
//! - Decided from names alone, before anything is compiled or run. That the functions behind the names have the right
//!   types is the trial's business.

use wasmparser::{Parser, Payload};

use crate::LoadError;

/// The contract that this host speaks. Plugins of another 0.x are refused; a later patch only adds.
pub const CONTRACT: &str = "slipswitch:plugin@0.2.0";

pub(crate) const PLUGIN: &str = "slipswitch:plugin/plugin@0.2.0";
pub(crate) const FILTER: &str = "slipswitch:plugin/filter@0.2.0";
pub(crate) const TRANSFORMER: &str = "slipswitch:plugin/transformer@0.2.0";
pub(crate) const LOG: &str = "slipswitch:plugin/log@0.2.0";

const PACKAGE: &str = "slipswitch:plugin/";
/// The parts of the contract's version that must be equal.
const KNOWN: (u64, u64) = (0, 2);
/// What a plugin may import. `types` has no functions: it only gives names to types.
const IMPORTS: [&str; 2] = ["types", "log"];

/// What a plugin does with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Decides whether an event goes on.
    Filter,
    /// Decides what goes on.
    Transformer,
}

/// The names on the outside of a component.
#[derive(Debug, Default)]
struct Outside {
    imports: Vec<String>,
    exports: Vec<String>,
}

/// The role of a component, if it is a plugin of our contract and asks for nothing that it may not have.
pub(crate) fn check(component: &[u8]) -> Result<Role, LoadError> {
    let outside = Outside::read(component)?;
    for name in outside.imports.iter().chain(&outside.exports) {
        check_version(name)?;
    }
    for import in &outside.imports {
        check_import(import)?;
    }
    let exports =
        |interface: &str| outside.exports.iter().any(|name| interface_of(name) == Some(interface));
    let mut missing = Vec::new();
    if !exports("plugin") {
        missing.push(PLUGIN.to_owned());
    }
    let role = match (exports("filter"), exports("transformer")) {
        (true, true) => return Err(LoadError::TwoRoles),
        (true, false) => Some(Role::Filter),
        (false, true) => Some(Role::Transformer),
        (false, false) => None,
    };
    if role.is_none() {
        missing.push(format!("{TRANSFORMER} or {FILTER}"));
    }
    match role {
        Some(role) if missing.is_empty() => Ok(role),
        _ => Err(LoadError::WrongWorld { missing }),
    }
}

/// Refuses an import of a core module or a component that nobody may have.
pub(crate) fn check_import(name: &str) -> Result<(), LoadError> {
    if interface_of(name).is_some_and(|interface| IMPORTS.contains(&interface)) {
        return Ok(());
    }
    Err(LoadError::ImportRefused { import: name.to_owned() })
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
    fn only_the_log_may_be_imported() {
        for name in [
            "slipswitch:plugin/log@0.2.0",
            "slipswitch:plugin/log@0.2.3",
            "slipswitch:plugin/types@0.2.0",
        ] {
            assert!(check_import(name).is_ok(), "{name}");
        }
        for name in [
            "wasi:http/types@0.2.0",
            "env",
            "slipswitch:plugin/state@0.2.0",
            "slipswitch:plugin/log",
        ] {
            assert!(
                matches!(check_import(name), Err(LoadError::ImportRefused { import }) if import == name)
            );
        }
    }
}
