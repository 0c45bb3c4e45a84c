//! The two attributes of `slipswitch-sdk`: they check the shape of the function they stand on, and export it.
//!
//! # Invariants
//!
//! - The function itself is left as it was written, so that a native test calls it like any other.
//! - Natively everything is type-checked that wasm needs; only the exported symbols are left out.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Error, FnArg, ItemFn, Type};

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
#[proc_macro_attribute]
pub fn transformer(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(arguments, item, Role::Transformer)
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
#[proc_macro_attribute]
pub fn filter(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(arguments, item, Role::Filter)
}

#[derive(Clone, Copy)]
enum Role {
    Filter,
    Transformer,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Transformer => "transformer",
        }
    }
}

fn expand(arguments: TokenStream, item: TokenStream, role: Role) -> TokenStream {
    if !arguments.is_empty() {
        let message = format!("`{}` takes no arguments: write `#[{0}]`", role.name());
        return Error::new(Tokens::from(arguments).span(), message).into_compile_error().into();
    }
    let item = Tokens::from(item);
    let function: ItemFn = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let message = format!("`#[{}]` stands on a function ({error})", role.name());
            return Error::new(error.span(), message).into_compile_error().into();
        }
    };
    // The function stays even when the attribute is wrong, so that the compiler reports one error, not two.
    let exported = match Shape::of(&function, role) {
        Ok(shape) => export(&function, &shape, role),
        Err(error) => error.into_compile_error(),
    };
    quote!(#item #exported).into()
}

/// What the function takes.
struct Shape<'a> {
    config: Option<&'a Type>,
}

impl<'a> Shape<'a> {
    fn of(function: &'a ItemFn, role: Role) -> Result<Self, Error> {
        let signature = &function.sig;
        let refuse = |span, what: &str| {
            let role = role.name();
            let message =
                format!("{what}; a {role} is `fn(&Event) -> …` or `fn(&Event, &Config) -> …`");
            Err(Error::new(span, message))
        };
        if let Some(asyncness) = signature.asyncness {
            return refuse(asyncness.span(), "a plugin waits for nothing, so it cannot be async");
        }
        if !signature.generics.params.is_empty() {
            return refuse(
                signature.generics.span(),
                "the router calls one function, so it cannot be generic",
            );
        }
        let mut inputs = signature.inputs.iter();
        let (Some(event), config, None) = (inputs.next(), inputs.next(), inputs.next()) else {
            return refuse(signature.inputs.span(), "it takes one or two parameters");
        };
        if referred(event).is_none() {
            return refuse(event.span(), "the first parameter is `&Event`");
        }
        let Some(config) = config else { return Ok(Self { config: None }) };
        match referred(config) {
            Some(config) => Ok(Self { config: Some(config) }),
            None => refuse(
                config.span(),
                "the second parameter is a reference to the configuration's type",
            ),
        }
    }
}

/// `T` of a parameter `name: &T`.
fn referred(input: &FnArg) -> Option<&Type> {
    let FnArg::Typed(input) = input else { return None };
    match &*input.ty {
        Type::Reference(reference) if reference.mutability.is_none() => Some(&reference.elem),
        _ => None,
    }
}

fn export(function: &ItemFn, shape: &Shape<'_>, role: Role) -> Tokens {
    let name = &function.sig.ident;
    let output = &function.sig.output;
    let (config, call) = match shape.config {
        Some(config) => (quote!(#config), quote!(#name(event, config))),
        None => (quote!(::slipswitch_sdk::NoConfig), quote!(#name(event))),
    };
    // Spanned to the return type, so that a wrong one is underlined there and not at the attribute.
    let implementation = match role {
        Role::Transformer => quote_spanned! {output.span()=>
            impl ::slipswitch_sdk::export::Transformer for Plugin {
                fn transform(
                    event: &::slipswitch_sdk::Event,
                    config: &Self::Config,
                ) -> ::core::result::Result<::std::vec::Vec<::slipswitch_sdk::Output>, ::slipswitch_sdk::Error> {
                    let _ = config;
                    ::slipswitch_sdk::Outputs::outputs(#call)
                }
            }
        },
        Role::Filter => quote_spanned! {output.span()=>
            impl ::slipswitch_sdk::export::Filter for Plugin {
                fn keep(
                    event: &::slipswitch_sdk::Event,
                    config: &Self::Config,
                ) -> ::core::result::Result<bool, ::slipswitch_sdk::Error> {
                    let _ = config;
                    ::slipswitch_sdk::Verdict::verdict(#call)
                }
            }
        },
    };
    let export = match role {
        Role::Transformer => {
            quote!(::slipswitch_sdk::export::transformer::export_transformer!(Exported);)
        }
        Role::Filter => quote!(::slipswitch_sdk::export::filter::export_filter!(Exported);),
    };
    quote! {
        const _: () = {
            enum Plugin {}

            impl ::slipswitch_sdk::export::Plugin for Plugin {
                const NAME: &'static str = ::core::env!("CARGO_PKG_NAME");
                const VERSION: &'static str = ::core::env!("CARGO_PKG_VERSION");
                const DESCRIPTION: &'static str = ::core::env!("CARGO_PKG_DESCRIPTION");
                type Config = #config;
            }

            #implementation

            #[cfg(target_arch = "wasm32")]
            type Exported = ::slipswitch_sdk::export::Guest<Plugin>;
            #[cfg(target_arch = "wasm32")]
            ::slipswitch_sdk::export::base::export_base!(Exported);
            #[cfg(target_arch = "wasm32")]
            #export
        };
    }
}
