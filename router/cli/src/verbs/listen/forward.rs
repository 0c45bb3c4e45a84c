//! One delivery to a local program, as the router's own HTTP target would make it.
//!
//! # Not here
//!
//! - Trying again: who develops a handler wants to see that it failed, and presses `r`.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, Uri, body::Bytes};
use hyper_util::client::legacy::{Client as Pool, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use tokio::time::Instant;

use crate::client::Told;
use crate::failure::Failure;

/// As long as an HTTP target waits unless its rule says otherwise.
const WAIT_MAX: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 64 << 10;
const USER_AGENT: &str = concat!("slipswitch/", env!("CARGO_PKG_VERSION"));

/// Where events go.
#[derive(Clone)]
pub(super) struct Forwarder {
    pool: Pool<HttpConnector, Full<Bytes>>,
    url: Uri,
    rule: String,
    target: String,
}

/// What came of one delivery.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The status, or why there is none.
    pub(super) status: Result<u16, String>,
    pub(super) millis: u128,
    pub(super) answer: String,
}

impl Outcome {
    pub(super) fn is_accepted(&self) -> bool {
        matches!(self.status, Ok(200..=299))
    }
}

impl Forwarder {
    /// As the target of a rule, or of a rule `listen` that there is not.
    pub(super) fn new(url: &str, of: Option<(&str, &str)>) -> Result<Self, Failure> {
        let (rule, target) = of.unwrap_or(("listen", "local"));
        Ok(Self {
            pool: Pool::builder(TokioExecutor::new()).build_http(),
            url: parse(url)?,
            rule: rule.to_owned(),
            target: target.to_owned(),
        })
    }

    pub(super) fn url(&self) -> &Uri {
        &self.url
    }

    pub(super) async fn deliver(&self, told: &Told, event_id: &str, attempt: u32) -> Outcome {
        let begun = Instant::now();
        let exchange = async {
            let request = self.request(told, event_id, attempt);
            let response = self.pool.request(request).await.map_err(|error| deepest(&error))?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map(|body| body.to_bytes()).unwrap_or_default();
            Ok((status, String::from_utf8_lossy(&body).into_owned()))
        };
        let waited = || format!("no answer within {} s", WAIT_MAX.as_secs());
        let ended = tokio::time::timeout(WAIT_MAX, exchange).await;
        let millis = begun.elapsed().as_millis();
        match ended.unwrap_or_else(|_elapsed| Err(waited())) {
            Ok((status, answer)) => Outcome { status: Ok(status), millis, answer },
            Err(reason) => Outcome { status: Err(reason), millis, answer: String::new() },
        }
    }

    fn request(&self, told: &Told, event_id: &str, attempt: u32) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::from(told.event.get().to_owned()));
        *request.method_mut() = hyper::Method::POST;
        *request.uri_mut() = self.url.clone();
        let (bus, offset) = (&told.bus, told.offset);
        let Self { rule, target, .. } = self;
        for (name, text) in [
            ("content-type", "application/json"),
            ("user-agent", USER_AGENT),
            ("slipswitch-delivery-id", &format!("{bus}/{offset}/{rule}/{target}/0")),
            ("slipswitch-event-id", event_id),
            ("slipswitch-attempt", &attempt.to_string()),
            ("slipswitch-bus", bus),
            ("slipswitch-rule", rule),
            ("slipswitch-target", target),
        ] {
            request.headers_mut().insert(HeaderName::from_static(name), header_text(text));
        }
        request
    }
}

/// A value that a header can carry: what it cannot becomes `?`.
fn header_text(text: &str) -> HeaderValue {
    let plain: String =
        text.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect();
    HeaderValue::from_str(&plain).expect("visible ASCII is a header")
}

/// A local program's address; `http://` may be left out.
fn parse(url: &str) -> Result<Uri, Failure> {
    let mend = "write it as http://127.0.0.1:3000/hook";
    let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let uri: Uri = full.parse().map_err(|error| {
        Failure::usage(format!("--forward-to {url:?} is no address ({error}): {mend}"))
    })?;
    match uri.scheme_str() {
        Some("http") if uri.host().is_some_and(|host| !host.is_empty()) => Ok(uri),
        Some("https") => Err(Failure::usage(format!(
            "--forward-to {url}: this is for a program on your machine, and speaks plain http: {mend}"
        ))),
        _ => Err(Failure::usage(format!("--forward-to {url:?} is no address: {mend}"))),
    }
}

/// The last cause says it best: "Connection refused".
fn deepest(error: &dyn std::error::Error) -> String {
    let (mut reason, mut source) = (error.to_string(), error.source());
    while let Some(deeper) = source {
        (reason, source) = (deeper.to_string(), deeper.source());
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Exit;

    #[test]
    fn an_address_is_http_which_may_be_left_out() {
        for (url, expected) in [
            ("localhost:3000", "http://localhost:3000/"),
            ("http://127.0.0.1:3000/hook?x=1", "http://127.0.0.1:3000/hook?x=1"),
        ] {
            assert_eq!(parse(url).unwrap().to_string(), expected);
        }
        for url in ["", "https://x", "ftp://x", "http://", "a b"] {
            let failure = parse(url).unwrap_err();
            assert!(failure.exit == Exit::Usage && failure.message.contains("http://127"), "{url}");
        }
    }

    #[test]
    fn what_no_header_carries_is_replaced() {
        assert_eq!(header_text("a\nb é"), "a?b ?");
    }
}
