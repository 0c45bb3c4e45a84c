//! What a rule set needs of plugins, whoever runs them.

use std::ops::Range;
use std::sync::Arc;

/// The plugins that rules may name.
pub trait Plugins {
    /// Readies the plugin `name` with its configuration, a JSON text (`null` when a rule gives none).
    ///
    /// # Errors
    ///
    /// When there is no such plugin, or it does not run, or refuses the configuration.
    fn prepare(&self, name: &str, config_json: &str) -> Result<Arc<dyn PluginStep>, PrepareError>;

    /// The names that `prepare` knows.
    fn names(&self) -> Vec<String>;
}

/// Why a plugin cannot be a step of a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    #[error("there is no plugin of this name in {looked_in}")]
    Missing { looked_in: String },

    #[error("{0}")]
    Broken(String),

    #[error("{0}")]
    ConfigRefused(String),
}

/// A plugin with its configuration.
pub trait PluginStep: Send + Sync {
    /// One event in, zero or more out.
    ///
    /// # Errors
    ///
    /// When the plugin, or a limit, ends the call; the error says whether a retry makes sense.
    fn call(&self, input: &StepInput<'_>) -> Result<Vec<StepOutput>, StepError>;
}

/// What a plugin is given.
#[derive(Debug, Clone)]
pub struct StepInput<'a> {
    pub id: &'a str,
    pub source: &'a str,
    pub detail_type: &'a str,
    pub time: &'a str,
    /// The event, or what the step before made of it.
    pub json: &'a str,
    /// Where the value of `detail` stands in `json`, in bytes; empty when a step was there before.
    pub detail: Range<usize>,
    /// What the step before attached.
    pub attributes: &'a [(String, String)],
}

/// One output of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepOutput {
    pub body: String,
    pub attributes: Vec<(String, String)>,
}

/// Why a step made nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// The same input would fail again.
    #[error("{0}")]
    Final(String),

    #[error("{0}")]
    Retry(String),
}
