//! Talking to a running router.
//!
//! # Not here
//!
//! - TLS: this version speaks plain HTTP, and says so when asked for more.
//! - Trying again: a person or a script decides that.

mod live;

use std::io::Write;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, Uri, body::Bytes, header, header::HeaderValue};
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

use crate::{
    failure::{Exit, Failure},
    problem::Problem,
};

pub(crate) use live::{Live, Matched, Told};

const DEFAULT_URL: &str = "http://127.0.0.1:4587";
/// For who only wants to know whether somebody is there.
const GLANCE_WAIT_MAX: Duration = Duration::from_secs(5);
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(60);
/// For what the router compiles first: a plugin in JavaScript or Python takes a while.
const WORK_WAIT_MAX: Duration = Duration::from_secs(600);
const ANSWER_BYTES_MAX: usize = 256 << 20;
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// Which router a verb talks to.
#[derive(Debug, clap::Args)]
pub(crate) struct Address {
    /// The router's address [default: the environment's SLIPSWITCH_URL, else http://127.0.0.1:4587]
    #[arg(long)]
    url: Option<String>,
}

impl Address {
    /// Read here and not by the parser of options, which would show `--url` as required once it is set.
    fn url(&self) -> String {
        self.named().unwrap_or_else(|| DEFAULT_URL.to_owned())
    }

    /// The address, if somebody named one.
    pub(crate) fn named(&self) -> Option<String> {
        let from_environment =
            || std::env::var("SLIPSWITCH_URL").ok().filter(|url| !url.is_empty());
        self.url.clone().or_else(from_environment)
    }
}

/// A router, as seen from outside.
pub(crate) struct Client {
    base: String,
    pool: Pool<HttpConnector, Full<Bytes>>,
    token: Option<String>,
    runtime: Runtime,
}

/// What a body is, and, to those who speak AWS's protocol, which operation it is for.
pub(crate) struct Media {
    pub(crate) media: &'static str,
    pub(crate) operation: Option<&'static str>,
}

/// What came back, whatever it was.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    /// What the clock there says, as HTTP writes it.
    pub(crate) date: Option<String>,
}

impl Client {
    pub(crate) fn new(address: &Address) -> Result<Self, Failure> {
        Self::at(&address.url())
    }

