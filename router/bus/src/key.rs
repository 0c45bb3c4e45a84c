//! The name of a subscription.

use std::fmt;
use std::sync::Arc;

use delivery::DeliveryId;
use journal::Offset;

/// A rule and one of its targets; for a replay, with the replay's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub bus: Arc<str>,
    pub rule: Arc<str>,
    pub target: Arc<str>,
    pub replay: Option<Arc<str>>,
}

impl Key {
    pub fn live(bus: &str, rule: &str, target: &str) -> Self {
        Self { bus: bus.into(), rule: rule.into(), target: target.into(), replay: None }
    }

    /// The subscription of the same rule and target over a replay's span.
    pub(crate) fn replaying(&self, name: &str) -> Self {
        Self { replay: Some(name.into()), ..self.clone() }
    }

    /// The subscription that this one is a replay of, or itself.
    pub(crate) fn without_replay(&self) -> Self {
        Self { replay: None, ..self.clone() }
    }

    pub(crate) fn delivery(&self, offset: Offset, output: u32) -> DeliveryId {
        DeliveryId {
            bus: Arc::clone(&self.bus),
            offset: offset.get(),
            rule: Arc::clone(&self.rule),
            target: Arc::clone(&self.target),
            output,
            replay: self.replay.clone(),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bus, rule, target, replay } = self;
        write!(f, "{bus}/{rule}/{target}")?;
        match replay {
            Some(name) => write!(f, ";replay={name}"),
            None => Ok(()),
        }
    }
}
