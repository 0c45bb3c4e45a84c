//! What goes into a call and what comes out of it.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

/// One event, as the caller has it. Every text is borrowed until it is written into the plugin's memory.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    pub id: &'a str,
    pub source: &'a str,
    pub detail_type: &'a str,
    /// RFC 3339.
    pub time: &'a str,
    /// The same in milliseconds since 1970: what the plugin's clock shows.
    pub time_ms: i64,
    /// JSON text: the whole envelope, or what the step before put out.
    pub json: &'a str,
    /// Where the value of `detail` stands in `json`, in bytes; empty when that is not known.
    pub detail: Range<usize>,
    pub attributes: &'a [(String, String)],
    /// Which of the values it is that the step before made of the event, so that each draws random numbers of its own;
    /// 0 for the event itself.
    pub position: u32,
}

impl<'a> Event<'a> {
    /// The last attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        let found = self.attributes.iter().rev().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// One thing to send on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// JSON text, checked, unless the attribute `content-type` names something else.
    pub body: String,
    pub attributes: Vec<(String, String)>,
}

impl Output {
    /// Whether the body claims to be JSON.
    pub(crate) fn is_json(&self) -> bool {
        let content_type = self
            .attributes
            .iter()
            .rev()
            .find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        content_type.is_none_or(|(_, value)| value.contains("json"))
    }
}

/// Which of the two budgets a call has used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    Cpu,
    Wall,
}

impl fmt::Display for Budget {
    /// With the key that sets the bound: it is the router's configuration that an operator changes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "CPU time (`plugin.cpu_ms`)",
            Self::Wall => "time (`plugin.wall_ms`)",
        })
    }
}

fn within(function: Option<&str>) -> String {
    function.map_or_else(String::new, |function| format!(", in {function}"))
}

/// Why a call has no outputs. All but [`Invalid`](Self::Invalid) may go differently another time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The plugin's word: this event can never work.
    #[error("{0}")]
    Invalid(String),

    /// The plugin's word: this event may work later.
    #[error("{0}")]
    Retry(String),

    /// The plugin's word: the instance was broken. It is gone.
    #[error("the plugin gave up: {0}")]
    Fatal(String),

    /// The code stopped in the middle. `message` is what a panic said, if one did.
    #[error("the plugin crashed in {function}: {message}")]
    Trap { function: String, message: String },

    /// `function` is where it was then, if that is known.
    #[error("the plugin used more than {limit:?} of {budget}{}", within(function.as_deref()))]
    Deadline { budget: Budget, limit: Duration, function: Option<String> },

    #[error("the plugin needs more than {limit} bytes of memory (`plugin.memory_bytes`)")]
    Memory { limit: usize },

    /// `function` was at the end of too many calls inside each other.
    #[error(
        "the plugin needs more than {limit} bytes of stack: calls too deep inside each other, at last of {function}"
    )]
    Stack { function: String, limit: usize },

    /// `problem` names the limit, or what is wrong with the output.
    #[error("the plugin's output is refused: {problem}")]
    Output { problem: String, limit: Option<&'static str> },

    /// The host's fault, not the plugin's: every instance is in use.
    #[error("all {instances_max} plugin instances are in use")]
    Busy { instances_max: u32 },

    /// Not called: its [turn](crate::turn_is_over) was over before, with an event that took long.
    #[error("the turn of its queue was over before")]
    Cut,
}

impl CallError {
    /// True when another attempt with the same event is pointless.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Invalid(_))
    }

    /// The limit that was reached, as [`Limits`](crate::Limits) and [`Options`](crate::Options) call it; that of the
    /// stack is the engine's.
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            Self::Deadline { budget: Budget::Cpu, .. } => Some("cpu_max"),
            Self::Deadline { budget: Budget::Wall, .. } => Some("wall_max"),
            Self::Memory { .. } => Some("memory_bytes_max"),
            Self::Stack { .. } => Some("stack_bytes_max"),
            Self::Output { limit, .. } => *limit,
            Self::Busy { .. } => Some("instances_max"),
            Self::Invalid(_) | Self::Retry(_) | Self::Fatal(_) | Self::Trap { .. } | Self::Cut => {
                None
            }
        }
    }

    /// True when it speaks against the plugin and not against the event or the host: enough of these open its circuit.
    /// Nothing that a plugin can call waits, so one that is over its wall time only waited for the machine.
    pub fn is_plugins_fault(&self) -> bool {
        match self {
            Self::Deadline { budget: Budget::Wall, .. } => false,
            Self::Trap { .. }
            | Self::Deadline { budget: Budget::Cpu, .. }
            | Self::Memory { .. }
            | Self::Stack { .. }
            | Self::Output { .. } => true,
            Self::Invalid(_) | Self::Retry(_) | Self::Fatal(_) | Self::Busy { .. } | Self::Cut => {
                false
            }
        }
    }

    /// True when the instance can have caused it, so that a fresh one may do better.
    pub(crate) fn may_be_the_instance(&self) -> bool {
        match self {
            Self::Invalid(_)
            | Self::Retry(_)
            | Self::Output { .. }
            | Self::Busy { .. }
            | Self::Deadline { budget: Budget::Wall, .. }
            | Self::Cut => false,
            Self::Fatal(_)
            | Self::Trap { .. }
            | Self::Deadline { budget: Budget::Cpu, .. }
            | Self::Memory { .. }
            | Self::Stack { .. } => true,
        }
    }
}
