//! OAuth 2.0, the client's own credentials (RFC 6749, 4.4): a token is fetched, kept, and fetched anew in time.
//!
//! ```text
//! none ──fetch──▶ fresh ──time──▶ aging ──time──▶ none      aging: one delivery fetches, the others use what there is
//!   ▲               └──── 401 or 407 of a target ───┘▶ none
//! ```
//!
//! # Invariants
//!
//! - One fetch at a time. Who waited for it takes what came of it, be it a failure: a token endpoint that is down is
//!   asked once, not once per delivery, and again only after a pause.
//! - What is said of a failure is of the endpoint's host, its status and the words of RFC 6749, 5.2, without secrets.
//! - **bounded**: the time and the size of an answer, the length of its words, the tokens that are remembered.

mod answer;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};

use super::{Clock, Parameter};
use crate::client::Client;
use crate::percent;
use crate::secret::{self, Secret};
use answer::Granted;

const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// A token is fetched anew so long before it ends, or in the last quarter of its life if that is shorter.
const EARLY_MAX: Duration = Duration::from_secs(60);
/// How long after a failure nobody asks again.
const PAUSE: Duration = Duration::from_secs(1);
/// Tokens of the past that answers may still repeat.
const PAST_MAX: usize = 4;

/// Where a token is fetched, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth {
    pub token_url: Uri,
    pub client_id: String,
    pub client_secret: Secret,
    pub client_in: ClientIn,
    /// `GET` has the parameters in the query, others in the body.
    pub method: Method,
    /// Beside the grant type and the client: scope, audience and whatever the endpoint wants.
    pub parameters: Vec<Parameter>,
    pub headers: Vec<Parameter>,
    pub timeout: Duration,
}

/// Where the client's id and secret stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientIn {
    /// `client_id` and `client_secret` among the parameters.
    Body,
    /// In the header `authorization`.
    Basic,
}

/// The tokens of one connection.
pub(crate) struct Tokens {
    from: OAuth,
    state: Mutex<State>,
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// Why there is none, and when that was found.
    failed: Option<(Duration, String)>,
    /// Counts the fetches that ended.
    round: u64,
    past: VecDeque<Secret>,
}

/// Times are of the steady clock.
#[derive(Clone)]
struct Token {
    text: Secret,
    aging_from: Duration,
    ends_at: Duration,
}

/// What there is without asking anybody.
enum There {
    Fresh(Secret),
    Aging(Secret),
    Failed(String),
    Nothing { round: u64 },
}

impl Tokens {
    pub(crate) fn new(from: OAuth) -> Self {
        Self { from, state: Mutex::default(), fetching: tokio::sync::Mutex::default() }
    }

    /// A token that holds now.
    ///
    /// # Errors
    ///
    /// Why there is none, for a person.
    pub(crate) async fn get(&self, client: &Client, clock: &Clock) -> Result<Secret, String> {
        let there = self.lock().there(clock().steady);
        let round = match there {
            There::Fresh(token) => return Ok(token),
            There::Failed(reason) => return Err(reason),
            There::Aging(token) => {
                let Ok(_one) = self.fetching.try_lock() else { return Ok(token) };
                return self.fetch(client, clock).await.or(Ok(token));
            }
            There::Nothing { round } => round,
        };
        let _one = self.fetching.lock().await;
        let outcome = self.lock().outcome_after(round);
        match outcome {
            Some(outcome) => outcome,
            None => self.fetch(client, clock).await,
        }
    }

    /// A target did not take this one.
    pub(crate) fn drop_if(&self, refused: &Secret) {
        let mut state = self.lock();
        if state.token.as_ref().is_some_and(|token| token.text == *refused) {
            state.token = None;
        }
    }

