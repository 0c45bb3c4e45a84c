//! An attribute that makes a function a plugin: it checks the function's shape, and exports it.
//!
//! # Invariants
//!
//! - The function itself is left as it was written, so that a native test calls it like any other.
//! - Natively everything is type-checked that wasm needs; only the exported symbols are left out.

use proc_macro2::TokenStream as Tokens;
use quote::{format_ident, quote, quote_spanned};
use syn::parse::{ParseStream, Parser as _};
use syn::spanned::Spanned as _;
use syn::{Error, FnArg, Ident, ItemFn, LitBool, Token, Type};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Filter,
    Transformer,
    BatchTransformer,
}

impl Role {
    /// As the attribute is written.
    fn name(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Transformer => "transformer",
            Self::BatchTransformer => "batch_transformer",
        }
    }

    fn first(self) -> &'static str {
        match self {
            Self::Filter | Self::Transformer => "&Event",
            Self::BatchTransformer => "&[Event]",
        }
    }
}

pub(crate) fn expand(arguments: Tokens, item: &Tokens, role: Role) -> Tokens {
    let is_pure = match pure.parse2(arguments) {
        Ok(is_pure) => is_pure,
        Err(error) => {
            let message = format!("{error}; write `#[{0}]` or `#[{0}(pure = false)]`", role.name());
            return Error::new(error.span(), message).into_compile_error();
        }
    };
    let function: ItemFn = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let message = format!("`#[{}]` stands on a function ({error})", role.name());
            return Error::new(error.span(), message).into_compile_error();
        }
    };
    // The function stays even when the attribute is wrong, so that the compiler reports one error, not two.
    let exported = match Shape::of(&function, role) {
        Ok(shape) => export(&function, &shape, role, is_pure),
        Err(error) => error.into_compile_error(),
    };
    quote!(#item #exported)
}

/// `pure = false`, or nothing.
fn pure(input: ParseStream<'_>) -> Result<bool, Error> {
    if input.is_empty() {
        return Ok(true);
    }
    let name: Ident = input.parse()?;
    if name != "pure" {
        return Err(Error::new(name.span(), format!("there is no option `{name}`")));
    }
    input.parse::<Token![=]>()?;
    let is_pure: LitBool = input.parse()?;
    if !input.is_empty() {
        return Err(input.error("nothing more was expected"));
    }
    Ok(is_pure.value)
}

/// What the function takes.
struct Shape<'a> {
    config: Option<&'a Type>,
}

