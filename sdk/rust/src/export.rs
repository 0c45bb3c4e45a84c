//! What the attributes expand to. Not for direct use: it changes with them.
//!
//! # Invariants
//!
//! - A module is one plugin: its configuration is one value, set once, before the first event.

use serde::de::DeserializeOwned;

use crate::{Error, Event, Output};

/// What the attribute knows of the function and its crate.
pub trait Plugin {
    const NAME: &'static str;
    const VERSION: &'static str;
    const DESCRIPTION: &'static str;
    type Config: DeserializeOwned + 'static;
}

pub trait Transformer: Plugin {
    fn transform(event: &Event, config: &Self::Config) -> Result<Vec<Output>, Error>;
}

pub trait Filter: Plugin {
    fn keep(event: &Event, config: &Self::Config) -> Result<bool, Error>;
}

#[cfg(target_arch = "wasm32")]
pub use guest::{Guest, base, filter, transformer};

#[cfg(target_arch = "wasm32")]
mod guest {
    use std::any::Any;
    use std::cell::OnceCell;
    use std::marker::PhantomData;
    use std::sync::Once;

    use super::{Filter, Plugin, Transformer};
    use crate::bindings::types;
    pub use crate::bindings::{base, filter, transformer};
    use crate::{Error, Event, Output, log};

    use base::exports::slipswitch::plugin::plugin;

    /// Speaks the contract for `P`.
    pub struct Guest<P>(PhantomData<P>);

    thread_local! {
        static CONFIG: OnceCell<Box<dyn Any>> = const { OnceCell::new() };
    }

    /// A panic aborts the instance; the message leaves through the log before that.
    fn report_panics() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            std::panic::set_hook(Box::new(|panic| {
                let place =
                    panic.location().map(|place| format!(" at {place}")).unwrap_or_default();
                log::error(format_args!(
                    "panicked{place}: {}",
                    panic.payload_as_str().unwrap_or("no message")
                ));
            }));
        });
    }

    fn with_config<P: Plugin, T>(
        call: impl FnOnce(&P::Config) -> Result<T, Error>,
    ) -> Result<T, types::Error> {
        let result =
            CONFIG.with(|cell| match cell.get().and_then(|config| config.downcast_ref()) {
                Some(config) => call(config),
                None => Err(Error::fatal("called before it was configured")),
            });
        result.map_err(|error| match error {
            Error::Invalid(message) => types::Error::Invalid(message),
            Error::Retry(message) => types::Error::Retry(message),
            Error::Fatal(message) => types::Error::Fatal(message),
        })
    }

    fn event(event: types::Event) -> Event {
        let types::Event { id, source, detail_type, time, json, detail, attributes } = event;
        let start = detail.start as usize;
        let detail = start..start.saturating_add(detail.len as usize);
        Event { id, source, detail_type, time, json, detail, attributes }
    }

    fn output(output: Output) -> types::Output {
        types::Output { body: output.body, attributes: output.attributes }
    }

    impl<P: Plugin> plugin::Guest for Guest<P> {
        fn describe() -> plugin::Info {
            report_panics();
            plugin::Info {
                name: P::NAME.to_owned(),
                version: P::VERSION.to_owned(),
                description: P::DESCRIPTION.to_owned(),
                config_schema: String::new(),
                // There is no clock and no chance; what is left is state in the author's own statics.
                pure: true,
            }
        }

        fn configure(config: String) -> Result<(), String> {
            report_panics();
            let config: P::Config = crate::config(&config).map_err(|error| error.to_string())?;
            CONFIG
                .with(|cell| cell.set(Box::new(config)))
                .map_err(|_| "configured twice".to_owned())
        }
    }

    impl<P: Transformer> transformer::exports::slipswitch::plugin::transformer::Guest for Guest<P> {
        fn transform(given: types::Event) -> Result<Vec<types::Output>, types::Error> {
            let outputs = with_config::<P, _>(|config| P::transform(&event(given), config))?;
            Ok(outputs.into_iter().map(output).collect())
        }
    }

    impl<P: Filter> filter::exports::slipswitch::plugin::filter::Guest for Guest<P> {
        fn keep(given: types::Event) -> Result<bool, types::Error> {
            with_config::<P, _>(|config| P::keep(&event(given), config))
        }
    }
}
