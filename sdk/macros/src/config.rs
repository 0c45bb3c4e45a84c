//! The attribute that makes a type a configuration.

use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{DeriveInput, Error};

pub(crate) fn expand(arguments: Tokens, item: Tokens) -> Tokens {
    if !arguments.is_empty() {
        let error = Error::new_spanned(arguments, "`config` takes no arguments: write `#[config]`");
        return error.into_compile_error();
    }
    if let Err(error) = syn::parse2::<DeriveInput>(item.clone()) {
        let words = "`#[config]` stands on a struct or an enum";
        return Error::new(error.span(), words).into_compile_error();
    }
    // Where fields are flattened serde cannot refuse the others; the SDK still does when it reads.
    let deny =
        if item.to_string().contains("flatten") { quote!() } else { quote!(, deny_unknown_fields) };
    quote! {
        #[derive(::slipswitch_sdk::serde::Deserialize, ::slipswitch_sdk::Schema)]
        #[serde(crate = "::slipswitch_sdk::serde" #deny)]
        #item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_configuration_is_refused_in_words() {
        for (arguments, item, words) in [
            ("schema", "struct C;", "`config` takes no arguments: write `#[config]`"),
            ("", "fn c() {}", "`#[config]` stands on a struct or an enum"),
        ] {
            let text = expand(arguments.parse().unwrap(), item.parse().unwrap()).to_string();
            assert!(text.contains("compile_error") && text.contains(words), "{text}");
        }
        for (item, words) in [
            ("struct C<T> { t: T }", "a configuration has no parameters"),
            ("union C { a: u8 }", "a configuration is a struct or an enum"),
        ] {
            let text = crate::schema::expand(item.parse().unwrap()).to_string();
            assert!(text.contains("compile_error") && text.contains(words), "{text}");
        }
    }
}
