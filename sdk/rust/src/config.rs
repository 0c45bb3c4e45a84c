//! The configuration of a plugin: JSON read into the type that its function asks for.

use alloc::format;
use alloc::string::{String, ToString as _};
use core::{error, fmt};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment, Track};

use crate::{Schema, SchemaText};

/// Why a configuration is refused; the text is for the author of the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    message: String,
}

impl ConfigError {
    /// With the place before the words: ``config.items[0].count: …``.
    fn at(self, path: &Path) -> Self {
        let is_named = self.message.starts_with("unknown field"); // The words name the last one.
        let mut place = String::from("config");
        for segment in path.iter().take(path.iter().len().saturating_sub(is_named.into())) {
            match segment {
                Segment::Seq { .. } => place.push_str(&segment.to_string()),
                Segment::Map { key } | Segment::Enum { variant: key } => {
                    place.push('.');
                    place.push_str(key);
                }
                Segment::Unknown => (),
            }
        }
        if place == "config" {
            return self;
        }
        Self { message: format!("{place}: {}", self.message) }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl error::Error for ConfigError {}

/// What a plugin without a configuration takes: nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

impl NoConfig {
    /// As [`config`] reads it, without a reader of JSON: a plugin that needs none is a quarter as large.
    #[doc(hidden)]
    pub fn read(json: &str) -> Result<Self, ConfigError> {
        let is_empty = json.bytes().all(|byte| byte.is_ascii_whitespace() || b"{}".contains(&byte));
        if is_empty || json.trim() == "null" {
            return Ok(Self {});
        }
        Err(ConfigError { message: "it takes none: write `config: {}`, or nothing".into() })
    }
}

impl Schema for NoConfig {
    fn write(to: &mut SchemaText) {
        to.push(r#"{"type":"object","properties":{},"additionalProperties":false}"#);
    }
}

/// Reads a configuration as the router hands it over. A key that `C` does not know is refused, and a refusal says at
/// which key: ``config.items[0].count: invalid type: string "two", expected u32``.
pub fn config<C: DeserializeOwned>(json: &str) -> Result<C, ConfigError> {
    let json = match json.trim() {
        "" | "null" => "{}",
        json => json,
    };
    let refuse = |error: serde_json::Error| {
        // The position is one in the router's own JSON, which the author of the rule never sees.
        let place = format!(" at line {} column {}", error.line(), error.column());
        ConfigError { message: error.to_string().replace(&place, "") }
    };
    let (mut unknown, mut track) = (None::<String>, Track::new());
    let mut reader = serde_json::Deserializer::from_str(json);
    let placed = serde_path_to_error::Deserializer::new(&mut reader, &mut track);
    let config = serde_ignored::deserialize(placed, |path| {
        unknown.get_or_insert_with(|| path.to_string());
    });
    let config = config.map_err(|error| refuse(error).at(&track.path()))?;
    reader.end().map_err(refuse)?;
    match unknown {
        Some(key) => Err(ConfigError { message: format!("unknown key `{key}`") }),
        None => Ok(config),
    }
}
