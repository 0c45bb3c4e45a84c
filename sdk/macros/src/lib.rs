//! The attributes of `slipswitch-sdk`: a function becomes a plugin, a struct its configuration.

mod config;
mod names;
mod role;
mod schema;

use proc_macro::TokenStream;

use role::Role;

/// Makes a function a plugin that decides what goes on: `fn(&Event, &Config) -> Result<Vec<Output>, Error>`.
///
/// The second parameter may be missing. The result may be `Output`, `Option<Output>` or `Vec<Output>`, each alone or
/// in a `Result`. A crate has one plugin.
///
/// ```
/// use slipswitch_sdk::{Event, Output, transformer};
///
/// #[transformer]
/// fn shout(event: &Event) -> Option<Output> {
///     (event.source() == "shop").then(|| Output::text(event.detail_type().to_uppercase()))
/// }
/// # fn main() {}
/// ```
///
/// A plugin that keeps something in statics between events says `#[transformer(pure = false)]`: the router then takes
/// a fresh instance for each batch of events, and what was kept never mixes what should not meet.
#[proc_macro_attribute]
pub fn transformer(arguments: TokenStream, item: TokenStream) -> TokenStream {
    role::expand(arguments.into(), &item.into(), Role::Transformer).into()
}

/// Makes a function a plugin that decides whether an event goes on: `fn(&Event, &Config) -> Result<bool, Error>`.
///
/// The second parameter may be missing, and so may the `Result`. A crate has one plugin.
///
/// ```
/// use slipswitch_sdk::{Event, filter};
///
/// #[filter]
/// fn only_shop(event: &Event) -> bool {
///     event.source() == "shop"
/// }
/// # fn main() {}
/// ```
///
/// `#[filter(pure = false)]` as with [`macro@transformer`].
#[proc_macro_attribute]
pub fn filter(arguments: TokenStream, item: TokenStream) -> TokenStream {
    role::expand(arguments.into(), &item.into(), Role::Filter).into()
}

/// Makes a function a transformer of many events at once: `fn(&[Event], &Config) -> Vec<Result<Output, Error>>`.
///
/// The second parameter may be missing. There is one result per event, in their order; in place of `Output` an
/// `Option<Output>` or a `Vec<Output>` will do, and the `Result` may be missing. How many events come at once is the
/// router's business, and never a reason to answer differently. A crate has one plugin.
///
/// ```
/// use slipswitch_sdk::{Error, Event, Output, batch_transformer};
///
/// #[batch_transformer]
/// fn numbered(events: &[Event]) -> Vec<Result<Output, Error>> {
///     events.iter().map(|event| Ok(Output::raw(event.detail_json()?))).collect()
/// }
/// # fn main() {}
/// ```
///
/// `#[batch_transformer(pure = false)]` as with [`macro@transformer`].
#[proc_macro_attribute]
pub fn batch_transformer(arguments: TokenStream, item: TokenStream) -> TokenStream {
    role::expand(arguments.into(), &item.into(), Role::BatchTransformer).into()
}

/// Makes a struct or an enum the configuration of a plugin: what a rule writes under `config`.
///
/// It derives `serde::Deserialize`, without serde among the plugin's own dependencies, refuses keys that it does not
/// know, and publishes its JSON Schema: with doc comments as descriptions, as `#[serde(…)]` attributes have it.
///
/// ```
/// use slipswitch_sdk::{Event, filter};
///
/// #[slipswitch_sdk::config]
/// struct Config {
///     /// Only events of these sources go on.
///     sources: Vec<String>,
/// }
///
/// #[filter]
/// fn some(event: &Event, config: &Config) -> bool {
///     config.sources.iter().any(|source| source == event.source())
/// }
/// # fn main() {}
/// ```
#[proc_macro_attribute]
pub fn config(arguments: TokenStream, item: TokenStream) -> TokenStream {
    config::expand(arguments.into(), item.into()).into()
}

/// Derives the JSON Schema of a type from its fields, their doc comments, and its `#[serde(…)]` attributes.
///
/// [`macro@config`] does so too; this is for a type that has a `Deserialize` of its own, or none.
#[proc_macro_derive(Schema, attributes(serde))]
pub fn derive_schema(item: TokenStream) -> TokenStream {
    schema::expand(item.into()).into()
}
