//! A connection: how requests to a target prove who sends them, named once and used by many rules.
//!
//! ```text
//! rule ── connection: crm ──▶ Connections ──▶ Connection ──▶ header · token · signature · certificate
//! ```
//!
//! A target looks its connection up at every attempt, so that a secret that was rotated is used at once and a
//! connection that is not there loses nothing: its deliveries wait.
//!
//! # Invariants
//!
//! - A credential goes to the hosts of its connection alone, and what is over TLS never without.
//! - No error and no status has a secret of it, and neither has what a target answers: see [`Connection::hidden`].
//!
//! # Not here
//!
//! - Where secrets come from, and when they are read again: `server`.

mod basic;
mod hosts;
mod mtls;
mod oauth;
mod registry;
mod sigv4;
mod standing;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use event::Timestamp;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, StatusCode, Uri};

use crate::client::Client;
use crate::percent::{self, Kept};
use crate::secret::{self, Secret};
use mtls::Holding;
use oauth::Tokens;
use sigv4::Signed;

pub use basic::Basic;
pub use hosts::HostPattern;
pub use mtls::{Identity, Pem, Tls, TlsError};
pub use oauth::{ClientIn, OAuth};
pub use registry::{ConnectionStatus, Connections};
pub use sigv4::SigV4;
pub use standing::Standing;

/// Secrets of before a rotation that answers may still repeat.
const PAST_MAX: usize = 32;

/// The time, asked for once per step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub wall: Timestamp,
    /// Never steps back.
    pub steady: Duration,
}

/// What tells it.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// All of a connection, its secrets read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionOptions {
    pub authorization: Authorization,
    pub tls: Option<Tls>,
    /// Of every request; they win over a rule's.
    pub headers: Vec<Parameter>,
    pub query: Vec<Parameter>,
    /// Any when empty.
    pub hosts: Vec<HostPattern>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorization {
    None,
    Basic(Basic),
    ApiKey { header: HeaderName, value: Secret },
    Bearer(Secret),
    OAuth(Box<OAuth>),
    SigV4(SigV4),
}

/// A name with a value: a header, or a part of a query or form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    pub name: String,
    pub value: Secret,
    /// Whether nothing may show it.
    pub is_secret: bool,
}

pub struct Connection {
    name: String,
    options: ConnectionOptions,
    /// With TLS of its own.
    client: Option<Client>,
    holding: Option<Holding>,
    tokens: Option<Tokens>,
    /// Secrets that were its own before.
    past: Vec<Secret>,
    standing: Mutex<Standing>,
    clock: Clock,
}

/// A request that proves who sends it.
pub(crate) struct Authorized {
    pub request: Request<Full<Bytes>>,
    /// The token in it, which a target may refuse.
    pub token: Option<Secret>,
}

impl Authorization {
    /// As in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic(_) => "basic",
            Self::ApiKey { .. } => "api_key",
            Self::Bearer(_) => "bearer",
            Self::OAuth(_) => "oauth",
            Self::SigV4(_) => "sigv4",
        }
    }
}

impl Connection {
    /// What sends its requests, when the one for all does not do.
    pub(crate) fn client<'a>(&'a self, of_all: &'a Client) -> &'a Client {
        self.client.as_ref().unwrap_or(of_all)
    }

    /// Puts the proof into a request with this body.
    ///
    /// # Errors
    ///
    /// Why it cannot be sent now, for a person.
    pub(crate) async fn authorize(
        &self,
        of_all: &Client,
        mut request: Request<Full<Bytes>>,
        body: &[u8],
    ) -> Result<Authorized, String> {
        let authorized = match self.objection(request.uri()) {
            Some(reason) => Err(reason),
            None => match self.token(of_all).await {
                Ok(token) => {
                    let put = self.put(&mut request, body, token.as_ref());
                    put.map(|()| Authorized { request, token })
                        .ok_or_else(|| "one of its values cannot be put into a request".to_owned())
                }
                Err(reason) => Err(reason),
            },
        };
        authorized.map_err(|reason| {
            let reason = format!("connection `{}`: {reason}", self.name);
            self.note(Standing::unauthorized((self.clock)().wall, &reason));
            reason
        })
    }

