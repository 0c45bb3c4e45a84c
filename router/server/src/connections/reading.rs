//! From settings to options: every `${…}` read, every value looked at for what it is sent as.

use std::path::{Path, PathBuf};

use axum::http::{HeaderName, HeaderValue, Method, Uri};
use bus::delivery::{
    Authorization, Basic, ConnectionOptions, Identity, OAuth, Parameter, Pem, Secret, SigV4, Tls,
};
use bus::ruleset::{Values, filled};

use crate::config::{self, Kind, Settings, Written};
use crate::values::SystemValues;

/// Reads values; paths are meant from the folder of the configuration.
pub(super) struct Reader {
    folder: PathBuf,
    system: SystemValues,
}

type Problems = Vec<String>;

impl Reader {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), system: SystemValues::default() }
    }

    /// # Errors
    ///
    /// All that is wrong, with its place and without its value.
    pub(super) fn options(&self, settings: &Settings) -> Result<ConnectionOptions, Problems> {
        let mut problems = Problems::new();
        let authorization = gathered(self.authorization(&settings.kind), &mut problems);
        let tls = gathered(self.tls(&settings.tls), &mut problems);
        let headers = gathered(self.parameters(&settings.headers, sendable), &mut problems);
        let query = gathered(self.parameters(&settings.query, any), &mut problems);
        let hosts = settings.hosts.clone();
        match (authorization, tls, headers, query) {
            (Some(authorization), Some(tls), Some(headers), Some(query)) => {
                Ok(ConnectionOptions { authorization, tls, headers, query, hosts })
            }
            _ => Err(problems),
        }
    }

    fn authorization(&self, kind: &Kind) -> Result<Authorization, Problems> {
        Ok(match kind {
            Kind::None => Authorization::None,
            Kind::Basic { user, password } => {
                let (name, secret) = both(self.read(user, user_name), self.read(password, any))?;
                Authorization::Basic(Basic { user: name.expose().to_owned(), password: secret })
            }
            Kind::ApiKey { header, value } => Authorization::ApiKey {
                header: HeaderName::try_from(header).expect("the configuration has looked at it"),
                value: self.read(value, sendable).map_err(alone)?,
            },
            Kind::Bearer { token } => {
                Authorization::Bearer(self.read(token, sendable).map_err(alone)?)
            }
            Kind::OAuth(oauth) => Authorization::OAuth(Box::new(self.oauth(oauth)?)),
            Kind::SigV4(keys) => Authorization::SigV4(self.sigv4(keys)?),
        })
    }

    fn oauth(&self, written: &config::OAuth) -> Result<OAuth, Problems> {
        let url = self.plain(&written.token_url, any).and_then(|url| {
            let parsed = url.parse::<Uri>().ok();
            let parsed = parsed.filter(|url| matches!(url.scheme_str(), Some("http" | "https")));
            let parsed = parsed.filter(|url| url.host().is_some_and(|host| !host.is_empty()));
            let place = &written.token_url.place;
            parsed.ok_or_else(|| format!("{place}: this is no http or https URL with a host"))
        });
        let client =
            both(self.plain(&written.client_id, any), self.read(&written.client_secret, any));
        let (parameters, headers) = (
            self.parameters(&written.parameters, any),
            self.parameters(&written.headers, sendable),
        );
        let (client_id, client_secret) = client?;
        Ok(OAuth {
            token_url: url.map_err(alone)?,
            client_id,
            client_secret,
            client_in: written.client_in,
            method: Method::from_bytes(written.method.as_bytes()).expect("one of three"),
            parameters: parameters?,
            headers: headers?,
            timeout: written.timeout,
        })
    }

    fn sigv4(&self, written: &config::SigV4) -> Result<SigV4, Problems> {
        let (access_key_id, secret_access_key) = both(
            self.plain(&written.access_key_id, sendable),
            self.read(&written.secret_access_key, any),
        )?;
        let (region, service) =
            both(self.plain(&written.region, sendable), self.plain(&written.service, sendable))?;
        let session_token = match &written.session_token {
            Some(token) => Some(self.read(token, sendable).map_err(alone)?),
            None => None,
        };
        Ok(SigV4 { access_key_id, secret_access_key, session_token, region, service })
    }

    fn tls(&self, written: &config::Tls) -> Result<Option<Tls>, Problems> {
        let authorities = written.authorities.as_ref().map(|pem| self.pem(pem)).transpose();
        let identity = match &written.identity {
            Some((certificate, key)) => {
                let (certificate, key) = both(self.pem(certificate), self.pem(key))?;
                Some(Identity { certificate, key })
            }
            None => None,
        };
        let authorities = authorities.map_err(alone)?;
        let is_plain = identity.is_none() && authorities.is_none();
        Ok((!is_plain).then_some(Tls { identity, authorities }))
    }

    /// The file of a path, or what `${…}` stands for.
    fn pem(&self, written: &Written) -> Result<Pem, String> {
        let Written { text, place } = written;
        if text.contains("${") {
            return Ok(Pem { text: self.read(written, any)?, place: place.clone() });
        }
        let found = Values::file(self, text).map_err(|reason| format!("{place}: {reason}"))?;
        let shown = self.folder.join(text).display().to_string();
        Ok(Pem { text: Secret::new(found), place: shown })
    }

    fn parameters(
        &self,
        written: &[(String, Written)],
        check: Check,
    ) -> Result<Vec<Parameter>, Problems> {
        let mut problems = Problems::new();
        let mut parameters = Vec::new();
        for (name, written) in written {
            let is_secret = written.text.contains("${");
            let read = self.read(written, check).map_err(alone);
            let value = gathered(read, &mut problems);
            parameters.extend(value.map(|value| Parameter {
                name: name.clone(),
                value,
                is_secret,
            }));
        }
        if problems.is_empty() { Ok(parameters) } else { Err(problems) }
    }

    fn plain(&self, written: &Written, check: Check) -> Result<String, String> {
        self.read(written, check).map(|secret| secret.expose().to_owned())
    }

    fn read(&self, written: &Written, check: Check) -> Result<Secret, String> {
        let Written { text, place } = written;
        let secret =
            Secret::new(filled(text, self).map_err(|reason| format!("{place}: {reason}"))?);
        let wrong =
            if secret.expose().is_empty() { Some("is empty") } else { check(secret.expose()) };
        match wrong {
            None => Ok(secret),
            Some(wrong) => Err(format!("{place}: what {text} stands for {wrong}")),
        }
    }
}

