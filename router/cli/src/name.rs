//! Names of targets as people write them, and as outputs show them: `RULE/TARGET`, `BUS/RULE/TARGET`.

use crate::failure::Failure;

/// Bus, rule and target, as far as they were said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    pub(crate) bus: Option<&'a str>,
    pub(crate) rule: Option<&'a str>,
    pub(crate) target: Option<&'a str>,
}

impl<'a> Name<'a> {
    /// One part alone is a target, where `rule` says whose, or whoever's.
    pub(crate) fn of_target(text: &'a str) -> Result<Self, Failure> {
        let parts = parts(text)?;
        Ok(match *parts {
            [target] => Self { target: Some(target), ..Self::default() },
            [rule, target] => Self { bus: None, rule: Some(rule), target: Some(target) },
            [bus, rule, target] => Self { bus: Some(bus), rule: Some(rule), target: Some(target) },
            _ => return Err(misspelt(text)),
        })
    }

    /// One part alone is a rule: all of its targets.
    pub(crate) fn of_rule(text: &'a str) -> Result<Self, Failure> {
        let name = Self::of_target(text)?;
        Ok(match name {
            Self { rule: None, target, .. } => Self { rule: target, ..Self::default() },
            whole => whole,
        })
    }
}

/// Of a name and of an option beside it: either, or both if they agree.
pub(crate) fn agreed<'a>(
    option: &str,
    said: Option<&'a str>,
    in_name: Option<&'a str>,
) -> Result<Option<&'a str>, Failure> {
    match (said, in_name) {
        (Some(said), Some(in_name)) if said != in_name => Err(Failure::usage(format!(
            "--{option} is `{said}`, but the name says `{in_name}`: leave one away"
        ))),
        (said, in_name) => Ok(said.or(in_name)),
    }
}

fn parts(text: &str) -> Result<Vec<&str>, Failure> {
    let parts: Vec<&str> = text.split('/').collect();
    if parts.iter().any(|part| part.is_empty()) { Err(misspelt(text)) } else { Ok(parts) }
}

fn misspelt(text: &str) -> Failure {
    Failure::usage(format!(
        "`{text}` is no name of a target; write RULE/TARGET or BUS/RULE/TARGET, as `slipswitch target ls` lists them"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_as_many_parts_as_were_needed() {
        let name = |bus, rule, target| Name { bus, rule, target };
        let (bus, rule, target) = (Some("shop"), Some("big"), Some("crm"));
        assert_eq!(Name::of_target("crm"), Ok(name(None, None, target)));
        assert_eq!(Name::of_target("big/crm"), Ok(name(None, rule, target)));
        assert_eq!(Name::of_target("shop/big/crm"), Ok(name(bus, rule, target)));
        assert_eq!(Name::of_rule("big"), Ok(name(None, rule, None)));
        assert_eq!(Name::of_rule("shop/big/crm"), Ok(name(bus, rule, target)));
        for text in ["", "/", "big/", "a/b/c/d"] {
            assert!(Name::of_target(text).is_err(), "{text}");
        }
        assert!(agreed("bus", Some("a"), Some("b")).is_err());
        assert_eq!(agreed("bus", None, Some("b")), Ok(Some("b")));
    }
}
