//! Signatures of AWS, version 4, in a header.
//!
//! ```text
//! canonical request = method, path, query, headers, names of the headers, SHA-256 of the body   (one a line)
//! text to sign      = AWS4-HMAC-SHA256, time, day/region/service/aws4_request, SHA-256 of the canonical request
//! key               = HMAC(HMAC(HMAC(HMAC("AWS4" + secret, day), region), service), "aws4_request")
//! ```
//!
//! S3 alone takes the path as it is sent; everywhere else it is tidied and encoded once more. What is signed is the
//! host, the content type and every `x-amz-…`: proxies between change others.
//!
//! # Not here
//!
//! - Signed URLs, chunked bodies, version 4a.

use event::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};

use crate::percent::{self, Kept};
use crate::secret::Secret;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Who signs, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigV4 {
    pub access_key_id: String,
    pub secret_access_key: Secret,
    /// Of credentials that end.
    pub session_token: Option<Secret>,
    pub region: String,
    pub service: String,
}

/// What is signed of a request.
pub(crate) struct Signed<'a> {
    pub method: &'a str,
    /// As in the header `host`.
    pub host: &'a str,
    /// As it is sent.
    pub path: &'a str,
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

impl SigV4 {
    /// The headers that prove it; they take the place of those of the same name. None when a value is none for a header.
    pub(crate) fn sign(
        &self,
        request: &Signed<'_>,
        now: Timestamp,
    ) -> Option<Vec<(HeaderName, HeaderValue)>> {
        let (time, day) = amz_date(now);
        let body = hex(&Sha256::digest(request.body));
        let mut added = vec![(DATE, HeaderValue::try_from(&time).ok()?)];
        if self.service == "s3" {
            added.push((CONTENT_SHA256, HeaderValue::try_from(&body).ok()?));
        }
        if let Some(token) = &self.session_token {
            added.push((SECURITY_TOKEN, sensitive(token.expose())?));
        }
        let (names, lines) = canonical_headers(request, &added);
        let canonical = [
            request.method,
            &self.canonical_path(request.path),
            &canonical_query(request.query),
            &lines,
            &names,
            &body,
        ]
        .join("\n");
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let digest = hex(&Sha256::digest(canonical));
        let signature = self.signature(&day, &[ALGORITHM, &time, &scope, &digest].join("\n"));
        let proof = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.access_key_id
        );
        added.push((hyper::header::AUTHORIZATION, sensitive(&proof)?));
        Some(added)
    }

    fn signature(&self, day: &str, text: &str) -> String {
        let first = Secret::new(format!("AWS4{}", self.secret_access_key.expose()));
        let of_day = hmac(first.expose().as_bytes(), day);
        let of_region = hmac(&of_day, &self.region);
        let of_service = hmac(&of_region, &self.service);
        let key = hmac(&of_service, "aws4_request");
        hex(&hmac(&key, text))
    }

    fn canonical_path(&self, path: &str) -> String {
        if self.service == "s3" {
            return path.split('/').map(percent::normal).collect::<Vec<_>>().join("/");
        }
        percent::encoded(&tidied(path), Kept::Path)
    }
}

/// Without `.`, `..` and empty segments; a slash at the end stays.
fn tidied(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => (),
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    let end = if path.ends_with('/') && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.join("/"))
}

/// Each name and value in one spelling, sorted.
fn canonical_query(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent::normal(name), percent::normal(value))
        })
        .collect();
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// The names of what is signed, and its lines.
fn canonical_headers(
    request: &Signed<'_>,
    added: &[(HeaderName, HeaderValue)],
) -> (String, String) {
    let mut lines: Vec<(String, String)> = vec![("host".to_owned(), request.host.to_owned())];
    for name in request.headers.keys().filter(|name| is_signed(name)) {
        if !added.iter().any(|(other, _)| other == *name) {
            let values = request.headers.get_all(name).iter().map(plain).collect::<Vec<_>>();
            lines.push((name.to_string(), values.join(",")));
        }
    }
    lines.extend(added.iter().map(|(name, value)| (name.to_string(), plain(value))));
    lines.sort_unstable();
    let names = lines.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
    (names, lines.iter().map(|(name, value)| format!("{name}:{value}\n")).collect())
}

fn is_signed(name: &HeaderName) -> bool {
    *name == CONTENT_TYPE || name.as_str().starts_with("x-amz-")
}

/// A value with single spaces and none around.
fn plain(value: &HeaderValue) -> String {
    let text = String::from_utf8_lossy(value.as_bytes());
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// `20150830T123600Z`, and the day of it.
fn amz_date(now: Timestamp) -> (String, String) {
    let text = now.to_string();
    let seconds = text.split('.').next().unwrap_or_default().replace(['-', ':'], "");
    let day = seconds.split('T').next().unwrap_or_default().to_owned();
    (format!("{seconds}Z"), day)
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "sigv4_tests.rs"]
mod tests;
