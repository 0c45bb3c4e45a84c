//! What a token endpoint answers (RFC 6749, 5).
//!
//! # Invariants
//!
//! - Any bytes: a token that a header can carry, or words.
//! - Secrets are taken out of the words before these are cut: half a secret is still one.

use std::time::Duration;

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::secret::Secret;

/// How long a token is used that does not say how long it lasts.
const LASTS_UNSAID: Duration = Duration::from_secs(300);
/// A year; nobody means more.
const LASTS_MAX: Duration = Duration::from_secs(365 * 86_400);
const TOKEN_BYTES_MAX: usize = 16 * 1024;
const WORDS_CHARS_MAX: usize = 200;

/// What was granted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Granted {
    pub token: Secret,
    pub lasts: Duration,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<Value>,
    error: Option<String>,
    error_description: Option<String>,
}

/// `hide` takes the secrets out of a text.
pub(super) fn read(
    status: StatusCode,
    body: &[u8],
    hide: &dyn Fn(&str) -> String,
) -> Result<Granted, String> {
    let answer = serde_json::from_slice::<Answer>(body);
    if !status.is_success() {
        let words = answer.map(|answer| words(answer, hide)).unwrap_or_default();
        return Err(format!("{status}{words}{}", mend(status)));
    }
    let answer = answer
        .map_err(|_may_quote_it| format!("{status}, but its answer is not the JSON of RFC 6749"))?;
    if answer.error.is_some() {
        return Err(format!("{status}{}", words(answer, hide)));
    }
    let Answer { access_token: Some(token), token_type, expires_in, .. } = answer else {
        return Err(format!("{status}, but its answer has no `access_token`"));
    };
    if token.is_empty() || TOKEN_BYTES_MAX < token.len() {
        return Err(format!("its `access_token` has {} bytes", token.len()));
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("its `access_token` has characters that a header cannot carry".to_owned());
    }
    if token_type.as_ref().is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(
            "its token is of another type than `bearer`, which is the one there is here".to_owned()
        );
    }
    Ok(Granted { token: Secret::new(token), lasts: lasts(expires_in.as_ref()) })
}

/// The words of RFC 6749, 5.2, on one line.
fn words(answer: Answer, hide: &dyn Fn(&str) -> String) -> String {
    let mut words = String::new();
    for part in [answer.error, answer.error_description].into_iter().flatten() {
        let part = hide(&part);
        let plain = part.chars().map(|c| if c.is_control() { ' ' } else { c });
        words.push_str(": ");
        words.extend(plain.take(WORDS_CHARS_MAX));
    }
    words
}

fn mend(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 | 401 | 403 => "; look at client_id, client_secret, scope and auth of the connection",
        404 | 405 => "; look at token_url and method of the connection",
        300..=399 => "; redirects are not followed, name the last URL as token_url",
        _ => "",
    }
}

/// Seconds, as a number or, as some write it, as a text.
fn lasts(expires_in: Option<&Value>) -> Duration {
    let seconds = match expires_in {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    let Some(seconds) = seconds.filter(|seconds: &f64| seconds.is_finite()) else {
        return LASTS_UNSAID;
    };
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LASTS_MAX).min(LASTS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, body: &str, expected: &str) {
        let read = read(StatusCode::from_u16(status).unwrap(), body.as_bytes(), &|said| {
            said.replace("hidden", "…")
        });
        let said = match read {
            Ok(Granted { token, lasts }) => format!("{} for {lasts:?}", token.expose()),
            Err(words) => words,
        };
        assert_eq!(said, expected, "{body}");
    }

    #[test]
    fn a_token_and_its_life_are_read() {
        check(
            200,
            r#"{"access_token":"a.b","token_type":"Bearer","expires_in":3600}"#,
            "a.b for 3600s",
        );
        check(200, r#"{"access_token":"a","expires_in":"60","x":[1]}"#, "a for 60s");
        check(200, r#"{"access_token":"a"}"#, "a for 300s");
        check(200, r#"{"access_token":"a","expires_in":-5}"#, "a for 0ns");
        check(200, r#"{"access_token":"a","expires_in":1e300}"#, "a for 31536000s");
        check(200, r#"{"access_token":"a","expires_in":{}}"#, "a for 300s");
    }

    #[test]
    fn a_refusal_has_the_words_of_the_standard_and_a_mend() {
        check(
            401,
            r#"{"error":"invalid_client","error_description":"no such\nclient"}"#,
            "401 Unauthorized: invalid_client: no such client; look at client_id, client_secret, scope and auth of the connection",
        );
        check(503, "<html>down</html>", "503 Service Unavailable");
        check(200, r#"{"error":"slow_down"}"#, "200 OK: slow_down");
        check(302, "", "302 Found; redirects are not followed, name the last URL as token_url");
    }

    #[test]
    fn a_secret_at_the_end_of_what_is_shown_is_hidden_whole() {
        let body = format!(r#"{{"error":"{}hidden"}}"#, "x".repeat(WORDS_CHARS_MAX - 3));
        check(
            500,
            &body,
            &format!("500 Internal Server Error: {}…", "x".repeat(WORDS_CHARS_MAX - 3)),
        );
    }

    #[test]
    fn what_is_no_token_is_none() {
        check(200, "no", "200 OK, but its answer is not the JSON of RFC 6749");
        check(200, "{}", "200 OK, but its answer has no `access_token`");
        check(200, r#"{"access_token":7}"#, "200 OK, but its answer is not the JSON of RFC 6749");
        check(200, r#"{"access_token":""}"#, "its `access_token` has 0 bytes");
        let odd = "its `access_token` has characters that a header cannot carry";
        check(200, r#"{"access_token":"a b"}"#, odd);
        check(200, r#"{"access_token":"a\r\nx: y"}"#, odd);
        let mac = "its token is of another type than `bearer`, which is the one there is here";
        check(200, r#"{"access_token":"a","token_type":"mac"}"#, mac);
    }
}