    /// All that no error may show: the client's secret, and the tokens there were.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let state = self.lock();
        let mut secrets: Vec<Secret> = state.past.iter().cloned().collect();
        let OAuth { client_id, client_secret, parameters, headers, .. } = &self.from;
        secrets.push(client_secret.clone());
        secrets.push(basic(client_id, client_secret));
        let extra = parameters.iter().chain(headers).filter(|one| one.is_secret);
        secrets.extend(extra.map(|one| one.value.clone()));
        secrets
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self, client: &Client, clock: &Clock) -> Result<Secret, String> {
        // The life of a token is counted from before it was asked for.
        let asked_at = clock().steady;
        let granted = self.ask(client).await;
        let failed_at = clock().steady;
        let mut state = self.lock();
        state.round += 1;
        match granted {
            Ok(granted) => {
                state.failed = None;
                state.remember(granted.token.clone());
                state.token = Some(Token::from(&granted, asked_at));
                Ok(granted.token)
            }
            Err(reason) => {
                let reason = format!("no token from {}: {reason}", self.host());
                state.failed = Some((failed_at, reason.clone()));
                Err(reason)
            }
        }
    }

    /// The host of the endpoint; its path and query are nobody's business.
    fn host(&self) -> &str {
        self.from.token_url.authority().map_or("", |authority| authority.as_str())
    }

    async fn ask(&self, client: &Client) -> Result<Granted, String> {
        let timeout = self.from.timeout;
        let request =
            self.from.request().ok_or("a header of it has characters that headers cannot carry")?;
        let asking = async {
            let response = client.request(request).await.map_err(|error| error.reason)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| {
                let is_long = error.is::<LengthLimitError>();
                let long = || format!("its answer has more than {ANSWER_BYTES_MAX} bytes");
                if is_long { long() } else { "its answer breaks off".to_owned() }
            })?;
            Ok::<(StatusCode, Bytes), String>((status, body.to_bytes()))
        };
        let answered = tokio::time::timeout(timeout, asking).await;
        let (status, body) =
            answered.map_err(|_elapsed| format!("no answer within {timeout:?}"))??;
        answer::read(status, &body, &|said| secret::without(said, &self.secrets()))
    }
}

impl State {
    fn there(&self, now: Duration) -> There {
        if let Some(token) = &self.token {
            let holds = now < token.ends_at;
            if now < token.aging_from || (holds && self.is_pausing(now)) {
                return There::Fresh(token.text.clone());
            }
            if holds {
                return There::Aging(token.text.clone());
            }
        }
        match &self.failed {
            Some((_, reason)) if self.is_pausing(now) => There::Failed(reason.clone()),
            _ => There::Nothing { round: self.round },
        }
    }

    fn is_pausing(&self, now: Duration) -> bool {
        self.failed.as_ref().is_some_and(|(at, _)| now < *at + PAUSE)
    }

    /// What came of a fetch that ended after `round`, whether its token still holds or not.
    fn outcome_after(&self, round: u64) -> Option<Result<Secret, String>> {
        if self.round == round {
            return None;
        }
        match (&self.failed, &self.token) {
            (Some((_, reason)), _) => Some(Err(reason.clone())),
            (None, Some(token)) => Some(Ok(token.text.clone())),
            (None, None) => None, // A target has refused it meanwhile.
        }
    }

    fn remember(&mut self, token: Secret) {
        if PAST_MAX <= self.past.len() {
            self.past.pop_front();
        }
        self.past.push_back(token);
    }
}

impl Token {
    fn from(granted: &Granted, asked_at: Duration) -> Self {
        let early = EARLY_MAX.min(granted.lasts / 4);
        let ends_at = asked_at.saturating_add(granted.lasts);
        Self { text: granted.token.clone(), aging_from: ends_at.saturating_sub(early), ends_at }
    }
}

impl OAuth {
    fn request(&self) -> Option<Request<Full<Bytes>>> {
        let Self { client_id, client_secret, .. } = self;
        let mut pairs = vec![("grant_type", "client_credentials")];
        if self.client_in == ClientIn::Body {
            pairs.extend([
                ("client_id", client_id.as_str()),
                ("client_secret", client_secret.expose()),
            ]);
        }
        pairs.extend(self.parameters.iter().map(|one| (one.name.as_str(), one.value.expose())));
        let form: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{}={}", percent::form(name), percent::form(value)))
            .collect();
        let form = Secret::new(form.join("&"));
        let (uri, body) = if self.method == Method::GET {
            (super::with_query(&self.token_url, form.expose())?, Bytes::new())
        } else {
            (self.token_url.clone(), Bytes::copy_from_slice(form.expose().as_bytes()))
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(crate::http::USER_AGENT));
        if self.method != Method::GET {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.insert(CONTENT_TYPE, form);
        }
        if self.client_in == ClientIn::Basic {
            let proof =
                format!("Basic {}", STANDARD.encode(basic(client_id, client_secret).expose()));
            let mut proof = HeaderValue::try_from(proof).ok()?;
            proof.set_sensitive(true);
            headers.insert(AUTHORIZATION, proof);
        }
        for Parameter { name, value, .. } in &self.headers {
            let mut value = HeaderValue::try_from(value.expose()).ok()?;
            value.set_sensitive(true);
            headers.insert(HeaderName::try_from(name).ok()?, value);
        }
        Some(request)
    }
}

/// Encoded as a form first, so that an id may have a colon (RFC 6749, 2.3.1).
fn basic(client_id: &str, client_secret: &Secret) -> Secret {
    Secret::new(format!("{}:{}", percent::form(client_id), percent::form(client_secret.expose())))
}
