//! The world around a rule set, as far as rules can see it.

use std::sync::{Arc, Mutex};

use slipswitch_ruleset::{
    Beside, Context, Diagnostic, Grant, Loaded, PluginStep, PluginUse, Plugins, PrepareError,
    Purpose, RuleSet, SourceFile, StepError, StepInput, StepOutput, StepPlace, Values,
};

/// One environment variable and no files.
pub(crate) struct FixedValues;

impl Values for FixedValues {
    fn env(&self, name: &str) -> Option<String> {
        match name {
            "SECRET" => Some("s3cret:hunter2".to_owned()),
            "PORT" => Some("9000".to_owned()),
            _ => None,
        }
    }

    fn file(&self, path: &str) -> Result<String, String> {
        match path {
            "/run/secrets/token" => Ok("t0ken\n".to_owned()),
            _ => Err("no such file".to_owned()),
        }
    }
}

/// Plugins: `redact` wants `fields`, `split` and `halve` make two of one, `drop` and `count` let nothing through, and
/// `count` keeps state.
pub(crate) struct FixedPlugins;

impl Plugins for FixedPlugins {
    fn prepare(&self, wanted: &PluginUse<'_>) -> Result<Arc<dyn PluginStep>, PrepareError> {
        let PluginUse { name, config_json, .. } = *wanted;
        let beside = wanted.canary.as_ref().map(|canary| &canary.plugin).or(wanted.shadow.as_ref());
        if let Some(other) = beside {
            let alone = PluginUse { canary: None, shadow: None, ..wanted.clone() };
            let beside =
                |error| PrepareError::Beside { name: other.clone(), error: Box::new(error) };
            if wanted.shadow.is_some() && other == "count" {
                return Err(beside(PrepareError::NoState));
            }
            let name = other.clone();
            let other =
                self.prepare(&PluginUse { name: other, ..alone.clone() }).map_err(beside)?;
            return Ok(Arc::new(FixedPair { own: self.prepare(&alone)?, other, name }));
        }
        if name == "count" && !wanted.grants.contains(&Grant::State) {
            return Err(PrepareError::NotGranted(vec![Grant::State]));
        }
        let needless =
            wanted.grants.iter().find(|grant| (name, **grant) != ("count", Grant::State));
        if let Some(needless) = needless {
            return Err(PrepareError::NotAsked(*needless));
        }
        match name {
            "redact" if config_json == "{}" => {
                Err(PrepareError::ConfigRefused("`fields` is missing".to_owned()))
            }
            "redact" if !config_json.contains("\"fields\":") => Err(PrepareError::ConfigRefused(
                "unknown field `felds`, expected `fields`".to_owned(),
            )),
            "redact" | "split" | "halve" | "drop" | "count" => {
                Ok(Arc::new(FixedStep(name.to_owned())))
            }
            "older" => Err(PrepareError::Broken(
                "it was built for contract 0.9, and this router knows 1.0".to_owned(),
            )),
            _ => Err(PrepareError::Missing { looked_in: "plugins/".to_owned() }),
        }
    }

    fn names(&self) -> Vec<String> {
        ["redact", "split", "drop", "older"].map(str::to_owned).to_vec()
    }
}

/// What it makes for anything but a test of rules is nobody's business here.
struct FixedPair {
    own: Arc<dyn PluginStep>,
    other: Arc<dyn PluginStep>,
    name: String,
}

impl PluginStep for FixedPair {
    fn call_batch(&self, inputs: &[StepInput<'_>]) -> Vec<Result<Vec<StepOutput>, StepError>> {
        match inputs[0].purpose {
            Purpose::Test => self.own.call_batch(inputs),
            Purpose::TestBeside => self.other.call_batch(inputs),
            Purpose::Delivery | Purpose::Look => panic!("this is no test"),
        }
    }

    fn beside(&self) -> Option<Beside> {
        Some(Beside { kind: "canary", plugin: self.name.clone(), ..Beside::default() })
    }
}

struct FixedStep(String);

impl PluginStep for FixedStep {
    fn call_batch(&self, inputs: &[StepInput<'_>]) -> Vec<Result<Vec<StepOutput>, StepError>> {
        inputs.iter().map(|input| self.call(input)).collect()
    }
}

impl FixedStep {
    fn call(&self, input: &StepInput<'_>) -> Result<Vec<StepOutput>, StepError> {
        let output = |body: &str| StepOutput { body: body.to_owned(), attributes: Vec::new() };
        match self.0.as_str() {
            "redact" => Ok(vec![output(&input.json.replace("an@example.org", "***"))]),
            "split" | "halve" => Ok(vec![output(r#"{"n":1}"#), output(r#"{"n":2}"#)]),
            _ => Ok(Vec::new()),
        }
    }
}

pub(crate) fn load(files: &[SourceFile]) -> Result<RuleSet, Vec<Diagnostic>> {
    reload(files, &RuleSet::empty())
}

pub(crate) fn reload(files: &[SourceFile], running: &RuleSet) -> Result<RuleSet, Vec<Diagnostic>> {
    load_after(files, running).map(|loaded| loaded.rules)
}

/// What is odd about rules that are right.
pub(crate) fn warnings(files: &[SourceFile]) -> Vec<Diagnostic> {
    load_after(files, &RuleSet::empty()).expect("the rules are right").warnings
}

fn load_after(files: &[SourceFile], running: &RuleSet) -> Result<Loaded, Vec<Diagnostic>> {
    let buses = ["billing".to_owned()];
    let context = Context {
        connections: &slipswitch_ruleset::NoConnections,
        values: &FixedValues,
        plugins: &FixedPlugins,
        buses: &buses,
        limits: event::Limits::default(),
    };
    slipswitch_ruleset::reload(files, &context, running)
}

/// One file named `rules.yaml`.
pub(crate) fn load_text(text: &str) -> Result<RuleSet, Vec<Diagnostic>> {
    load(&[SourceFile { path: "rules.yaml".to_owned(), text: text.to_owned() }])
}

/// Where the plugins of a file are used, in its order.
pub(crate) fn places(text: &str) -> Vec<StepPlace> {
    struct Noting(Mutex<Vec<StepPlace>>);

    impl Plugins for Noting {
        fn prepare(&self, wanted: &PluginUse<'_>) -> Result<Arc<dyn PluginStep>, PrepareError> {
            self.0.lock().expect("nobody panics").push(wanted.place.clone());
            FixedPlugins.prepare(wanted)
        }

        fn names(&self) -> Vec<String> {
            FixedPlugins.names()
        }
    }

    let plugins = Noting(Mutex::default());
    let (values, limits) = (&FixedValues, event::Limits::default());
    let context = Context {
        values,
        plugins: &plugins,
        buses: &[],
        connections: &slipswitch_ruleset::NoConnections,
        limits,
    };
    let file = SourceFile { path: "rules.yaml".to_owned(), text: text.to_owned() };
    slipswitch_ruleset::load(&[file], &context).expect("it is whole");
    plugins.0.into_inner().expect("nobody panics")
}
