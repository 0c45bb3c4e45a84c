//! The token that lets somebody put plugins into a router.
//!
//! # Invariants
//!
//! - Only its digest is kept, and a comparison takes as long whatever was sent.

use std::path::PathBuf;

use bus::ruleset::Values as _;
use sha2::{Digest as _, Sha256};

use crate::values::SystemValues;

const CHARS_MIN: usize = 16;

/// Where the configuration says that it is: never in the configuration itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenPlace {
    Env(String),
    File(PathBuf),
    /// One that systemd gives the process.
    Credential(String),
}

/// What is kept of it.
#[derive(Clone)]
pub(crate) struct Token([u8; 32]);

impl TokenPlace {
    /// `${NAME}`, `${file:PATH}` or `${credential:NAME}`; none for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let inside = text.strip_prefix("${")?.strip_suffix('}')?;
        if let Some(name) = inside.strip_prefix("credential:") {
            return (!name.is_empty()).then(|| Self::Credential(name.to_owned()));
        }
        match inside.strip_prefix("file:") {
            Some("") => None,
            Some(path) => Some(Self::File(path.into())),
            None => {
                let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                (!inside.is_empty() && inside.chars().all(is_name))
                    .then(|| Self::Env(inside.to_owned()))
            }
        }
    }

    /// Reads it; the error says what to do.
    pub(crate) fn read(&self) -> Result<Token, String> {
        let values = SystemValues::default();
        let (text, shown) = match self {
            Self::Env(name) => (
                values.env(name).ok_or_else(|| {
                    format!(
                        "the environment has no {name}: set it (such as to what `openssl rand -hex 32` prints), or \
                         write ${{file:PATH}} there, in slipswitch.yaml"
                    )
                }),
                format!("the environment's {name}"),
            ),
            Self::Credential(name) => (values.credential(name), format!("the credential {name}")),
            Self::File(path) => {
                (values.file(&path.display().to_string()), path.display().to_string())
            }
        };
        let text = text.map_err(|error| format!("plugin.upload_token: {error}"))?;
        if text.chars().count() < CHARS_MIN {
            return Err(format!(
                "plugin.upload_token: what {shown} holds is shorter than {CHARS_MIN} characters: make one with \
                 `openssl rand -hex 32`"
            ));
        }
        Ok(Token::of(&text))
    }
}

impl Token {
    pub(crate) fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Digests are compared, all of their bytes: neither tells how much of a guess was right.
    pub(crate) fn is(&self, text: &str) -> bool {
        let other: [u8; 32] = Sha256::digest(text).into();
        let differing = self.0.iter().zip(other).fold(0, |bits, (one, two)| bits | (one ^ two));
        std::hint::black_box(differing) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_from_the_environment_or_a_file_and_is_long() {
        assert_eq!(TokenPlace::parse("${A_1}"), Some(TokenPlace::Env("A_1".to_owned())));
        assert_eq!(TokenPlace::parse("${file:/a b}"), Some(TokenPlace::File("/a b".into())));
        for bad in ["", "secret", "${}", "${file:}", "${A-B}", "a${B}"] {
            assert_eq!(TokenPlace::parse(bad), None, "{bad}");
        }
        let unset = TokenPlace::Env("SLIPSWITCH_NOBODY_SETS_THIS".to_owned()).read().err().unwrap();
        assert!(unset.contains("set it (such as ") && unset.contains("slipswitch.yaml"), "{unset}");
        let dir = tempfile::tempdir().unwrap();
        let place = TokenPlace::File(dir.path().join("token"));
        assert!(place.read().err().unwrap().contains("upload_token: read "));
        std::fs::write(dir.path().join("token"), "short\n").unwrap();
        assert!(place.read().err().unwrap().contains("shorter than 16"));
        std::fs::write(dir.path().join("token"), "0123456789abcdef\n").unwrap();
        let token = place.read().ok().unwrap();
        assert!(token.is("0123456789abcdef"));
        assert!(!token.is("0123456789abcdeg") && !token.is("") && !token.is("0123456789abcdef\n"));
    }
}
