//! `transform:`: what is made of an event on its way.

use super::keys::{OF_PLUGIN, STEP};
use super::{Reading, has_typo};
use crate::code::Code;
use crate::transform::Step;
use crate::yaml::Node;

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
        let step = |(at, item): (usize, &Node)| {
            self.at.step = at;
            self.step(item)
        };
        let steps: Vec<Option<Step>> = items.iter().enumerate().map(step).collect();
        steps.into_iter().collect()
    }

    fn step(&mut self, node: &Node) -> Option<Step> {
        if !self.is_section(node, &STEP) {
            return None;
        }
        match (node.member("plugin"), node.member("input")) {
            (Some(_), None) => self.plugin(node),
            (None, Some(input)) => {
                for key in OF_PLUGIN {
                    let Some(member) = node.member(key) else { continue };
                    let message = format!("`{key}` belongs to a plugin, and this step has none");
                    let mend = "remove it, or name the `plugin` it is for";
                    self.fault(member.key_span.clone(), (message, "not read", mend));
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
                self.fault_as(Code::MissingKey, node.span.clone(), words);
                None
            }
        }
    }
}
