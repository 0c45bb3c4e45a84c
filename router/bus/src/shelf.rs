//! The plugins of a folder, loaded.
//!
//! A file that does not load stays on the shelf as its error, and the rule that asks for it is told;
//! a broken plugin that no rule uses hurts nobody.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use event::Timestamp;
use plugin::{CallError, Configured, Host, Plugin, Setup};
use ruleset::{PluginStep, PrepareError, StepError, StepInput, StepOutput};
use serde::Serialize;

/// One file of the plugins folder.
#[derive(Debug, Clone)]
pub struct PluginFile {
    /// What rules call it: the file's name without `.wasm`.
    pub name: String,
    /// What people call it.
    pub path: String,
    pub bytes: Vec<u8>,
}

/// One plugin as a listing shows it.
#[derive(Debug, Clone, Serialize)]
pub struct PluginStatus {
    pub name: String,
    pub path: String,
    pub version: Option<String>,
    pub role: Option<&'static str>,
    pub digest: Option<String>,
    pub error: Option<String>,
}

pub struct Shelf {
    limits: plugin::Limits,
    /// Where the files were looked for, for the message about one that is missing.
    looked_in: String,
    loaded: BTreeMap<String, Loaded>,
    /// By digest and configuration, so that a reload that changes neither keeps warm instances.
    configured: Mutex<HashMap<(String, String), Configured>>,
}

struct Loaded {
    path: String,
    plugin: Result<Plugin, String>,
}

impl Shelf {
    /// Loads every file. What `previous` had configured and is still the same is carried over.
    pub fn load(
        host: &Host,
        limits: plugin::Limits,
        looked_in: &str,
        files: Vec<PluginFile>,
        previous: Option<&Shelf>,
    ) -> Shelf {
        let loaded: BTreeMap<String, Loaded> = files
            .into_iter()
            .map(|PluginFile { name, path, bytes }| {
                let plugin = host.load(&name, &bytes).map_err(|error| error.to_string());
                (name, Loaded { path, plugin })
            })
            .collect();
        let configured = previous.map(|previous| previous.still_of_use(&loaded));
        Shelf {
            limits,
            looked_in: looked_in.to_owned(),
            loaded,
            configured: Mutex::new(configured.unwrap_or_default()),
        }
    }

    pub fn listing(&self) -> Vec<PluginStatus> {
        let list = self.loaded.iter().map(|(name, Loaded { path, plugin })| {
            let plugin = plugin.as_ref();
            PluginStatus {
                name: name.clone(),
                path: path.clone(),
                version: plugin.ok().map(|plugin| plugin.info().version.clone()),
                role: plugin.ok().map(|plugin| plugin.role().name()),
                digest: plugin.ok().map(|plugin| plugin.digest().to_owned()),
                error: plugin.err().cloned(),
            }
        });
        list.collect()
    }

    fn still_of_use(
        &self,
        loaded: &BTreeMap<String, Loaded>,
    ) -> HashMap<(String, String), Configured> {
        let digests: Vec<&str> = loaded
            .values()
            .filter_map(|loaded| Some(loaded.plugin.as_ref().ok()?.digest()))
            .collect();
        let configured = self.configured.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = configured.iter().filter(|((digest, _), _)| digests.contains(&digest.as_str()));
        kept.map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

impl ruleset::Plugins for Shelf {
    fn prepare(&self, name: &str, config: &str) -> Result<Arc<dyn PluginStep>, PrepareError> {
        let missing = || PrepareError::Missing { looked_in: self.looked_in.clone() };
        let plugin = match &self.loaded.get(name).ok_or_else(missing)?.plugin {
            Ok(plugin) => plugin,
            Err(error) => return Err(PrepareError::Broken(error.clone())),
        };
        let key = (plugin.digest().to_owned(), config.to_owned());
        let mut configured = self.configured.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = configured.get(&key) {
            return Ok(Arc::new(Step(ready.clone())));
        }
        let ready = plugin
            .configure(config, Setup { limits: self.limits.clone(), ..Setup::default() })
            .map_err(|error| PrepareError::ConfigRefused(error.to_string()))?;
        configured.insert(key, ready.clone());
        Ok(Arc::new(Step(ready)))
    }

    fn names(&self) -> Vec<String> {
        self.loaded.keys().cloned().collect()
    }
}

/// A configured plugin as a step of a rule.
struct Step(Configured);

impl PluginStep for Step {
    fn call(&self, input: &StepInput<'_>) -> Result<Vec<StepOutput>, StepError> {
        let event = plugin::Event {
            id: input.id,
            source: input.source,
            detail_type: input.detail_type,
            time: input.time,
            time_ms: Timestamp::parse(input.time).map_or(0, Timestamp::as_millis),
            json: input.json,
            detail: input.detail.clone(),
            attributes: input.attributes,
            position: 0,
        };
        let outputs = self.0.call(&event).map_err(|error: CallError| {
            let words = error.to_string();
            if error.is_final() { StepError::Final(words) } else { StepError::Retry(words) }
        })?;
        let outputs = outputs.into_iter();
        Ok(outputs
            .map(|output| StepOutput { body: output.body, attributes: output.attributes })
            .collect())
    }
}
