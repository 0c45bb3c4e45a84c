//! The name of one delivery.
//!
//! ```text
//! <bus>/<offset>/<rule>/<target>/<output>[;replay=<name>]
//! ```

use std::fmt;
use std::sync::Arc;

/// One output of one event for one target. The same at every attempt; a replay, which somebody
/// asked for, has names of its own, or a target that remembers ids would refuse all of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeliveryId {
    pub bus: Arc<str>,
    pub offset: u64,
    pub rule: Arc<str>,
    pub target: Arc<str>,
    /// Position among the outputs that the transforms made of the event.
    pub output: u32,
    pub replay: Option<Arc<str>>,
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bus, offset, rule, target, output, replay } = self;
        write!(f, "{bus}/{offset}/{rule}/{target}/{output}")?;
        match replay {
            Some(name) => write!(f, ";replay={name}"),
            None => Ok(()),
        }
    }
}
