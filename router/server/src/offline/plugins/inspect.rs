//! What a plugin says of itself, and what it costs to load.

use std::path::Path;
use std::time::Duration;

use bus::Clock as _;
use bus::plugin::{CONTRACT, Host, Options, Plugin};
use serde::Serialize;

use super::{PluginError, host, load, read};
use crate::clock::SystemClock;

/// A plugin from outside.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// What it calls itself; rules go by the name of the file.
    pub name: String,
    pub version: String,
    pub description: String,
    pub role: &'static str,
    pub contract: &'static str,
    /// How the router calls it: `directly`, which costs least, or `as a component`.
    pub called: &'static str,
    pub pure: bool,
    /// What a rule must grant it, `log` excepted.
    pub imports: Vec<&'static str>,
    /// JSON Schema of its configuration; null when it publishes none.
    pub config_schema: Option<serde_json::Value>,
    pub size_bytes: usize,
    /// SHA-256 of the file.
    pub digest: String,
    /// From the file to a plugin that was tried out, compiled anew.
    pub compile_ms: f64,
    /// The same with the compiled code at hand, as at every start but the first.
    pub load_ms: f64,
}

/// Loads the file twice, without and with its compiled code at hand.
///
/// # Errors
///
/// When it cannot be read, or is no plugin.
pub fn plugin_inspect(path: &Path) -> Result<Inspection, PluginError> {
    let file = read(path)?;
    let scratch = tempfile::tempdir()
        .map_err(|source| PluginError::Unwritable { path: std::env::temp_dir(), source })?;
    let compiled_in = |host: &Host| -> Result<(Plugin, Duration), PluginError> {
        let clock = SystemClock::start();
        let plugin = load(host, path, &file)?;
        Ok((plugin, clock.monotonic()))
    };
    let options =
        Options { cache_dir: Some(scratch.path().to_owned()), workers: 1, ..Options::default() };
    let (_first, compiling) = compiled_in(&Host::new(options.clone())?)?;
    let (plugin, loading) = compiled_in(&Host::new(options)?)?;
    let info = plugin.info();
    Ok(Inspection {
        name: info.name.clone(),
        version: info.version.clone(),
        description: info.description.clone(),
        role: plugin.role().name(),
        contract: CONTRACT,
        called: if plugin.is_called_directly() { "directly" } else { "as a component" },
        pure: info.pure,
        imports: plugin.imports().iter().map(|import| import.name()).collect(),
        config_schema: serde_json::from_str(&info.config_schema).ok(),
        size_bytes: file.len(),
        digest: plugin.digest().to_owned(),
        compile_ms: millis(compiling),
        load_ms: millis(loading),
    })
}

/// What a plugin says of itself, and no more.
#[derive(Clone, Debug)]
pub struct Look {
    pub name: String,
    pub version: String,
    pub role: &'static str,
}

/// Loads a file as a router does, and keeps the compiled code for the next command.
///
/// # Errors
///
/// When it cannot be read, or is no plugin.
pub fn plugin_look(path: &Path) -> Result<Look, PluginError> {
    let file = read(path)?;
    let plugin = load(&host(Options::default())?, path, &file)?;
    let info = plugin.info();
    Ok(Look { name: info.name.clone(), version: info.version.clone(), role: plugin.role().name() })
}

/// To a hundredth: more would be noise.
pub(super) fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}
