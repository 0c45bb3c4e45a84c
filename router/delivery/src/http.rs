//! The target that is an HTTP endpoint.
//!
//! One `POST` per attempt. 2xx is acceptance. 408, 409, 423, 425, 429, 5xx, a timeout and a broken
//! connection mean "not now", and so do 401 and 407 where the proof is a token that is fetched. 410 means that the target is gone, whatever is sent. Every other answer is final, redirects included: they are not
//! followed, because a payload goes where its rule says and nowhere else.
//!
//! # Invariants
//!
//! - No error shows what may be secret of a URL: user, password and query.

use std::time::Duration;

use bytes::Bytes;
use event::Timestamp;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};

use crate::batch;
use crate::client::{Client, RequestError};
use crate::connection::{Authorized, Connection, Connections};
use crate::egress::EgressError;
use crate::target::{Answer, Delivery, RetryAfter, Sending, Target};

/// How much of an answer is read; a connection with more to say is closed.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How much of an answer is repeated in an error.
const ANSWER_SHOWN_CHARS: usize = 200;
/// A value in a query that is shorter is a word like any other, where an answer has it.
const SECRET_CHARS_MIN: usize = 6;
/// Parts of the names of headers whose values are secrets.
const SECRET_HEADERS: [&str; 6] = ["auth", "cookie", "key", "token", "secret", "signature"];
/// How long the body of an answer is waited for, once its status is there.
const ANSWER_BODY_TIME_MAX: Duration = Duration::from_secs(5);
pub(crate) const USER_AGENT: &str = concat!("slipswitch/", env!("CARGO_PKG_VERSION"));

/// What a rule says of an HTTP target.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    pub url: String,
    /// Sent with every attempt; they win over the router's own.
    pub headers: Vec<(String, String)>,
    /// From the first byte of the connection to the status of the answer.
    pub timeout: Duration,
    pub connection: Option<Over>,
}

/// The connection that requests go over, found anew for each.
#[derive(Debug, Clone)]
pub struct Over {
    pub name: String,
    pub connections: Connections,
}

/// Why an HTTP target cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpTargetError {
    /// Without what may be secret of it.
    #[error("`{url}` is no http or https URL with a host")]
    Url { url: String },

    #[error("`{url}`: {refusal}")]
    Egress { url: String, refusal: EgressError },

    #[error("header `{name}`: {reason}")]
    Header { name: String, reason: &'static str },
}

pub struct HttpTarget {
    client: Client,
    url: Uri,
    /// For errors.
    url_shown: String,
    /// Parts of the URL and of headers that no error shows, also when the target's answer repeats them.
    secrets: Vec<String>,
    headers: HeaderMap,
    timeout: Duration,
    connection: Option<Over>,
}

/// What came back of a request.
struct Heard {
    status: StatusCode,
    retry_after: Option<RetryAfter>,
    /// As it was said.
    said: String,
}

impl HttpTarget {
    /// # Errors
    ///
    /// When the URL or a header is none.
    pub fn new(client: Client, options: HttpOptions) -> Result<Self, HttpTargetError> {
        let HttpOptions { url, headers, timeout, connection } = options;
        let parsed = url
            .parse::<Uri>()
            .ok()
            .filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")))
            .filter(|uri| uri.host().is_some_and(|host| !host.is_empty()));
        let url_shown = shown_url(&url);
        let Some(parsed) = parsed else { return Err(HttpTargetError::Url { url: url_shown }) };

        if let Err(refusal) = client.egress().check_host(parsed.host().unwrap_or_default()) {
            return Err(HttpTargetError::Egress { url: url_shown, refusal });
        }

        let mut map = HeaderMap::new();
        let mut secrets = secrets(&parsed);
        for (name, value) in headers {
            secrets.extend(secrets_in(&name, &value));
            let wrong = |reason| HttpTargetError::Header { name: name.clone(), reason };
            let key =
                HeaderName::try_from(&name).map_err(|_shown_by_name| wrong("is no header name"))?;
            let mut value = HeaderValue::try_from(value)
                .map_err(|_secret| wrong("its value has characters that a header cannot carry"))?;
            value.set_sensitive(true);
            map.append(key, value);
        }
        Ok(Self { client, url: parsed, url_shown, secrets, headers: map, timeout, connection })
    }

