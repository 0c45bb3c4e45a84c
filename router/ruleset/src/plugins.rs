//! What a rule set needs of plugins, whoever runs them.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use event::Event;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::flow::OrderBy;

/// The plugins that rules may name.
pub trait Plugins {
    /// Readies a plugin as a rule wants it.
    ///
    /// # Errors
    ///
    /// When there is no such plugin, or it does not run, or not like this.
    fn prepare(&self, wanted: &PluginUse<'_>) -> Result<Arc<dyn PluginStep>, PrepareError>;

    /// The names that `prepare` knows.
    fn names(&self) -> Vec<String>;
}

/// A plugin as a step of a rule wants it.
#[derive(Debug, Clone)]
pub struct PluginUse<'a> {
    pub name: &'a str,
    pub place: StepPlace,
    /// A JSON text; `{}` when the rule gives none.
    pub config_json: &'a str,
    /// Sorted, each once.
    pub grants: Vec<Grant>,
    /// None: as the plugin itself allows.
    pub isolation: Option<Isolation>,
    /// Another plugin that sees the same events, and of which nothing is delivered.
    pub shadow: Option<String>,
    pub canary: Option<Canary>,
}

impl<'a> PluginUse<'a> {
    /// Alone, with nothing granted.
    pub fn plain(name: &'a str, config_json: &'a str) -> Self {
        Self {
            name,
            place: StepPlace::default(),
            config_json,
            grants: Vec::new(),
            isolation: None,
            shadow: None,
            canary: None,
        }
    }

    /// Of what is wanted, wherever the step stands: SHA-256, since a configuration may hold a secret.
    pub(crate) fn digest(&self) -> String {
        let Self { name, place: _, config_json, grants, isolation, shadow, canary } = self;
        let canary = canary
            .as_ref()
            .map(|canary| (&canary.plugin, canary.share, canary.by.as_ref().map(OrderBy::path)));
        let said = format!("{:?}", (name, config_json, grants, isolation, shadow, canary));
        Sha256::digest(said).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Which step of all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct StepPlace {
    pub bus: String,
    pub rule: String,
    pub target: String,
    /// Its position among the steps of the target.
    pub step: usize,
}

/// What a plugin may have beside the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grant {
    Metrics,
    Clock,
    Random,
    State,
}

impl Grant {
    pub const ALL: [Self; 4] = [Self::Metrics, Self::Clock, Self::Random, Self::State];

    /// As in a rule file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Clock => "clock",
            Self::Random => "random",
            Self::State => "state",
        }
    }

    /// `` `clock` and `state` ``
    pub(crate) fn quoted(grants: &[Self]) -> String {
        let quoted: Vec<String> =
            grants.iter().map(|grant| format!("`{}`", grant.name())).collect();
        match quoted.split_last() {
            Some((last, before)) if !before.is_empty() => {
                format!("{} and {last}", before.join(", "))
            }
            _ => quoted.concat(),
        }
    }
}

/// How long an instance of a plugin lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isolation {
    Reuse,
    Batch,
    Event,
}

impl Isolation {
    pub const ALL: [Self; 3] = [Self::Reuse, Self::Batch, Self::Event];

    /// As in a rule file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reuse => "reuse",
            Self::Batch => "batch",
            Self::Event => "event",
        }
    }
}

/// A plugin that takes a share of the events in the place of another.
#[derive(Debug, Clone)]
pub struct Canary {
    pub plugin: String,
    /// Of 10,000.
    pub share: u32,
    /// Events of one key go to the same one; by the event's id when none.
    pub by: Option<OrderBy>,
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

    /// The plugin asks for what its rule does not grant: all of that.
    #[error("it asks for {}", Grant::quoted(.0))]
    NotGranted(Vec<Grant>),

    /// The rule grants what the plugin has no use for.
    #[error("it does not ask for `{}`", .0.name())]
    NotAsked(Grant),

    /// It would run as a shadow, which sees no state.
    #[error("it keeps state, and a shadow sees none")]
    NoState,

    /// The other plugin of a `shadow` or a `canary`.
    #[error("{name}: {error}")]
    Beside { name: String, error: Box<PrepareError> },
}

/// A plugin with its configuration.
pub trait PluginStep: Send + Sync {
    /// Events in; for each, in their order, zero or more out.
    ///
    /// An input fails alone when the plugin, or a limit, ends its call; the error says whether a retry makes sense.
    fn call_batch(&self, inputs: &[StepInput<'_>]) -> Vec<Result<Vec<StepOutput>, StepError>>;

    /// The name of the plugin whose state it reads and writes, if it has any: then its events run one after the other.
    fn keeps_state(&self) -> Option<&str> {
        None
    }

    /// What became of the plugin that runs beside it, if one does.
    fn beside(&self) -> Option<Beside> {
        None
    }
}

/// How a plugin does that runs beside another one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Beside {
    /// `shadow` or `canary`.
    pub kind: &'static str,
    pub plugin: String,
    /// Events that it was given.
    pub calls: u64,
    /// Of those: it made the same, or (a canary) did well, or the other one failed, too.
    pub same: u64,
    pub different: u64,
    /// It failed, and the other one did not.
    pub failed: u64,
    /// Events that a shadow was not given, because it did not keep up.
    pub skipped: u64,
    /// Of a canary: its share of the events, of 10,000.
    pub share: Option<u32>,
    /// Whether a canary has failed so often that it gets no events any more.
    pub taken_back: bool,
    /// The last event that it failed, or made something else of.
    pub last: Option<Unlike>,
}

/// An event of which two plugins made different things; the beginning of both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unlike {
    pub event: String,
    pub delivered: String,
    pub beside: String,
}

/// What something is made of an event for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    #[default]
    Delivery,
    /// To be shown. Nothing of it is counted, of this and of those below.
    Look,
    /// A test of the rule: its own plugins make all of it.
    Test,
    /// The same test: the plugins beside them do, where there are some.
    TestBeside,
}

impl Purpose {
    /// Whether it is part of the figures that plugins, and those beside them, are judged by.
    pub fn is_counted(self) -> bool {
        self == Self::Delivery
    }
}

/// What a plugin is given.
#[derive(Clone)]
pub struct StepInput<'a> {
    /// The event that came in.
    pub event: &'a Event,
    pub id: &'a str,
    pub source: &'a str,
    pub detail_type: &'a str,
    pub time: &'a str,
    /// The event, or what the step before made of it.
    pub json: &'a str,
    /// Where the value of `detail` stands in `json`, in bytes; empty when a step was there before.
    pub detail: Range<usize>,
    /// What is known of the event, and what the step before attached.
    pub attributes: &'a [(String, String)],
    /// How many of them are known of the event; those behind were attached.
    pub facts: usize,
    /// Which of the bodies it is that the step before made of the event.
    pub position: u32,
    pub purpose: Purpose,
    /// What whoever runs plugins has brought along for this event.
    pub state: Option<&'a EventState>,
}

/// Whatever the one who runs plugins keeps for an event; nothing here looks into it.
pub type EventState = dyn Any + Send + Sync;

/// One output of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepOutput {
    /// JSON unless the attribute `content-type` says otherwise: whoever runs the plugin holds it to that, here it is not
    /// looked at again.
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

    /// As `Retry`, but for what speaks against the plugin: it crashed, or was over a limit.
    #[error("{0}")]
    Fault(String),

    /// It was not run: an input before it took so long that others are let in first.
    #[error("not run yet: an event before it took long")]
    Cut,
}
