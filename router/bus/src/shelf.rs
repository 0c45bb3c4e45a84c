//! The plugins of a folder, loaded.
//!
//! A file that does not load stays on the shelf as its error, and the rule that asks for it is told;
//! a broken plugin that no rule uses hurts nobody.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plugin::{
    CallError, ConfigureError, Configured, Grant, Grants, Host, Isolation, Plugin, Role, Setup,
    StateAccess,
};
use ruleset::{PluginStep, PluginUse, PrepareError, StepError, StepInput, StepOutput, StepPlace};
use serde::Serialize;

use crate::beside::{Canary, Shadow, Verdicts};
use crate::plugin_state::EventState;

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
#[derive(Debug, Clone, Default, Serialize)]
pub struct PluginStatus {
    pub name: String,
    pub path: String,
    pub version: Option<String>,
    pub role: Option<&'static str>,
    pub digest: Option<String>,
    pub error: Option<String>,
}

pub struct Shelf {
    /// What every plugin is set up with, beside what a rule says.
    setup: Setup,
    /// Where the files were looked for, for the message about one that is missing.
    looked_in: String,
    loaded: BTreeMap<String, Loaded>,
    /// So that a reload that changes none of it keeps warm instances.
    configured: Mutex<Ready<SetUp, Configured>>,
    /// Plugins with another one beside them: what was counted of them, too, outlives a reload.
    pairs: Mutex<Ready<Pair, Arc<dyn PluginStep>>>,
    /// On canaries of this process and of those before.
    verdicts: Arc<Verdicts>,
    host: Host,
}

/// What was made ready for the rules.
struct Ready<K, V> {
    of_these: HashMap<K, V>,
    /// Of the shelf before this one; gone when these rules have been read.
    of_those_before: HashMap<K, V>,
}

/// A plugin and the one beside it, as a rule wants them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Pair {
    /// Each step has a judge of its own.
    place: StepPlace,
    digests: (String, String),
    names: String,
    words: String,
}

/// How a plugin was set up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SetUp {
    /// Lines, figures and random numbers go by it: two files of the same bytes are two plugins.
    name: String,
    digest: String,
    config: String,
    grants: Grants,
    isolation: Option<Isolation>,
    draws_as: Option<Arc<str>>,
    /// Its figures go nowhere.
    is_quiet: bool,
}

#[derive(Clone)]
struct Loaded {
    path: String,
    plugin: Result<Plugin, String>,
}

impl Shelf {
    /// Loads every file. What `previous` had made ready for its rules, and these rules ask for again, is carried over.
    pub fn load(
        host: &Host,
        (setup, verdicts): (Setup, &Arc<Verdicts>),
        looked_in: &str,
        files: &[PluginFile],
        previous: Option<&Shelf>,
    ) -> Shelf {
        let loaded = load(host, files).collect();
        Self::of(host, (setup, verdicts), looked_in, loaded, previous)
    }

    /// The same plugins, but for those of the files, and without `gone`.
    pub fn with(&self, files: &[PluginFile], gone: Option<&str>) -> Shelf {
        let mut loaded = self.loaded.clone();
        loaded.retain(|name, _| gone != Some(name));
        loaded.extend(load(&self.host, files));
        let setup = (self.setup.clone(), &self.verdicts);
        Self::of(&self.host, setup, &self.looked_in, loaded, Some(self))
    }

