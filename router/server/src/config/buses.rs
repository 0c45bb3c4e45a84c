//! `buses`: their names, and what each says of itself.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_saphyr::Spanned;

use super::file::Checks;
use super::values::{Age, Size};
use super::{Bus, Config};

const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);
const RETENTION_AGE: RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(100 * 365 * 24 * 3_600);
const RETENTION_BYTES: RangeInclusive<u64> = 1 << 20..=1 << 60;

/// Buses: `[shop, audit]`, or `{shop: {}, audit: {}}` with room for a bus's own settings.
pub(super) struct Buses(Vec<(Spanned<String>, Settings)>);

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    deduplicate: Option<Deduplicate>,
    durability: Option<Spanned<Durability>>,
    retention: Option<Retention>,
}

/// `synced`, or `interval: 1s`.
enum Durability {
    Synced,
    Interval(Spanned<Age>),
    Neither(String),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Retention {
    age: Option<Spanned<Age>>,
    bytes: Option<Spanned<Size>>,
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
                let bus = self.bus(settings);
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

    fn bus(&mut self, settings: &Settings) -> Bus {
        let by_pair = matches!(settings.deduplicate, Some(Deduplicate::SourceAndId));
        let mut bus = Bus { deduplicates_by_source_and_id: by_pair, ..Bus::default() };
        if let Some(found) = &settings.durability {
            match &found.value {
                Durability::Synced => (),
                Durability::Interval(age) => {
                    let mut interval = Duration::from_secs(1);
                    self.age("interval", Some(age.clone()), INTERVAL, &mut interval);
                    bus.interval = Some(interval);
                }
                Durability::Neither(text) => {
                    let reason = format!("`{text}` is no durability");
                    self.problem(found, reason, "write `synced`, or `{ interval: 1s }`");
                }
            }
        }
        if let Some(Retention { age, bytes }) = &settings.retention {
            self.age("age", age.clone(), RETENTION_AGE, &mut bus.retention.age);
            self.bytes("bytes", bytes.clone(), RETENTION_BYTES, &mut bus.retention.bytes);
        }
        bus
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

impl<'de> Deserialize<'de> for Durability {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Weakened {
            interval: Spanned<Age>,
        }
        struct Durabilities;
        impl<'de> Visitor<'de> for Durabilities {
            type Value = Durability;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("`synced`, or `interval` with a span of time")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Durability, E> {
                Ok(match text {
                    "synced" => Durability::Synced,
                    other => Durability::Neither(other.to_owned()),
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Durability, A::Error> {
                let map = serde::de::value::MapAccessDeserializer::new(map);
                Ok(Durability::Interval(Weakened::deserialize(map)?.interval))
            }
        }
        deserializer.deserialize_any(Durabilities)
    }
}
