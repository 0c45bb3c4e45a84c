//! The kinds of connection, and the keys of each.

use std::ops::RangeInclusive;
use std::time::Duration;

use bus::delivery::ClientIn;
use serde_saphyr::Spanned;

use super::{Kind, OAuth, Section, SigV4, Tree, Written};
use crate::config::file::Checks;
use crate::config::values::parse_age;

const OAUTH: &[&str] = &[
    "token_url",
    "client_id",
    "client_secret",
    "scope",
    "audience",
    "auth",
    "method",
    "headers",
    "parameters",
    "timeout",
];
const SIGV4: &[&str] =
    &["access_key_id", "secret_access_key", "session_token", "region", "service"];
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

impl Checks<'_> {
    pub(super) fn kind(
        &mut self,
        connection: &Section<'_>,
        key: &Spanned<String>,
        tree: &Spanned<Tree>,
    ) -> Option<Kind> {
        let path = format!("{}.{}", connection.path, key.value);
        match key.value.as_str() {
            "none" => self.section(path, key, tree, &[]).map(|_| Kind::None),
            "basic" => {
                let section = self.section(path, key, tree, &["user", "password"])?;
                let (user, password) =
                    (self.required(&section, "user"), self.secret(&section, "password"));
                Some(Kind::Basic { user: user?, password: password? })
            }
            "api_key" => {
                let section = self.section(path, key, tree, &["header", "value"])?;
                let (header, value) =
                    (self.required(&section, "header"), self.secret(&section, "value"));
                let (name, _) = section.member("header")?;
                let named = Spanned::new(header?.text, name.referenced, name.defined);
                let is_header = self.is_header(&named);
                let header = named.value.to_ascii_lowercase();
                is_header.then_some(Kind::ApiKey { header, value: value? })
            }
            "bearer" => {
                let section = self.section(path, key, tree, &["token"])?;
                Some(Kind::Bearer { token: self.secret(&section, "token")? })
            }
            "oauth" => {
                let section = self.section(path, key, tree, OAUTH)?;
                Some(Kind::OAuth(Box::new(self.oauth(&section)?)))
            }
            _sigv4 => {
                let section = self.section(path, key, tree, SIGV4)?;
                Some(Kind::SigV4(Box::new(self.sigv4(&section)?)))
            }
        }
    }

    fn oauth(&mut self, section: &Section<'_>) -> Option<OAuth> {
        let token_url = self.required(section, "token_url");
        let client_id = self.required(section, "client_id");
        let client_secret = self.secret(section, "client_secret");
        let client_in = match self.choice(section, "auth", &["body", "basic"])? {
            "basic" => ClientIn::Basic,
            _body => ClientIn::Body,
        };
        let method = self.choice(section, "method", &["POST", "GET", "PUT"])?;
        let headers = self.parameters(section, "headers");
        let mut parameters = self.parameters(section, "parameters")?;
        for key in ["audience", "scope"] {
            let written: Option<Written> = self.optional(section, key);
            parameters.splice(0..0, written.map(|written| (key.to_owned(), written)));
        }
        let timeout = self.timeout(section)?;
        let (token_url, client_id, client_secret) = (token_url?, client_id?, client_secret?);
        let headers = headers?;
        Some(OAuth {
            token_url,
            client_id,
            client_secret,
            client_in,
            method,
            parameters,
            headers,
            timeout,
        })
    }

    fn sigv4(&mut self, section: &Section<'_>) -> Option<SigV4> {
        let access_key_id = self.required(section, "access_key_id");
        let secret_access_key = self.secret(section, "secret_access_key");
        let session_token = match section.member("session_token") {
            Some(_) => Some(self.secret(section, "session_token")?),
            None => None,
        };
        let (region, service) =
            (self.required(section, "region"), self.required(section, "service"));
        Some(SigV4 {
            access_key_id: access_key_id?,
            secret_access_key: secret_access_key?,
            session_token,
            region: region?,
            service: service?,
        })
    }

    /// The first is the default.
    fn choice(
        &mut self,
        section: &Section<'_>,
        key: &str,
        words: &[&'static str],
    ) -> Option<&'static str> {
        let Some((_, tree)) = section.member(key) else { return words.first().copied() };
        let text = if let Tree::Text(text) = &tree.value { text.as_str() } else { "" };
        let found = words.iter().find(|word| word.eq_ignore_ascii_case(text)).copied();
        if found.is_none() {
            let reason = format!("this is no `{key}`");
            self.problem(tree, reason, &format!("one of {}", words.join(", ")));
        }
        found
    }

    fn timeout(&mut self, section: &Section<'_>) -> Option<Duration> {
        let Some((_, tree)) = section.member("timeout") else { return Some(TIMEOUT_DEFAULT) };
        let text = if let Tree::Text(text) = &tree.value { text.as_str() } else { "" };
        let found = parse_age(text).filter(|age| TIMEOUT.contains(age));
        if found.is_none() {
            let reason = "this is no time to wait for a token".to_owned();
            self.problem(tree, reason, "write one from 1ms to 60s");
        }
        found
    }
}