    pub(crate) fn at(url: &str) -> Result<Self, Failure> {
        let base = base(url)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::failed(format!("start the network runtime: {error}")))?;
        let pool = Pool::builder(TokioExecutor::new()).build_http();
        Ok(Self { base, pool, token: None, runtime })
    }

    /// With the token of SLIPSWITCH_TOKEN, if there is one: the router says when it wants it.
    pub(crate) fn with_token(mut self) -> Self {
        self.token = std::env::var("SLIPSWITCH_TOKEN").ok().filter(|token| !token.is_empty());
        self
    }

    /// The address, as it was understood.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, Failure> {
        let answer = self.exchange(Method::GET, &with_query(path, query), None)?;
        self.read(&answer)
    }

    /// An answer unjudged, whoever gives it, and soon.
    pub(crate) fn glance(&self, path: &str) -> Result<Answer, Lost> {
        self.exchange_within(Method::GET, path, None, GLANCE_WAIT_MAX)
    }

    /// Writes an answer out as it comes, however long it is.
    pub(crate) fn stream(
        &self,
        path: &str,
        query: &[(&str, String)],
        mut out: impl Write,
    ) -> Result<(), Failure> {
        let request = self.request(Method::GET, &with_query(path, query), None)?;
        let silent = |_elapsed| self.silent(ANSWER_WAIT_MAX);
        self.runtime.block_on(async {
            let answering = tokio::time::timeout(ANSWER_WAIT_MAX, self.pool.request(request));
            let response =
                answering.await.map_err(silent)?.map_err(|error| self.unreachable(&error))?;
            let status = response.status().as_u16();
            let mut body = response.into_body();
            let is_good = (200..300).contains(&status);
            let mut refusal = Vec::new();
            while let Some(frame) =
                tokio::time::timeout(ANSWER_WAIT_MAX, body.frame()).await.map_err(silent)?
            {
                let frame = frame.map_err(|error| broken_off(path, &error))?;
                let Ok(piece) = frame.into_data() else { continue };
                if is_good {
                    out.write_all(&piece)?;
                } else if refusal.len() < REFUSAL_BYTES_MAX {
                    refusal.extend_from_slice(&piece);
                }
            }
            if is_good {
                return Ok(out.flush()?);
            }
            Err(Problem::read(status, &refusal).failure())
        })
    }

    /// Sends JSON, and hands on each line of the answer as it comes.
    pub(crate) fn post_for_lines(
        &self,
        path: &str,
        body: &serde_json::Value,
        mut line: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let request = self.request(Method::POST, path, Some(body.to_string().into()))?;
        let silent = |_elapsed| self.silent(ANSWER_WAIT_MAX);
        self.runtime.block_on(async {
            let answering = tokio::time::timeout(ANSWER_WAIT_MAX, self.pool.request(request));
            let response =
                answering.await.map_err(silent)?.map_err(|error| self.unreachable(&error))?;
            let status = response.status().as_u16();
            let is_good = (200..300).contains(&status);
            let mut body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
            let mut held: Vec<u8> = Vec::new();
            while let Some(frame) =
                tokio::time::timeout(ANSWER_WAIT_MAX, body.frame()).await.map_err(silent)?
            {
                let frame = frame.map_err(|error| broken_off(path, &error))?;
                let Ok(piece) = frame.into_data() else { continue };
                held.extend_from_slice(&piece);
                while let Some(end) = held.iter().position(|byte| is_good && *byte == b'\n') {
                    let rest = held.split_off(end + 1);
                    line(&held)?;
                    held = rest;
                }
            }
            if is_good { Ok(()) } else { Err(Problem::read(status, &held).failure()) }
        })
    }

    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<T, Failure> {
        let answer = self.exchange(Method::POST, path, Some(body.to_string().into()))?;
        self.read(&answer)
    }

    pub(crate) fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<T, Failure> {
        let answer = self.exchange(Method::PATCH, path, Some(body.to_string().into()))?;
        self.read(&answer)
    }

    /// Sends a file. The router may compile it before it answers.
    pub(crate) fn put<T: DeserializeOwned>(&self, path: &str, file: Vec<u8>) -> Result<T, Failure> {
        let answer = self.exchange_within(Method::PUT, path, Some(file.into()), WORK_WAIT_MAX)?;
        self.read(&answer)
    }

    /// As [`post`](Self::post), for what takes the router long.
    pub(crate) fn work<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<T, Failure> {
        let body = Some(body.to_string().into());
        let answer = self.exchange_within(Method::POST, path, body, WORK_WAIT_MAX)?;
        self.read(&answer)
    }

    /// Deletes what the router compiles the rest without before it answers.
    pub(crate) fn remove<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let answer = self.exchange_within(Method::DELETE, path, None, WORK_WAIT_MAX)?;
        self.read(&answer)
    }

    pub(crate) fn delete(&self, path: &str) -> Result<(), Failure> {
        let answer = self.exchange(Method::DELETE, path, None)?;
        if (200..300).contains(&answer.status) {
            return Ok(());
        }
        Err(Failure { exit: Exit::Failed, ..Problem::read(answer.status, &answer.body).failure() })
    }

    /// Sends events and hands the answer back unjudged.
    pub(crate) fn send_as(&self, path: &str, media: Media, body: Bytes) -> Result<Answer, Lost> {
        let mut request = self.request(Method::POST, path, Some(body))?;
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media.media));
        if let Some(operation) = media.operation {
            headers.insert("x-amz-target", HeaderValue::from_static(operation));
        }
        self.carry(request, path, ANSWER_WAIT_MAX)
    }

    fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Failure> {
        if !(200..300).contains(&answer.status) {
            return Err(Problem::read(answer.status, &answer.body).failure());
        }
        serde_json::from_slice(&answer.body).map_err(|error| {
            Failure::failed(format!(
                "what answers at {} is no router this command understands: {error}",
                self.base
            ))
        })
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        json: Option<Bytes>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let uri = format!("{}{path}", self.base);
        let mut request = Request::builder()
            .method(method)
            .uri(&uri)
            .header(header::USER_AGENT, concat!("slipswitch/", env!("CARGO_PKG_VERSION")));
        if json.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.trim()));
        }
        request
            .body(Full::new(json.unwrap_or_default()))
            .map_err(|error| Failure::usage(format!("{uri}: {error}")))
    }

    fn exchange(&self, method: Method, path: &str, json: Option<Bytes>) -> Result<Answer, Lost> {
        self.exchange_within(method, path, json, ANSWER_WAIT_MAX)
    }

    fn exchange_within(
        &self,
        method: Method,
        path: &str,
        json: Option<Bytes>,
        wait_max: Duration,
    ) -> Result<Answer, Lost> {
        let request = self.request(method, path, json)?;
        self.carry(request, path, wait_max)
    }

    fn carry(
        &self,
        request: Request<Full<Bytes>>,
        path: &str,
        wait_max: Duration,
    ) -> Result<Answer, Lost> {
        let exchange = async {
            let response = self.pool.request(request).await.map_err(|error| Lost {
                is_unsent: error.is_connect(),
                failure: self.unreachable(&error),
            })?;
            let status = response.status().as_u16();
            let date = response.headers().get(header::DATE);
            let date = date.and_then(|date| date.to_str().ok()).map(str::to_owned);
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
                .collect()
                .await
                .map_err(|error| broken_off(path, &error))?;
            Ok(Answer { status, body: body.to_bytes(), date })
        };
        let timed = async { tokio::time::timeout(wait_max, exchange).await };
        self.runtime.block_on(timed).unwrap_or_else(|_| Err(self.silent(wait_max).into()))
    }

    fn unreachable(&self, error: &hyper_util::client::legacy::Error) -> Failure {
        let mut reason = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(deeper) = source {
            reason = deeper.to_string(); // the deepest says it best: "Connection refused"
            source = deeper.source();
        }
        let message = format!(
            "no router answers at {}: {reason}\n\
             start it, or name another with --url or SLIPSWITCH_URL",
            self.base
        );
        Failure::new(Exit::Unreachable, message)
    }

    fn silent(&self, waited: Duration) -> Failure {
        let message =
            format!("{} took the request but did not answer in {} s", self.base, waited.as_secs());
        Failure::new(Exit::Unreachable, message)
    }
}