    fn request(&self, delivery: &Delivery) -> Request<Bytes> {
        let mut request = Request::new(delivery.body.clone());
        let headers = request.headers_mut();
        let id = &delivery.id;
        for (name, text) in [
            ("content-type", delivery.content_type.as_str()),
            ("user-agent", USER_AGENT),
            ("slipswitch-delivery-id", &id.to_string()),
            ("slipswitch-event-id", &delivery.event_id),
            ("slipswitch-attempt", &delivery.attempt.to_string()),
            ("slipswitch-bus", &id.bus),
            ("slipswitch-rule", &id.rule),
            ("slipswitch-target", &id.target),
        ] {
            headers.insert(HeaderName::from_static(name), header_text(text));
        }
        for (name, value) in &delivery.attributes {
            let name = match name.as_str() {
                "ordering-key" => "slipswitch-ordering-key".to_owned(),
                other => format!("slipswitch-attribute-{other}"),
            };
            if let Ok(name) = HeaderName::try_from(name) {
                headers.insert(name, header_text(value));
            }
        }
        self.addressed(request)
    }

    fn request_together(&self, deliveries: &[Delivery]) -> Request<Bytes> {
        let (body, content_type) = batch::body(deliveries);
        let mut request = Request::new(body);
        let headers = request.headers_mut();
        let id = &deliveries.first().expect("a batch has deliveries").id;
        let attempt = deliveries.iter().map(|delivery| delivery.attempt).max().unwrap_or(1);
        for (name, text) in [
            ("content-type", content_type),
            ("user-agent", USER_AGENT),
            ("slipswitch-batch", &deliveries.len().to_string()),
            ("slipswitch-attempt", &attempt.to_string()),
            ("slipswitch-bus", &id.bus),
            ("slipswitch-rule", &id.rule),
            ("slipswitch-target", &id.target),
        ] {
            headers.insert(HeaderName::from_static(name), header_text(text));
        }
        for ids in batch::ids(deliveries) {
            let name = HeaderName::from_static("slipswitch-delivery-ids");
            headers.append(name, header_text(&ids));
        }
        self.addressed(request)
    }

    /// The request to this target, with the headers of its rule.
    fn addressed(&self, mut request: Request<Bytes>) -> Request<Bytes> {
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        let headers = request.headers_mut();
        for name in self.headers.keys() {
            headers.remove(name);
        }
        headers.extend(self.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        request
    }

    async fn attempt(&self, request: Request<Bytes>, deliveries: &[Delivery]) -> Answer {
        let answered = match &self.connection {
            None => {
                let heard = self.ask(&self.client, request.map(Full::new)).await;
                heard.map(|heard| (heard, None))
            }
            Some(Over { name, connections }) => match connections.find(name) {
                Ok(connection) => {
                    let heard = self.ask_over(&connection, request).await;
                    heard.map(|heard| (heard, Some(connection)))
                }
                Err(reason) => Err(unavailable(reason)),
            },
        };
        match answered {
            Ok((heard, connection)) => {
                for delivery in deliveries {
                    delivery.receipt.http_status.get_or_init(|| heard.status.as_u16());
                }
                self.judged(&heard, connection.as_deref())
            }
            Err(answer) => answer,
        }
    }

    /// A token that the target does not take is fetched anew, once.
    async fn ask_over(
        &self,
        connection: &Connection,
        request: Request<Bytes>,
    ) -> Result<Heard, Answer> {
        let mut is_again = false;
        loop {
            let (body, one) = (request.body().clone(), request.clone().map(Full::new));
            let authorized = connection.authorize(&self.client, one, &body).await;
            let Authorized { request: one, token } = authorized.map_err(unavailable)?;
            let heard = self.ask(connection.client(&self.client), one).await?;
            let has_another = wants_another_proof(heard.status) && connection.renew(token.as_ref());
            if is_again || !has_another {
                return Ok(heard);
            }
            is_again = true;
        }
    }

    async fn ask(&self, client: &Client, request: Request<Full<Bytes>>) -> Result<Heard, Answer> {
        let response = match tokio::time::timeout(self.timeout, client.request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(RequestError { reason, is_refused })) => {
                let reason = format!("POST {}: {reason}", self.url_shown);
                // Nothing was sent, and a rule or the configuration has to change.
                let refused = |reason| Answer::Refused { reason };
                return Err(if is_refused { refused(reason) } else { unavailable(reason) });
            }
            Err(_elapsed) => {
                let (url, timeout) = (&self.url_shown, self.timeout);
                let reason = format!("POST {url}: no answer within {timeout:?}");
                return Err(Answer::TimedOut { reason });
            }
        };
        let (status, retry_after) = (response.status(), retry_after(&response));
        Ok(Heard { status, retry_after, said: read_answer(response).await })
    }

