//! `buses`: their names, and what each says of itself.

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde_saphyr::Spanned;

use super::file::Checks;
use super::{Bus, Config};

/// Buses: `[shop, audit]`, or `{shop: {}, audit: {}}` with room for a bus's own settings.
pub(super) struct Buses(Vec<(Spanned<String>, Settings)>);

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    deduplicate: Option<Deduplicate>,
}

/// By what an event that is sent again is known.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Deduplicate {
    Key,
    SourceAndId,
}

impl Checks<'_> {
    pub(super) fn buses(&mut self, found: &Spanned<Buses>, into: &mut Config) {
        let mut names: Vec<String> = Vec::new();
        for (name, settings) in &found.value.0 {
            if !is_bus_name(&name.value) {
                let reason = format!("`{}` is no name for a bus", name.value);
                self.problem(name, reason, "use 1 to 64 letters, digits, `.`, `-` and `_`");
            } else if names.contains(&name.value) {
                let reason = format!("the bus `{}` is named twice", name.value);
                self.problem(name, reason, "keep one of them");
            } else {
                names.push(name.value.clone());
                let bus = settings.of_bus();
                if bus != Bus::default() {
                    into.bus_settings.insert(name.value.clone(), bus);
                }
            }
        }
        // The bus that `POST /events` means is always there.
        if !names.iter().any(|name| name == "default") {
            names.insert(0, "default".to_owned());
        }
        into.buses = names;
    }
}

impl Settings {
    fn of_bus(&self) -> Bus {
        let by_pair = matches!(self.deduplicate, Some(Deduplicate::SourceAndId));
        Bus { deduplicates_by_source_and_id: by_pair }
    }
}

fn is_bus_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}

impl<'de> Deserialize<'de> for Buses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BusesVisitor;
        impl<'de> Visitor<'de> for BusesVisitor {
            type Value = Buses;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a list of bus names, or a map with a name as each key")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<Buses, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = seq.next_element()? {
                    names.push((name, Settings::default()));
                }
                Ok(Buses(names))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Buses, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = map.next_key()? {
                    let settings = map.next_value::<Option<Settings>>()?;
                    names.push((name, settings.unwrap_or_default()));
                }
                Ok(Buses(names))
            }
        }
        deserializer.deserialize_any(BusesVisitor)
    }
}
