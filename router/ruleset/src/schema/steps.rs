//! `transform:`: what is made of an event on its way.

use super::keys::STEP;
use super::{Reading, has_typo};
use crate::nearest::{list, nearest};
use crate::plugins::PrepareError;
use crate::transform::Step;
use crate::yaml::{self, Node, Span};

/// How many steps a target may have.
const STEPS_MAX: usize = 20;

impl Reading<'_> {
    pub(super) fn steps(&mut self, node: &Node) -> Option<Vec<Step>> {
        let mend = "write each step as `- plugin: …` or `- input: …`";
        let items = self.list(node, "`transform`", mend)?;
        if STEPS_MAX < items.len() {
            let message = format!("a target has at most {STEPS_MAX} steps");
            let label = format!("these are {}", items.len());
            self.fault(node.span.clone(), (message, label, "do more in one plugin"));
        }
        let steps: Vec<Option<Step>> = items.iter().map(|item| self.step(item)).collect();
        steps.into_iter().collect()
    }

    fn step(&mut self, node: &Node) -> Option<Step> {
        if !self.is_section(node, &STEP) {
            return None;
        }
        match (node.member("plugin"), node.member("input")) {
            (Some(plugin), None) => {
                let config = node.member("config").map(|member| &member.value);
                self.plugin(&plugin.value, config)
            }
            (None, Some(input)) => {
                if let Some(config) = node.member("config") {
                    let words = (
                        "`config` belongs to a plugin, and this step has none",
                        "not read",
                        "remove it, or name the `plugin` it is for",
                    );
                    self.fault(config.key_span.clone(), words);
                }
                self.input(&input.value).map(Step::Input)
            }
            (Some(_), Some(input)) => {
                let words = (
                    "a step is a plugin or an input, and this is both",
                    "the second one",
                    "make two steps of it, in the order they are to run",
                );
                self.fault(input.key_span.clone(), words);
                None
            }
            (None, None) => {
                if has_typo(node, &STEP) {
                    return None;
                }
                let label = "neither plugin nor input";
                let words = ("this step does nothing", label, "add `plugin: …` or `input: …`");
                self.fault(node.span.clone(), words);
                None
            }
        }
    }

    fn plugin(&mut self, node: &Node, config: Option<&Node>) -> Option<Step> {
        let name = self.text(node, "`plugin`")?;
        let faults_before = self.faults.len();
        let json = match config {
            Some(config) => {
                let filled = self.filled(config);
                yaml::to_json(&filled, &mut self.faults).text
            }
            None => "null".to_owned(),
        };
        if faults_before != self.faults.len() {
            return None; // Such a configuration was never meant.
        }
        match self.context.plugins.prepare(name, &json) {
            Ok(step) => Some(Step::Plugin { name: name.to_owned(), step }),
            Err(error) => {
                self.unprepared(node, config, &error);
                None
            }
        }
    }

    fn unprepared(&mut self, node: &Node, config: Option<&Node>, error: &PrepareError) {
        let name = self.text(node, "`plugin`").unwrap_or_default().to_owned();
        let (span, words): (Span, (String, &str, String)) = match error {
            PrepareError::Missing { looked_in } => {
                let names = self.context.plugins.names();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let mend = match (nearest(&name, names.iter().copied()), names.as_slice()) {
                    (Some(near), _) => format!("did you mean `{near}`?"),
                    (None, []) => format!("put `{name}.wasm` there: there are no plugins yet"),
                    (None, names) => {
                        format!("put `{name}.wasm` there; the plugins there are {}", list(names))
                    }
                };
                let message = format!("there is no plugin `{name}` in {looked_in}");
                (node.span.clone(), (message, "not found", mend))
            }
            PrepareError::Broken(reason) => {
                let mend = "build the plugin again with the SDK of this version".to_owned();
                let message = format!("the plugin `{name}` cannot be used: {reason}");
                (node.span.clone(), (message, "cannot be used", mend))
            }
            PrepareError::ConfigRefused(reason) => {
                let at = config.unwrap_or(node);
                let mend = format!("see what `{name}` takes as its configuration");
                let label = if config.is_some() { "refused" } else { "needs a `config`" };
                let message = format!("the plugin `{name}` refuses its configuration: {reason}");
                (at.span.clone(), (message, label, mend))
            }
        };
        self.fault(span, words);
    }
}
