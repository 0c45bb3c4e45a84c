//! `slipswitch rule …`: the rules of a running router, and those that are made over its interface.

mod ls;
pub(crate) mod made;
mod put;
mod rm;
mod show;
mod switch;

use clap::Subcommand;

use crate::client::escaped;
use crate::failure::Failure;
use crate::name::agreed;

/// The bus of a name that says none.
const BUS_DEFAULT: &str = "default";

/// See the rules of a running router, and make some over its interface
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Ls(ls::Arguments),
    Show(show::Arguments),
    Put(put::Arguments),
    Rm(rm::Arguments),
    Enable(switch::Enable),
    Disable(switch::Disable),
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Ls(arguments) => ls::run(arguments),
        Verb::Show(arguments) => show::run(arguments),
        Verb::Put(arguments) => put::run(arguments),
        Verb::Rm(arguments) => rm::run(arguments),
        Verb::Enable(arguments) => switch::enable(arguments),
        Verb::Disable(arguments) => switch::disable(arguments),
    }
}

/// A rule, and where the router has it.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    bus: String,
    rule: String,
}

impl Place {
    /// `RULE` or `BUS/RULE`, and `--bus`; the bus `default` when neither says one.
    fn read(text: &str, bus: Option<&str>) -> Result<Self, Failure> {
        let (in_name, rule) = match text.split_once('/') {
            Some((bus, rule)) => (Some(bus), rule),
            None => (None, text),
        };
        if rule.is_empty() || rule.contains('/') || in_name == Some("") {
            return Err(Failure::usage(format!(
                "`{text}` is no name of a rule; write RULE or BUS/RULE, as `slipswitch rule ls` lists them"
            )));
        }
        let bus = agreed("bus", bus, in_name)?.unwrap_or(BUS_DEFAULT);
        Ok(Self { bus: bus.to_owned(), rule: rule.to_owned() })
    }

    fn path(&self) -> String {
        format!("/api/v1/buses/{}/rules/{}", escaped(&self.bus), escaped(&self.rule))
    }

    fn shown(&self) -> String {
        format!("{}/{}", self.bus, self.rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_on_the_default_bus_unless_its_name_or_the_option_says_otherwise() {
        let read = |text: &str, bus| Place::read(text, bus).map(|place| place.shown());
        assert_eq!(read("a", None), Ok("default/a".to_owned()));
        assert_eq!(read("shop/a", None), Ok("shop/a".to_owned()));
        assert_eq!(read("a", Some("shop")), Ok("shop/a".to_owned()));
        assert_eq!(read("shop/a", Some("shop")), Ok("shop/a".to_owned()));
        assert!(read("shop/a", Some("other")).is_err());
        for text in ["", "/", "shop/", "/a", "a/b/c"] {
            assert!(read(text, None).is_err(), "{text}");
        }
        let odd = Place { bus: "..".to_owned(), rule: "a b".to_owned() };
        assert_eq!(odd.path(), "/api/v1/buses/../rules/a%20b");
    }
}
