//! The attribute that makes a type a configuration.

use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{DeriveInput, Error};

pub(crate) fn expand(arguments: Tokens, item: Tokens) -> Tokens {
    if !arguments.is_empty() {
        let error = Error::new_spanned(arguments, "`config` takes no arguments: write `#[config]`");
        return error.into_compile_error();
    }
    let input: DeriveInput = match syn::parse2(item.clone()) {
        Ok(input) => input,
        Err(error) => {
            return Error::new(error.span(), "`#[config]` stands on a struct or an enum")
                .into_compile_error();
        }
    };
    // Where fields are flattened serde cannot refuse the others; the SDK still does when it reads.
    let deny =
        if item.to_string().contains("flatten") { quote!() } else { quote!(, deny_unknown_fields) };
    let _ = &input;
    quote! {
        #[derive(::slipswitch_sdk::serde::Deserialize)]
        #[serde(crate = "::slipswitch_sdk::serde" #deny)]
        #item
    }
}
