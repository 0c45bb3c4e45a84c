//! The derive of a JSON Schema: texts that are known now, around those of the fields' types.

use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Error, Field, Fields, Type, Variant};

use crate::names::{Said, doc, json, renamed};

/// A part of a schema.
enum Part {
    Text(String),
    /// The schema of a type, with more members.
    Of(Box<Type>, String),
}

type Parts = Vec<Part>;

pub(crate) fn expand(item: Tokens) -> Tokens {
    let input: DeriveInput = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let parts = match parts(&input) {
        Ok(parts) => parts,
        Err(error) => return error.into_compile_error(),
    };
    let name = &input.ident;
    let members = description(&input.attrs);
    let writes = parts.into_iter().map(|part| match part {
        Part::Text(text) => quote!(to.push(#text);),
        Part::Of(of, members) => quote! {
            to.with(#members, |to| ::slipswitch_sdk::export::schema_of!(#of, to));
        },
    });
    quote! {
        impl ::slipswitch_sdk::Schema for #name {
            fn write(to: &mut ::slipswitch_sdk::SchemaText) {
                to.with(#members, |to| { #(#writes)* });
            }
        }
    }
}

fn parts(input: &DeriveInput) -> Result<Parts, Error> {
    if !input.generics.params.is_empty() {
        let words = "a configuration has no parameters: the router reads one type";
        return Err(Error::new_spanned(&input.generics, words));
    }
    let said = Said::of(&input.attrs)?;
    if let Some(read_as) = said.read_as {
        return Ok(vec![Part::Of(Box::new(read_as), String::new())]);
    }
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) if said.is_transparent => {
                fields_of(&Fields::Named(fields.clone()))
            }
            fields => content(fields, &said, ""),
        },
        Data::Enum(data) => choice(data.variants.iter(), &said),
        Data::Union(data) => {
            Err(Error::new_spanned(data.union_token, "a configuration is a struct or an enum"))
        }
    }
}

/// Of the first field alone.
fn fields_of(fields: &Fields) -> Result<Parts, Error> {
    let field = fields.iter().next();
    Ok(field.map(|field| Part::Of(Box::new(field.ty.clone()), String::new())).into_iter().collect())
}

