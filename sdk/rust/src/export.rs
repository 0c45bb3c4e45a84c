//! What the attributes expand to. Not for direct use: it changes with them.
//!
//! # Invariants
//!
//! - A module is one plugin: its configuration is one value, set once, before the first event.
//! - A batch has one result per event, in their order, whatever the author's function returned.

use alloc::format;
pub use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use serde::de::DeserializeOwned;

use crate::{BatchOutputs, ConfigError, Error, Event, Output, Outputs, Verdict};

/// What the attribute knows of the function and its crate.
pub trait Plugin {
    const NAME: &'static str;
    const VERSION: &'static str;
    const DESCRIPTION: &'static str;
    const IS_PURE: bool;
    type Config: DeserializeOwned + 'static;

    /// JSON Schema of the configuration; empty when there is none.
    fn schema() -> String;

    /// The configuration, of its JSON text.
    fn read(json: &str) -> Result<Self::Config, ConfigError> {
        crate::config(json)
    }

    #[cfg(target_arch = "wasm32")]
    fn slot() -> &'static crate::abi::Slot<Self::Config>;
}

pub trait Transformer: Plugin {
    fn transform(event: &Event, config: &Self::Config) -> impl Outputs;
}

pub trait Filter: Plugin {
    fn keep(event: &Event, config: &Self::Config) -> impl Verdict;
}

pub trait BatchTransformer: Plugin {
    fn transform_batch(events: &[Event], config: &Self::Config) -> impl BatchOutputs;
}

/// Which of the outputs are an event's.
pub type Answered = Result<Range<usize>, Error>;

/// The results of a batch; their outputs go behind those that are there.
pub fn answers(
    results: impl BatchOutputs,
    count: usize,
    outputs: &mut Vec<Output>,
) -> Vec<Answered> {
    let results = results.each();
    if results.len() != count {
        let words =
            format!("the batch transformer returned {} results for {count} events", results.len());
        return alloc::vec![Err(Error::fatal(words)); count];
    }
    let answer = |result: _| {
        let first = outputs.len();
        Outputs::hand_over(result, outputs)?;
        Ok(first..outputs.len())
    };
    results.into_iter().map(answer).collect()
}

#[cfg(target_arch = "wasm32")]
pub use crate::abi::{Slot, configure, describe, keep, transform, transform_batch};

/// The worlds of the contract, in the form that the router's encoder looks for in a module.
#[cfg(target_arch = "wasm32")]
pub use contract::{BATCH_TRANSFORMER, FILTER, TRANSFORMER};

#[cfg(target_arch = "wasm32")]
mod contract {
    pub const TRANSFORMER: &[u8; include_bytes!("abi/transformer-plugin.bin").len()] =
        include_bytes!("abi/transformer-plugin.bin");
    pub const FILTER: &[u8; include_bytes!("abi/filter-plugin.bin").len()] =
        include_bytes!("abi/filter-plugin.bin");
    pub const BATCH_TRANSFORMER: &[u8; include_bytes!("abi/batch-transformer-plugin.bin").len()] =
        include_bytes!("abi/batch-transformer-plugin.bin");
}

/// A panic aborts the instance; the message leaves through the log before that.
#[cfg(all(target_arch = "wasm32", feature = "std"))]
pub(crate) fn report_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(std::boxed::Box::new(|panic| {
            let place = panic.location().map(|place| format!(" at {place}")).unwrap_or_default();
            let message = panic.payload_as_str().unwrap_or("no message");
            crate::log::error(format_args!("panicked{place}: {message}"));
        }));
    });
}

/// Without the standard library it is the panic handler that reports them.
#[cfg(all(target_arch = "wasm32", not(feature = "std")))]
pub(crate) fn report_panics() {}

/// The schema of a type, or nothing when it has none: found by the compiler, without a bound that authors would meet.
#[doc(hidden)]
#[macro_export]
macro_rules! __schema_of {
    ($type:ty) => {{
        use $crate::export::{Anything as _, Described as _};
        (&$crate::export::Probe::<$type>(::core::marker::PhantomData)).text()
    }};
    ($type:ty, $to:ident) => {{
        use $crate::export::{Anything as _, Described as _};
        (&$crate::export::Probe::<$type>(::core::marker::PhantomData)).write($to)
    }};
}
pub use crate::__schema_of as schema_of;
pub use crate::schema::{Anything, Described, Probe};