impl<'a> Shape<'a> {
    fn of(function: &'a ItemFn, role: Role) -> Result<Self, Error> {
        let signature = &function.sig;
        let (name, first) = (role.name().replace('_', " "), role.first());
        let refuse = |span, what: &str| {
            let message =
                format!("{what}; a {name} is `fn({first}) -> …` or `fn({first}, &Config) -> …`");
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
        let is_list = referred(event).map(|referred| matches!(referred, Type::Slice(_)));
        if is_list != Some(role == Role::BatchTransformer) {
            return refuse(event.span(), &format!("the first parameter is `{first}`"));
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

fn export(function: &ItemFn, shape: &Shape<'_>, role: Role, is_pure: bool) -> Tokens {
    let none = quote!(::slipswitch_sdk::NoConfig);
    let config = shape.config.map_or(none.clone(), |config| quote!(#config));
    let read = shape.config.is_none().then(|| {
        quote! {
            fn read(json: &str) -> ::core::result::Result<#none, ::slipswitch_sdk::ConfigError> {
                #none::read(json)
            }
        }
    });
    let implementation = implement(function, shape, role);
    let export = format_ident!("__export_{}", role.name());
    quote! {
        const _: () = {
            enum Plugin {}

            impl ::slipswitch_sdk::export::Plugin for Plugin {
                const NAME: &'static str = ::core::env!("CARGO_PKG_NAME");
                const VERSION: &'static str = ::core::env!("CARGO_PKG_VERSION");
                const DESCRIPTION: &'static str = ::core::env!("CARGO_PKG_DESCRIPTION");
                const IS_PURE: bool = #is_pure;
                type Config = #config;

                fn schema() -> ::slipswitch_sdk::export::String {
                    ::slipswitch_sdk::export::schema_of!(#config)
                }

                #read

                #[cfg(target_arch = "wasm32")]
                fn slot() -> &'static ::slipswitch_sdk::export::Slot<Self::Config> {
                    static SLOT: ::slipswitch_sdk::export::Slot<#config> =
                        ::slipswitch_sdk::export::Slot::new();
                    &SLOT
                }
            }

            #implementation

            #[cfg(target_arch = "wasm32")]
            ::slipswitch_sdk::#export!(Plugin);
        };
    }
}

/// The role's trait, for the function.
fn implement(function: &ItemFn, shape: &Shape<'_>, role: Role) -> Tokens {
    let name = &function.sig.ident;
    let output = &function.sig.output;
    let (interface, method, given, result) = match role {
        Role::Transformer => (
            quote!(Transformer),
            quote!(transform),
            quote!(::slipswitch_sdk::Event),
            quote!(Outputs),
        ),
        Role::Filter => {
            (quote!(Filter), quote!(keep), quote!(::slipswitch_sdk::Event), quote!(Verdict))
        }
        Role::BatchTransformer => (
            quote!(BatchTransformer),
            quote!(transform_batch),
            quote!([::slipswitch_sdk::Event]),
            quote!(BatchOutputs),
        ),
    };
    let call = match shape.config {
        Some(_) => quote!(#name(given, config)),
        None => quote!(#name(given)),
    };
    // Spanned to the return type, so that a wrong one is underlined there and not at the attribute.
    quote_spanned! {output.span()=>
        impl ::slipswitch_sdk::export::#interface for Plugin {
            fn #method(
                given: &#given,
                config: &Self::Config,
            ) -> impl ::slipswitch_sdk::#result {
                let _ = config;
                #call
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the compiler says about an attribute with these arguments on this item.
    fn said(role: Role, arguments: &str, item: &str) -> String {
        let text = expand(arguments.parse().unwrap(), &item.parse().unwrap(), role).to_string();
        let Some((_, message)) = text.split_once("compile_error ! { \"") else {
            return "nothing".into();
        };
        message.split("\" }").next().unwrap_or_default().replace("\\\"", "\"")
    }

    #[test]
    fn a_function_of_the_right_shape_is_exported() {
        for item in ["fn f(event: &Event) -> Output {}", "fn f(_: &Event, c: &a::Config) -> x {}"] {
            assert_eq!(said(Role::Transformer, "", item), "nothing");
            assert_eq!(said(Role::Filter, "pure = false", item), "nothing");
        }
        let batch = "fn f(events: &[Event], config: &Config) -> Vec<Output> {}";
        assert_eq!(said(Role::BatchTransformer, "", batch), "nothing");
    }

    #[test]
    fn a_wrong_shape_is_refused_with_the_right_one() {
        let shape = "a transformer is `fn(&Event) -> …` or `fn(&Event, &Config) -> …`";
        for (item, what) in [
            ("async fn f(event: &Event) {}", "a plugin waits for nothing, so it cannot be async"),
            ("fn f<T>(event: &Event) {}", "the router calls one function, so it cannot be generic"),
            ("fn f() {}", "it takes one or two parameters"),
            ("fn f(a: &Event, b: &C, c: u8) {}", "it takes one or two parameters"),
            ("fn f(event: Event) {}", "the first parameter is `&Event`"),
            ("fn f(event: &mut Event) {}", "the first parameter is `&Event`"),
            ("fn f(events: &[Event]) {}", "the first parameter is `&Event`"),
            (
                "fn f(event: &Event, config: Config) {}",
                "the second parameter is a reference to the configuration's type",
            ),
        ] {
            assert_eq!(said(Role::Transformer, "", item), format!("{what}; {shape}"));
        }
        assert_eq!(
            said(Role::BatchTransformer, "", "fn f(event: &Event) {}"),
            "the first parameter is `&[Event]`; a batch transformer is `fn(&[Event]) -> …` or `fn(&[Event], &Config) -> …`"
        );
    }

    #[test]
    fn a_wrong_option_is_refused_with_those_there_are() {
        let item = "fn f(event: &Event) -> bool {}";
        let options = "write `#[filter]` or `#[filter(pure = false)]`";
        for (arguments, what) in [
            ("impure", "there is no option `impure`"),
            ("pure", "expected `=`"),
            ("pure = 1", "expected boolean literal"),
            ("pure = false, pure = true", "nothing more was expected"),
        ] {
            assert_eq!(said(Role::Filter, arguments, item), format!("{what}; {options}"));
        }
        assert!(
            said(Role::Filter, "", "struct S;").starts_with("`#[filter]` stands on a function (")
        );
    }
}
