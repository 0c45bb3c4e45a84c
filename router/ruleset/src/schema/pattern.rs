//! `pattern:`: EventBridge's syntax, unchanged.

use ::pattern::Pattern;

use super::Reading;
use crate::code::Code;
use crate::yaml::{self, Node, Value};

impl Reading<'_> {
    pub(super) fn pattern(&mut self, node: &Node) -> Option<Pattern> {
        if !matches!(node.value, Value::Map(_)) {
            let words = (
                "a pattern must be a map",
                format!("this is {}", node.kind()),
                "write the fields to match and lists of their values, such as `source: [com.example]`",
            );
            self.fault_as(Code::WrongType, node.span.clone(), words);
            return None;
        }
        let faults_before = self.faults.len();
        let json = yaml::to_json(node, &mut self.faults);
        if faults_before != self.faults.len() {
            return None;
        }
        match Pattern::parse(&json.text) {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                let message = format!("the pattern is not valid: {}", error.message);
                let words = (message, "here", error.mend);
                self.fault_as(Code::InvalidPattern, json.place_of(&error.span), words);
                None
            }
        }
    }
}