impl Values for Reader {
    fn env(&self, name: &str) -> Option<String> {
        self.system.env(name)
    }

    fn file(&self, path: &str) -> Result<String, String> {
        self.system.file(&self.folder.join(path).display().to_string())
    }

    fn credential(&self, name: &str) -> Result<String, String> {
        self.system.credential(name)
    }
}

/// What is wrong with a value, without repeating it.
type Check = fn(&str) -> Option<&'static str>;

fn any(_: &str) -> Option<&'static str> {
    None
}

fn sendable(text: &str) -> Option<&'static str> {
    let is_sendable = HeaderValue::try_from(text).is_ok() && text.trim() == text;
    (!is_sendable).then_some(
        "cannot be sent in a header: it must be one line of ASCII characters without spaces around",
    )
}

fn user_name(text: &str) -> Option<&'static str> {
    text.contains(':').then_some("has a colon, which a user's name cannot have")
}

fn both<A, B>(a: Result<A, String>, b: Result<B, String>) -> Result<(A, B), Problems> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (a, b) => Err(a.err().into_iter().chain(b.err()).collect()),
    }
}

fn alone(problem: String) -> Problems {
    vec![problem]
}

fn gathered<T>(read: Result<T, Problems>, problems: &mut Problems) -> Option<T> {
    read.map_err(|found| problems.extend(found)).ok()
}