    fn of(
        host: &Host,
        (setup, verdicts): (Setup, &Arc<Verdicts>),
        looked_in: &str,
        loaded: BTreeMap<String, Loaded>,
        previous: Option<&Shelf>,
    ) -> Shelf {
        Shelf {
            setup,
            looked_in: looked_in.to_owned(),
            loaded,
            configured: Mutex::new(Ready::after(previous.map(Shelf::configured))),
            pairs: Mutex::new(Ready::after(previous.map(Shelf::pairs))),
            verdicts: Arc::clone(verdicts),
            host: host.clone(),
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

    /// The rules have been read: what none of them asked for is let go.
    pub fn settle(&self) {
        self.configured().of_those_before.clear();
        self.pairs().of_those_before.clear();
    }

    fn configured(&self) -> MutexGuard<'_, Ready<SetUp, Configured>> {
        self.configured.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pairs(&self) -> MutexGuard<'_, Ready<Pair, Arc<dyn PluginStep>>> {
        self.pairs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What tells one pair from another; none where nothing runs beside.
    fn pair(&self, wanted: &PluginUse<'_>) -> Option<Pair> {
        let digest = |name: &str| {
            let plugin = self.loaded.get(name)?.plugin.as_ref().ok()?;
            Some(plugin.digest().to_owned())
        };
        let canary = wanted.canary.as_ref();
        let other = wanted.shadow.as_ref().or(canary.map(|canary| &canary.plugin))?;
        let by =
            canary.map(|canary| (canary.share, canary.by.as_ref().map(|by| by.path().to_owned())));
        let words = format!("{:?} {:?} {by:?}", wanted.grants, wanted.isolation);
        let names = format!("{} {other} {}", wanted.name, wanted.config_json);
        // One that is not loaded is told when it is set up.
        let digests = (digest(wanted.name).unwrap_or_default(), digest(other).unwrap_or_default());
        Some(Pair { place: wanted.place.clone(), digests, names, words })
    }

    /// The plugin beside, with the same configuration, and of the grants those that it asks for.
    fn other(&self, wanted: &PluginUse<'_>, name: &str) -> Result<Step, PrepareError> {
        let loaded = self.loaded.get(name).and_then(|loaded| loaded.plugin.as_ref().ok());
        let asked: Option<Grants> = loaded.map(|plugin| plugin.imports().iter().copied().collect());
        let mut grants = wanted.grants.clone();
        grants.retain(|grant| asked.is_none_or(|asked| asked.has(host_grant(*grant))));
        let alone = PluginUse { name, grants, shadow: None, canary: None, ..wanted.clone() };
        let beside = |error| PrepareError::Beside { name: name.to_owned(), error: Box::new(error) };
        // It draws the same numbers: what it makes can be compared then, and a key sees no other numbers with a canary.
        let mut step = self.configure(&alone, Some(wanted.name)).map_err(beside)?;
        if wanted.shadow.is_some() && step.stateful.is_some() {
            return Err(beside(PrepareError::NoState));
        }
        // A canary goes on with the state of the plugin that it is to follow.
        step.stateful = step.stateful.map(|_| wanted.name.to_owned());
        Ok(step)
    }

    fn configure(
        &self,
        wanted: &PluginUse<'_>,
        draws_as: Option<&str>,
    ) -> Result<Step, PrepareError> {
        let missing = || PrepareError::Missing { looked_in: self.looked_in.clone() };
        let plugin = match &self.loaded.get(wanted.name).ok_or_else(missing)?.plugin {
            Ok(plugin) => plugin,
            Err(error) => return Err(PrepareError::Broken(error.clone())),
        };
        let asked: Grants = plugin.imports().iter().copied().collect();
        let needless = wanted.grants.iter().find(|grant| !asked.has(host_grant(**grant)));
        if let Some(needless) = needless {
            return Err(PrepareError::NotAsked(*needless));
        }
        let set_up = SetUp {
            name: wanted.name.to_owned(),
            digest: plugin.digest().to_owned(),
            config: wanted.config_json.to_owned(),
            grants: wanted.grants.iter().map(|grant| host_grant(*grant)).collect(),
            isolation: wanted.isolation.map(host_isolation),
            draws_as: draws_as.map(Arc::from),
            is_quiet: false,
        };
        let is_filter = plugin.role() == Role::Filter;
        let stateful = wanted.grants.contains(&ruleset::Grant::State);
        let stateful = stateful.then(|| wanted.name.to_owned());
        let configured = self.ready(plugin, set_up.clone())?;
        let has_figures = set_up.grants.has(Grant::Metrics);
        let quiet = has_figures.then(|| self.ready(plugin, SetUp { is_quiet: true, ..set_up }));
        Ok(Step { configured, quiet: quiet.transpose()?, is_filter, stateful })
    }

    fn ready(&self, plugin: &Plugin, set_up: SetUp) -> Result<Configured, PrepareError> {
        let mut configured = self.configured();
        if let Some(ready) = configured.get(&set_up) {
            return Ok(ready);
        }
        let (grants, isolation) = (set_up.grants, set_up.isolation);
        let draws_as = set_up.draws_as.clone();
        let mut setup = Setup { grants, isolation, draws_as, ..self.setup.clone() };
        setup.metrics = setup.metrics.filter(|_| !set_up.is_quiet);
        let ready = plugin.configure(&set_up.config, setup).map_err(refused)?;
        configured.of_these.insert(set_up, ready.clone());
        Ok(ready)
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Ready<K, V> {
    fn after(previous: Option<MutexGuard<'_, Self>>) -> Self {
        let of_those_before = previous.map(|previous| previous.of_these.clone());
        Self { of_these: HashMap::new(), of_those_before: of_those_before.unwrap_or_default() }
    }

    fn get(&mut self, key: &K) -> Option<V> {
        if let Some(ready) = self.of_these.get(key) {
            return Some(ready.clone());
        }
        let ready = self.of_those_before.remove(key)?;
        self.of_these.insert(key.clone(), ready.clone());
        Some(ready)
    }
}

impl ruleset::Plugins for Shelf {
    fn prepare(&self, wanted: &PluginUse<'_>) -> Result<Arc<dyn PluginStep>, PrepareError> {
        let Some(key) = self.pair(wanted) else {
            return Ok(Arc::new(self.configure(wanted, None)?));
        };
        if let Some(ready) = self.pairs().get(&key) {
            return Ok(ready);
        }
        let step = Arc::new(self.configure(wanted, None)?);
        let pair: Arc<dyn PluginStep> = match (&wanted.shadow, &wanted.canary) {
            (Some(name), _) => {
                let other = Arc::new(self.other(wanted, name)?);
                Arc::new(Shadow::new(&self.host, step, (name, other)))
            }
            (None, Some(canary)) => {
                let other = Arc::new(self.other(wanted, &canary.plugin)?);
                let verdict = self.verdicts.on(&format!("{key:?}"));
                Arc::new(Canary::new(step, other, canary.clone(), verdict))
            }
            (None, None) => step,
        };
        self.pairs().of_these.insert(key, Arc::clone(&pair));
        Ok(pair)
    }

    fn names(&self) -> Vec<String> {
        self.loaded.keys().cloned().collect()
    }
}

fn load(host: &Host, files: &[PluginFile]) -> impl Iterator<Item = (String, Loaded)> {
    let named: Vec<(&str, &[u8])> =
        files.iter().map(|file| (file.name.as_str(), file.bytes.as_slice())).collect();
    files.iter().zip(host.load_all(&named)).map(|(file, plugin)| {
        let plugin = plugin.map_err(|error| error.to_string());
        (file.name.clone(), Loaded { path: file.path.clone(), plugin })
    })
}

fn refused(error: ConfigureError) -> PrepareError {
    if let ConfigureError::NotGranted { missing, .. } = &error {
        let all = ruleset::Grant::ALL.into_iter();
        let missing = all.filter(|grant| missing.contains(&host_grant(*grant)));
        return PrepareError::NotGranted(missing.collect());
    }
    PrepareError::ConfigRefused(error.to_string())
}

fn host_grant(grant: ruleset::Grant) -> Grant {
    match grant {
        ruleset::Grant::Metrics => Grant::Metrics,
        ruleset::Grant::Clock => Grant::Clock,
        ruleset::Grant::Random => Grant::Random,
        ruleset::Grant::State => Grant::State,
    }
}

fn host_isolation(isolation: ruleset::Isolation) -> Isolation {
    match isolation {
        ruleset::Isolation::Reuse => Isolation::Reuse,
        ruleset::Isolation::Batch => Isolation::Batch,
        ruleset::Isolation::Event => Isolation::Event,
    }
}

/// A configured plugin as a step of a rule.
struct Step {
    configured: Configured,
    /// For what is not counted, where it has figures of its own.
    quiet: Option<Configured>,
    is_filter: bool,
    /// Its name, when it keeps state.
    stateful: Option<String>,
}

impl PluginStep for Step {
    fn call_batch(&self, inputs: &[StepInput<'_>]) -> Vec<Result<Vec<StepOutput>, StepError>> {
        if let Some(name) = &self.stateful {
            return inputs.iter().map(|input| self.call_with_state(name, input)).collect();
        }
        let alike =
            inputs.chunk_by(|one, next| one.purpose.is_counted() == next.purpose.is_counted());
        alike.flat_map(|inputs| self.call_alike(inputs)).collect()
    }

    fn keeps_state(&self) -> Option<&str> {
        self.stateful.as_deref()
    }
}

impl Step {
    /// Events that are all counted, or all not.
    fn call_alike(&self, inputs: &[StepInput<'_>]) -> Vec<Result<Vec<StepOutput>, StepError>> {
        let Some(first) = inputs.first() else { return Vec::new() };
        let events: Vec<plugin::Event<'_>> = inputs.iter().map(host_event).collect();
        let outcomes = self.of(first).call_batch(&events, &[]).into_iter().zip(inputs);
        let one = |(outcome, input): (Result<_, CallError>, &StepInput<'_>)| {
            let outputs = outcome.map_err(|error| step_error(&error))?;
            Ok(self.outputs(outputs, input))
        };
        outcomes.map(one).collect()
    }

    fn of(&self, input: &StepInput<'_>) -> &Configured {
        let quiet = self.quiet.as_ref().filter(|_| !input.purpose.is_counted());
        quiet.unwrap_or(&self.configured)
    }

    /// One after the other: each sees what the one before wrote.
    fn call_with_state(
        &self,
        name: &str,
        input: &StepInput<'_>,
    ) -> Result<Vec<StepOutput>, StepError> {
        let of_event = input.state.and_then(|state| state.downcast_ref::<EventState>());
        // A test of a rule begins with nothing.
        let view = of_event.map_or_else(|| EventState::scratch().of(name), |state| state.of(name));
        let state: Arc<dyn StateAccess> = Arc::clone(&view) as _;
        let outcome = self.of(input).call_batch(&[host_event(input)], &[Some(state)]).pop();
        let outputs = outcome.expect("there was an event").map_err(|error| {
            view.undo(); // Another plugin may take its place.
            step_error(&error)
        })?;
        view.keep();
        Ok(self.outputs(outputs, input))
    }

    fn outputs(&self, outputs: Vec<plugin::Output>, input: &StepInput<'_>) -> Vec<StepOutput> {
        // What a filter keeps stays as it is, with all that is attached.
        let attached = input.attributes.get(input.facts..).filter(|_| self.is_filter);
        let outputs = outputs.into_iter().map(|plugin::Output { body, attributes }| StepOutput {
            body,
            attributes: attached.map_or(attributes, <[_]>::to_vec),
        });
        outputs.collect()
    }
}

fn host_event<'a>(input: &StepInput<'a>) -> plugin::Event<'a> {
    plugin::Event {
        id: input.id,
        source: input.source,
        detail_type: input.detail_type,
        time: input.time,
        time_ms: input.event.time().as_millis(),
        json: input.json,
        detail: input.detail.clone(),
        attributes: input.attributes,
        position: input.position,
    }
}

fn step_error(error: &CallError) -> StepError {
    let words = error.to_string();
    if *error == CallError::Cut {
        StepError::Cut
    } else if error.is_final() {
        StepError::Final(words)
    } else if error.is_plugins_fault() {
        StepError::Fault(words)
    } else {
        StepError::Retry(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rules_ask_for_again_is_carried_over_and_the_rest_is_let_go() {
        let ready = |before: Option<&Mutex<Ready<u8, u32>>>| {
            Mutex::new(Ready::after(before.map(|before| before.lock().unwrap())))
        };
        let first = ready(None);
        first.lock().unwrap().of_these.extend([(b'a', 1), (b'b', 2)]);
        let second = ready(Some(&first));
        assert_eq!(second.lock().unwrap().get(&b'a'), Some(1));
        assert_eq!(first.lock().unwrap().get(&b'b'), Some(2), "it may run on");
        let third = ready(Some(&second));
        assert_eq!(third.lock().unwrap().get(&b'b'), None);
        assert_eq!(third.lock().unwrap().get(&b'a'), Some(1));
    }

    #[test]
    fn each_step_has_a_pair_of_its_own() {
        let host = Host::new(plugin::Options::default()).unwrap();
        let shelf = Shelf::load(&host, (Setup::default(), &Arc::default()), "plugins", &[], None);
        let pair = |rule: &str, step| {
            let place = StepPlace { rule: rule.to_owned(), step, ..StepPlace::default() };
            let shadow = Some("next".to_owned());
            shelf.pair(&PluginUse { place, shadow, ..PluginUse::plain("live", "{}") })
        };
        assert_eq!(pair("a", 0), pair("a", 0));
        assert!(pair("a", 0) != pair("b", 0) && pair("a", 0) != pair("a", 1));
        assert_eq!(shelf.pair(&PluginUse::plain("live", "{}")), None);
    }
}