/// What stands for a struct, or for a variant without its name. `tag` is a member that it has too.
fn content(fields: &Fields, said: &Said, tag: &str) -> Result<Parts, Error> {
    match fields {
        Fields::Named(fields) => object(fields.named.iter(), said, tag),
        Fields::Unnamed(unnamed) if unnamed.unnamed.len() == 1 => fields_of(fields),
        Fields::Unnamed(unnamed) => {
            let mut parts = vec![text(r#"{"type":"array","prefixItems":["#)];
            for (index, field) in unnamed.unnamed.iter().enumerate() {
                parts.push(text(if index == 0 { "" } else { "," }));
                parts.push(Part::Of(Box::new(field.ty.clone()), String::new()));
            }
            let len = unnamed.unnamed.len();
            parts.push(Part::Text(format!(r#"],"minItems":{len},"maxItems":{len}}}"#)));
            Ok(parts)
        }
        Fields::Unit if tag.is_empty() => Ok(vec![text(r#"{"type":"null"}"#)]),
        Fields::Unit => object([].iter(), said, tag),
    }
}

fn object<'a>(
    fields: impl Iterator<Item = &'a Field>,
    said: &Said,
    tag: &str,
) -> Result<Parts, Error> {
    let mut parts = vec![text(r#"{"type":"object","properties":{"#)];
    let mut required: Vec<String> = Vec::new();
    let mut flattened = Parts::new();
    let mut comma = "";
    if let Some((name, schema)) = tag.split_once('=') {
        parts.push(Part::Text(format!("{name}:{schema}")));
        required.push(name.to_owned());
        comma = ",";
    }
    for field in fields {
        let its = Said::of(&field.attrs)?;
        let Some(ident) = field.ident.as_ref().filter(|_| !its.is_skipped) else { continue };
        let members = description(&field.attrs);
        if its.is_flattened {
            flattened.push(text(if flattened.is_empty() { "" } else { "," }));
            flattened.push(Part::Of(Box::new(field.ty.clone()), String::new()));
            continue;
        }
        let name =
            its.rename.unwrap_or_else(|| renamed(&ident.to_string(), said.rename_all.as_deref()));
        parts.push(Part::Text(format!("{comma}{}:", json(&name))));
        comma = ",";
        parts.push(if its.is_special {
            Part::Text(format!("{{{members}}}"))
        } else {
            Part::Of(Box::new(field.ty.clone()), members)
        });
        if !its.is_default && !said.is_default && !is_option(&field.ty) {
            required.push(json(&name));
        }
    }
    parts.push(text("}"));
    if !required.is_empty() {
        parts.push(Part::Text(format!(r#","required":[{}]"#, required.join(","))));
    }
    if flattened.is_empty() {
        parts.push(text(r#","additionalProperties":false}"#));
    } else {
        parts.push(text(r#","allOf":["#));
        parts.append(&mut flattened);
        parts.push(text("]}"));
    }
    Ok(parts)
}

fn choice<'a>(variants: impl Iterator<Item = &'a Variant>, said: &Said) -> Result<Parts, Error> {
    let mut choices: Vec<Parts> = Vec::new();
    for variant in variants {
        let its = Said::of(&variant.attrs)?;
        if its.is_skipped {
            continue;
        }
        let rule = its.rename_all.clone().or_else(|| said.rename_all_fields.clone());
        let named = its
            .rename
            .unwrap_or_else(|| renamed(&variant.ident.to_string(), said.rename_all.as_deref()));
        let fields = Said { rename_all: rule, ..Said::default() };
        choices.push(one(variant, &json(&named), said, &fields)?);
    }
    let mut parts = vec![text(r#"{"anyOf":["#)];
    for (index, mut choice) in choices.into_iter().enumerate() {
        parts.push(text(if index == 0 { "" } else { "," }));
        parts.append(&mut choice);
    }
    parts.push(text("]}"));
    Ok(parts)
}

/// One variant, in serde's four ways to write it.
fn one(variant: &Variant, name: &str, said: &Said, fields: &Said) -> Result<Parts, Error> {
    let constant = format!(r#"{{"const":{name}}}"#);
    let members = description(&variant.attrs);
    let lead = if members.is_empty() { String::new() } else { format!("{members},") };
    if said.is_untagged {
        return content(&variant.fields, fields, "");
    }
    if let Some(tag) = &said.tag {
        let tag = format!("{}={constant}", json(tag));
        let Some(name) = &said.content else { return content(&variant.fields, fields, &tag) };
        let (tag, _) = tag.split_once('=').unwrap_or_default();
        let name = json(name);
        let mut parts = vec![Part::Text(format!(
            r#"{{{lead}"type":"object","properties":{{{tag}:{constant},{name}:"#
        ))];
        parts.append(&mut content(&variant.fields, fields, "")?);
        parts.push(Part::Text(format!(r#"}},"required":[{tag}]}}"#)));
        return Ok(parts);
    }
    if matches!(variant.fields, Fields::Unit) {
        return Ok(vec![Part::Text(format!(r#"{{{lead}"const":{name}}}"#))]);
    }
    let mut parts = vec![Part::Text(format!(r#"{{{lead}"type":"object","properties":{{{name}:"#))];
    parts.append(&mut content(&variant.fields, fields, "")?);
    parts.push(Part::Text(format!(r#"}},"required":[{name}],"additionalProperties":false}}"#)));
    Ok(parts)
}

fn text(text: &str) -> Part {
    Part::Text(text.to_owned())
}

fn description(attributes: &[Attribute]) -> String {
    match doc(attributes) {
        words if words.is_empty() => String::new(),
        words => format!(r#""description":{}"#, json(&words)),
    }
}

fn is_option(of: &Type) -> bool {
    matches!(of, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Option"))
}