    fn judged(&self, heard: &Heard, connection: Option<&Connection>) -> Answer {
        let Heard { status, retry_after, said } = heard;
        let (status, retry_after) = (*status, *retry_after);
        let said = self.shown(said, connection);
        let said = match response_note(status) {
            Some(note) if said.is_empty() => note.to_owned(),
            _ => said,
        };
        let reason = match said.as_str() {
            "" => format!("POST {}: {status}", self.url_shown),
            said => format!("POST {}: {status}: {said}", self.url_shown),
        };
        if let Some(connection) = connection {
            connection.heard(status, &reason);
        }
        let may_pass = is_worth_a_retry(status)
            || (wants_another_proof(status) && connection.is_some_and(Connection::has_tokens));
        if status.is_success() {
            Answer::Accepted
        } else if status == StatusCode::GONE {
            Answer::Gone { reason }
        } else if may_pass {
            Answer::Unavailable { reason, retry_after }
        } else {
            Answer::Refused { reason }
        }
    }

    /// The beginning of what a target answered, on one line and without the secrets it was sent.
    fn shown(&self, said: &str, connection: Option<&Connection>) -> String {
        let without = |said: String, secret: &String| said.replace(secret.as_str(), "…");
        let said = connection.map_or_else(|| said.to_owned(), |one| one.hidden(said));
        let said = self.secrets.iter().fold(said.trim().to_owned(), without);
        let plain = said.chars().map(|c| if c.is_control() { ' ' } else { c });
        plain.take(ANSWER_SHOWN_CHARS).collect()
    }
}

/// A URL without user, password, query and fragment.
pub fn shown_url(url: &str) -> String {
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    match plain.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        None => plain.to_owned(),
    }
}

/// User with password, the query, and the values in it.
fn secrets(url: &Uri) -> Vec<String> {
    let user = url.authority().and_then(|authority| authority.as_str().rsplit_once('@'));
    let whole = user.map(|(user, _)| user).into_iter().chain(url.query());
    let values = url.query().into_iter().flat_map(|query| query.split('&'));
    let values = values.filter_map(|pair| pair.split_once('=')).map(|(_, value)| value);
    let long = values.filter(|value| SECRET_CHARS_MIN <= value.len());
    whole.chain(long).filter(|secret| !secret.is_empty()).map(ToOwned::to_owned).collect()
}

/// The value of a header that proves who sends, and the long words of it: what follows `Bearer`.
fn secrets_in(name: &str, value: &str) -> Vec<String> {
    let name = name.to_ascii_lowercase();
    if !SECRET_HEADERS.iter().any(|part| name.contains(part)) {
        return Vec::new();
    }
    let words = std::iter::once(value).chain(value.split_ascii_whitespace());
    words.filter(|word| SECRET_CHARS_MIN <= word.len()).map(ToOwned::to_owned).collect()
}

impl Target for HttpTarget {
    fn send<'a>(&'a self, delivery: &'a Delivery) -> Sending<'a> {
        Box::pin(self.attempt(self.request(delivery), std::slice::from_ref(delivery)))
    }

    fn send_together<'a>(&'a self, deliveries: &'a [Delivery]) -> Sending<'a> {
        Box::pin(self.attempt(self.request_together(deliveries), deliveries))
    }
}

/// What the status alone does not tell.
fn response_note(status: StatusCode) -> Option<&'static str> {
    status.is_redirection().then_some("redirects are not followed; name the last URL in the rule")
}

fn is_worth_a_retry(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 409 | 423 | 425 | 429)
}

/// A token that has ended or was taken back, as EventBridge reads it.
fn wants_another_proof(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 407)
}

fn unavailable(reason: String) -> Answer {
    Answer::Unavailable { reason, retry_after: None }
}

/// Seconds, or a date.
fn retry_after(response: &Response<hyper::body::Incoming>) -> Option<RetryAfter> {
    let text = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    let seconds = text.trim().parse().ok().map(Duration::from_secs).map(RetryAfter::For);
    seconds.or_else(|| Timestamp::parse_http_date(text).map(RetryAfter::Until))
}

/// Reads the answer to its end, so that the connection can be used again, and keeps its beginning.
async fn read_answer(response: Response<hyper::body::Incoming>) -> String {
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect();
    match tokio::time::timeout(ANSWER_BODY_TIME_MAX, body).await {
        Ok(Ok(body)) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        // The status has come, and it alone decides.
        Ok(Err(_)) | Err(_) => String::new(),
    }
}

/// The text itself where a header can carry it; else with the rest percent-encoded.
fn header_text(text: &str) -> HeaderValue {
    let encoded: String = text
        .bytes()
        .map(|byte| match byte {
            b' '..=b'~' if byte != b'%' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    HeaderValue::try_from(encoded).expect("visible ASCII is a header value")
}