    /// Whether its proof is one that is fetched.
    pub(crate) fn has_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// A target did not take this token: the next request has another one. Whether there can be one.
    pub(crate) fn renew(&self, refused: Option<&Secret>) -> bool {
        let (Some(tokens), Some(refused)) = (&self.tokens, refused) else { return false };
        tokens.drop_if(refused);
        true
    }

    /// Takes note of what a target made of it; `reason` is what is said of the answer.
    pub(crate) fn heard(&self, status: StatusCode, reason: &str) {
        let now = (self.clock)().wall;
        self.note(match status.as_u16() {
            401 | 403 | 407 => Standing::unauthorized(now, reason),
            _ => Standing::Authorized { since: now },
        });
    }

    /// A text from outside without the secrets of this connection, those of its past included.
    pub(crate) fn hidden(&self, said: &str) -> String {
        secret::without(said, &self.secrets())
    }

    fn secrets(&self) -> Vec<Secret> {
        let ConnectionOptions { authorization, tls, headers, query, .. } = &self.options;
        let mut secrets = self.past.clone();
        match authorization {
            Authorization::None => (),
            Authorization::Basic(basic) => secrets.extend([basic.password.clone(), basic.pair()]),
            Authorization::ApiKey { value, .. } => secrets.extend(words(value)),
            Authorization::Bearer(token) => secrets.push(token.clone()),
            Authorization::OAuth(_) => {
                secrets.extend(self.tokens.iter().flat_map(Tokens::secrets));
            }
            Authorization::SigV4(keys) => {
                secrets.push(keys.secret_access_key.clone());
                secrets.extend(keys.session_token.clone());
            }
        }
        let parameters = headers.iter().chain(query).filter(|one| one.is_secret);
        secrets.extend(parameters.flat_map(|one| words(&one.value)));
        let key = tls.as_ref().and_then(|tls| Some(tls.identity.as_ref()?.key.text.clone()));
        secrets.extend(key);
        secrets.retain(|secret| !secret.expose().is_empty());
        secrets
    }

    /// Why nothing of this connection goes to this URL now.
    fn objection(&self, url: &Uri) -> Option<String> {
        if let Some(reason) = self.options.refuses(url) {
            return Some(reason);
        }
        self.holding.as_ref()?.objection((self.clock)().wall)
    }

    async fn token(&self, of_all: &Client) -> Result<Option<Secret>, String> {
        let Some(tokens) = &self.tokens else { return Ok(None) };
        tokens.get(self.client(of_all), &self.clock).await.map(Some)
    }

    fn put(
        &self,
        request: &mut Request<Full<Bytes>>,
        body: &[u8],
        token: Option<&Secret>,
    ) -> Option<()> {
        let ConnectionOptions { authorization, headers, query, .. } = &self.options;
        if !query.is_empty() {
            *request.uri_mut() = with_parameters(request.uri(), query)?;
        }
        for Parameter { name, value, .. } in headers {
            let name = HeaderName::try_from(name).ok()?;
            request.headers_mut().insert(name, sensitive(value.expose())?);
        }
        let headers = match authorization {
            Authorization::None => Vec::new(),
            Authorization::Basic(basic) => vec![(AUTHORIZATION, basic.header())],
            Authorization::ApiKey { header, value } => {
                vec![(header.clone(), sensitive(value.expose())?)]
            }
            Authorization::Bearer(token) => vec![(AUTHORIZATION, bearer(token)?)],
            Authorization::OAuth(_) => vec![(AUTHORIZATION, bearer(token?)?)],
            Authorization::SigV4(keys) => {
                let host = host_of(request.uri());
                request.headers_mut().insert(HOST, HeaderValue::try_from(&host).ok()?);
                self.sign(keys, request, (&host, body))?
            }
        };
        request.headers_mut().extend(headers.into_iter().collect::<HeaderMap>());
        Some(())
    }

    fn sign(
        &self,
        keys: &SigV4,
        request: &Request<Full<Bytes>>,
        (host, body): (&str, &[u8]),
    ) -> Option<Vec<(HeaderName, HeaderValue)>> {
        let signed = Signed {
            method: request.method().as_str(),
            host,
            path: request.uri().path(),
            query: request.uri().query().unwrap_or_default(),
            headers: request.headers(),
            body,
        };
        keys.sign(&signed, (self.clock)().wall)
    }
}

