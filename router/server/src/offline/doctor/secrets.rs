//! Files that hold secrets: who may read them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use super::check::Check;
use crate::config::Config;
use crate::plugins::token::TokenPlace;

const ABOUT: &str = "secrets";
/// Of the group and of everybody.
const READABLE: u32 = 0o044;

pub(super) struct Secret {
    path: PathBuf,
    /// Which key names it.
    key: &'static str,
    mode: Result<u32, String>,
}

pub(super) fn look(config: &Config) -> Vec<Secret> {
    let token = match &config.plugin.upload_token {
        Some(TokenPlace::File(path)) => Some((path.clone(), "plugin.upload_token")),
        Some(TokenPlace::Env(_) | TokenPlace::Credential(_)) | None => None,
    };
    let read = |(path, key): (PathBuf, &'static str)| {
        let mode = fs::metadata(&path).map(|meta| meta.mode() & 0o777);
        Secret { mode: mode.map_err(|error| error.to_string()), path, key }
    };
    token.into_iter().map(read).collect()
}

/// Nothing is said where there is none.
pub(super) fn judge(secrets: &[Secret]) -> Vec<Check> {
    secrets.iter().map(secret).collect()
}

fn secret(secret: &Secret) -> Check {
    let Secret { path, key, mode } = secret;
    let path = path.display();
    match mode {
        Err(error) => Check::problem(
            ABOUT,
            format!("{key} stands in {path}, which cannot be read: {error}"),
            format!(
                "make it (`openssl rand -hex 32`), readable for the router's user alone: `chmod 600 {path}`"
            ),
        ),
        Ok(mode) if mode & READABLE != 0 => Check::warning(
            ABOUT,
            format!("{path} ({key}) can be read by others than its owner (mode {mode:03o})"),
            format!("`chmod 600 {path}`"),
        ),
        Ok(mode) => {
            Check::ok(ABOUT, format!("{path} ({key}) is its owner's alone (mode {mode:03o})"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::State;
    use super::*;

    #[test]
    fn a_secret_that_others_may_read_is_warned_of() {
        for (mode, state) in [
            (Ok(0o600), State::Ok),
            (Ok(0o400), State::Ok),
            (Ok(0o640), State::Warning),
            (Ok(0o604), State::Warning),
            (Err("no such file".to_owned()), State::Problem),
        ] {
            let secret = Secret { path: "token".into(), key: "plugin.upload_token", mode };
            let [check] = judge(&[secret]).try_into().unwrap();
            assert_eq!(check.state, state, "{check:?}");
            assert!(check.found.contains("plugin.upload_token"), "{check:?}");
        }
    }
}
