//! What is said of a translation: what was lost, and what means something else here.

use crate::yaml::{Node, Span};

use super::functions::first_missing;

/// Whether something is missing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It was not carried over: the rule does less, or something else.
    Lost,
    /// Nothing is missing, but somebody may look for it.
    Note,
}

/// One thing that was said, of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub span: Span,
    pub key: String,
    pub weight: Weight,
    pub reason: String,
}

#[derive(Debug, Default)]
pub(super) struct Notes {
    pub said: Vec<Said>,
    /// What a map would have to say, by ARN or name.
    pub wanted: Vec<String>,
}

impl Notes {
    pub(super) fn lost(&mut self, span: &Span, key: &str, reason: impl Into<String>) {
        self.say(Weight::Lost, span, key, reason.into());
    }

    pub(super) fn note(&mut self, span: &Span, key: &str, reason: impl Into<String>) {
        self.say(Weight::Note, span, key, reason.into());
    }

    fn say(&mut self, weight: Weight, span: &Span, key: &str, reason: String) {
        self.said.push(Said { span: span.clone(), key: key.to_owned(), weight, reason });
    }

    /// Whether all of a value is known; what is missing is lost otherwise.
    pub(super) fn is_known(&mut self, node: &Node, key: &str) -> bool {
        match first_missing(node) {
            Some(missing) => {
                self.lost(&node.span, key, unknown(&missing.0));
                false
            }
            None => true,
        }
    }
}

/// Why something has no value, and how to give it one.
pub(super) fn unknown(missing: &str) -> String {
    if missing.starts_with("Fn::") {
        return format!("`{missing}` is not worked out here: write the value out in the template");
    }
    if let Some(what) = missing.strip_prefix("resolve:") {
        return format!(
            "`{{{{resolve:{what}}}}}` lies at Amazon: write a `${{VALUE}}` from outside in the rule"
        );
    }
    if missing.starts_with("the condition") || missing.starts_with("a condition") {
        return format!("{missing} cannot be judged");
    }
    format!("`{missing}` has no value here: give `--param {missing}=…`")
}