impl ConnectionOptions {
    /// Why nothing of it may ever go to this URL.
    pub fn refuses(&self, url: &Uri) -> Option<String> {
        if !self.hosts.is_empty() && !self.hosts.iter().any(|host| host.allows(url)) {
            let hosts = self.hosts.iter().map(ToString::to_string).collect::<Vec<_>>();
            let authority = format!("{}:{}", url.host().unwrap_or_default(), hosts::port_of(url));
            let hosts = hosts.join(", ");
            return Some(format!("it is for {hosts}, and not for {authority}"));
        }
        let has_identity = self.tls.as_ref().is_some_and(|tls| tls.identity.is_some());
        (has_identity && url.scheme_str() != Some("https"))
            .then(|| "its certificate is shown over https only, and this URL is http".to_owned())
    }
}

/// A value, and the long words of it: what follows a `Token`.
fn words(value: &Secret) -> Vec<Secret> {
    const LONG: usize = 6;
    let words = value.expose().split_ascii_whitespace().filter(|word| LONG <= word.len());
    let words = words.map(|word| Secret::new(word.to_owned()));
    std::iter::once(value.clone()).chain(words).collect()
}

/// As hyper puts it into the header `host`.
fn host_of(url: &Uri) -> String {
    let host = url.host().unwrap_or_default();
    match url.port_u16() {
        Some(port)
            if !matches!((url.scheme_str(), port), (Some("http"), 80) | (Some("https"), 443)) =>
        {
            format!("{host}:{port}")
        }
        _ => host.to_owned(),
    }
}

/// The URL with these in its query, in the place of those of the same names.
fn with_parameters(url: &Uri, parameters: &[Parameter]) -> Option<Uri> {
    let encoded = |text: &str| percent::encoded(text, Kept::Unreserved);
    let is_kept = |pair: &&str| {
        let name = percent::normal(pair.split('=').next().unwrap_or_default());
        !pair.is_empty() && !parameters.iter().any(|one| encoded(&one.name) == name)
    };
    let mut pairs: Vec<String> =
        url.query().unwrap_or_default().split('&').filter(is_kept).map(str::to_owned).collect();
    for Parameter { name, value, .. } in parameters {
        pairs.push(format!("{}={}", encoded(name), encoded(value.expose())));
    }
    set_query(url, &pairs.join("&"))
}

/// The URL with this behind its query.
fn with_query(url: &Uri, more: &str) -> Option<Uri> {
    match url.query() {
        Some(query) if !query.is_empty() => set_query(url, &format!("{query}&{more}")),
        _ => set_query(url, more),
    }
}

fn set_query(url: &Uri, query: &str) -> Option<Uri> {
    let mut parts = url.clone().into_parts();
    parts.path_and_query = Some(format!("{}?{query}", url.path()).parse().ok()?);
    Uri::from_parts(parts).ok()
}

fn bearer(token: &Secret) -> Option<HeaderValue> {
    sensitive(&format!("Bearer {}", token.expose()))
}

/// Nothing of ours shows it where headers are shown.
fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_take_the_place_of_those_of_their_name() {
        let parameters = [("k y", "a&b=ä"), ("z", "")].map(|(name, value)| Parameter {
            name: name.to_owned(),
            value: Secret::new(value.to_owned()),
            is_secret: true,
        });
        let url = |text: &str| with_parameters(&text.parse().unwrap(), &parameters).unwrap();
        assert_eq!(url("http://h:1/p?a=1&k%20y=2"), "http://h:1/p?a=1&k%20y=a%26b%3D%C3%A4&z=");
        assert_eq!(url("http://h"), "http://h/?k%20y=a%26b%3D%C3%A4&z=");
    }

    #[test]
    fn the_host_is_written_as_it_is_sent() {
        for (url, host) in [
            ("https://a.net/x", "a.net"),
            ("https://a.net:443/x", "a.net"),
            ("http://a.net:443/x", "a.net:443"),
            ("http://[::1]:9/x", "[::1]:9"),
        ] {
            assert_eq!(host_of(&url.parse().unwrap()), host);
        }
    }
}