/// There is no answer.
pub(crate) struct Lost {
    pub(crate) failure: Failure,
    /// Nobody was reached: the request was certainly not taken.
    pub(crate) is_unsent: bool,
}

impl From<Failure> for Lost {
    fn from(failure: Failure) -> Self {
        Self { failure, is_unsent: false }
    }
}

impl From<Lost> for Failure {
    fn from(lost: Lost) -> Self {
        lost.failure
    }
}

fn broken_off(path: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format!("{path}: the answer broke off: {error}"))
}

/// Checks an address, and takes the slash off its end.
fn base(url: &str) -> Result<String, Failure> {
    let base = url.trim_end_matches('/');
    let mend = format!("write it as {}, in --url or SLIPSWITCH_URL", suggested(base));
    let uri: Uri = base
        .parse()
        .map_err(|error| Failure::usage(format!("{url:?} is no address ({error}): {mend}")))?;
    match uri.scheme_str() {
        Some("http") => (),
        Some("https") => {
            return Err(Failure::usage(format!(
                "{url}: this version of the command line speaks plain http only; on the router's own machine use \
                 http://, from elsewhere a tunnel (ssh -L 4587:127.0.0.1:4587 HOST)"
            )));
        }
        _ => return Err(Failure::usage(format!("{url:?} does not begin with http://: {mend}"))),
    }
    if uri.query().is_some() {
        return Err(Failure::usage(format!("{url:?} has a query: {mend}")));
    }
    let after_host = uri.authority().map_or("", |authority| {
        let host = authority.host();
        authority.as_str().rsplit('@').next().and_then(|rest| rest.strip_prefix(host)).unwrap_or("")
    });
    if !after_host.is_empty() && uri.port_u16().is_none_or(|port| port == 0) {
        let port = after_host.trim_start_matches(':');
        return Err(Failure::usage(format!(
            "{url:?}: {port:?} is no port: use a number from 1 to 65535"
        )));
    }
    Ok(base.to_owned())
}

/// What was probably meant: what was written, with `http://` before it.
fn suggested(base: &str) -> String {
    let bare = base.split_once("://").map_or(base, |(_scheme, rest)| rest);
    let bare = bare.split(['/', '?', '#', ' ']).next().unwrap_or_default();
    let meant = format!("http://{bare}");
    match meant.parse::<Uri>() {
        Ok(uri) if uri.port_u16().is_some() => meant,
        Ok(uri) if uri.host().is_some() && !bare.contains(':') => format!("{meant}:4587"),
        _ => DEFAULT_URL.to_owned(),
    }
}

fn with_query(path: &str, query: &[(&str, String)]) -> String {
    let mut out = path.to_owned();
    for (index, (name, value)) in query.iter().enumerate() {
        out.push(if index == 0 { '?' } else { '&' });
        out.push_str(name);
        out.push('=');
        out.push_str(&escaped(value));
    }
    out
}

/// Percent-encodes everything that is not unreserved (RFC 3986, section 2.3).
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_http_and_loses_its_last_slash() {
        assert_eq!(base("http://127.0.0.1:4587/").unwrap(), "http://127.0.0.1:4587");
        assert_eq!(base("http://router/under/path").unwrap(), "http://router/under/path");
        assert_eq!(base("http://[::1]:4587").unwrap(), "http://[::1]:4587");
    }

    #[test]
    fn any_other_address_is_wrong_usage_with_a_mend() {
        for (url, says) in [
            ("https://router", "plain http only"),
            ("127.0.0.1:4587", "--url"),
            ("router", "does not begin with http://"),
            ("ftp://router", "does not begin with http://"),
            ("http://", "--url"),
            ("http://a/?b=c", "has a query"),
            ("127.0.0.1:14587", "http://127.0.0.1:14587,"),
            ("router", "http://router:4587,"),
            ("http://127.0.0.1:99999", "65535"),
            ("http://127.0.0.1:0", "65535"),
            ("http://127.0.0.1:", "65535"),
        ] {
            let failure = base(url).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage, "{url}");
            assert!(failure.message.contains(says), "{url}: {}", failure.message);
        }
    }

    #[test]
    fn values_in_a_query_are_escaped() {
        let query = [("bus", "a b&c".to_owned()), ("rule", "đơn".to_owned())];
        assert_eq!(with_query("/x", &query), "/x?bus=a%20b%26c&rule=%C4%91%C6%A1n");
        assert_eq!(with_query("/x", &[]), "/x");
    }
}
