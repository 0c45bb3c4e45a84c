//! What a rule lets a plugin have beside the event: its grants, how long an instance lives, where its figures go.

use std::sync::Arc;

use crate::{Limits, LineSink, MetricSink};

/// One of the contract's imports that a rule grants by name. `log` needs no grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grant {
    Metrics,
    Clock,
    Random,
    State,
}

impl Grant {
    pub const ALL: [Self; 4] = [Self::Metrics, Self::Clock, Self::Random, Self::State];

    /// As rules and the contract call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Clock => "clock",
            Self::Random => "random",
            Self::State => "state",
        }
    }

    /// `` `clock` and `state` ``
    pub fn quoted(grants: &[Self]) -> String {
        let quoted: Vec<String> = grants.iter().map(|grant| format!("`{grant}`")).collect();
        match quoted.split_last() {
            Some((last, before)) if !before.is_empty() => {
                format!("{} and {last}", before.join(", "))
            }
            _ => quoted.concat(),
        }
    }

    /// `clock, state`, as in a rule.
    pub fn listed(grants: &[Self]) -> String {
        grants.iter().map(|grant| grant.name()).collect::<Vec<_>>().join(", ")
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl std::fmt::Display for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no grant of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` is nothing that a plugin can be granted; there are metrics, clock, random, state"
)]
pub struct UnknownGrant {
    pub name: String,
}

impl std::str::FromStr for Grant {
    type Err = UnknownGrant;

    fn from_str(name: &str) -> Result<Self, UnknownGrant> {
        let found = Self::ALL.into_iter().find(|grant| grant.name() == name);
        found.ok_or_else(|| UnknownGrant { name: name.to_owned() })
    }
}

/// A set of grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Grants(u8);

impl Grants {
    pub const fn none() -> Self {
        Self(0)
    }

    #[must_use]
    pub fn with(self, grant: Grant) -> Self {
        Self(self.0 | grant.bit())
    }

    pub fn has(self, grant: Grant) -> bool {
        self.0 & grant.bit() != 0
    }

    pub fn iter(self) -> impl Iterator<Item = Grant> {
        Grant::ALL.into_iter().filter(move |grant| self.has(*grant))
    }
}

impl FromIterator<Grant> for Grants {
    fn from_iter<I: IntoIterator<Item = Grant>>(grants: I) -> Self {
        grants.into_iter().fold(Self::none(), Self::with)
    }
}

/// How long an instance lives, and so what one event can leave behind for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isolation {
    /// Until it is worn. The default for a plugin that says that it is pure.
    Reuse,
    /// For the events of one batch. The default for all others.
    Batch,
    /// For one event.
    Event,
}

impl Isolation {
    pub const ALL: [Self; 3] = [Self::Reuse, Self::Batch, Self::Event];
}

/// What a plugin is set up with, beside its configuration.
#[derive(Clone, Default)]
pub struct Setup {
    pub limits: Limits,
    pub grants: Grants,
    /// None: as the plugin itself allows.
    pub isolation: Option<Isolation>,
    /// The plugin whose random numbers it draws; none: its own.
    pub draws_as: Option<Arc<str>>,
    /// Where its figures go; without one they go nowhere.
    pub metrics: Option<Arc<dyn MetricSink>>,
    /// Who sees its lines beside the process's own log.
    pub lines: Option<Arc<dyn LineSink>>,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup")
            .field("limits", &self.limits)
            .field("grants", &self.grants)
            .field("isolation", &self.isolation)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_into_it() {
        let some: Grants = [Grant::State, Grant::Metrics].into_iter().collect();
        assert!(some.has(Grant::State) && some.has(Grant::Metrics) && !some.has(Grant::Clock));
        assert_eq!(some.iter().map(Grant::name).collect::<Vec<_>>(), ["metrics", "state"]);
        assert_eq!(Grants::none().iter().count(), 0);
    }

    #[test]
    fn names_are_read_back() {
        for grant in Grant::ALL {
            assert_eq!(grant.name().parse(), Ok(grant));
        }
        assert_eq!(
            "files".parse::<Grant>().unwrap_err().to_string(),
            "`files` is nothing that a plugin can be granted; there are metrics, clock, random, state"
        );
    }
}
