//! What the tests of several modules need.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use delivery::{LogTarget, RetryPolicy};
use plugin::{Done, Host, QueueOptions};
use ruleset::{Context, PluginStep, PluginUse, Plugins, PrepareError, RuleSet, SourceFile, Values};

use crate::key::Key;
use crate::making::Making;
use crate::routes::Route;

pub(crate) struct Nothing;

impl Values for Nothing {
    fn env(&self, _name: &str) -> Option<String> {
        None
    }

    fn file(&self, path: &str) -> Result<String, String> {
        Err(format!("{path}: there are no files here"))
    }
}

impl Plugins for Nothing {
    fn prepare(&self, _wanted: &PluginUse<'_>) -> Result<Arc<dyn PluginStep>, PrepareError> {
        Err(PrepareError::Missing { looked_in: "nowhere".to_owned() })
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The rule set of one file's text.
pub(crate) fn rules(text: &str) -> Arc<RuleSet> {
    let context = Context {
        values: &Nothing,
        plugins: &Nothing,
        buses: &[],
        connections: &ruleset::NoConnections,
        limits: event::Limits::default(),
    };
    let file = SourceFile { path: "rules.yaml".to_owned(), text: text.to_owned() };
    Arc::new(ruleset::load(&[file], &context).unwrap().rules)
}

/// A route of the rule `rule` and the target `target` on the default bus; nothing is sent over it.
pub(crate) fn route() -> Arc<Route> {
    static ROUTE: OnceLock<Arc<Route>> = OnceLock::new();
    Arc::clone(ROUTE.get_or_init(fresh_route))
}

/// The same, with an order by `$.detail.k`.
pub(crate) fn ordered_route() -> Arc<Route> {
    static ROUTE: OnceLock<Arc<Route>> = OnceLock::new();
    Arc::clone(ROUTE.get_or_init(|| route_with(", order_by: $.detail.k")))
}

/// The same, with two events in a request.
pub(crate) fn batched_route() -> Arc<Route> {
    route_with(", order_by: $.detail.k, batch: {events: 2, within: 0ms}")
}

/// The same, with an attempt a second.
pub(crate) fn slow_route() -> Arc<Route> {
    route_with(", rate: 1")
}

/// Another version of [`route`].
pub(crate) fn fresh_route() -> Arc<Route> {
    route_with("")
}

fn route_with(keys: &str) -> Arc<Route> {
    let rules = rules(&format!(
        "{{name: rule, pattern: {{source: [a]}}, targets: [{{id: target, log: {{file: unused}}{keys}}}]}}"
    ));
    let rule = Arc::clone(&rules.rules()[0]);
    Arc::new(Route {
        key: Key::live("default", "rule", "target"),
        target: Arc::clone(&rule.targets[0]),
        rule,
        sender: Arc::new(LogTarget::Console),
        timeout: None,
        making: None,
        openings: Arc::default(),
        digest: "0123456789abcdef".into(),
        policy: RetryPolicy {
            attempts_max: 3,
            age_max: Duration::from_secs(60),
            backoff_min: Duration::from_millis(1),
            backoff_max: Duration::from_millis(1),
        },
    })
}

/// The same, with a queue for plugins that has room for so many events and makes none.
pub(crate) fn made_by_plugins(route: Arc<Route>, jobs_max: usize) -> (Arc<Route>, Arc<Making>) {
    let options = QueueOptions { jobs_max, ..QueueOptions::default() };
    let host = Host::new(plugin::Options::default()).unwrap();
    let nothing = |jobs: Vec<_>| jobs.into_iter().map(Done::Not).collect();
    let making = Arc::new(host.queue("test", options, nothing));
    let route = Arc::into_inner(route).expect("nobody else has it");
    (Arc::new(Route { making: Some(Arc::clone(&making)), ..route }), making)
}
